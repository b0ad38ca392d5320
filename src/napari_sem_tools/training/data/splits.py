"""Which images are learned from and which judge: by specimen, never by tile."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from napari_sem_tools.errors import InvalidTrainingSet
from napari_sem_tools.training.data.folder import Sample

__all__ = ["Split", "folds", "repeated_splits", "split_by_column", "split_by_group"]

_TRAIN, _JUDGE = ("train", "training"), ("val", "validation", "valid")


@dataclasses.dataclass(frozen=True)
class Split:
    """Names of the images that train and of those that judge."""

    train: tuple[str, ...]
    validation: tuple[str, ...]


def split_by_group(samples: Sequence[Sample], *, share: float = 0.2, seed: int = 0) -> Split:
    """Keep some of the groups back.

    Parameters
    ----------
    samples : sequence of Sample
    share : float
        Part of the groups that judges: at least one group and never all.  0: none.
    seed : int

    Returns
    -------
    Split
        No group is on both sides.

    Raises
    ------
    InvalidTrainingSet
        All images are of one group, so that nothing can be kept back.

    Examples
    --------
    >>> from pathlib import Path
    >>> names = ["a1", "a2", "b1", "b2", "c1"]
    >>> samples = [Sample(n, Path(n), Path(n), None, group=n[0]) for n in names]
    >>> split = split_by_group(samples, share=0.34, seed=1)
    >>> {name[0] for name in split.train} & {name[0] for name in split.validation}
    set()
    """
    groups = sorted({sample.group for sample in samples})
    if share <= 0:
        return Split(tuple(sample.name for sample in samples), ())
    if len(groups) < 2:
        raise InvalidTrainingSet(
            "All images are of one group, so that none can be kept back to judge.",
            hint="Add images of another specimen, or set validation_share = 0.",
        )
    count = int(np.clip(round(share * len(groups)), 1, len(groups) - 1))
    chosen = np.random.default_rng((seed, 1)).permutation(len(groups))[:count]
    return _split(samples, {groups[number] for number in chosen})


def repeated_splits(
    samples: Sequence[Sample], *, passes: int = 10, share: float = 0.2, seed: int = 0
) -> tuple[Split, ...]:
    """Draw several random splits, each by group.

    Parameters
    ----------
    samples : sequence of Sample
    passes : int
    share : float
    seed : int
        Pass n has a draw of its own that does not depend on how many there are.

    Returns
    -------
    tuple of Split

    References
    ----------
    .. [1] Š. Mocko, "U-Net convolutional neural network for TEM image segmentation",
           student conference paper, FEEC BUT: ten passes, each of a random 80/20.  Ours keep
           the versions of one original together; the paper's do not.
    """
    return tuple(
        split_by_group(samples, share=share, seed=seed + 1000 * number) for number in range(passes)
    )


def folds(samples: Sequence[Sample], *, count: int = 5, seed: int = 0) -> tuple[Split, ...]:
    """Cut the groups into folds, so that every image judges once.

    Parameters
    ----------
    samples : sequence of Sample
    count : int
    seed : int

    Returns
    -------
    tuple of Split

    Raises
    ------
    InvalidTrainingSet
        There are fewer groups than folds.
    """
    groups = sorted({sample.group for sample in samples})
    if len(groups) < count:
        raise InvalidTrainingSet(f"{len(groups)} groups cannot be cut into {count} folds.")
    order = np.random.default_rng((seed, 2)).permutation(len(groups))
    parts = [{groups[n] for n in order[first::count]} for first in range(count)]
    return tuple(_split(samples, part) for part in parts)


def split_by_column(samples: Sequence[Sample], column: dict[str, str]) -> Split:
    """Split as a column of a table says: ``train``, ``val``; other words leave an image out.

    Parameters
    ----------
    samples : sequence of Sample
    column : dict
        Word by name.

    Returns
    -------
    Split

    Raises
    ------
    InvalidTrainingSet
        Nothing is to train.
    """
    words = {sample.name: column.get(sample.name, "").lower() for sample in samples}
    train = tuple(name for name, word in words.items() if word in _TRAIN)
    if not train:
        raise InvalidTrainingSet(
            "The column of the split says 'train' of no image.",
            hint="Its words are train and val; images with other words are left out.",
        )
    return Split(train, tuple(name for name, word in words.items() if word in _JUDGE))


def _split(samples: Sequence[Sample], judges: set[str]) -> Split:
    """Put every image on the side of its group."""
    train = tuple(sample.name for sample in samples if sample.group not in judges)
    return Split(train, tuple(sample.name for sample in samples if sample.group in judges))
