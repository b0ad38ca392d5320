"""Processor time of an embedding, of teaching, and of naming an image.

    OMP_NUM_THREADS=1 python benchmarks/classification_speed.py

Medians of five, on one thread; the image is 1024 x 768, 8 bit.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_sem_tools.classification import Examples, embed, teach_vectors, texture_field
from napari_sem_tools.classification.predict import classify_one
from napari_sem_tools.classification.texture import describe

RUNS = 5


def cpu_ms(step: Callable[[], object]) -> float:
    """Return the median processor milliseconds of a call, after one that is not counted."""
    step()
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        step()
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times)


def examples(categories: int, each: int) -> Examples:
    """Return examples as random vectors round a direction a category."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(categories), each)
    table = rng.normal(size=(categories, 90))[labels] + rng.normal(size=(len(labels), 90))
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    vectors = table.astype(np.float32)
    names = tuple(f"category {number}" for number in range(categories))
    return Examples(names, labels, vectors, vectors, np.arange(len(labels)))


def main() -> None:
    """Print the times."""
    smooth = gaussian_filter(np.random.default_rng(0).normal(size=(768, 1024)), 2)
    image = np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))
    field = texture_field(image)
    print(f"field of 1024 x 768   {cpu_ms(lambda: texture_field(image)):8.1f} ms")
    print(f"its 90 numbers        {cpu_ms(lambda: describe(field)):8.1f} ms")
    print(f"embed                 {cpu_ms(lambda: embed(image)):8.1f} ms")
    for categories, each in ((2, 5), (5, 20), (20, 50)):
        kept = examples(categories, each)
        ms = cpu_ms(lambda kept=kept: teach_vectors(kept))
        print(f"teach {categories:2} x {each:2}         {ms:8.1f} ms")
    taught = teach_vectors(examples(5, 20))
    print(f"name (with six parts) {cpu_ms(lambda: classify_one(image, taught)):8.1f} ms")


if __name__ == "__main__":
    main()
