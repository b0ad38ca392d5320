"""Hulls, calipers and enclosing circles as compiled loops; twin of `hull.py` and `circle.py`.

Importing this module needs numba.
"""

from __future__ import annotations

import numpy as np

from napari_sem_tools.measurement.compiled import Array, compiled
from napari_sem_tools.measurement.hull import Chain, Chains, Hulls, Jaws
from napari_sem_tools.measurement.runs import Floats, Runs

__all__ = ["find_chains", "find_hulls", "find_jaws"]


def find_chains(runs: Runs) -> Chains:
    """Find both sides of the hulls of pixel centres; see `hull.find_chains`.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    Chains
    """
    sides = np.empty((2, 3, len(runs.row)), np.int32)  # new memory costs more than the work
    lengths = _centre_chains(runs.offsets, runs.row, runs.first, runs.last, sides)
    left, right = (Chain(*side[:, :n]) for side, n in zip(sides, lengths, strict=True))
    return Chains(left, right, runs.count)


@compiled
def _centre_chains(
    offsets: Array, row: Array, first: Array, last: Array, sides: Array
) -> tuple[int, int]:
    """Write (particle, row, x) of the vertices of both sides of every particle."""
    n, m = 0, 0
    for p in range(len(offsets)):
        i = offsets[p]
        end = offsets[p + 1] if p + 1 < len(offsets) else len(row)
        left, right = n, m
        while i < end:
            y, low, high = row[i], first[i], last[i]
            i += 1
            while i < end and row[i] == y:
                high = last[i]
                i += 1
            n = _push(sides[0, 1:], left, n, y, low)
            m = _push(sides[1, 1:], right, m, y, -high)
        sides[0, 0, left:n] = p
        sides[1, 0, right:m] = p
    return n, m


def find_hulls(chains: Chains, *, corners: bool = False) -> Hulls:
    """Find the convex hull of every particle; see `hull.find_hulls`.

    Parameters
    ----------
    chains : Chains
    corners : bool
        False: hull of the midpoints of the pixels' edges; True: of the pixels' corners.

    Returns
    -------
    Hulls
    """
    left, right = chains.left, chains.right
    room = len(left.row) + len(right.row) + 4 * chains.count  # a diamond adds four at most
    ring = np.empty((2, room), np.int64)
    rings = np.zeros(chains.count + 1, np.int64)
    _hulls(
        (left.particle, left.row, left.x),
        (right.particle, right.row, right.x),
        corners,
        ring,
        rings,
    )
    return Hulls(rings[:-1], np.diff(rings), ring[0, : rings[-1]], ring[1, : rings[-1]])


@compiled
def _hulls(
    left: tuple[Array, Array, Array],
    right: tuple[Array, Array, Array],
    corners: bool,
    out: Array,
    rings: Array,
) -> None:
    """Write the rings of all hulls, one after the other."""
    i, k = 0, 0
    longest = max(_longest(left[0]), _longest(right[0]))
    chains = np.empty((2, 2, 3 * longest), np.int64)
    for p in range(len(rings) - 1):
        i, n_left = _widened(left, i, p, corners, chains[0])
        k, n_right = _widened(right, k, p, corners, chains[1])
        rings[p + 1] = _ring(chains, n_left, n_right, out, rings[p])


@compiled
def _longest(particle: Array) -> int:
    """Return the largest number of points of a chain."""
    longest, begin = 0, 0
    for i in range(len(particle)):
        if particle[i] != particle[begin]:
            begin = i
        longest = max(longest, i - begin + 1)
    return longest


@compiled
def _widened(
    side: tuple[Array, Array, Array], i: int, p: int, corners: bool, chain: Array
) -> tuple[int, int]:
    """Write one side of a hull in half pixels; return where the next chain begins, and its length.

    A row gives a point above, at and below its middle, see `hull._candidates`.
    """
    particle, row, column = side
    n = 0
    joined = False
    while i < len(particle) and particle[i] == p:
        y, x = 2 * row[i], 2 * column[i]
        if not joined:
            n = _push(chain, 0, n, y - 1, x - 1 if corners else x)
        if not corners:
            n = _push(chain, 0, n, y, x - 1)
        i += 1
        joined = i < len(particle) and particle[i] == p and row[i] == row[i - 1] + 1
        below = min(x, 2 * column[i]) if joined else x
        n = _push(chain, 0, n, y + 1, below - 1 if corners else below)
    return i, n


@compiled
def _push(chain: Array, begin: int, n: int, y: int, x: int) -> int:
    """Add a point to a chain after taking off those that it makes superfluous."""
    while n >= begin + 2:
        rise = (chain[1, n - 1] - chain[1, n - 2]) * (y - chain[0, n - 2])
        line = (x - chain[1, n - 2]) * (chain[0, n - 1] - chain[0, n - 2])
        if rise < line:
            break
        n -= 1
    chain[0, n] = y
    chain[1, n] = x
    return n + 1


@compiled
def _ring(chains: Array, left: int, right: int, out: Array, n: int) -> int:
    """Join the left chain, downwards, and the right one, upwards; shared ends count once."""
    for i in range(left):
        out[0, n] = chains[0, 0, i]
        out[1, n] = chains[0, 1, i]
        n += 1
    stop, begin = right - 1, 0
    if -chains[1, 1, stop] == chains[0, 1, left - 1]:
        stop -= 1
    if -chains[1, 1, 0] == chains[0, 1, 0]:
        begin = 1
    for i in range(stop, begin - 1, -1):
        out[0, n] = chains[1, 0, i]
        out[1, n] = -chains[1, 1, i]
        n += 1
    return n


def find_jaws(hulls: Hulls, scale: tuple[float, float]) -> Jaws:
    """Set calipers on every hull; see `hull.find_jaws`.

    Parameters
    ----------
    hulls : Hulls
    scale : (float, float)
        Size of a pixel (y, x).

    Returns
    -------
    Jaws
    """
    return Jaws(*_jaws(hulls.offsets, hulls.sizes, hulls.y, hulls.x, scale))


@compiled
def _jaws(offsets: Array, sizes: Array, y: Array, x: Array, scale: tuple[float, float]) -> Floats:
    """Turn calipers around every hull; each ring is laid out twice, so that none wraps."""
    out = np.zeros((len(offsets), 10))
    half = scale[0] / 2, scale[1] / 2
    longest = sizes.max() if len(sizes) else 0
    ring = np.empty((2, 2 * longest + 2))
    for p in range(len(offsets)):
        begin, n = offsets[p], sizes[p]
        for i in range(n):
            ring[0, i] = ring[0, n + i] = y[begin + i] - y[begin]
            ring[1, i] = ring[1, n + i] = x[begin + i] - x[begin]
        for axis in range(2):
            ring[axis, 2 * n], ring[axis, 2 * n + 1] = ring[axis, 0], ring[axis, 1]
        _turn(ring[0], ring[1], n, half, out[p])
    return out.T.copy()


_NEAR = 1 + 1e-12  # saves divisions, and leaves the choice between equal edges to them


@compiled
def _turn(y: Array, x: Array, n: int, half: tuple[float, float], out: Array) -> None:
    """Find smallest width, smallest rectangle and largest distance, the first of equal ones.

    Three vertices go around with the edge: the highest above it, and the outermost ones
    along it.  The two vertices farthest apart are touched by parallel tangents, so that
    the highest one passes the second while the edge begins at the first (Shamos 1978).
    """
    half_y, half_x = half
    high, fore, back = 1, 1, 0
    width, area, reach = np.inf, np.inf, -1.0
    for i in range(n):
        ey, ex = y[i + 1] - y[i], x[i + 1] - x[i]
        high = max(high, i + 1)
        higher = True
        while higher:
            if high < n:  # otherwise the other vertex came first, and saw this one
                dy, dx = (y[high] - y[i]) * half_y, (x[high] - x[i]) * half_x
                if dy * dy + dx * dx > reach:
                    reach = dy * dy + dx * dx
                    out[8], out[9] = dy, dx
            higher = ey * (x[high + 1] - x[high]) - ex * (y[high + 1] - y[high]) > 0
            high += higher
        sy, sx = ey * half_y, ex * half_x
        fore = _advance(y, x, fore, sy * half_y, sx * half_x)
        back = _advance(y, x, max(back, high), -sy * half_y, -sx * half_x)
        tall = ey * (x[high] - x[i]) - ex * (y[high] - y[i])
        extent = sy * ((y[fore] - y[back]) * half_y) + sx * ((x[fore] - x[back]) * half_x)
        square = sy * sy + sx * sx
        if tall * tall <= width * square * _NEAR and tall * tall / square < width:
            width = tall * tall / square
            out[0], out[1], out[2], out[3] = tall, extent, sy, sx
        if tall * extent <= area * square * _NEAR and tall * extent / square < area:
            area = tall * extent / square
            out[4], out[5], out[6], out[7] = tall, extent, sy, sx


@compiled
def _advance(y: Array, x: Array, i: int, along_y: float, along_x: float) -> int:
    """Go on around a hull while the next vertex lies farther in a direction."""
    while along_y * (y[i + 1] - y[i]) + along_x * (x[i + 1] - x[i]) > 0:
        i += 1
    return i
