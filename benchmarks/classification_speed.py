"""Processor time of an embedding, of teaching, and of naming an image.

    OMP_NUM_THREADS=1 python benchmarks/classification_speed.py

Medians of five, on one thread; the image is 1024 x 768, 8 bit.  The learned embedding is set
beside plain PyTorch on the same network and tensor, and a ResNet-18 of timm run by the package
beside plain timm.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_sem_tools.classification import Examples, embed, teach_vectors, texture_field
from napari_sem_tools.classification.learned import MODEL, embed_learned
from napari_sem_tools.classification.predict import classify_one
from napari_sem_tools.classification.texture import describe

RUNS, TURNS = 5, 21


def cpu_ms(step: Callable[[], object], *, runs: int = RUNS) -> float:
    """Return the median processor milliseconds of a call, after one that is not counted."""
    step()
    times = []
    for _ in range(runs):
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


def side_by_side() -> None:
    """Print what the package adds to a network run by hand."""
    import torch

    from napari_sem_tools.models import models

    torch.set_num_threads(1)
    field = np.random.default_rng(0).random((320, 416), np.float32)
    with models.lease(MODEL, device="cpu", precision="fp32") as lent:
        network, card, tensor = lent.network, lent.card, torch.from_numpy(field)[None, None]
        pair("network of the learned embedding", by_hand(network, tensor), lambda: leased(field))
        try:
            import timm
        except ImportError:
            return
        plain = timm.create_model("resnet18", num_classes=0, in_chans=1).eval()
        ours = dataclasses.replace(lent, network=plain, card=card)
        pair("resnet18 of timm", by_hand(plain, tensor), lambda: ours.tiles(field[None, None]))


def by_hand(network: Any, tensor: Any) -> Callable[[], object]:
    """Return a plain forward pass."""
    import torch

    def step() -> object:
        with torch.inference_mode():
            return network(tensor.contiguous(memory_format=torch.channels_last))

    return step


def leased(field: NDArray[np.float32]) -> object:
    """Borrow the network and run it, as the embedding does."""
    from napari_sem_tools.models import models

    with models.lease(MODEL, device="cpu", precision="fp32") as lent:
        return lent.tiles(field[None, None])


def pair(title: str, plain: Callable[[], object], ours: Callable[[], object]) -> None:
    """Print two times, taken in turns, and their ratio."""
    first, second = [], []
    for _ in range(TURNS):
        first.append(cpu_ms(plain, runs=1))
        second.append(cpu_ms(ours, runs=1))
    by_hand_ms, ours_ms = statistics.median(first), statistics.median(second)
    print(f"{title}: by hand {by_hand_ms:.1f} ms, by the package {ours_ms:.1f} ms, "
          f"ratio {ours_ms / by_hand_ms:.3f}")  # fmt: skip


def main() -> None:
    """Print the times."""
    smooth = gaussian_filter(np.random.default_rng(0).normal(size=(768, 1024)), 2)
    image = np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))
    field = texture_field(image)
    print(f"field of 1024 x 768   {cpu_ms(lambda: texture_field(image)):8.1f} ms")
    print(f"its 90 numbers        {cpu_ms(lambda: describe(field)):8.1f} ms")
    print(f"embed, texture        {cpu_ms(lambda: embed(image, model='texture')):8.1f} ms")
    learned = cpu_ms(lambda: embed(image, model="learned"))
    print(f"embed, learned        {learned:8.1f} ms, {2000 / learned:.0f} images/s on two cores")
    print(f"its part after field  {cpu_ms(lambda: embed_learned(field)):8.1f} ms")
    side_by_side()
    for categories, each in ((2, 5), (5, 20), (20, 50)):
        kept = examples(categories, each)
        ms = cpu_ms(lambda kept=kept: teach_vectors(kept))
        print(f"teach {categories:2} x {each:2}         {ms:8.1f} ms")
    taught = teach_vectors(examples(5, 20))
    print(f"name (with six parts) {cpu_ms(lambda: classify_one(image, taught)):8.1f} ms")


if __name__ == "__main__":
    main()
