"""Contrast of training scenes: SE, BSE, bright and dark field, each with its variety.

`contrast` shades the sample micrograph in one fixed, plausible way; here every coefficient
is drawn anew for each scene, so that a network meets the contrast of many instruments.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.grounds import draw_ground
from napari_sem_tools.simulation.noise import fractal_noise, soft_blur
from napari_sem_tools.simulation.packing import Scene

__all__ = ["SIGNALS", "shade"]

Field = NDArray[np.float32]

_STEEPEST = 0.08  # z of the normal at which the yield stops to grow
_YIELD_CAP = 4.0
_TILT_GAIN = 0.9  # the largest that is drawn
_RIMMED = 0.65  # share of scenes with bright rims and crystal edges


def shade(name: str, scene: Scene, rng: np.random.Generator, *, diameter_px: float) -> Field:
    """Shade a scene by a detector with coefficients of its own.

    Parameters
    ----------
    name : str
        A key of `SIGNALS`.
    scene : Scene
    rng : numpy.random.Generator
    diameter_px : float
        Median diameter of the particles.

    Returns
    -------
    float32 array (Y, X)
        Signal without noise, in arbitrary units.

    References
    ----------
    .. [1] L. Reimer, "Scanning Electron Microscopy", 2nd ed., Springer, 1998, chapters 4, 6.
    """
    return SIGNALS[name](scene, rng, diameter_px)


def _brightness(rng: np.random.Generator, scene: Scene, largest: float) -> Field:
    """Give each particle a brightness of its own; the ground keeps 1."""
    count = int(scene.labels.max(initial=0))
    spread = rng.choice([0.03, rng.uniform(0.03, largest)])
    own = np.append(1.0, np.exp(spread * rng.normal(size=count)))
    return np.asarray(own[scene.labels], np.float32)


def _secondary(scene: Scene, rng: np.random.Generator, diameter: float) -> Field:
    """Yield by tilt, bright rims, detector side, shadows in gaps, height."""
    shape = scene.labels.shape
    height = scene.height.astype(np.float32)
    normal = scene.normal.astype(np.float32)
    particle = scene.labels > 0
    tilt = np.minimum(1 / np.maximum(normal[2], _STEEPEST) - 1, _YIELD_CAP) ** rng.uniform(0.5, 1)
    signal = _brightness(rng, scene, 0.25) * (1 + rng.uniform(0, _TILT_GAIN) * tilt)
    side = rng.uniform(0, 2 * np.pi)
    signal *= 1 + rng.uniform(0, 0.45) * (np.cos(side) * normal[0] + np.sin(side) * normal[1])
    if rng.random() < _RIMMED:
        convex = height - soft_blur(height, max(0.8, rng.uniform(0.03, 0.12) * diameter))
        signal += rng.uniform(0.2, 1.6) * np.tanh(np.maximum(convex, 0) / (0.06 * diameter))
    skin = fractal_noise(shape, rng, coarse_px=max(2.0, rng.uniform(0.05, 0.5) * diameter))
    signal *= 1 + rng.choice([0, rng.uniform(0.02, 0.1), rng.uniform(0.08, 0.3)]) * skin
    signal *= 1 + rng.choice([0, rng.uniform(0, 0.5)]) * height / diameter
    if rng.random() < 0.5:  # electrons that come from within the particle
        inner = soft_blur(np.where(particle, signal, 0), rng.uniform(0, 0.04) * diameter)
        signal = 0.5 * (signal + inner)
    dark = rng.uniform(0.02, 0.5) if rng.random() < 0.72 else rng.uniform(0.5, 1.3)
    ground, _ = draw_ground(rng, shape, diameter_px=diameter)
    signal = np.where(particle, signal, dark * ground)
    for reach, strength in ((0.12, rng.uniform(0, 1.4)), (0.5, rng.uniform(0, 1.2))):
        hollow = np.maximum(soft_blur(height, max(0.8, reach * diameter)) - height, 0)
        signal = signal * np.exp(-0.8 * strength * hollow / (reach * diameter + 1))
    if rng.random() < 0.3:  # a fast beam goes through: the more matter, the brighter
        depth = np.tanh(scene.mass.astype(np.float32) / (rng.uniform(0.5, 3) * diameter))
        signal = np.where(particle, signal * (1 + rng.uniform(0.2, 1.5) * depth), signal)
    if rng.random() < 0.35:  # the detector saturates: agglomerates grow white
        level = np.percentile(signal[particle], rng.uniform(40, 90)) if particle.any() else 1.0
        signal = np.minimum(signal, level + 0.15 * (signal - level))
    return np.asarray(signal, np.float32)


def _backscattered(scene: Scene, rng: np.random.Generator, diameter: float) -> Field:
    """Brightness by material, little by shape, darker in deep gaps."""
    shape = scene.labels.shape
    height = scene.height.astype(np.float32)
    skin = fractal_noise(shape, rng, coarse_px=max(2.0, rng.uniform(0.05, 0.5) * diameter))
    facing = np.maximum(scene.normal[2], _STEEPEST).astype(np.float32) ** rng.uniform(0, 0.6)
    body = _brightness(rng, scene, 0.25) * (1 + rng.uniform(0, 0.12) * skin) * facing
    ground, _ = draw_ground(rng, shape, diameter_px=diameter)
    signal = np.where(scene.labels > 0, body, rng.uniform(0.05, 0.7) * ground)
    hollow = np.maximum(soft_blur(height, 0.3 * diameter) - height, 0)
    return np.asarray(signal * np.exp(-rng.uniform(0, 0.6) * hollow / diameter), np.float32)


def _thickness(scene: Scene, rng: np.random.Generator, diameter: float) -> Field:
    """Return what a transmitted beam meets: mass, mottle, hollow cores, diffraction."""
    shape = scene.labels.shape
    mass = scene.mass.astype(np.float32) / diameter
    mottle = fractal_noise(shape, rng, coarse_px=max(2.0, rng.uniform(0.05, 0.5) * diameter))
    mass *= 1 + rng.choice([0, rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.3)]) * mottle
    if rng.random() < 0.2:
        mass = np.where(mass > 0.3, mass - rng.uniform(0.3, 0.95) * (mass - 0.3), mass)
    if rng.random() < 0.4:
        mass = np.tanh(mass * rng.uniform(1.5, 6)) / 2
    mass = np.maximum(mass, 0) * _brightness(rng, scene, 0.5)
    return np.asarray(mass * np.exp(rng.uniform(np.log(0.25), np.log(4.0))), np.float32)


def _fringe(image: Field, rng: np.random.Generator) -> Field:
    """Add the fringe of a slight defocus."""
    return image + np.float32(rng.uniform(0, 0.25)) * (
        image - soft_blur(image, rng.uniform(0.8, 2.5))
    )


def _bright_field(scene: Scene, rng: np.random.Generator, diameter: float) -> Field:
    """Let the beam fade in the particles."""
    ground, _ = draw_ground(rng, scene.labels.shape, diameter_px=diameter)
    return _fringe(ground * np.exp(-_thickness(scene, rng, diameter)), rng)


def _dark_field(scene: Scene, rng: np.random.Generator, diameter: float) -> Field:
    """Collect what the particles scatter."""
    ground, _ = draw_ground(rng, scene.labels.shape, diameter_px=diameter)
    scattered = 1.02 - np.exp(-_thickness(scene, rng, diameter))
    return _fringe(np.asarray(scattered + 0.1 * (ground - 1), np.float32), rng)


SIGNALS: dict[str, Callable[[Scene, np.random.Generator, float], Field]] = {
    "secondary electrons": _secondary,
    "backscattered electrons": _backscattered,
    "bright field": _bright_field,
    "dark field": _dark_field,
}
"""Detectors by name."""
