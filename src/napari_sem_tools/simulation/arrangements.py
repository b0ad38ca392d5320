"""How particles lie together: apart, in films, grids, chains and agglomerates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.noise import fractal_noise

__all__ = ["ARRANGEMENTS", "arrange"]

Array = NDArray[np.float64]
Placer = Callable[[np.random.Generator, int, float, float, float], tuple[Array, Array]]

_MOST = 900  # particles of one scene
_SMALLEST_PX = 2.5  # radius
_RELAXING_STEPS = 40


def arrange(
    name: str,
    rng: np.random.Generator,
    size_px: int,
    *,
    diameter_px: float,
    spread: float,
    contact: float,
) -> tuple[Array, Array]:
    """Place the particles of a square scene.

    Parameters
    ----------
    name : str
        A key of `ARRANGEMENTS`.
    rng : numpy.random.Generator
    size_px : int
        Side of the scene; particles beyond the border are placed too, so that it cuts some.
    diameter_px : float
        Median diameter.
    spread : float
        Standard deviation of the logarithm of the diameter.
    contact : float
        Distance of touching centres as a fraction of the sum of radii; below 1 they overlap.

    Returns
    -------
    centres : array (n, 2)
        y, x in px.
    radii : array (n,)
        In px.
    """
    centres, radii = ARRANGEMENTS[name](rng, size_px, diameter_px, spread, contact)
    margin = diameter_px
    near = ((centres > -margin) & (centres < size_px + margin)).all(axis=1)
    return centres[near], radii[near]


def _radii(rng: np.random.Generator, count: int, diameter: float, spread: float) -> Array:
    """Draw log-normal radii."""
    drawn = 0.5 * diameter * np.exp(spread * rng.normal(size=count))
    return np.maximum(drawn, _SMALLEST_PX)


def _count(share: float, size: int, diameter: float, least: int) -> int:
    """Return how many particles cover a share of the scene and its margin."""
    area = (size + 2 * diameter) ** 2
    return int(np.clip(share * area / (np.pi / 4 * diameter**2), least, _MOST))


def _relax(centres: Array, radii: Array, contact: float) -> Array:
    """Push apart centres that are closer than contact: random points become neighbours."""
    from scipy.spatial import cKDTree

    for _ in range(_RELAXING_STEPS):
        pairs = cKDTree(centres).query_pairs(2 * contact * radii.max(), output_type="ndarray")
        first, second = pairs[:, 0], pairs[:, 1]
        offset = centres[second] - centres[first]
        distance = np.linalg.norm(offset, axis=1) + 1e-6
        lack = np.maximum(contact * (radii[first] + radii[second]) - distance, 0)
        if not (lack > 0.05).any():
            break
        push = 0.35 * (lack / distance)[:, None] * offset
        moves = np.zeros_like(centres)
        np.add.at(moves, first, -push)
        np.add.at(moves, second, push)
        centres = centres + np.clip(moves, -radii.max(), radii.max())
    return centres


def _sparse(
    rng: np.random.Generator, size: int, diameter: float, spread: float, contact: float
) -> tuple[Array, Array]:
    """Scatter particles that do not touch."""
    count = _count(rng.uniform(0.01, 0.3), size, diameter, 1)
    radii = _radii(rng, count, diameter, spread)
    centres = rng.uniform(-diameter, size + diameter, (count, 2))
    return _relax(centres, radii, 1.05), radii


def _film(
    rng: np.random.Generator, size: int, diameter: float, spread: float, contact: float
) -> tuple[Array, Array]:
    """Cover the ground with particles beside and upon one another."""
    share = rng.uniform(0.55, 1.3) / np.exp(2 * spread**2)
    count = _count(share, size, diameter, 2)
    radii = _radii(rng, count, diameter, spread)
    centres = rng.uniform(-diameter, size + diameter, (count, 2))
    return _relax(centres, radii, contact), radii


def _grid(
    rng: np.random.Generator, size: int, diameter: float, spread: float, contact: float
) -> tuple[Array, Array]:
    """Order particles in a lattice with faults: a full film or an island."""
    close = rng.random() < 0.7
    step = diameter * (rng.uniform(1.0, 1.12) if close else rng.uniform(1.3, 2.2))
    number = int(1.5 * (size + 2 * diameter) / step) + 2
    i, j = np.meshgrid(np.arange(number), np.arange(number), indexing="ij")
    hexagonal = rng.random() < 0.75
    y = i * step * (np.sqrt(0.75) if hexagonal else 1.0)
    x = (j + (0.5 * (i % 2) if hexagonal else 0)) * step
    places = np.c_[y.ravel(), x.ravel()]
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = (places - places.mean(axis=0)) @ turn + size / 2
    places += rng.normal(0, rng.uniform(0, 0.1) * diameter, places.shape)
    kept = rng.random(len(places)) > rng.choice([0.0, 0.05, 0.3])
    if rng.random() < 0.35:
        patch = fractal_noise((size, size), rng, coarse_px=size / 2, slope=2.0)
        where = np.clip(places, 0, size - 1).astype(int)
        kept &= patch[where[:, 0], where[:, 1]] > rng.normal(0, 0.5)
    kept &= (np.abs(places - size / 2) < size / 2 + diameter).all(axis=1)
    places = places[kept][:_MOST]
    return places, _radii(rng, len(places), diameter, min(spread, 0.08))


def _chain(
    rng: np.random.Generator, size: int, diameter: float, spread: float, contact: float
) -> tuple[Array, Array]:
    """Thread particles on wandering chains."""
    count = _count(rng.uniform(0.08, 0.5), size, diameter, 3)
    radii = _radii(rng, count, diameter, spread)
    length = int(rng.integers(3, 30))
    starts = np.arange(count) % length == 0
    angles = np.where(starts, rng.uniform(0, 2 * np.pi, count), rng.normal(0, 0.7, count))
    chain = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)[chain]
    turned = np.cumsum(angles)
    turned = turned - turned[first] + angles[first]
    steps = contact * (radii + np.roll(radii, 1)) * ~starts
    walk = np.cumsum(steps[:, None] * np.c_[np.sin(turned), np.cos(turned)], axis=0)
    origin = rng.uniform(0, size, (int(chain[-1]) + 1, 2))
    centres = walk - walk[first] + origin[chain]
    return _relax(centres, radii, contact), radii


def _agglomerate(
    rng: np.random.Generator, size: int, diameter: float, spread: float, contact: float
) -> tuple[Array, Array]:
    """Heap particles up in agglomerates of many sizes."""
    count = _count(rng.uniform(0.08, 0.75) / contact, size, diameter, 3)
    radii = _radii(rng, count, diameter, spread)
    heaps = int(rng.integers(1, max(2, count // 6) + 1))
    middles = rng.uniform(-0.5 * diameter, size + 0.5 * diameter, (heaps, 2))
    own = rng.choice(heaps, count, p=rng.dirichlet(np.full(heaps, 0.8)))
    width = 0.28 * diameter * contact * np.sqrt(np.bincount(own, minlength=heaps)[own])
    centres = middles[own] + rng.normal(size=(count, 2)) * width[:, None]
    return _relax(centres, radii, contact), radii


def _giants(
    rng: np.random.Generator, size: int, diameter: float, spread: float, contact: float
) -> tuple[Array, Array]:
    """Let one to three particles nearly fill the picture."""
    count = int(rng.integers(1, 4))
    radii = rng.uniform(0.12, 0.36, count) * size
    centres = rng.uniform(0.1, 0.9, (count, 2)) * size
    return _relax(centres, radii, contact), radii


def _nothing(
    rng: np.random.Generator, size: int, diameter: float, spread: float, contact: float
) -> tuple[Array, Array]:
    """Leave the ground bare: its texture is to be told from particles."""
    return np.zeros((0, 2)), np.zeros(0)


ARRANGEMENTS: dict[str, Placer] = {
    "sparse": _sparse,
    "film": _film,
    "grid": _grid,
    "chain": _chain,
    "agglomerate": _agglomerate,
    "giants": _giants,
    "nothing": _nothing,
}
"""Ways to place particles, by name."""
