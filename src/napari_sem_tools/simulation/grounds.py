"""What particles lie on: flat, mottled, grainy, wrinkled, holed, flaky and rough grounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.noise import fractal_noise, soft_blur

__all__ = ["GROUNDS", "draw_ground"]

Field = NDArray[np.float32]
Maker = Callable[[np.random.Generator, tuple[int, int], float], Field]


def draw_ground(
    rng: np.random.Generator, shape: tuple[int, int], *, diameter_px: float
) -> tuple[Field, str]:
    """Draw a ground of any kind.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : (int, int)
    diameter_px : float
        Median diameter of the particles; some grounds have features of that order.

    Returns
    -------
    brightness : float32 array (Y, X)
        About 1.
    kind : str
        A key of `GROUNDS`.
    """
    names = list(GROUNDS)
    weights = np.array([GROUNDS[name][0] for name in names])
    kind = str(rng.choice(names, p=weights / weights.sum()))
    return GROUNDS[kind][1](rng, shape, diameter_px), kind


def _flat(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Field:
    """Leave the ground even, but for a slow drift."""
    drift = fractal_noise(shape, rng, coarse_px=shape[0] / 2, slope=3.0)
    return 1 + np.float32(rng.uniform(0, 0.04)) * drift


def _mottle(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Field:
    """Draw soft patches of any size."""
    patches = fractal_noise(shape, rng, coarse_px=rng.uniform(4, 60), slope=rng.uniform(0.7, 1.6))
    return 1 + np.float32(rng.uniform(0.03, 0.15)) * patches


def _grain(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Field:
    """Draw the fine grain of a sputtered film."""
    grain = fractal_noise(shape, rng, coarse_px=rng.uniform(1.5, 5), slope=2.0)
    return 1 + np.float32(rng.uniform(0.05, 0.25)) * grain


def _rock(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Field:
    """Draw rough ground, bright where it is steep."""
    coarse = rng.uniform(0.15, 0.8) * diameter + 3
    relief = fractal_noise(shape, rng, coarse_px=coarse, slope=1.4)
    relief = np.abs(relief) if rng.random() < 0.5 else relief
    steep = np.hypot(*np.gradient(relief))
    lit = 0.5 * rng.uniform(0.2, 0.7) * (steep / (steep.mean() + 1e-9) - 1)
    return np.asarray(1 + lit + 0.1 * relief, np.float32)


def _wrinkle(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Field:
    """Draw the bright wrinkles of a film or tape."""
    folds = np.abs(fractal_noise(shape, rng, coarse_px=rng.uniform(20, 120), slope=1.6))
    lines = np.exp(-((folds / rng.uniform(0.04, 0.15)) ** 2))
    return np.asarray(1 + rng.uniform(0.1, 0.5) * lines, np.float32)


def _holes(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Field:
    """Draw dark holes with soft walls."""
    depth = fractal_noise(shape, rng, coarse_px=rng.uniform(0.4, 1.5) * diameter, slope=3.0)
    return np.asarray(1 - rng.uniform(0.2, 0.6) / (1 + np.exp(-(depth - 1.0) * 12)), np.float32)


def _flakes(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Field:
    """Draw faint closed outlines: residue and flakes that are no particles."""
    coarse = rng.uniform(0.3, 1.5) * diameter + 4
    height = fractal_noise(shape, rng, coarse_px=coarse, slope=2.0)
    slope = np.hypot(*np.gradient(height)) + 1e-3
    line = np.exp(-(((height - rng.uniform(0.2, 1.2)) / (slope * rng.uniform(0.8, 2.0))) ** 2))
    where = fractal_noise(shape, rng, coarse_px=rng.uniform(0.5, 2) * diameter + 4, slope=2.0)
    line = soft_blur(line * (where > rng.uniform(-1, 0.5)), 0.6)
    haze = fractal_noise(shape, rng, coarse_px=rng.uniform(4, 60))
    return 1 + np.float32(rng.uniform(0.2, 1.2)) * line + np.float32(rng.uniform(0.02, 0.1)) * haze


def _scratches(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Field:
    """Draw polishing scratches in one direction."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    across = (np.cos(angle) * x + np.sin(angle) * y + sum(shape)).astype(int)
    depths = rng.normal(size=3 * sum(shape)) * (rng.random(3 * sum(shape)) < rng.uniform(0.02, 0.3))
    lines = soft_blur(np.asarray(depths[across], np.float32), rng.uniform(0.5, 1.2))
    return np.asarray(1 + rng.uniform(0.05, 0.3) * np.clip(lines, -2, 2), np.float32)


GROUNDS: dict[str, tuple[float, Maker]] = {
    "flat": (0.29, _flat),
    "mottle": (0.23, _mottle),
    "grain": (0.12, _grain),
    "rock": (0.1, _rock),
    "wrinkle": (0.06, _wrinkle),
    "holes": (0.06, _holes),
    "flakes": (0.1, _flakes),
    "scratches": (0.04, _scratches),
}
"""Grounds by name: how often, and how."""
