"""A collection as points in a plane: principal components, or neighbours kept together (UMAP)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings, MissingExtra
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["MAPS", "neighbourhoods", "plane"]

MAPS: Final = ("pca", "umap")
"""The kinds of map."""

_SEED: Final = 0  # the same collection gives the same map
_NEIGHBOURS: Final = 15
_LEAST: Final = 4  # images; below there are no neighbours to speak of

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


def neighbourhoods(
    blocks: Blocks, *, progress: Progress | None = None, cancel: Cancel | None = None
) -> tuple[Ids, NDArray[np.float64]]:
    """Lay vectors out so that near ones stay near, by UMAP.

    Parameters
    ----------
    blocks : callable
        Gives all numbers and vectors block by block; all vectors are held in memory.
    progress, cancel : callable, optional
        Asked before UMAP begins, which cannot be stopped.

    Returns
    -------
    int64 array (n,), float64 array (n, 2)
        Numbers and places, the same at each run.  Who is near whom is kept; distances between
        groups, and their sizes, mean nothing.

    Raises
    ------
    InvalidSettings
        There are fewer than four vectors.
    MissingExtra
        umap-learn is not installed.
    Cancelled

    References
    ----------
    .. [1] L. McInnes, J. Healy, J. Melville, UMAP: Uniform manifold approximation and projection
       for dimension reduction, arXiv:1802.03426 (2018).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells about an absent TensorFlow
            from umap import UMAP
    except ImportError as error:
        raise MissingExtra("This map needs umap-learn.", extra="maps") from error
    parts = [(numbers, vectors.astype(np.float32)) for numbers, vectors in blocks()]
    count = sum(len(numbers) for numbers, _ in parts)
    if count < _LEAST:
        raise InvalidSettings(
            f"{count} images with vectors make no map.", hint="Add images, or widen the filter."
        )
    stop_if_cancelled(cancel)
    report(progress, 0, 0, "laying out the map; the first time takes half a minute")
    method = UMAP(
        n_neighbors=min(_NEIGHBOURS, count - 1),
        metric="cosine",
        init="random" if count <= 2 * _LEAST else "spectral",  # too few to be decomposed
        random_state=_SEED,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fixed seed means one thread; it says so each time
        places = method.fit_transform(np.concatenate([vectors for _, vectors in parts]))
    stop_if_cancelled(cancel)
    return np.concatenate([numbers for numbers, _ in parts]), np.asarray(places, np.float64)
