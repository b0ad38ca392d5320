"""Horizontal runs of equal labels: the one pass over the pixels that most columns need.

A run is (particle, row, first column, last column).  There are about a hundred times
fewer runs than pixels, so that area, moments, boxes and hulls cost next to nothing
once the runs are known.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

__all__ = ["SPARSE", "RasterRuns", "RunSums", "Runs", "compact", "find_runs", "run_sums"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Number = TypeVar("Number", np.int64, np.float64)

SPARSE = 4  # labels numbered above this times the number of runs are looked up by bisection


@dataclasses.dataclass(frozen=True, eq=False)
class RasterRuns:
    """All runs row by row, from left to right.

    Attributes
    ----------
    particle, first, last : int32 or int64 arrays (runs,)
        Particle, and first and last column, both inside.
    starts : int64 array (rows + 1,)
        First run of each row.
    """

    particle: Ints
    first: Ints
    last: Ints
    starts: Ints


@dataclasses.dataclass(frozen=True, eq=False)
class Runs:
    """All runs of a label image, sorted by particle, row and column.

    Attributes
    ----------
    labels : int64 array (n,)
        The labels that occur, ascending; particle ``i`` has the label ``labels[i]``.
    offsets : int64 array (n,)
        First run of each particle.
    particle, row, first, last : int64 arrays (runs,)
        Particle, row, and first and last column of each run, both inside.
    raster : RasterRuns
        The same runs row by row.
    shape : (int, int)
        Rows and columns of the label image.
    """

    labels: Ints
    offsets: Ints
    particle: Ints
    row: Ints
    first: Ints
    last: Ints
    raster: RasterRuns
    shape: tuple[int, int]

    @property
    def count(self) -> int:
        """Number of particles."""
        return len(self.labels)

    @property
    def raster_rows(self) -> Ints:
        """Row of each run, taken row by row."""
        starts = self.raster.starts
        return np.repeat(np.arange(len(starts) - 1), np.diff(starts))

    @property
    def length(self) -> Ints:
        """Pixels of each run."""
        return self.last - self.first + 1

    @property
    def start(self) -> Ints:
        """Index of the first pixel of each run in the flattened image."""
        return self.row * self.shape[1] + self.first

    def total(self, values: NDArray[Number]) -> NDArray[Number]:
        """Sum a value of each run over the runs of every particle."""
        return np.add.reduceat(values, self.offsets) if self.count else values[:0]

    def smallest(self, values: NDArray[Number]) -> NDArray[Number]:
        """Take the smallest value over the runs of every particle."""
        return np.minimum.reduceat(values, self.offsets) if self.count else values[:0]

    def largest(self, values: NDArray[Number]) -> NDArray[Number]:
        """Take the largest value over the runs of every particle."""
        return np.maximum.reduceat(values, self.offsets) if self.count else values[:0]

    def particles_of(self, labels: NDArray[np.integer]) -> Ints:
        """Return the particle number of each label; all of them must occur."""
        if self.count and int(self.labels[-1]) <= SPARSE * (len(self.row) + 1):
            table = np.zeros(int(self.labels[-1]) + 1, np.int64)
            table[self.labels] = np.arange(self.count)
            found: Ints = table[labels]
            return found
        return np.searchsorted(self.labels, labels).astype(np.int64)


def find_runs(labels: NDArray[np.integer]) -> Runs:
    """Find the runs of equal labels in the rows of a label image.

    Parameters
    ----------
    labels : integer array (Y, X)
        0 is background; any other number may occur, with gaps.

    Returns
    -------
    Runs

    Raises
    ------
    InvalidSettings
        A label is negative or too large for 63 bits.
    """
    rows, columns = labels.shape
    flat = np.ascontiguousarray(labels).ravel()
    changes = np.empty(flat.size, bool)
    if flat.size:
        np.not_equal(flat[1:], flat[:-1], out=changes[1:])
        changes[::columns] = True
    begin = np.flatnonzero(changes)
    value = flat[begin]
    end = np.append(begin[1:], flat.size) - 1
    inside = value != 0
    begin, end, value = begin[inside], end[inside], value[inside].astype(np.int64)
    names, particle = compact(value)
    row = begin // max(columns, 1)
    first, last = begin - row * columns, end - row * columns
    starts = np.searchsorted(row, np.arange(rows + 1))
    raster = RasterRuns(particle, first, last, starts)
    order = np.argsort(_small(particle, len(names)), kind="stable")
    particle = particle[order]
    offsets = np.flatnonzero(np.diff(particle, prepend=-1))
    return Runs(
        names, offsets, particle, row[order], first[order], last[order], raster, (rows, columns)
    )


@dataclasses.dataclass(frozen=True, eq=False)
class RunSums:
    """Whole numbers that area, box and moments follow from; int64 arrays (n,).

    Attributes
    ----------
    pixels : int64 array (n,)
        Number of pixels.
    top, left, bottom, right : int64 arrays (n,)
        Box, half open.
    y, x, yy, xx, xy : int64 arrays (n,)
        Sums of coordinates and their products, counted from the corner of the box, since
        raw ones lose digits in large images.
    """

    pixels: Ints
    top: Ints
    left: Ints
    bottom: Ints
    right: Ints
    y: Ints
    x: Ints
    yy: Ints
    xx: Ints
    xy: Ints


def run_sums(runs: Runs) -> RunSums:
    """Sum pixels and coordinates of every particle, in closed form for each run.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    RunSums
    """
    top, left = runs.smallest(runs.row), runs.smallest(runs.first)
    n = runs.length
    y, a = runs.row - top[runs.particle], runs.first - left[runs.particle]
    pairs = n * (n - 1)
    x = n * a + pairs // 2
    return RunSums(
        runs.total(n),
        top,
        left,
        runs.largest(runs.row) + 1,
        runs.largest(runs.last) + 1,
        runs.total(n * y),
        runs.total(x),
        runs.total(n * y * y),
        runs.total(n * a * a + a * pairs + pairs * (2 * n - 1) // 6),
        runs.total(x * y),
    )


def compact(values: Ints) -> tuple[Ints, Ints]:
    """Give the labels that occur numbers from 0 without gaps.

    Parameters
    ----------
    values : int64 array (runs,)

    Returns
    -------
    labels : int64 array (n,)
    particle : int64 array (runs,)

    Raises
    ------
    InvalidSettings
        A label is negative.
    """
    if values.size and int(values.min()) < 0:
        raise InvalidSettings(
            f"Labels run from {values.min()} to {values.max()}.",
            hint="Particles are numbered from 1; 0 is background.",
        )
    if values.size and int(values.max()) <= SPARSE * values.size:
        occurs = np.bincount(values) > 0
        return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[values]
    names, particle = np.unique(values, return_inverse=True)
    return names, particle.astype(np.int64, copy=False)


def _small(particle: Ints, count: int) -> NDArray[np.integer]:
    """Use 16 bits where they suffice: numpy then sorts by radix, ten times faster."""
    return particle.astype(np.uint16) if count <= np.iinfo(np.uint16).max else particle
