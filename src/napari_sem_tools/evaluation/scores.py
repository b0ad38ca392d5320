"""Scores of one image or many, averaged and pooled, with bootstrap intervals.

====================  ======================================================
match at t            one-to-one, IoU >= t, most pairs first, then most IoU
``ap50``, ``ap75``    TP / (TP + FP + FN) at 0.5 and 0.75
``ap50_95``           mean of the same over t = 0.50, 0.55, ... 0.95
``f1``                2 TP / (2 TP + FP + FN), also called RQ
``sq``, ``pq``        mean IoU of the pairs matched at 0.5, and ``sq`` x ``f1``
``aji``               aggregated Jaccard index
``fg_iou``            IoU of the two foregrounds, and ``fg_dice``
``boundary_f1``       of outline pixels within a tolerance of the other outlines
``img_iou``           and ``inst_iou``, ``youden``: the scores of Rühle et al. (2021)
``missed``, ...       kinds of error, as shares of the true particles
``ecd_..._err``       relative error of mean, D10, D50, D90 of the ECD
``w1_px``, ``w1_nm``  first Wasserstein distance of the two ECD distributions
====================  ======================================================

Overlap scores are judged by their mean over images, size errors and W1 pooled.  Means
take size and count errors without their sign.  An image that is empty in both scores 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.counts import TOLERANCE_PX, ImageCounts, count_image
from napari_sem_tools.evaluation.estimates import Estimate, image_weights, ratio
from napari_sem_tools.evaluation.files import named_pairs
from napari_sem_tools.evaluation.sizes import SIZE_EDGES_PX, SizeClass, SizePair, ecd
from napari_sem_tools.evaluation.sums import scores_of_image, series

__all__ = ["Scores", "evaluate"]


@dataclasses.dataclass(frozen=True, eq=False)
class Scores(Mapping[str, float]):
    """Scores of one or several images; as a mapping, the means over images.

    Attributes
    ----------
    images : tuple of ImageCounts
        What each image contributes.
    pixel_size : float or None
        nm, the same for all images; gives ``w1_nm``.
    rows : int, (int, int) or None
        The rows that counted; None: all.
    min_area : int
        Pixels of the smallest particle that counted.

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2, 2, 2]])
    >>> scores = evaluate(truth, np.array([[1, 1, 0, 0, 0, 0]]))
    >>> scores["ap50"], scores["pq"].__round__(3), scores["missed"]
    (0.5, 0.667, 0.5)
    """

    images: tuple[ImageCounts, ...]
    pixel_size: float | None = None
    rows: int | tuple[int, int] | None = None
    min_area: int = 1

    def __getitem__(self, name: str) -> float:
        """Return the mean over images of a score."""
        return self.mean[name]

    def __iter__(self) -> Iterator[str]:
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
        return [self._in_nm(scores_of_image(counts)) for counts in self.images]

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of each score over the images; errors without sign.

        Returns
        -------
        dict of str to (float, float)
            NaN where no image has the score.
        """
        rows = self.per_image()
        out = {}
        for name in rows[0]:
            value = np.array([row[name] for row in rows], float)
            value = np.abs(value) if name.endswith("_err") else value
            value = value[np.isfinite(value)]
            out[name] = (float(value.min()), float(value.max())) if value.size else (np.nan, np.nan)
        return out

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
        drawn = self._in_nm(series(self.images, n_boot, seed))
        return {name: Estimate.of(values) for name, values in drawn.items()}

    def difference(
        self, other: Scores, *, n_boot: int = 2000, seed: int = 0
    ) -> dict[str, Estimate]:
        """Tell how far these scores are above those of another result on the same images.

        Parameters
        ----------
        other : Scores
            Of the same images in the same order.
        n_boot, seed : int
            As for `summary`; both results are drawn with the same images, so that what is
            hard for both does not widen the interval.

        Returns
        -------
        dict of str to Estimate
            Names as those of `summary`.

        Raises
        ------
        InvalidSettings
            The other result is of other images.
        """
        true = [c.true_area for c in self.images]
        if len(true) != len(other.images) or any(
            not np.array_equal(one, c.true_area) for one, c in zip(true, other.images, strict=True)
        ):
            raise InvalidSettings(
                "The two results are of different images.", hint="Score both against one truth."
            )
        ours, theirs = (one._in_nm(series(one.images, n_boot, seed)) for one in (self, other))
        shared = [name for name in ours if name in theirs]
        return {name: Estimate.of(ours[name] - theirs[name]) for name in shared}

    def recall_by_size(
        self, edges: Sequence[float] | None = None, *, n_boot: int = 2000, seed: int = 0
    ) -> list[SizeClass]:
        """Tell how many of the true particles of each size were found.

        Parameters
        ----------
        edges : sequence of float, optional
            ECD at which classes begin and end, in nm with a pixel size, else in px.  By
            default 0, 4, 8, 12, 16, 24, 32, 48, 64, 96 and 192 px and above; classes that no
            true particle falls into are left out.
        n_boot, seed : int
            As for `summary`.

        Returns
        -------
        list of SizeClass
            All particles in one pot; the intervals are over images.

        Raises
        ------
        InvalidSettings
            The edges do not rise.
        """
        nm = self.pixel_size or 1.0
        at = np.asarray(SIZE_EDGES_PX if edges is None else edges, float)
        if at.ndim != 1 or len(at) < 2 or not (np.diff(at) > 0).all():
            raise InvalidSettings("The borders of size classes are two numbers or more that rise.")
        px = at if edges is None else at / nm
        bins = len(px) - 1
        true, hits = np.zeros((2, len(self.images), bins))
        for row, counts in enumerate(self.images):
            place = np.searchsorted(px, ecd(counts.true_area), side="right") - 1
            inside = (place >= 0) & (place < bins)
            true[row] = np.bincount(place[inside], minlength=bins)
            hits[row] = np.bincount(place[inside & (counts.true_kind == 0)], minlength=bins)
        weight = image_weights(len(self.images), n_boot, seed)
        recall = ratio(weight @ hits, weight @ true, empty=np.nan)
        unit = "px" if self.pixel_size is None else "nm"
        number, found = true.sum(0).astype(int), hits.sum(0).astype(int)
        return [
            SizeClass(
                *(float(px[i] * nm), float(px[i + 1] * nm), unit),
                *(int(number[i]), int(found[i]), Estimate.of(recall[:, i])),
            )
            for i in np.flatnonzero(number)
        ]

    def sizes(self) -> dict[str, tuple[float, float]]:
        """Mean, D10, D50 and D90 of the true and of the found ECD of all particles.

        Returns
        -------
        dict of str to (float, float)
            (true, found), in nm with a pixel size, else in px.
        """
        pair = SizePair([c.true_area for c in self.images], [c.found_area for c in self.images])
        nm = self.pixel_size or 1.0
        values = pair.values(np.ones((1, len(self.images))))
        return {name: (float(t[0]) * nm, float(f[0]) * nm) for name, (t, f) in values.items()}

    def _in_nm(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Add what has a length in nm."""
        out = dict(values)
        if self.pixel_size is not None:
            in_px = [name for name in out if name.endswith("w1_px")]
            out |= {name[:-2] + "nm": out[name] * self.pixel_size for name in in_px}
        return out

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
    tolerance_px: float = TOLERANCE_PX,
) -> Scores:
    """Score found particles against the true ones.

    Parameters
    ----------
    truth, predicted : int array (Y, X), Segmentation, path, or lists of as many of them
        0 is background, every other value one particle.  Two folders are paired by the names
        of their files without the suffix; what is predicted may be a folder of results.
    pixel_size : float, optional
        nm, the same for all images; gives W1 in nm as well.
    rows : int or (int, int), optional
        Only the first rows count, e.g. those above the data bar, or rows first to stop - 1.
    min_area : int
        Particles with fewer pixels are dropped from both.
    tolerance_px : float
        How far an outline may be off for boundary F1.

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
    .. [4] G. Csurka et al., BMVC (2013): boundary F1.
    .. [5] B. Rühle et al., Sci. Rep. 11, 4942 (2021), 10.1038/s41598-021-84287-6.

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2], [1, 1, 0, 2]])
    >>> evaluate(truth, truth)["ap50_95"]
    1.0
    """
    if pixel_size is not None and not 0 < pixel_size < np.inf:
        raise InvalidSettings(f"A pixel of {pixel_size} nm cannot be.")
    counts = tuple(
        count_image(t, p, rows=rows, min_area=min_area, tolerance_px=tolerance_px, name=name)
        for name, t, p in named_pairs(truth, predicted)
    )
    if not counts:
        raise InvalidSettings("There are no images to score.")
    return Scores(counts, pixel_size, rows, min_area)
