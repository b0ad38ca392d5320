"""Convex hulls and Feret diameters of all particles at once, exact.

Hulls are found in whole half pixels, without a tolerance, and scaled afterwards: a hull
survives a scaling of its axes, so that non-square pixels cost nothing.

References
----------
A. M. Andrew, "Another efficient algorithm for convex hulls in two dimensions",
Information Processing Letters 9 (1979) 216: the two monotone chains.  Here all chains of
all particles lose their superfluous points in common sweeps.
M. I. Shamos, "Computational Geometry", 1978: the smallest width lies on an edge.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.runs import Floats, Ints, Runs

__all__ = [
    "Chain",
    "Chains",
    "Ferets",
    "Hulls",
    "Jaws",
    "find_chains",
    "find_hulls",
    "find_jaws",
]

_PLAIN_SWEEPS = 4  # sweeps that compare next neighbours only; later ones look farther, too
_BUCKET = 4  # hulls are measured together when their vertex numbers round up to the same
_CELLS = 400_000  # vertex times edge times hull held at once: stays in the cache


@dataclasses.dataclass(frozen=True, eq=False)
class Ferets:
    """Diameters of convex hulls; lengths in the unit of the scale, angles in degrees.

    Angles run from the +x axis, counter-clockwise on the screen, from 0 to below 180.

    Attributes
    ----------
    minimum, minimum_angle : float64 arrays (n,)
        Smallest distance of two parallel tangents, and the direction it is measured along.
    maximum, maximum_angle : float64 arrays (n,)
        Largest distance of two points, and its direction.
    across : float64 array (n,)
        Width at right angles to the smallest one.
    rectangle_length, rectangle_width : float64 arrays (n,)
        Sides of the rectangle of smallest area.
    """

    minimum: Floats
    minimum_angle: Floats
    maximum: Floats
    maximum_angle: Floats
    across: Floats
    rectangle_length: Floats
    rectangle_width: Floats


@dataclasses.dataclass(frozen=True, eq=False)
class Jaws:
    """Where calipers grip hulls best; float64 arrays (n,), as both engines find them.

    Lengths that end in ``_y`` and ``_x`` are in the unit of the scale.

    Attributes
    ----------
    flat_tall, flat_extent, flat_y, flat_x
        The edge of smallest width: cross product with the highest vertex above it in half
        pixels, dot product with the extent along it, and the edge itself.
    box_tall, box_extent, box_y, box_x
        The same of the edge on which the smallest rectangle lies.
    far_y, far_x
        From one to the other of the two vertices that lie farthest apart.
    """

    flat_tall: Floats
    flat_extent: Floats
    flat_y: Floats
    flat_x: Floats
    box_tall: Floats
    box_extent: Floats
    box_y: Floats
    box_x: Floats
    far_y: Floats
    far_x: Floats

    def ferets(self, scale: tuple[float, float]) -> Ferets:
        """Work out diameters and angles; `scale` is the size of a pixel (y, x)."""
        quarter = scale[0] * scale[1] / 4
        length = np.hypot(self.flat_y, self.flat_x)
        box = np.hypot(self.box_y, self.box_x)
        one, two = self.box_tall * quarter / box, self.box_extent / box
        return Ferets(
            self.flat_tall * quarter / length,
            _screen_angle(self.flat_x, -self.flat_y),
            np.hypot(self.far_y, self.far_x),
            _screen_angle(self.far_y, self.far_x),
            self.flat_extent / length,
            np.maximum(one, two),
            np.minimum(one, two),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Hulls:
    """Convex hulls as rings of vertices in whole half pixels.

    Attributes
    ----------
    offsets, sizes : int64 arrays (n,)
        First vertex and number of vertices of each hull.
    y, x : int64 arrays (vertices,)
        Twice the coordinates: 7 is between pixels 3 and 4.
    """

    offsets: Ints
    sizes: Ints
    y: Ints
    x: Ints

    @functools.cached_property
    def _edges(self) -> tuple[Ints, Ints]:
        """Return the steps from each vertex to the next one of its ring."""
        last = self.offsets + self.sizes - 1
        steps = []
        for values in (self.y, self.x):
            step = np.diff(values, append=0)
            step[last] = values[self.offsets] - values[last]
            steps.append(step)
        return steps[0], steps[1]

    def perimeter(self, scale: tuple[float, float]) -> Floats:
        """Return the length of each hull; `scale` is the size of a pixel (y, x)."""
        if not len(self.sizes):
            return np.zeros(0)
        y, x = self._edges[0] * (scale[0] / 2), self._edges[1] * (scale[1] / 2)
        y *= y
        x *= x
        y += x
        return np.add.reduceat(np.sqrt(y, out=y), self.offsets)

    def area(self, scale: tuple[float, float]) -> Floats:
        """Return the area of each hull; `scale` is the size of a pixel (y, x)."""
        if not len(self.sizes):
            return np.zeros(0)
        step_y, step_x = self._edges
        twice = np.add.reduceat(self.x * step_y - self.y * step_x, self.offsets)
        return np.abs(twice) * (scale[0] * scale[1] / 8)

    def padded(self, members: Ints, size: int) -> tuple[Floats, Floats]:
        """Return the rings as columns of equal length; the last vertex is repeated."""
        rank = np.minimum(np.arange(size)[:, None], self.sizes[members] - 1)
        where = self.offsets[members] + rank
        y, x = self.y[where], self.x[where]
        return (y - y[0]).astype(np.float64), (x - x[0]).astype(np.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class Chain:
    """One side of the hulls of pixel centres, sorted by particle and row.

    Attributes
    ----------
    particle, row, x : int32 or int64 arrays (points,)
        ``x`` is mirrored for the right side, so that both sides are lower hulls.
    """

    particle: Ints
    row: Ints
    x: Ints


@dataclasses.dataclass(frozen=True, eq=False)
class Chains:
    """The convex hulls of the pixel centres of all particles, in two chains each.

    The hull of midpoints is their sum with a diamond, that of corners their sum with a
    square (Minkowski), so that both follow from these few points.

    Attributes
    ----------
    left, right : Chain
    count : int
        Number of particles.
    """

    left: Chain
    right: Chain
    count: int


def find_chains(runs: Runs) -> Chains:
    """Find both sides of the hull of every particle's pixel centres.

    Only the first and last pixel of a row of a particle can carry vertices, which is
    exact for particles in several parts, too.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    Chains
    """
    begins = np.flatnonzero(
        (np.diff(runs.particle, prepend=-1) != 0) | (np.diff(runs.row, prepend=-1) != 0)
    )
    ends = np.append(begins[1:], len(runs.row))[: len(begins)] - 1
    particle, row = runs.particle[begins], runs.row[begins]
    sides = []
    for x in (runs.first[begins], -runs.last[ends]):
        kept = _lower_hulls(particle, row, x)
        sides.append(Chain(particle[kept], row[kept], x[kept]))
    return Chains(sides[0], sides[1], runs.count)


def find_hulls(chains: Chains, *, corners: bool = False) -> Hulls:
    """Find the convex hull of every particle with the extent of its pixels.

    Parameters
    ----------
    chains : Chains
        The hulls of the pixel centres.
    corners : bool
        False: hull of the midpoints of the pixels' edges, (r, c ± ½) and (r ± ½, c);
        True: hull of the pixels' corners, (r ± ½, c ± ½).

    Returns
    -------
    Hulls
    """
    sides = []
    for side in (chains.left, chains.right):
        y, x, valid = _candidates(side, corners=corners)
        particle = np.repeat(side.particle, valid.sum(axis=1))
        y, x = y[valid], x[valid]
        kept = _lower_hulls(particle, y, x)
        sides.append((particle[kept], y[kept], x[kept]))
    left, (particle, y, x) = sides
    return _rings(left, (particle, y, -x), chains.count)


def _candidates(side: Chain, *, corners: bool) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """List the possible vertices of one side, in half pixels, with y strictly growing.

    A row gives a point above, at and below its middle; the one between two rows that
    follow each other is shared and lies at the outer of both.
    """
    row, x = side.row, 2 * side.x
    joined = (np.diff(side.particle) == 0) & (np.diff(row) == 1)
    below = x.copy()
    below[:-1][joined] = np.minimum(x[:-1], x[1:])[joined]
    first = np.ones(len(x), bool)
    first[1:] = ~joined
    if corners:
        ys = np.stack([2 * row - 1, 2 * row + 1], axis=1)
        xs = np.stack([x - 1, below - 1], axis=1)
        valid = np.stack([first, np.ones_like(first)], axis=1)
    else:
        ys = np.stack([2 * row - 1, 2 * row, 2 * row + 1], axis=1)
        xs = np.stack([x, x - 1, below], axis=1)
        valid = np.stack([first, np.ones_like(first), np.ones_like(first)], axis=1)
    return ys, xs, valid


def _lower_hulls(chain: Ints, y: Ints, x: Ints) -> Ints:
    """Return the indices of the points that are vertices of the lower hull of each chain.

    A point on or above a line between two other points of its chain is no vertex; all
    such points may go at once, since a vertex is never one of them.  A chain is done
    when no point lies on or above the line between its two neighbours.
    """
    alive = np.ones(len(y), bool)
    work = np.arange(len(y))
    unfinished = np.zeros(int(chain[-1]) + 1 if len(chain) else 0, bool)
    sweep = 0
    while len(work) > 2:
        names = chain[work]
        reflex = _above(y[work], x[work], names, 1)
        unfinished[:] = False
        unfinished[names[reflex]] = True
        if sweep >= _PLAIN_SWEEPS:
            reflex |= _above(y[work], x[work], names, 2 ** (sweep - _PLAIN_SWEEPS + 1))
        alive[work[reflex]] = False
        work = work[~reflex & unfinished[names]]
        sweep += 1
    return np.flatnonzero(alive)


def _above(y: Ints, x: Ints, chain: Ints, reach: int) -> NDArray[np.bool_]:
    """Tell which points lie on or above the line between those `reach` places away."""
    here = np.arange(len(y))
    new = np.diff(chain, prepend=chain[0] - 1) != 0
    starts = np.flatnonzero(new)
    lengths = np.diff(np.append(starts, len(y)))
    before = np.maximum(here - reach, np.repeat(starts, lengths))
    after = np.minimum(here + reach, np.repeat(starts + lengths - 1, lengths))
    rise = (x - x[before]) * (y[after] - y[before]) - (x[after] - x[before]) * (y - y[before])
    return (rise >= 0) & (before < here) & (here < after)


def _rings(left: tuple[Ints, Ints, Ints], right: tuple[Ints, Ints, Ints], count: int) -> Hulls:
    """Join the left chain, downwards, and the right chain, upwards, to one ring each."""
    right = _without_shared_ends(left, right, count)
    n_left = np.bincount(left[0], minlength=count)
    n_right = np.bincount(right[0], minlength=count)
    sizes = n_left + n_right
    offsets = np.cumsum(sizes) - sizes
    rank_left = np.arange(len(left[0])) - np.repeat(np.cumsum(n_left) - n_left, n_left)
    rank_right = np.arange(len(right[0])) - np.repeat(np.cumsum(n_right) - n_right, n_right)
    place_left = offsets[left[0]] + rank_left
    place_right = offsets[right[0]] + sizes[right[0]] - 1 - rank_right
    y, x = np.empty(sizes.sum(), np.int64), np.empty(sizes.sum(), np.int64)
    y[place_left], y[place_right] = left[1], right[1]
    x[place_left], x[place_right] = left[2], right[2]
    return Hulls(offsets, sizes, y, x)


def _without_shared_ends(
    left: tuple[Ints, Ints, Ints], right: tuple[Ints, Ints, Ints], count: int
) -> tuple[Ints, Ints, Ints]:
    """Leave out of the right chains the ends that are those of the left chains as well."""
    if not count:
        return right
    keep = np.ones(len(right[0]), bool)
    for end in (_first_of, _last_of):
        mine, other = end(right[0]), end(left[0])
        keep[mine[right[2][mine] == left[2][other]]] = False
    return right[0][keep], right[1][keep], right[2][keep]


def _first_of(chain: Ints) -> Ints:
    """Return the index of the first point of every chain."""
    return np.flatnonzero(np.diff(chain, prepend=-1) != 0)


def _last_of(chain: Ints) -> Ints:
    """Return the index of the last point of every chain."""
    return np.flatnonzero(np.diff(chain, append=chain[-1] + 1) != 0)


def find_jaws(hulls: Hulls, scale: tuple[float, float]) -> Jaws:
    """Set calipers on every edge of every hull.

    Parameters
    ----------
    hulls : Hulls
    scale : (float, float)
        Size of a pixel (y, x).

    Returns
    -------
    Jaws
    """
    results = np.zeros((10, len(hulls.sizes)))
    buckets = -(-hulls.sizes // _BUCKET) * _BUCKET
    for size in np.unique(buckets):
        members = np.flatnonzero(buckets == size)
        step = max(1, _CELLS // int(size) ** 2)
        for first in range(0, len(members), step):
            part = members[first : first + step]
            results[:, part] = _calipers(*hulls.padded(part, int(size)), scale)
    return Jaws(*results)


def _calipers(y: Floats, x: Floats, scale: tuple[float, float]) -> Floats:
    """Measure rings of (vertex, hull) in half pixels; returns the ten rows of `Jaws`.

    The height of vertex j over edge i is their cross product over the edge's length.
    Squares are compared, so that equal widths stay equal whatever the engine.
    """
    half_y, half_x = scale[0] / 2, scale[1] / 2
    edge_y, edge_x = np.roll(y, -1, axis=0) - y, np.roll(x, -1, axis=0) - x
    height = edge_y * x[:, None] - edge_x * y[:, None]  # (vertex, edge, hull), whole numbers
    tallest = height.max(axis=0) - (edge_y * x - edge_x * y)
    edge_y, edge_x = edge_y * half_y, edge_x * half_x
    along = edge_y * (y * half_y)[:, None] + edge_x * (x * half_x)[:, None]
    extent = along.max(axis=0) - along.min(axis=0)
    square = edge_y * edge_y + edge_x * edge_x
    real = square > 0  # the repeated last vertex makes edges of no length
    square[~real] = 1.0
    hull = np.arange(y.shape[1])
    flat = np.where(real, tallest * tallest / square, np.inf).argmin(axis=0), hull
    box = np.where(real, tallest * extent / square, np.inf).argmin(axis=0), hull
    edges = (tallest, extent, edge_y, edge_x)
    chosen = [values[edge] for edge in (flat, box) for values in edges]
    return np.stack([*chosen, *_farthest(y, x, half_y, half_x)])


def _farthest(y: Floats, x: Floats, half_y: float, half_x: float) -> tuple[Floats, Floats]:
    """Return the step between the two vertices of each hull that lie farthest apart."""
    square = (y - y[:, None]) * half_y
    square *= square
    other = (x - x[:, None]) * half_x
    other *= other
    square += other
    hull = np.arange(y.shape[1])
    one = square.max(axis=0).argmax(axis=0)
    dy, dx = (y - y[one, hull]) * half_y, (x - x[one, hull]) * half_x
    two = (dy * dy + dx * dx).argmax(axis=0), hull
    return dy[two], dx[two]


def _screen_angle(dy: Floats, dx: Floats) -> Floats:
    """Return the direction in degrees from +x, counter-clockwise on the screen, 0 to 180."""
    angle: Floats = np.degrees(np.arctan2(-dy, dx)) % 180.0
    return np.where(angle >= 180.0, 0.0, angle)
