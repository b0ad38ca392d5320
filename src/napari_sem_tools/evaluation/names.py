"""The one table of scores: what each is called and how it is defined."""

from __future__ import annotations

import dataclasses

__all__ = ["SCORES", "ScoreRow"]


@dataclasses.dataclass(frozen=True)
class ScoreRow:
    """One score.

    Attributes
    ----------
    title : str
        How pages and tables call it.
    text : str
        Its definition.
    group : str
        ``"particles"``, ``"foreground"``, ``"published"``, ``"errors"`` or ``"sizes"``.
    judged : str
        ``"mean"`` over images or ``"pooled"`` over all particles: which of the two counts.
    """

    title: str
    text: str
    group: str
    judged: str = "mean"


def _size(title: str, text: str) -> ScoreRow:
    """Row of a size error."""
    return ScoreRow(title, text, "sizes", "pooled")


def _error(title: str, text: str) -> ScoreRow:
    """Row of a kind of error."""
    return ScoreRow(title, text, "errors", "pooled")


_RELATIVE = "(found - true) / true; means over images take it without its sign"

SCORES: dict[str, ScoreRow] = {
    "ap50": ScoreRow(
        "AP@0.5", "TP / (TP + FP + FN), pairs with an IoU of 0.5 or more", "particles"
    ),
    "ap75": ScoreRow("AP@0.75", "the same at an IoU of 0.75", "particles"),
    "ap50_95": ScoreRow("AP@0.5:0.95", "mean of the same over 0.50, 0.55, ... 0.95", "particles"),
    "f1": ScoreRow("F1 = RQ", "2 TP / (2 TP + FP + FN) at 0.5", "particles"),
    "precision": ScoreRow("precision", "TP / found at 0.5", "particles"),
    "recall": ScoreRow("recall", "TP / true at 0.5", "particles"),
    "sq": ScoreRow("SQ", "mean IoU of the pairs matched at 0.5; 0 without pairs", "particles"),
    "pq": ScoreRow("PQ = SQ x RQ", "panoptic quality", "particles"),
    "aji": ScoreRow(
        "AJI",
        "sum of the intersections with the best partners / (sum of their unions + area of what "
        "was found and is nobody's best)",
        "particles",
    ),
    "fg_iou": ScoreRow("foreground IoU", "of all particles against all background", "foreground"),
    "fg_dice": ScoreRow("foreground Dice", "2 x both / (true + found), pixels", "foreground"),
    "boundary_f1": ScoreRow(
        "boundary F1",
        "of the outline pixels that lie within the tolerance of an outline of the other image",
        "foreground",
    ),
    "img_iou": ScoreRow(
        "IoU (Img)", "of the two masks, touching particles 1 px apart", "published"
    ),
    "inst_iou": ScoreRow(
        "IoU (Inst)",
        "for each filled outline found the largest IoU with a true one, mean over those found: "
        "what is missed costs nothing",
        "published",
    ),
    "youden": ScoreRow(
        "Youden's index", "true positive rate + true negative rate - 1, pixels", "published"
    ),
    "missed": _error("missed", "true, not matched, less than 30 % of it covered / true"),
    "merged": _error(
        "merged",
        "true, not matched, and what covers most of it covers more than half of two or more / true",
    ),
    "split": _error(
        "split", "true, not matched, and two or more found lie more than half within it / true"
    ),
    "outline": _error("outline differs", "true, not matched, none of the above / true"),
    "false_ground": _error(
        "false, on ground", "found, not matched, less than 30 % of it over true particles / true"
    ),
    "false_piece": _error(
        "false, over particles", "found, not matched, more of it over true particles / true"
    ),
    "count_err": _size("error of the number", _RELATIVE),
    "ecd_mean_err": _size("error of the mean ECD", _RELATIVE),
    "ecd_d10_err": _size("error of D10", _RELATIVE),
    "ecd_d50_err": _size("error of D50 (median ECD)", _RELATIVE),
    "ecd_d90_err": _size("error of D90", _RELATIVE),
    "w1_px": _size("W1 in px", "first Wasserstein distance of the two ECD distributions"),
    "w1_nm": _size("W1 in nm", "the same, times the pixel size"),
}
"""Name in the results to row."""
