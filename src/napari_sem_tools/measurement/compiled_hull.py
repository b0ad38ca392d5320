"""Hulls, calipers and enclosing circles as compiled loops; twin of `hull.py` and `circle.py`.

Importing this module needs numba.
"""

from __future__ import annotations

import numpy as np

from napari_sem_tools.measurement.compiled import Array, compiled
from napari_sem_tools.measurement.hull import Hulls, Jaws
from napari_sem_tools.measurement.runs import Floats, Runs

__all__ = ["find_hulls", "find_jaws"]


def find_hulls(runs: Runs, *, corners: bool = False) -> Hulls:
    """Find the convex hull of every particle; see `hull.find_hulls`.

    Parameters
    ----------
    runs : Runs
    corners : bool
        False: hull of the midpoints of the pixels' edges; True: of the pixels' corners.

    Returns
    -------
    Hulls
    """
    offsets, y, x = _hulls(runs.offsets, runs.row, runs.first, runs.last, corners)
    return Hulls(offsets[:-1], np.diff(offsets), y, x)


@compiled
def _hulls(
    offsets: Array, row: Array, first: Array, last: Array, corners: bool
) -> tuple[Array, Array, Array]:
    """Return the rings of all hulls, one after the other."""
    count = len(offsets)
    rings = np.zeros(count + 1, np.int64)
    longest = 1
    for p in range(count):
        end = offsets[p + 1] if p + 1 < count else len(row)
        longest = max(longest, row[end - 1] - row[offsets[p]] + 1)
    sides = np.empty((2, longest), np.int64)
    chains = np.empty((2, 2, 3 * longest), np.int64)
    out = np.empty((2, 24 * count + 6 * longest), np.int64)
    for p in range(count):
        begin = offsets[p]
        end = offsets[p + 1] if p + 1 < count else len(row)
        rows = _sides(row, first, last, (begin, end), sides)
        left = _chain(row[begin], sides[0, :rows], corners, chains[0])
        right = _chain(row[begin], sides[1, :rows], corners, chains[1])
        n = rings[p]
        if n + left + right > out.shape[1]:
            larger = np.empty((2, 2 * out.shape[1]), np.int64)
            larger[:, :n] = out[:, :n]
            out = larger
        rings[p + 1] = _ring(chains, left, right, out, n)
    return rings, out[0, : rings[count]].copy(), out[1, : rings[count]].copy()


_NOTHING = np.iinfo(np.int64).max


@compiled
def _sides(row: Array, first: Array, last: Array, span: tuple[int, int], sides: Array) -> int:
    """Write the first and the mirrored last column of each row of a particle."""
    top = row[span[0]]
    rows = row[span[1] - 1] - top + 1
    for r in range(rows):
        sides[0, r] = sides[1, r] = _NOTHING
    for i in range(span[0], span[1]):
        r = row[i] - top
        sides[0, r] = min(sides[0, r], first[i])
        sides[1, r] = min(sides[1, r], -last[i])
    return int(rows)


@compiled
def _chain(top: int, side: Array, corners: bool, chain: Array) -> int:
    """Write the lower hull of one side in half pixels, y growing; return its length."""
    n = 0
    for r in range(len(side)):
        if side[r] == _NOTHING:
            continue
        y, x = 2 * (top + r), 2 * side[r]
        if r == 0 or side[r - 1] == _NOTHING:
            n = _push(chain, n, y - 1, x - 1 if corners else x)
        if not corners:
            n = _push(chain, n, y, x - 1)
        below = x
        if r + 1 < len(side) and side[r + 1] != _NOTHING:
            below = min(x, 2 * side[r + 1])
        n = _push(chain, n, y + 1, below - 1 if corners else below)
    return n


@compiled
def _push(chain: Array, n: int, y: int, x: int) -> int:
    """Add a point to a chain after taking off those that it makes superfluous."""
    while n >= 2:
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
    half_y, half_x = scale[0] / 2, scale[1] / 2
    longest = sizes.max() if len(sizes) else 0
    ring = np.empty((2, 2 * longest + 2))
    for p in range(len(offsets)):
        begin, n = offsets[p], sizes[p]
        k = begin
        for i in range(2 * n + 2):
            ring[0, i] = y[k] - y[begin]
            ring[1, i] = x[k] - x[begin]
            k = k + 1 if k + 1 < begin + n else begin
        _turn(ring, n, half_y, half_x, out[p])
        _farthest(ring, n, half_y, half_x, out[p, 8:])
    return out.T.copy()


@compiled
def _turn(ring: Array, n: int, half_y: float, half_x: float, out: Array) -> None:
    """Find the edges of smallest width and smallest rectangle, the first one of equal ones.

    Three vertices go around with the edge: the highest above it, and the outermost ones
    along it.
    """
    y, x = ring[0], ring[1]
    high, fore, back = 1, 1, 0
    width, area = np.inf, np.inf
    for i in range(n):
        ey, ex = y[i + 1] - y[i], x[i + 1] - x[i]
        high = _advance(y, x, high, -ex, ey)
        sy, sx = ey * half_y, ex * half_x
        fore = _advance(y, x, fore, sy * half_y, sx * half_x)
        back = _advance(y, x, max(back, high), -sy * half_y, -sx * half_x)
        tall = ey * (x[high] - x[i]) - ex * (y[high] - y[i])
        extent = sy * ((y[fore] - y[back]) * half_y) + sx * ((x[fore] - x[back]) * half_x)
        square = sy * sy + sx * sx
        if tall * tall / square < width:
            width = tall * tall / square
            out[0], out[1], out[2], out[3] = tall, extent, sy, sx
        if tall * extent / square < area:
            area = tall * extent / square
            out[4], out[5], out[6], out[7] = tall, extent, sy, sx


@compiled
def _advance(y: Array, x: Array, i: int, along_y: float, along_x: float) -> int:
    """Go on around a hull while the next vertex lies farther in a direction."""
    while along_y * (y[i + 1] - y[i]) + along_x * (x[i + 1] - x[i]) > 0:
        i += 1
    return i


@compiled
def _farthest(ring: Array, n: int, half_y: float, half_x: float, out: Array) -> None:
    """Find the two vertices that lie farthest apart, the first ones of equal ones."""
    y, x = ring[0], ring[1]
    largest = -1.0
    for i in range(n):
        for j in range(i + 1, n):
            dy, dx = (y[j] - y[i]) * half_y, (x[j] - x[i]) * half_x
            square = dy * dy + dx * dx
            if square > largest:
                largest = square
                out[0], out[1] = dy, dx
