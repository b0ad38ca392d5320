"""Scenes to learn from: everything about them is drawn anew, and their truth is exact."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.arrangements import arrange
from napari_sem_tools.simulation.bodies import FAMILIES, Style, particle_surface
from napari_sem_tools.simulation.optics import Exposure, draw_exposure, expose
from napari_sem_tools.simulation.packing import Heap, Scene
from napari_sem_tools.simulation.signals import shade

__all__ = [
    "Recipe",
    "TrainingScene",
    "draw_recipe",
    "enlarged_scene",
    "stacked_scene",
    "training_scene",
]

Array = NDArray[np.float64]

_ARRANGEMENT_WEIGHTS = {
    "sparse": 0.2, "grid": 0.09, "film": 0.2, "chain": 0.12, "agglomerate": 0.35, "giants": 0.08,
    "nothing": 0.03,
}  # fmt: skip
_STACKED_WEIGHTS = {
    "sparse": 0.08, "grid": 0.05, "film": 0.3, "chain": 0.12, "agglomerate": 0.45,
}  # fmt: skip
_STACKED_PX = (14.0, 60.0)
_SPECIMENS = {name: share for name, share in _ARRANGEMENT_WEIGHTS.items() if name != "nothing"}
_SPECIMEN_PX = (9.0, 130.0)
_LN_ZOOM = 0.35  # spread of the magnification between pictures of one specimen
_TO_ENLARGE_PX = (7.0, 45.0)
_SIGNAL_WEIGHTS = {
    "secondary electrons": 0.62, "backscattered electrons": 0.08, "bright field": 0.24,
    "dark field": 0.06,
}  # fmt: skip
_LEAST_CONTRAST = 10.0  # grey levels between the rim of particles and the ground beside it
_TRIES = 6
_LEAST_VISIBLE = 0.04  # a smaller visible share is a sliver that nobody would outline
_LEAST_AREA_PX = 12


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is drawn once for a scene; a scene can be told in JSON.

    Attributes
    ----------
    size_px : int
        Side of the square scene.
    arrangement, signal : str
        Keys of `ARRANGEMENTS` and `SIGNALS`.
    families : tuple of str
        Keys of `FAMILIES` that are mixed.
    diameter_px, spread : float
        Median diameter; standard deviation of its logarithm.
    contact : float
        Distance of touching centres as a fraction of the sum of radii.
    sink : float
        How far particles settle between others.
    style : Style
    exposure : Exposure
    """

    size_px: int
    arrangement: str
    signal: str
    families: tuple[str, ...]
    diameter_px: float
    spread: float
    contact: float
    sink: float
    style: Style
    exposure: Exposure

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingScene:
    """An image and its exact truth.

    Attributes
    ----------
    image : uint8 array (Y, X)
        Before letters and bars are burnt in: those are drawn anew at every use.
    labels : uint16 array (Y, X)
        The largest visible piece of each particle, consecutive from 1.
    ignore : bool array (Y, X)
        Slivers and second pieces, which are neither particle nor ground.
    hidden : float32 array (n,)
        Share of each particle that others or the border cover.
    recipe : Recipe
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    ignore: NDArray[np.bool_]
    hidden: NDArray[np.float32]
    recipe: Recipe


def training_scene(
    seed: int | tuple[int, ...],
    *,
    size_px: int = 512,
    diameters_px: tuple[float, float] = (9.0, 130.0),
    arrangements: Mapping[str, float] = MappingProxyType(_ARRANGEMENT_WEIGHTS),
) -> TrainingScene:
    """Draw a scene, its contrast and its recording, and simulate it.

    Parameters
    ----------
    seed : int or tuple of int
        The same seed gives the same scene.
    size_px : int, optional
    diameters_px : (float, float), optional
        Range of the median diameter, drawn evenly in its logarithm.
    arrangements : mapping of str to float, optional
        Weights of the arrangements.

    Returns
    -------
    TrainingScene

    Notes
    -----
    A scene whose particles cannot be told from the ground teaches nothing: it is recorded
    anew, up to six times.
    """
    rng = np.random.default_rng(seed)
    for _ in range(_TRIES):
        recipe = draw_recipe(
            rng, size_px=size_px, diameters_px=diameters_px, arrangements=arrangements
        )
        made = scene_of(recipe, rng)
        if recipe.arrangement == "nothing" or _can_be_seen(made.image, made.labels > 0):
            break
    return made


def scene_of(recipe: Recipe, rng: np.random.Generator) -> TrainingScene:
    """Simulate a scene by its recipe: particles fall anew at every call.

    Parameters
    ----------
    recipe : Recipe
    rng : numpy.random.Generator

    Returns
    -------
    TrainingScene
    """
    scene, full_areas = _build(recipe, rng)
    signal = shade(recipe.signal, scene, rng, diameter_px=recipe.diameter_px)
    image = expose(signal, rng, recipe.exposure)
    labels, ignore, hidden = _visible_pieces(scene.labels, full_areas)
    return TrainingScene(image, labels, ignore, hidden, recipe)


def specimen_scenes(
    seed: int | tuple[int, ...], count: int = 4, *, size_px: int = 320
) -> tuple[TrainingScene, ...]:
    """Simulate several pictures of one specimen: other fields, magnifications, recordings.

    Parameters
    ----------
    seed : int or tuple of int
        The same seed gives the same pictures.
    count : int, optional
        Number of pictures.
    size_px : int, optional
        Side of each.

    Returns
    -------
    tuple of TrainingScene
        Particles have the same habits and the same signal; their size in pixels differs by a
        factor of 1.4 (one standard deviation), and every second picture is recorded anew.
    """
    rng = np.random.default_rng(seed)
    shared = draw_recipe(rng, size_px=size_px, diameters_px=_SPECIMEN_PX, arrangements=_SPECIMENS)
    pictures = []
    for number in range(count):
        zoom = float(np.exp(rng.normal(0, _LN_ZOOM)))
        largest = shared.diameter_px if shared.arrangement == "giants" else size_px / 2
        recipe = dataclasses.replace(
            shared,
            diameter_px=float(np.clip(shared.diameter_px * zoom, _SPECIMEN_PX[0], largest)),
            exposure=draw_exposure(rng) if number % 2 else shared.exposure,
        )
        pictures.append(scene_of(recipe, rng))
    return tuple(pictures)


def stacked_scene(seed: int | tuple[int, ...], *, size_px: int = 512) -> TrainingScene:
    """Draw a scene of small particles that mostly touch, cover one another or stand in heaps.

    Parameters
    ----------
    seed : int or tuple of int
    size_px : int, optional

    Returns
    -------
    TrainingScene
    """
    return training_scene(
        seed, size_px=size_px, diameters_px=_STACKED_PX, arrangements=_STACKED_WEIGHTS
    )


def enlarged_scene(seed: int | tuple[int, ...], *, size_px: int = 512) -> TrainingScene:
    """Draw stacked particles at half size and double the picture, pixels and truth.

    Small particles are looked at enlarged; a network that never saw an enlarged picture takes
    the softness of its pixels for something.

    Parameters
    ----------
    seed : int or tuple of int
    size_px : int, optional
        Side of the enlarged scene, even.

    Returns
    -------
    TrainingScene
        Its recipe tells the scene before it was enlarged.
    """
    from skimage.transform import rescale

    scene = training_scene(
        seed, size_px=size_px // 2, diameters_px=_TO_ENLARGE_PX, arrangements=_STACKED_WEIGHTS
    )
    image = rescale(scene.image.astype(np.float32), 2, order=1, mode="edge")
    return dataclasses.replace(
        scene,
        image=np.rint(image).astype(np.uint8),
        labels=scene.labels.repeat(2, 0).repeat(2, 1),
        ignore=scene.ignore.repeat(2, 0).repeat(2, 1),
    )


def draw_recipe(
    rng: np.random.Generator,
    *,
    size_px: int,
    diameters_px: tuple[float, float],
    arrangements: Mapping[str, float] = MappingProxyType(_ARRANGEMENT_WEIGHTS),
) -> Recipe:
    """Draw all that is decided once for a scene.

    Parameters
    ----------
    rng : numpy.random.Generator
    size_px : int
    diameters_px : (float, float)
    arrangements : mapping of str to float, optional
        Weights of the arrangements.

    Returns
    -------
    Recipe
    """
    uniform = rng.uniform
    weights = np.array([family.weight for family in FAMILIES.values()])
    kinds = int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    families = rng.choice(list(FAMILIES), kinds, replace=False, p=weights / weights.sum())
    arrangement = _pick(rng, arrangements)
    diameter = float(np.exp(uniform(*np.log(diameters_px))))
    stacked = rng.random() < 0.55
    spreads = [uniform(0, 0.1), uniform(0.1, 0.3), uniform(0.3, 0.55)]
    return Recipe(
        size_px=size_px,
        arrangement=arrangement,
        signal=_pick(rng, _SIGNAL_WEIGHTS),
        families=tuple(str(name) for name in families),
        diameter_px=size_px / 3 if arrangement == "giants" else diameter,
        spread=float(rng.choice(spreads, p=[0.3, 0.45, 0.25])),
        contact=float(uniform(0.5, 0.85) if stacked else uniform(0.88, 1.03)),
        sink=float(uniform(0.1, 0.8)),
        style=_draw_style(rng),
        exposure=draw_exposure(rng),
    )


def _draw_style(rng: np.random.Generator) -> Style:
    """Draw what the particles have in common."""
    uniform = rng.uniform
    uneven, rough = [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]
    return Style(
        flatness=float(rng.choice([0.0, uniform(0.3, 1)], p=[0.4, 0.6])),
        turn_spread=float(uniform(0.02, 0.3)) if rng.random() < 0.12 else None,
        anisotropy=float(uniform(0.03, 0.3)),
        slenderness=float(np.exp(uniform(np.log(1.4), np.log(7)))),
        wander=float(rng.choice([0, uniform(0.01, 0.05), uniform(0.05, 0.12)], p=uneven)),
        roughness=float(rng.choice([0, uniform(0.005, 0.03), uniform(0.03, 0.09)], p=rough)),
        grain=float(uniform(0.08, 0.6)),
        habit=str(rng.choice(["octahedron", "prism", "tetrahedron", "bipyramid", ""])),
    )


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw a name by its weight."""
    shares = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=shares / shares.sum()))


def _build(recipe: Recipe, rng: np.random.Generator) -> tuple[Scene, NDArray[np.int64]]:
    """Drop all particles; return the scene and the whole area of each of its labels."""
    centres, radii = arrange(
        recipe.arrangement,
        rng,
        recipe.size_px,
        diameter_px=recipe.diameter_px,
        spread=recipe.spread,
        contact=recipe.contact,
    )
    heap = Heap((recipe.size_px, recipe.size_px))
    powers = np.exp(rng.choice([0.0, 0.15]) * rng.normal(size=len(radii)))
    for centre, radius, power in zip(centres, radii, powers, strict=True):
        family = recipe.families[int(rng.integers(len(recipe.families)))]
        surface = particle_surface(family, recipe.style, rng, float(radius))
        row, column = (round(float(c)) - surface.inside.shape[0] // 2 for c in centre)
        heap.drop(row, column, surface, power=float(power), sink=recipe.sink)
    scene = heap.scene()
    return scene, np.array([int(whole.mask.sum()) for whole in scene.full], np.int64)


def _can_be_seen(image: NDArray[np.uint8], particle: NDArray[np.bool_]) -> bool:
    """Tell whether the outer rim of the particles differs from the ground beside it."""
    from scipy.ndimage import binary_dilation, binary_erosion

    if not particle.any() or particle.mean() > 0.995:
        return False
    rim = particle & ~binary_erosion(particle, iterations=2)
    beside = binary_dilation(particle, iterations=4) & ~particle
    if beside.sum() < 50:
        return True
    ground = float(image[beside].mean())
    differences = [abs(float(image[where].mean()) - ground) for where in (rim, particle)]
    return max(differences) > _LEAST_CONTRAST


def _visible_pieces(
    labels: NDArray[np.int32], full_areas: NDArray[np.int64]
) -> tuple[NDArray[np.uint16], NDArray[np.bool_], NDArray[np.float32]]:
    """Keep the largest piece of each particle that shows enough; ignore the rest."""
    from skimage.measure import label

    pieces = label(labels, connectivity=1, background=0)
    areas = np.bincount(pieces.ravel())
    owner = np.zeros(len(areas), np.int64)
    owner[pieces.ravel()] = labels.ravel()
    areas[0], owner[0] = 0, 0
    order = np.lexsort((areas, owner))  # the largest piece of each owner comes last
    largest = order[np.flatnonzero(np.diff(owner[order], append=owner.max() + 1))]
    largest = largest[owner[largest] > 0]
    whole = full_areas[owner[largest] - 1]
    shown = largest[areas[largest] >= np.maximum(_LEAST_AREA_PX, _LEAST_VISIBLE * whole)]
    numbers = np.zeros(len(areas), np.uint16)
    numbers[shown] = np.arange(1, len(shown) + 1)
    kept = numbers[pieces]
    hidden = 1 - areas[shown] / np.maximum(full_areas[owner[shown] - 1], 1)
    return kept, (labels > 0) & (kept == 0), np.clip(hidden, 0, 1).astype(np.float32)
