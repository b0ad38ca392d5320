"""Sums of grey values inside particles."""

from __future__ import annotations

import typing

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import Floats, Ints, Runs

__all__ = ["grey_sums", "positions"]

Array = NDArray[typing.Any]


def grey_sums(runs: Runs, image: Array, base: float) -> Floats:
    """Sum grey values over the pixels of each particle.

    Parameters
    ----------
    runs : Runs
        At least one.
    image : array (Y, X)
    base : float
        Taken off every value before summing, so that squares keep their digits.

    Returns
    -------
    float64 array (4, n)
        Sum, sum of squares, smallest and largest value; NaN where a pixel is NaN.
    """
    length = runs.length
    offsets = np.cumsum(length) - length
    values = image.ravel()[positions(runs.start, length)]
    first = offsets[runs.offsets]
    shifted = values.astype(np.float64) - base
    total = np.add.reduceat(shifted, first)
    np.multiply(shifted, shifted, out=shifted)
    return np.stack(
        [
            total,
            np.add.reduceat(shifted, first),
            np.minimum.reduceat(values, first).astype(np.float64),
            np.maximum.reduceat(values, first).astype(np.float64),
        ]
    )


def positions(start: Ints, length: Ints) -> Ints:
    """Return the flattened indices of all pixels of runs, one run after the other.

    Parameters
    ----------
    start, length : int64 arrays (runs,)
        Index of the first pixel, and number of pixels.

    Returns
    -------
    int64 array (pixels,)
    """
    offsets = np.cumsum(length) - length
    found: Ints = np.arange(int(length.sum()))
    found += np.repeat(start - offsets, length)
    return found
