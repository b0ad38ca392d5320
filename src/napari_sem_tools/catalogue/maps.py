"""A collection as points in a plane: principal components, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

__all__ = ["plane"]

Ids = NDArray[np.int64]
Blocks = Callable[[], Iterable[tuple[Ids, NDArray[np.float32]]]]


def plane(blocks: Blocks, dimension: int) -> tuple[Ids, NDArray[np.float64], tuple[float, float]]:
    """Project vectors onto their first two principal components, in constant memory.

    Parameters
    ----------
    blocks : callable
        Gives all numbers and vectors block by block; called twice.
    dimension : int
        Length of the vectors.

    Returns
    -------
    int64 array (n,), float64 array (n, 2), (float, float)
        Numbers, places, and the share of the variance along either axis.  The sign of an axis
        is that in which its largest weight is positive.

    Raises
    ------
    InvalidSettings
        There are fewer than three vectors.

    References
    ----------
    .. [1] K. Pearson, On lines and planes of closest fit to systems of points in space,
       Phil. Mag. 2 (1901) 559-572.

    Examples
    --------
    >>> points = np.array([[0, 0, 0], [2, 0, 0], [4, 1, 0], [6, 0, 0]], np.float32)
    >>> ids, places, shares = plane(lambda: [(np.arange(4), points)], 3)
    >>> places[:, 0].round(1).tolist(), round(shares[0], 2)
    ([-3.0, -1.0, 1.0, 3.0], 0.97)
    """
    count, total = 0, np.zeros(dimension)
    products = np.zeros((dimension, dimension))
    for _, vectors in blocks():
        exact = vectors.astype(np.float64)
        count += len(exact)
        total += exact.sum(axis=0)
        products += exact.T @ exact
    if count < 3:
        raise InvalidSettings(
            f"{count} images with vectors make no map.", hint="Add images, or widen the filter."
        )
    middle = total / count
    variances, axes = np.linalg.eigh(products / count - np.outer(middle, middle))
    axes = axes[:, : -3 if dimension > 2 else None : -1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    ids, places = [], []
    for numbers, vectors in blocks():
        ids.append(numbers)
        places.append((vectors - middle) @ axes)
    shares = variances[::-1][:2] / max(variances.sum(), 1e-30)
    return np.concatenate(ids), np.concatenate(places), (float(shares[0]), float(shares[1]))
