"""Scores of one image or many, averaged and pooled, with bootstrap intervals.

====================  ======================================================
match at t            one-to-one, IoU >= t, most pairs first, then most IoU
``ap50``, ``ap75``    TP / (TP + FP + FN) at 0.5 and 0.75
``ap50_95``           mean of the same over t = 0.50, 0.55, ... 0.95
``f1``                2 TP / (2 TP + FP + FN), also called RQ
``sq``, ``pq``        mean IoU of the pairs matched at 0.5, and ``sq`` x ``f1``
``aji``               aggregated Jaccard index
``fg_iou``            IoU of the two foregrounds, and ``fg_dice``
``ecd_..._err``       relative error of mean, D10, D50, D90 of the ECD
``w1_px``, ``w1_nm``  first Wasserstein distance of the two ECD distributions
====================  ======================================================

Overlap scores are judged by their mean over images, size errors and W1 pooled.  Means
take size and count errors without their sign.  An image that is empty in both scores 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.counts import ImageCounts, count_image

__all__ = ["Estimate", "Scores", "evaluate"]

Values = NDArray[np.float64]

_QUANTILES = {"d10": 0.1, "d50": 0.5, "d90": 0.9}
_AT_75 = 5  # index of 0.75 in IOU_LEVELS
_INTERVAL = (2.5, 97.5)  # percent


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A score with its 95 % bootstrap interval over images (NaN without draws)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write value and interval."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclasses.dataclass(frozen=True, eq=False)
class Scores(Mapping[str, float]):
    """Scores of one or several images; as a mapping, the means over images.

    Attributes
    ----------
    images : tuple of ImageCounts
        What each image contributes.
    pixel_size : float or None
        nm; gives ``w1_nm``.

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2, 2, 2]])
    >>> scores = evaluate(truth, np.array([[1, 1, 0, 0, 0, 0]]))
    >>> scores["ap50"], scores["pq"].__round__(3)
    (0.5, 0.667)
    """

    images: tuple[ImageCounts, ...]
    pixel_size: float | None = None

    def __getitem__(self, name: str) -> float:
        """Return the mean over images of a score."""
        return self.mean[name]

    def __iter__(self) -> Any:
        """List the names of the scores."""
        return iter(self.mean)

    def __len__(self) -> int:
        """Count the scores."""
        return len(self.mean)

    @property
    def mean(self) -> dict[str, float]:
        """Mean over images; size and count errors without their sign."""
        return self._part("mean_")

    @property
    def pooled(self) -> dict[str, float]:
        """Scores of all particles of all images in one pot; errors with their sign."""
        return self._part("pooled_")

    def per_image(self) -> list[dict[str, float]]:
        """List the scores of each image, with counts and signed errors."""
        return [_of_image(counts) for counts in self.images]

    def summary(self, *, n_boot: int = 2000, seed: int = 0) -> dict[str, Estimate]:
        """Average and pool, with intervals from resampling images.

        Parameters
        ----------
        n_boot : int
            Draws of as many images, with replacement; 0: no intervals.
        seed : int

        Returns
        -------
        dict of str to Estimate
            Names with ``mean_`` or ``pooled_`` before them.

        References
        ----------
        .. [1] B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), ch. 13.
        """
        series = _series(self.images, n_boot, seed)
        if self.pixel_size is not None:
            nm = self.pixel_size
            series |= {k[:-2] + "nm": v * nm for k, v in series.items() if k.endswith("w1_px")}
        return {name: _estimate(values) for name, values in series.items()}

    def _part(self, prefix: str) -> dict[str, float]:
        """Select one kind of summary, without its intervals."""
        summary = self.summary(n_boot=0).items()
        return {k.removeprefix(prefix): v.value for k, v in summary if k.startswith(prefix)}


def evaluate(
    truth: Any,
    predicted: Any,
    *,
    pixel_size: float | None = None,
    rows: int | tuple[int, int] | None = None,
    min_area: int = 1,
) -> Scores:
    """Score found particles against the true ones.

    Parameters
    ----------
    truth, predicted : int array (Y, X), Segmentation, or lists of as many of them
        0 is background, every other value one particle.
    pixel_size : float, optional
        nm; gives W1 in nm as well.
    rows : int or (int, int), optional
        Only the first rows count, e.g. those above the data bar, or rows first to stop - 1.
    min_area : int
        Particles with fewer pixels are dropped from both.

    Returns
    -------
    Scores

    Raises
    ------
    InvalidSettings
        No images, not as many of the one as of the other, or not label images.

    References
    ----------
    .. [1] M. Everingham et al., Int. J. Comput. Vis. 88, 303 (2010): matching at IoU 0.5.
    .. [2] A. Kirillov et al., "Panoptic Segmentation", CVPR (2019), 10.1109/CVPR.2019.00963.
    .. [3] N. Kumar et al., IEEE Trans. Med. Imaging 36, 1550 (2017): AJI.

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2], [1, 1, 0, 2]])
    >>> evaluate(truth, truth)["ap50_95"]
    1.0
    """
    pairs = [(truth, predicted)]
    if isinstance(truth, (list, tuple)):
        if len(truth) != len(predicted):
            raise InvalidSettings(f"{len(truth)} true images, {len(predicted)} predicted ones.")
        pairs = list(zip(truth, predicted, strict=True))
    if not pairs:
        raise InvalidSettings("There are no images to score.")
    counts = (count_image(t, p, rows=rows, min_area=min_area) for t, p in pairs)
    return Scores(tuple(counts), pixel_size)


# --- scores from counts -----------------------------------------------------------------


def _ratio(part: ArrayLike, whole: ArrayLike, *, empty: float = 1.0) -> Values:
    """Divide; 0 / 0 is `empty`."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    out: Values = np.divide(part, whole, out=np.full(whole.shape, empty), where=whole != 0)
    return out


def _overlap_scores(totals: Mapping[str, Values]) -> dict[str, Values]:
    """Turn sums into scores, elementwise over draws."""
    n_true, n_found, matched = totals["n_true"], totals["n_found"], totals["matched"]
    both = n_true + n_found
    precision_at = _ratio(matched, both[..., None] - matched)
    hits, nothing = matched[..., 0], both == 0
    quality = np.where(nothing, 1.0, _ratio(totals["matched_iou"][..., 0], hits, empty=0.0))
    f1 = _ratio(2 * hits, both)
    overlap = _ratio(totals["foreground"][..., 0], totals["foreground"][..., 1])
    return {
        "count_err": _ratio(n_found - n_true, n_true, empty=np.nan),
        "ap50": precision_at[..., 0],
        "ap75": precision_at[..., _AT_75],
        "ap50_95": precision_at.mean(-1),
        "f1": f1,
        "precision": np.where(nothing, 1.0, _ratio(hits, n_found, empty=0.0)),
        "recall": np.where(nothing, 1.0, _ratio(hits, n_true, empty=0.0)),
        "sq": quality,
        "pq": quality * f1,
        "aji": _ratio(totals["aji"][..., 0], totals["aji"][..., 1]),
        "fg_iou": overlap,
        "fg_dice": 2 * overlap / (1 + overlap),
    }


def _totals(images: tuple[ImageCounts, ...], weight: Values) -> dict[str, Values]:
    """Weighted sums over images; weight (draws, images)."""
    columns = {
        "n_true": [len(c.true_area) for c in images],
        "n_found": [len(c.found_area) for c in images],
        "matched": [c.matched for c in images],
        "matched_iou": [c.matched_iou for c in images],
        "aji": [c.aji for c in images],
        "foreground": [c.foreground for c in images],
    }
    return {name: weight @ np.asarray(column, float) for name, column in columns.items()}


class _Sizes:
    """ECD of all particles, sorted once, whose images can be given weights."""

    def __init__(self, areas: list[NDArray[np.int64]]) -> None:
        size = np.sqrt(4 / np.pi * np.concatenate([np.zeros(0), *areas]))
        image = np.repeat(np.arange(len(areas)), [len(a) for a in areas])
        order = np.argsort(size, kind="stable")
        self.size, self.image = size[order], image[order]

    def moments(self, weight: Values) -> dict[str, float]:
        """Mean and quantiles, as if every particle were there `weight` times."""
        each = weight[self.image]
        total = np.cumsum(each)
        if not each.size or total[-1] == 0:
            return dict.fromkeys(("mean", *_QUANTILES), np.nan)
        out = {"mean": float(each @ self.size / total[-1])}
        for name, share in _QUANTILES.items():
            place = share * (total[-1] - 1)
            low, high = (
                self.size[np.searchsorted(total, rank, side="right")]
                for rank in (np.floor(place), np.ceil(place))
            )
            out[name] = float(low + (high - low) * (place % 1))
        return out


def _size_errors(true: _Sizes, found: _Sizes, weight: Values) -> dict[str, float]:
    """Relative errors of the size distribution and W1 in px."""
    t, f = true.moments(weight), found.moments(weight)
    errors = {f"ecd_{name}_err": (f[name] - t[name]) / t[name] for name in t}
    return errors | {"w1_px": _wasserstein(true, found, weight)}


def _wasserstein(true: _Sizes, found: _Sizes, weight: Values) -> float:
    """Area between the two cumulative distributions."""
    a, b = weight[true.image], weight[found.image]
    if a.sum() == 0 or b.sum() == 0:
        return 0.0 if a.sum() == b.sum() else np.nan
    size = np.concatenate([true.size, found.size])
    step = np.concatenate([a / a.sum(), -b / b.sum()])
    order = np.argsort(size, kind="stable")
    return float(np.abs(np.cumsum(step[order])[:-1]) @ np.diff(size[order]))


def _of_image(counts: ImageCounts) -> dict[str, float]:
    """Scores of one image."""
    one = np.ones((1, 1))
    scores = _overlap_scores(_totals((counts,), one))
    out: dict[str, float] = {"n_true": len(counts.true_area), "n_found": len(counts.found_area)}
    out |= {name: float(value[0]) for name, value in scores.items()}
    if not out["n_true"] and not out["n_found"]:
        out["count_err"] = 0.0
    return out | _size_errors(_Sizes([counts.true_area]), _Sizes([counts.found_area]), one[0])


def _series(images: tuple[ImageCounts, ...], n_boot: int, seed: int) -> dict[str, Values]:
    """Mean and pooled scores: first of the set itself, then of every draw."""
    n = len(images)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_boot)
    weight = np.vstack([np.ones(n), draws])
    rows = [_of_image(counts) for counts in images]
    names = [name for name in rows[0] if name not in ("n_true", "n_found")]
    value = np.array([[row[name] for name in names] for row in rows], float)
    value = np.where([name.endswith("_err") for name in names], np.abs(value), value)
    known = np.isfinite(value)
    mean = _ratio(weight @ np.where(known, value, 0), weight @ known, empty=np.nan)
    series = {f"mean_{name}": mean[:, i] for i, name in enumerate(names)}
    pooled = _overlap_scores(_totals(images, weight))
    true, found = _Sizes([c.true_area for c in images]), _Sizes([c.found_area for c in images])
    sizes = [_size_errors(true, found, w) for w in weight]
    pooled |= {name: np.array([s[name] for s in sizes]) for name in sizes[0]}
    return series | {f"pooled_{name}": values for name, values in pooled.items()}


def _estimate(series: Values) -> Estimate:
    """Split (value, draws) into value and interval."""
    draws = series[1:][np.isfinite(series[1:])]
    low, high = np.percentile(draws, _INTERVAL) if draws.size else (np.nan, np.nan)
    return Estimate(float(series[0]), float(low), float(high))
