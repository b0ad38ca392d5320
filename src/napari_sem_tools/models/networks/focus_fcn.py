"""A small fully convolutional network for focus: numbers for every cell and for the whole image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  its usual name

__all__ = ["QUANTITIES", "FocusFCN"]

QUANTITIES = ("ln_blur_px", "astigmatism_1", "astigmatism_2", "ln_snr", "ln_contrast", "score")
"""What the network estimates, each with the logarithm of its variance behind; last comes the
logit of "there is something to focus on"."""

_WIDTHS = (24, 40, 64, 128)
_DEPTHS = (1, 1, 2, 2)
_SCORE, _SNR = QUANTITIES.index("score"), QUANTITIES.index("ln_snr")
_LN_SNR = (-2.0, 4.0)
_BEST = 10.0
_FAINT = 1e-4  # energy below which a channel says nothing


class FocusFCN(nn.Module):  # type: ignore[misc]
    """Blur, astigmatism, noise, contrast and score of an image, with the variance of each.

    Filters of 6 x 6 pixels in steps of two keep what is finer than a pixel pair: there are
    more of them than pixels in a step.  The energies of all levels, averaged over a cell of
    16 x 16 pixels and in logarithms, stand beside the deepest features: their differences are
    the slopes of the spectrum, which blur changes and contrast does not.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    conditions : int
        Numbers that come with an image and join after the last convolution: ln(pixel size in
        nm) and 1, or two zeros when it is unknown.
    widths : sequence of 4 int
        Channels at 1/2, 1/4, 1/8 and 1/16 of the resolution.
    depths : sequence of 4 int
        Residual convolutions at each.
    hidden : int
        Width of the heads.
    score_nodes : sequence of float
        What held-out images really scored where the network said 0 to 10, in equal steps;
        between them it is interpolated.  Empty: the network is believed.
    spread_nodes : sequence of 3 float
        By which the standard deviation of a score is multiplied at an ln(SNR) of -2, 1 and 4,
        so that intervals hold what they promise on held-out images.  Empty: 1.

    Notes
    -----
    Input ``(N, inputs + conditions, Y, X)``, Y and X multiples of 16: the image with zero mean
    and unit standard deviation, and planes of one number each, which may be left out.  Output
    ``(N, 26, Y/16, X/16)``: 13 planes for the cells, then the 13 numbers of the image, repeated:
    the six `QUANTITIES` (the score as a tenth), the logarithm of the variance of each, and the
    logit of information.

    References
    ----------
    .. [1] J. M. Geusebroek, F. Cornelissen, A. W. M. Smeulders, H. Geerts, "Robust autofocusing
           in microscopy", Cytometry 39, 1 (2000): energies of filters as measures of focus.
    .. [2] M. Seitzer, A. Tavakoli, D. Antic, G. Martius, "On the pitfalls of heteroscedastic
           uncertainty estimation with probabilistic neural networks", ICLR 2022.
    """

    multiple = 16

    def __init__(
        self,
        inputs: int = 1,
        conditions: int = 2,
        widths: Sequence[int] = _WIDTHS,
        depths: Sequence[int] = _DEPTHS,
        hidden: int = 96,
        *,
        score_nodes: Sequence[float] = (),
        spread_nodes: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.score_nodes, self.spread_nodes = tuple(score_nodes), tuple(spread_nodes)
        self.inputs, self.conditions = inputs, conditions
        outputs = 2 * len(QUANTITIES) + 1
        self.stem = nn.Sequential(
            nn.Conv2d(inputs, widths[0], 6, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        wider = itertools.pairwise(widths)
        self.down = nn.ModuleList([nn.Identity(), *(_Down(a, b) for a, b in wider)])
        self.levels = nn.ModuleList(
            nn.Sequential(*(_Residual(width) for _ in range(depth)))
            for width, depth in zip(widths, depths, strict=True)
        )
        energies = sum(widths)
        self.cell = nn.Sequential(
            nn.Conv2d(widths[-1] + energies, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        self.cell_head = nn.Conv2d(hidden, outputs, 1)
        self.gate = nn.Conv2d(hidden, 1, 1)
        self.head = nn.Sequential(
            nn.Linear(3 * hidden + energies + conditions, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, outputs),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return what the cells and what the image show; without conditions, size unknown."""
        conditions = image[:, self.inputs :, 0, 0]
        if not conditions.shape[1]:
            conditions = image.new_zeros(image.shape[0], self.conditions)
        image = image[:, : self.inputs]
        x, energies = self.stem(image), []
        for number, (down, level) in enumerate(zip(self.down, self.levels, strict=True)):
            x = level(down(x))
            step = 2 ** (len(self.levels) - 1 - number)
            squared = x.float().square()
            energies.append(F.avg_pool2d(squared, step) if step > 1 else squared)
        energy = torch.cat(energies, 1)
        cells = self.cell(torch.cat([x.float(), (energy + _FAINT).log()], 1)).float()
        weights = self.gate(cells).float().flatten(2).softmax(-1)
        flat = cells.flatten(2)
        mean = flat.mean(-1)
        spread = ((flat - mean[..., None]).square().mean(-1) + _FAINT).sqrt()
        seen = (flat * weights).sum(-1)
        overall = (energy.mean((2, 3)) + _FAINT).log()
        pooled = self.head(torch.cat([mean, spread, seen, overall, conditions.float()], 1))
        pooled = pooled.float() if self.training else self._calibrated(pooled.float())
        found = self.cell_head(cells).float()
        return torch.cat([found, pooled[..., None, None].expand_as(found)], 1)

    def _calibrated(self, pooled: torch.Tensor) -> torch.Tensor:
        """Correct score and spread of the image by what held-out images taught."""
        count = len(QUANTITIES)
        columns = list(pooled.unbind(1))
        if self.score_nodes:
            columns[_SCORE] = _between(columns[_SCORE], self.score_nodes, 0.0, 1.0) / _BEST
        if self.spread_nodes:
            factor = _between(pooled[:, _SNR], self.spread_nodes, *_LN_SNR)
            columns[count + _SCORE] = columns[count + _SCORE] + 2 * factor.log()
        return torch.stack(columns, 1)


def _between(x: torch.Tensor, nodes: Sequence[float], first: float, last: float) -> torch.Tensor:
    """Interpolate between values at equal steps from first to last."""
    values = torch.tensor(nodes, dtype=x.dtype, device=x.device)
    place = ((x - first) / (last - first)).clamp(0, 1) * (len(nodes) - 1)
    low = place.floor().clamp(max=len(nodes) - 2)
    part, index = place - low, low.long()
    return values[index] * (1 - part) + values[index + 1] * part


class _Down(nn.Sequential):  # type: ignore[misc]
    """Half the resolution, more channels: strided, since smoothing would remove the evidence."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class _Residual(nn.Module):  # type: ignore[misc]
    """One convolution beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what was given and what the convolution adds."""
        return F.relu(x + self.norm(self.conv(x)))
