"""What decides between categories: the nearest prototype, or a linear probe.

Both are linear in the vector of an image: score of a category = weights @ vector + offset.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEADS", "Head", "HeadRow", "fit_linear", "fit_prototypes", "left_out", "parts_of"]

Table = NDArray[np.float64]
Vectors = NDArray[np.float32]
Numbers = NDArray[np.intp]

_FEW: Final = 20  # examples; up to here each group is left out by itself
_PARTS: Final = 5  # groups are left out together, with more examples than that
_STEPS: Final = 60  # of the minimiser
_LEAST_VARIANCE: Final = 1e-8
_NEVER: Final = 1e6  # below all scores


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """A linear decision between categories.

    Attributes
    ----------
    weights : float64 array (categories, dimension)
    offsets : float64 array (categories,)
    """

    weights: Table
    offsets: Table

    def scores(self, vectors: Vectors) -> Table:
        """Return the score of every category, before softmax.

        Parameters
        ----------
        vectors : float32 array (n, dimension)

        Returns
        -------
        float64 array (n, categories)
        """
        return np.asarray(vectors @ self.weights.T + self.offsets)


def fit_prototypes(vectors: Vectors, labels: Numbers, count: int, strength: float = 1.0) -> Head:
    """Take the mean of each category as its prototype; the nearest one decides.

    Parameters
    ----------
    vectors : float32 array (n, dimension)
    labels : int array (n,)
        Number of the category of each.
    count : int
        Number of categories; one without examples is never the nearest.
    strength : float
        Not used; prototypes have nothing to tune.

    Returns
    -------
    Head
        Scores are half the squared distances, negative, less what all categories share.
        Distances are in spreads of the examples, so that what all examples have in common
        counts nothing.

    References
    ----------
    .. [1] J. Snell, K. Swersky, R. Zemel, "Prototypical networks for few-shot learning",
       NeurIPS (2017).

    Examples
    --------
    >>> head = fit_prototypes(np.eye(2, dtype=np.float32), np.array([0, 1]), 2)
    >>> head.scores(np.array([[0.6, 0.8]], np.float32)).argmax(1).tolist()
    [1]
    """
    middle, spread = _scale(vectors, labels)
    table = (vectors - middle) / spread
    sums = np.zeros((count, table.shape[1]))
    np.add.at(sums, labels, table)
    share = np.bincount(labels, minlength=count)[:, None]
    means = sums / np.maximum(share, 1)
    offsets = np.where(share[:, 0] > 0, -0.5 * np.square(means).sum(1), -_NEVER)
    return _unscaled(means, offsets, middle, spread)


def fit_linear(vectors: Vectors, labels: Numbers, count: int, strength: float = 1.0) -> Head:
    """Fit a logistic regression with squared penalty; all categories weigh the same.

    Parameters
    ----------
    vectors : float32 array (n, dimension)
    labels : int array (n,)
    count : int
        Number of categories.
    strength : float
        How far the fit follows the examples: the inverse of the penalty (C), for vectors
        in spreads of the examples.

    Returns
    -------
    Head

    Examples
    --------
    >>> head = fit_linear(np.eye(2, dtype=np.float32), np.array([0, 1]), 2)
    >>> head.scores(np.eye(2, dtype=np.float32)).argmax(1).tolist()
    [0, 1]
    """
    from scipy.optimize import minimize

    middle, spread = _scale(vectors, labels)
    table = np.column_stack([(vectors - middle) / spread, np.ones(len(vectors))])
    truth = np.eye(count)[labels]
    weight = _balance(labels)
    penalty = np.full(table.shape[1], 1 / (strength * len(labels)))
    penalty[-1] = 0  # of the offset

    def loss(flat: Table) -> tuple[float, Table]:
        weights = flat.reshape(count, -1)
        scores = table @ weights.T
        scores -= scores.max(1, keepdims=True)
        chance = np.exp(scores)
        total = chance.sum(1, keepdims=True)
        surprise = weight @ (np.log(total[:, 0]) - (scores * truth).sum(1))
        slope = ((chance / total - truth) * weight[:, None]).T @ table
        slope += weights * penalty
        return float(surprise + 0.5 * (np.square(weights) * penalty).sum()), slope.ravel()

    start = np.zeros(count * table.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    weights = found.x.reshape(count, -1)
    return _unscaled(weights[:, :-1], weights[:, -1], middle, spread)


def _balance(labels: Numbers) -> Table:
    """Weigh examples so that all categories that occur weigh the same, 1 in all."""
    share = np.bincount(labels)
    return np.asarray(1 / (share[labels] * np.count_nonzero(share)))


def _scale(vectors: Vectors, labels: Numbers) -> tuple[Table, Table]:
    """Return middle and spread of the examples, the spread half way to that of all numbers."""
    weight = _balance(labels)
    middle = weight @ vectors
    variance = weight @ np.square(vectors - middle)
    return middle, np.sqrt(0.5 * (variance + variance.mean()) + _LEAST_VARIANCE)


def _unscaled(weights: Table, offsets: Table, middle: Table, spread: Table) -> Head:
    """Make a head of vectors out of one of scaled vectors."""
    raw = weights / spread
    return Head(raw, offsets - raw @ middle)


Fit = Callable[[Vectors, Numbers, int, float], Head]


@dataclasses.dataclass(frozen=True)
class HeadRow:
    """A kind of head.

    Attributes
    ----------
    fit : callable
        Of vectors, labels, number of categories and strength.
    strengths : tuple of float
        Those that are tried.
    help : str
    """

    fit: Fit
    strengths: tuple[float, ...]
    help: str


HEADS: Final[Mapping[str, HeadRow]] = {
    "prototypes": HeadRow(fit_prototypes, (1.0,), "nearest mean; good from one example"),
    "linear": HeadRow(
        fit_linear, (0.01, 0.1, 1.0), "logistic regression; better from about ten examples"
    ),
}
"""The heads by name."""


def parts_of(groups: Numbers) -> Numbers:
    """Divide groups into the parts that are left out together.

    Parameters
    ----------
    groups : int array (n,)
        Group of each example.

    Returns
    -------
    int array (n,)
        Up to 20 examples: each group is a part.  Else five parts of about as many examples,
        the largest groups dealt out first.

    Examples
    --------
    >>> parts_of(np.array([7, 7, 3])).tolist()
    [1, 1, 0]
    """
    _, place, count = np.unique(groups, return_inverse=True, return_counts=True)
    if len(groups) <= _FEW or len(count) <= _PARTS:
        return np.asarray(place, np.intp)
    filled = np.zeros(_PARTS)
    part = np.zeros(len(count), np.intp)
    for group in np.argsort(-count, kind="stable"):
        part[group] = filled.argmin()
        filled[part[group]] += count[group]
    return part[place]


def left_out(
    row: HeadRow,
    strength: float,
    vectors: Vectors,
    queries: Vectors,
    labels: Numbers,
    parts: Numbers,
) -> Table:
    """Return the scores that each example gets from a head that saw none of its part.

    Parameters
    ----------
    row : HeadRow
    strength : float
    vectors, queries : float32 arrays (n, dimension)
        What a head learns from, and how the same examples look as single images.
    labels, parts : int arrays (n,)

    Returns
    -------
    float64 array (n, categories)
    """
    count = int(labels.max()) + 1
    scores = np.zeros((len(labels), count))
    for part in np.unique(parts):
        out = parts == part
        if out.all():
            continue
        head = row.fit(vectors[~out], labels[~out], count, strength)
        scores[out] = head.scores(queries[out])
    return scores
