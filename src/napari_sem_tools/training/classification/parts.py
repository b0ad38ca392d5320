"""Who learns, who judges, who tests: by category, whole groups on one side."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidTrainingSet

__all__ = ["PARTS", "SHARES", "divide", "fold_parts", "parts_by_word"]

Numbers = NDArray[np.intp]

PARTS: Final = ("train", "validation", "test")
"""Names of the parts by their number."""

SHARES: Final = {"80/20": (0.8, 0.2), "70/20/10": (0.7, 0.2, 0.1)}
"""Shares of the parts by the name of the split."""

_WORDS: Final = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2}
_OUT: Final = -1


def divide(labels: Numbers, groups: Numbers, shares: tuple[float, ...], *, seed: int) -> Numbers:
    """Assign whole groups to parts so that each category has its share in each.

    Parameters
    ----------
    labels : int array (n,)
        Category of each image.
    groups : int array (n,)
    shares : tuple of float
        Of the parts; they sum to 1.
    seed : int

    Returns
    -------
    int array (n,)
        Number of the part.

    Notes
    -----
    Groups are taken from the largest on, and drawn among the parts that have room for them by
    how much is missing there: so small and large groups are alike in all parts.  A category of
    two groups or more is in the first two parts.

    Examples
    --------
    >>> part = divide(np.repeat([0, 1], 10), np.arange(20), (0.8, 0.2), seed=0)
    >>> np.bincount(part).tolist()
    [16, 4]
    """
    rng = np.random.default_rng((seed, 3))
    categories = int(labels.max()) + 1
    sizes = np.zeros((int(groups.max()) + 1, categories))
    np.add.at(sizes, (groups, labels), 1)
    missing = np.outer(shares, sizes.sum(axis=0))
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order].sum(axis=1), kind="stable")]
    part_of = np.zeros(len(sizes), np.intp)
    for group in order:
        part = _drawn(missing, sizes[group], rng)
        missing[part] -= sizes[group]
        part_of[group] = part
    _fill_empty(part_of, sizes, len(shares))
    return part_of[groups]


def fold_parts(labels: Numbers, groups: Numbers, *, folds: int, fold: int, seed: int) -> Numbers:
    """Let one of several folds judge.

    Parameters
    ----------
    labels, groups : int array (n,)
    folds, fold : int
        Number of folds, and which of them judges, from 0 on.
    seed : int

    Returns
    -------
    int array (n,)
        0: learned from; 1: judges.

    Raises
    ------
    InvalidTrainingSet
        There is no such fold.
    """
    if fold >= folds:
        raise InvalidTrainingSet(
            f"There is no fold {fold} of {folds}.", hint="They are counted from 0 on."
        )
    equal = tuple(1 / folds for _ in range(folds))
    return np.asarray(divide(labels, groups, equal, seed=seed) == fold, np.intp)


def parts_by_word(words: list[str]) -> Numbers:
    """Read the parts from the words of a column; images with other words are left out.

    Parameters
    ----------
    words : list of str
        train, val (validation) and test.

    Returns
    -------
    int array (n,)
        -1: left out.

    Raises
    ------
    InvalidTrainingSet
        No image is to train.

    Examples
    --------
    >>> parts_by_word(["train", "VAL", "", "test"]).tolist()
    [0, 1, -1, 2]
    """
    found = np.asarray([_WORDS.get(word.lower(), _OUT) for word in words], np.intp)
    if not (found == 0).any():
        raise InvalidTrainingSet(
            "The column of the split says 'train' of no image.",
            hint="Its words are train, val and test; images with other words are left out.",
        )
    return found


def _drawn(
    missing: NDArray[np.float64], size: NDArray[np.float64], rng: np.random.Generator
) -> int:
    """Draw a part among those with room, by what is missing there of these categories."""
    share = size / size.sum()
    need = missing @ share
    room = np.where(need >= size.sum() - 0.5, np.maximum(need, 0), 0)
    if room.sum() <= 0:
        return int(need.argmax())
    return int(rng.choice(len(need), p=room / room.sum()))


def _fill_empty(part_of: Numbers, sizes: NDArray[np.float64], parts: int) -> None:
    """Give every part a group of every category, where a category has groups enough."""
    for category in np.flatnonzero(sizes.sum(axis=0)):
        own = np.flatnonzero(sizes[:, category])
        for part in range(min(parts, len(own))):
            held = np.bincount(part_of[own], minlength=parts)
            if not held[part]:
                giver = int(held.argmax())
                givers = own[part_of[own] == giver]
                part_of[givers[sizes[givers].sum(axis=1).argmin()]] = part
