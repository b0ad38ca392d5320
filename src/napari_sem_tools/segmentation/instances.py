"""From the maps of a separating network to particles; needs no torch.

Seeds and outlines come from the maps that the network learned, never from a distance
transform of a binary map.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.segmentation.filters import largest_within
from napari_sem_tools.tasks import Cancel, stop_if_cancelled

__all__ = ["Decoding", "decode"]

Map = NDArray[np.float32]
Labels = NDArray[np.int32]


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How maps become particles.

    Attributes
    ----------
    foreground : float
        Level of the foreground map above which a pixel is particle.
    peak_height : float
        A peak of the distance map is a seed when it stands this far above the pass to a
        higher one.
    split_border : float
        Neighbours stay apart when the border map along their common edge is at least this
        on average; else they are joined again.
    smoothing_px : float
        Gaussian on the distance map before peaks are looked for.
    min_diameter_px : float
        Smaller particles are dropped.
    min_confidence : float
        Less certain particles are dropped.
    """

    foreground: float = 0.5
    peak_height: float = 0.1
    split_border: float = 0.5
    smoothing_px: float = 0.7
    min_diameter_px: float = 5.0
    min_confidence: float = 0.5


_SURE_PEAK = 0.8  # distance value that the middle of a well seen particle reaches


def decode(
    maps: Map, decoding: Decoding | None = None, *, cancel: Cancel | None = None
) -> tuple[Labels, NDArray[np.float32]]:
    """Turn maps into a label image and a confidence per particle.

    Parameters
    ----------
    maps : float32 array (3, Y, X)
        Foreground, border and distance, 0 to 1.
    decoding : Decoding, optional
    cancel : callable, optional
        Asked between the steps.

    Returns
    -------
    labels : int32 array (Y, X)
        Consecutive from 1.
    confidence : float32 array (n,)
        Mean foreground in the particle times its distance peak, 0 to 1.

    Notes
    -----
    The distance map over-segments: every local maximum starts a basin, and one watershed
    finds them all.  A basin whose peak hardly rises above its highest pass falls to the
    neighbour behind that pass (its *dynamics*, as in h-maxima).  Then the border map
    decides each remaining common edge.  Each component keeps one basin at least.

    References
    ----------
    .. [1] M. Grimaud, "A new measure of contrast: the dynamics", Proc. SPIE 1769 (1992).
    """
    from scipy.ndimage import gaussian_filter
    from skimage.segmentation import watershed

    how = decoding or Decoding()
    foreground, border, distance = maps
    mask = foreground > how.foreground
    if not mask.any():
        return np.zeros(mask.shape, np.int32), np.zeros(0, np.float32)
    relief = gaussian_filter(distance * (1 - 0.5 * border), how.smoothing_px)
    seeds = _peaks(relief, mask)
    stop_if_cancelled(cancel)
    basins = watershed(-relief, seeds, mask=mask)
    stop_if_cancelled(cancel)
    edges = _common_edges(basins, relief, border)
    stop_if_cancelled(cancel)
    peaks = _maximum(relief, basins)
    owner = _merge_low_peaks(peaks, edges, how.peak_height)
    owner = _merge_weak_edges(owner, edges, how.split_border)
    return _kept(owner[basins], foreground, distance, how)


@dataclasses.dataclass(frozen=True)
class _Edges:
    """Common edges of basins: one row a pair of neighbouring pixels, of basins a < b."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    height: Map
    border: Map


def _peaks(relief: Map, mask: NDArray[np.bool_]) -> Labels:
    """Label the local maxima inside the mask; every component has one."""
    from scipy.ndimage import label

    top = mask & (relief >= largest_within(np.where(mask, relief, 0)))
    return np.asarray(label(top, np.ones((3, 3), int))[0], np.int32)


def _maximum(values: Map, labels: Labels) -> Map:
    """Return the largest value in each label, index 0 included."""
    largest = np.zeros(int(labels.max()) + 1, np.float32)
    np.maximum.at(largest, labels.ravel(), values.ravel())
    return largest


def _common_edges(basins: Labels, relief: Map, border: Map) -> _Edges:
    """Collect all pairs of neighbouring pixels that lie in two basins."""
    near = largest_within(border)  # the border may lie a pixel beside the edge
    parts = []
    for axis in (0, 1):
        a, b = (np.take(basins, r, axis) for r in _shifted(basins.shape[axis]))
        where = (a != b) & (a > 0) & (b > 0)
        low, high = np.minimum(a, b)[where], np.maximum(a, b)[where]
        sides = [
            [np.take(m, r, axis)[where] for r in _shifted(m.shape[axis])] for m in (relief, near)
        ]
        parts.append((low, high, np.minimum(*sides[0]), 0.5 * (sides[1][0] + sides[1][1])))
    first, second, height, along = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Edges(first.astype(np.int64), second.astype(np.int64), height, along)


def _shifted(count: int) -> tuple[range, range]:
    """Return the indices of all but the last and all but the first."""
    return range(count - 1), range(1, count)


def _merge_low_peaks(peaks: Map, edges: _Edges, height: float) -> NDArray[np.int64]:
    """Let each basin of small dynamics fall to the neighbour behind its highest pass."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(peaks)
    owner = np.arange(count)
    for _ in range(64):  # each round at least halves what is left to merge
        a, b = owner[edges.first], owner[edges.second]
        inner = a != b
        own = np.concatenate([a[inner], b[inner]])
        other = np.concatenate([b[inner], a[inner]])
        passes = np.tile(edges.height[inner], 2)
        order = np.lexsort((passes, own))  # the highest pass of each basin comes last
        last = order[np.flatnonzero(np.diff(own[order], append=count))]
        own, other, passes = own[last], other[last], passes[last]
        higher = (peaks[other] > peaks[own]) | ((peaks[other] == peaks[own]) & (other < own))
        falls = higher & (peaks[own] - passes < height)
        if not falls.any():
            break
        links = coo_array((np.ones(falls.sum()), (own[falls], other[falls])), (count, count))
        _, group = connected_components(links, directed=False)
        owner = _relabelled(owner, group, peaks)
    return owner


def _relabelled(
    owner: NDArray[np.int64], group: NDArray[np.int32], peaks: Map
) -> NDArray[np.int64]:
    """Name every group after its highest member."""
    order = np.lexsort((peaks, group))
    heads = order[np.flatnonzero(np.diff(group[order], append=group.max() + 1))]
    return np.asarray(heads[group[owner]], np.int64)


def _merge_weak_edges(owner: NDArray[np.int64], edges: _Edges, least: float) -> NDArray[np.int64]:
    """Join neighbours across the common edges with the least border, until all have enough.

    What was joined has a longer edge to its other neighbours, which has to be weak as a whole:
    a chain of particles is not one particle because each touches the next somewhere.  In each
    round all pairs join that are each other's weakest edge, which is the order of joining the
    weakest edge of all, again and again.
    """
    count = len(owner)
    group = np.arange(count)
    a, b = owner[edges.first], owner[edges.second]
    apart = a != b
    a, b = a[apart], b[apart]
    border: NDArray[Any] = edges.border[apart].astype(float)
    length: NDArray[Any] = np.ones(len(a))
    while True:
        pairs, inverse = np.unique(np.minimum(a, b) * count + np.maximum(a, b), return_inverse=True)
        border = np.bincount(inverse, border, len(pairs))
        length = np.bincount(inverse, length, len(pairs))
        a, b = np.divmod(pairs, count)
        mean = border / length
        weak = np.flatnonzero(mean < least)
        weak = weak[np.argsort(mean[weak], kind="stable")]
        rank = np.full(count, len(weak))
        place = np.arange(len(weak))
        for side in (a, b):
            np.minimum.at(rank, side[weak], place)
        joined = weak[(rank[a[weak]] == place) & (rank[b[weak]] == place)]
        if not len(joined):
            return np.asarray(group[owner] + 1, np.int64) * (owner > 0)
        into = np.arange(count)
        into[b[joined]] = a[joined]
        group, a, b = into[group], into[a], into[b]
        apart = a != b
        a, b, border, length = a[apart], b[apart], border[apart], length[apart]


def _kept(
    labels: NDArray[np.int64], foreground: Map, distance: Map, how: Decoding
) -> tuple[Labels, NDArray[np.float32]]:
    """Drop what is too small or too uncertain, and number the rest."""
    flat = labels.ravel()
    count = int(flat.max(initial=0)) + 1
    area = np.bincount(flat, minlength=count)
    certain = np.bincount(flat, foreground.ravel(), count) / np.maximum(area, 1)
    peak = np.zeros(count, np.float32)
    np.maximum.at(peak, flat, distance.ravel())
    confidence = certain * np.clip(peak / _SURE_PEAK, 0, 1)
    keep = (area >= np.pi / 4 * how.min_diameter_px**2) & (confidence >= how.min_confidence)
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return numbers[labels], confidence[keep].astype(np.float32)
