"""From joined pieces to the labels and confidences that are handed over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.segmentation.filters import Bool, Map, enlarged

__all__ = ["edge_confidence", "on_full_grid", "renumbered", "touching_border"]

Labels = NDArray[np.int32]

_OWN_BLUR_PX = 0.7  # a sharp edge on a pixel grid
_REACH_PX = 2  # the smaller grid misses this much of an outline


def on_full_grid(labels: Labels, factor: int, foreground: Bool) -> Labels:
    """Bring labels of the smaller grid to the image's, with the outline found there.

    Parameters
    ----------
    labels : int32 array
    factor : int
    foreground : bool array (Y, X)

    Returns
    -------
    int32 array (Y, X)
    """
    if factor <= 1:
        return labels
    from skimage.segmentation import expand_labels

    grown = expand_labels(labels, _REACH_PX)
    return np.asarray(enlarged(grown, factor, foreground.shape) * foreground, np.int32)


def renumbered(labels: Labels, keep: Bool) -> Labels:
    """Drop labels and number the others from 1 without gaps.

    Parameters
    ----------
    labels : int32 array (Y, X)
    keep : bool array (n,)
        For labels 0 to n - 1; that of 0 must be False.

    Returns
    -------
    int32 array (Y, X)
    """
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return number[labels]


def touching_border(labels: Labels, field: Bool) -> NDArray[np.int32]:
    """List labels that reach the border of the image or of the field.

    Parameters
    ----------
    labels : int32 array (Y, X)
    field : bool array (Y, X)

    Returns
    -------
    int32 array
        May hold 0.
    """
    frame = np.ones_like(field)
    inner = field[1:-1, 1:-1]
    beside = [field[:-2, 1:-1], field[2:, 1:-1], field[1:-1, :-2], field[1:-1, 2:]]
    frame[1:-1, 1:-1] = ~(inner & np.logical_and.reduce(beside))
    return np.unique(labels[frame])


def edge_confidence(
    labels: Labels, gradient: Map, *, contrast: float, sigma: float
) -> NDArray[np.float32]:
    """Compare the gradient along each outline with that of a sharp edge of full contrast.

    Parameters
    ----------
    labels : int32 array (Y, X)
        Consecutive from 1.
    gradient : float32 array (Y, X)
        Of the image smoothed by a Gaussian of `sigma` px.
    contrast : float
        Of particles and background, in the units of `gradient` times px.
    sigma : float

    Returns
    -------
    float32 array (n,)
        Between 0 and 1.
    """
    count = int(labels.max(initial=0)) + 1
    total, pixels = np.zeros(count), np.zeros(count)
    for here, there in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        where = np.nonzero(labels[here] != labels[there])
        steep = np.maximum(gradient[here][where], gradient[there][where])
        for side in (labels[here][where], labels[there][where]):
            total += np.bincount(side, steep, count)
            pixels += np.bincount(side, minlength=count)
    sharp = max(contrast, 1e-12) / (np.sqrt(2 * np.pi) * np.hypot(sigma, _OWN_BLUR_PX))
    confidence = np.clip(total / np.maximum(pixels, 1) / sharp, 0, 1)
    return np.asarray(confidence[1:], np.float32)
