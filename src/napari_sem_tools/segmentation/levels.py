"""The grey level between background and particle, and the slow trend below it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Self

import numpy as np
from scipy import ndimage

from napari_sem_tools.segmentation.filters import Bool, Map, enlarged, quick_sample, shrunk

__all__ = ["Level", "background_trend", "choose_level"]

_MIN_BACKGROUND = 200  # samples that a trend needs
_TREND_SAMPLES = 20_000
_TREND_ROUNDS = 3
_LOCAL_WINDOW = 0.15  # of the shorter side
_OTSU, _LOCAL = "otsu", "local"
_LOCAL_LEAD = 1.15  # a local level must stand on this much stronger edges to be chosen


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """A level and how it was found.

    Attributes
    ----------
    name : str
        Method that found it.
    value : float
        Level; of a local method the mean over the field.
    surface : float32 array (Y, X) or float
        What pixels are compared with.
    edge : float
        Mean gradient where the image crosses the level.
    contrast : float
        Mean of what is above less mean of what is below.
    """

    name: str
    value: float
    surface: Map | float
    edge: float
    contrast: float

    @classmethod
    def at(
        cls, surface: Map | float, values: Map, gradient: Map, *, field: Bool, name: str
    ) -> Self:
        """Measure edge and contrast where `values` cross a level.

        Parameters
        ----------
        surface : float32 array (Y, X) or float
        values, gradient : float32 array (Y, X)
        field : bool array (Y, X)
        name : str
        """
        above = values > surface
        crossing = (above[:, 1:] != above[:, :-1]) & field[:, 1:] & field[:, :-1]
        edge = float(gradient[:, 1:][crossing].mean()) if crossing.any() else 0.0
        bright, dark = values[above & field], values[~above & field]
        contrast = float(bright.mean() - dark.mean()) if bright.size and dark.size else 0.0
        return cls(name, float(np.mean(surface)), surface, edge, contrast)


def background_trend(values: Map, field: Bool) -> Map | float:
    """Fit a paraboloid to the background of an image with bright particles.

    Background is what lies below Otsu's level.  The paraboloid is held between its extremes
    there, so that it does not run away below large particles, and its mean is taken off.

    Parameters
    ----------
    values : float32 array (Y, X)
        Smoothed grey values, particles bright.
    field : bool array (Y, X)

    Returns
    -------
    float32 array (Y, X) or 0.0
        0.0 when there is too little background.
    """
    step = max(1, int(np.sqrt(values.size / _TREND_SAMPLES)))
    part, counts = values[::step, ::step], field[::step, ::step]
    y, x = (np.linspace(-1, 1, size, dtype=np.float32) for size in values.shape)
    terms = _terms(y[::step, None], x[None, ::step])
    weights: Map = np.zeros(terms.shape[-1], np.float32)
    fitted = np.zeros(1, np.float32)
    for _ in range(_TREND_ROUNDS):  # a steep trend hides background from the first level
        flat = part - terms @ weights
        below = (flat < _otsu(flat[counts])) & counts
        if below.sum() < _MIN_BACKGROUND:
            return 0.0
        weights = np.linalg.lstsq(terms[below], part[below], rcond=None)[0].astype(np.float32)
        fitted = terms[below] @ weights
    surface = _terms(y[:, None], x[None]) @ weights
    np.clip(surface, fitted.min(), fitted.max(), out=surface)
    return np.asarray(surface - fitted.mean(), np.float32)


def _terms(y: Map, x: Map) -> Map:
    """Terms of a paraboloid on the last axis; y is a column, x a row."""
    ones = np.ones_like(y * x)
    return np.stack([ones, y * ones, x * ones, y * y * ones, y * x, x * x * ones], -1)


def choose_level(values: Map, gradient: Map, *, field: Bool, method: str) -> Level:
    """Find the level of a method, or of the method whose level lies on the strongest edges.

    Parameters
    ----------
    values, gradient : float32 array (Y, X)
        Smoothed grey values with bright particles, and their gradient magnitude.
    field : bool array (Y, X)
    method : {"auto", "otsu", "li", "local"}

    Returns
    -------
    Level

    References
    ----------
    .. [1] N. Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979).
    .. [2] C. H. Li, P. K. S. Tam, Pattern Recogn. Lett. 19, 771 (1998).
    """
    inside = quick_sample(values[field])
    if inside.size == 0 or inside.min() == inside.max():
        return Level(method if method != "auto" else _OTSU, float(values.mean()), 2.0, 0.0, 0.0)
    names = tuple(_SURFACES) if method == "auto" else (method,)
    found = [
        Level.at(_SURFACES[n](values, inside), values, gradient, field=field, name=n) for n in names
    ]
    return max(found, key=lambda lv: lv.edge / (_LOCAL_LEAD if lv.name == _LOCAL else 1.0))


def _otsu(values: Map) -> float:
    """Otsu's level of a sample."""
    from skimage.filters import threshold_otsu

    sample = quick_sample(values)
    return float(threshold_otsu(sample)) if sample.size and np.ptp(sample) > 0 else 0.0


def _li(values: Map, inside: Map) -> float:
    """Li's level of a sample."""
    from skimage.filters import threshold_li

    return float(threshold_li(inside))


def _local(values: Map, inside: Map) -> Map:
    """Half way between Otsu's level and the mean of a window."""
    factor = 4
    small = shrunk(values, factor)
    window = max(3, int(_LOCAL_WINDOW * min(values.shape) / factor))
    mean = ndimage.uniform_filter(small, window, mode="nearest")
    surface = 0.5 * (enlarged(mean, factor, values.shape) + _otsu(inside))
    return np.asarray(surface, np.float32)


_SURFACES: dict[str, Callable[[Map, Map], Map | float]] = {
    _OTSU: lambda values, inside: _otsu(inside),
    "li": _li,
    _LOCAL: _local,
}
