"""How large a usual particle is, before any is found."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_sem_tools.segmentation.filters import Bool, Map

__all__ = ["distance_inside", "usual_diameter", "weighted_median"]

_MAX_PIXELS = 400_000  # the scale is looked for at this resolution
_SMALLEST_RADIUS_PX = 1.5
_DEFAULT_PX = 8.0


def distance_inside(foreground: Bool) -> Map:
    """Distance of every particle pixel to the background in px; none beyond the border."""
    padded = np.pad(foreground, 1, mode="edge")
    distance = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return np.asarray(distance, np.float32)


def usual_diameter(foreground: Bool) -> float:
    """Estimate the diameter of a usual particle from the widths of the foreground.

    The maxima of the distance to the background are the radii of the largest discs that fit
    in; their median, weighted by area, is taken.

    Parameters
    ----------
    foreground : bool array (Y, X)

    Returns
    -------
    float
        Diameter in px; 8 where there is nothing.

    Examples
    --------
    >>> yy, xx = np.mgrid[:100, :100]
    >>> round(usual_diameter(np.hypot(yy - 50, xx - 50) < 20))
    40
    """
    factor = max(1, int(np.sqrt(foreground.size / _MAX_PIXELS)))
    distance = distance_inside(foreground[::factor, ::factor])
    top = (distance == ndimage.maximum_filter(distance, 5)) & (distance > _SMALLEST_RADIUS_PX)
    radius = distance[top] * factor
    return 2 * weighted_median(radius, radius**2) if radius.size else _DEFAULT_PX


def weighted_median(values: Map, weights: Map) -> float:
    """Value that half of the weight does not exceed."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
