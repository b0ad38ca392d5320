"""What one image contributes to the scores: matches and areas that can be added up."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.kinds import found_kinds, true_kinds
from napari_sem_tools.evaluation.outlines import MaskCounts, boundary_counts, mask_counts
from napari_sem_tools.evaluation.overlaps import (
    Overlaps,
    best_of_each,
    matches,
    numbered,
    overlaps,
)

__all__ = ["IOU_LEVELS", "ImageCounts", "count_image"]

Index = NDArray[np.int64]
Values = NDArray[np.float64]

IOU_LEVELS: tuple[float, ...] = tuple(percent / 100 for percent in range(50, 100, 5))
TOLERANCE_PX = 2.0


@dataclasses.dataclass(frozen=True, eq=False)
class ImageCounts:
    """Sums of one image; those of several images add up to pooled scores.

    Attributes
    ----------
    true_area, found_area : int array (n,)
        Pixels of every particle, in the order of their labels.
    matched : int array (10,)
        Pairs with an overlap (IoU) of at least each of `IOU_LEVELS`.
    matched_iou : float array (10,)
        Sum of the overlaps of these pairs.
    aji : (int, int)
        Numerator and denominator of the aggregated Jaccard index.
    foreground : (int, int)
        Intersection and union of the two foregrounds, px.
    true_kind, found_kind : int8 array (n,)
        What became of every particle: index into `kinds.TRUE_KINDS`, `kinds.FOUND_KINDS`.
    boundary : (int, int, int, int)
        Outline pixels, as `outlines.boundary_counts` gives them.
    masks : MaskCounts
        Sums behind the three scores of Rühle et al.
    tolerance_px : float
        Of `boundary`.
    name : str
        Of the image.
    """

    true_area: Index
    found_area: Index
    matched: Index
    matched_iou: Values
    aji: tuple[int, int]
    foreground: tuple[int, int]
    true_kind: NDArray[np.int8]
    found_kind: NDArray[np.int8]
    boundary: tuple[int, int, int, int]
    masks: MaskCounts
    tolerance_px: float = TOLERANCE_PX
    name: str = ""


def count_image(
    truth: Any,
    predicted: Any,
    *,
    rows: int | tuple[int, int] | None = None,
    min_area: int = 1,
    tolerance_px: float = TOLERANCE_PX,
    name: str = "",
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
    tolerance_px : float
        How far an outline may be off for boundary F1.
    name : str
        Of the image.

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
    if not 0 <= tolerance_px < np.inf:
        raise InvalidSettings(f"An outline cannot be off by {tolerance_px} px.")
    true, found = numbered_pair(truth, predicted, rows=rows, min_area=min_area)
    pairs = overlaps(true[0], found[0], true[1], found[1])
    chosen = [matches(pairs, level) for level in IOU_LEVELS]
    shared = int(pairs.shared.sum())
    return ImageCounts(
        true_area=true[1],
        found_area=found[1],
        matched=np.array([len(c) for c in chosen]),
        matched_iou=np.array([pairs.iou[c].sum() for c in chosen]),
        aji=_aggregated_jaccard(pairs),
        foreground=(shared, int(true[1].sum() + found[1].sum()) - shared),
        true_kind=true_kinds(pairs, chosen[0]),
        found_kind=found_kinds(pairs, chosen[0]),
        boundary=boundary_counts(true[0], found[0], tolerance_px),
        masks=mask_counts(true[0], found[0]),
        tolerance_px=float(tolerance_px),
        name=name,
    )


def numbered_pair(
    truth: Any,
    predicted: Any,
    *,
    rows: int | tuple[int, int] | None = None,
    min_area: int = 1,
) -> tuple[tuple[Index, Index], tuple[Index, Index]]:
    """Give numbers to the particles of two label images, within the rows that count.

    Returns
    -------
    true, found : (int array (Y, X), int array (n,))
        Labels and areas.

    Raises
    ------
    InvalidSettings
        Not label images, or not of one shape.
    """
    part = slice(*rows) if isinstance(rows, tuple) else slice(rows)
    true, found = (np.asarray(labels)[part] for labels in (truth, predicted))
    if true.shape != found.shape or true.ndim != 2:
        raise InvalidSettings(
            f"The truth is {_shape(true)}, the prediction {_shape(found)}.",
            hint="Compare images (Y, X) of one size.",
        )
    return numbered(true, min_area), numbered(found, min_area)


def _shape(labels: NDArray[Any]) -> str:
    """Write the size of an image."""
    return " x ".join(map(str, labels.shape)) + " px"


def _aggregated_jaccard(pairs: Overlaps) -> tuple[int, int]:
    """Sum intersections and unions of the best partners, and what has no partner."""
    best = best_of_each(pairs, pairs.iou)
    alone_true = np.delete(pairs.true_area, pairs.true[best]).sum()
    alone_found = np.delete(pairs.found_area, np.unique(pairs.found[best])).sum()
    union = pairs.union[best].sum() + alone_true + alone_found
    return int(pairs.shared[best].sum()), int(union)
