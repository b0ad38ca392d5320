"""A small fully convolutional network that turns an image into a vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes
from torch import nn

__all__ = ["EmbeddingFCN"]

_WIDTHS = (32, 64, 112, 176, 224)
_FAINT = 1e-6  # variance below which a channel is even


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


class EmbeddingFCN(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Mean and spread of the features of every level, and a vector made of them.

    Texture lives in the fine levels, shapes in the coarse ones: none is left out, and all are
    averaged over the image, so that it may have any size.  The levels are those of
    `FoldedUNet`, whose weights fit.

    Parameters
    ----------
    widths : sequence of int
        Channels of the levels, from fine to coarse; the first has half the resolution.
    inputs : int
        Channels of the image.
    outputs : int
        Length of the vector; 0: means and spreads as they are.
    hidden : int
        Width of the layer between.
    shown : int
        Number of fine levels whose means and spreads stand before the vector.

    Notes
    -----
    Input ``(N, inputs, Y, X)`` with even Y and X of at least ``2 ** len(widths)``; output
    ``(N, outputs)``.

    References
    ----------
    .. [1] W. Shi et al., "Real-time single image and video super-resolution using an
           efficient sub-pixel convolutional neural network", CVPR 2016 (pixel unshuffle).
    .. [2] V. Andrearczyk, P. F. Whelan, "Using filter banks in convolutional neural networks
           for texture classification", Pattern Recognit. Lett. 84, 63 (2016).
    """

    def __init__(
        self,
        widths: Sequence[int] = _WIDTHS,
        inputs: int = 1,
        outputs: int = 128,
        hidden: int = 384,
        shown: int = 0,
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.multiple = 2 ** len(self.widths)
        fine_to_coarse = [4 * inputs, *self.widths]
        self.encoder = nn.ModuleList(
            _block(a, b) for a, b in zip(fine_to_coarse, self.widths, strict=False)
        )
        features = 2 * sum(self.widths)
        self.shown = 2 * sum(self.widths[:shown]) if outputs else 0
        self.embedding = self.shown + outputs if outputs else features
        self.scale: nn.Module = nn.Identity()
        self.head: nn.Module = nn.Identity()
        if outputs:
            self.scale = nn.BatchNorm1d(features, affine=False)
            self.head = nn.Sequential(
                nn.Linear(features, hidden),
                nn.ReLU(inplace=True),
                nn.Linear(hidden, outputs),
            )

    def pooled(self, image: torch.Tensor) -> torch.Tensor:
        """Return mean and spread of every channel of every level, level by level."""
        x, found = F.pixel_unshuffle(image, 2), []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            spread, mean = torch.var_mean(x.float(), (2, 3), unbiased=False)
            found += [mean, (spread + _FAINT).sqrt()]
        return torch.cat(found, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the vector; it does not have length 1 yet."""
        pooled = self.pooled(image)
        vector = self.head(self.scale(pooled))
        return torch.cat([pooled[:, : self.shown], vector], 1) if self.shown else vector
