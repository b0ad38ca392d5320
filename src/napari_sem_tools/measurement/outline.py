"""What lies along the outlines: perimeter, contacts between particles, contrast at the edge.

Neighbours with another label count as outside, and so does what is beyond the image, so
that every particle is measured as if it were alone.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import Floats, Ints, Runs

__all__ = ["Outlines", "find_outlines"]

RING_PX = 3  # how far outside the outline the edge contrast looks
"""Width in px of the surroundings that the edge contrast compares with."""


@dataclasses.dataclass(frozen=True, eq=False)
class Outlines:
    """Where lines through the image enter particles, for four directions.

    Attributes
    ----------
    entries : int64 array (4, n)
        Entries from outside along rows, columns, diagonals and anti-diagonals.
    pairs : int64 array (m, 2)
        Particle numbers that touch, also by a corner; each pair once, smaller one first.
    tops, bottoms : int64 arrays
        Flattened indices of pixels with something else above, or below.
    """

    entries: Ints
    pairs: Ints
    tops: Ints
    bottoms: Ints

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


def find_outlines(labels: NDArray[np.integer], runs: Runs) -> Outlines:
    """Count the entries into every particle and find which ones touch.

    Parameters
    ----------
    labels : integer array (Y, X)
    runs : Runs
        The runs of the same labels.

    Returns
    -------
    Outlines
    """
    flat = np.ascontiguousarray(labels).ravel()
    columns = runs.shape[1]
    entries = np.zeros((4, runs.count), np.int64)
    entries[0] = np.bincount(runs.particle, minlength=runs.count)
    changes = _steps(flat, columns, columns)
    tops = changes[flat[changes] != 0]
    above = changes[changes >= columns] - columns
    bottoms = above[flat[above] != 0]
    contacts = [_contacts(flat, runs.start[runs.first > 0], 1), _contacts(flat, tops, columns)]
    entries[1] = np.bincount(runs.particles_of(flat[tops]), minlength=runs.count)
    for direction, offset, side in ((2, columns + 1, 0), (3, columns - 1, columns - 1)):
        places = _steps(flat, columns, offset, outside=side)
        places = places[flat[places] != 0]
        entries[direction] = np.bincount(runs.particles_of(flat[places]), minlength=runs.count)
        contacts.append(_contacts(flat, places[places % columns != side], offset))
    return Outlines(entries, _distinct(np.concatenate(contacts, axis=1), runs), tops, bottoms)


def _steps(
    flat: NDArray[np.integer], columns: int, offset: int, *, outside: int | None = None
) -> Ints:
    """Return the pixels that differ from the one `offset` places before them.

    The first row, and the column `outside`, have nothing before them and always differ.
    """
    differs = np.empty(flat.size, bool)
    if offset > 0:
        np.not_equal(flat[offset:], flat[:-offset], out=differs[offset:])
    differs[:columns] = True
    differs[: max(offset, 0)] = True
    if outside is not None:
        differs[outside::columns] = True
    return np.flatnonzero(differs)


def _contacts(flat: NDArray[np.integer], places: Ints, offset: int) -> NDArray[np.integer]:
    """Return the two labels on both sides of a step, where both are particles."""
    places = places[places >= offset]
    here, before = flat[places], flat[places - offset]
    both = (before != 0) & (before != here)
    return np.stack([here[both], before[both]])


def _distinct(contacts: NDArray[np.integer], runs: Runs) -> Ints:
    """Name every touching pair once."""
    if not contacts.size:
        return np.zeros((0, 2), np.int64)
    pair = np.sort(runs.particles_of(contacts), axis=0)
    keys = np.unique(pair[0] * runs.count + pair[1])
    return np.stack([keys // runs.count, keys % runs.count], axis=1)


def surroundings(
    runs: Runs, outlines: Outlines, labels: NDArray[np.integer], usable: NDArray[np.bool_]
) -> list[tuple[Ints, Ints]]:
    """List the background pixels next to every particle.

    From every outline pixel the way goes straight outwards, along its row or column, for
    `RING_PX` pixels or until another particle, the border or the edge of the field.

    Parameters
    ----------
    runs, outlines, labels
        The same label image.
    usable : bool array (Y, X)
        Where there is specimen; other pixels count as unknown.

    Returns
    -------
    list of (particle, index)
        Particle numbers and flattened pixel indices; a pixel that lines reach from
        several sides is listed as often.
    """
    rows, columns = runs.shape
    flat, free = labels.ravel(), usable.ravel()
    start, stop = runs.start, runs.start + runs.length - 1
    top, bottom = runs.particles_of(flat[outlines.tops]), runs.particles_of(flat[outlines.bottoms])
    ways = (
        (runs.particle, start, -1, start - runs.first),
        (runs.particle, stop, 1, stop - runs.last + columns - 1),
        (top, outlines.tops, -columns, outlines.tops % columns),
        (bottom, outlines.bottoms, columns, outlines.bottoms % columns + (rows - 1) * columns),
    )
    found = []
    for particle, place, step, limit in ways:
        for _ in range(RING_PX):
            inside = place != limit
            particle, place, limit = particle[inside], place[inside] + step, limit[inside]
            open_ = (flat[place] == 0) & free[place]
            particle, place, limit = particle[open_], place[open_], limit[open_]
            found.append((particle, place))
    return found
