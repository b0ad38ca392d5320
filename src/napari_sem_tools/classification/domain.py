"""How far an image is from what is known: the distance to its nearest neighbours."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["far_limit", "left_out_distances", "nearest"]

Vectors = NDArray[np.float32]
Row = NDArray[np.float64]
Numbers = NDArray[np.intp]

_MOST_NEIGHBOURS: Final = 10


def nearest(
    queries: Vectors, vectors: Vectors, *, neighbours: int | None = None
) -> tuple[Row, Numbers]:
    """Find how far the known vectors are, and which is the nearest.

    Parameters
    ----------
    queries : float32 array (n, dimension)
    vectors : float32 array (known, dimension)
        All of length 1 and of the same embedding.
    neighbours : int, optional
        Whose distance counts; by default the root of the number of known ones, at most 10.

    Returns
    -------
    distance : float64 array (n,)
        Of the neighbour of that rank, between 0 (same direction) and 2.
    place : int array (n,)
        Which known vector is the very nearest.

    References
    ----------
    .. [1] Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-distribution detection with deep nearest
       neighbors", ICML (2022).

    Examples
    --------
    >>> known = np.eye(3, dtype=np.float32)
    >>> distance, place = nearest(known[:1], known, neighbours=2)
    >>> distance.round(3).tolist(), place.tolist()
    ([1.414], [0])
    """
    return _ranked(_distances(queries, vectors), neighbours or _rank(len(vectors)))


def left_out_distances(
    queries: Vectors, vectors: Vectors, groups: Numbers, *, neighbours: int | None = None
) -> Row:
    """Return how far each example is from those of other groups.

    Parameters
    ----------
    queries, vectors : float32 arrays (n, dimension)
        The same examples as single images and as they are kept.
    groups : int array (n,)
    neighbours : int, optional
        As for `nearest`.

    Returns
    -------
    float64 array (n,)
        Infinite where all examples are of one group.
    """
    apart = _distances(queries, vectors)
    apart[np.equal.outer(groups, groups)] = np.inf
    return _ranked(apart, neighbours or _rank(len(vectors)))[0]


def far_limit(distances: Row, percentile: float) -> float:
    """Return the distance beyond which an image is unlike the examples.

    Parameters
    ----------
    distances : float64 array (n,)
        As `left_out_distances` gives them.
    percentile : float
        Of the examples that shall be nearer.

    Returns
    -------
    float
    """
    known = distances[np.isfinite(distances)]
    if not len(known):
        return float("inf")
    return float(np.quantile(known, percentile / 100, method="higher"))


def _distances(queries: Vectors, vectors: Vectors) -> Row:
    """Return the distances between unit vectors."""
    cosine = np.asarray(queries @ vectors.T, np.float64)
    return np.sqrt(np.maximum(2 - 2 * cosine, 0))


def _ranked(distances: Row, neighbours: int) -> tuple[Row, Numbers]:
    """Return the distance of a rank, and the place of the smallest."""
    rank = min(neighbours, distances.shape[1]) - 1
    found = np.partition(distances, rank, axis=1)[:, rank]
    return found, np.asarray(distances.argmin(axis=1), np.intp)


def _rank(count: int) -> int:
    """Return which neighbour counts among so many."""
    return int(np.clip(round(np.sqrt(count) / 2), 1, _MOST_NEIGHBOURS))
