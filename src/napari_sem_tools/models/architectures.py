"""The table of networks: a name, who builds it, what it is.  Listing it imports nothing."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from typing import Any

from napari_sem_tools.errors import MissingExtra, UntrustedModel

__all__ = ["ARCHITECTURES", "Architecture", "build"]


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A row of the table.

    Attributes
    ----------
    builder : str
        ``module:callable``, imported when first built.
    help : str
        One line.
    extra : str
        The extra that brings what it needs.
    """

    builder: str
    help: str
    extra: str = "torch"


_NETWORKS = "napari_sem_tools.models.networks"

ARCHITECTURES: dict[str, Architecture] = {
    "folded-unet": Architecture(
        f"{_NETWORKS}.folded_unet:FoldedUNet",
        "U-Net between pixel unshuffle and shuffle: full resolution, fast on a CPU",
    ),
}
"""Networks by the name that cards use."""


def build(name: str, arguments: dict[str, Any]) -> Any:
    """Build a network without weights.

    Parameters
    ----------
    name : str
        A row of `ARCHITECTURES`.
    arguments : dict
        What its builder takes, as the card says.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    UntrustedModel
        No such row, or arguments that the builder refuses.
    MissingExtra
        A library is not installed.
    """
    row = ARCHITECTURES.get(name)
    if row is None:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1) or sorted(ARCHITECTURES)
        raise UntrustedModel(
            f"This version knows no network called {name!r}.",
            hint=f"Known are {', '.join(near)}; a newer version may know more.",
        )
    module, _, attribute = row.builder.partition(":")
    try:
        builder = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The network {name} needs {error.name}, which is not installed.", extra=row.extra
        ) from error
    try:
        return builder(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UntrustedModel(
            f"The card's arguments do not fit the network {name}: {error}"
        ) from error
