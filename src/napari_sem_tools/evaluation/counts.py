"""What one image contributes to the scores: matches and areas that can be added up."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

__all__ = ["IOU_LEVELS", "ImageCounts", "count_image"]

Index = NDArray[np.int64]
Values = NDArray[np.float64]

IOU_LEVELS: tuple[float, ...] = tuple(percent / 100 for percent in range(50, 100, 5))
_DENSE_IDS = 2**24  # larger ids are renumbered by sorting instead of by counting


@dataclasses.dataclass(frozen=True, eq=False)
class ImageCounts:
    """Sums of one image; those of several images add up to pooled scores.

    Attributes
    ----------
    true_area, found_area : int array (n,)
        Pixels of every particle.
    matched : int array (10,)
        Pairs with an overlap (IoU) of at least each of `IOU_LEVELS`.
    matched_iou : float array (10,)
        Sum of the overlaps of these pairs.
    aji : (int, int)
        Numerator and denominator of the aggregated Jaccard index.
    foreground : (int, int)
        Intersection and union of the two foregrounds, px.
    """

    true_area: Index
    found_area: Index
    matched: Index
    matched_iou: Values
    aji: tuple[int, int]
    foreground: tuple[int, int]


@dataclasses.dataclass(frozen=True, eq=False)
class _Overlaps:
    """Every true and found particle that share a pixel: one row a pair."""

    true: Index
    found: Index
    shared: Index
    union: Index

    @property
    def iou(self) -> Values:
        """Intersection over union."""
        return self.shared / self.union


def count_image(
    truth: Any,
    predicted: Any,
    *,
    rows: int | tuple[int, int] | None = None,
    min_area: int = 1,
) -> ImageCounts:
    """Compare two label images.

    Parameters
    ----------
    truth, predicted : int array (Y, X), or Segmentation
        0 is background, every other value one particle.
    rows : int or (int, int), optional
        Only the first rows count, e.g. those above the data bar, or rows first to stop - 1.
    min_area : int
        Particles with fewer pixels are dropped from both.

    Returns
    -------
    ImageCounts

    Raises
    ------
    InvalidSettings
        Not label images, or not of one shape.

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2]])
    >>> counts = count_image(truth, truth)
    >>> int(counts.matched[0]), counts.foreground
    (2, (3, 3))
    """
    part = slice(*rows) if isinstance(rows, tuple) else slice(rows)
    true, found = (np.asarray(labels)[part] for labels in (truth, predicted))
    if true.shape != found.shape:
        raise InvalidSettings(
            f"The truth is {true.shape} px, the prediction {found.shape} px.",
            hint="Compare images of one size.",
        )
    true, true_area = _numbered(true, min_area)
    found, found_area = _numbered(found, min_area)
    pairs = _overlaps(true, found, true_area, found_area)
    iou = pairs.iou
    chosen = [_matches(pairs, iou, level) for level in IOU_LEVELS]
    shared = int(pairs.shared.sum())
    return ImageCounts(
        true_area=true_area,
        found_area=found_area,
        matched=np.array([len(c) for c in chosen]),
        matched_iou=np.array([iou[c].sum() for c in chosen]),
        aji=_aggregated_jaccard(pairs, true_area, found_area),
        foreground=(shared, int(true_area.sum() + found_area.sum()) - shared),
    )


def _numbered(labels: NDArray[Any], min_area: int) -> tuple[Index, Index]:
    """Renumber particles from 1 without gaps and small ones; return labels and areas."""
    if labels.dtype == bool or labels.ndim < 2:
        raise InvalidSettings(
            "Scores need label images, (Y, X) with one number a particle.",
            hint="Label a mask first, e.g. with scipy.ndimage.label.",
        )
    whole = labels.astype(np.int64)
    if not np.array_equal(whole, labels) or whole.min(initial=0) < 0:
        raise InvalidSettings("A label image holds whole numbers from 0 on.")
    if whole.max(initial=0) > _DENSE_IDS:
        order = np.unique(whole, return_inverse=True)[1].reshape(whole.shape)
        whole = order + int(whole.min() > 0)
    area = np.bincount(whole.ravel(), minlength=1)
    keep = area >= max(min_area, 1)
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0)[whole], area[keep]


def _overlaps(true: Index, found: Index, true_area: Index, found_area: Index) -> _Overlaps:
    """List all overlapping pairs."""
    both = (true > 0) & (found > 0)
    key = (true[both] - 1) * max(len(found_area), 1) + (found[both] - 1)
    keys, shared = np.unique(key, return_counts=True)
    first, second = np.divmod(keys, max(len(found_area), 1))
    return _Overlaps(first, second, shared, true_area[first] + found_area[second] - shared)


def _matches(pairs: _Overlaps, iou: Values, level: float) -> Index:
    """Choose one-to-one pairs: as many as possible, then with the most overlap.

    Above 0.5 no particle is in two candidate pairs; at 0.5 an assignment decides.
    """
    from scipy.optimize import linear_sum_assignment

    candidates = np.flatnonzero(iou >= level)
    true, true_at = np.unique(pairs.true[candidates], return_inverse=True)
    found, found_at = np.unique(pairs.found[candidates], return_inverse=True)
    if len(true) == len(candidates) == len(found):
        return candidates
    worth = np.zeros((len(true), len(found)))
    worth[true_at, found_at] = min(worth.shape) + iou[candidates]  # one more pair beats any IoU
    which = np.full(worth.shape, -1)
    which[true_at, found_at] = candidates
    chosen: Index = which[linear_sum_assignment(worth, maximize=True)]
    return chosen[chosen >= 0]


def _aggregated_jaccard(pairs: _Overlaps, true_area: Index, found_area: Index) -> tuple[int, int]:
    """Sum intersections and unions of the best partners, and what has no partner."""
    order = np.lexsort((pairs.iou, pairs.true))
    best = order[np.flatnonzero(np.diff(pairs.true[order], append=-1))]
    alone_true = np.delete(true_area, pairs.true[best]).sum()
    alone_found = np.delete(found_area, np.unique(pairs.found[best])).sum()
    union = pairs.union[best].sum() + alone_true + alone_found
    return int(pairs.shared[best].sum()), int(union)
