"""What lies along the outlines: perimeter and contacts between particles.

Neighbours with another label count as outside, and so does what is beyond the image, so
that every particle is measured as if it were alone.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from napari_sem_tools.measurement.runs import Floats, Ints, Runs

__all__ = ["Outlines", "find_outlines", "outlines_of"]


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

    def crofton(self, ratio: float = 1.0) -> Floats:
        """Return the perimeter by the Crofton formula with four directions.

        Parameters
        ----------
        ratio : float
            Height of a pixel over its width.

        Returns
        -------
        float64 array (n,)
            In widths of a pixel.

        References
        ----------
        D. Legland, I. Arganda-Carreras, P. Andrey, Bioinformatics 32 (2016) 3532: the
        weights for non-square pixels.  For square ones the result is that of
        `skimage.measure.perimeter_crofton` with four directions.
        """
        angle = math.atan(ratio)
        diagonal = ratio / math.hypot(1.0, ratio) / 4
        weights = (
            ratio * angle / math.pi,
            0.5 - angle / math.pi,
            diagonal,
            diagonal,
        )
        return math.pi * np.asarray(weights) @ self.entries


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
    particle, starts = runs.raster.particle, runs.raster.starts
    width = runs.shape[1] + 2  # two columns more, so that no run reaches round a row's end
    line = np.repeat(np.arange(len(starts) - 1) * width, np.diff(starts))
    begin, end = line + runs.raster.first, line + runs.raster.last
    low = np.searchsorted(end, begin - width - 1)
    number = np.searchsorted(begin, end - width + 1, side="right") - low
    here = np.repeat(np.arange(len(begin)), number)
    there = _counted(low, number)
    same = particle[here] == particle[there]
    other = here[~same], there[~same]
    here, there = here[same], there[same]
    entries = np.empty((4, runs.count), np.int64)
    entries[0] = np.bincount(particle, minlength=runs.count)
    pixels = runs.total(runs.length)
    for direction, shift in ((1, 0), (2, 1), (3, -1)):
        shared = np.minimum(end[here], end[there] + width + shift)
        shared -= np.maximum(begin[here], begin[there] + width + shift)
        covered = np.bincount(particle[here], np.maximum(shared + 1, 0), runs.count)
        entries[direction] = pixels - covered.astype(np.int64)
    beside = np.flatnonzero(begin[1:] == end[:-1] + 1)
    one = np.concatenate([particle[other[0]], particle[beside]])
    two = np.concatenate([particle[other[1]], particle[beside + 1]])
    return entries, np.minimum(one, two) * runs.count + np.maximum(one, two)


def _counted(low: Ints, number: Ints) -> Ints:
    """Count up from each `low` so many times, one after the other."""
    ends = np.cumsum(number)
    counted: Ints = np.arange(int(ends[-1]) if len(ends) else 0)
    counted += np.repeat(low - ends + number, number)
    return counted
