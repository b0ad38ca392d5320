"""Whether an image shows anything at all: blank, black, white, saturated and noise images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from napari_sem_tools.focus.measures.picture import Picture

__all__ = ["no_information"]

_FLAT: Final = 1e-3  # standard deviation over the range of the type, or over the grey values
_END: Final = 0.02  # of the range: as dark as black, as light as white
_MOST: Final = 0.98  # of the pixels
_NOISE_Z: Final = 5.0  # standard errors that power or correlation must stand above white noise
_BANDS: Final = ((0.0, 0.02), (0.02, 0.05), (0.05, 0.1), (0.1, 0.2))  # cycles/px, slow axis
_WIDEST: Final = (0.02, 0.05, 0.15, 0.5)  # cycles/px on the fast axis
_FINE: Final = 0.25  # cycles/px; above, noise is all there is of most images
_PEAK: Final = 40.0  # over the mean of its column; of noise the largest of 40,000 is near 16
_JOINED: Final = 6.0  # coefficients for each free one: Hann's window, detectors of some px
_CLIPPED: Final = 0.9  # of the pixels at either end, with next to nothing between


def no_information(picture: Picture) -> str:
    """Say why an image holds no information; empty when it does.

    Parameters
    ----------
    picture : Picture

    Returns
    -------
    str
        ``"blank image"``, ``"black image"``, ``"white image"``, ``"saturated image"``,
        ``"noise alone"`` or ``""``.

    Notes
    -----
    An image is noise when its power does not depend on the frequency along the slow axis and
    neighbours on that axis do not correlate, by five standard errors.  Along the fast axis
    detectors correlate what they read one after the other.  A picture at 5 electrons a pixel
    passes by a wide margin: its structure fills few coefficients, but fills them well.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sem_tools.focus.measures.picture import picture_of
    >>> no_information(picture_of(np.random.default_rng(0).normal(size=(240, 320))))
    'noise alone'
    """
    return next((reason for reason, holds in _CHECKS.items() if holds(picture)), "")


def _range(picture: Picture) -> float:
    """Return the range of grey values that the image could have; of a float the one it has."""
    if picture.depth > 0:
        return picture.depth
    return float(max(np.abs(picture.counted).max(), 1e-12))


def _is_black(picture: Picture) -> bool:
    if picture.depth == 0:
        return False
    return float(np.mean(picture.counted <= _END * picture.depth)) >= _MOST


def _is_white(picture: Picture) -> bool:
    if picture.depth == 0:
        return False
    return float(np.mean(picture.counted >= (1 - _END) * picture.depth)) >= _MOST


def _is_blank(picture: Picture) -> bool:
    return bool(np.sqrt(picture.variance) <= _FLAT * _range(picture)) or picture.variance == 0


def _is_saturated(picture: Picture) -> bool:
    """Tell whether nearly all pixels are cut off at one end or both."""
    low, high = float(picture.counted.min()), float(picture.counted.max())
    if picture.depth > 0 and high < picture.depth and low > 0:
        return False
    ends = (picture.counted <= low) | (picture.counted >= high)
    return float(ends.mean()) >= _CLIPPED


def _is_noise(picture: Picture) -> bool:
    """Tell whether power does not depend on the frequency along the slow axis."""
    spectrum = picture.spectrum
    power = np.square(np.abs(spectrum.transform[:, 1:]))  # detectors shift the mean of a line
    slow = np.abs(np.fft.fftfreq(spectrum.shape[0]))
    fast = np.fft.rfftfreq(spectrum.shape[1])[1:]
    level = power[slow > _FINE].mean(axis=0, dtype=np.float64)  # white along the slow axis
    if not (level > 0).all():
        return False
    ratio = power / level
    if (ratio > _PEAK).any():
        return False
    for widest in _WIDEST:
        number = max(int((fast < widest).sum()), 1)
        columns = ratio[:, :number].mean(axis=1, dtype=np.float64)
        for low, high in _BANDS:
            inside = (slow >= low) & (slow < high)
            count = inside.sum() * number / _JOINED
            if count > 0 and columns[inside].mean() > 1 + _NOISE_Z / np.sqrt(count):
                return False
    lags = spectrum.autocovariance
    zero, one = float(lags[0, 0]), float(lags[1, 0])
    return bool(one < zero * _NOISE_Z * np.sqrt(_JOINED / picture.grey.size))


_CHECKS: Final[dict[str, Callable[[Picture], bool]]] = {
    "black image": _is_black,
    "white image": _is_white,
    "blank image": _is_blank,
    "saturated image": _is_saturated,
    "noise alone": _is_noise,
}
