"""Which true and found particles share pixels, and which of them are pairs.

The contingency table of two label images has few cells that are not zero; they are kept as
rows (true, found, shared pixels), so that a thousand particles beside a thousand cost no
more than the pixels do.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

__all__ = ["Overlaps", "best_of_each", "matches", "numbered", "overlaps", "tally", "whole_numbers"]

Index = NDArray[np.int64]
Values = NDArray[np.float64]

_DENSE_IDS = 2**24  # larger ids are renumbered by sorting instead of by counting
_DENSE_CELLS = 2**24  # larger tables are counted by sorting (128 MiB of counts at this size)


@dataclasses.dataclass(frozen=True, eq=False)
class Overlaps:
    """Every true and found particle that share a pixel: one row a pair, sorted by both.

    Attributes
    ----------
    true, found : int array (pairs,)
        Numbers of the particles, from 0.
    shared : int array (pairs,)
        Pixels in both.
    true_area, found_area : int array (particles,)
        Pixels of every particle.
    """

    true: Index
    found: Index
    shared: Index
    true_area: Index
    found_area: Index

    @functools.cached_property
    def union(self) -> Index:
        """Pixels in either."""
        union: Index = self.true_area[self.true] + self.found_area[self.found] - self.shared
        return union

    @functools.cached_property
    def iou(self) -> Values:
        """Intersection over union."""
        iou: Values = self.shared / self.union
        return iou


def numbered(labels: NDArray[Any], min_area: int = 1) -> tuple[Index, Index]:
    """Renumber particles from 1 without gaps and leave small ones out.

    Parameters
    ----------
    labels : int array (Y, X)
    min_area : int
        Particles with fewer pixels become background.

    Returns
    -------
    labels : int64 array (Y, X)
    area : int64 array (n,)
        Pixels of particles 1 to n, in the order of their old labels.

    Raises
    ------
    InvalidSettings
        It is no label image.

    Examples
    --------
    >>> numbered(np.array([[7, 7, 0, 9, 3, 3]]), min_area=2)[0]
    array([[2, 2, 0, 0, 1, 1]])
    """
    if labels.dtype == bool or labels.ndim < 2:
        raise InvalidSettings(
            "Scores need label images, (Y, X) with one number a particle.",
            hint="Label a mask first, e.g. with scipy.ndimage.label.",
        )
    whole = whole_numbers(labels)
    if whole.max(initial=0) > _DENSE_IDS:
        order = np.unique(whole, return_inverse=True)[1].reshape(whole.shape)
        whole = order + int(whole.min() > 0)
    area = np.bincount(whole.ravel(), minlength=1)
    keep = area >= max(min_area, 1)
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0)[whole], area[keep]


def whole_numbers(labels: NDArray[Any]) -> Index:
    """Return labels as int64; refuse fractions, NaN and negative ones."""
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise InvalidSettings("A label image holds whole numbers from 0 on, here is NaN or inf.")
    whole: Index = labels.astype(np.int64)
    if not np.array_equal(whole, labels) or whole.min(initial=0) < 0:
        raise InvalidSettings("A label image holds whole numbers from 0 on.")
    return whole


def overlaps(true: Index, found: Index, true_area: Index, found_area: Index) -> Overlaps:
    """List all pairs of particles that share pixels.

    Parameters
    ----------
    true, found : int64 array (Y, X)
        As `numbered` returns them.
    true_area, found_area : int64 array (n,)

    Returns
    -------
    Overlaps
    """
    columns = max(len(found_area), 1)
    both = (true > 0) & (found > 0)
    key = (true[both] - 1) * columns + (found[both] - 1)
    keys, shared = tally(key, len(true_area) * columns)
    first, second = np.divmod(keys, columns)
    return Overlaps(first, second, shared, true_area, found_area)


def tally(keys: Index, cells: int) -> tuple[Index, Index]:
    """Count how often each key between 0 and `cells` - 1 occurs.

    Returns
    -------
    keys, counts : int64 array (n,)
        Those that occur, ascending.
    """
    if cells > _DENSE_CELLS:
        return np.unique(keys, return_counts=True)
    table = np.bincount(keys)
    there = np.flatnonzero(table)
    return there, table[there]


def matches(pairs: Overlaps, level: float) -> Index:
    """Choose one-to-one pairs: as many as possible, then with the most overlap.

    Parameters
    ----------
    pairs : Overlaps
    level : float
        Smallest IoU, at least 0.5.  Above 0.5 no particle is in two candidate pairs; at
        0.5 an assignment decides between those that compete, and between those alone.

    Returns
    -------
    int array
        Rows of `pairs`.
    """
    candidates = np.flatnonzero(pairs.iou >= level)
    true, found = pairs.true[candidates], pairs.found[candidates]
    alone = (np.bincount(true)[true] == 1) & (np.bincount(found)[found] == 1)
    if alone.all():
        return candidates
    return np.sort(
        np.concatenate([candidates[alone], _assigned(pairs, candidates[~alone])])
    ).astype(np.int64)


def _assigned(pairs: Overlaps, candidates: Index) -> Index:
    """Solve the assignment between particles that compete for each other."""
    from scipy.optimize import linear_sum_assignment

    true, true_at = np.unique(pairs.true[candidates], return_inverse=True)
    found, found_at = np.unique(pairs.found[candidates], return_inverse=True)
    worth = np.zeros((len(true), len(found)))
    worth[true_at, found_at] = min(worth.shape) + pairs.iou[candidates]  # one more pair beats IoU
    which = np.full(worth.shape, -1)
    which[true_at, found_at] = candidates
    chosen: Index = which[linear_sum_assignment(worth, maximize=True)]
    return chosen[chosen >= 0]


def best_of_each(pairs: Overlaps, worth: Values | Index) -> Index:
    """Find the row in which `worth` is largest for every true particle that has any.

    Parameters
    ----------
    pairs : Overlaps
    worth : array (pairs,)

    Returns
    -------
    int array
        Rows of `pairs`, one a true particle.
    """
    order = np.lexsort((worth, pairs.true))
    best: Index = order[np.flatnonzero(np.diff(pairs.true[order], append=-1))]
    return best
