"""Signs that a picture is no electron micrograph: colour, flat areas, nothing, mere noise.

They are read from the grey values before these are ranked.  A grey photograph has none of them;
it is caught, if at all, by its distance to the examples of one's own categories.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading.inputs import as_micrograph

__all__ = ["SIGNS", "Sign", "read_signs", "seen_signs"]

Row = NDArray[np.float64]

_MOST_SIDE: Final = 1024  # px that are looked at, in the middle
_LEVELS: Final = 256


@dataclasses.dataclass(frozen=True)
class Sign:
    """Something that electron micrographs do not show.

    Attributes
    ----------
    strength : callable
        Of a `Micrograph`; larger is less like a micrograph.
    limit : float
        From which the sign counts.
    reason : str
        What is then said.
    """

    strength: Callable[[Micrograph], float]
    limit: float
    reason: str


def read_signs(image: Any) -> dict[str, float]:
    """Measure all signs.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array

    Returns
    -------
    dict of str to float
        Strengths by the names of `SIGNS`, each over its limit: 1 and more counts.

    Examples
    --------
    >>> read_signs(np.full((64, 64), 7, np.uint8))["flat"] > 1
    True
    """
    record = as_micrograph(image).plane()
    return {name: sign.strength(record) / sign.limit for name, sign in SIGNS.items()}


def seen_signs(image: Any) -> tuple[str, ...]:
    """Say why a picture is no electron micrograph.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array

    Returns
    -------
    tuple of str
        Empty when it may be one.
    """
    found = read_signs(image)
    return tuple(SIGNS[name].reason for name, strength in found.items() if strength >= 1)


def _middle(record: Micrograph) -> tuple[slice, slice]:
    """Return the middle of the field, not larger than is needed."""
    rows = np.flatnonzero(record.field.any(axis=1))
    columns = np.flatnonzero(record.field.any(axis=0))
    return _around(rows), _around(columns)


def _around(places: NDArray[np.intp]) -> slice:
    """Return the middle of a range of rows or columns."""
    if not len(places):
        return slice(0, 1)
    first, stop = int(places[0]), int(places[-1]) + 1
    spare = max(stop - first - _MOST_SIDE, 0) // 2
    return slice(first + spare, stop - spare)


def _grey(record: Micrograph) -> Row:
    """Return the middle of the field in 256 levels between its extremes."""
    grey = np.asarray(record.grey[_middle(record)], np.float64)
    low, high = float(np.nanmin(grey)), float(np.nanmax(grey))
    if not high > low:
        return np.zeros(grey.shape)
    return np.asarray(np.floor((grey - low) * ((_LEVELS - 1) / (high - low))))


def _colour(record: Micrograph) -> float:
    """Return the mean difference of the channels, as a share of the range of the picture."""
    if record.axes != "YXC":
        return 0.0
    pixels = np.asarray(record.pixels[_middle(record)], np.float64)
    return float(np.ptp(pixels, axis=-1).mean() / max(np.ptp(pixels), 1e-9))


def _flat(record: Micrograph) -> float:
    """Return the share of pixels that equal their right and lower neighbours."""
    grey = _grey(record)
    same = (grey[:-1, :-1] == grey[1:, :-1]) & (grey[:-1, :-1] == grey[:-1, 1:])
    return float(same.mean()) if same.size else 1.0


def _noise(record: Micrograph) -> float:
    """Return how little neighbours have in common: 1 for white noise, 0 for smooth pictures."""
    grey = _grey(record)
    spread = grey.var()
    if spread <= 0 or min(grey.shape) < 3:
        return 0.0
    apart = 0.5 * (np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey)).mean())
    return float(min(apart / (2 * spread), 1.0))


SIGNS: Final[Mapping[str, Sign]] = {
    "colour": Sign(_colour, 0.04, "it is in colour"),
    "flat": Sign(_flat, 0.60, "most of it is flat, like a page, a plot or nothing"),
    "noise": Sign(_noise, 0.93, "it is noise without a picture"),
}
"""The signs by name; limits are above what licence-clean micrographs show."""
