"""The network that learns: built by name, filled with weights that it begins with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from napari_sem_tools.classification.look import Look
from napari_sem_tools.models.architectures import build
from napari_sem_tools.models.encoder_weights import load_encoder_file, load_encoder_weights
from napari_sem_tools.models.image_networks import ImageNetwork
from napari_sem_tools.models.store import Store
from napari_sem_tools.tasks import Cancel
from napari_sem_tools.training.classification.plan import ClassificationPlan, weights_licence

__all__ = ["ARCHITECTURE", "BESIDE", "build_classifier", "classifier_arguments", "soft_loss"]

ARCHITECTURE: Final = "classifier"
"""Row of the table of architectures."""

BESIDE: Final = ("temperature", "limits", "far", "known", "known_labels")
"""Buffers that are filled when the training is done."""

_HEAD: Final = "head."


def classifier_arguments(
    network: ImageNetwork, look: Look, categories: int, *, dropout: float = 0.0
) -> dict[str, Any]:
    """Return what builds a classifier, as the card says it.

    Parameters
    ----------
    network : ImageNetwork
    look : Look
    categories : int
    dropout : float

    Returns
    -------
    dict

    Raises
    ------
    MissingExtra, UntrustedModel, InvalidSettings
        The network needs a library that is not there, or other sizes.
    """
    arguments = network.built_with(look.rows, look.columns)
    mean, deviation = network.scale
    return {
        "network": network.architecture,
        "arguments": arguments,
        "embedding": _embedding_size(network, arguments, look),
        "inputs": 1,
        "outputs": categories,
        "colours": network.channels,
        "mean": list(mean),
        "deviation": list(deviation),
        "dropout": dropout,
        "known": 1,
        "look": dataclasses.asdict(look),
        "named": network.name,
    }


def _embedding_size(network: ImageNetwork, arguments: dict[str, Any], look: Look) -> int:
    """Ask the network how long its embedding is, without memory where that is possible."""
    import torch

    shape = (1, network.channels, look.rows, look.columns)
    try:
        with torch.device("meta"):
            made = build(network.architecture, arguments).eval()(torch.empty(shape))
    except (RuntimeError, NotImplementedError):  # a few compute while they are built
        with torch.inference_mode():
            made = build(network.architecture, arguments).eval()(torch.zeros(shape))
    return int(made.flatten(1).shape[1])


def build_classifier(
    plan: ClassificationPlan, store: Store, *, cancel: Cancel | None = None
) -> tuple[Any, dict[str, Any], tuple[str, ...]]:
    """Build the network by its seed and fill it with what it begins with.

    Parameters
    ----------
    plan : ClassificationPlan
    store : Store
    cancel : callable, optional

    Returns
    -------
    network : Classifier
    arguments : dict
        That build it again.
    notes : tuple of str
        What became of the weights.

    Raises
    ------
    MissingExtra, UntrustedModel, InvalidSettings, ModelNotFound
    """
    from napari_sem_tools.models import devices

    torch, wish = devices.torch(), plan.settings
    if wish.threads:
        torch.set_num_threads(wish.threads)
    torch.manual_seed(wish.seed)
    arguments = classifier_arguments(plan.network, plan.look, len(plan.names), dropout=wish.dropout)
    network = build(ARCHITECTURE, arguments)
    if plan.start is not None:
        return network, arguments, _go_on(network, plan, store)
    licence = weights_licence(wish, plan.network)
    if not licence:
        return network, arguments, ()
    if "://" in wish.weights:
        said = load_encoder_weights(
            network.network, wish.weights, wish.weights_sha256, cancel=cancel
        )
    else:
        said = load_encoder_file(network.network, wish.weights, wish.weights_sha256, cancel=cancel)
    return network, arguments, (f"Weights of the licence {licence}: {said}",)


def _go_on(network: Any, plan: ClassificationPlan, store: Store) -> tuple[str, ...]:
    """Copy the weights of a trained model; its head only where the categories are the same."""
    from safetensors.torch import load

    from napari_sem_tools.models.weights import read_verified

    start = plan.start
    if start is None:
        return ()
    found = load(read_verified(store.weights(start.key), start.weights))
    same = tuple(one.name for one in start.classes) == plan.names
    own = network.state_dict()
    fits = {
        name: value.to(own[name].dtype)
        for name, value in found.items()
        if name not in BESIDE and name in own and value.shape == own[name].shape
        if same or not name.startswith(_HEAD)
    }
    network.load_state_dict({**own, **fits})
    if same:
        return ()
    return (f"The categories are not those of {start.key}, so its head begins anew.",)


def soft_loss(logits: Any, targets: Any) -> Any:
    """Return the cross-entropy against probabilities, the mean over images.

    Parameters
    ----------
    logits, targets : torch.Tensor (N, categories)

    Returns
    -------
    torch.Tensor
        One number.
    """
    return -(targets * logits.float().log_softmax(1)).sum(1).mean()


def predicted(
    network: Any, pictures: Any, numbers: Sequence[int], *, device: str, cancel: Cancel | None
) -> tuple[Any, Any]:
    """Run a network that does not learn now over some pictures.

    Parameters
    ----------
    network : Classifier
    pictures : uint8 array (N, rows, columns)
    numbers : sequence of int
        Which of them.
    device : str
    cancel : callable or None

    Returns
    -------
    logits : float64 array (n, categories)
    vectors : float32 array (n, embedding)
        Of length 1.
    """
    import numpy as np
    import torch

    from napari_sem_tools.classification.network import as_input
    from napari_sem_tools.tasks import stop_if_cancelled

    made = []
    for first in range(0, len(numbers), _AT_ONCE):
        stop_if_cancelled(cancel)
        batch = as_input(pictures[np.asarray(numbers[first : first + _AT_ONCE])])
        with torch.inference_mode():
            made.append(network(torch.from_numpy(batch).to(device)).float().cpu().numpy())
    count = network.head.out_features
    joined = np.concatenate(made) if made else np.zeros((0, count + 1), np.float32)
    return joined[:, :count].astype(np.float64), joined[:, count:]


_AT_ONCE: Final = 32
