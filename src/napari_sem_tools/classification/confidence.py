"""From scores to honest probabilities and to sets that hold the truth as often as promised."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["conformal_limits", "conformal_scores", "conformal_sets", "fit_temperature", "softmax"]

Table = NDArray[np.float64]
Row = NDArray[np.float64]
Numbers = NDArray[np.intp]

_LN_RANGE: Final = (-7.0, 7.0)  # of the temperature


def softmax(scores: Table, temperature: float = 1.0) -> Table:
    """Turn scores into probabilities.

    Parameters
    ----------
    scores : float64 array (n, categories)
    temperature : float
        Above 1 makes them more even.

    Returns
    -------
    float64 array (n, categories)
        Each row sums to 1.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    raised = (scores - scores.max(axis=1, keepdims=True)) / temperature
    chance = np.exp(raised)
    return np.asarray(chance / chance.sum(axis=1, keepdims=True))


def fit_temperature(scores: Table, labels: Numbers) -> float:
    """Find the temperature under which the true categories are least surprising.

    Parameters
    ----------
    scores : float64 array (n, categories)
        Of images that the head did not learn from.
    labels : int array (n,)

    Returns
    -------
    float
        It never changes which category is first.

    Notes
    -----
    Each category is given one more imagined image, spread over all, so that a few examples
    that are all named right do not make the head certain: of n, the truth counts
    (n + 1) / (n + categories).

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
       networks", ICML (2017).
    .. [2] J. Platt, "Probabilistic outputs for support vector machines", in *Advances in
       large margin classifiers*, MIT Press (2000): its targets.

    Examples
    --------
    >>> scores = np.array([[9.0, 0.0], [9.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    >>> round(fit_temperature(scores, np.array([0, 0, 1, 1])), 1)  # 3 of 4, so 4 of 6
    13.0
    """
    from scipy.optimize import minimize_scalar

    size, count = scores.shape
    wanted = (np.eye(count)[labels] * size + 1) / (size + count)

    def surprise(ln_temperature: float) -> float:
        chance = softmax(scores, float(np.exp(ln_temperature)))
        return float(-(wanted * np.log(np.maximum(chance, 1e-300))).sum(axis=1).mean())

    found = minimize_scalar(surprise, bounds=_LN_RANGE, method="bounded")
    return float(np.exp(found.x))


def conformal_scores(chance: Table) -> Table:
    """Return how much probability comes before each category, half of its own included.

    Parameters
    ----------
    chance : float64 array (n, categories)

    Returns
    -------
    float64 array (n, categories)
        Small for likely categories.

    References
    ----------
    .. [1] Y. Romano, M. Sesia, E. Candès, "Classification with valid and adaptive coverage",
       NeurIPS (2020).  Half of the own probability stands for their random share of it, so
       that the same image always gets the same set.

    Examples
    --------
    >>> conformal_scores(np.array([[0.2, 0.8]])).tolist()
    [[0.9, 0.4]]
    """
    order = np.argsort(-chance, axis=1, kind="stable")
    falling = np.take_along_axis(chance, order, axis=1)
    before = np.cumsum(falling, axis=1) - 0.5 * falling
    found = np.empty_like(before)
    np.put_along_axis(found, order, before, axis=1)
    return found


def conformal_limits(chance: Table, labels: Numbers, missed: float) -> Row:
    """Find how large the score of a category may be for it to stay in the set.

    Parameters
    ----------
    chance : float64 array (n, categories)
        Of images that the head did not learn from.
    labels : int array (n,)
    missed : float
        Share of images whose set may lack the true category.

    Returns
    -------
    float64 array (categories,)
        Of each category by itself where it has examples enough (1/missed - 1), else of all
        together; infinite where even these are too few: then nothing can be left out.
    """
    own = conformal_scores(chance)[np.arange(len(labels)), labels]
    pooled = _quantile(own, missed)
    each = [_quantile(own[labels == number], missed) for number in range(chance.shape[1])]
    return np.asarray([pooled if np.isinf(one) else one for one in each])


def _quantile(values: Row, missed: float) -> float:
    """Return the quantile that holds for one more image; infinite with too few values."""
    rank = int(np.ceil((len(values) + 1) * (1 - missed) - 1e-9))
    return float(np.sort(values)[rank - 1]) if 1 <= rank <= len(values) else float("inf")


def conformal_sets(chance: Table, limits: Row) -> NDArray[np.bool_]:
    """Return which categories cannot be ruled out; the likeliest always stays.

    Parameters
    ----------
    chance : float64 array (n, categories)
    limits : float64 array (categories,)

    Returns
    -------
    bool array (n, categories)
    """
    kept = conformal_scores(chance) <= limits
    kept[np.arange(len(chance)), chance.argmax(axis=1)] = True
    return np.asarray(kept)
