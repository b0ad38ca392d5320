"""Boosted regression trees as plain arrays, worked out for many rows at once by NumPy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forest", "forest_of"]


@dataclasses.dataclass(frozen=True, eq=False)
class Forest:
    """Trees whose leaves add up.

    Attributes
    ----------
    feature : int16 array (trees, nodes)
        Column that a node asks; -1 for a leaf.
    threshold : float32 array (trees, nodes)
        Values up to it go to `low`, larger ones and NaN to `high`.
    low, high : int16 arrays (trees, nodes)
        Nodes that follow.
    value : float32 array (trees, nodes)
        Of a leaf.
    base : float
        What the trees add to.
    depth : int
        Questions on the longest way.

    Examples
    --------
    >>> import numpy as np
    >>> one = Forest(np.array([[0, -1, -1]]), np.array([[0.5, 0, 0]]), np.array([[1, 0, 0]]),
    ...              np.array([[2, 0, 0]]), np.array([[0, -1, 2]]), 5.0, 1)
    >>> one(np.array([[0.0], [1.0]])).tolist()
    [4.0, 7.0]
    """

    feature: NDArray[np.integer[Any]]
    threshold: NDArray[np.floating[Any]]
    low: NDArray[np.integer[Any]]
    high: NDArray[np.integer[Any]]
    value: NDArray[np.floating[Any]]
    base: float
    depth: int

    def __call__(self, rows: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the sum of the leaves that rows end in.

        Parameters
        ----------
        rows : float array (n, columns)

        Returns
        -------
        float64 array (n,)
        """
        tree = np.arange(len(self.feature))[:, None]
        which = np.arange(len(rows))[None, :]
        node = np.zeros((len(self.feature), len(rows)), np.intp)
        for _ in range(self.depth):
            asked = self.feature[tree, node]
            below = rows[which, np.maximum(asked, 0)] <= self.threshold[tree, node]
            after = np.where(below, self.low[tree, node], self.high[tree, node])
            node = np.where(asked < 0, node, after)
        leaves = self.value[tree, node].astype(np.float64)
        return np.asarray(self.base + leaves.sum(axis=0))


def forest_of(arrays: Mapping[str, NDArray[Any]]) -> Forest | None:
    """Make trees of the arrays of a file; None where there are none.

    Parameters
    ----------
    arrays : mapping of str to array
        ``tree_feature``, ``tree_threshold``, ``tree_low``, ``tree_high``, ``tree_value`` and
        ``tree_base`` (base, depth).

    Returns
    -------
    Forest or None
    """
    if "tree_feature" not in arrays:
        return None
    base, depth = (float(number) for number in arrays["tree_base"])
    return Forest(
        np.asarray(arrays["tree_feature"], np.int16),
        np.asarray(arrays["tree_threshold"], np.float32),
        np.asarray(arrays["tree_low"], np.int16),
        np.asarray(arrays["tree_high"], np.int16),
        np.asarray(arrays["tree_value"], np.float32),
        base,
        int(depth),
    )
