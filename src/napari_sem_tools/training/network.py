"""The network that a plan asks for, with the weights that it goes on from, and its loss."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.models.architectures import build
from napari_sem_tools.models.store import Store
from napari_sem_tools.models.weights import read_verified
from napari_sem_tools.training.running.freezing import freeze
from napari_sem_tools.training.running.plan import TrainingPlan

__all__ = ["Built", "build_network", "loss_of"]

_MOST_BALANCE = 100.0  # of rare classes: beyond it single pixels rule


@dataclasses.dataclass(frozen=True, eq=False)
class Built:
    """A network ready to learn.

    Attributes
    ----------
    network : torch.nn.Module
    arguments : dict
        What builds it again.
    multiple : int
        Edges of an image are to be a multiple of it.
    frozen : list of torch.nn.Module
    notes : tuple of str
    """

    network: Any
    arguments: dict[str, Any]
    multiple: int
    frozen: list[Any]
    notes: tuple[str, ...] = ()


def build_network(plan: TrainingPlan, store: Store) -> Built:
    """Build a network by its seed, and fill it from the model that is gone on from.

    Parameters
    ----------
    plan : TrainingPlan
    store : Store

    Returns
    -------
    Built

    Raises
    ------
    MissingExtra, UntrustedModel, InvalidSettings
    """
    from napari_sem_tools.models import devices

    torch = devices.torch()
    if plan.settings.threads:
        torch.set_num_threads(plan.settings.threads)
    torch.manual_seed(plan.settings.seed)
    arguments = {**plan.arguments, "outputs": len(plan.outputs)}
    network = build(plan.architecture, arguments)
    notes = () if plan.start is None else _fill(network, plan, store)
    frozen = freeze(network, plan.settings.freeze, stages=plan.settings.frozen_stages)
    multiple = int(getattr(network, "multiple", 32))
    return Built(network, arguments, multiple, frozen, notes)


def loss_of(plan: TrainingPlan, masks: Sequence[NDArray[np.int32]]) -> Callable[[Any, Any], Any]:
    """Choose the loss by name.

    Parameters
    ----------
    plan : TrainingPlan
    masks : sequence of int array
        For the weight of the foreground.

    Returns
    -------
    callable
        ``loss(logits, targets)``.
    """
    from napari_sem_tools.training.losses import class_loss, separation_loss

    if plan.instances:
        return functools.partial(separation_loss, touching=plan.settings.touching)
    kind = "bce+dice" if plan.settings.loss == "auto" else plan.settings.loss
    marked = sum(int((mask > 0).sum()) for mask in masks)
    ground = sum(mask.size for mask in masks) - marked
    balance = min(ground / max(marked, 1), _MOST_BALANCE)
    return functools.partial(class_loss, kind=kind, balance=balance)


def _fill(network: Any, plan: TrainingPlan, store: Store) -> tuple[str, ...]:
    """Copy the weights that fit; a head with other maps begins anew."""
    from safetensors.torch import load

    if plan.start is None:
        return ()
    path = store.weights(plan.start.key)
    found = load(read_verified(path, plan.start.weights))
    own = network.state_dict()
    fits = {
        name: value.to(own[name].dtype)
        for name, value in found.items()
        if name in own and value.shape == own[name].shape
    }
    network.load_state_dict({**own, **fits})
    fresh = sorted(set(own) - set(fits))
    if not fresh:
        return ()
    listed = ", ".join(fresh[:4]) + (", ..." if len(fresh) > 4 else "")
    return (f"Other maps than those of {plan.start.key}: {listed} begin anew.",)
