"""Networks of segmentation_models_pytorch and timm, by name, never with weights.

Both libraries would load weights from the network by themselves, and timm a pickle from
a path; so only arguments that shape a network are passed on.  Both need torchvision to be
imported.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from napari_sem_tools.errors import MissingExtra, SemError, UntrustedModel

__all__ = [
    "build_smp",
    "build_timm",
    "build_torchvision",
    "smp_names",
    "timm_names",
    "torchvision_names",
]

_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")  # a name, not a path or an address
_NEVER = {"encoder_weights", "pretrained", "self", "kwargs"}
_TIMM_ARGUMENTS = {
    "act_layer", "drop_path_rate", "drop_rate", "dynamic_img_size", "global_pool",
    "img_size", "in_chans", "num_classes", "output_stride",
}  # fmt: skip
_HEADS = ("segmentation", "classification", "embedding", "focus")
_MOST_NAMED = 3
_WITH_SIDE_HEADS = ("inception_v3", "googlenet")  # of torchvision
_COLOURS = 3  # of every network of torchvision
_TIMM_ONLY = "dpt"  # its decoder wants a transformer


def library(name: str) -> Any:
    """Import smp or timm, and say in a sentence what is missing.

    Parameters
    ----------
    name : str
        Name of the module.

    Returns
    -------
    module

    Raises
    ------
    MissingExtra
        It, or torchvision, which it needs, is not installed.
    SemError
        torchvision was built for another torch.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"Networks of {name} need {error.name}, which is not installed.", extra="networks"
        ) from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        raise SemError(
            "The installed torchvision was built for another torch, so it cannot be used.",
            hint="Install torch and torchvision together, from the same index.",
        ) from error


def smp_names() -> tuple[str, ...]:
    """List all networks of smp with its own encoders, as ``smp:<architecture>:<encoder>``.

    It imports smp.  DPT takes encoders of timm alone (``tu-`` and a name of `timm_names`).
    """
    smp = library("segmentation_models_pytorch")
    encoders = smp.encoders.get_encoder_names()
    architectures = [name for name in smp.MODEL_ARCHITECTURES_MAPPING if name != _TIMM_ONLY]
    return tuple(f"smp:{a}:{e}" for a in architectures for e in encoders)


def timm_names() -> tuple[str, ...]:
    """List all networks of timm, as ``timm:<backbone>``; imports it."""
    return tuple(f"timm:{name}" for name in library("timm").list_models())


def torchvision_names() -> tuple[str, ...]:
    """List all networks for classification of torchvision; imports it."""
    models = library("torchvision.models")
    return tuple(f"torchvision:{name}" for name in models.list_models(module=models))


def build_smp(name: str, **arguments: Any) -> Any:
    """Build a network of segmentation_models_pytorch.

    Parameters
    ----------
    name : str
        ``<architecture>:<encoder>``, e.g. ``unet:resnet34``; or the architecture alone,
        with the encoder as ``encoder_name``.
    **arguments
        ``inputs`` and ``outputs`` (or smp's ``in_channels``, ``classes``), and what the
        architecture takes but weights.

    Returns
    -------
    torch.nn.Module
        Its ``multiple`` is what the edges of an image must be multiples of.

    Raises
    ------
    UntrustedModel
        No such architecture or encoder.
    MissingExtra
        smp, timm or torchvision is not installed.
    """
    smp = library("segmentation_models_pytorch")
    architecture, _, encoder = name.partition(":")
    known = smp.MODEL_ARCHITECTURES_MAPPING
    if architecture.lower() not in known:
        raise unknown(f"smp:{name}", architecture.lower(), known, "architecture of smp")
    builder = known[architecture.lower()]
    given = _renamed(arguments, inputs="in_channels", outputs="classes")
    taken = inspect.signature(builder.__init__).parameters
    encoder = encoder or given.get("encoder_name") or taken["encoder_name"].default
    _check_encoder(smp, f"smp:{name}", encoder)
    _refuse_strange(given, set(taken) - _NEVER, f"smp:{name}")
    network = builder(**given | {"encoder_name": encoder, "encoder_weights": None})
    network.multiple = int(getattr(network.encoder, "output_stride", 32))
    return network


def _check_encoder(smp: Any, name: str, encoder: Any) -> None:
    """Refuse an encoder that smp does not know, or that is a path or an address."""
    if isinstance(encoder, str) and encoder.startswith("tu-"):
        _check_backbone(library("timm"), name, encoder.removeprefix("tu-"))
    elif encoder not in (known := smp.encoders.get_encoder_names()):
        raise unknown(name, str(encoder), known, "encoder of smp")


def _check_backbone(timm: Any, name: str, backbone: Any) -> None:
    """Refuse a backbone that timm does not know, or that is a path or an address."""
    plain = isinstance(backbone, str) and _PLAIN.fullmatch(backbone)
    if not plain or not timm.is_model(backbone):
        raise unknown(name, str(backbone), timm.list_models(), "backbone of timm")


def build_timm(name: str, *, task: str = "classification", **arguments: Any) -> Any:
    """Build a network of timm, with a head by task.

    Parameters
    ----------
    name : str
        Backbone, e.g. ``convnext_tiny``; or ``create_model``, with the backbone as
        ``model_name``, as packages of others say it.
    task : {"classification", "embedding", "focus", "segmentation"}
        Logits of classes (N, outputs); the embedding (N, C); scores (N, outputs), one by
        default; or maps (N, outputs, Y, X) through a `FeaturePyramid`.
    **arguments
        ``inputs`` and ``outputs`` (or timm's ``in_chans``, ``num_classes``), and what
        shapes the backbone, e.g. ``img_size``.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    UntrustedModel
        No such backbone or task.
    MissingExtra
        timm or torchvision is not installed.
    """
    timm = library("timm")
    given = _renamed(arguments, inputs="in_chans", outputs="num_classes")
    backbone = given.pop("model_name", None) if name == "create_model" else name
    _check_backbone(timm, f"timm:{name}", backbone)
    if task not in _HEADS:
        raise unknown(f"timm:{name}", task, _HEADS, "task")
    _refuse_strange(given, _TIMM_ARGUMENTS, f"timm:{name}")
    make: Callable[..., Any] = timm.create_model
    if task == "segmentation":
        from napari_sem_tools.models.networks.heads import FeaturePyramid

        outputs = given.pop("num_classes", 1)
        encoder = make(backbone, pretrained=False, features_only=True, **given)
        return FeaturePyramid(encoder, encoder.feature_info.channels(), outputs)
    if task == "embedding":
        given["num_classes"] = 0
    if task == "focus":
        given.setdefault("num_classes", 1)
    return make(backbone, pretrained=False, **given)


def build_torchvision(name: str, *, inputs: int = 3, outputs: int = 1000) -> Any:
    """Build a network for classification of torchvision.

    Parameters
    ----------
    name : str
        E.g. ``alexnet``.
    inputs : int
        Channels: three, as all of them have.
    outputs : int
        Categories (logits); 0: what the last layer is given, the embedding.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    UntrustedModel
        No such network, or another number of channels.
    MissingExtra
        torchvision is not installed.
    """
    models = library("torchvision.models")
    known = models.list_models(module=models)
    if name not in known:
        raise unknown(f"torchvision:{name}", name, known, "network of torchvision")
    if inputs != _COLOURS:
        raise UntrustedModel(f"The network torchvision:{name} takes {_COLOURS} channels alone.")
    side = {"aux_logits": False, "init_weights": False} if name in _WITH_SIDE_HEADS else {}
    network = models.get_model(name, weights=None, num_classes=outputs or 1, **side)
    if not outputs:
        _take_head_off(network)
    return network


def _take_head_off(network: Any) -> None:
    """Let the last layer pass on what it is given."""
    from torch import nn

    name, _ = [one for one in network.named_modules() if isinstance(one[1], nn.Linear)][-1]
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, nn.Identity())


def _renamed(arguments: dict[str, Any], **names: str) -> dict[str, Any]:
    """Give our arguments the names of the library; one channel in unless said otherwise."""
    given = {names.get(key, key): value for key, value in arguments.items()}
    given.setdefault(names["inputs"], 1)
    return given


def _refuse_strange(given: dict[str, Any], known: set[str], name: str) -> None:
    """Refuse arguments that do not shape the network: weights, paths, addresses."""
    for key in _NEVER & set(given):
        if not given[key]:
            del given[key]  # packages say that they want none
    strange = sorted(set(given) - known)
    if strange:
        raise UntrustedModel(
            f"The network {name} takes no argument {strange[0][:80]!r} from a card.",
            hint="Weights come from the card's own file; load_encoder_weights takes an address.",
        )


def unknown(name: str, part: str, known: Iterable[str], what: str) -> UntrustedModel:
    """Return the error of a name that is not known, with those that are nearest.

    Parameters
    ----------
    name : str
        As the card has it.
    part : str
        The part of it that is wrong.
    known : iterable of str
    what : str
        What the known ones are.

    Returns
    -------
    UntrustedModel
    """
    names = sorted(known)
    near = difflib.get_close_matches(part, names, n=_MOST_NAMED) or names[:_MOST_NAMED]
    return UntrustedModel(
        f"This version knows no network called {name[:120]!r}: {part[:80]!r} is no {what}.",
        hint=f"The nearest: {', '.join(near)}.",
    )
