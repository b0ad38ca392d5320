"""Scores of pixels that belong to classes, such as phases: IoU and Dice of each class.

====================  ======================================================
IoU of a class        pixels of the class in both / in either
Dice of a class       2 x in both / (in the one + in the other)
of an image           the mean over the classes that occur in either
``mean``              mean over images, with the smallest and the largest
``pooled``            of all pixels of all images, mean over classes
====================  ======================================================
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.estimates import Estimate, image_weights, ratio
from napari_sem_tools.evaluation.files import named_pairs
from napari_sem_tools.evaluation.overlaps import whole_numbers

__all__ = ["ClassScores", "evaluate_classes"]

Values = NDArray[np.float64]

_MOST_CLASSES = 256  # more are particles, not classes


@dataclasses.dataclass(frozen=True, eq=False)
class ClassScores:
    """Scores of the classes of one or several images.

    Attributes
    ----------
    classes : tuple of int
        Values of the pixels, background among them.
    confusion : int array (images, classes, classes + 1)
        Pixels by image, true class and found class; the last column is of none of them.
    names : tuple of str
        Of the images.

    Examples
    --------
    >>> scores = evaluate_classes(np.array([[0, 1, 1, 2]]), np.array([[0, 1, 2, 2]]))
    >>> scores.iou.tolist()
    [[1.0, 0.5, 0.5]]
    >>> scores.summary(n_boot=0)["pooled_mean_iou"].value.__round__(3)
    0.667
    """

    classes: tuple[int, ...]
    confusion: NDArray[np.int64]
    names: tuple[str, ...] = ()

    @property
    def iou(self) -> Values:
        """IoU of every class in every image (images, classes); NaN where it does not occur."""
        return _iou(self.confusion)

    @property
    def dice(self) -> Values:
        """Dice of every class in every image (images, classes); NaN where it does not occur."""
        return _dice(self.confusion)

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value over images of ``mean_iou`` and ``mean_dice``.

        Returns
        -------
        dict of str to (float, float)
        """
        means = {"mean_iou": _mean(self.iou), "mean_dice": _mean(self.dice)}
        return {name: (float(np.min(v)), float(np.max(v))) for name, v in means.items()}

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
            ``image_mean_iou``, ``image_mean_dice``: means over images of the mean over
            classes; ``pooled_mean_iou``, ``pooled_mean_dice``, and ``pooled_iou_K``,
            ``pooled_dice_K`` of class K: all pixels of all images; ``pooled_accuracy``.
        """
        weight = image_weights(len(self.confusion), n_boot, seed)
        pooled = np.tensordot(weight, self.confusion, axes=1)
        iou, dice = _iou(pooled), _dice(pooled)
        out = {
            "image_mean_iou": weight @ _mean(self.iou) / len(self.confusion),
            "image_mean_dice": weight @ _mean(self.dice) / len(self.confusion),
            "pooled_mean_iou": _mean(iou),
            "pooled_mean_dice": _mean(dice),
            "pooled_accuracy": ratio(_diagonal(pooled).sum(-1), pooled.sum((-1, -2))),
        }
        for i, name in enumerate(self.classes):
            out |= {f"pooled_iou_{name}": iou[:, i], f"pooled_dice_{name}": dice[:, i]}
        return {name: Estimate.of(values) for name, values in out.items()}


def evaluate_classes(
    truth: Any,
    predicted: Any,
    *,
    classes: Sequence[int] | None = None,
    ignore: int | None = None,
    rows: int | tuple[int, int] | None = None,
) -> ClassScores:
    """Score the classes of pixels, such as phases or foreground and background.

    Parameters
    ----------
    truth, predicted : int or bool array (Y, X), path, or lists of as many of them
        The value of a pixel is its class; background is a class like the others.
    classes : sequence of int, optional
        The classes that count; by default all that occur.  Pixels whose true class is
        another one are left out; a pixel found to be another one is wrong.
    ignore : int, optional
        Pixels of this true value are left out.
    rows : int or (int, int), optional
        Only the first rows count, or rows first to stop - 1.

    Returns
    -------
    ClassScores

    Raises
    ------
    InvalidSettings
        No images, not as many of the one as of the other, not of one shape, or more than
        256 classes.

    References
    ----------
    .. [1] M. Everingham et al., Int. J. Comput. Vis. 88, 303 (2010): IoU of a class over all
       pixels of a set, mean over classes.
    .. [2] L. R. Dice, Ecology 26, 297 (1945).
    """
    pairs = [
        (name, *_checked(one, other, rows)) for name, one, other in named_pairs(truth, predicted)
    ]
    if not pairs:
        raise InvalidSettings("There are no images to score.")
    if classes is None:
        occur = {int(v) for _, t, f in pairs for v in (*np.unique(t), *np.unique(f))}
        classes = sorted(occur - {ignore})
    if not 0 < len(classes) <= _MOST_CLASSES:
        raise InvalidSettings(
            f"There are {len(classes)} classes, from 1 to {_MOST_CLASSES} can be scored.",
            hint="Label images of particles are scored without --classes.",
        )
    values = np.asarray(sorted(set(classes)))
    tables = np.stack([_confusion(t, f, values, ignore) for _, t, f in pairs])
    return ClassScores(tuple(values.tolist()), tables, tuple(name for name, _, _ in pairs))


def _checked(truth: Any, predicted: Any, rows: int | tuple[int, int] | None) -> Any:
    """Take the rows that count and refuse what does not fit."""
    part = slice(*rows) if isinstance(rows, tuple) else slice(rows)
    one, other = (np.asarray(image)[part] for image in (truth, predicted))
    if one.shape != other.shape:
        raise InvalidSettings(
            f"The truth is {one.shape} px, the prediction {other.shape} px.",
            hint="Compare images of one size.",
        )
    return whole_numbers(one), whole_numbers(other)


def _confusion(
    truth: NDArray[np.int64],
    found: NDArray[np.int64],
    values: NDArray[np.int64],
    ignore: int | None,
) -> NDArray[np.int64]:
    """Count pixels by true and found class; what is found to be no class is a column less."""
    counts = np.isin(truth, values)
    if ignore is not None:
        counts &= truth != ignore
    n = len(values)
    one = np.searchsorted(values, truth[counts])
    other = np.minimum(np.searchsorted(values, found[counts]), n - 1)
    other = np.where(values[other] == found[counts], other, n)
    table = np.bincount(one * (n + 1) + other, minlength=n * (n + 1)).reshape(n, n + 1)
    return table.astype(np.int64)


def _diagonal(confusion: NDArray[Any]) -> NDArray[Any]:
    """Pixels that are right, by class."""
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _iou(confusion: NDArray[Any]) -> Values:
    """IoU of every class."""
    right = _diagonal(confusion)
    true, found = confusion.sum(-1), confusion[..., : right.shape[-1]].sum(-2)
    return ratio(right, true + found - right, empty=np.nan)


def _dice(confusion: NDArray[Any]) -> Values:
    """Dice of every class."""
    right = _diagonal(confusion)
    true, found = confusion.sum(-1), confusion[..., : right.shape[-1]].sum(-2)
    return ratio(2 * right, true + found, empty=np.nan)


def _mean(values: Values) -> Values:
    """Mean over classes, those left out that do not occur."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0).sum(-1), known.sum(-1))
