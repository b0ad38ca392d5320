"""What can be said of every particle that one look found, before it is believed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.segmentation.filters import largest_within

__all__ = ["FEATURES", "Look", "Overlaps", "describe", "features_of"]

Labels = NDArray[np.int32]
Map = NDArray[np.float32]
Table = NDArray[np.float64]

_OWN = (
    "confidence", "log_width_px", "foreground", "certainty", "border_on_outline",
    "border_inside", "peak", "distance", "foreground_outside", "free_outline", "cut_by_edge",
    "log_compactness",
)  # fmt: skip
_OTHER = ("best_overlap", "covered", "log_pieces", "share_of_whole")
_LOOK = (
    "look_certainty", "look_certainty_to_best", "log_count", "log_scale", "log_median_px",
    "log_area_median_px", "foreground_share", "mean_confidence",
)  # fmt: skip
FEATURES = (*_OWN, *(f"finer_{n}" for n in _OTHER), *(f"coarser_{n}" for n in _OTHER), *_LOOK)
"""Columns of `features_of`, in order."""

_RING_PX = 2  # how far beyond an outline is just outside
_NO_LOOK = -1.0  # there is no finer or coarser look to compare with
_SMALL = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
    """What the network saw at one scale.

    Attributes
    ----------
    scale : float
        Size of the image that it saw over that of the image.
    labels : int32 array (Y, X)
        On the grid of the image, consecutive from 1.
    own : float array (n, 12)
        The columns that need no other look.
    certainty : float
        Confidence of the particles weighted by area, times the mean distance of the
        foreground map from undecided.
    foreground : float
        Share of the field that is particle.
    """

    scale: float
    labels: Labels
    own: Table
    certainty: float
    foreground: float

    @property
    def count(self) -> int:
        """Number of particles."""
        return len(self.own)


def describe(labels: Labels, maps: NDArray[np.float32], confidence: Map) -> Table:
    """Tabulate the particles of one look on the network's grid.

    Parameters
    ----------
    labels : int32 array (Y, X)
        Consecutive from 1 to n.
    maps : float32 array (3, Y, X)
        Foreground, border and distance, 0 to 1.
    confidence : float32 array (n,)

    Returns
    -------
    float array (n, 12)
        The first columns of `FEATURES`: confidence; log of the root of the area; mean
        foreground and its certainty; mean border on and within the outline; largest and mean
        distance; mean foreground just outside; share of the outline that faces ground;
        1 where the image cuts it; log of perimeter^2 / (4 pi area), perimeter in outline
        pixels.
    """
    foreground, border, distance = maps
    count = len(confidence)
    outline = _outline(labels)
    inside = np.flatnonzero(labels)
    number, rim = labels.ravel()[inside], outline.ravel()[inside]
    along, within = number[rim], number[~rim]

    def mean(values: Map, of: NDArray[np.int32], where: NDArray[np.intp]) -> Table:
        total = np.bincount(of, values.ravel()[where], count + 1)
        return np.asarray(total / np.maximum(np.bincount(of, minlength=count + 1), 1))[1:]

    area = np.bincount(number, minlength=count + 1)[1:]
    length = np.bincount(along, minlength=count + 1)[1:]
    peak = np.zeros(count + 1, np.float32)
    np.maximum.at(peak, number, distance.ravel()[inside])
    grown = largest_within(labels, _RING_PX)
    ring = np.flatnonzero((labels == 0) & (grown > 0))
    beside = grown.ravel()[ring]
    cut = np.zeros(count + 1, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        cut[side] = True
    compact = length**2 / (4 * np.pi * np.maximum(area, 1))
    return np.column_stack([
        confidence,
        np.log(np.sqrt(area) + _SMALL),
        mean(foreground, number, inside),
        mean(np.abs(2 * foreground - 1), number, inside),
        mean(border, along, inside[rim]),
        mean(border, within, inside[~rim]),
        peak[1:],
        mean(distance, number, inside),
        mean(foreground, beside, ring),
        np.bincount(beside, minlength=count + 1)[1:] / np.maximum(2.2 * length, 1),
        cut[1:],
        np.log(np.maximum(compact, 0.3)),
    ])  # fmt: skip


def _outline(labels: Labels) -> NDArray[np.bool_]:
    """Mark the pixels of particles that touch another label."""
    found = np.zeros(labels.shape, bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= right
    found[:, :-1] |= right
    return found & (labels > 0)


class Overlaps:
    """How many pixels each particle of one look shares with each of another.

    Parameters
    ----------
    labels : sequence of int32 arrays (Y, X)
        One per look, of the same grid.

    Notes
    -----
    Rows of pixels with the same labels in all looks are counted as one run, so that a pair
    of looks costs as much as there are runs, not pixels.
    """

    def __init__(self, labels: Sequence[Labels]) -> None:
        flat = [np.ascontiguousarray(each).ravel() for each in labels]
        change = np.zeros(flat[0].size, bool)
        change[:1] = True
        for each in flat:
            change[1:] |= each[1:] != each[:-1]
        starts = np.flatnonzero(change)
        self.runs = np.diff(starts, append=flat[0].size)
        self.codes = [each[starts].astype(np.int64) for each in flat]
        self.areas = [np.bincount(codes, self.runs).astype(float) for codes in self.codes]

    def pairs(self, a: int, b: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Table]:
        """Return numbers in look a, numbers in look b, and shared pixels, where there are any.

        Parameters
        ----------
        a, b : int
            Places of the looks.

        Returns
        -------
        first, second : int array (m,)
        shared : float array (m,)
        """
        both = (self.codes[a] > 0) & (self.codes[b] > 0)
        width = len(self.areas[b])
        keys, inverse = np.unique(
            self.codes[a][both] * width + self.codes[b][both], return_inverse=True
        )
        first, second = np.divmod(keys, width)
        return first, second, np.bincount(inverse, self.runs[both], len(keys)).astype(float)

    def compared(self, a: int, b: int) -> Table:
        """Compare each particle of look a with those of look b.

        Parameters
        ----------
        a, b : int

        Returns
        -------
        float array (n, 4)
            Largest intersection over union; share of it that lies in particles of b; log(1 +
            number of particles of b that lie mostly in it); its share of the particle of b
            that it lies mostly in, 0 without one.
        """
        first, second, shared = self.pairs(a, b)
        area_a, area_b = self.areas[a], self.areas[b]
        table = np.zeros((len(area_a), 4))
        union = area_a[first] + area_b[second] - shared
        np.maximum.at(table[:, 0], first, shared / union)
        np.add.at(table[:, 1], first, shared)
        table[:, 1] /= np.maximum(area_a, 1)
        np.add.at(table[:, 2], first[shared > 0.5 * area_b[second]], 1)
        table[:, 2] = np.log1p(table[:, 2])
        held = shared > 0.5 * area_a[first]
        np.maximum.at(table[:, 3], first[held], (area_a[first] / area_b[second])[held])
        return table[1:]


def features_of(looks: Sequence[Look], overlaps: Overlaps) -> list[Table]:
    """Tabulate the particles of all looks.

    Parameters
    ----------
    looks : sequence of Look
        From the finest scale to the coarsest.
    overlaps : Overlaps
        Of their labels.

    Returns
    -------
    list of float arrays (n, 28)
        Columns of `FEATURES`, one table a look.
    """
    best = max(look.certainty for look in looks) + 1e-6
    tables = []
    for place, look in enumerate(looks):
        beside = [
            overlaps.compared(place, other)
            if 0 <= other < len(looks)
            else np.full((look.count, len(_OTHER)), _NO_LOOK)
            for other in (place - 1, place + 1)
        ]
        common = np.tile(_of_look(look, best, overlaps.areas[place][1:]), (look.count, 1))
        tables.append(np.column_stack([look.own, *beside, common]))
    return tables


def _of_look(look: Look, best: float, areas: Table) -> Table:
    """Say what all particles of a look have in common; sizes are those the network saw."""
    median = by_area = 0.0
    if look.count:
        order = np.argsort(areas)
        reached = np.cumsum(areas[order])
        half = areas[order][np.searchsorted(reached, reached[-1] / 2)]
        sizes = np.sqrt([np.median(areas), half]) * look.scale + _SMALL
        median, by_area = np.log(sizes)
    return np.array([
        look.certainty, look.certainty / best, np.log1p(look.count), np.log(look.scale),
        median, by_area, look.foreground, look.own[:, 0].mean() if look.count else 0.0,
    ])  # fmt: skip
