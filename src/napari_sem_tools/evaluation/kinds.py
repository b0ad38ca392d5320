"""What went wrong with the particles that were not found, and what the false ones are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_sem_tools.evaluation.overlaps import Overlaps

__all__ = ["FOUND_KINDS", "TRUE_KINDS", "found_kinds", "true_kinds"]

Kinds = NDArray[np.int8]

TRUE_KINDS: tuple[str, ...] = ("found", "missed", "merged", "split", "outline")
FOUND_KINDS: tuple[str, ...] = ("right", "ground", "piece")

_SEEN = 0.3  # a particle covered less than this was missed; one over less than this is on ground
_MOST = 0.5  # of a particle lies in another one


def true_kinds(pairs: Overlaps, matched: NDArray[np.int64]) -> Kinds:
    """Say of every true particle whether it was found, and else why not.

    Parameters
    ----------
    pairs : Overlaps
    matched : int array
        Rows of `pairs` that are matched at an IoU of 0.5.

    Returns
    -------
    int8 array (true particles,)
        Index into `TRUE_KINDS`: *found* (matched); *missed*: less than 30 % of it are
        covered; *merged*: the found particle that covers most of it (if two do, either of
        them) covers more than half of two or more true ones; *split*: two or more found
        particles lie more than half within it; *outline*: none of these, only the outline
        differs too much.
    """
    count = len(pairs.true_area)
    covered = np.bincount(pairs.true, pairs.shared, count) < _SEEN * pairs.true_area
    holds = pairs.shared > _MOST * pairs.true_area[pairs.true]
    held_by = np.bincount(pairs.found, holds, len(pairs.found_area))
    most = np.zeros(count, np.int64)
    np.maximum.at(most, pairs.true, pairs.shared)
    in_several = (pairs.shared == most[pairs.true]) & (held_by[pairs.found] >= 2)
    merged = np.bincount(pairs.true, in_several, count) > 0
    inside = pairs.shared > _MOST * pairs.found_area[pairs.found]
    split = np.bincount(pairs.true, inside, count) >= 2
    hit = np.zeros(count, bool)
    hit[pairs.true[matched]] = True
    return np.select([hit, covered, merged, split], [0, 1, 2, 3], 4).astype(np.int8)


def found_kinds(pairs: Overlaps, matched: NDArray[np.int64]) -> Kinds:
    """Say of every found particle whether it is right, and else what it is.

    Parameters
    ----------
    pairs : Overlaps
    matched : int array
        Rows of `pairs` that are matched at an IoU of 0.5.

    Returns
    -------
    int8 array (found particles,)
        Index into `FOUND_KINDS`: *right* (matched); *ground*: less than 30 % of it lie over
        true particles; *piece*: more, so part of a particle or several of them.
    """
    count = len(pairs.found_area)
    empty = np.bincount(pairs.found, pairs.shared, count) < _SEEN * pairs.found_area
    hit = np.zeros(count, bool)
    hit[pairs.found[matched]] = True
    return np.select([hit, empty], [0, 1], 2).astype(np.int8)
