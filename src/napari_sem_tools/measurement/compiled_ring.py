"""The ring around every particle as compiled loops; twin of `ring.py`.

Importing this module needs numba.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.compiled import Array, compiled
from napari_sem_tools.measurement.ring import RING_PX, RING_REACH
from napari_sem_tools.measurement.runs import Runs

__all__ = ["surrounding_sums"]

_BIN = 64  # columns between two entries of the table that finds runs in a row
_FAR = 2**40  # beyond all columns
_REACH = np.asarray(RING_REACH)

Scene = tuple[Array, Array, Array, Array, Array, Array]
"""First and last column of runs row by row, first run of each row; table; field; image."""


def surrounding_sums(runs: Runs, usable: NDArray[np.bool_], image: Array, base: float) -> Array:
    """Sum the grey values of the ring around every particle; see `ring.surrounding_sums`.

    Parameters
    ----------
    runs : Runs
    usable : bool array (Y, X)
    image : array (Y, X)
    base : float
        Taken off every value before summing.

    Returns
    -------
    float64 array (3, n)
        Number of values, their sum and the sum of their squares.
    """
    whole = np.issubdtype(image.dtype, np.integer) and image.dtype.itemsize <= 2
    zero: int | float = int(base) if whole else float(base)  # whole sums are exact, and faster
    free = usable[:0] if usable.all() else usable
    raster = runs.raster.first, runs.raster.last, runs.raster.starts
    sorted_runs = runs.offsets, runs.row, runs.first, runs.last
    return np.asarray(_rings(sorted_runs, raster, (free, image), zero))


@compiled
def _rings(
    runs: tuple[Array, Array, Array, Array],
    raster: tuple[Array, Array, Array],
    planes: tuple[Array, Array],
    base: float,
) -> Array:
    """Go through the rows of every particle, and of three more above and below."""
    offsets, row, first, last = runs
    rows, columns = planes[1].shape
    scene = (*raster, _table(raster, columns), *planes)
    count = len(offsets)
    out = np.zeros((count, 3))
    spans = np.empty((2, max(rows, columns) + 4 * RING_PX), np.int64)
    padded = np.empty(rows + 4 * RING_PX, np.int64)
    for p in range(count):
        begin = offsets[p]
        end = offsets[p + 1] if p + 1 < count else len(row)
        if _is_plain(row[begin:end], first[begin:end], last[begin:end]):
            _slide(first[begin:end], padded, spans[0], 1)
            _slide(last[begin:end], padded, spans[1], -1)
            span = row[begin] - RING_PX, 1, end - begin + 2 * RING_PX
            _sum_free(span, spans, scene, base, out[p])
        else:
            _any_form((row, first, last), (begin, end), scene, base, spans, out[p])
    return out.T.copy()


@compiled
def _table(raster: tuple[Array, Array, Array], columns: int) -> Array:
    """Write for every row, and every so many columns, the first run that ends there or later."""
    last, starts = raster[1], raster[2]
    out = np.empty((len(starts) - 1, columns // _BIN + 1), np.int32)
    for r in range(len(starts) - 1):
        k = starts[r]
        for column in range(out.shape[1]):
            while k < starts[r + 1] and last[k] < column * _BIN:
                k += 1
            out[r, column] = k
    return out


@compiled
def _is_plain(row: Array, first: Array, last: Array) -> bool:
    """Tell whether a particle has one run in each row, and rows that hang together."""
    plain = True
    for i in range(1, len(row)):
        plain &= row[i] == row[i - 1] + 1
        plain &= (first[i] <= last[i - 1] + 1) & (last[i] >= first[i - 1] - 1)
    return plain


@compiled
def _slide(side: Array, padded: Array, out: Array, sign: int) -> None:
    """Write how far the ring of a plain particle goes to one side, row by row."""
    n = len(side)
    for k in range(n + 4 * RING_PX):
        padded[k] = _FAR
    for k in range(n):
        padded[k + 2 * RING_PX] = sign * side[k]
    for k in range(n + 2 * RING_PX):
        out[k] = _FAR
    for step in range(2 * RING_PX + 1):
        reach = _REACH[abs(step - RING_PX)]
        for k in range(n + 2 * RING_PX):
            out[k] = min(out[k], padded[k + step] - reach)
    for k in range(n + 2 * RING_PX):
        out[k] *= sign


@compiled
def _any_form(
    runs: tuple[Array, Array, Array],
    part: tuple[int, int],
    scene: Scene,
    base: float,
    spans: Array,
    out: Array,
) -> None:
    """Merge the runs of seven rows, each longer at both ends, to spans that do not overlap."""
    row, first, last = runs
    begin, end = part
    edges = np.full(2 * RING_PX + 2, begin)  # where the runs of the seven rows begin and end
    for r in range(row[begin] - RING_PX, row[end - 1] + RING_PX + 1):
        edges[:-1] = edges[1:].copy()
        while edges[-1] < end and row[edges[-1]] <= r + RING_PX:
            edges[-1] += 1
        heads = edges[:-1].copy()
        n = 0
        while True:
            start, which = _next_head(heads, edges, first)
            if which < 0:
                break
            stop = last[heads[which]] + _REACH[abs(which - RING_PX)]
            heads[which] += 1
            if n and start <= spans[1, n - 1]:
                spans[1, n - 1] = max(spans[1, n - 1], stop)
            else:
                spans[0, n], spans[1, n] = start, stop
                n += 1
        _sum_free((r, 0, n), spans, scene, base, out)


@compiled
def _next_head(heads: Array, edges: Array, first: Array) -> tuple[int, int]:
    """Return where the leftmost of the next runs of seven rows begins, and which row it is of."""
    start, which = _FAR, -1
    for step in range(len(heads)):
        if heads[step] < edges[step + 1]:
            begins = first[heads[step]] - _REACH[abs(step - RING_PX)]
            if begins < start:
                start, which = begins, step
    return start, which


@compiled
def _sum_free(
    rows: tuple[int, int, int],
    spans: Array,
    scene: Scene,
    base: float,
    out: Array,
) -> None:
    """Add the background within spans: of one row, or of rows that follow each other."""
    first, last, starts, table, usable, image = scene
    everywhere, number, total, square = len(usable) == 0, 0, base * 0, base * 0
    for i in range(rows[2]):
        r = rows[0] + i * rows[1]
        c, end = max(spans[0, i], 0), min(spans[1, i], image.shape[1] - 1)
        if c > end or r < 0 or r >= len(image):
            continue
        line = image[r]
        k, runs_end = table[r, c // _BIN], starts[r + 1]
        while k < runs_end and last[k] < c:
            k += 1
        while c <= end:
            stop, after = end, end + 1
            if k < runs_end:
                stop, after = min(end, first[k] - 1), last[k] + 1
                k += 1
            for column in range(c, stop + 1):
                if everywhere or usable[r, column]:
                    value = line[column] - base
                    total += value
                    square += value * value
                    number += 1
            c = after
    out[0] += number
    out[1] += total
    out[2] += square
