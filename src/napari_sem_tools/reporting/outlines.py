"""Exact outlines of labels: closed rings along the sides of their pixels.

A ring runs through corners of pixels and holds exactly the pixels of its label, so the area of
the rings is the number of pixels, and filling them gives the labels back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

__all__ = ["Outlines", "label_outlines", "plane_of_labels"]

Ints = NDArray[np.int64]
Part = list[NDArray[np.int32]]
"""Outer ring of a connected part, then its holes."""

# Sides of a pixel in the order in which a ring runs around it: top, right, bottom, left.
_BESIDE = ((-1, 0), (0, 1), (1, 0), (0, -1))  # neighbour across the side (row, column)
_ALONG = ((0, 1), (1, 0), (0, -1), (-1, 0))  # neighbour that the side runs towards
_START = ((0, 0), (0, 1), (1, 1), (1, 0))  # corner that the side starts from


@dataclasses.dataclass(frozen=True, eq=False)
class Outlines:
    """The rings of all labels of an image.

    Attributes
    ----------
    corners : int32 array (m, 2)
        (y, x) of the corners of all rings one after the other; the image covers 0 to Y and
        0 to X, so napari's coordinates are these less a half.  No corner lies on the straight
        line through its neighbours.
    starts : int64 array (rings + 1,)
        Where each ring starts in `corners`; it closes from its last corner to its first.
    labels : int64 array (rings,)
        Label of each ring, rising.
    parts : int64 array (rings,)
        Number of the connected part (pixels that share a side) that the ring belongs to.
    holes : bool array (rings,)
        True for holes; each part has one ring that is none, and it comes first.
    """

    corners: NDArray[np.int32]
    starts: Ints
    labels: Ints
    parts: Ints
    holes: NDArray[np.bool_]

    def ring(self, number: int) -> NDArray[np.int32]:
        """Return the corners (n, 2) of one ring."""
        return self.corners[self.starts[number] : self.starts[number + 1]]

    def polygons(self) -> Iterator[tuple[int, list[Part]]]:
        """Yield each label with its connected parts: the outer ring, then the holes."""
        rings = np.split(self.corners, self.starts[1:-1]) if len(self.labels) else []
        parts: list[Part] = []
        label = -1
        for ring, own, hole in zip(rings, self.labels.tolist(), self.holes.tolist(), strict=True):
            if own != label:
                if parts:
                    yield label, parts
                label, parts = own, []
            if hole:
                parts[-1].append(ring)
            else:
                parts.append([ring])
        if parts:
            yield label, parts


def plane_of_labels(labels: Any) -> NDArray[np.integer]:
    """Return labels as one plane of whole numbers.

    Parameters
    ----------
    labels : int array (Y, X)

    Returns
    -------
    int array (Y, X)

    Raises
    ------
    InvalidSettings
        A stack, fractions, or a number below 0.
    """
    plane = np.asarray(labels)
    if plane.ndim != 2:
        raise InvalidSettings(
            f"Outlines are drawn on one plane; these labels have {plane.ndim} axes.",
            hint="Export each page of a stack by itself.",
        )
    if plane.dtype.kind == "b":
        return plane.astype(np.uint8)
    if plane.dtype.kind not in "iu" or (plane.size and int(plane.min()) < 0):
        raise InvalidSettings(
            "Labels are whole numbers: 0 is the background, particles count from 1.",
        )
    return plane


def label_outlines(labels: Any) -> Outlines:
    """Trace the outlines of all labels along the sides of their pixels.

    Parameters
    ----------
    labels : int array (Y, X)

    Returns
    -------
    Outlines
        A label may have several parts and holes.  Rings touch themselves nowhere, which is what
        readers of polygons ask for.

    Raises
    ------
    InvalidSettings
        The labels are no plane of whole numbers.

    Notes
    -----
    Sides between a pixel and what is not its label are the edges of a graph in which each has
    one successor; pointers that jump twice as far in each step give every side its ring and its
    place there, for all particles at once.  Memory: about 100 bytes a side.

    References
    ----------
    J. JáJá, "An Introduction to Parallel Algorithms", 1992, chapter 2 (list ranking).

    Examples
    --------
    >>> found = label_outlines([[0, 1, 1], [0, 1, 0]])
    >>> found.ring(0).tolist()
    [[0, 1], [0, 3], [1, 3], [1, 2], [2, 2], [2, 1]]
    """
    from skimage.measure import label as connected

    plane = plane_of_labels(labels)
    framed = np.pad(plane, 1)  # no side lies on the border
    sides = _Sides.of(framed)
    if not sides.pixel.size:
        empty = np.zeros(0, np.int64)
        none = np.zeros((0, 2), np.int32)
        return Outlines(none, np.zeros(1, np.int64), empty, empty, np.zeros(0, bool))
    following = _without_touching(sides, framed)
    ring, place = _rings(following)
    order = np.lexsort((place, ring))
    parts = np.asarray(connected(framed, background=0, connectivity=1)).ravel()[sides.pixel]
    return _gathered(sides, order, ring, parts, framed)


@dataclasses.dataclass(frozen=True, eq=False)
class _Sides:
    """All sides of pixels that bound a label; the first of a pixel's sides come first."""

    pixel: Ints
    kind: Ints
    keys: Ints
    size: int
    columns: int

    @classmethod
    def of(cls, framed: NDArray[np.integer]) -> _Sides:
        """Find the sides between a label and anything else."""
        rows, columns = framed.shape
        inner = framed[1:-1, 1:-1]
        keys = []
        for number, (down, right) in enumerate(_BESIDE):
            other = framed[1 + down : rows - 1 + down, 1 + right : columns - 1 + right]
            y, x = np.nonzero((inner != 0) & (inner != other))
            keys.append((y + 1) * columns + x + 1 + number * framed.size)
        joined = np.concatenate(keys).astype(np.int64)
        return cls(joined % framed.size, joined // framed.size, joined, framed.size, columns)

    def find(self, pixel: Ints, kind: Ints) -> Ints:
        """Return the numbers of sides that are known to be there."""
        found: Ints = np.searchsorted(self.keys, kind * self.size + pixel)
        return found

    def steps(self, moves: tuple[tuple[int, int], ...]) -> Ints:
        """Return how far in the flattened image each side's neighbour lies."""
        return np.array([down * self.columns + right for down, right in moves])[self.kind]

    def start_corners(self) -> Ints:
        """Return the flattened corner that each side starts from."""
        return self.pixel + self.steps(_START)


def _successors(sides: _Sides, framed: NDArray[np.integer]) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the next side of each side, with pixels that share only a corner kept apart.

    The second array tells where a pixel of the same label lies across the corner, so that the
    ring could also go on there.
    """
    flat = framed.ravel()
    own = flat[sides.pixel]
    ahead = sides.pixel + sides.steps(_ALONG)
    across = ahead + sides.steps(_BESIDE)
    straight = flat[ahead] == own
    inward = straight & (flat[across] == own)
    pixel = np.where(inward, across, np.where(straight, ahead, sides.pixel))
    kind = np.where(inward, sides.kind - 1, np.where(straight, sides.kind, sides.kind + 1)) % 4
    return sides.find(pixel, kind), ~straight & (flat[across] == own)


def _without_touching(sides: _Sides, framed: NDArray[np.integer]) -> Ints:
    """Return the next side of each side; rings that touch themselves are divided there."""
    following, meets = _successors(sides, framed)
    at = np.flatnonzero(meets)
    if not at.size:
        return following
    ring, _ = _rings(following)
    ahead = sides.pixel[at] + sides.steps(_ALONG)[at]
    across = ahead + sides.steps(_BESIDE)[at]
    other = sides.find(across, (sides.kind[at] - 1) % 4)
    same = ring[at] == ring[other]
    following[at[same]] = other[same]
    return following


def _rings(following: Ints) -> tuple[Ints, Ints]:
    """Return for each side the first side of its ring, and how many sides away that is."""
    first = np.arange(following.size)
    jump = following.copy()
    while True:  # in each round the pointers reach twice as far
        nearer = np.minimum(first, first[jump])
        if np.array_equal(nearer, first):
            break
        first, jump = nearer, jump[jump]
    here = np.arange(following.size)
    last = following == first
    jump = np.where(last, here, following)
    away = (~last).astype(np.int64)
    while True:
        further = away[jump]
        if not further.any():
            break
        away += further
        jump = jump[jump]
    return first, -away  # sides further from the end come first


def _gathered(
    sides: _Sides, order: Ints, ring: Ints, parts: Ints, framed: NDArray[np.integer]
) -> Outlines:
    """Keep the corners where a ring turns, and put the rings in order of their labels."""
    kind, ring, parts = sides.kind[order], ring[order], parts[order]
    begins = np.flatnonzero(np.diff(ring, prepend=-1))
    before = np.arange(order.size) - 1
    before[begins] = np.append(begins[1:], order.size) - 1
    turns = kind != kind[before]
    y, x = np.divmod(sides.start_corners()[order], sides.columns)
    corners = np.stack([y - 1, x - 1], axis=1).astype(np.int32)[turns]
    number = np.cumsum(np.diff(ring, prepend=-1) != 0) - 1
    lengths = np.bincount(number[turns], minlength=begins.size)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    holes = _areas(corners, starts) < 0
    labels = framed.ravel()[sides.pixel[order][begins]].astype(np.int64)
    ranked = np.lexsort((holes, parts[begins], labels))
    moved = np.repeat(starts[ranked], lengths[ranked])
    within = np.arange(corners.shape[0]) - np.repeat(
        np.cumsum(lengths[ranked]) - lengths[ranked], lengths[ranked]
    )
    return Outlines(
        corners[moved + within],
        np.concatenate([[0], np.cumsum(lengths[ranked])]),
        labels[ranked],
        parts[begins][ranked].astype(np.int64),
        holes[ranked],
    )


def _areas(corners: NDArray[np.int32], starts: Ints) -> Ints:
    """Return twice the signed area of each ring; outer rings are positive."""
    y, x = corners[:, 0].astype(np.int64), corners[:, 1].astype(np.int64)
    after = np.arange(corners.shape[0]) + 1
    after[starts[1:] - 1] = starts[:-1]
    return np.asarray(np.add.reduceat(x * y[after] - x[after] * y, starts[:-1]))
