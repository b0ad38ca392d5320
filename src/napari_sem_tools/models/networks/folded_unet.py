"""A U-Net that folds 2 x 2 pixels into channels: full resolution out, half the way in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes
from torch import nn

__all__ = ["FoldedUNet"]


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two 3 x 3 convolutions with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for count in (channels_in, channels_out):
        layers += [
            nn.Conv2d(count, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class FoldedUNet(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """U-Net between a pixel unshuffle and a pixel shuffle.

    The full-resolution levels of a U-Net take most of its time and hold little of its
    knowledge.  Folding 2 x 2 pixels into channels keeps every grey value and is about four
    times faster; the output has full resolution all the same.

    Parameters
    ----------
    widths : sequence of int
        Channels of the levels, from fine to coarse.
    inputs, outputs : int
        Channels of the image and of the maps (logits).

    Notes
    -----
    Input ``(N, inputs, Y, X)`` with Y and X multiples of `multiple`; output
    ``(N, outputs, Y, X)``.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015, arXiv 1505.04597.
    .. [2] W. Shi et al., "Real-time single image and video super-resolution using an
           efficient sub-pixel convolutional neural network", CVPR 2016 (pixel shuffle).
    """

    def __init__(
        self, widths: Sequence[int] = (32, 64, 112, 176, 240), inputs: int = 1, outputs: int = 3
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.multiple = 2 ** len(self.widths)
        fine_to_coarse = [4 * inputs, *self.widths]
        self.encoder = nn.ModuleList(
            _block(a, b) for a, b in zip(fine_to_coarse, self.widths, strict=False)
        )
        self.decoder = nn.ModuleList(
            _block(a + b, a) for a, b in zip(self.widths, self.widths[1:], strict=False)
        )
        self.head = nn.Conv2d(self.widths[0], 4 * outputs, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of the maps, on the image's grid."""
        x = F.pixel_unshuffle(image, 2)
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for skip, block in zip(skips[-2::-1], reversed(self.decoder), strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([skip, x], 1))
        return F.pixel_shuffle(self.head(x), 2)
