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
    rows, columns = runs.shape
    flat = labels.ravel()
    planes = flat, None if usable.all() else usable.ravel(), image.ravel()
    out = np.empty((3, runs.count))
    left = _outwards(runs.start, -1, runs.first, planes, base)
    left += _outwards(runs.start + runs.length - 1, 1, columns - 1 - runs.last, planes, base)
    for k in range(3):
        out[k] = runs.total(left[k])
    changes = np.flatnonzero(flat[columns:] != flat[:-columns])
    above, below = flat[changes], flat[changes + columns]
    for places, step in (
        (changes[(above == 0) & (below != 0)] + columns, -columns),
        (changes[(above != 0) & (below == 0)], columns),
    ):
        row = places // columns
        sums = _outwards(places, step, row if step < 0 else rows - 1 - row, planes, base)
        particle = runs.particles_of(flat[places])
        for k in range(3):
            out[k] += np.bincount(particle, sums[k], runs.count)
    return out


def _outwards(
    place: Ints, step: int, room: Ints, planes: tuple[Array, Array | None, Array], base: float
) -> Floats:
    """Sum what is met from each pixel on, until a particle or the end of the field; (3, m)."""
    labels, usable, image = planes
    sums = np.zeros((3, len(place)))
    alive = np.ones(len(place), bool)
    for k in range(1, RING_PX + 1):
        alive &= room >= k
        here = place + (k * step) * alive
        alive &= labels[here] == 0
        if usable is not None:
            alive &= usable[here]
        values = np.where(alive, image[here].astype(np.float64) - base, 0.0)
        sums[0] += alive
        sums[1] += values
        sums[2] += values * values
    return sums


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
