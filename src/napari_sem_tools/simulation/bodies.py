"""Particles of many habits for training scenes: convex bodies, lumps, rough skins.

Like `shapes`, but every body may be cut from quadrics and planes, is given a wandering
outline and a rough skin, and takes its normals from the finished surface.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.noise import fractal_noise
from napari_sem_tools.simulation.shapes import Surface

__all__ = ["FAMILIES", "Convex", "Lump", "Style", "particle_surface"]

Array = NDArray[np.float64]
Body = Callable[[Array, Array], tuple[Array, Array]]

_UPRIGHT = 1e-6  # planes steeper than this bound the outline only
_THINNEST_PX = 0.3  # a rough skin leaves at least this much between top and bottom


@dataclasses.dataclass(frozen=True)
class Style:
    """What the particles of one scene have in common.

    Attributes
    ----------
    flatness : float
        0: any orientation; up to 1: lying on a face.
    turn_spread : float or None
        Particles are turned about the beam by about the same angle, with this spread (rad).
    anisotropy : float
        Spread of the logarithm of the three axes.
    slenderness : float
        Length over width of rods and spindles.
    wander : float
        How far outlines wander, as a fraction of the radius.
    roughness, grain : float
        Height and size of the skin's texture, as fractions of the radius.
    habit : str
        Crystal habit; empty: drawn for each particle.
    """

    flatness: float = 0.0
    turn_spread: float | None = None
    anisotropy: float = 0.15
    slenderness: float = 3.0
    wander: float = 0.0
    roughness: float = 0.0
    grain: float = 0.3
    habit: str = ""


@dataclasses.dataclass(frozen=True)
class Convex:
    """What lies inside all of some quadrics and behind all of some planes.

    Attributes
    ----------
    forms : array (m, 3, 3)
        A point p is inside a quadric when p.form.p <= 1.
    normals : array (n, 3)
    distances : array (n,)
        A point p is behind a plane when p.normal <= distance.
    """

    forms: Array
    normals: Array
    distances: Array

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return upper and lower height at x, y (px); upper below lower where it misses."""
        top, bottom = np.full(x.shape, np.inf), np.full(x.shape, -np.inf)
        for form in self.forms:
            half = form[0, 2] * x + form[1, 2] * y
            rest = form[0, 0] * x**2 + 2 * form[0, 1] * x * y + form[1, 1] * y**2 - 1
            if form[2, 2] < 1e-12:  # a cylinder along the beam
                top[rest > 0] = -np.inf
                continue
            square = half**2 - form[2, 2] * rest
            root = np.sqrt(np.maximum(square, 0))
            top = np.where(square > 0, np.minimum(top, (root - half) / form[2, 2]), -np.inf)
            bottom = np.maximum(bottom, (-root - half) / form[2, 2])
        for normal, distance in zip(self.normals, self.distances, strict=True):
            level = distance - normal[0] * x - normal[1] * y
            if normal[2] > _UPRIGHT:
                top = np.minimum(top, level / normal[2])
            elif normal[2] < -_UPRIGHT:
                bottom = np.maximum(bottom, level / normal[2])
            else:
                top = np.where(level >= 0, top, -np.inf)
        return top, bottom


@dataclasses.dataclass(frozen=True)
class Lump:
    """A union of spheres: raspberries, rough lumps, dimers.

    Attributes
    ----------
    spheres : array (n, 4)
        Centre x, y, z and radius in px.
    """

    spheres: Array

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return upper and lower height at x, y (px); upper below lower where it misses."""
        top, bottom = np.full(x.shape, -np.inf), np.full(x.shape, np.inf)
        for u, v, w, radius in self.spheres:
            square = radius**2 - (x - u) ** 2 - (y - v) ** 2
            root = np.sqrt(np.maximum(square, 0))
            top = np.where(square > 0, np.maximum(top, w + root), top)
            bottom = np.where(square > 0, np.minimum(bottom, w - root), bottom)
        return top, bottom


def particle_surface(
    family: str, style: Style, rng: np.random.Generator, radius_px: float
) -> Surface:
    """Make one particle and cut it along the beam on a patch of its own.

    Parameters
    ----------
    family : str
        A key of `FAMILIES`.
    style : Style
    rng : numpy.random.Generator
    radius_px : float
        Mean radius.

    Returns
    -------
    Surface
        On a square patch of odd side whose middle pixel is the particle's centre.
    """
    body, reach = FAMILIES[family].make(rng, style, _orientation(rng, style), radius_px)
    side = 2 * (int(np.ceil(reach)) + 1) + 1
    grid = np.arange(side) - side // 2
    offset = rng.uniform(-0.5, 0.5, 2)
    y, x = np.meshgrid(grid + offset[0], grid + offset[1], indexing="ij")
    if style.wander and family != "sphere":
        scale, coarse = style.wander * radius_px, max(4.0, 1.2 * radius_px)
        x = x + scale * fractal_noise(x.shape, rng, coarse_px=coarse, slope=2.0)
        y = y + scale * fractal_noise(x.shape, rng, coarse_px=coarse, slope=2.0)
    top, bottom = body(x, y)
    inside = top > bottom
    if style.roughness:
        skin = fractal_noise(x.shape, rng, coarse_px=max(3.0, style.grain * radius_px))
        top = np.maximum(top + style.roughness * radius_px * skin, bottom + _THINNEST_PX)
    top, bottom = np.where(inside, top, 0.0), np.where(inside, bottom, 0.0)
    return Surface(inside, top, bottom, _normals(top, inside), np.zeros_like(top))


def _normals(top: Array, inside: NDArray[np.bool_]) -> Array:
    """Take slopes on the particle's own side of its outline, so that the rim is its own."""
    slopes = []
    for axis in (1, 0):
        step = np.diff(top, axis=axis)
        good = np.diff(inside.astype(np.int8), axis=axis) == 0
        good &= np.take(inside, range(1, inside.shape[axis]), axis)
        pad = [(0, 0), (0, 0)]
        pad[axis] = (1, 1)
        step, weight = np.pad(np.where(good, step, 0.0), pad), np.pad(good.astype(float), pad)
        before, after = (
            (slice(None),) * axis + (slice(None, -1),),
            (slice(None),) * axis + (slice(1, None),),
        )
        total = weight[before] + weight[after]
        slopes.append((step[before] + step[after]) / np.maximum(total, 1))
    length = np.sqrt(1 + slopes[0] ** 2 + slopes[1] ** 2)
    return np.stack([-slopes[0] / length, -slopes[1] / length, 1 / length])


def _orientation(rng: np.random.Generator, style: Style) -> Array:
    """Draw a rotation: aligned, lying, or any; columns are the body's axes."""
    if style.turn_spread is not None:
        return _about_beam(rng.normal(0, style.turn_spread))
    if style.flatness <= 0:
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        return np.asarray(q * np.sign(np.diag(r)))
    lean = rng.normal(0, 0.6 * (1 - style.flatness) + 0.02)
    c, s = np.cos(lean), np.sin(lean)
    tipped = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    about = _about_beam(rng.uniform(0, np.pi))
    return np.asarray(_about_beam(rng.uniform(0, 2 * np.pi)) @ about @ tipped @ about.T)


def _about_beam(angle: float) -> Array:
    """Rotate about the beam."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


# --- families ------------------------------------------------------------------------------

Maker = Callable[[np.random.Generator, Style, Array, float], tuple[Body, float]]

_NO_FORMS, _NO_PLANES = np.zeros((0, 3, 3)), np.zeros((0, 3))
_LYING = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])  # the long axis into the image plane


def _quadric(axes: Array, turned: Array) -> Array:
    """Return the form of an ellipsoid; an infinite axis makes a cylinder."""
    return np.asarray((turned * axes**-2.0) @ turned.T)[None]


def _ellipsoid(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make an ellipsoid with the style's anisotropy."""
    axes = radius * np.exp(style.anisotropy * rng.normal(size=3))
    return Convex(_quadric(axes, turned), _NO_PLANES, np.zeros(0)), float(axes.max())


def _sphere(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a sphere that is round within 2 %."""
    return _ellipsoid(rng, dataclasses.replace(style, anisotropy=0.02), turned, radius)


def _spindle(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a long ellipsoid that lies."""
    ratio = 1.2 * style.slenderness
    axes = radius * np.array([1.0, 1.0, ratio]) / ratio**0.4
    return Convex(_quadric(axes, turned @ _LYING), _NO_PLANES, np.zeros(0)), float(axes.max())


def _cylinder(turned: Array, wide: tuple[float, float], half: float) -> tuple[Body, float]:
    """Make a cylinder of elliptical section with slightly rounded ends."""
    axes = np.array([*wide, np.inf])
    dome = np.array([*(1.25 * np.array(wide)), 1.35 * half])  # takes the edge off the ends
    forms = np.concatenate([_quadric(axes, turned), _quadric(dome, turned)])
    ends = np.stack([turned[:, 2], -turned[:, 2]])
    return Convex(forms, ends, np.full(2, half)), float(np.hypot(max(wide), half))


def _rod(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a rod: a cylinder, or one with hemispherical ends."""
    ratio = style.slenderness * np.exp(0.15 * rng.normal())
    thin, half = radius / ratio**0.4, radius * ratio**0.6
    if style.turn_spread is not None or style.flatness > 0:
        turned = turned @ _LYING
    if rng.random() < 0.5:
        return _cylinder(turned, (thin, thin), half)
    count = max(3, int(np.ceil(2 * half / thin / 0.35)))
    along = np.linspace(-1, 1, count)[:, None] * max(half - thin, 0.0) * turned[:, 2]
    return Lump(np.c_[along, np.full(count, thin)]), half + 1


def _bent_rod(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a rod along an arc, as bacteria, fibres and wires lie."""
    ratio = style.slenderness * np.exp(0.15 * rng.normal())
    thin, half = radius / ratio**0.4, radius * ratio**0.6
    bend = rng.uniform(0.1, 1.3)  # half the angle of the arc
    count = max(5, int(np.ceil(2 * half / thin / 0.3)))
    angle = np.linspace(-bend, bend, count)
    arc = half / bend * np.c_[np.sin(angle), np.cos(angle) - np.cos(bend / 2), 0 * angle]
    places = arc @ turned.T if style.flatness <= 0 else arc @ _about_beam(rng.uniform(0, 2 * np.pi))
    spheres = np.c_[places, np.full(count, thin)]
    return Lump(spheres), _reach(spheres)


def _plate(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a thin disc, or a thin polygon."""
    thick, wide = rng.uniform(0.1, 0.35) * radius, 1.1 * radius
    if rng.random() < 0.6:
        return _cylinder(turned, (wide, wide * np.exp(0.2 * rng.normal())), thick)
    return _cut(rng, _prism(rng, thick / radius), np.ones(3), turned, radius, rounding=1.4)


def _facet(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a grain of random faces."""
    stretch = np.exp(0.8 * style.anisotropy * rng.normal(size=3))
    planes = _random_faces(rng)
    return _cut(rng, planes, stretch, turned, radius, rounding=rng.uniform(1.0, 1.35))


def _pebble(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a worn grain: few faces, corners cut by an ellipsoid."""
    stretch = np.exp(style.anisotropy * rng.normal(size=3))
    planes = _random_faces(rng)
    return _cut(rng, planes, stretch, turned, radius, rounding=rng.uniform(0.88, 1.05))


def _cube(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a cube or block with more or less rounded corners."""
    stretch = np.exp(0.6 * style.anisotropy * rng.normal(size=3))
    planes = np.concatenate([np.eye(3), -np.eye(3)]), np.full(6, 0.82)
    return _cut(rng, planes, stretch, turned, radius, rounding=rng.uniform(1.1, 1.5))


def _crystal(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a crystal of a named habit."""
    names = list(_HABITS)
    habit = style.habit or names[int(rng.integers(len(names)))]
    stretch = np.exp(0.25 * style.anisotropy * rng.normal(size=3))
    return _cut(rng, _HABITS[habit](rng), stretch, turned, radius, rounding=rng.uniform(1.0, 1.35))


def _raspberry(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a ball studded with small balls."""
    count = int(rng.integers(25, 90))
    places = _directions(rng, count) * 0.85
    small = rng.uniform(0.15, 0.32) * np.clip(1 + 0.2 * rng.normal(size=count), 0.5, 1.6)
    spheres = np.concatenate([np.c_[places, small], [[0, 0, 0, 0.9]]]) * radius
    return Lump(spheres), _reach(spheres)


def _lump(
    rng: np.random.Generator, style: Style, turned: Array, radius: float
) -> tuple[Body, float]:
    """Make a few grown-together balls that count as one particle."""
    count = int(rng.integers(3, 10))
    sizes = rng.uniform(0.45, 0.8, count)
    spheres = np.c_[rng.normal(size=(count, 3)) * 0.32, sizes] * radius
    return Lump(spheres), _reach(spheres)


def _reach(spheres: Array) -> float:
    """Return the largest distance of a sphere's far side from the origin."""
    return float((np.linalg.norm(spheres[:, :3], axis=1) + spheres[:, 3]).max())


def _cut(
    rng: np.random.Generator,
    planes: tuple[Array, Array],
    stretch: Array,
    turned: Array,
    radius: float,
    *,
    rounding: float,
) -> tuple[Body, float]:
    """Cut planes (normals, distances for radius 1) and round the corners by an ellipsoid."""
    normals, distances = planes
    axes = rounding * stretch * radius
    faces = (normals / stretch) @ turned.T
    return Convex(_quadric(axes, turned), faces, distances * radius), float(axes.max())


def _directions(rng: np.random.Generator, count: int) -> Array:
    """Draw directions evenly over the sphere."""
    vectors = rng.normal(size=(count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _random_faces(rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw 9 to 27 faces, in half of the cases in opposite pairs."""
    normals = _directions(rng, int(rng.integers(9, 28)))
    if rng.random() < 0.5:
        normals = np.concatenate([normals, -normals[: len(normals) // 2]])
    return normals, rng.uniform(0.72, 1.0, len(normals))


def _octahedron(rng: np.random.Generator) -> tuple[Array, Array]:
    """Make an octahedron, mostly truncated towards the cube."""
    signs = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    normals, distances = signs / np.sqrt(3), np.full(8, 0.75)
    if rng.random() < 0.6:
        normals = np.concatenate([normals, np.eye(3), -np.eye(3)])
        distances = np.concatenate([distances, np.full(6, rng.uniform(0.85, 1.15))])
    return normals, distances


def _prism(rng: np.random.Generator, height: float | None = None) -> tuple[Array, Array]:
    """Make a prism of three to eight sides."""
    sides = int(rng.choice([3, 4, 5, 6, 6, 6, 8]))
    angles = np.arange(sides) * 2 * np.pi / sides
    walls = np.c_[np.cos(angles), np.sin(angles), np.zeros(sides)]
    ends = np.array([[0, 0, 1.0], [0, 0, -1.0]])
    half = rng.uniform(0.25, 1.0) if height is None else height
    wall = 0.58 if sides == 3 else 0.8
    return np.concatenate([walls, ends]), np.concatenate([np.full(sides, wall), np.full(2, half)])


def _tetrahedron(rng: np.random.Generator) -> tuple[Array, Array]:
    """Make a tetrahedron with cut corners."""
    faces = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]]) / np.sqrt(3)
    cut = np.full(4, rng.uniform(1.0, 1.5))
    return np.concatenate([faces, -faces]), np.concatenate([np.full(4, 0.55), cut])


def _bipyramid(rng: np.random.Generator) -> tuple[Array, Array]:
    """Make a bipyramid of four to six sides, lying or standing."""
    sides, rise = int(rng.choice([4, 5, 6])), rng.uniform(0.35, 1.0)
    angles = np.arange(sides) * 2 * np.pi / sides
    ring = np.c_[np.cos(angles), np.sin(angles)]
    normals = np.concatenate([np.c_[ring, np.full(sides, s)] for s in (rise, -rise)])
    normals = normals[:, [2, 0, 1]] if rng.random() < 0.6 else normals
    return normals / np.linalg.norm(normals, axis=1, keepdims=True), np.full(2 * sides, 0.75)


_HABITS: dict[str, Callable[[np.random.Generator], tuple[Array, Array]]] = {
    "octahedron": _octahedron,
    "prism": _prism,
    "tetrahedron": _tetrahedron,
    "bipyramid": _bipyramid,
}


@dataclasses.dataclass(frozen=True)
class _Family:
    """How often scenes are made of a kind of particle, and how one is made."""

    weight: float
    make: Maker


FAMILIES: dict[str, _Family] = {
    "ellipsoid": _Family(3.0, _ellipsoid),
    "sphere": _Family(3.0, _sphere),
    "pebble": _Family(3.0, _pebble),
    "facet": _Family(3.0, _facet),
    "cube": _Family(1.6, _cube),
    "rod": _Family(1.5, _rod),
    "bent rod": _Family(0.7, _bent_rod),
    "crystal": _Family(1.8, _crystal),
    "plate": _Family(1.2, _plate),
    "raspberry": _Family(1.0, _raspberry),
    "lump": _Family(0.8, _lump),
    "spindle": _Family(0.6, _spindle),
}
"""Kinds of particle by name."""
