"""Where particles lie, and what hides what: a scene on the image's grid."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.settings import SimulationSettings
from napari_sem_tools.simulation.shapes import Surface, make_solid

__all__ = ["FullMask", "Heap", "Scene", "lay_down", "place"]

Array = NDArray[np.float64]

_ALONE = 16  # places tried for a particle that lies alone (Mitchell's best candidate)
_TOUCHING = 3  # places tried for one that touches another; more make looser agglomerates
_CONTACT = (0.72, 1.0)  # distance of touching centres, as a fraction of the sum of radii
_HARMONICS = np.arange(2, 7)  # of the wandering outline; 0 and 1 would be size and place


@dataclasses.dataclass(frozen=True, eq=False)
class FullMask:
    """The whole projection of a particle, hidden and outlying parts included.

    Attributes
    ----------
    row, column : int
        Place of the mask's first pixel on the image's grid; may be negative.
    mask : bool array (Y, X)
    """

    row: int
    column: int
    mask: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """What lies under the beam, on the image's grid.

    Attributes
    ----------
    labels : int32 array (Y, X)
        Particle on top, 0 for ground; consecutive from 1.
    height : array (Y, X)
        Of what is on top, in px above the ground.
    normal : array (3, Y, X)
        Unit normal of the surface on top as x, y, z; (0, 0, 1) on level ground.
    crease : array (Y, X)
        1 on edges between faces.
    mass : array (Y, X)
        Thickness in px of all particles above one another, each times its scattering power.
    full : tuple of FullMask
        One a label.
    """

    labels: NDArray[np.int32]
    height: Array
    normal: Array
    crease: Array
    mass: Array
    full: tuple[FullMask, ...]


def place(settings: SimulationSettings, rng: np.random.Generator, radii_px: Array) -> Array:
    """Choose the centres of the particles.

    Parameters
    ----------
    settings : SimulationSettings
        `agglomeration` is the probability that a particle touches one laid before it.
    rng : numpy.random.Generator
    radii_px : array (n,)

    Returns
    -------
    array (n, 2)
        y and x in px; a centre lies inside the picture.
    """
    extent = np.array([settings.height_px, settings.width_px], float)
    centres = np.empty((len(radii_px), 2))
    for i, radius in enumerate(radii_px):
        if i and rng.random() < settings.agglomeration:
            spots = _touching(centres[:i], radii_px[:i], radius, rng)
            outside = ((spots < 0) | (spots >= extent)).any(axis=1)
        else:
            spots = rng.uniform(0, 1, (_ALONE, 2)) * (extent - 1)
            outside = np.zeros(_ALONE, bool)
        gaps = np.linalg.norm(spots[:, None] - centres[None, :i], axis=2) - radii_px[:i]
        room = gaps.min(axis=1, initial=np.inf) - np.where(outside, np.inf, 0.0)
        centres[i] = np.clip(spots[room.argmax()], 0, extent - 1)
    return centres


def _touching(centres: Array, radii_px: Array, radius: float, rng: np.random.Generator) -> Array:
    """Draw places (n, 2) at which a particle touches one that lies there."""
    others = rng.integers(len(centres), size=_TOUCHING)
    angles, shares = rng.uniform(0, 2 * np.pi, _TOUCHING), rng.uniform(*_CONTACT, _TOUCHING)
    offsets = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return centres[others] + offsets * (shares * (radius + radii_px[others]))[:, None]


def lay_down(settings: SimulationSettings, rng: np.random.Generator) -> Scene:
    """Drop the particles one by one; each rests on what it meets first.

    Parameters
    ----------
    settings : SimulationSettings
    rng : numpy.random.Generator

    Returns
    -------
    Scene
        Particles of which nothing can be seen are not in it.
    """
    median = settings.diameter_nm / settings.pixel_size_nm / 2
    radii = median * settings.gsd ** rng.normal(size=settings.particles)
    centres = place(settings, rng, radii)
    shape = (settings.height_px, settings.width_px)
    heap = Heap(shape)
    for radius, centre in zip(radii, centres, strict=True):
        solid = make_solid(settings.shape, rng, float(radius))
        row, column, x, y = _patch(centre, solid.reach * (1 + 2 * settings.roughness))
        surface = solid.surface(*_wander(x, y, settings.roughness, rng))
        heap.drop(row, column, surface, power=rng.uniform(0.75, 1.25))
    return heap.scene()


def _patch(centre: Array, reach: float) -> tuple[int, int, Array, Array]:
    """Return first row and column and the coordinates x, y of a patch about a centre."""
    first = np.floor(centre - reach).astype(int)
    stop = np.ceil(centre + reach).astype(int) + 1
    y, x = np.mgrid[first[0] : stop[0], first[1] : stop[1]].astype(float)
    return int(first[0]), int(first[1]), x - centre[1], y - centre[0]


def _wander(x: Array, y: Array, roughness: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Let an outline wander by stretching each direction a little."""
    waves = rng.normal(size=len(_HARMONICS)) / _HARMONICS * roughness * 2
    phases = rng.uniform(0, 2 * np.pi, len(_HARMONICS))
    if roughness == 0:
        return x, y
    angle = np.arctan2(y, x)
    stretch = np.exp(
        np.tensordot(waves, np.cos(_HARMONICS[:, None, None] * angle + phases[:, None, None]), 1)
    )
    return x / stretch, y / stretch


class Heap:
    """The maps of a scene while particles fall on it.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.labels = np.zeros(shape, np.int32)
        self.height, self.crease, self.mass = np.zeros((3, *shape))
        self.normal = np.zeros((3, *shape))
        self.normal[2] = 1.0
        self.full: list[FullMask] = []

    def drop(
        self, row: int, column: int, surface: Surface, *, power: float, sink: float = 0.0
    ) -> None:
        """Lay one particle on what is there and let it cover that.

        Parameters
        ----------
        row, column : int
            Place of the first pixel of the patch; may be negative.
        surface : Surface
        power : float
            Scattering power of the particle.
        sink : float, optional
            How far it settles between its neighbours: 0 rests on the highest point below
            it, 1 on the mean.
        """
        rows, columns = surface.inside.shape
        self.full.append(FullMask(row, column, surface.inside))
        if not (-rows < row < self.shape[0] and -columns < column < self.shape[1]):
            return
        own = (
            slice(max(0, -row), min(rows, self.shape[0] - row)),
            slice(max(0, -column), min(columns, self.shape[1] - column)),
        )
        here = tuple(
            slice(s.start + first, s.stop + first)
            for s, first in zip(own, (row, column), strict=True)
        )
        inside = surface.inside[own]
        if not inside.any():
            return
        top, bottom = surface.top[own], surface.bottom[own]
        ground = self.height[here]
        gaps = (ground - bottom)[inside]
        lift = float((1 - sink) * gaps.max() + sink * gaps.mean())
        covers = inside & (top + lift > ground)
        ground[covers] = (top + lift)[covers]
        self.labels[here][covers] = len(self.full)
        self.normal[(slice(None), *here)][:, covers] = surface.normal[(slice(None), *own)][
            :, covers
        ]
        self.crease[here][covers] = surface.crease[own][covers]
        self.mass[here][inside] += power * (top - bottom)[inside]

    def scene(self) -> Scene:
        """Return the scene, with what can be seen numbered from 1 without gaps."""
        seen = np.flatnonzero(np.bincount(self.labels.ravel(), minlength=len(self.full) + 1)[1:])
        return Scene(
            _renumber(self.labels, seen),
            self.height,
            self.normal,
            self.crease,
            self.mass,
            tuple(self.full[i] for i in seen),
        )


def _renumber(labels: NDArray[np.int32], kept: NDArray[np.intp]) -> NDArray[np.int32]:
    """Give the kept labels (counted from 0) the numbers 1 to n; the others become ground."""
    numbers = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    numbers[kept + 1] = np.arange(1, len(kept) + 1)
    return numbers[labels]
