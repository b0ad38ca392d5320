"""The smallest circle around every hull."""

from __future__ import annotations

import numpy as np

from napari_sem_tools.measurement.hull import Hulls
from napari_sem_tools.measurement.runs import Floats, Ints

__all__ = ["find_circles"]


def find_circles(hulls: Hulls, scale: tuple[float, float]) -> Floats:
    """Return the diameter of the smallest circle around each hull.

    Parameters
    ----------
    hulls : Hulls
    scale : (float, float)
        Size of a pixel (y, x).

    Returns
    -------
    float64 array (n,)

    References
    ----------
    G. Chrystal, "On the problem to construct the minimum circle enclosing n given points in
    a plane", Proc. Edinburgh Math. Soc. 3 (1885) 30: from a side of the hull on, the vertex
    that sees it under the smallest angle either closes the circle or gives the next side.
    """
    result = np.zeros(len(hulls.sizes))
    for size in np.unique(hulls.sizes):
        members = np.flatnonzero(hulls.sizes == size)
        y, x = hulls.padded(members, int(size))
        result[members] = _diameters(y.T * (scale[0] / 2), x.T * (scale[1] / 2))
    return result


def _diameters(y: Floats, x: Floats) -> Floats:
    """Go around rings (hull, vertex) of one size together; every round settles some."""
    result = np.zeros(len(y))
    one, two = np.zeros(len(y), np.int64), np.ones(len(y), np.int64)
    open_ = np.arange(len(y))
    while len(open_):
        third = _smallest_angle(y[open_], x[open_], one, two)
        corners = np.stack([one, two, third])
        ys, xs = y[open_, corners], x[open_, corners]
        sides = [np.hypot(ys[a] - ys[b], xs[a] - xs[b]) for a, b in ((1, 2), (2, 0), (0, 1))]
        dots = [
            (ys[b] - ys[a]) * (ys[c] - ys[a]) + (xs[b] - xs[a]) * (xs[c] - xs[a])
            for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        ]
        on_side = dots[2] <= 0  # Thales: the circle over the side holds all
        done = on_side | ((dots[0] >= 0) & (dots[1] >= 0))
        twice_area = np.abs((ys[1] - ys[0]) * (xs[2] - xs[0]) - (ys[2] - ys[0]) * (xs[1] - xs[0]))
        around = sides[0] * sides[1] * sides[2] / np.where(twice_area > 0, twice_area, 1)
        result[open_[done]] = np.where(on_side, sides[2], around)[done]
        one, two = np.where(dots[0] < 0, third, one), np.where(dots[1] < 0, third, two)
        open_, one, two = open_[~done], one[~done], two[~done]
    return result


def _smallest_angle(y: Floats, x: Floats, one: Ints, two: Ints) -> Ints:
    """Return the vertex of each ring that sees the side from one to two under the least angle."""
    hull = np.arange(len(y))
    ay, ax = y[hull, one][:, None] - y, x[hull, one][:, None] - x
    by, bx = y[hull, two][:, None] - y, x[hull, two][:, None] - x
    lengths = np.hypot(ay, ax) * np.hypot(by, bx)
    cosine = np.full(y.shape, -np.inf)
    np.divide(ay * by + ax * bx, lengths, out=cosine, where=lengths > 0)
    return np.asarray(cosine.argmax(axis=1))
