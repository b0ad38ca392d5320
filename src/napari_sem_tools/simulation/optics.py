"""From signal to a recorded training image: probe, dose, scan faults, grey curve, 8 bit.

`camera` records the sample micrograph with stated dose and blur; here they are drawn.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.noise import soft_blur

__all__ = ["Exposure", "draw_exposure", "expose"]

Field = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Exposure:
    """How one training image is recorded.

    Attributes
    ----------
    blur_px : float
        Standard deviation of the probe.
    dose : float
        Electrons counted in a white pixel.
    resampled_px : float
        Blur after the noise, as of a figure that was scaled; 0: none.
    line_noise : float
        Standard deviation of whole lines, as a fraction of white.
    inverted : bool
    gamma : float
    low, high : float
        Percentiles that become black and white.
    """

    blur_px: float
    dose: float
    resampled_px: float
    line_noise: float
    inverted: bool
    gamma: float
    low: float
    high: float


def draw_exposure(rng: np.random.Generator) -> Exposure:
    """Draw how an image is recorded, over the range that instruments and figures have."""
    uniform = rng.uniform
    return Exposure(
        blur_px=float(rng.choice([uniform(0.2, 0.9), uniform(0.7, 1.8)], p=[0.7, 0.3])),
        dose=float(np.exp(uniform(np.log(15), np.log(1000)))),
        resampled_px=float(uniform(0.4, 1.2)) if rng.random() < 0.35 else 0.0,
        line_noise=float(uniform(0.005, 0.04)) if rng.random() < 0.2 else 0.0,
        inverted=bool(rng.random() < 0.12),
        gamma=float(np.exp(uniform(-0.5, 0.5))),
        low=float(rng.choice([0.1, 1.0, 4.0])),
        high=float(rng.choice([99.9, 99.0, 95.0])),
    )


def expose(signal: Field, rng: np.random.Generator, exposure: Exposure) -> NDArray[np.uint8]:
    """Record a signal.

    Parameters
    ----------
    signal : float32 array (Y, X)
        In arbitrary units.
    rng : numpy.random.Generator
    exposure : Exposure

    Returns
    -------
    uint8 array (Y, X)
    """
    uniform, shape = rng.uniform, signal.shape
    y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    slope = 0.15 if rng.random() < 0.8 else 0.45
    uneven = 1 + uniform(-slope, slope) * x + uniform(-slope, slope) * y
    seen = soft_blur(signal * (uneven + uniform(-0.15, 0.1) * (x**2 + y**2)), exposure.blur_px)
    seen = np.clip(_stretched(seen, 0.2, 99.8), -0.05, 1.25)
    if rng.random() < 0.12:
        seen = seen + _charging(seen, rng)
    if exposure.inverted:
        seen = 1 - seen
    seen = uniform(0, 0.35) + uniform(0.35, 1.0) * seen
    counted = rng.poisson(np.maximum(seen, 0) * exposure.dose) / exposure.dose
    grey = counted + uniform(0, 0.04) * rng.standard_normal(shape, np.float32)
    grey = soft_blur(grey, exposure.resampled_px)
    grey = grey + exposure.line_noise * rng.standard_normal((shape[0], 1), np.float32)
    grey = np.clip(_stretched(grey, exposure.low, exposure.high), 0, 1) ** exposure.gamma
    black, white = uniform(0, 0.15), uniform(0.8, 1)
    if rng.random() < 0.2:  # a flat print
        black, white = sorted(uniform(0, 1, 2))
    recorded = 255 * (black + max(white - black, 0.3) * grey)
    return np.asarray(np.clip(np.rint(recorded), 0, 255), np.uint8)


def _stretched(image: Field, low: float, high: float) -> Field:
    """Map two percentiles to 0 and 1."""
    bottom, top = np.percentile(image[::2, ::2], [low, high])
    return np.asarray((image - bottom) / (top - bottom + 1e-6), np.float32)


def _charging(image: Field, rng: np.random.Generator) -> Field:
    """Drag light or shadow behind bright places, along the scan lines."""
    from scipy.signal import lfilter

    decay = np.exp(-1 / rng.uniform(10, 80))
    drag = lfilter([1 - decay], [1, -decay], np.maximum(image - 0.6, 0), axis=1)
    return np.asarray(rng.choice([-1, 1]) * rng.uniform(0.2, 0.9) * drag, np.float32)
