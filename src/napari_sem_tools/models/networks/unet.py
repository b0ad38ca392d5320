"""The U-Net of 23 convolutions, and the form of it that was copied most."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes
from torch import nn

from napari_sem_tools.models.networks.padding import pad_to_multiple

__all__ = ["UNet", "UNet2017"]


def _pair(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two 3 x 3 convolutions with ReLU, no normalisation."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def _start_he(module: nn.Module) -> None:
    """Draw the first weights as He et al. do: normal, by fan-in, biases zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        # torch counts the fan of a transposed convolution over its outputs
        mode = "fan_out" if isinstance(module, nn.ConvTranspose2d) else "fan_in"
        nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
        nn.init.zeros_(module.bias)


class UNet(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """U-Net with "same" padding and without normalisation.

    With the default widths it has 23 convolutions and, with one channel in and out,
    31,030,593 parameters.

    Parameters
    ----------
    widths : sequence of int
        Channels of the levels, from fine to coarse.
    inputs, outputs : int
        Channels of the image and of the maps (logits).

    Notes
    -----
    Input ``(N, inputs, Y, X)`` of any size, mirrored to a multiple of `multiple` and cut
    back; output ``(N, outputs, Y, X)``.  The original cuts every convolution's border off
    and crops the skips; this one keeps the size, as the TEM paper does.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015, arXiv 1505.04597.
    .. [2] Š. Mocko, "U-Net convolutional neural network for TEM image segmentation",
           student conference paper, FEEC BUT.
    .. [3] K. He et al., "Delving deep into rectifiers", ICCV 2015, arXiv 1502.01852 (start).
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        inputs: int = 1,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.multiple = 2 ** (len(self.widths) - 1)
        fine_to_coarse = [inputs, *self.widths]
        self.down = nn.ModuleList(
            _pair(a, b) for a, b in zip(fine_to_coarse, self.widths, strict=False)
        )
        coarse_to_fine = self.widths[::-1]
        steps = list(itertools.pairwise(coarse_to_fine))
        self.up = nn.ModuleList(self._up_step(a, b) for a, b in steps)
        self.merge = nn.ModuleList(_pair(2 * b, b) for _, b in steps)
        self.head = self._last(self.widths[0], outputs)
        self.apply(_start_he)

    @staticmethod
    def _up_step(channels_in: int, channels_out: int) -> nn.Module:
        """Twice the size, fewer channels."""
        return nn.ConvTranspose2d(channels_in, channels_out, 2, stride=2)

    @staticmethod
    def _last(channels: int, outputs: int) -> nn.Module:
        """From the last features to the maps."""
        return nn.Conv2d(channels, outputs, 1)

    def _drop(self, features: torch.Tensor, level: int) -> torch.Tensor:
        """Leave features out while training; this form does not."""
        return features

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of the maps, on the image's grid."""
        x = pad_to_multiple(image, self.multiple)
        skips = []
        for level, pair in enumerate(self.down):
            x = self._drop(pair(F.max_pool2d(x, 2) if level else x), level)
            skips.append(x)
        for skip, up, merge in zip(skips[-2::-1], self.up, self.merge, strict=True):
            x = merge(torch.cat([skip, up(x)], 1))
        return self.head(x)[..., : image.shape[-2], : image.shape[-1]]


class UNet2017(UNet):
    """The U-Net as the widely copied Keras code of 2017 has it.

    It differs from `UNet` in the up step (nearest neighbour, then a 2 x 2 convolution that
    looks right and below, then ReLU), in one more 3 x 3 convolution to two channels before
    the last, and in a dropout of 0.5 on the two coarsest levels.  With one channel in and
    out it has 31,031,685 parameters.

    Parameters
    ----------
    widths : sequence of int
        Channels of the levels, from fine to coarse.
    inputs, outputs : int
        Channels of the image and of the maps (logits).

    References
    ----------
    .. [1] zhixuhao/unet, 2017, https://github.com/zhixuhao/unet (the layers; our own code).
    """

    _DROPOUT = 0.5

    @staticmethod
    def _up_step(channels_in: int, channels_out: int) -> nn.Module:
        """Twice the size by repeating, then a convolution."""
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(channels_in, channels_out, 2),
            nn.ReLU(inplace=True),
        )

    @staticmethod
    def _last(channels: int, outputs: int) -> nn.Module:
        """Two channels first, then the maps."""
        return nn.Sequential(
            nn.Conv2d(channels, 2, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(2, outputs, 1)
        )

    def _drop(self, features: torch.Tensor, level: int) -> torch.Tensor:
        """Leave half of the features of the two coarsest levels out while training."""
        coarse = level >= len(self.widths) - 2
        return F.dropout(features, self._DROPOUT, self.training and coarse)
