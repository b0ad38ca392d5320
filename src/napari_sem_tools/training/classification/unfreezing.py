"""Layers that learn, and how fast: by stages from the head on, and by epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.training.classification.settings import ClassificationTraining

__all__ = ["Layers", "stages_of"]

_OPENED: Final = ("features", "stages", "blocks", "layers", "hidden", "model", "stem")
_NORMS: Final = ("BatchNorm", "LayerNorm", "GroupNorm", "BatchNormAct")
_PAPER_NETWORK: Final = "inception-resnet-v2"
_PAPER: Final = (
    "conv2d_1a.", "conv2d_2a.", "conv2d_2b.", "conv2d_3b.", "conv2d_4a.conv.", "conv2d_7b.",
    "block8.", "repeat_2.8.",
)  # fmt: skip
"""The first 15 and the last 30 layers of Keras' Inception-ResNet-v2, as timm calls them."""


def stages_of(network: Any) -> list[list[str]]:
    """List the stages of a network from the image on, each as the names of its parameters.

    Parameters
    ----------
    network : torch.nn.Module

    Returns
    -------
    list of list of str
        A normalisation belongs to the stage before it.
    """
    stages: list[list[str]] = []
    for name, part in _pieces(network, ""):
        own = [f"{name}.{inner}" if inner else name for inner, _ in part.named_parameters()]
        if not own:
            continue
        if stages and type(part).__name__.startswith(_NORMS):
            stages[-1] += own
        else:
            stages.append(own)
    loose = [name for name, _ in network.named_parameters(recurse=False)]
    if loose:  # tokens and positions, as transformers have them, come with the image
        stages[:1] = [loose + (stages[0] if stages else [])]
    return stages


def _pieces(network: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """List the children, and those of containers of stages instead of these."""
    for name, child in network.named_children():
        inner = list(child.named_children())
        if name in _OPENED and inner:
            yield from _pieces(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


@dataclasses.dataclass(eq=False)
class Layers:
    """Which layers of a classifier learn in an epoch.

    Attributes
    ----------
    network : Classifier
    settings : ClassificationTraining
    named : str
        Name of its inner network.

    Raises
    ------
    InvalidSettings
        The settings name layers that the network has not.
    """

    network: Any
    settings: ClassificationTraining
    named: str

    def __post_init__(self) -> None:
        """Find the stages once."""
        self.stages = stages_of(self.network.network)
        if self.settings.freeze == "paper-15-30" and self.named != _PAPER_NETWORK:
            raise InvalidSettings(
                f"freeze = paper-15-30 names layers of {_PAPER_NETWORK}, not of {self.named}.",
                hint="Choose that network, or freeze = all but last stages.",
            )
        if self.settings.freeze == "all but last stages":
            most = len(self.stages)
            if self.settings.trained_stages > most:
                raise InvalidSettings(
                    f"{self.named} has {most} stages, so {self.settings.trained_stages} cannot "
                    "be trained."
                )

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters for an optimiser, each group with its share of the rate.

        Returns
        -------
        list of dict
        """
        wish, parameters = self.settings, dict(self.network.network.named_parameters())
        found = [{"params": list(self.network.head.parameters()), "share": wish.head_rate}]
        for depth, names in enumerate(reversed(self.stages), start=1):
            held = [parameters[name] for name in names]
            found.append({"params": held, "share": wish.layer_decay**depth})
        return found

    def apply(self, epoch: int) -> list[Any]:
        """Let those layers learn that are to learn in an epoch.

        Parameters
        ----------
        epoch : int
            Counted from 1.

        Returns
        -------
        list of torch.nn.Module
            Modules that stay as they are, normalisations among them; for `hold_still`.
        """
        frozen = self.frozen(epoch)
        for name, weight in self.network.network.named_parameters():
            weight.requires_grad_(name not in frozen)
        return [module for module in self.network.network.modules() if _still(module)]

    def frozen(self, epoch: int) -> set[str]:
        """Return the names of the parameters of the inner network that do not learn.

        Parameters
        ----------
        epoch : int

        Returns
        -------
        set of str
        """
        every = {name for stage in self.stages for name in stage}
        wish = self.settings
        if epoch <= wish.head_epochs or wish.freeze == "all but head":
            return every
        if wish.freeze == "paper-15-30":
            return {name for name in every if name.startswith(_PAPER)}
        count = len(self.stages)
        learning = {
            "nothing": count,
            "all but last stages": wish.trained_stages,
            "progressive": min(count, 2 * count * (epoch - 1) // max(wish.epochs, 1)),
        }[wish.freeze]
        return {name for stage in self.stages[: count - learning] for name in stage}


def _still(module: Any) -> bool:
    """Tell whether a module has weights of its own, none of which learns."""
    own = list(module.parameters(recurse=False))
    return bool(own) and not any(weight.requires_grad for weight in own)
