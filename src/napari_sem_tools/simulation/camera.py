"""From grey values to a recorded image: uneven brightness, spot, counting and noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.settings import SimulationSettings

__all__ = ["record"]

Array = NDArray[np.float64]

_WHITE = 255.0


def record(
    signal: Array, settings: SimulationSettings, rng: np.random.Generator, *, blur_px: float
) -> NDArray[np.uint8]:
    """Record grey values as a microscope does.

    Parameters
    ----------
    signal : array (Y, X)
        Grey from 0 to 1 at the specimen.
    settings : SimulationSettings
        `gradient`, `dose` and `read_noise`.
    rng : numpy.random.Generator
    blur_px : float
        Standard deviation of the Gaussian spot.

    Returns
    -------
    uint8 array (Y, X)
    """
    from scipy.ndimage import gaussian_filter

    seen = gaussian_filter(signal, blur_px, mode="nearest") if blur_px else signal
    seen = np.clip(seen * _shading(signal.shape, settings.gradient, rng), 0, None)
    counted = rng.poisson(seen * settings.dose) / settings.dose
    grey = counted * _WHITE + rng.normal(0, 1, signal.shape) * settings.read_noise
    return np.asarray(np.clip(np.rint(grey), 0, _WHITE), np.uint8)


def _shading(shape: tuple[int, ...], strength: float, rng: np.random.Generator) -> Array:
    """Draw a smooth brightness with one slope and one bow, about 1."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    angle, bow = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)
    slope = np.cos(angle) * x + np.sin(angle) * y
    return np.asarray(1 + strength * (0.7 * slope + bow * (x**2 + y**2 - 2 / 3)))
