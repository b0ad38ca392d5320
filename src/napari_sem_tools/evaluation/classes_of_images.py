"""How good a classification of whole images is: right, sure, honest about what it does not know.

======================  ====================================================================
``accuracy``            share of images named right
``macro_f1``            mean over categories of 2 x right / (named so + being so)
``balanced_accuracy``   mean over categories of the share named right
``top_k``               share whose true category is among the k likeliest
``ece``                 mean gap of confidence and accuracy, over 15 bins of confidence
``covered``             share that is answered when the answered ones are 99 % right
``auroc``               chance that a strange image lies further than one of the categories
======================  ====================================================================

Intervals resample groups (specimens, sessions), since images of one group err alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.classification.confidence import fit_temperature, softmax
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.estimates import Estimate, image_weights, ratio

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImageClassScores", "evaluate_images", "separation"]

Row = NDArray[np.float64]
Numbers = NDArray[np.intp]

_BINS: Final = 15


@dataclasses.dataclass(frozen=True, eq=False)
class ImageClassScores:
    """Named images beside their true categories.

    Attributes
    ----------
    names : tuple of str
        Of the categories.
    true : int array (n,)
    chance : float64 array (n, categories)
        Probabilities; each row sums to 1.
    groups : int array (n,)
        Specimen or session of each image, numbered from 0.

    Examples
    --------
    >>> chance = [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.1, 0.9]]
    >>> scores = evaluate_images(["a", "a", "b", "b"], chance, ("a", "b"))
    >>> scores.accuracy, round(scores.macro_f1, 3)
    (0.75, 0.733)
    >>> scores.confusion.tolist()
    [[2, 0], [1, 1]]
    """

    names: tuple[str, ...]
    true: Numbers
    chance: Row
    groups: Numbers

    @property
    def named(self) -> Numbers:
        """The likeliest category of each image."""
        return np.asarray(self.chance.argmax(axis=1), np.intp)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Number of images by true and by named category."""
        return np.asarray(self._confusion(np.ones(len(self.true))), np.int64)

    @property
    def confusion_percent(self) -> Row:
        """The same as a share of each true category, in per cent; NaN where none is so."""
        counts = self.confusion
        return 100 * ratio(counts, counts.sum(axis=1, keepdims=True), empty=np.nan)

    @property
    def accuracy(self) -> float:
        """Share of images named right."""
        return float((self.named == self.true).mean())

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the categories that occur."""
        return float(_macro_f1(self.confusion.astype(float)))

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the categories that occur."""
        return float(_balanced(self.confusion.astype(float)))

    def top_k(self, k: int) -> float:
        """Return the share of images whose true category is among the k likeliest."""
        own = self.chance[np.arange(len(self.true)), self.true]
        ahead = (self.chance > own[:, None]).sum(axis=1)
        return float((ahead < k).mean())

    def ece(self, *, equal_mass: bool = False) -> float:
        """Return the expected calibration error over 15 bins.

        Parameters
        ----------
        equal_mass : bool
            Bins of equally many images instead of equal width.

        Returns
        -------
        float

        References
        ----------
        .. [1] M. P. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated
           probabilities using Bayesian binning", AAAI (2015).
        """
        table = self.reliability(equal_mass=equal_mass)
        gap = table["images"] * (table["accuracy"] - table["confidence"]).abs()
        return float(gap.sum() / len(self.true))

    def reliability(self, *, equal_mass: bool = False) -> pd.DataFrame:
        """Return how right the images of every bin of confidence are.

        Parameters
        ----------
        equal_mass : bool
            Bins of equally many images instead of equal width.

        Returns
        -------
        DataFrame
            ``confidence``, ``accuracy`` (means) and ``images`` of each bin that has any.
        """
        import pandas as pd

        sure = self.chance.max(axis=1)
        place = np.minimum((sure * _BINS).astype(np.intp), _BINS - 1)
        if equal_mass:
            order = np.argsort(sure, kind="stable")
            place = np.empty(len(sure), np.intp)
            place[order] = np.arange(len(sure)) * _BINS // len(sure)
        count = np.bincount(place, minlength=_BINS)
        means = {
            "confidence": ratio(np.bincount(place, sure, _BINS), count),
            "accuracy": ratio(np.bincount(place, self.named == self.true, _BINS), count),
            "images": count,
        }
        return pd.DataFrame(means)[count > 0].reset_index(drop=True)

    def tempered(self, temperature: float | None = None) -> ImageClassScores:
        """Return the scores with probabilities made more or less even.

        Parameters
        ----------
        temperature : float, optional
            By default that under which the true categories are least surprising; then it
            must come from other images than those that are scored.

        Returns
        -------
        ImageClassScores
        """
        logs = np.log(np.maximum(self.chance, 1e-12))
        if temperature is None:
            temperature = fit_temperature(logs, self.true)
        return dataclasses.replace(self, chance=softmax(logs, temperature))

    def covered(self, accuracy: float = 0.99) -> tuple[float, float]:
        """Find how many images can be answered when few of the answers may be wrong.

        Parameters
        ----------
        accuracy : float
            That the answered images shall have.

        Returns
        -------
        share : float
            Of the images that are answered.
        confidence : float
            From which they are; infinite when none can be.
        """
        order = np.argsort(-self.chance.max(axis=1), kind="stable")
        sure = self.chance.max(axis=1)[order]
        right = np.cumsum((self.named == self.true)[order]) / np.arange(1, len(order) + 1)
        ends = np.append(sure[1:] < sure[:-1], True)  # equal confidence is answered together
        enough = np.flatnonzero((right >= accuracy) & ends)
        if not len(enough):
            return 0.0, float("inf")
        return float((enough[-1] + 1) / len(order)), float(sure[enough[-1]])

    def suspects(self) -> Numbers:
        """List images whose label is probably wrong, the surest first.

        Returns
        -------
        int array (k,)
            Places of images that are more confidently of another category than images of
            that category are on average.  The probabilities must come from models that did
            not see the image.

        References
        ----------
        .. [1] C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty
           in dataset labels", J. Artif. Intell. Res. 70, 1373 (2021).
        """
        size = len(self.names)
        own = self.chance[np.arange(len(self.true)), self.true]
        count = np.bincount(self.true, minlength=size)
        mean = ratio(np.bincount(self.true, own, size), count, empty=np.inf)
        over = np.where(self.chance >= mean, self.chance, -np.inf)
        other = over.argmax(axis=1)
        found = np.flatnonzero(np.isfinite(over.max(axis=1)) & (other != self.true))
        lead = self.chance[found, other[found]] - own[found]
        return np.asarray(found[np.argsort(-lead, kind="stable")], np.intp)

    def per_class(self) -> pd.DataFrame:
        """Return precision, recall, F1 and number of images of every category.

        Returns
        -------
        DataFrame
            A row a category; NaN where nothing was named so, or nothing is so.
        """
        import pandas as pd

        counts = self.confusion
        right = np.diagonal(counts)
        named, being = counts.sum(axis=0), counts.sum(axis=1)
        return pd.DataFrame(
            {
                "precision": ratio(right, named, empty=np.nan),
                "recall": ratio(right, being, empty=np.nan),
                "f1": ratio(2 * right, named + being, empty=np.nan),
                "images": being,
            },
            index=pd.Index(self.names, name="category"),
        )

    def confused(self, most: int = 10) -> list[tuple[str, str, int]]:
        """List the pairs of categories that are confused most.

        Parameters
        ----------
        most : int
            Pairs at most.

        Returns
        -------
        list of (str, str, int)
            True category, named category, images.
        """
        wrong = self.confusion * (1 - np.eye(len(self.names), dtype=np.int64))
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        places = [divmod(int(place), len(self.names)) for place in order]
        return [(self.names[a], self.names[b], int(wrong[a, b])) for a, b in places if wrong[a, b]]

    def summary(self, *, n_boot: int = 1000, seed: int = 0) -> dict[str, Estimate]:
        """Return accuracy, macro-F1 and balanced accuracy with intervals over groups.

        Parameters
        ----------
        n_boot : int
            Draws of as many groups, with replacement.
        seed : int

        Returns
        -------
        dict of str to Estimate
        """
        count = int(self.groups.max()) + 1
        cells = np.stack([self._confusion(self.groups == group) for group in range(count)])
        counts = np.tensordot(image_weights(count, n_boot, seed), cells, axes=1)
        series: dict[str, Callable[[Row], Row]] = {
            "accuracy": _accuracy,
            "macro_f1": _macro_f1,
            "balanced_accuracy": _balanced,
        }
        return {name: Estimate.of(function(counts)) for name, function in series.items()}

    def _confusion(self, weight: NDArray[Any]) -> Row:
        """Count images by true and named category, each with its weight."""
        size = len(self.names)
        place = self.true * size + self.named
        counts = np.bincount(place, weight.astype(np.float64), size * size)
        return np.asarray(counts.reshape(size, size), np.float64)


def evaluate_images(
    true: Sequence[str],
    chance: ArrayLike,
    names: Sequence[str],
    *,
    groups: Sequence[Any] | None = None,
) -> ImageClassScores:
    """Hold named images against their true categories.

    Parameters
    ----------
    true : sequence of str (n,)
        True category of each image.
    chance : array (n, categories)
        Probability of every category, as the columns ``p ...`` of `classify` give them.
    names : sequence of str
        Of the categories, in the order of the columns.
    groups : sequence (n,), optional
        Specimen or session of each image; by default each is a group.

    Returns
    -------
    ImageClassScores

    Raises
    ------
    InvalidSettings
        Sizes do not agree, a category is not among the names, or a row is no distribution.
    """
    table = np.asarray(chance, np.float64)
    if table.shape != (len(true), len(names)) or not len(true):
        raise InvalidSettings(
            f"Probabilities of shape {table.shape} do not fit {len(true)} images and "
            f"{len(names)} categories."
        )
    unknown = sorted(set(true) - set(names))
    if unknown:
        raise InvalidSettings(
            f"{unknown[0]!r} is none of the categories.", hint=f"Known: {', '.join(names)}."
        )
    if not (np.isfinite(table).all() and np.allclose(table.sum(1), 1, atol=1e-3)):
        raise InvalidSettings("The probabilities of an image do not sum to 1.")
    place = np.asarray([list(names).index(one) for one in true], np.intp)
    kinds = np.arange(len(true)) if groups is None else np.asarray(groups)
    if len(kinds) != len(true):
        raise InvalidSettings(f"{len(kinds)} groups do not fit {len(true)} images.")
    _, number = np.unique(kinds, return_inverse=True)
    return ImageClassScores(tuple(names), place, table, np.asarray(number, np.intp))


def separation(strange: ArrayLike, known: ArrayLike) -> float:
    """Return the area under the ROC curve of a distance that shall tell strange images.

    Parameters
    ----------
    strange, known : array
        Distances of images that are of no category, and of those that are.

    Returns
    -------
    float
        1: every strange one lies further; 0.5: chance.

    Examples
    --------
    >>> separation([0.9, 0.7, 0.3], [0.1, 0.3])
    0.9166666666666666
    """
    from scipy.stats import rankdata

    far, near = np.asarray(strange, np.float64), np.asarray(known, np.float64)
    ranks = rankdata(np.concatenate([far, near]))[: len(far)]
    above = ranks.sum() - len(far) * (len(far) + 1) / 2
    return float(above / (len(far) * len(near)))


def _accuracy(counts: Row) -> Row:
    """Return the share on the diagonal of confusion matrices (..., categories, categories)."""
    return ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)), empty=np.nan)


def _macro_f1(counts: Row) -> Row:
    """Return the mean F1 over the categories that occur."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    both = counts.sum(-1) + counts.sum(-2)
    return np.asarray(np.nanmean(_occurring(ratio(2 * right, both), counts), axis=-1))


def _balanced(counts: Row) -> Row:
    """Return the mean recall over the categories that occur."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.asarray(np.nanmean(_occurring(ratio(right, counts.sum(-1)), counts), axis=-1))


def _occurring(values: Row, counts: Row) -> Row:
    """Leave out categories that no image is of."""
    return np.where(counts.sum(-1) > 0, values, np.nan)
