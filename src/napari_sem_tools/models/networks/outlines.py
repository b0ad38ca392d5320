"""The pair of networks that invents outlines of particles: Wasserstein, gradient penalty."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["OutlineCritic", "OutlineGenerator"]

_SLOPE = 0.2  # of LeakyReLU below zero
_EPS, _MOMENTUM = 1e-3, 0.01  # of the normalisations, as Keras has them


class OutlineGenerator(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Random numbers to the outline of a particle.

    Parameters
    ----------
    latent : int
        Random numbers that go in, drawn from N(0, 1).
    size : int
        Edge of the outline in px, a multiple of 8.

    Notes
    -----
    Input ``(N, latent)``; output ``(N, 1, size, size)`` before tanh.  With the defaults
    2,499,522 trainable parameters and 33,154 statistics.

    References
    ----------
    .. [1] I. Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017,
           arXiv 1704.00028.
    .. [2] B. Rühle, J. F. Krumrey, V.-D. Hodoroaba, Sci. Rep. 11, 4942 (2021),
           doi 10.1038/s41598-021-84287-6 (the layers).
    """

    def __init__(self, latent: int = 128, size: int = 64) -> None:
        super().__init__()
        if size < 8 or size % 8:
            raise ValueError(f"size = {size} is not a multiple of 8")
        self.latent, self.size = latent, size
        edge = size // 8
        dense = edge * edge * 256
        self.start = nn.Sequential(
            nn.Linear(latent, dense, bias=False),
            nn.BatchNorm1d(dense, eps=_EPS, momentum=_MOMENTUM),
            nn.LeakyReLU(_SLOPE, inplace=True),
            nn.Unflatten(1, (256, edge, edge)),
        )
        steps: list[nn.Module] = []
        for channels_in, channels_out in ((256, 128), (128, 64), (64, 1)):
            steps += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels_out, eps=_EPS, momentum=_MOMENTUM),
                nn.LeakyReLU(_SLOPE, inplace=True),
            ]
        self.grow = nn.Sequential(*steps[:-1])

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the outline before tanh."""
        return self.grow(self.start(numbers))


class OutlineCritic(nn.Module):  # type: ignore[misc]
    """How real an outline looks; 4,311,553 parameters with the default size.

    Parameters
    ----------
    size : int
        Edge of the outline in px, a multiple of 16.

    Notes
    -----
    Input ``(N, 1, size, size)`` in [-1, 1]; output ``(N, 1)``, higher is more real.  No
    normalisation: the gradient penalty is one of single images.

    References
    ----------
    .. [1] I. Gulrajani et al., arXiv 1704.00028.
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        if size < 16 or size % 16:
            raise ValueError(f"size = {size} is not a multiple of 16")
        steps: list[nn.Module] = []
        for channels_in, channels_out, dropout in (
            (1, 64, 0.0),
            (64, 128, 0.3),
            (128, 256, 0.3),
            (256, 512, 0.0),
        ):
            steps += [
                nn.Conv2d(channels_in, channels_out, 5, stride=2, padding=2),
                nn.LeakyReLU(_SLOPE, inplace=True),
                nn.Dropout(dropout),
            ]
        dense = 512 * (size // 16) ** 2
        self.layers = nn.Sequential(*steps, nn.Flatten(), nn.Dropout(0.2), nn.Linear(dense, 1))

    def forward(self, outline: torch.Tensor) -> torch.Tensor:
        """Return how real the outlines look."""
        return self.layers(outline)
