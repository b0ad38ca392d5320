"""How well outlines agree: boundary F1, and the three scores of the published workflow."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.evaluation.overlaps import tally

__all__ = ["MaskCounts", "boundary_counts", "mask_counts", "outline_pixels", "with_gaps"]

Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SHIFTED_PX = 6.0  # up to here shifted copies are faster than a distance transform
_AFTER = ((0, 1), (1, 0), (1, 1), (1, -1))  # neighbours that come later in reading order


@dataclasses.dataclass(frozen=True)
class MaskCounts:
    """Sums behind the three scores of Rühle et al. for one image.

    Attributes
    ----------
    both, only_true, only_found, neither : int
        Pixels of the two masks.
    best_iou : float
        Sum over the outlines of the found mask of the largest IoU with an outline of the
        true one.
    found_outlines, true_outlines : int
    """

    both: int
    only_true: int
    only_found: int
    neither: int
    best_iou: float
    found_outlines: int
    true_outlines: int


def outline_pixels(labels: Labels) -> Mask:
    """Mark the pixels of particles that share an edge with another label or the background.

    Parameters
    ----------
    labels : int array (Y, X)

    Returns
    -------
    bool array (Y, X)
        The border of the image is no outline.
    """
    edge = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        ahead = [slice(None)] * labels.ndim
        behind = list(ahead)
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        differs = labels[tuple(ahead)] != labels[tuple(behind)]
        edge[tuple(ahead)] |= differs
        edge[tuple(behind)] |= differs
    return edge & (labels > 0)


def boundary_counts(true: Labels, found: Labels, tolerance: float) -> tuple[int, int, int, int]:
    """Count the outline pixels that lie near an outline of the other image.

    Parameters
    ----------
    true, found : int array (Y, X)
    tolerance : float
        Largest distance between the centres of two pixels, px.

    Returns
    -------
    (int, int, int, int)
        True outline pixels near a found one, all true ones, found ones near a true one, all
        found ones.

    References
    ----------
    .. [1] G. Csurka, D. Larlus, F. Perronnin, "What is a good evaluation measure for semantic
       segmentation?", BMVC (2013): per image, with a tolerance; here the outlines of all
       particles are compared, those between touching particles too.
    """
    ours, theirs = outline_pixels(true), outline_pixels(found)
    near_true = int((ours & _near(theirs, tolerance)).sum())
    near_found = int((theirs & _near(ours, tolerance)).sum())
    return near_true, int(ours.sum()), near_found, int(theirs.sum())


def _near(mask: Mask, distance: float) -> Mask:
    """Mark what lies within a distance of the pixels of a mask."""
    from scipy import ndimage

    reach = distance + 1e-9  # a distance of 2 ** 0.5 typed as 1.4142136 is meant to hold it
    if not mask.any():
        return mask
    if reach > _SHIFTED_PX:
        away: Mask = ndimage.distance_transform_edt(~mask) <= reach
        return away
    steps = np.arange(-int(reach), int(reach) + 1)
    rows, columns = mask.shape
    wide = np.pad(mask, int(reach))
    out = np.zeros(mask.shape, bool)
    for dy, dx in ((y, x) for y in steps for x in steps if np.hypot(y, x) <= reach):
        top, left = dy + int(reach), dx + int(reach)
        out |= wide[top : top + rows, left : left + columns]
    return out


def with_gaps(labels: Labels) -> Mask:
    """Draw labels as a mask in which touching particles are one pixel apart.

    Parameters
    ----------
    labels : int array (Y, X)
        Numbered without large gaps.

    Returns
    -------
    bool array (Y, X)
        Of two particles that share an edge anywhere, the larger one (of equal ones the first
        in reading order) loses the pixels next to the other, corners included.  Particles
        that meet at corners alone stay as they are, as in masks drawn by hand.
    """
    place = _order(labels)
    contacts = [_contacts(labels, shift) for shift in _AFTER]
    touching = np.unique(np.concatenate([key for key, _ in contacts[:2]]))
    mask: Mask = labels > 0
    flat = mask.reshape(-1)
    for key, (here, there) in contacts:
        one, other = here[np.isin(key, touching)], there[np.isin(key, touching)]
        first = place[labels.ravel()[one]] < place[labels.ravel()[other]]
        flat[np.where(first, one, other)] = False
    return mask


def _order(labels: Labels) -> Labels:
    """Rank labels by area, largest first, then by their first pixel in reading order."""
    flat = labels.ravel()
    area = np.bincount(flat, minlength=1)
    first = np.zeros(len(area), np.int64)
    first[flat[::-1]] = np.arange(flat.size)[::-1]  # the last to be written comes first
    place = np.empty(len(area), np.int64)
    place[np.lexsort((first, -area))] = np.arange(len(area))
    return place


def _contacts(labels: Labels, shift: tuple[int, int]) -> tuple[Labels, tuple[Labels, Labels]]:
    """List where a pixel and the one after it belong to two particles: pair, and both places."""
    down, right = shift
    rows, columns = labels.shape
    left = max(-right, 0)
    here = labels[: rows - down, left : columns - max(right, 0)]
    there = labels[down:, left + right : left + right + here.shape[1]]
    row, column = np.nonzero((here != there) & (here > 0) & (there > 0))
    one, other = here[row, column], there[row, column]
    key = np.minimum(one, other) * (int(labels.max(initial=0)) + 1) + np.maximum(one, other)
    at = row * columns + column + left
    return key, (at, at + down * columns + right)


def mask_counts(true: Labels, found: Labels) -> MaskCounts:
    """Count what the three scores of the published workflow are made of.

    Parameters
    ----------
    true, found : int array (Y, X)
        Both are drawn as masks by `with_gaps` first.

    Returns
    -------
    MaskCounts

    References
    ----------
    .. [1] B. Rühle, J. F. Krumrey, V.-D. Hodoroaba, Sci. Rep. 11, 4942 (2021),
       10.1038/s41598-021-84287-6, as its published code has them: IoU (Img) of the masks;
       IoU (Inst), for each 8-connected, filled outline of the found mask the largest IoU with
       such an outline of the true mask, holes being outlines of their own, mean over the
       outlines found; Youden's index over pixels.  There each has its own best threshold,
       chosen on the test masks; here one result enters all three.
    """
    ours, theirs = with_gaps(true), with_gaps(found)
    both, size = int((ours & theirs).sum()), ours.size
    only_true, only_found = int(ours.sum()) - both, int(theirs.sum()) - both
    best, count, of_truth = _best_outlines(ours, theirs)
    return MaskCounts(
        both=both,
        only_true=only_true,
        only_found=only_found,
        neither=size - both - only_true - only_found,
        best_iou=best,
        found_outlines=count,
        true_outlines=of_truth,
    )


def _best_outlines(ours: Mask, theirs: Mask) -> tuple[float, int, int]:
    """Sum the best IoU of each filled outline of `theirs`; count outlines of both."""
    from scipy import sparse

    (part_t, inside_t), (part_f, inside_f) = _filled(ours), _filled(theirs)
    counts = (inside_f.shape[1], inside_t.shape[1])
    key, pixels = tally(part_f.ravel() * counts[1] + part_t.ravel(), counts[0] * counts[1])
    cells = sparse.csr_array((pixels, np.divmod(key, counts[1])), shape=counts)
    shared = sparse.coo_array(inside_f @ cells @ inside_t.T)
    area_f, area_t = inside_f @ cells.sum(1), inside_t @ cells.sum(0)
    iou = shared.data / (area_f[shared.row] + area_t[shared.col] - shared.data)
    best = np.zeros(inside_f.shape[0])
    np.maximum.at(best, shared.row, iou)
    return float(best.sum()), inside_f.shape[0], inside_t.shape[0]


def _filled(mask: Mask) -> tuple[Labels, Any]:
    """Give numbers to particles and holes, and tell which of them lie within which outline.

    Particles (8-connected) and background (4-connected) form a tree: what is above the first
    pixel of a region, in reading order, surrounds it.  An outline is a region with all that
    hangs below it.

    Returns
    -------
    region : int array (Y, X)
        0 is the background that reaches the border.
    inside : sparse array (outlines, regions)
    """
    from scipy import ndimage, sparse

    framed = np.pad(mask, 1)
    particle, count = ndimage.label(framed, np.ones((3, 3)))
    ground, holes = ndimage.label(~framed)
    region = np.where(framed, particle + holes - 1, ground - 1).astype(np.int64)
    size = count + holes
    first = np.zeros(size, np.int64)
    flat = region.ravel()
    first[flat[::-1]] = np.arange(flat.size)[::-1]  # the last to be written comes first
    around = flat[np.maximum(first - framed.shape[1], 0)]
    node = np.arange(1, size)
    above, below = [node], [node]
    up = around[node]
    while (up > 0).any():
        node, up = node[up > 0], up[up > 0]
        above.append(up)
        below.append(node)
        up = around[up]
    rows, columns = np.concatenate(above) - 1, np.concatenate(below)
    inside = sparse.csr_array((np.ones(len(rows), np.int64), (rows, columns)), (size - 1, size))
    return region[1:-1, 1:-1], inside
