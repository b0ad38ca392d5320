"""Sums of grey values inside particles and just outside of them."""

from __future__ import annotations

import typing

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import Floats, Ints, Runs

__all__ = ["RING_PX", "grey_sums", "positions", "surrounding_sums"]

Array = NDArray[typing.Any]

RING_PX = 3  # how far outside the outline the edge contrast looks
"""Width in px of the surroundings that the edge contrast compares with."""


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


def surrounding_sums(
    runs: Runs, labels: Array, usable: NDArray[np.bool_], image: Array, base: float
) -> Floats:
    """Sum the grey values of the background next to every particle.

    From every outline pixel the way goes straight outwards, along its row or column, for
    `RING_PX` pixels or until another particle, the border or the edge of the field.  A pixel
    that lines reach from several sides counts as often.

    Parameters
    ----------
    runs : Runs
    labels : int array (Y, X)
    usable : bool array (Y, X)
        Where there is specimen; other pixels count as unknown.
    image : array (Y, X)
    base : float
        Taken off every value before summing.

    Returns
    -------
    float64 array (3, n)
        Number of values, their sum and the sum of their squares.
    """
    out = np.zeros((3, runs.count))
    flat = image.ravel()
    for particle, place in _surroundings(runs, labels, usable):
        values = flat[place].astype(np.float64) - base
        out[0] += np.bincount(particle, minlength=runs.count)
        out[1] += np.bincount(particle, values, runs.count)
        out[2] += np.bincount(particle, values * values, runs.count)
    return out


def _surroundings(
    runs: Runs, labels: Array, usable: NDArray[np.bool_]
) -> typing.Iterator[tuple[Ints, Ints]]:
    """Give particle numbers and flattened indices of the background next to particles."""
    rows, columns = runs.shape
    flat, free = labels.ravel(), usable.ravel()
    start, stop = runs.start, runs.start + runs.length - 1
    changes = np.flatnonzero(flat[columns:] != flat[:-columns])
    tops = changes[(flat[changes] == 0) & (flat[changes + columns] != 0)] + columns
    bottoms = changes[(flat[changes] != 0) & (flat[changes + columns] == 0)]
    top, bottom = runs.particles_of(flat[tops]), runs.particles_of(flat[bottoms])
    ways = (
        (runs.particle, start, -1, start - runs.first),
        (runs.particle, stop, 1, stop - runs.last + columns - 1),
        (top, tops, -columns, tops % columns),
        (bottom, bottoms, columns, bottoms % columns + (rows - 1) * columns),
    )
    for particle, place, step, limit in ways:
        for _ in range(RING_PX):
            inside = place != limit
            particle, place, limit = particle[inside], place[inside] + step, limit[inside]
            open_ = (flat[place] == 0) & free[place]
            particle, place, limit = particle[open_], place[open_], limit[open_]
            yield particle, place


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
