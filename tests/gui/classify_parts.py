"""Parts of the tests of Classify and Catalogue: small pictures of three kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_sem_tools.micrograph import Calibration
from napari_sem_tools.tiff import write_tiff

__all__ = ["KINDS", "fill", "picture", "write_kinds"]

KINDS = ("blobs", "lines", "grains")


def picture(kind: str, seed: int, side: int = 72) -> np.ndarray:
    """A micrograph in small: blobs, lines, or coarse grains, with noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (side, side))
    if kind == "blobs":
        scene = gaussian_filter(noise, 3.0) * 9
    elif kind == "lines":
        turn = rng.uniform(0, np.pi)
        y, x = np.mgrid[:side, :side]
        scene = np.sin((y * np.cos(turn) + x * np.sin(turn)) / 2.2) + 0.3 * noise
    else:
        small = rng.integers(0, 3, (side // 12 + 1, side // 12 + 1)) - 1.0
        scene = np.kron(small, np.ones((12, 12)))[:side, :side] + 0.1 * noise
    return np.uint8(np.clip(128 + 40 * scene, 0, 255))


def fill(folder: Path, kind: str, count: int, *, first: int = 0) -> list[Path]:
    """Write pictures of a kind, 2 nm a pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    scale = Calibration((2.0, 2.0), "tag", "test")
    return [
        write_tiff(folder / f"{kind}{seed}.tif", picture(kind, seed), calibration=scale)
        for seed in range(first, first + count)
    ]


def write_kinds(folder: Path, count: int = 4) -> Path:
    """Write a folder with a folder of examples for every kind."""
    for kind in KINDS:
        fill(folder / kind, kind, count)
    return folder
