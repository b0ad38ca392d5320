"""A microscope that exists only here: a scene of discs and texture, blurred by defocus."""

from __future__ import annotations

import functools

import numpy as np

from napari_sem_tools.evaluation.focus_protocol import blurred, exposed

SHAPE = (240, 320)
IN_FOCUS_PX = 0.8
BLUR_PER_UNIT = 0.4


@functools.lru_cache(maxsize=32)
def scene(seed: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Make a specimen, grey values 0.1 to 1, sharp to a pixel."""
    rng = np.random.default_rng(seed)
    picture = blurred(rng.random(shape), 1.0) + 2 * blurred(rng.random(shape), 4.0)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for _ in range(60 * shape[0] * shape[1] // (SHAPE[0] * SHAPE[1])):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        inside = (rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(4, 20) ** 2
        picture = np.where(inside, picture + rng.uniform(-0.25, 0.25), picture)
    picture = (picture - picture.min()) / np.ptp(picture)
    return 0.1 + 0.9 * picture


def frame(
    position: float, *, focus: float = 0.0, seed: int = 0, dose: float = 20.0, psf: str = "gauss",
    noise_seed: int = 0, shape: tuple[int, int] = SHAPE,
) -> np.ndarray:  # fmt: skip
    """Take a frame: blur by the distance from focus, gain, electrons, 8 bits."""
    sigma = np.hypot(IN_FOCUS_PX, BLUR_PER_UNIT * (position - focus))
    rng = np.random.default_rng((seed, noise_seed, abs(hash(round(position, 9)))))
    return exposed(blurred(scene(seed, shape), float(sigma), psf), dose, rng)
