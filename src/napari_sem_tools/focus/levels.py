"""Energies of a tile over its range of grey values: what the trees of the mix look at beside.

`features` compares energies with each other and with the variance.  A specimen that shows few
details has a small variance and the same range; energies over the squared range tell the two
apart.  Gain and offset cancel here as there.
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from napari_sem_tools.focus.measures.picture import Picture
from napari_sem_tools.focus.measures.spectrum import noise_gain

__all__ = ["levels"]

_RANGE_AT_PX: Final = 2.25  # blur under which noise does not widen the range
_PARTS: Final = (0.005, 0.05, 0.5, 0.95, 0.995)
_SCALES: Final = (1.0, 1.5, 2.25, 3.4, 5.0)
_BANDS: Final = (0.01, 0.02, 0.036, 0.058, 0.088, 0.126, 0.172, 0.23, 0.3, 0.38)
_REACH: Final = 8
_LEAST: Final = 1e-7  # of the squared range


def levels(picture: Picture) -> dict[str, float]:
    """Work out all numbers of a tile, by name.

    Parameters
    ----------
    picture : Picture

    Returns
    -------
    dict of str to float
    """
    values = picture.over_valid(picture.smooth(_RANGE_AT_PX), 0)[::3]
    places = [int(part * (values.size - 1)) for part in _PARTS]
    dark, low, middle, high, bright = np.partition(values, places)[places].astype(float)
    width = max(bright - dark, 1e-6)
    square = width * width

    def over(energy: float) -> float:
        """Return ln of an energy over the squared range."""
        return float(np.log(max(energy / square, 0.0) + _LEAST))

    spectrum, noise = picture.spectrum, picture.noise
    lags = spectrum.autocovariance
    near, far = (0.5 * float(lags[d, 0] + lags[0, d]) for d in (1, 2))
    found = {
        "range_net": over(picture.net_variance),
        "range_noise": over(noise),
        "range_inner": (high - low) / width,
        "range_middle": (middle - dark) / width,
        "range_next": over(near),
        "range_fall": over(near - far),
        "range_fine": over(spectrum.net_sum(0.05, 0.15)),
    }
    found |= {
        f"range_band{i}": over(spectrum.net_sum(a, b))
        for i, (a, b) in enumerate(itertools.pairwise(_BANDS))
    }
    for s in _SCALES:
        gradient = picture.over_valid(picture.gradient_squared(s), _REACH)[::3]
        mean = float(gradient.mean(dtype=np.float64))
        found[f"range_gradient{s}"] = over((mean - noise * noise_gain("gradient", s)) * s**2)
        laplace = picture.over_valid(picture.laplacian(s), _REACH)[::3]
        energy = float(np.mean(laplace * laplace, dtype=np.float64))
        found[f"range_laplace{s}"] = over((energy - noise * noise_gain("laplace", s)) * s**4)
    return found
