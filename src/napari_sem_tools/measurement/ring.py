"""Sums of grey values in the ring around every particle, from runs.

The ring of a particle is the background up to `RING_PX` away from one of its pixels, from
centre to centre; every pixel counts once, holes have a ring as well, and pixels of other
particles are left out.  In a row it is what the particle's runs of the rows around cover
when each is made longer at both ends, less the runs that lie there.
"""

from __future__ import annotations

import math
import typing

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.grey import positions
from napari_sem_tools.measurement.runs import Floats, Ints, Runs

__all__ = ["RING_PX", "RING_REACH", "surrounding_sums"]

Array = NDArray[typing.Any]
Spans = tuple[Ints, Ints, Ints, Ints]  # particle, row, first and last column

RING_PX = 3
"""Width in px of the surroundings that the edge contrast compares with."""

RING_REACH = tuple(math.isqrt(RING_PX**2 - step**2) for step in range(RING_PX + 1))
"""By how many columns a run reaches into rows 0, 1, 2 ... away from it."""

_FAR = 2**40  # beyond all columns


def surrounding_sums(runs: Runs, usable: NDArray[np.bool_], image: Array, base: float) -> Floats:
    """Sum the grey values of the ring around every particle.

    Parameters
    ----------
    runs : Runs
    usable : bool array (Y, X)
        Where there is specimen; other pixels belong to no ring.
    image : array (Y, X)
    base : float
        Taken off every value before summing.

    Returns
    -------
    float64 array (3, n)
        Number of values, their sum and the sum of their squares.
    """
    plain = _plain(runs)
    spans = [np.concatenate(both) for both in zip(_slid(runs, plain), _joined(runs, ~plain),
                                                  strict=True)]  # fmt: skip
    particle, start, length = _free(runs, spans[0], spans[1], spans[2], spans[3])
    offsets = np.cumsum(length) - length
    places = positions(start, length)
    values = image.ravel()[places].astype(np.float64) - base
    inside = None if usable.all() else usable.ravel()[places]
    if inside is not None:
        values[~inside] = 0.0  # odd values outside the field are no one's
    out = np.zeros((3, runs.count))
    if len(places):
        number = length if inside is None else np.add.reduceat(inside, offsets, dtype=np.int64)
        out[0] = np.bincount(particle, number, runs.count)
        out[1] = np.bincount(particle, np.add.reduceat(values, offsets), runs.count)
        out[2] = np.bincount(particle, np.add.reduceat(values * values, offsets), runs.count)
    return out


def _plain(runs: Runs) -> NDArray[np.bool_]:
    """Tell which particles have one run in each row, and rows that hang together."""
    if not runs.count:
        return np.zeros(0, bool)
    loose = np.zeros(len(runs.row), np.int64)
    loose[1:] = (runs.first[1:] > runs.last[:-1] + 1) | (runs.last[1:] < runs.first[:-1] - 1)
    loose[1:] |= runs.row[1:] != runs.row[:-1] + 1
    loose[runs.offsets] = 0  # a first run hangs on nothing
    return np.asarray(runs.total(loose) == 0)


def _slid(runs: Runs, plain: NDArray[np.bool_]) -> Spans:
    """Return what plain particles cover with their rings: one span in each row.

    All rows lie in one line, with so much room between two particles that a window that
    slides along sees one of them at a time.
    """
    mine = plain[runs.particle]
    room = 2 * RING_PX
    count = np.bincount(runs.particle[mine], minlength=runs.count)[plain]
    height = count + room
    total = int(height.sum())
    slots = np.arange(len(runs.row[mine])) + room * np.repeat(np.arange(1, len(count) + 1), count)
    low = np.full(total + room, _FAR)
    high = np.full(total + room, -_FAR)
    low[slots], high[slots] = runs.first[mine], runs.last[mine]
    first, last = low[:total] + _FAR, high[:total] - _FAR  # no bounds yet
    for step in range(-RING_PX, RING_PX + 1):
        reach = RING_REACH[abs(step)]
        window = slice(RING_PX + step, RING_PX + step + total)
        np.minimum(first, low[window] - reach, out=first)
        np.maximum(last, high[window] + reach, out=last)
    particle = np.repeat(np.flatnonzero(plain), height)
    begins = np.cumsum(height) - height
    top = runs.row[runs.offsets[plain]] - RING_PX if len(begins) else begins
    row = np.arange(total) + np.repeat(top - begins, height)
    return particle, row, first, last


def _joined(runs: Runs, chosen: NDArray[np.bool_]) -> Spans:
    """Return what particles of any form cover with their rings: spans that do not overlap."""
    mine = chosen[runs.particle]
    steps = np.arange(-RING_PX, RING_PX + 1)[:, None]
    reach = np.asarray(RING_REACH)[np.abs(steps)]
    rows, columns = runs.shape[0] + 2 * RING_PX, runs.shape[1] + 4 * RING_PX
    line = (runs.particle[mine] * rows + runs.row[mine] + steps + RING_PX) * columns + RING_PX
    begin, end = (line + runs.first[mine] - reach).ravel(), (line + runs.last[mine] + reach).ravel()
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    new = np.ones(len(begin), bool)
    new[1:] = begin[1:] > end[:-1]
    stop = np.append(new[1:], True)[: len(new)]
    begin, end = begin[new], end[stop]
    line = begin // columns
    left = line * columns + RING_PX
    return line // rows, line % rows - RING_PX, begin - left, end - left


def _free(
    runs: Runs, particle: Ints, row: Ints, first: Ints, last: Ints
) -> tuple[Ints, Ints, Ints]:
    """Cut spans down to the image and to background; (particle, first pixel, length)."""
    rows, columns = runs.shape
    there = (row >= 0) & (row < rows) & (first < columns) & (last >= 0)
    line = row[there] * columns
    low = line + np.maximum(first[there], 0)
    high = line + np.minimum(last[there], columns - 1)
    raster = runs.raster_rows * columns
    begin, end = raster + runs.raster.first, raster + runs.raster.last
    before = np.searchsorted(end, low)
    gaps = np.searchsorted(begin, high, side="right") - before + 1
    span = np.repeat(np.arange(len(low)), gaps)
    rank = np.arange(len(span)) - np.repeat(np.cumsum(gaps) - gaps, gaps)
    run = before[span] + rank  # the run that ends the gap; the one before it begins it
    start, stop = low[span], high[span]
    later, earlier = rank > 0, rank < gaps[span] - 1
    start[later] = end[run[later] - 1] + 1
    stop[earlier] = begin[run[earlier]] - 1
    length = stop - start + 1
    some = length > 0
    return particle[there][span][some], start[some], length[some]
