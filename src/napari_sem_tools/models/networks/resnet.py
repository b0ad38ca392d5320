"""ResNet-18, named as everybody names its parts, and the focus network made of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes
from torch import nn

__all__ = ["FocusResNet18", "ResNet18"]

_WIDTHS = (64, 128, 256, 512)


class _BasicBlock(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's features."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):  # type: ignore[misc]
    """ResNet-18 in plain torch.

    Its parts are called as in torchvision and timm, so that weights for ImageNet and from
    MicroNet fit without either.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    outputs : int
        Classes (logits); 0: the embedding, as many numbers as the last width.
    widths : sequence of 4 int
        Channels of the stages.  (32, 64, 128, 256) has a quarter of the parameters.

    Notes
    -----
    Input ``(N, inputs, Y, X)`` of any size from 1 x 1 on; output ``(N, outputs)``.

    References
    ----------
    .. [1] K. He et al., "Deep residual learning for image recognition", CVPR 2016,
           arXiv 1512.03385.
    """

    multiple = 1

    def __init__(self, inputs: int = 1, outputs: int = 0, widths: Sequence[int] = _WIDTHS) -> None:
        super().__init__()
        first, *_, last = widths
        self.embedding = last
        self.conv1 = nn.Conv2d(inputs, first, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        counts = [first, *widths]
        stages = [
            nn.Sequential(_BasicBlock(a, b, 1 + (level > 0)), _BasicBlock(b, b, 1))
            for level, (a, b) in enumerate(zip(counts, widths, strict=False))
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(last, outputs) if outputs else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """Return the embedding (N, last width): the mean over the image."""
        x = F.relu(self.bn1(self.conv1(image)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean((2, 3))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of the classes, or the embedding."""
        return self.fc(self.features(image))


class FocusResNet18(nn.Module):  # type: ignore[misc]
    """ResNet-18 whose embedding is joined with what is known of the image, for a focus score.

    With the defaults it is the network of the paper: 11,698,118 parameters.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    conditions : int
        Numbers that come with an image.  The paper has one, magnification / 10 000.
    outputs : int
        Scores.
    widths : sequence of 4 int
        Channels of the stages.

    Notes
    -----
    Input ``(N, inputs, Y, X)`` and ``(N, conditions)``; output ``(N, outputs)``.  The paper
    has no answer for an unknown magnification.  Zeros are used then; a network for such
    images is better trained with a second condition that says whether the first is known.

    References
    ----------
    .. [1] Yang, Oh, Jang, Lyu, Lee, Microscopy & Microanalysis 2020 (layers and numbers of
           blacknwhite5/deep-autofocus; our own code).
    .. [2] K. He et al., CVPR 2016, arXiv 1512.03385.
    """

    multiple = 1

    def __init__(
        self,
        inputs: int = 1,
        conditions: int = 1,
        outputs: int = 1,
        widths: Sequence[int] = _WIDTHS,
    ) -> None:
        super().__init__()
        self.inputs, self.conditions = inputs, conditions
        self.encoder = ResNet18(inputs, 0, widths)
        width = self.encoder.embedding + conditions
        self.head = nn.Sequential(
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, outputs),
        )

    def forward(self, image: torch.Tensor, conditions: torch.Tensor | None = None) -> torch.Tensor:
        """Return the scores; without conditions they are taken as unknown (zeros).

        They may also come as planes of one number each behind the image.
        """
        if image.shape[1] > self.inputs:
            conditions, image = image[:, self.inputs :, 0, 0], image[:, : self.inputs]
        if conditions is None:
            conditions = image.new_zeros(image.shape[0], self.conditions)
        return self.head(torch.cat([self.encoder(image), conditions], 1))
