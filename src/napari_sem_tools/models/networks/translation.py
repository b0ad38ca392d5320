"""The pair of networks that turns masks into micrographs and back (CycleGAN)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from napari_sem_tools.models.networks.padding import pad_to_multiple

__all__ = ["PatchDiscriminator", "TranslationGenerator"]

_SLOPE = 0.2  # of LeakyReLU below zero


def _norm(channels: int) -> nn.InstanceNorm2d:
    """Instance normalisation with learnt scale and shift."""
    return nn.InstanceNorm2d(channels, eps=1e-5, affine=True)


def _start_glorot(module: nn.Module) -> None:
    """Draw the first weights uniformly as Glorot does, biases zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _reflected(kernel: int, channels_in: int, channels_out: int, bias: bool) -> list[nn.Module]:
    """Make a convolution that sees the mirrored image beyond its border."""
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(channels_in, channels_out, kernel, bias=bias),
    ]


class _Residual(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Two convolutions that are added to what came in, without ReLU after the sum."""

    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_reflected(3, channels, channels, bias),
            _norm(channels),
            nn.ReLU(inplace=True),
            *_reflected(3, channels, channels, bias),
            _norm(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        return x + self.layers(x)


class _Skip(nn.Module):  # type: ignore[misc]
    """From the input straight to the end: features that keep every pixel."""

    def __init__(self, inputs: int, channels: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.point = nn.Sequential(nn.Conv2d(inputs, channels, 1, bias=bias), _norm(channels))
        self.near = nn.Sequential(*_reflected(3, inputs, channels, bias), _norm(channels))
        self.near.append(nn.ReLU(inplace=True))
        self.point.append(nn.ReLU(inplace=True))
        self.joined = nn.Sequential(_norm(channels), nn.ReLU(inplace=True))
        self.last = nn.Conv2d(channels + outputs, outputs, 1, bias=False)

    def forward(self, image: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        """Return the answer with the input's own details."""
        features = self.joined(self.point(image) + self.near(image))
        return self.last(torch.cat([features, answer], 1))


class TranslationGenerator(nn.Module):  # type: ignore[misc]
    """Image to image through residual blocks at low resolution.

    Parameters
    ----------
    filters : int
        Channels at full resolution; each step down doubles them.
    steps : int
        Halvings.
    blocks : int
        Residual blocks at the lowest resolution.
    inputs, outputs : int
        Channels of the images.
    bias : bool
        Biases in all convolutions, not in the last alone.
    upsampling : {"transposed", "nearest"}
        "nearest" repeats pixels and convolves: less checkerboard, more blur.
    skip : bool
        Join the input to the output again; such a network easily stays near the identity.

    Notes
    -----
    Input ``(N, inputs, Y, X)`` in [-1, 1], of any size from twice `multiple` on, mirrored to
    a multiple of it and cut back; output ``(N, outputs, Y, X)`` before tanh (or sigmoid, for
    masks).  Parameters of the published releases: 2,849,537 (1.0.0: the defaults),
    2,846,913 (1.1.0: no biases), 45,591,425 (1.2.0: 64 filters, 3 steps, no biases).

    References
    ----------
    .. [1] J.-Y. Zhu et al., "Unpaired image-to-image translation using cycle-consistent
           adversarial networks", ICCV 2017, arXiv 1703.10593.
    .. [2] J. Johnson, A. Alahi, L. Fei-Fei, ECCV 2016, arXiv 1603.08155 (the generator).
    .. [3] B. Rühle, J. F. Krumrey, V.-D. Hodoroaba, Sci. Rep. 11, 4942 (2021),
           doi 10.1038/s41598-021-84287-6 (widths and releases).
    """

    def __init__(
        self,
        filters: int = 32,
        steps: int = 2,
        blocks: int = 9,
        *,
        inputs: int = 1,
        outputs: int = 1,
        bias: bool = True,
        upsampling: Literal["transposed", "nearest"] = "transposed",
        skip: bool = False,
    ) -> None:
        super().__init__()
        if upsampling not in ("transposed", "nearest"):
            raise ValueError(f"upsampling = {upsampling!r} is neither transposed nor nearest")
        self.multiple = 2**steps
        widths = [filters * 2**step for step in range(steps + 1)]
        layers = [*_reflected(7, inputs, filters, bias), _norm(filters), nn.ReLU(inplace=True)]
        for a, b in itertools.pairwise(widths):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1, bias=bias), _norm(b)]
            layers.append(nn.ReLU(inplace=True))
        layers += [_Residual(widths[-1], bias) for _ in range(blocks)]
        for a, b in itertools.pairwise(widths[::-1]):
            layers += [*_larger(a, b, bias, upsampling), _norm(b), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, *_reflected(7, filters, outputs, True))
        self.skip = _Skip(inputs, filters, outputs, bias) if skip else None
        self.apply(_start_glorot)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the translated image before its last function."""
        padded = pad_to_multiple(image, self.multiple)
        answer = self.layers(padded)
        if self.skip is not None:
            answer = self.skip(padded, answer)
        return answer[..., : image.shape[-2], : image.shape[-1]]


def _larger(channels_in: int, channels_out: int, bias: bool, way: str) -> list[nn.Module]:
    """Twice the size."""
    if way == "nearest":
        return [
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_reflected(3, channels_in, channels_out, bias),
        ]
    return [
        nn.ConvTranspose2d(
            channels_in, channels_out, 3, stride=2, padding=1, output_padding=1, bias=bias
        )
    ]


class PatchDiscriminator(nn.Module):  # type: ignore[misc]
    """How real each patch of an image looks.

    Parameters
    ----------
    widths : sequence of int
        Channels of the convolutions that halve the image.
    last : int
        Channels of one more convolution that does not; 0: none.
    inputs : int
        Channels of the image.
    bias : bool
        Biases in all convolutions, not in the first and last alone.

    Notes
    -----
    Input ``(N, inputs, Y, X)`` in [-1, 1], from about 70 px on; output one number for each
    patch, without sigmoid.  Parameters of the published releases: 2,764,481 (1.0.0: the
    defaults, patches of 70 px), 661,313 (1.1.0: no `last`, no biases, 46 px), 2,633,345
    (1.2.0: widths 128, 256, 512, no `last`, no biases, 46 px).

    References
    ----------
    .. [1] P. Isola et al., "Image-to-image translation with conditional adversarial
           networks", CVPR 2017, arXiv 1611.07004.
    .. [2] B. Rühle, J. F. Krumrey, V.-D. Hodoroaba, Sci. Rep. 11, 4942 (2021).
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256),
        last: int = 512,
        *,
        inputs: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        first, *others = widths
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, first, 4, stride=2, padding=1),
            nn.LeakyReLU(_SLOPE, inplace=True),
        ]
        channels = first
        for width, stride in [(width, 2) for width in others] + [(last, 1)] * bool(last):
            layers += [
                nn.Conv2d(channels, width, 4, stride=stride, padding=1, bias=bias),
                _norm(width),
                nn.LeakyReLU(_SLOPE, inplace=True),
            ]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, padding=1))
        self.apply(_start_glorot)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return how real the patches look."""
        return self.layers(image)
