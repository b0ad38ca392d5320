"""Whether particles are brighter or darker than their surroundings."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_sem_tools.micrograph import Segmentation
from napari_sem_tools.segmentation.filters import Bool, Map, quick_sample, shrunk, smoothed
from napari_sem_tools.segmentation.merging import log_ellipse

__all__ = ["particle_likeness", "polarity_score"]

_SIGMAS_PX = (2, 4, 8, 16, 32)
_BORDER_WEIGHT = 1.2  # against the sum over all scales
_FRAME_PX = 2
_ELLIPSE_WIDTH = 0.08  # of the log area by which a particle differs from an ellipse
_STEEP = 5  # power of the gradient: outlines outvote texture


def polarity_score(values: Map, field: Bool) -> float:
    """Tell bright from dark particles by the way their outlines bend.

    Particles are mostly convex, what lies between them is not: seen from inside a particle
    its outline bends inwards.  The curvature of the lines of equal grey is averaged over
    the image at five scales, weighted by a high power of the gradient, so that outlines count
    and texture does not.  The phase that holds less of the frame of the image gets a
    smaller say.

    Parameters
    ----------
    values : float32 array (Y, X)
        Grey values, 0 to 1.
    field : bool array (Y, X)
        Pixels that count.

    Returns
    -------
    float
        About -6 to 6; above 0: particles are bright.

    References
    ----------
    .. [1] J. J. Koenderink, A. J. van Doorn, "Surface shape and curvature scales", Image
       Vis. Comput. 10, 557 (1992): curvature of isophotes.

    Examples
    --------
    >>> yy, xx = np.mgrid[:128, :128]
    >>> disc = (np.hypot(yy - 64, xx - 64) < 30).astype(np.float32)
    >>> field = np.ones((128, 128), bool)
    >>> polarity_score(disc, field) > 0 > polarity_score(1 - disc, field)
    True
    """
    score = sum(_bend(values, field, sigma) for sigma in _SIGMAS_PX)
    return score + _BORDER_WEIGHT * _frame_balance(values, field)


def particle_likeness(found: Segmentation) -> float:
    """Say how much what was found looks like particles: compact and with sharp outlines.

    What lies between particles, taken for particles, is neither.

    Parameters
    ----------
    found : Segmentation

    Returns
    -------
    float
        Mean of ellipse-likeness times confidence, weighted by diameter; 0 to 1.
    """
    if not found.count:
        return 0.0
    rows, columns = np.nonzero(found.labels)
    which = found.labels[rows, columns] - 1
    y, x = rows.astype(float), columns.astype(float)
    parts = (np.ones_like(y), y, x, y * y, x * x, y * x)
    sums = np.array([np.bincount(which, part, found.count) for part in parts])
    compact = np.exp(np.minimum(log_ellipse(sums), 0) / _ELLIPSE_WIDTH)
    return float(np.average(compact * found.confidence, weights=np.sqrt(sums[0])))


def _bend(values: Map, field: Bool, sigma: int) -> float:
    """Mean curvature of bright outlines at one scale, from -1 (concave) to 1 (convex)."""
    factor = max(1, sigma // 2)
    image = smoothed(shrunk(values, factor), sigma / factor)
    if min(image.shape) < 8:
        return 0.0
    inside = shrunk(field, factor) >= 1
    if not inside.all():
        inside = ndimage.binary_erosion(inside, iterations=2)
    inside[:2] = inside[-2:] = False
    inside[:, :2] = inside[:, -2:] = False
    gy, gx = (np.asarray(np.gradient(image, axis=axis), np.float32) for axis in (0, 1))
    gyy, gxy, gxx = (np.gradient(gy, axis=0), np.gradient(gx, axis=0), np.gradient(gx, axis=1))
    squared = gy**2 + gx**2
    along = gxx * gy**2 - 2 * gxy * gx * gy + gyy * gx**2
    bend = (-along / (squared + 1e-3 * squared.mean() + 1e-12))[inside]  # curvature x gradient
    bend *= squared[inside] ** (_STEEP / 2)
    total = float(np.abs(bend).sum())
    return float(bend.sum()) / total if total > 0 else 0.0


def _frame_balance(values: Map, field: Bool) -> float:
    """Share of dark less share of bright in the frame of the image, halved."""
    from skimage.filters import threshold_otsu

    soft = smoothed(values, 2.0)
    inside = quick_sample(soft[field])
    frame = np.zeros(field.shape, bool)
    frame[:_FRAME_PX] = frame[-_FRAME_PX:] = True
    frame[:, :_FRAME_PX] = frame[:, -_FRAME_PX:] = True
    frame &= field
    if not frame.any() or inside.min() == inside.max():
        return 0.0
    return 0.5 - float((soft[frame] > threshold_otsu(inside)).mean())
