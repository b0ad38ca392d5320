"""A small training set of simulated images, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_sem_tools.tiff import write_tiff


def discs(seed: int, size: int = 96, count: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """An image of bright discs on noise, and its labels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.uint16)
    for number in range(1, count + 1):
        centre, radius = rng.uniform(5, size - 5, 2), rng.uniform(6, 11)
        labels[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2] = number
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.uint16)
    grey = 60 + 110 * (labels > 0) + 6 * (labels % 5) + rng.normal(0, 8, labels.shape)
    return np.clip(grey, 0, 255).astype(np.uint8), labels


@pytest.fixture
def make_set(tmp_path: Path):
    """Write a training-set folder of discs."""

    def make(count: int = 3, *, size: int = 96, classes: bool = False, name: str = "set") -> Path:
        folder = tmp_path / name
        for number in range(count):
            image, labels = discs(number, size)
            mask = (labels > 0).astype(np.uint8) + (labels % 2 == 1) if classes else labels
            write_tiff(folder / "images" / f"field_{number}.tif", image)
            write_tiff(folder / "masks" / f"field_{number}.tif", np.asarray(mask))
        return folder

    return make
