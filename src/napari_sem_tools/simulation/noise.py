"""Random fields and quick blurs that grounds, skins and grey values are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fractal_noise", "soft_blur"]

Field = NDArray[np.float32]

_EXACT_BELOW_PX = 3.0  # a narrow Gaussian is cheap; three boxes stand for a wide one
_PASSES = 3


def fractal_noise(
    shape: tuple[int, int], rng: np.random.Generator, *, coarse_px: float, slope: float = 1.0
) -> Field:
    """Draw a random field whose features go from `coarse_px` down to a pixel.

    Parameters
    ----------
    shape : (int, int)
    rng : numpy.random.Generator
    coarse_px : float
        Size of the largest features.
    slope : float, optional
        How fast the amplitude falls with the spatial frequency; 1: as its reciprocal.

    Returns
    -------
    float32 array (Y, X)
        Zero mean, unit variance.

    Examples
    --------
    >>> field = fractal_noise((40, 30), np.random.default_rng(0), coarse_px=10)
    >>> field.shape, round(float(field.std()), 3)
    ((40, 30), 1.0)
    """
    from scipy import fft

    rows, columns = (fft.next_fast_len(n + int(min(coarse_px, n)), real=True) for n in shape)
    spectrum = fft.rfft2(rng.standard_normal((rows, columns), np.float32))
    y, x = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None]
    frequency = np.hypot(y, x) * max(coarse_px, 1.0)
    # flat above the coarse size would leave the window's own size visible: it falls to zero
    gain = frequency / (1 + frequency) ** (2 + slope)
    field = fft.irfft2(spectrum * gain.astype(np.float32), (rows, columns))
    field = field[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / (field.std() + 1e-12), np.float32)


def soft_blur(image: NDArray[Any], sigma_px: float) -> Field:
    """Blur like a Gaussian, in a time that does not grow with its width.

    Parameters
    ----------
    image : array (Y, X)
    sigma_px : float
        Standard deviation; below 0.2 px nothing is done.

    Returns
    -------
    float32 array (Y, X)

    Notes
    -----
    Above 3 px three running means of equal width stand for the Gaussian: their variances
    add up to its own.

    References
    ----------
    .. [1] W. M. Wells, "Efficient synthesis of Gaussian filters by cascaded uniform
           filters", IEEE Trans. PAMI 8, 234 (1986).
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    blurred = np.asarray(image, np.float32)
    if sigma_px < 0.2:
        return blurred
    if sigma_px <= _EXACT_BELOW_PX:
        return np.asarray(gaussian_filter(blurred, sigma_px, mode="nearest", truncate=3.0))
    width = max(1, round(np.sqrt(12 * sigma_px**2 / _PASSES + 1)))
    for _ in range(_PASSES):
        blurred = uniform_filter(blurred, width, mode="nearest")
    return np.asarray(blurred)
