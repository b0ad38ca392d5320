"""From the sums of images to scores, for any weights of the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.evaluation.counts import ImageCounts
from napari_sem_tools.evaluation.estimates import image_weights, ratio
from napari_sem_tools.evaluation.kinds import FOUND_KINDS, TRUE_KINDS
from napari_sem_tools.evaluation.sizes import SizePair

__all__ = ["scores_of_image", "series"]

Values = NDArray[np.float64]

_AT_75 = 5  # index of 0.75 in IOU_LEVELS


def series(images: Sequence[ImageCounts], n_boot: int, seed: int) -> dict[str, Values]:
    """Mean and pooled scores: first of the set itself, then of every draw of images.

    Parameters
    ----------
    images : sequence of ImageCounts
    n_boot, seed : int

    Returns
    -------
    dict of str to float array (1 + n_boot,)
        Names with ``mean_`` or ``pooled_`` before them.
    """
    weight = image_weights(len(images), n_boot, seed)
    rows = [scores_of_image(counts) for counts in images]
    names = [name for name in rows[0] if name not in ("n_true", "n_found")]
    value = np.array([[row[name] for name in names] for row in rows], float)
    value = np.where([name.endswith("_err") for name in names], np.abs(value), value)
    known = np.isfinite(value)
    mean = ratio(weight @ np.where(known, value, 0), weight @ known, empty=np.nan)
    out = {f"mean_{name}": mean[:, i] for i, name in enumerate(names)}
    pooled = _scores(_totals(images, weight))
    pair = SizePair([c.true_area for c in images], [c.found_area for c in images])
    pooled |= pair.errors(weight)
    return out | {f"pooled_{name}": values for name, values in pooled.items()}


def scores_of_image(counts: ImageCounts) -> dict[str, float]:
    """Scores of one image, with its numbers of particles; errors carry their sign.

    Parameters
    ----------
    counts : ImageCounts

    Returns
    -------
    dict of str to float
    """
    one = np.ones((1, 1))
    scores = _scores(_totals((counts,), one))
    out: dict[str, float] = {"n_true": len(counts.true_area), "n_found": len(counts.found_area)}
    out |= {name: float(value[0]) for name, value in scores.items()}
    if not out["n_true"] and not out["n_found"]:
        out["count_err"] = 0.0
    sizes = SizePair([counts.true_area], [counts.found_area]).errors(one)
    return out | {name: float(value[0]) for name, value in sizes.items()}


def _totals(images: Sequence[ImageCounts], weight: Values) -> dict[str, Values]:
    """Weighted sums over images; weight (draws, images)."""
    masks = [c.masks for c in images]
    columns = {
        "n_true": [len(c.true_area) for c in images],
        "n_found": [len(c.found_area) for c in images],
        "matched": [c.matched for c in images],
        "matched_iou": [c.matched_iou for c in images],
        "aji": [c.aji for c in images],
        "foreground": [c.foreground for c in images],
        "true_kinds": [np.bincount(c.true_kind, minlength=len(TRUE_KINDS)) for c in images],
        "found_kinds": [np.bincount(c.found_kind, minlength=len(FOUND_KINDS)) for c in images],
        "boundary": [c.boundary for c in images],
        "pixels": [(m.both, m.only_true, m.only_found, m.neither) for m in masks],
        "outlines": [(m.best_iou, m.found_outlines, m.true_outlines) for m in masks],
    }
    return {name: weight @ np.asarray(column, float) for name, column in columns.items()}


def _scores(totals: Mapping[str, Values]) -> dict[str, Values]:
    """Turn sums into scores, elementwise over draws."""
    return (
        _particle_scores(totals)
        | _foreground_scores(totals)
        | _published_scores(totals)
        | _error_shares(totals)
    )


def _particle_scores(totals: Mapping[str, Values]) -> dict[str, Values]:
    """Scores of matched particles."""
    n_true, n_found, matched = totals["n_true"], totals["n_found"], totals["matched"]
    both = n_true + n_found
    precision_at = ratio(matched, both[..., None] - matched)
    hits, nothing = matched[..., 0], both == 0
    quality = np.where(nothing, 1.0, ratio(totals["matched_iou"][..., 0], hits, empty=0.0))
    f1 = ratio(2 * hits, both)
    return {
        "count_err": ratio(n_found - n_true, n_true, empty=np.nan),
        "ap50": precision_at[..., 0],
        "ap75": precision_at[..., _AT_75],
        "ap50_95": precision_at.mean(-1),
        "f1": f1,
        "precision": np.where(nothing, 1.0, ratio(hits, n_found, empty=0.0)),
        "recall": np.where(nothing, 1.0, ratio(hits, n_true, empty=0.0)),
        "sq": quality,
        "pq": quality * f1,
        "aji": ratio(totals["aji"][..., 0], totals["aji"][..., 1]),
    }


def _foreground_scores(totals: Mapping[str, Values]) -> dict[str, Values]:
    """Scores of the two foregrounds and of all outlines."""
    overlap = ratio(totals["foreground"][..., 0], totals["foreground"][..., 1])
    near_true, true, near_found, found = np.moveaxis(totals["boundary"], -1, 0)
    nothing = true + found == 0
    recall, precision = ratio(near_true, true, empty=0.0), ratio(near_found, found, empty=0.0)
    return {
        "fg_iou": overlap,
        "fg_dice": 2 * overlap / (1 + overlap),
        "boundary_f1": np.where(
            nothing, 1.0, ratio(2 * precision * recall, precision + recall, empty=0.0)
        ),
    }


def _published_scores(totals: Mapping[str, Values]) -> dict[str, Values]:
    """Compute IoU (Img), IoU (Inst) and Youden's index of Rühle et al."""
    both, only_true, only_found, neither = np.moveaxis(totals["pixels"], -1, 0)
    best, found, true = np.moveaxis(totals["outlines"], -1, 0)
    return {
        "img_iou": ratio(both, both + only_true + only_found),
        "inst_iou": np.where(found + true == 0, 1.0, ratio(best, found, empty=0.0)),
        "youden": ratio(both, both + only_true) + ratio(neither, neither + only_found) - 1,
    }


def _error_shares(totals: Mapping[str, Values]) -> dict[str, Values]:
    """Kinds of error, as shares of the true particles."""
    n_true = totals["n_true"]
    kinds = {name: totals["true_kinds"][..., i] for i, name in enumerate(TRUE_KINDS) if i}
    kinds |= {f"false_{n}": totals["found_kinds"][..., i] for i, n in enumerate(FOUND_KINDS) if i}
    return {name: ratio(count, n_true, empty=np.nan) for name, count in kinds.items()}
