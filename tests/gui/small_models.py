"""A registry of its own for a test, with small untrained networks in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel, Score, TrainingData
from napari_sem_tools.models.store import Store

__all__ = ["add_model", "add_seer", "as_file", "make_seer", "use_store"]

MEANING = {"foreground": "particle", "border": "where two touch", "distance": "from the outline"}


def use_store(store: Store, monkeypatch: Any) -> None:
    """Make `sem.models` look into one store alone."""
    from napari_sem_tools.models import models

    monkeypatch.setitem(models.__dict__, "_store", store)


def add_model(store: Store, name: str, *, widths: tuple[int, ...] = (4, 8), **changes: Any) -> str:
    """Put a small untrained network into a store; return its key."""
    import torch
    from safetensors.torch import save

    from napari_sem_tools.models.networks.folded_unet import FoldedUNet
    from napari_sem_tools.models.weights import describe

    torch.manual_seed(len(name))
    raw = save(FoldedUNet(widths).state_dict())
    fields: dict[str, Any] = {
        "name": name,
        "version": "1.0.0",
        "task": "segmentation",
        "architecture": "folded-unet",
        "arguments": {"widths": list(widths)},
        "weights": describe(raw, file="weights.safetensors"),
        "licence": "BSD-3-Clause",
        "created": "2026-11-21",
        "description": "An untrained network for tests.",
        "input": InputSpec(
            clip_low_percent=1,
            clip_high_percent=99,
            halo_px=32,
            multiple_of=4,
            tile_px=512,
            object_size_px=30.0,
        ),
        "outputs": tuple(OutputChannel(o, m, "sigmoid") for o, m in MEANING.items()),
        "training_data": (TrainingData("emps", "CC-BY-4.0", "https://example.org/emps"),),
        "scores": (Score("AP@0.5", 0.81, "emps", "test", 0.78, 0.84),),
    }
    card = ModelCard(**(fields | changes))
    return store.add(card, lambda file: file.write(raw)).card.key


def as_file(store: Store, name: str, folder: Path) -> Path:
    """Export a model as one file."""
    from napari_sem_tools.models.transfer import export_model

    return export_model(store, name, folder)


def add_seer(store: Store, name: str, monkeypatch: Any, *, channels: int = 8) -> str:
    """Put a network into a store that sees what is brighter than the middle."""
    import torch
    from safetensors.torch import save

    from napari_sem_tools.models import architectures
    from napari_sem_tools.models.weights import describe

    monkeypatch.setattr(architectures, "build", lambda name, arguments: make_seer(**arguments))
    torch.manual_seed(0)
    raw = save(make_seer(channels).state_dict())
    outputs = tuple(OutputChannel(o, m, "sigmoid") for o, m in MEANING.items())
    card = ModelCard(
        name=name,
        version="1.0.0",
        task="segmentation",
        architecture="seer",
        arguments={"channels": channels},
        weights=describe(raw, file="weights.safetensors"),
        licence="BSD-3-Clause",
        created="2026-11-21",
        input=InputSpec(
            clip_low_percent=1, clip_high_percent=99, halo_px=32, multiple_of=4, tile_px=512
        ),
        outputs=outputs,
    )
    return store.add(card, lambda file: file.write(raw)).card.key


def make_seer(channels: int = 8) -> Any:
    """Build a network that works like one of its size and answers with the grey values."""
    import torch
    from torch import nn
    from torch.nn.functional import avg_pool2d

    class Seer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(1, channels, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(channels, 3, 1),
            )

        def forward(self, image: Any) -> Any:
            near = avg_pool2d(image, 5, 1, 2, count_include_pad=False)
            far = avg_pool2d(image, 15, 1, 7, count_include_pad=False)
            border = torch.full_like(near, -6.0)
            seen = torch.cat([20 * (near - 0.5), border, 8 * (far - 0.7)], 1)
            return seen + 1e-6 * self.body(image)

    return Seer()
