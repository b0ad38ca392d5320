"""From a blurred signal to a recorded frame, and frames that show nothing."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.training.augmentation import electron

__all__ = ["empty_frame", "exposed"]

Grey = NDArray[np.float32]
Rng = np.random.Generator

_WHITE = 160.0  # of 255: what a signal of 1 becomes before the gain
_MANY = 40.0  # electrons; above it a Poisson number is a normal one
_LEAST_DOSE, _MOST_DOSE = 3.0, 1000.0


def exposed(clean: Grey, rng: Rng, *, plain: bool) -> tuple[NDArray[np.uint8], float | None]:
    """Record a signal.

    Parameters
    ----------
    clean : float32 array (Y, X)
        About 0.1 to 1.
    rng : numpy.random.Generator
    plain : bool
        Only gain, electron noise and 8 bits; else also what detectors and files add.

    Returns
    -------
    uint8 array (Y, X)
    float or None
        Variance of the signal over that of the noise; None without noise.
    """
    mean = float(clean.mean())
    gain = rng.uniform(0.9, 1.1)
    dose = float(np.exp(rng.uniform(np.log(_LEAST_DOSE), np.log(_MOST_DOSE))))
    snr = None
    seen = clean
    if rng.random() > 0.22:
        seen = _counted(np.maximum(clean, 0) * np.float32(dose / mean), rng) * np.float32(
            mean / dose
        )
        snr = float(clean.var() / (mean * mean / dose))
    if not plain:
        seen = _recorded(seen, rng)
        gain *= float(np.exp(rng.uniform(-0.4, 0.4)))
    grey = np.clip(np.rint(_WHITE * gain * seen), 0, 255).astype(np.uint8)
    if not plain and rng.random() < 0.15:
        grey = _through_jpeg(grey, int(rng.integers(60, 98)))
    return grey, snr


def empty_frame(shape: tuple[int, int], rng: Rng) -> NDArray[np.uint8]:
    """Draw a frame without anything to focus on: black, white, one grey, noise or saturated.

    Parameters
    ----------
    shape : (int, int)
    rng : numpy.random.Generator

    Returns
    -------
    uint8 array (Y, X)
    """
    kind = rng.integers(4)
    level = rng.choice([0.0, 255.0, rng.uniform(5, 250)])
    frame = np.full(shape, level, np.float32)
    if kind:
        noise = rng.standard_normal(shape, np.float32)
        frame = frame + np.float32(np.exp(rng.uniform(-0.5, 4))) * noise
    if kind == 2:
        dose = np.exp(rng.uniform(np.log(2), np.log(500)))
        frame = rng.poisson(dose, shape) * (rng.uniform(40, 160) / dose)
    if kind == 3:
        slope = np.linspace(0, rng.uniform(0, 60), shape[1], dtype=np.float32)
        frame = frame + slope
    return np.asarray(np.clip(np.rint(frame), 0, 255), np.uint8)


def _counted(electrons: Grey, rng: Rng) -> Grey:
    """Draw how many electrons come where so many are expected."""
    if float(electrons.mean()) < _MANY:
        return rng.poisson(electrons).astype(np.float32)
    noise = rng.standard_normal(electrons.shape, np.float32)
    return np.asarray(np.maximum(electrons + np.sqrt(electrons) * noise, 0), np.float32)


def _recorded(seen: Grey, rng: Rng) -> Grey:
    """Add what a detector chain, a scan and a charged specimen add."""
    if rng.random() < 0.3:
        seen = _smeared(seen, rng)
    if rng.random() < 0.3:
        seen = seen + np.float32(rng.uniform(0.003, 0.02)) * rng.standard_normal(
            (seen.shape[0], 1), np.float32
        )
    if rng.random() < 0.1:
        seen = electron.charging(seen, rng, strength=0.5)
    if rng.random() < 0.3:
        seen = electron.shading(seen, rng, strength=0.2)
    if rng.random() < 0.3:
        seen = electron.gamma(seen, rng, strength=0.4)
    low = rng.uniform(-0.3, 0.3)
    return np.asarray(seen + np.float32(low), np.float32)


def _smeared(seen: Grey, rng: Rng) -> Grey:
    """Join the noise of neighbours along the line, as a slow detector does, and add its own."""
    decay = np.float32(rng.uniform(0.1, 0.45))
    noise = rng.standard_normal(seen.shape, np.float32)
    noise[:, 1:] += decay * noise[:, :-1]
    return seen + np.float32(rng.uniform(0.005, 0.05)) * noise


def _through_jpeg(grey: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Save and read it as JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.uint8)
