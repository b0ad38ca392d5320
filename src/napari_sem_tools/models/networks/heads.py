"""From the features of any encoder to maps, at the size of the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes
from torch import nn

__all__ = ["FeaturePyramid"]


class FeaturePyramid(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Maps from an encoder that answers with features from fine to coarse.

    Parameters
    ----------
    encoder : torch.nn.Module
        Answers an image with a list of features ``(N, C, Y, X)``, from fine to coarse.
    channels : sequence of int
        Their channels.
    outputs : int
        Maps (logits).
    width : int
        Channels of the pyramid.

    Notes
    -----
    Input and output have the same ``(Y, X)``; whatever size the encoder takes will do.  The
    coarse features are enlarged and added, level by level; each enlargement goes to the
    size of the finer level, so that odd sizes need no padding.

    References
    ----------
    .. [1] T.-Y. Lin et al., "Feature pyramid networks for object detection", CVPR 2017,
           arXiv 1612.03144.
    """

    def __init__(
        self, encoder: nn.Module, channels: Sequence[int], outputs: int, width: int = 64
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.sides = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.smooth = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Conv2d(width, outputs, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of the maps, on the image's grid."""
        fine_to_coarse = self.encoder(image)
        total: torch.Tensor | None = None
        for side, features in zip(reversed(self.sides), reversed(fine_to_coarse), strict=True):
            part = side(features)
            if total is not None:
                part = part + _enlarged(total, part)
            total = part
        return _enlarged(self.head(self.smooth(total)), image)


def _enlarged(features: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Features at the size of others."""
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
