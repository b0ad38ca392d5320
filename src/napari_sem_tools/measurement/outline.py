"""What lies along the outlines: perimeter and contacts between particles.

Neighbours with another label count as outside, and so does what is beyond the image, so
that every particle is measured as if it were alone.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import Floats, Ints, Runs

__all__ = ["Outlines", "find_outlines", "knight_entries", "outlines_of", "overlaps"]


@dataclasses.dataclass(frozen=True, eq=False)
class Outlines:
    """Where lines through the image enter particles, for four directions.

    Attributes
    ----------
    entries : int64 array (4, n)
        Entries from outside along rows, columns, diagonals and anti-diagonals.
    pairs : int64 array (m, 2)
        Particle numbers that touch, also by a corner; each pair once, smaller one first.
    """

    entries: Ints
    pairs: Ints

    def crofton(self, ratio: float = 1.0, *, directions: int = 4) -> Floats:
        """Return the perimeter by the Crofton formula with two or four directions.

        Parameters
        ----------
        ratio : float
            Height of a pixel over its width.
        directions : {2, 4}

        Returns
        -------
        float64 array (n,)
            In widths of a pixel.

        References
        ----------
        D. Legland, I. Arganda-Carreras, P. Andrey, Bioinformatics 32 (2016) 3532: the
        weights for non-square pixels.  For square ones the result is that of
        `skimage.measure.perimeter_crofton`.
        """
        if directions == 2:
            weights: tuple[float, ...] = (ratio / 2, 0.5, 0.0, 0.0)
            return self._sum(weights)
        angle = math.atan(ratio)
        diagonal = ratio / math.hypot(1.0, ratio) / 4
        weights = (ratio * angle / math.pi, 0.5 - angle / math.pi, diagonal, diagonal)
        return self._sum(weights)

    def _sum(self, weights: tuple[float, ...]) -> Floats:
        """Add the entries along four directions, each with its weight."""
        total: Floats = math.pi * np.asarray(weights) @ self.entries
        return total

    def crofton_8(self, knight: Ints) -> Floats:
        """Return the perimeter with eight directions, for square pixels.

        Parameters
        ----------
        knight : int64 array (n,)
            Entries along the four directions of a knight's move together.

        Returns
        -------
        float64 array (n,)
        """
        c_straight, c_diagonal, c_knight = 0.14758, 0.10242, 0.125  # parts of half a turn
        straight = self.entries[0] + self.entries[1]
        diagonal = (self.entries[2] + self.entries[3]) / math.sqrt(2)
        parts = c_straight * straight + c_diagonal * diagonal
        total: Floats = math.pi * (parts + c_knight * knight / math.sqrt(5))
        return total


def knight_entries(runs: Runs) -> Ints:
    """Count the entries along the four directions of a knight's move, together.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    int64 array (n,)
    """
    reach = 2
    particle, begin, end, width = _stretched(runs, reach)
    covered = np.zeros(runs.count)
    for rows, shift in ((1, 2), (1, -2), (2, 1), (2, -1)):
        here, there = _pairs(begin, end, rows * width, reach)
        same = particle[here] == particle[there]
        here, there = here[same], there[same]
        shared = _shared(begin, end, here, there, rows * width + shift)
        covered += np.bincount(particle[here], shared, runs.count)
    return 4 * runs.total(runs.length) - covered.astype(np.int64)


def outlines_of(entries: Ints, keys: Ints) -> Outlines:
    """Gather the entries and name every touching pair once.

    Parameters
    ----------
    entries : int64 array (4, n)
    keys : int64 array
        Touching pairs as ``smaller * n + larger``, in any order, some of them repeatedly.

    Returns
    -------
    Outlines
    """
    count = entries.shape[1]
    once = np.unique(keys)
    return Outlines(entries, np.stack([once // max(count, 1), once % max(count, 1)], axis=1))


def find_outlines(runs: Runs) -> tuple[Ints, Ints]:
    """Count the entries into every particle and find which ones touch.

    Entries along columns and diagonals are the pixels of a run without those that the
    runs of the same particle in the row above cover, shifted by one for diagonals.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    entries : int64 array (4, n)
    keys : int64 array
        Touching pairs as ``smaller * n + larger``, some of them repeatedly.
    """
    particle, begin, end, width = _stretched(runs, 1)
    here, there = _pairs(begin, end, width, 1)
    same = particle[here] == particle[there]
    other = here[~same], there[~same]
    here, there = here[same], there[same]
    entries = np.empty((4, runs.count), np.int64)
    entries[0] = np.bincount(particle, minlength=runs.count)
    pixels = runs.total(runs.length)
    for direction, shift in ((1, 0), (2, 1), (3, -1)):
        shared = _shared(begin, end, here, there, width + shift)
        covered = np.bincount(particle[here], shared, runs.count)
        entries[direction] = pixels - covered.astype(np.int64)
    beside = np.flatnonzero(begin[1:] == end[:-1] + 1)
    one = np.concatenate([particle[other[0]], particle[beside]])
    two = np.concatenate([particle[other[1]], particle[beside + 1]])
    return entries, np.minimum(one, two) * runs.count + np.maximum(one, two)


def overlaps(runs: Runs, back: int, *, skip: NDArray[np.bool_] | None = None) -> Ints:
    """Count the pixels of each particle that have a pixel of the same one `back` rows above.

    Parameters
    ----------
    runs : Runs
    back : int
    skip : bool array (runs,)
        Runs, row by row, that have nothing above them.

    Returns
    -------
    int64 array (n,)
    """
    particle, begin, end, width = _stretched(runs, 0)
    here, there = _pairs(begin, end, back * width, 0)
    same = particle[here] == particle[there]
    if skip is not None:
        same &= ~skip[here]
    here, there = here[same], there[same]
    shared = _shared(begin, end, here, there, back * width)
    return np.bincount(particle[here], shared, runs.count).astype(np.int64)


def _stretched(runs: Runs, reach: int) -> tuple[Ints, Ints, Ints, int]:
    """Put all rows into one line, with so much room between them that no run reaches round."""
    particle, starts = runs.raster.particle, runs.raster.starts
    width = runs.shape[1] + 2 * reach
    line = np.repeat(np.arange(len(starts) - 1) * width, np.diff(starts))
    return particle, line + runs.raster.first, line + runs.raster.last, width


def _pairs(begin: Ints, end: Ints, back: int, reach: int) -> tuple[Ints, Ints]:
    """List the pairs of runs of which one, moved down by `back`, comes near the other."""
    low = np.searchsorted(end, begin - back - reach)
    number = np.searchsorted(begin, end - back + reach, side="right") - low
    return np.repeat(np.arange(len(begin)), number), _counted(low, number)


def _shared(begin: Ints, end: Ints, here: Ints, there: Ints, move: int) -> Ints:
    """Return how many pixels pairs of runs share after the second was moved."""
    shared = np.minimum(end[here], end[there] + move)
    shared -= np.maximum(begin[here], begin[there] + move)
    return np.asarray(np.maximum(shared + 1, 0))


def _counted(low: Ints, number: Ints) -> Ints:
    """Count up from each `low` so many times, one after the other."""
    ends = np.cumsum(number)
    counted: Ints = np.arange(int(ends[-1]) if len(ends) else 0)
    counted += np.repeat(low - ends + number, number)
    return counted
