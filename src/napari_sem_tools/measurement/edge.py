"""Which particles the border, the data bar or a region's outline cuts.

A particle is an *edge particle* when its outline, grown by a margin, leaves the field
anywhere but at burnt-in letters.  `Micrograph.marks` says which pixels are letters; what
else lies outside `Micrograph.field` (data bar, regions left out by the user, beyond the
image) is a boundary.  Where `marks` is None, no pixel is known to be a letter.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import Floats, Runs, RunSums
from napari_sem_tools.micrograph import Micrograph

__all__ = ["Bands", "bands_of", "boundary_of", "touches"]


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


@dataclasses.dataclass(frozen=True, eq=False)
class Bands:
    """A field of whole rows, such as a picture above a data bar: no mask is needed for it.

    Attributes
    ----------
    blocked : bool array (Y,)
        Rows in which no whole particle may lie.
    margin_px, columns : int
        Columns at both sides in which none may lie, and the width of the image.
    """

    blocked: NDArray[np.bool_]
    margin_px: int
    columns: int

    def cut(self, runs: Runs, sums: RunSums) -> NDArray[np.bool_]:
        """Tell which particles have a pixel outside; bool array (n,)."""
        hit = (sums.left < self.margin_px) | (sums.right > self.columns - self.margin_px)
        hit[runs.particle[self.blocked[runs.row]]] = True
        return hit

    def weights(self, sums: RunSums) -> Floats:
        """Weigh boxes as `statistics.edge_weights.weights_of_boxes` does; 0: not wholly free."""
        steps = np.flatnonzero(np.diff(self.blocked, prepend=True, append=True))
        heights = steps[1::2] - steps[::2]
        width = max(self.columns - 2 * self.margin_px, 0)
        h, w = sums.bottom - sums.top, sums.right - sums.left
        down = np.maximum(heights[:, None] - h + 1, 0).sum(axis=0)
        places = down * np.maximum(width - w + 1, 0)
        rows = np.concatenate([[0], np.cumsum(self.blocked)])
        whole = rows[sums.bottom] == rows[sums.top]
        whole &= (sums.left >= self.margin_px) & (sums.right <= self.columns - self.margin_px)
        weights = np.zeros(len(h))
        np.divide(float(heights.sum() * width), places, out=weights, where=whole & (places > 0))
        return weights


def bands_of(image: Micrograph, margin_px: int) -> Bands | None:
    """Return the field as rows; None where it has another outline or letters in it.

    Parameters
    ----------
    image : Micrograph
    margin_px : int
        How far from border and data bar a particle must stay.

    Returns
    -------
    Bands or None
    """
    inside = np.asarray(image.field.all(axis=1))
    if (image.marks is not None and image.marks.any()) or image.field[~inside].any():
        return None
    blocked = grow(~inside[:, None], margin_px)[:, 0] if margin_px else ~inside
    if margin_px:
        blocked[:margin_px] = blocked[-margin_px:] = True
    return Bands(blocked, margin_px, image.shape[1])


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
