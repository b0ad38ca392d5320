"""The table of networks: a name, who builds it, what it is.  Listing it imports nothing."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from napari_sem_tools.errors import MissingExtra, SemError, UntrustedModel

__all__ = ["ARCHITECTURES", "FAMILIES", "Architecture", "Family", "build"]

_MOST_PARAMETERS = 2 * 10**9  # more than any that a laboratory can run
_MOST_OF_A_NUMBER = 32768  # channels, classes, pixels
_MOST_IN_A_LIST = 64
_REFUSALS = (  # how builders answer arguments that they do not like
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_NETWORKS = "napari_sem_tools.models.networks"
_FAMILIES = "napari_sem_tools.models.families"


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A row of the table: a network of ours, in plain torch.

    Attributes
    ----------
    name : str
        As cards write it.
    builder : str
        ``module:callable``, imported when first built.
    help : str
        One line.
    tasks : tuple of str
        What a card with it may be for; empty: it only helps others to train.
    source : str
        The paper.
    preset : mapping
        Arguments that make it this row, unless the card says otherwise.
    parameters : int
        Trainable numbers and statistics, as `networks.counting` counts them, with one
        channel in.
    extra : str
        The extra that brings what it needs.
    """

    name: str
    builder: str
    help: str
    tasks: tuple[str, ...]
    source: str
    preset: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    parameters: int = 0
    extra: str = "torch"


@dataclasses.dataclass(frozen=True)
class Family:
    """Many networks of one library, by name.

    Attributes
    ----------
    name : str
        What stands before the first colon.
    pattern : str
        How the whole name is made.
    builder : str
        ``module:callable``; takes what stands behind the colon, and arguments.
    names : str
        ``module:callable`` that lists all names.
    help : str
        One line.
    tasks : tuple of str
    source : str
    extra : str
    """

    name: str
    pattern: str
    builder: str
    names: str
    help: str
    tasks: tuple[str, ...]
    source: str
    extra: str = "networks"


_ROWS = (
    Architecture(
        "folded-unet",
        f"{_NETWORKS}.folded_unet:FoldedUNet",
        "U-Net between pixel unshuffle and shuffle: full resolution, fast on a CPU",
        ("segmentation",),
        "Ronneberger 2015; Shi 2016",
        parameters=3_125_388,
    ),
    Architecture(
        "unet-tem",
        f"{_NETWORKS}.unet:UNet",
        "U-Net of 23 convolutions, without normalisation, for TEM images",
        ("segmentation",),
        "Š. Mocko (TEM U-Net); Ronneberger 2015",
        parameters=31_030_593,
    ),
    Architecture(
        "unet-keras-2017",
        f"{_NETWORKS}.unet:UNet2017",
        "the U-Net as the widely copied Keras code has it: 24 convolutions, dropout",
        ("segmentation",),
        "zhixuhao/unet 2017",
        parameters=31_031_685,
    ),
    Architecture(
        "multires",
        f"{_NETWORKS}.multires:MultiResUNet",
        "MultiRes U-Net with F = 32",
        ("segmentation",),
        "Ibtehaz and Rahman 2020",
        parameters=7_262_504,
    ),
    Architecture(
        "multires-bam",
        f"{_NETWORKS}.multires:MultiResUNet",
        "MultiRes U-Net as the annotation-free workflow really trained it",
        ("segmentation",),
        "Rühle 2021, doi 10.1038/s41598-021-84287-6",
        preset={"filters": 16, "decoder_filters": (256, 128, 64, 16)},
        parameters=2_429_491,
    ),
    Architecture(
        "resnet18",
        f"{_NETWORKS}.resnet:ResNet18",
        "ResNet-18 in plain torch, its parts named as in torchvision",
        ("classification", "embedding"),
        "He 2016",
        parameters=11_179_840,
    ),
    Architecture(
        "resnet18-small",
        f"{_NETWORKS}.resnet:ResNet18",
        "ResNet-18 of half the width: a quarter of the parameters",
        ("classification", "embedding"),
        "He 2016",
        preset={"widths": (32, 64, 128, 256)},
        parameters=2_800_544,
    ),
    Architecture(
        "simple-cnn",
        f"{_NETWORKS}.simple_cnn:SimpleCNN",
        "two convolutions and one large layer, for images of one size",
        ("classification", "embedding"),
        "b-weintraub/electron-microscope-assistant 2020",
        parameters=88_520_160,
    ),
    Architecture(
        "classifier",
        f"{_NETWORKS}.classifier:Classifier",
        "any network that gives an embedding, with a head for categories, its temperature, "
        "limits and known images",
        ("classification",),
        "own; temperature as in Guo 2017, distance as in Sun 2022",
        parameters=2_801_058,
    ),
    Architecture(
        "embedding-fcn",
        f"{_NETWORKS}.embedding_fcn:EmbeddingFCN",
        "mean and spread of the features of every level, and a vector made of them",
        ("embedding",),
        "own; levels as in folded-unet, pooled as in Andrearczyk 2016",
        parameters=2_029_568,
    ),
    Architecture(
        "resnet18-focus",
        f"{_NETWORKS}.resnet:FocusResNet18",
        "ResNet-18 joined with the magnification, for a focus score",
        ("focus",),
        "Yang 2020 (EgoVid, UNIST, COXEM)",
        parameters=11_707_718,
    ),
    Architecture(
        "focus-fcn",
        f"{_NETWORKS}.focus_fcn:FocusFCN",
        "small fully convolutional network: blur, astigmatism, noise, contrast and score, "
        "with the variance of each, for every cell and the image",
        ("focus",),
        "own; layers as in He 2016, variances as in Seitzer 2022",
        parameters=599_003,
    ),
    Architecture(
        "wgan-outlines",
        f"{_NETWORKS}.outlines:OutlineGenerator",
        "random numbers to the outline of a particle (before tanh)",
        ("generator",),
        "Gulrajani 2017; Rühle 2021",
        parameters=2_532_676,
    ),
    Architecture(
        "wgan-critic",
        f"{_NETWORKS}.outlines:OutlineCritic",
        "how real an outline looks; trains wgan-outlines",
        (),
        "Gulrajani 2017; Rühle 2021",
        parameters=4_311_553,
    ),
    Architecture(
        "cyclegan-bam-1.0",
        f"{_NETWORKS}.translation:TranslationGenerator",
        "mask to micrograph or back (before tanh), as in release 1.0.0",
        ("generator",),
        "Zhu 2017; Rühle 2021",
        parameters=2_849_537,
    ),
    Architecture(
        "cyclegan-bam-1.1",
        f"{_NETWORKS}.translation:TranslationGenerator",
        "mask to micrograph or back (before tanh), as in release 1.1.0",
        ("generator",),
        "Zhu 2017; Rühle 2021",
        preset={"bias": False},
        parameters=2_846_913,
    ),
    Architecture(
        "cyclegan-bam-1.2",
        f"{_NETWORKS}.translation:TranslationGenerator",
        "mask to micrograph or back (before tanh), as in release 1.2.0",
        ("generator",),
        "Zhu 2017; Rühle 2021",
        preset={"filters": 64, "steps": 3, "bias": False},
        parameters=45_591_425,
    ),
    Architecture(
        "patch-discriminator",
        f"{_NETWORKS}.translation:PatchDiscriminator",
        "how real the patches of an image look; trains the cyclegan networks",
        (),
        "Isola 2017; Rühle 2021",
        parameters=2_764_481,
    ),
)

_FAMILY_ROWS = (
    Family(
        "smp",
        "smp:<architecture>:<encoder>",
        f"{_FAMILIES}:build_smp",
        f"{_FAMILIES}:smp_names",
        "every architecture of segmentation_models_pytorch with every encoder of it, or of "
        "timm as tu-NAME",
        ("segmentation",),
        "github.com/qubvel-org/segmentation_models.pytorch",
    ),
    Family(
        "timm",
        "timm:<backbone>",
        f"{_FAMILIES}:build_timm",
        f"{_FAMILIES}:timm_names",
        "every backbone of timm, with a head by task",
        ("classification", "embedding", "focus", "segmentation"),
        "github.com/huggingface/pytorch-image-models",
    ),
    Family(
        "torchvision",
        "torchvision:<network>",
        f"{_FAMILIES}:build_torchvision",
        f"{_FAMILIES}:torchvision_names",
        "every network for classification of torchvision; outputs 0: its embedding",
        ("classification", "embedding"),
        "github.com/pytorch/vision",
    ),
)


def _by_name(rows: Iterable[Any]) -> dict[str, Any]:
    """Index the rows; the same name twice is a mistake of ours."""
    found: dict[str, Any] = {}
    for row in rows:
        if row.name in found:
            raise ValueError(f"two networks are called {row.name}")
        found[row.name] = row
    return found


ARCHITECTURES: dict[str, Architecture] = _by_name(_ROWS)
"""Networks of ours by the name that cards use."""

FAMILIES: dict[str, Family] = _by_name(_FAMILY_ROWS)
"""Networks of other libraries, by what stands before the colon."""


def build(architecture: str, arguments: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """Build a network without weights.

    Parameters
    ----------
    architecture : str
        A row of `ARCHITECTURES`, or a name as the pattern of a row of `FAMILIES` says.
    arguments : mapping, optional
        What its builder takes, as the card says.
    **more
        The same, one by one; this is how packages for other programs write it.

    Returns
    -------
    torch.nn.Module
        Answers with logits or raw values: the last function stands on the card.

    Raises
    ------
    UntrustedModel
        No such row, arguments that the builder refuses, or a network of absurd size.
    MissingExtra
        A library is not installed.
    """
    given = dict(arguments or {}) | more
    _check_sizes(given, architecture)
    make, extra = _builder(architecture)
    try:
        import torch

        _try_without_memory(torch, lambda: make(**given), architecture)
        return make(**given)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The network {architecture} needs {error.name}, which is not installed.", extra=extra
        ) from error
    except SemError:
        raise
    except _REFUSALS as error:
        raise _misfit(architecture, error) from error


def _builder(architecture: str) -> tuple[Callable[..., Any], str]:
    """Find who builds a network; it is imported when called."""
    row = ARCHITECTURES.get(architecture)
    if row is not None:
        preset, own = row.preset, row.builder
        return lambda **given: _imported(own)(**{**preset, **given}), row.extra
    prefix, _, rest = architecture.partition(":")
    family = FAMILIES.get(prefix)
    if family is not None and rest:
        source = family.builder
        return lambda **given: _imported(source)(rest, **given), family.extra
    near = difflib.get_close_matches(architecture, ARCHITECTURES, n=3) or sorted(ARCHITECTURES)
    patterns = " and ".join(family.pattern for family in FAMILIES.values())
    raise UntrustedModel(
        f"This version knows no network called {architecture[:120]!r}.",
        hint=f"Known are {', '.join(near)}, and {patterns}; a newer version may know more.",
    )


def _imported(dotted: str) -> Any:
    """Import ``module:attribute``."""
    module, _, attribute = dotted.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _check_sizes(value: Any, architecture: str) -> None:
    """Refuse numbers and lists that no network has, before anything is built of them."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        absurd = len(value) > _MOST_IN_A_LIST
        for item in value[:_MOST_IN_A_LIST]:
            _check_sizes(item, architecture)
    else:
        absurd = isinstance(value, int | float) and not 0 <= value <= _MOST_OF_A_NUMBER
    if absurd:
        raise UntrustedModel(
            f"The arguments of the network {architecture[:120]} hold numbers or lists that no "
            "network has."
        )


def _try_without_memory(torch: Any, make: Callable[[], Any], architecture: str) -> None:
    """Build the network without its numbers, to see how many there are."""
    try:
        with torch.device("meta"):
            network = make()
    except RuntimeError as error:
        if "meta tensors" in str(error):  # a few compute while they are built
            return
        raise
    counts = [tensor.numel() for tensor in network.state_dict().values()]
    if sum(counts) > _MOST_PARAMETERS:
        raise UntrustedModel(
            f"The network {architecture} would have {sum(counts)} numbers; "
            f"at most {_MOST_PARAMETERS} are built."
        )
    if not counts or min(counts) == 0:
        raise UntrustedModel(f"The network {architecture} would have layers without channels.")


def _misfit(architecture: str, error: Exception) -> UntrustedModel:
    """Say that the arguments do not fit, in one line."""
    words = " ".join(str(error).split())[:200].rstrip(".")
    return UntrustedModel(
        f"The card's arguments do not fit the network {architecture[:120]}: {words}."
    )
