"""Folders of small made images, and ways of looking at them that cost nothing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from napari_sem_tools.catalogue import Catalogue, VectorSource
from napari_sem_tools.focus import FocusScore
from napari_sem_tools.micrograph import Micrograph

GRID = 4


def coarse(image: Micrograph) -> np.ndarray:
    """A vector of grey means on a coarse grid: alike images have alike vectors."""
    grey = np.asarray(image.grey, np.float32)
    rows, columns = (np.array_split(np.arange(n), GRID) for n in grey.shape)
    return np.array([[grey[np.ix_(r, c)].mean() for c in columns] for r in rows]).ravel() + 1.0


COARSE = VectorSource("coarse-1", coarse)


def score(image: Micrograph) -> FocusScore:
    """A focus score that is known: the mean grey value over 25.5."""
    return FocusScore(float(image.grey.mean()) / 25.5, (0.0, 10.0), method="mean")


def catalogue_at(place: Path, **options: object) -> Catalogue:
    return Catalogue(place, **{"embedding": COARSE, "focus": score, **options})


def picture(seed: int, side: int = 32) -> np.ndarray:
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (GRID, GRID)).repeat(side // GRID, 0).repeat(side // GRID, 1)
    return np.clip(blocks + random.normal(0, 3, (side, side)), 0, 255).astype(np.uint8)


def png(pixels: np.ndarray, **how: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", **how)
    return content.getvalue()


def fill(folder: Path, count: int, *, first: int = 0) -> list[Path]:
    """Write `count` different images."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"image{number:05}.png" for number in range(first, first + count)]
    for number, path in enumerate(paths, first):
        path.write_bytes(png(picture(number)))
    return paths
