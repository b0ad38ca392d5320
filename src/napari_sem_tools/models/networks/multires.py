"""The MultiRes U-Net of the annotation-free workflow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes
from torch import nn

from napari_sem_tools.models.networks.padding import pad_to_multiple

__all__ = ["MultiResUNet"]

_LEVELS = 5
_EPS, _MOMENTUM = 1e-3, 0.01  # as Keras has them (its momentum is 0.99 of the old value)
_WIDTH = 1.67  # of a block, against its nominal number of filters
_SHARES = (0.167, 0.333, 0.5)  # of the width, for the three convolutions


def _norm(channels: int, *, scaled: bool = True) -> nn.BatchNorm2d:
    """Batch normalisation as Keras has it; without scale it is frozen at 1."""
    norm = nn.BatchNorm2d(channels, eps=_EPS, momentum=_MOMENTUM)
    norm.weight.requires_grad_(scaled)
    return norm


class _Conv(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A convolution without bias and a normalisation without scale."""

    def __init__(self, kernel: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
        self.norm = _norm(channels_out, scaled=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features before ReLU."""
        return self.norm(self.conv(x))


class _Block(nn.Module):  # type: ignore[misc]
    """Three convolutions after one another, seen together, beside a shortcut."""

    def __init__(self, channels_in: int, nominal: int) -> None:
        super().__init__()
        widths = [int(share * _WIDTH * nominal) for share in _SHARES]
        self.channels = sum(widths)
        self.chain = nn.ModuleList(
            _Conv(3, a, b) for a, b in zip([channels_in, *widths], widths, strict=False)
        )
        self.joined = _norm(self.channels)
        self.shortcut = _Conv(1, channels_in, self.channels)
        self.last = _norm(self.channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's features."""
        parts, part = [], x
        for conv in self.chain:
            part = F.relu(conv(part))
            parts.append(part)
        return self.last(F.relu(self.joined(torch.cat(parts, 1)) + self.shortcut(x)))


class _ResStep(nn.Module):  # type: ignore[misc]
    """A convolution beside a shortcut."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = _Conv(3, channels_in, channels_out)
        self.shortcut = _Conv(1, channels_in, channels_out)
        self.last = _norm(channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the step's features."""
        return self.last(F.relu(F.relu(self.conv(x)) + self.shortcut(x)))


def _res_path(channels_in: int, channels_out: int, length: int) -> nn.Sequential:
    """Make the way of a skip: the finer the level, the longer."""
    counts = [channels_in] + [channels_out] * (length - 1)
    return nn.Sequential(*(_ResStep(count, channels_out) for count in counts))


class MultiResUNet(nn.Module):  # type: ignore[misc]
    """U-Net of MultiRes blocks, with convolutions on the skips.

    Parameters
    ----------
    filters : int
        Nominal filters F of the first level; the levels have F, 2F, 4F, 8F, 16F.
    inputs, outputs : int
        Channels of the image and of the maps (logits).
    decoder_filters : sequence of int, optional
        Nominal filters of the four blocks on the way up, from coarse to fine; by default
        8F, 4F, 2F, F.

    Notes
    -----
    Input ``(N, inputs, Y, X)`` of any size, mirrored to a multiple of `multiple` and cut
    back; output ``(N, outputs, Y, X)``.

    Counted as Keras does (`counting.count_parameters`), F = 32 has 7,262,750 parameters with
    three channels in and 7,262,504 with one.  What the workflow really trained has
    F = 16 but blocks of 256, 128, 64, 16 on the way up: 2,429,491.  The scales that Keras
    leaves out are here, frozen at 1, and no parameters.

    With one map the head is a convolution without bias and a normalisation; with several,
    a convolution with bias, for softmax.

    References
    ----------
    .. [1] N. Ibtehaz, M. S. Rahman, "MultiResUNet", Neural Networks 121, 74 (2020),
           arXiv 1902.04049.
    .. [2] B. Rühle, J. F. Krumrey, V.-D. Hodoroaba, Sci. Rep. 11, 4942 (2021),
           doi 10.1038/s41598-021-84287-6.
    """

    multiple = 2 ** (_LEVELS - 1)

    def __init__(
        self,
        filters: int = 32,
        inputs: int = 1,
        outputs: int = 1,
        *,
        decoder_filters: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        levels = [filters * 2**level for level in range(_LEVELS)]
        finest_last = levels[-2::-1]
        blocks = []
        channels = inputs
        for nominal in levels:
            blocks.append(_Block(channels, nominal))
            channels = blocks[-1].channels
        self.encoder = nn.ModuleList(blocks)
        self.skips = nn.ModuleList(
            _res_path(block.channels, nominal, _LEVELS - 1 - level)
            for level, (block, nominal) in enumerate(zip(blocks[:-1], levels, strict=False))
        )
        ups, merges = [], []
        for width, nominal in zip(finest_last, decoder_filters or finest_last, strict=True):
            ups.append(nn.ConvTranspose2d(channels, width, 2, stride=2))
            merges.append(_Block(2 * width, nominal))
            channels = merges[-1].channels
        self.up, self.decoder = nn.ModuleList(ups), nn.ModuleList(merges)
        self.head: nn.Module = (
            _Conv(1, channels, 1) if outputs == 1 else nn.Conv2d(channels, outputs, 1)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of the maps, on the image's grid."""
        x = pad_to_multiple(image, self.multiple)
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            if level < len(self.skips):
                skips.append(self.skips[level](x))
        for skip, up, block in zip(skips[::-1], self.up, self.decoder, strict=True):
            x = block(torch.cat([up(x), skip], 1))
        return self.head(x)[..., : image.shape[-2], : image.shape[-1]]
