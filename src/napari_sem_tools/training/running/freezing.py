"""Layers that stay as they are while the others learn."""

from __future__ import annotations

from typing import Any

from napari_sem_tools.errors import InvalidSettings

__all__ = ["freeze", "hold_still"]

_ENCODERS = ("encoder", "down", "backbone")
_HEADS = ("head", "segmentation_head", "fc", "classifier")


def freeze(network: Any, what: str, *, stages: int = 0) -> list[Any]:
    """Freeze layers of a network.

    Parameters
    ----------
    network : torch.nn.Module
    what : {"nothing", "stages", "encoder", "all but head"}
    stages : int
        For ``stages``: so many children of the encoder, from the image on.

    Returns
    -------
    list of torch.nn.Module
        What is frozen; give it to `hold_still` whenever the network is set to train.

    Raises
    ------
    InvalidSettings
        The network has no such part.
    """
    if what == "nothing":
        return []
    if what == "all but head":
        head = _part(network, _HEADS, "head")
        frozen = [child for child in network.children() if child is not head]
    else:
        encoder = _part(network, _ENCODERS, "encoder")
        frozen = [encoder] if what == "encoder" else list(encoder.children())[:stages]
    for module in frozen:
        for weight in module.parameters():
            weight.requires_grad_(False)
    return frozen


def hold_still(frozen: list[Any]) -> None:
    """Keep the statistics of frozen normalisations as they are."""
    for module in frozen:
        module.eval()


def _part(network: Any, names: tuple[str, ...], what: str) -> Any:
    """Find a part of the network by one of its usual names."""
    for name in names:
        part = getattr(network, name, None)
        if part is not None:
            return part
    raise InvalidSettings(
        f"This network ({type(network).__name__}) has no part that is its {what}.",
        hint="Set freeze to nothing.",
    )
