"""Fitted trees as plain arrays: all trees and all rows take their steps at once, in NumPy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forest"]


@dataclasses.dataclass(frozen=True, eq=False)
class Forest:
    """The sum of many regression trees.

    Attributes
    ----------
    start : float
        Value before the first tree.
    roots : int32 array (trees,)
        Node at which each tree begins.
    column : int16 array (nodes,)
        Which number a node asks for; of a leaf 0.
    limit : float32 array (nodes,)
        Up to it a row goes left; infinite at a leaf, whose left is itself.
    left, right : int32 arrays (nodes,)
    value : float32 array (nodes,)
        Of a leaf; elsewhere 0.
    depth : int
        Steps of the longest way.
    """

    start: float
    roots: NDArray[np.int32]
    column: NDArray[np.int16]
    limit: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float32]
    depth: int

    def __call__(self, rows: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the sum of the trees.

        Parameters
        ----------
        rows : float array (n, columns)

        Returns
        -------
        float64 array (n,)
        """
        node = np.repeat(self.roots[None, :], len(rows), axis=0)
        row = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            goes_left = rows[row, self.column[node]] <= self.limit[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        return np.asarray(self.start + self.value[node].sum(axis=1, dtype=np.float64))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> Forest:
        """Take a forest out of a file of arrays.

        Parameters
        ----------
        arrays : mapping
            As `packed` made it.
        name : str

        Returns
        -------
        Forest
        """
        sizes, column, limit, turn, value = (
            arrays[f"{name}.{part}"] for part in ("sizes", "column", "limit", "right", "value")
        )
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        own = np.arange(len(column), dtype=np.int32)
        leaf = turn == 0  # children follow their parent: the left one at once
        return cls(
            float(arrays[f"{name}.start"]),
            first,
            column.astype(np.int16),
            np.where(leaf, np.inf, limit).astype(np.float32),
            np.where(leaf, own, own + 1).astype(np.int32),
            np.where(leaf, own, own + turn).astype(np.int32),
            np.where(leaf, value, 0).astype(np.float32),
            int(arrays[f"{name}.depth"]),
        )
