"""Networks for images that others published: address, hash, licence, and how they look."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_sem_tools._version import __version__
from napari_sem_tools.errors import InvalidSettings, UntrustedModel
from napari_sem_tools.models.card import (
    ModelCard,
    OutputChannel,
    OutputClass,
    Score,
    TrainingData,
)
from napari_sem_tools.models.image_networks import IMAGENET
from napari_sem_tools.models.licences import require_accepted
from napari_sem_tools.tasks import Cancel, Progress

__all__ = ["PUBLISHED", "Published", "install_published", "renamed"]

_NFFA = (
    "Biological", "Fibres", "Films_Coated_Surface", "MEMS_devices_and_electrodes", "Nanowires",
    "Particles", "Patterned_surface", "Porous_Sponge", "Powder", "Tips",
)  # fmt: skip
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2",
            "#7f7f7f", "#bcbd22", "#17becf")  # fmt: skip
_SPLIT = "test: 15 %, near-duplicates together"


@dataclasses.dataclass(frozen=True)
class Published:
    """A row of the table.

    Attributes
    ----------
    name : str
        That it gets in the registry.
    url, sha256 : str
        Of the file of weights, a state dict saved by torch.
    size_bytes : int
    licence : str
    source : str
    help : str
    network : str
        As `architectures.build` takes it; its last layer is `head`.
    head : str
        Name of the last layer in the file.
    embedding : int
    categories : tuple of str
    look : mapping
        Fields of `Look`: fed exactly so.
    temperature : float
        As published.
    threshold : float
        Confidence from which its authors believe it, as published.
    scores : tuple of Score
    """

    name: str
    url: str
    sha256: str
    size_bytes: int
    licence: str
    source: str
    help: str
    network: str
    head: str
    embedding: int
    categories: tuple[str, ...]
    look: Mapping[str, Any]
    temperature: float
    threshold: float
    scores: tuple[Score, ...] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """What builds it, as its card says."""
        mean, deviation = IMAGENET
        return {
            "network": self.network,
            "arguments": {"inputs": 3, "outputs": 0},
            "embedding": self.embedding,
            "inputs": 3,
            "outputs": len(self.categories),
            "colours": 3,
            "mean": list(mean),
            "deviation": list(deviation),
            "known": 1,
            "look": dict(self.look),
        }


_ROWS = (
    Published(
        name="nffa-convnext-tiny",
        url="https://huggingface.co/slastrzelec/sem-nanostructure-classifier-convnext-tiny"
        "/resolve/main/convnext_tiny_group094_s2_best.pt",
        sha256="7e856feee47b86c3fb97d9a581bd7a8c9f1bc24454654e82330003fd0f3a194f",
        size_bytes=111_365_791,
        licence="MIT",
        source="https://huggingface.co/slastrzelec/sem-nanostructure-classifier-convnext-tiny",
        help="the ten NFFA categories by a ConvNeXt-Tiny of slastrzelec (2026); sees the strip, "
        "and has no test for images of other kinds",
        network="torchvision:convnext_tiny",
        head="classifier.2",
        embedding=768,
        categories=_NFFA,
        look={
            "rows": 384, "columns": 512, "fit": "whole", "strip": "in",
            "clip_low_percent": 0.0, "clip_high_percent": 100.0, "colours": 3,
        },
        temperature=3.283,
        threshold=0.915,
        scores=(
            Score("accuracy", 0.972, "nffa", _SPLIT),
            Score("macro-F1", 0.956, "nffa", _SPLIT, 0.939, 0.966),
        ),
    ),
)  # fmt: skip

PUBLISHED: dict[str, Published] = {row.name: row for row in _ROWS}
"""Networks of others by name; nothing of them is in this package."""


def install_published(
    name: str,
    *,
    file: str | Path | None = None,
    accept_licence: str = "",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> ModelCard:
    """Put a network that others published into the registry.

    Parameters
    ----------
    name : str
        Row of `PUBLISHED`.
    file : path-like, optional
        Its weights, where they were carried over; else they are loaded from the web.
    accept_licence : str
        The licence, where it is not a free one.
    progress, cancel : callable, optional

    Returns
    -------
    ModelCard

    Raises
    ------
    InvalidSettings
        There is no such row.
    UntrustedModel
        The licence was not accepted, or the file is not that of the hash.
    ModelNotFound
        There is no connection.
    MissingExtra
        torch is not installed.
    """
    if name not in PUBLISHED:
        near = difflib.get_close_matches(name, PUBLISHED, n=1) or list(PUBLISHED)
        raise InvalidSettings(
            f"There is no published network {name!r}.", hint=f"There is {', '.join(near)}."
        )
    row = PUBLISHED[name]
    require_accepted(row.licence, accept_licence, what=f"the weights of {row.name}")
    raw = _weights(row, file, progress, cancel)
    return _kept(row, raw)


def _weights(
    row: Published, file: str | Path | None, progress: Progress | None, cancel: Cancel | None
) -> bytes:
    """Get the file, and give its tensors the names of our network."""
    from napari_sem_tools.models.download import fetch
    from napari_sem_tools.models.encoder_weights import downloads, read_tensors

    if file is None:
        path = fetch(row.url, row.sha256, folder=downloads(), progress=progress, cancel=cancel)
    else:
        path = Path(file)
    return renamed(row, read_tensors(path, row.sha256, cancel))


def renamed(row: Published, found: Mapping[str, Any]) -> bytes:
    """Give the tensors of a published file the names of our network.

    Parameters
    ----------
    row : Published
    found : mapping of str to torch.Tensor

    Returns
    -------
    bytes
        A safetensors file, the published temperature within.

    Raises
    ------
    UntrustedModel
        They are those of another network.
    """
    import torch
    from safetensors.torch import save

    from napari_sem_tools.models.architectures import build

    network = build("classifier", row.arguments)
    state = dict(network.state_dict())
    for name, value in found.items():
        part = name.removeprefix(f"{row.head}.")
        own = f"head.{part}" if part != name else f"network.{name}"
        if own not in state or state[own].shape != value.shape:
            raise UntrustedModel(
                f"The weights of {row.name} hold {name[:80]!r}, which does not fit."
            )
        state[own] = value.to(state[own].dtype)
    state["temperature"] = torch.tensor([row.temperature])
    return bytes(save({name: value.contiguous() for name, value in state.items()}))


def _kept(row: Published, raw: bytes) -> ModelCard:
    """Keep the network with its card."""
    from napari_sem_tools.models import models
    from napari_sem_tools.models.weights import describe

    card = ModelCard(
        name=row.name,
        version="1.0.0",
        task="classification",
        architecture="classifier",
        arguments=row.arguments,
        weights=describe(raw),
        licence=row.licence,
        created=datetime.date.today().isoformat(),
        outputs=tuple(OutputChannel(one, "", "softmax") for one in row.categories),
        classes=tuple(
            OutputClass(one, colour) for one, colour in zip(row.categories, _COLOURS, strict=True)
        ),
        training_data=(TrainingData("NFFA-Europe 100 % SEM", "CC-BY-4.0", row.source),),
        scores=row.scores,
        description=f"{row.help}. Published temperature {row.temperature:g}; its authors believe "
        f"it from a confidence of {row.threshold:g} on. Original file: SHA-256 {row.sha256}.",
        code_version=__version__,
    )
    return models.on_disk.add(card, lambda out: out.write(raw)).card
