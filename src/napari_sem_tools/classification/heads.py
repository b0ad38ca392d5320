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
    """Take the mean direction of each category as its prototype.

    Parameters
    ----------
    vectors : float32 array (n, dimension)
        Of length 1.
    labels : int array (n,)
        Number of the category of each.
    count : int
        Number of categories; one without examples gets a score of 0.
    strength : float
        Not used; prototypes have nothing to tune.

    Returns
    -------
    Head
        Scores are cosines.

    References
    ----------
    .. [1] J. Snell, K. Swersky, R. Zemel, "Prototypical networks for few-shot learning",
       NeurIPS (2017).

    Examples
    --------
    >>> head = fit_prototypes(np.eye(2, dtype=np.float32), np.array([0, 1]), 2)
    >>> head.scores(np.array([[0.6, 0.8]], np.float32)).round(1).tolist()
    [[0.6, 0.8]]
    """
    sums = np.zeros((count, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return Head(sums / np.maximum(length, 1e-12), np.zeros(count))


def fit_linear(vectors: Vectors, labels: Numbers, count: int, strength: float = 1.0) -> Head:
    """Fit a logistic regression with squared penalty; all categories weigh the same.

    Parameters
    ----------
    vectors : float32 array (n, dimension)
        Of length 1.
    labels : int array (n,)
    count : int
        Number of categories.
    strength : float
        How far the fit follows the examples: the inverse of the penalty (C).

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

    scale = np.sqrt(vectors.shape[1])
    table = np.column_stack([vectors * scale, np.ones(len(vectors))])
    truth = np.eye(count)[labels]
    share = np.bincount(labels, minlength=count)
    weight = (len(labels) / np.maximum(share * np.count_nonzero(share), 1))[labels]
    penalty = np.ones(table.shape[1]) / (strength * len(labels))
    penalty[-1] = 0  # of the offset

    def loss(flat: Table) -> tuple[float, Table]:
        weights = flat.reshape(count, -1)
        scores = table @ weights.T
        scores -= scores.max(1, keepdims=True)
        chance = np.exp(scores)
        total = chance.sum(1, keepdims=True)
        surprise = weight @ (np.log(total[:, 0]) - (scores * truth).sum(1)) / len(labels)
        slope = ((chance / total - truth) * weight[:, None]).T @ table / len(labels)
        slope += weights * penalty
        return float(surprise + 0.5 * (np.square(weights) * penalty).sum()), slope.ravel()

    start = np.zeros(count * table.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    weights = found.x.reshape(count, -1)
    return Head(weights[:, :-1] * scale, weights[:, -1].copy())


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
        fit_linear, (0.03, 0.3, 3.0), "logistic regression; better from about ten examples"
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
