"""What the benchmark of classification compares: vectors of crops, each kept in a file.

Rivals of the embeddings of the package are the mean and spread of the activations of networks
that were never trained, and a small network that learns from the examples alone.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classification_pictures import TASKS, equal
from napari_sem_tools.classification import EMBEDDINGS, embed

STRIDED_PX, STRIDED = 160, (32, 64, 128, 256)
SHOWN = 20  # every so many crops settle the normalisation of the untrained network
SMALL_PX, CHANNELS, HIDDEN, EPOCHS, STEP = 128, 32, 128, 15, 16

Grey = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Numbers = NDArray[np.intp]
Text = NDArray[np.str_]


@dataclasses.dataclass(frozen=True, eq=False)
class Crops:
    """All crops with their truths; equal crops of two tasks are kept once.

    Attributes
    ----------
    task, category, group, picture : str arrays (n,)
    place : int array (n,)
        Of each among the pixels.
    pixels : list of uint8 arrays (Y, X)
    """

    task: Text
    category: Text
    group: Text
    picture: Text
    place: Numbers
    pixels: list[Grey]

    def small(self, which: Numbers) -> Vectors:
        """Return crops at 128 px, values between -0.5 and 0.5."""
        from PIL import Image

        size = (SMALL_PX, SMALL_PX)
        made = [
            np.asarray(Image.fromarray(self.pixels[k]).resize(size, Image.Resampling.BOX))
            for k in self.place[which]
        ]
        return np.stack(made)[:, None].astype(np.float32) / 255 - np.float32(0.5)


def all_crops(data: Path, cache: Path, turned: bool) -> Crops:
    """Cut the crops of all tasks, or read them where they are kept."""
    kept = cache / "crops.npz"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **_cut(data, turned))
    with np.load(kept) as held:
        flat, shapes, place = held["flat"], held["shapes"], held["place"]
        truth = [held[name] for name in ("task", "category", "group", "picture")]
    parts = np.split(flat, np.cumsum(shapes.prod(1))[:-1])
    return Crops(*truth, place, [p.reshape(s) for p, s in zip(parts, shapes, strict=True)])


def _cut(data: Path, turned: bool) -> dict[str, NDArray[np.generic]]:
    """Cut the crops of all tasks."""
    crops = [crop for task in TASKS for crop in task(data)]
    if turned:
        crops = [dataclasses.replace(one, pixels=equal(one.pixels, turned=True)) for one in crops]
    known: dict[bytes, int] = {}
    place = [known.setdefault(one.pixels.tobytes(), len(known)) for one in crops]
    first = np.unique(place, return_index=True)[1]
    single = [crops[k].pixels for k in first]
    found: dict[str, NDArray[np.generic]] = {
        name: np.asarray([getattr(crop, name) for crop in crops])
        for name in ("task", "category", "group", "picture")
    }
    return found | {
        "place": np.asarray(place),
        "flat": np.concatenate([one.ravel() for one in single]),
        "shapes": np.asarray([one.shape for one in single]),
    }


def vectors_of(rival: str, crops: Crops, cache: Path) -> Vectors:
    """Return the vectors of a rival, kept once they are made."""
    name = EMBEDDINGS[rival].identity if rival in EMBEDDINGS else rival.replace(" ", "-")
    kept = cache / f"{name}.npy"
    if not kept.exists():
        np.save(kept, np.asarray(RIVALS[rival](crops.pixels), np.float32))
    return np.load(kept)[crops.place]


def embedded(model: str) -> Callable[[Sequence[Grey]], Vectors]:
    """Return what makes vectors by an embedding of the package."""
    return lambda pixels: np.asarray([embed(one, model=model) for one in pixels])


def untrained(pixels: Sequence[Grey]) -> Vectors:
    """Return mean and spread of the activations of the network of the package, untrained."""
    import torch

    from napari_sem_tools.models.networks.embedding_fcn import EmbeddingFCN

    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = EmbeddingFCN(outputs=0)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean over all that is shown
    with torch.inference_mode():
        for one in [one for one in pixels if min(one.shape) >= SMALL_PX][::SHOWN]:
            network.pooled(_whole(one, network.multiple))
        network.eval()
        rows = [network.pooled(_whole(one, network.multiple))[0].numpy() for one in pixels]
    return np.asarray(rows, np.float32)


def _whole(grey: Grey, multiple: int) -> Any:
    """Return a crop as a tensor, resized to the next sides that a network takes."""
    import torch

    sizes = [max(side // multiple, 1) * multiple for side in grey.shape]
    signal = torch.from_numpy(grey / np.float32(255))[None, None]
    if signal.shape[2:] == tuple(sizes):
        return signal
    return torch.nn.functional.interpolate(signal, sizes, mode="bilinear")


def strided(pixels: Sequence[Grey]) -> Vectors:
    """Return mean and spread of the activations of four strided, untrained convolutions."""
    import torch
    from skimage.transform import resize

    torch.manual_seed(0)
    torch.set_num_threads(1)
    stages = [torch.nn.Conv2d(a, b, 3, stride=2) for a, b in itertools.pairwise((1, *STRIDED))]
    rows = []
    with torch.inference_mode():
        for one in pixels:
            small = resize(one / 255.0, (STRIDED_PX, STRIDED_PX), anti_aliasing=True)
            signal = torch.from_numpy((small - 0.5).astype(np.float32))[None, None]
            parts = []
            for stage in stages:
                signal = torch.relu(stage(signal))
                signal = signal / signal.std()
                parts += [signal.mean((0, 2, 3)), signal.std((0, 2, 3))]
            rows.append(torch.cat(parts).numpy())
    return np.asarray(rows, np.float32)


RIVALS: dict[str, Callable[[Sequence[Grey]], Vectors]] = {
    **{name: embedded(name) for name in EMBEDDINGS},
    "untrained network": untrained,
    "untrained filters": strided,
}
"""Vectors by name: the embeddings of the package first."""


def small_network(
    pictures: Vectors, labels: Numbers, count: int, tested: Vectors, *, seed: int
) -> NDArray[np.float32]:
    """Train the small network of two convolutions on examples; return scores of the tested."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    side = (SMALL_PX - 4) // 2
    network = nn.Sequential(
        nn.Conv2d(1, CHANNELS, 3), nn.ReLU(), nn.Conv2d(CHANNELS, CHANNELS, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(), nn.Linear(CHANNELS * side**2, HIDDEN),
        nn.ReLU(), nn.Dropout(0.5), nn.Linear(HIDDEN, count),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(network.parameters(), 1e-4)
    share = np.bincount(labels, minlength=count)
    weight = torch.from_numpy((len(labels) / np.maximum(share, 1) / count).astype(np.float32))
    loss = nn.CrossEntropyLoss(weight)
    rng = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        for part in _parts(rng.permutation(len(labels)), STEP):
            optimiser.zero_grad()
            turned = np.ascontiguousarray(pictures[part][:, :, :: rng.choice((-1, 1))])
            told = network(torch.from_numpy(turned))
            loss(told, torch.from_numpy(labels[part])).backward()
            optimiser.step()
    network.eval()
    with torch.inference_mode():
        told = [network(torch.from_numpy(tested[p])) for p in _parts(np.arange(len(tested)), 64)]
    return np.asarray(torch.cat(told).numpy())


def _parts(order: Numbers, size: int) -> Iterator[Numbers]:
    """Yield a few at a time."""
    for first in range(0, len(order), size):
        yield order[first : first + size]
