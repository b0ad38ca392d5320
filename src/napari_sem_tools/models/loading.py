"""From a card and its file of weights to a network that runs on a device."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_sem_tools.errors import SemWarning, UntrustedModel
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.devices import Precision, torch
from napari_sem_tools.models.folding import fold_normalisation
from napari_sem_tools.models.loaded import LoadedModel, bytes_per_px, stop_between_layers

__all__ = ["load"]

_log = logging.getLogger(__name__)


def load(
    weights: Path, card: ModelCard, *, device: str, precision: Precision, compiled: bool
) -> LoadedModel:
    """Build the network and give it its weights, whose hash is checked.

    Parameters
    ----------
    weights : Path
    card : ModelCard
    device : {"cuda", "mps", "cpu"}
    precision : {"fp32", "bf16", "fp16"}
    compiled : bool
        Let ``torch.compile`` translate it.

    Returns
    -------
    LoadedModel

    Raises
    ------
    UntrustedModel
        Weights and card do not belong together, or the network does not do what the card says.
    """
    from napari_sem_tools.models.weights import read_verified

    module = torch()
    raw = read_verified(weights, card.weights)
    network = _built(card, raw).eval().requires_grad_(False)
    pixel = bytes_per_px(network, card)
    network = fold_normalisation(network)
    network = network.to(device).to(memory_format=module.channels_last)
    size = sum(t.numel() * t.element_size() for t in network.state_dict().values())
    if compiled:
        network = _compiled(network, card, device)
    else:
        stop_between_layers(network)
    return LoadedModel(card, network, device, precision, size, pixel)


def _compiled(network: Any, card: ModelCard, device: str) -> Any:
    """Translate a network, and try it at once; without a compiler it runs as it is."""
    module = torch()
    edge = 4 * card.input.multiple_of
    try:
        faster = module.compile(network, dynamic=True)
        with module.inference_mode():
            faster(module.zeros(1, card.input.channels, edge, edge, device=device))
    except (RuntimeError, ImportError, OSError) as error:
        _log.info("torch.compile failed", exc_info=error)
        text = f"torch.compile does not work here, so {card.key} runs without it."
        warnings.warn(text, SemWarning, stacklevel=2)
        stop_between_layers(network)
        return network
    return faster


def _built(card: ModelCard, raw: bytes) -> Any:
    """Build without memory, compare shapes with the weights, then take these as they are."""
    from napari_sem_tools.models import architectures
    from napari_sem_tools.models.weights import check_shapes, read_header

    module = torch()
    from safetensors.torch import load as tensors_of

    arguments = dict(card.arguments)
    try:
        with module.device("meta"):
            network = architectures.build(card.architecture, arguments)
    except UntrustedModel:  # some builders compute with what they make; a wrong one fails again
        network = architectures.build(card.architecture, arguments)
    state = network.state_dict()
    check_shapes(read_header(raw), {k: tuple(v.shape) for k, v in state.items()})
    if set(state) != {name for name, _ in _tensors(network)}:  # weights do not say all of it
        network = architectures.build(card.architecture, arguments)
    found = tensors_of(raw)
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in found.items()}
    network.load_state_dict(tensors, assign=True)
    return network


def _tensors(network: Any) -> Iterator[tuple[str, Any]]:
    """List all that a network computes with."""
    yield from network.named_parameters(remove_duplicate=False)
    yield from network.named_buffers(remove_duplicate=False)
