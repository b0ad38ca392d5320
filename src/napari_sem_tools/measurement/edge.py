"""Which particles the border, the data bar or a region's outline cuts.

A particle is an *edge particle* when its outline, grown by a margin, leaves the field
anywhere but at burnt-in letters.  `Micrograph.marks` says which pixels are letters; what
else lies outside `Micrograph.field` (data bar, regions left out by the user, beyond the
image) is a boundary.  Where `marks` is None, no pixel is known to be a letter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import Runs
from napari_sem_tools.micrograph import Micrograph

__all__ = ["boundary_of", "touches"]


def boundary_of(image: Micrograph, margin_px: int) -> NDArray[np.bool_]:
    """Return the pixels in which no whole particle may lie.

    Parameters
    ----------
    image : Micrograph
    margin_px : int
        How far from border, data bar and regions a particle must stay; 0: it may touch.

    Returns
    -------
    bool array (Y, X)
    """
    outside = ~image.field
    if image.marks is not None:
        outside &= ~image.marks
        if image.data_bar is not None:
            outside[slice(*image.data_bar)] = True
    grown = grow(outside, margin_px) if outside.any() else outside
    if margin_px:
        grown[:margin_px] = grown[-margin_px:] = True
        grown[:, :margin_px] = grown[:, -margin_px:] = True
    return grown


def grow(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """Grow a mask by a number of pixels, along rows, columns and diagonals."""
    for axis in (0, 1):
        view = np.moveaxis(mask, axis, 0)
        grown = view.copy()
        for step in range(1, min(steps, len(view) - 1) + 1):
            grown[step:] |= view[:-step]
            grown[:-step] |= view[step:]
        mask = np.moveaxis(grown, 0, axis)
    return np.ascontiguousarray(mask)


def touches(labels: NDArray[np.integer], runs: Runs, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which particles have a pixel in a mask.

    Returns
    -------
    bool array (n,)
    """
    hit = np.zeros(runs.count, bool)
    inside = labels[mask]
    hit[runs.particles_of(inside[inside != 0])] = True
    return hit
