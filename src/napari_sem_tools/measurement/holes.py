"""Pixels in the holes of particles, from their runs: the gaps that lead nowhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import Ints, Runs

__all__ = ["pixels_in_holes"]


def pixels_in_holes(runs: Runs) -> Ints:
    """Count the pixels that each particle encloses without owning them.

    A way out of a hole goes by sides of pixels and not by corners, as in
    `scipy.ndimage.binary_fill_holes`.  Another particle inside counts as part of the hole.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    int64 array (n,)

    Examples
    --------
    >>> from napari_sem_tools.measurement.runs import find_runs
    >>> pixels_in_holes(find_runs(np.array([[3, 3, 3], [3, 0, 3], [3, 3, 3]]))).tolist()
    [1]
    """
    before = np.flatnonzero((np.diff(runs.particle) == 0) & (np.diff(runs.row) == 0))
    inside = np.zeros(runs.count, np.int64)
    if not len(before):
        return inside  # no particle has a gap: that is most of them
    first, last = runs.last[before] + 1, runs.first[before + 1] - 1
    particle, row = runs.particle[before], runs.row[before]
    closed = _closed(_line(runs, particle, row), first, last, _Extents(runs))
    np.add.at(inside, particle[closed], (last - first + 1)[closed])
    return inside


class _Extents:
    """First and last column of every particle in every row that it occupies.

    Parameters
    ----------
    runs : Runs
    """

    def __init__(self, runs: Runs) -> None:
        line = _line(runs, runs.particle, runs.row)
        begin = np.flatnonzero(np.diff(line, prepend=-1))
        self._line, self._first = line[begin], runs.first[begin]
        self._last = runs.last[np.append(begin[1:], len(line)) - 1]

    def leads_out(self, line: Ints, first: Ints, last: Ints) -> NDArray[np.bool_]:
        """Tell of spans of columns whether any of them lies beside the particle in a line."""
        at = np.searchsorted(self._line, line).clip(max=len(self._line) - 1)
        there = self._line[at] == line
        return np.asarray(~there | (first < self._first[at]) | (last > self._last[at]))


def _line(runs: Runs, particle: Ints, row: Ints) -> Ints:
    """Return a number for each row of each particle, with one unused between two particles."""
    return particle * (runs.shape[0] + 2) + row + 1


def _closed(line: Ints, first: Ints, last: Ints, extents: _Extents) -> NDArray[np.bool_]:
    """Tell which gaps are connected to no way out, along with those above and below."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    out = extents.leads_out(line - 1, first, last) | extents.leads_out(line + 1, first, last)
    width = int(last.max()) + 2
    # gaps of the next line that share a column lie one after the other
    begin = np.searchsorted(line * width + last, (line + 1) * width + first)
    stop = np.searchsorted(line * width + first, (line + 1) * width + last, side="right")
    count = np.maximum(stop - begin, 0)
    upper = np.repeat(np.arange(len(line)), count)
    lower = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count - begin, count)
    links = coo_array((np.ones(len(upper), bool), (upper, lower)), shape=(len(line), len(line)))
    parts, part = connected_components(links, directed=False)
    open_parts = np.zeros(parts, bool)
    open_parts[part[out]] = True
    return ~open_parts[part]
