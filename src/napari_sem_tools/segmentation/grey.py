"""The image as the classical method sees it: grey values from 0 to 1, marks filled in."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.segmentation.filters import (
    Bool,
    Map,
    enlarged,
    quick_sample,
    shrunk,
    smoothed,
)

__all__ = ["GreyImage", "normalized"]

_TAILS = (0.5, 99.5)  # percent; beyond are letters, dust, charging, dead pixels
_FILL_BLOCK = 8  # px; values outside the field are filled at this resolution


@dataclasses.dataclass(frozen=True, eq=False)
class GreyImage:
    """Grey values scaled so that the field runs from 0 to 1.

    Attributes
    ----------
    values : float32 array (Y, X)
        Clipped to 0 and 1; outside the field continued from nearby.
    field : bool array (Y, X)
        Pixels that count: in the field and finite.
    low, span : float
        ``values = (grey - low) / span``.
    """

    values: Map
    field: Bool
    low: float
    span: float

    @property
    def is_flat(self) -> bool:
        """True when there is nothing to see: no field, or one grey value only."""
        return self.span <= 0


def normalized(grey: NDArray[Any], field: Bool) -> GreyImage:
    """Scale grey values to 0 to 1 by the percentiles of the field.

    Parameters
    ----------
    grey : array (Y, X) of any number
        NaN and infinite values are taken out of the field.
    field : bool array (Y, X)

    Returns
    -------
    GreyImage
    """
    if grey.dtype.kind == "f":
        field = field & np.isfinite(grey)
    inside = grey[field]
    if inside.size == 0:
        return GreyImage(np.zeros(grey.shape, np.float32), field, 0.0, 0.0)
    low, high = (float(v) for v in np.percentile(quick_sample(inside).astype(np.float64), _TAILS))
    if high <= low:  # particles may cover less than the tails
        low, high = float(inside.min()), float(inside.max())
    span = high - low
    if not (span > 0 and np.isfinite(span)):
        return GreyImage(np.zeros(grey.shape, np.float32), field, low, 0.0)
    safe = grey if field.all() else np.where(field, grey, low)
    precise: NDArray[Any] = safe.astype(np.float64 if grey.dtype.itemsize > 2 else np.float32)
    values = np.clip((precise - low) / span, 0, 1)
    return GreyImage(_filled(values.astype(np.float32), field), field, low, span)


def _filled(values: Map, field: Bool) -> Map:
    """Continue the picture into what does not count, so that its rim makes no edge."""
    if field.all():
        return values
    weight = shrunk(field, _FILL_BLOCK)
    total = shrunk(np.where(field, values, 0), _FILL_BLOCK)
    mean = float(values[field].mean())
    for sigma in (2.0, 8.0):
        w = smoothed(weight, sigma)
        known = w > 1e-3  # a thousandth of the window
        near = np.where(known, smoothed(total, sigma) / np.maximum(w, 1e-3), mean)
        total = np.where(weight > 0, total, np.where(known, near, 0))
        weight = np.maximum(weight, known)
    near = np.where(weight > 0, total / np.maximum(weight, 1e-3), mean)
    return np.where(field, values, enlarged(near.astype(np.float32), _FILL_BLOCK, values.shape))
