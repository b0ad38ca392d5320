"""Filters that several steps of segmentation share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Bool", "Map", "enlarged", "largest_within", "quick_sample", "shrunk", "smoothed"]

Map = NDArray[np.float32]
Bool = NDArray[np.bool_]

_SAMPLE = 100_000  # values that are enough for a percentile or a threshold


def smoothed(values: Map, sigma: float) -> Map:
    """Gaussian of `sigma` px, cut at 3 sigma; edges are continued by their last value."""
    if sigma <= 0:
        return values
    return np.asarray(
        ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=3.0), np.float32
    )


def shrunk(values: NDArray[Any], factor: int) -> Map:
    """Mean of blocks of `factor` px; the last block of a row or column may be cut."""
    values = np.asarray(values, np.float32)
    if factor <= 1:
        return values
    rows, columns = (-(-size // factor) for size in values.shape)
    padding = [(0, rows * factor - values.shape[0]), (0, columns * factor - values.shape[1])]
    padded = np.pad(values, padding, mode="edge") if any(p[1] for p in padding) else values
    blocks = padded.reshape(rows, factor, columns, factor)
    return np.asarray(blocks.mean((1, 3), dtype=np.float32))


def enlarged(values: NDArray[Any], factor: int, shape: tuple[int, int]) -> NDArray[Any]:
    """Repeat every pixel `factor` times and cut to `shape`; undoes the grid of `shrunk`."""
    if factor <= 1:
        return values
    return values.repeat(factor, 0)[: shape[0]].repeat(factor, 1)[:, : shape[1]]


def largest_within(values: NDArray[Any], reach: int = 1) -> NDArray[Any]:
    """Largest value of the square window that reaches `reach` px to each side.

    The same as ``scipy.ndimage.maximum_filter(values, 2 * reach + 1)``, some fifteen times as
    fast on the large images and small windows that it is used for.
    """
    for axis in (0, 1):
        for _ in range(reach):
            last, values = np.moveaxis(values, axis, 0), values.copy()
            moved = np.moveaxis(values, axis, 0)
            np.maximum(moved[1:], last[:-1], out=moved[1:])
            np.maximum(moved[:-1], last[1:], out=moved[:-1])
    return values


def quick_sample(values: NDArray[Any]) -> NDArray[Any]:
    """Every n-th value, so that some 100,000 are left."""
    return values[:: max(1, values.size // _SAMPLE)]
