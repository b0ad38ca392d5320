"""The passes over pixels and runs as compiled loops; twin of the numpy engine.

Every function returns whole numbers (or sums of grey values) that the numpy engine returns
as well; the formulas that turn them into columns are shared, so that both engines give the
same table.  Importing this module needs numba.
"""

from __future__ import annotations

import typing
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import SPARSE, RasterRuns, Runs, RunSums, compact

__all__ = ["find_outlines", "find_runs", "grey_sums", "nearest", "run_sums"]

Array = NDArray[typing.Any]
F = typing.TypeVar("F", bound=Callable[..., typing.Any])

_WORD = 8  # bytes looked at together


def compiled(function: F) -> F:
    """Compile a function when it is first called, and keep the result on disk."""
    return typing.cast(F, numba.njit(cache=True, nogil=True)(function))


def find_runs(labels: NDArray[np.int32]) -> Runs:
    """Find the runs of equal labels; see `napari_sem_tools.measurement.runs.find_runs`.

    Parameters
    ----------
    labels : int32 array (Y, X)

    Returns
    -------
    Runs
    """
    rows, columns = labels.shape
    starts = np.zeros(rows + 1, np.int64)
    found = np.empty((3, max(columns, labels.size // 64)), np.int32)
    row = _scan(labels, found, starts, 0) if columns else rows
    while row < rows:  # more runs than there was room for
        larger = np.empty((3, 2 * found.shape[1] + columns), np.int32)
        larger[:, : starts[row]] = found[:, : starts[row]]
        found = larger
        row = _scan(labels, found, starts, row)
    value, first, last = found[:, : starts[rows]]
    names, particle = _compact(value)
    raster = RasterRuns(particle, first, last, starts)
    sorted_runs = _sorted_by_particle(particle, first, last, starts, len(names))
    return Runs(names, *sorted_runs, raster, (rows, columns))


def _compact(value: Array) -> tuple[Array, Array]:
    """Give the labels that occur numbers from 0 without gaps; see `runs.compact`."""
    low, high = _range(value)
    if low < 0 or high > SPARSE * len(value):
        names, particle = compact(value.astype(np.int64))
        return names, particle.astype(np.int32)
    number = np.zeros(high + 1, np.int64)
    count = _number(value, number)
    particle = np.empty(len(value), np.int32)
    names = np.empty(count, np.int64)
    _rename(value, number, particle, names)
    return names, particle


@compiled
def _range(value: Array) -> tuple[int, int]:
    """Return the smallest and the largest label; 0 for none."""
    low, high = 0, 0
    for i in range(len(value)):
        low, high = min(low, value[i]), max(high, value[i])
    return low, high


@compiled
def _number(value: Array, number: Array) -> int:
    """Give the labels that occur numbers from 1 on; return how many they are."""
    for i in range(len(value)):
        number[value[i]] = 1
    count = 0
    for k in range(len(number)):
        count += number[k]
        number[k] *= count
    return count


@compiled
def _rename(value: Array, number: Array, particle: Array, names: Array) -> None:
    """Put numbers from 0 on in the place of labels, and keep which label each one was."""
    for i in range(len(value)):
        particle[i] = number[value[i]] - 1
        names[particle[i]] = value[i]


@compiled
def _scan(labels: Array, found: Array, starts: Array, first_row: int) -> int:
    """Write (label, first, last) of the runs of rows; stop before a row that may not fit."""
    rows, columns = labels.shape
    differs = np.zeros(columns + _WORD, np.uint8)
    words = differs[: columns // _WORD * _WORD + _WORD].view(np.int64)
    places = np.empty(columns + _WORD, np.int64)
    n = starts[first_row]
    for r in range(first_row, rows):
        if n + columns > found.shape[1]:
            return int(r)
        changes = _changes(labels[r], differs, words, places)
        n = _runs_between(labels[r], places[:changes], found, n)
        starts[r + 1] = n
    return int(rows)


@compiled
def _changes(row: Array, differs: Array, words: Array, places: Array) -> int:
    """Write the columns where a row changes its value; its first pixel comes after a 0.

    Bytes that say where are made without branches, and looked at eight at a time.
    """
    differs[0] = row[0] != 0
    for c in range(1, len(row)):
        differs[c] = row[c] != row[c - 1]
    n = 0
    for word in range(len(words)):
        if words[word] != 0:
            for c in range(_WORD * word, _WORD * word + _WORD):
                places[n] = c
                n += differs[c]
    return n


@compiled
def _runs_between(row: Array, places: Array, found: Array, n: int) -> int:
    """Write the runs of a row, which begin and end where its value changes."""
    for k in range(len(places)):
        value = row[places[k]]
        if value != 0:
            found[0, n] = value
            found[1, n] = places[k]
            found[2, n] = (places[k + 1] if k + 1 < len(places) else len(row)) - 1
            n += 1
    return n


@compiled
def _sorted_by_particle(
    particle: Array, first: Array, last: Array, starts: Array, count: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Sort runs by particle, keeping their order otherwise."""
    n = len(particle)
    offsets = np.zeros(count + 1, np.int64)
    for i in range(n):
        offsets[particle[i] + 1] += 1
    for p in range(count):
        offsets[p + 1] += offsets[p]
    place = offsets[:-1].copy()
    out = np.empty((4, n), np.int64)
    for r in range(len(starts) - 1):
        for i in range(starts[r], starts[r + 1]):
            p = particle[i]
            k = place[p]
            place[p] += 1
            out[0, k] = p
            out[1, k] = r
            out[2, k] = first[i]
            out[3, k] = last[i]
    return offsets[:-1], out[0], out[1], out[2], out[3]


def run_sums(runs: Runs) -> RunSums:
    """Sum pixels and coordinates; see `napari_sem_tools.measurement.runs.run_sums`.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    RunSums
    """
    return RunSums(*_sums(runs.offsets, runs.row, runs.first, runs.last))


@compiled
def _sums(offsets: Array, row: Array, first: Array, last: Array) -> Array:
    """Return pixels, box, and sums of y, x, yy, xx, xy from the corner of the box."""
    count = len(offsets)
    out = np.zeros((10, count), np.int64)
    for p in range(count):
        begin = offsets[p]
        end = offsets[p + 1] if p + 1 < count else len(row)
        top, left, right = row[begin], first[begin], last[begin]
        for i in range(begin, end):
            left, right = min(left, first[i]), max(right, last[i])
        s0, sy, sx, syy, sxx, sxy = 0, 0, 0, 0, 0, 0
        for i in range(begin, end):
            y, a, n = row[i] - top, first[i] - left, last[i] - first[i] + 1
            x = n * a + n * (n - 1) // 2
            s0 += n
            sy += n * y
            sx += x
            syy += n * y * y
            sxx += n * a * a + a * n * (n - 1) + (n - 1) * n * (2 * n - 1) // 6
            sxy += x * y
        out[0, p], out[1, p], out[2, p] = s0, top, left
        out[3, p], out[4, p] = row[end - 1] + 1, right + 1
        out[5, p], out[6, p], out[7, p], out[8, p], out[9, p] = sy, sx, syy, sxx, sxy
    return out


def find_outlines(runs: Runs) -> tuple[Array, Array]:
    """Count entries and name touching pairs; see `outline.find_outlines`.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    entries : int64 array (4, n)
    keys : int64 array
        Touching pairs as ``smaller * n + larger``, some of them repeatedly.
    """
    entries, contacts = _outlines(_raster(runs), runs.count)
    keys = np.empty(contacts, np.int64)
    if contacts:
        _name_contacts(_raster(runs), runs.count, keys)
    return entries, keys


def _raster(runs: Runs) -> tuple[Array, Array, Array, Array]:
    """Gather the runs row by row."""
    raster = runs.raster
    return raster.particle, raster.first, raster.last, raster.starts


@compiled
def _outlines(runs: tuple[Array, Array, Array, Array], count: int) -> tuple[Array, int]:
    """Compare every run with those of the row above that reach it, also by a corner."""
    particle, first, last, starts = runs
    entries = np.zeros((count, 4), np.int64)
    contacts = 0
    for r in range(len(starts) - 1):
        above, stop = starts[max(r - 1, 0)], starts[r]
        for i in range(starts[r], starts[r + 1]):
            p, f, e = particle[i], first[i], last[i]
            straight = diagonal = other = e - f + 1
            contacts += i > starts[r] and last[i - 1] == f - 1
            while above < stop and last[above] < f - 1:
                above += 1
            j = above
            while j < stop and first[j] <= e + 1:
                a, b = first[j], last[j]
                if particle[j] == p:
                    straight -= max(min(e, b) - max(f, a) + 1, 0)
                    diagonal -= max(min(e, b + 1) - max(f, a + 1) + 1, 0)
                    other -= max(min(e, b - 1) - max(f, a - 1) + 1, 0)
                else:
                    contacts += 1
                j += 1
            entries[p, 0] += 1
            entries[p, 1] += straight
            entries[p, 2] += diagonal
            entries[p, 3] += other
    return entries.T.copy(), contacts


@compiled
def _name_contacts(runs: tuple[Array, Array, Array, Array], count: int, keys: Array) -> None:
    """Write which two particles each contact joins, in the order in which they were counted."""
    particle, first, last, starts = runs
    n = 0
    for r in range(len(starts) - 1):
        above, stop = starts[max(r - 1, 0)], starts[r]
        for i in range(starts[r], starts[r + 1]):
            p = particle[i]
            if i > starts[r] and last[i - 1] == first[i] - 1:
                keys[n] = min(p, particle[i - 1]) * count + max(p, particle[i - 1])
                n += 1
            while above < stop and last[above] < first[i] - 1:
                above += 1
            j = above
            while j < stop and first[j] <= last[i] + 1:
                if particle[j] != p:
                    keys[n] = min(p, particle[j]) * count + max(p, particle[j])
                    n += 1
                j += 1


def grey_sums(runs: Runs, image: Array, base: float) -> Array:
    """Sum grey values inside particles; see `grey.grey_sums`.

    Parameters
    ----------
    runs : Runs
    image : array (Y, X)
    base : float
        Taken off every value before summing.

    Returns
    -------
    float64 array (4, n)
        Sum, sum of squares, smallest and largest value.
    """
    arrays = runs.offsets, runs.row, runs.first, runs.last
    if np.issubdtype(image.dtype, np.integer):
        return np.asarray(_whole_grey(arrays, image, int(base)))
    return np.asarray(_real_grey(arrays, image, base))


@compiled
def _whole_grey(runs: tuple[Array, Array, Array, Array], image: Array, base: int) -> Array:
    """Sum whole grey values, exactly."""
    offsets, row, first, last = runs
    count = len(offsets)
    out = np.empty((4, count))
    for p in range(count):
        begin = offsets[p]
        end = offsets[p + 1] if p + 1 < count else len(row)
        total, square = np.int64(0), np.int64(0)
        low = high = np.int64(image[row[begin], first[begin]])
        for i in range(begin, end):
            line = image[row[i], first[i] : last[i] + 1]
            for c in range(len(line)):
                value = np.int64(line[c])
                low, high = min(low, value), max(high, value)
                total += value - base
                square += (value - base) * (value - base)
        out[0, p], out[1, p], out[2, p], out[3, p] = total, square, low, high
    return out


@compiled
def _real_grey(runs: tuple[Array, Array, Array, Array], image: Array, base: float) -> Array:
    """Sum grey values of any kind; a NaN makes all four NaN."""
    offsets, row, first, last = runs
    count = len(offsets)
    out = np.empty((4, count))
    for p in range(count):
        begin = offsets[p]
        end = offsets[p + 1] if p + 1 < count else len(row)
        total, square = 0.0, 0.0
        low = high = np.float64(image[row[begin], first[begin]])
        odd = False
        for i in range(begin, end):
            line = image[row[i], first[i] : last[i] + 1]
            for c in range(len(line)):
                value = np.float64(line[c])
                odd |= value != value
                low, high = min(low, value), max(high, value)
                total += value - base
                square += (value - base) * (value - base)
        out[0, p], out[1, p] = total, square
        out[2, p], out[3, p] = (np.nan, np.nan) if odd else (low, high)
    return out


def nearest(y: Array, x: Array) -> Array:
    """Return the distance of every point to the nearest other one.

    Parameters
    ----------
    y, x : float64 arrays (n,)
        At least two points.

    Returns
    -------
    float64 array (n,)
    """
    return np.asarray(_nearest(y, x))


@compiled
def _cells(y: Array, x: Array) -> tuple[Array, Array, Array, int, float]:
    """Sort points into square cells with about two points each."""
    n = len(y)
    height, width = y.max() - y.min(), x.max() - x.min()
    side = max(np.sqrt(2 * height * width / n), max(height, width) / n, 1e-9)
    columns = int(width / side) + 1
    rows = int(height / side) + 1
    cell = np.empty(n, np.int64)
    starts = np.zeros(rows * columns + 1, np.int64)
    top, left = y.min(), x.min()
    for i in range(n):
        cell[i] = int((y[i] - top) / side) * columns + int((x[i] - left) / side)
        starts[cell[i] + 1] += 1
    for k in range(rows * columns):
        starts[k + 1] += starts[k]
    place = starts[:-1].copy()
    members = np.empty(n, np.int64)
    for i in range(n):
        members[place[cell[i]]] = i
        place[cell[i]] += 1
    return cell, starts, members, columns, side


@compiled
def _nearest(y: Array, x: Array) -> Array:
    """Look into rings of cells around each point until no nearer one can follow."""
    cell, starts, members, columns, side = _cells(y, x)
    rows = (len(starts) - 1) // columns
    out = np.empty(len(y))
    for i in range(len(y)):
        row, column = cell[i] // columns, cell[i] % columns
        best = np.inf
        for ring in range(max(rows, columns) + 1):
            if best <= ((ring - 1) * side) ** 2 and ring > 0:
                break
            for r in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
                step = 1 if abs(r - row) == ring else max(2 * ring, 1)
                for c in range(column - ring, column + ring + 1, step):
                    if 0 <= c < columns:
                        k = r * columns + c
                        best = _closest(i, members[starts[k] : starts[k + 1]], y, x, best)
        out[i] = np.sqrt(best)
    return out


@compiled
def _closest(i: int, members: Array, y: Array, x: Array, best: float) -> float:
    """Return the smallest squared distance of a point to those of a cell."""
    for j in members:
        if j != i:
            dy, dx = y[i] - y[j], x[i] - x[j]
            best = min(best, dy * dy + dx * dx)
    return best
