"""The table of networks for whole images, by the names that people call them."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from napari_sem_tools.errors import InvalidSettings

__all__ = ["IMAGENET", "IMAGE_NETWORKS", "ImageNetwork", "image_network"]

IMAGENET: tuple[tuple[float, ...], tuple[float, ...]] = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
)
"""Mean and standard deviation of the colours of ImageNet, which its weights expect."""

_HALF: tuple[tuple[float, ...], tuple[float, ...]] = ((0.5,) * 3, (0.5,) * 3)
_GREY: tuple[tuple[float, ...], tuple[float, ...]] = ((0.5,), (0.25,))


@dataclasses.dataclass(frozen=True)
class ImageNetwork:
    """A row of the table.

    Attributes
    ----------
    name : str
    architecture : str
        As `architectures.build` takes it.
    help : str
        One line.
    source : str
        The paper.
    scale : (sequence of float, sequence of float)
        Mean and deviation of each channel; their number is that of the channels.
    arguments : mapping
        What its builder takes besides, for an embedding.
    sized : bool
        Whether it is built for one size of the image.
    multiple : int
        Rows and columns are to be a multiple of it.
    licence : str
        Of the weights that its authors publish, as an SPDX id.
    """

    name: str
    architecture: str
    help: str
    source: str
    scale: tuple[Sequence[float], Sequence[float]] = IMAGENET
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sized: bool = False
    multiple: int = 1
    licence: str = ""

    @property
    def channels(self) -> int:
        """Channels that it is given."""
        return len(self.scale[0])

    def built_with(self, rows: int, columns: int) -> dict[str, Any]:
        """Return the arguments of its builder for an embedding.

        Parameters
        ----------
        rows, columns : int

        Returns
        -------
        dict

        Raises
        ------
        InvalidSettings
            It wants other sizes.
        """
        if rows % self.multiple or columns % self.multiple:
            raise InvalidSettings(
                f"{self.name} wants rows and columns that are multiples of {self.multiple}, "
                f"not {rows} x {columns}.",
                hint=f"Choose {rows // self.multiple * self.multiple} x "
                f"{columns // self.multiple * self.multiple}.",
            )
        given = dict(self.arguments) | {"inputs": self.channels}
        if self.architecture.startswith("timm:"):
            given["task"] = "embedding"
            return given | ({"img_size": [rows, columns]} if self.sized else {})
        given["outputs"] = 0
        return given | ({"rows": rows, "columns": columns} if self.sized else {})


_SZEGEDY = "Szegedy 2016, arXiv 1512.00567"
_V4 = "Szegedy 2016, arXiv 1602.07261"
_APACHE, _BSD = "Apache-2.0", "BSD-3-Clause"

_ROWS = (
    ImageNetwork("resnet18-small", "resnet18-small", "ResNet-18 of half the width, plain torch",
                 "He 2016", _GREY),
    ImageNetwork("resnet18", "resnet18", "ResNet-18 in plain torch", "He 2016", _GREY,
                 licence=_APACHE),
    ImageNetwork("simple-cnn", "simple-cnn", "two convolutions and one large layer",
                 "b-weintraub/electron-microscope-assistant 2020", _GREY, sized=True),
    ImageNetwork("alexnet", "torchvision:alexnet", "AlexNet", "Krizhevsky 2014, arXiv 1404.5997",
                 licence=_BSD),
    ImageNetwork("inception-v3", "timm:inception_v3", "Inception-v3", _SZEGEDY, licence=_APACHE),
    ImageNetwork("inception-v4", "timm:inception_v4", "Inception-v4", _V4, _HALF, licence=_APACHE),
    ImageNetwork("inception-resnet-v2", "timm:inception_resnet_v2", "Inception-ResNet-v2", _V4,
                 _HALF, licence=_APACHE),
    ImageNetwork("xception", "timm:legacy_xception", "Xception",
                 "Chollet 2017, arXiv 1610.02357", _HALF, licence=_APACHE),
    ImageNetwork("densenet121", "timm:densenet121", "DenseNet-121",
                 "Huang 2017, arXiv 1608.06993", licence=_APACHE),
    ImageNetwork("densenet201", "timm:densenet201", "DenseNet-201",
                 "Huang 2017, arXiv 1608.06993", licence=_APACHE),
    ImageNetwork("resnet50", "timm:resnet50", "ResNet-50", "He 2016, arXiv 1512.03385",
                 licence=_APACHE),
    ImageNetwork("convnext-tiny", "timm:convnext_tiny", "ConvNeXt-Tiny",
                 "Liu 2022, arXiv 2201.03545", licence=_APACHE),
    ImageNetwork("convnextv2-atto", "timm:convnextv2_atto", "ConvNeXt-V2 of the smallest size",
                 "Woo 2023, arXiv 2301.00808", licence="CC-BY-NC-4.0"),
    ImageNetwork("dinov2-small", "timm:vit_small_patch14_dinov2", "DINOv2, small",
                 "Oquab 2023, arXiv 2304.07193", sized=True, multiple=14, licence=_APACHE),
    ImageNetwork("dinov3-small", "timm:vit_small_patch16_dinov3", "DINOv3, small",
                 "Siméoni 2025, arXiv 2508.10104", multiple=16, licence="LicenseRef-DINOv3"),
    ImageNetwork("mobilenetv4-small", "timm:mobilenetv4_conv_small", "MobileNetV4, small",
                 "Qin 2024, arXiv 2404.10518", licence=_APACHE),
)  # fmt: skip

IMAGE_NETWORKS: dict[str, ImageNetwork] = {row.name: row for row in _ROWS}
"""Networks for whole images by name; those without a colon in `architecture` need torch alone."""


def image_network(name: str) -> ImageNetwork:
    """Find a network for whole images.

    Parameters
    ----------
    name : str
        A row of `IMAGE_NETWORKS`, or ``timm:NAME`` or ``torchvision:NAME`` for any other one.

    Returns
    -------
    ImageNetwork

    Raises
    ------
    InvalidSettings
        There is none of this name.

    Examples
    --------
    >>> image_network("xception").architecture
    'timm:legacy_xception'
    >>> image_network("timm:repvit_m0_9").channels
    3
    """
    if name in IMAGE_NETWORKS:
        return IMAGE_NETWORKS[name]
    if name.startswith(("timm:", "torchvision:")):
        return ImageNetwork(name, name, "a network of that library", "")
    near = difflib.get_close_matches(name, IMAGE_NETWORKS, n=1)
    known = ", ".join(IMAGE_NETWORKS)
    raise InvalidSettings(
        f"There is no network for images called {name!r}.",
        hint=f"Did you mean {near[0]}?" if near else f"Known: {known}, and timm:NAME.",
    )
