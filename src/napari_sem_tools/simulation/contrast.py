"""What the electrons tell of a scene: grey values before spot, noise and lettering."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.packing import Scene
from napari_sem_tools.simulation.settings import SimulationSettings

__all__ = ["CONTRASTS", "bright_field", "ground_texture", "secondary_electrons"]

Array = NDArray[np.float64]

_GROUND = 0.14  # grey of the ground under secondary electrons
_LEVEL = 0.36  # grey of a level surface of a particle
_STEEPEST = 0.22  # slope at which electrons no longer gain from leaving through the side
_DEEPEST = 1.5  # radii under the mean height beyond which a hollow grows no darker
_DETECTOR = (-0.6, -0.8)  # direction x, y of the detector: upper left
_TEXTURES_PX = (1.2, 6.0, 40.0)  # sizes of the mottle of the ground


def ground_texture(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Draw an uneven ground: mottle of several sizes.

    Parameters
    ----------
    shape : (int, int)
    rng : numpy.random.Generator

    Returns
    -------
    array (Y, X)
        Zero mean, unit variance.
    """
    from scipy.ndimage import gaussian_filter, zoom

    total = np.zeros(shape)
    for size in _TEXTURES_PX:
        step = max(1, int(size / 2))
        coarse = rng.normal(size=tuple(n // step + 3 for n in shape))
        coarse = gaussian_filter(coarse, size / step, truncate=3)
        fine = zoom(coarse, step, order=1)[: shape[0], : shape[1]] if step > 1 else coarse
        total += fine[: shape[0], : shape[1]] / coarse.std()
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-12))


def secondary_electrons(
    scene: Scene, settings: SimulationSettings, rng: np.random.Generator
) -> Array:
    """Shade a scene as a secondary electron detector sees it.

    Parameters
    ----------
    scene : Scene
    settings : SimulationSettings
    rng : numpy.random.Generator
        Draws texture and the brightness of each particle.

    Returns
    -------
    array (Y, X)
        Grey from 0 to 1 and a little above at the brightest rims.

    Notes
    -----
    The yield grows as the reciprocal cosine of the inclination, up to where the surface is
    so steep that the escape depth is larger than the step; hence the bright rims.  Hollows
    are darker, since electrons leaving them are caught by the walls: here by how far a
    point lies under the local mean height.

    References
    ----------
    .. [1] L. Reimer, "Scanning Electron Microscopy", 2nd ed., Springer, 1998, chapter 4.
    """
    from scipy.ndimage import gaussian_filter

    reach = settings.diameter_nm / settings.pixel_size_nm / 2
    tilt = 1 / np.maximum(scene.normal[2], _STEEPEST)
    side = _DETECTOR[0] * scene.normal[0] + _DETECTOR[1] * scene.normal[1]
    particle = scene.labels > 0
    count = int(scene.labels.max(initial=0))
    brightness = np.append(1.0, np.exp(rng.normal(0, 0.07, count)))[scene.labels]
    body = _LEVEL * tilt**0.72 * (1 + 0.28 * side) + 0.3 * scene.crease
    mottle = settings.substrate_texture * ground_texture(scene.labels.shape, rng)
    signal = np.where(particle, body * brightness * (1 + 0.2 * mottle), _GROUND * (1 + mottle))
    around = gaussian_filter(scene.height, max(reach / 2, 1.0), truncate=3)
    hollow = np.clip((around - scene.height) / max(reach, 1.0), 0, _DEEPEST)
    raised = np.minimum(scene.height / max(4 * reach, 1.0), 1.0)
    return np.asarray(signal * (1 + 0.25 * raised) / (1 + 1.1 * hollow))


def bright_field(scene: Scene, settings: SimulationSettings, rng: np.random.Generator) -> Array:
    """Shade a scene as the bright field of a transmission microscope shows it.

    Parameters
    ----------
    scene : Scene
    settings : SimulationSettings
    rng : numpy.random.Generator
        Draws the texture of the film.

    Returns
    -------
    array (Y, X)
        Grey from 0 to 1: the film bright, particles dark, twice as dark where two overlap.

    Notes
    -----
    Mass-thickness contrast: the intensity falls exponentially with mass times thickness.
    """
    diameter = settings.diameter_nm / settings.pixel_size_nm
    film = 0.72 * (1 + 0.5 * settings.substrate_texture * ground_texture(scene.labels.shape, rng))
    return np.asarray(film * np.exp(-0.9 * scene.mass / max(diameter, 1.0)))


CONTRASTS = {"secondary electrons": secondary_electrons, "bright field": bright_field}
"""What shades a scene, by the name of the mode in the settings."""
