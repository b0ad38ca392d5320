"""Solids, and the surfaces that the beam sees of them.

A solid is cut along the beam (z, upwards, towards the electron source) in closed form:
for every pixel of a patch the height of its upper and lower surface and the normal of the
upper one.  All lengths are in pixels, the centre of the solid is the origin.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHAPES", "Ellipsoid", "Polyhedron", "Rod", "Solid", "Surface", "make_solid"]

Array = NDArray[np.float64]

_LATERAL = 1e-3  # planes steeper than this stand upright: they bound the outline only
_CREASE_PX = 1.2  # width over which an edge between two faces shines


@dataclasses.dataclass(frozen=True)
class Surface:
    """What the beam sees of a solid on a patch of pixels.

    Attributes
    ----------
    inside : bool array (Y, X)
        Pixels whose centre the solid covers.
    top, bottom : array (Y, X)
        Height of the upper and lower surface in px; meaningful where `inside`.
    normal : array (3, Y, X)
        Unit normal of the upper surface as x, y, z.
    crease : array (Y, X)
        1 on an edge between two faces, falling to 0 within a pixel or so.
    """

    inside: NDArray[np.bool_]
    top: Array
    bottom: Array
    normal: Array
    crease: Array


class Solid(Protocol):
    """A body of known form."""

    @property
    def reach(self) -> float:
        """Radius in px of a circle about the centre that holds the outline."""

    def surface(self, x: Array, y: Array) -> Surface:
        """Cut the body along the beam at the points x, y (px from its centre)."""


@dataclasses.dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid with any orientation.

    Attributes
    ----------
    axes : array (3,)
        Half axes in px.
    rotation : array (3, 3)
        Rows are the directions of the axes.
    """

    axes: Array
    rotation: Array

    @property
    def reach(self) -> float:
        """Largest half axis in px."""
        return float(self.axes.max())

    def surface(self, x: Array, y: Array) -> Surface:
        """Solve the quadratic equation of the surface for the height."""
        form = self.rotation.T @ np.diag(self.axes**-2.0) @ self.rotation
        inside, top, bottom = _quadric(form, x, y, 1.0)
        normal = np.tensordot(form, np.stack([x, y, top]), 1)
        return Surface(inside, top, bottom, _unit(normal), np.zeros_like(x))


@dataclasses.dataclass(frozen=True)
class Rod:
    """A cylinder with round ends.

    Attributes
    ----------
    axis : array (3,)
        Unit direction; not along the beam.
    half_length : float
        From the centre to the centre of an end's hemisphere, in px.
    radius : float
        In px.
    """

    axis: Array
    half_length: float
    radius: float

    @property
    def reach(self) -> float:
        """From the centre to the tip in px."""
        return self.half_length + self.radius

    def surface(self, x: Array, y: Array) -> Surface:
        """Join the cylinder with the spheres at its two ends."""
        along = np.eye(3) - np.outer(self.axis, self.axis)
        wall, top, bottom = _quadric(along, x, y, self.radius**2)
        flat = x * self.axis[0] + y * self.axis[1]
        top = np.where(wall & self._between(flat, top), top, -np.inf)
        bottom = np.where(wall & self._between(flat, bottom), bottom, np.inf)
        for end in (-self.half_length, self.half_length):
            u, v, w = end * self.axis
            ball, upper, lower = _quadric(np.eye(3), x - u, y - v, self.radius**2)
            top = np.where(ball, np.maximum(top, upper + w), top)
            bottom = np.where(ball, np.minimum(bottom, lower + w), bottom)
        inside = top >= bottom
        top, bottom = np.where(inside, top, 0.0), np.where(inside, bottom, 0.0)
        place = np.clip(flat + top * self.axis[2], -self.half_length, self.half_length)
        normal = np.stack([x, y, top]) - self.axis[:, None, None] * place
        return Surface(inside, top, bottom, _unit(normal), np.zeros_like(x))

    def _between(self, flat: Array, z: Array) -> NDArray[np.bool_]:
        """Tell which points of the infinite cylinder belong to the rod."""
        return np.asarray(np.abs(flat + z * self.axis[2]) <= self.half_length)


@dataclasses.dataclass(frozen=True)
class Polyhedron:
    """A convex body bounded by planes.

    Attributes
    ----------
    normals : array (n, 3)
        Unit normals of the faces, outwards.
    distances : array (n,)
        Distance of each face from the centre in px.
    radius : float
        Half the largest diameter in px (an upper bound will do).
    """

    normals: Array
    distances: Array
    radius: float

    @property
    def reach(self) -> float:
        """Bound of the outline in px."""
        return self.radius

    def surface(self, x: Array, y: Array) -> Surface:
        """Take the lowest of the upper planes and the highest of the lower ones."""
        rise = self.normals[:, 2]
        level = self.distances[:, None, None] - np.tensordot(self.normals[:, :2], [x, y], 1)
        up, down = rise > _LATERAL, rise < -_LATERAL
        heights = level[up] / rise[up, None, None]
        bottom = (level[down] / rise[down, None, None]).max(axis=0)
        face = heights.argmin(axis=0)
        lowest = heights.min(axis=0)
        second = np.partition(heights, 1, axis=0)[1] if len(heights) > 1 else np.inf
        inside = (lowest >= bottom) & (level[~(up | down)] >= 0).all(axis=0)
        normal = np.moveaxis(self.normals[up][face], -1, 0)
        crease = np.exp(-(second - lowest) / _CREASE_PX)
        return Surface(inside, lowest, bottom, normal, crease)


def _quadric(
    form: Array, x: Array, y: Array, level: float
) -> tuple[NDArray[np.bool_], Array, Array]:
    """Solve p.form.p = level for the height z of p = (x, y, z)."""
    half = form[0, 2] * x + form[1, 2] * y
    rest = form[0, 0] * x**2 + 2 * form[0, 1] * x * y + form[1, 1] * y**2 - level
    inside_root = half**2 - form[2, 2] * rest
    root = np.sqrt(np.maximum(inside_root, 0.0))
    return inside_root >= 0, (root - half) / form[2, 2], (-root - half) / form[2, 2]


def _unit(vectors: Array) -> Array:
    """Scale vectors (3, Y, X) to length one."""
    lengths = np.sqrt((vectors**2).sum(axis=0))
    return np.asarray(vectors / np.maximum(lengths, 1e-12))


def _rotation(rng: np.random.Generator, tilt: float | None = None) -> Array:
    """Draw a rotation: any, or about the beam with a small tilt (radians) of the top."""
    if tilt is None:
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        return np.asarray(q * np.sign(np.diag(r)))
    turn, lean = rng.uniform(0, 2 * np.pi), rng.normal(0, tilt)
    c, s, cl, sl = np.cos(turn), np.sin(turn), np.cos(lean), np.sin(lean)
    leaning = np.array([[1, 0, 0], [0, cl, -sl], [0, sl, cl]])
    turning = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return np.asarray(leaning @ turning)


def _sphere(rng: np.random.Generator, radius: float) -> Solid:
    """Make a sphere; the generator is not used."""
    return Ellipsoid(np.full(3, radius), np.eye(3))


def _ellipsoid(rng: np.random.Generator, radius: float) -> Solid:
    """Make an ellipsoid of the volume of the sphere."""
    stretch = np.exp(rng.normal(0, 0.13, 3))
    return Ellipsoid(radius * stretch / np.prod(stretch) ** (1 / 3), _rotation(rng))


def _rod(rng: np.random.Generator, radius: float) -> Solid:
    """Make a nearly lying rod of the projected area of the sphere, 2.5 to 4.5 times as long."""
    slenderness = rng.uniform(2.5, 4.5)
    thin = radius * np.sqrt(np.pi / (4 * (slenderness - 1) + np.pi))
    turn, lean = rng.uniform(0, 2 * np.pi), np.clip(rng.normal(0, 0.1), -0.4, 0.4)
    axis = np.array([np.cos(lean) * np.cos(turn), np.cos(lean) * np.sin(turn), np.sin(lean)])
    return Rod(axis, (slenderness - 1) * thin, thin)


def _cube(rng: np.random.Generator, radius: float) -> Solid:
    """Make a cube with slightly cut corners, lying nearly flat."""
    half = radius * np.sqrt(np.pi) / 2
    faces = np.concatenate([np.eye(3), -np.eye(3)])
    corners = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    normals = np.concatenate([faces, corners / np.sqrt(3)]) @ _rotation(rng, tilt=0.12)
    distances = np.concatenate([np.full(6, half), np.full(8, half * rng.uniform(1.4, 1.65))])
    return Polyhedron(normals, distances, half * np.sqrt(3))


def _faceted(rng: np.random.Generator, radius: float) -> Solid:
    """Make an irregular grain of 26 faces, those of the cube, octahedron and dodecahedron."""
    steps = np.array([[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)])
    directions = steps[np.any(steps != 0, axis=1)] + rng.normal(0, 0.15, (26, 3))
    normals = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    distances = radius * rng.uniform(0.8, 1.15, 26)
    return Polyhedron(normals @ _rotation(rng), distances, radius * 1.9)


SHAPES: dict[str, Callable[[np.random.Generator, float], Solid]] = {
    "spheres": _sphere,
    "ellipsoids": _ellipsoid,
    "rods": _rod,
    "cubes": _cube,
    "faceted": _faceted,
}
"""Makers of a solid from a generator and the radius in px of the sphere it stands for."""


def make_solid(shape: str, rng: np.random.Generator, radius_px: float) -> Solid:
    """Make one particle of a shape.

    Parameters
    ----------
    shape : str
        A key of `SHAPES`, or ``"mixed"`` for any of them.
    rng : numpy.random.Generator
        Draws orientation and proportions.
    radius_px : float
        Radius of the sphere that the particle stands for.

    Returns
    -------
    Solid
        The body about the origin.

    Examples
    --------
    >>> make_solid("spheres", np.random.default_rng(0), 20.0).reach
    20.0
    """
    names = list(SHAPES)
    name = names[int(rng.integers(len(names)))] if shape == "mixed" else shape
    return SHAPES[name](rng, radius_px)
