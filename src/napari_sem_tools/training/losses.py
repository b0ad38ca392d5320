"""What a separating network is punished for."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes

__all__ = ["separation_loss"]

_DICE, _BORDER, _DISTANCE = 0.5, 0.5, 4.0  # weights beside the foreground's cross-entropy
_ON_BORDER = 2.0  # border pixels are few
_HUBER = 0.1  # distance error at which the loss turns from square to linear


def separation_loss(
    logits: torch.Tensor, targets: torch.Tensor, *, touching: float = 3.0
) -> torch.Tensor:
    """Compare three maps with their targets.

    Parameters
    ----------
    logits : tensor (N, 3, Y, X)
        Foreground, border, distance.
    targets : tensor (N, 4, Y, X)
        Planes of `napari_sem_tools.training.targets.PLANES`, 0 to 1.
    touching : float, optional
        Extra weight of pixels between two particles that touch: they are few, and each gap
        that is lost merges two particles.

    Returns
    -------
    tensor ()
        Cross-entropy and Dice of the foreground, weighted cross-entropy of the border and
        Huber loss of the distance, summed.
    """
    logits = logits.float()
    foreground, border, distance, weight = targets.unbind(1)
    total = weight.sum() + 1e-6
    enclosed = 1 - F.max_pool2d(1 - foreground, 3, 1, 1)
    between = touching * F.max_pool2d(border * enclosed, 3, 1, 1)

    def mean(values: torch.Tensor, extra: torch.Tensor | float = 1.0) -> torch.Tensor:
        return (values * extra * weight).sum() / total

    cross = F.binary_cross_entropy_with_logits
    found = torch.sigmoid(logits[:, 0]) * weight
    both, either = (found * foreground).sum(), found.sum() + (foreground * weight).sum()
    error = F.smooth_l1_loss(torch.sigmoid(logits[:, 2]), distance, reduction="none", beta=_HUBER)
    return (
        mean(cross(logits[:, 0], foreground, reduction="none"))
        + _DICE * (1 - (2 * both + 1) / (either + 1))
        + _BORDER
        * mean(cross(logits[:, 1], border, reduction="none"), 1 + _ON_BORDER * border + between)
        + _DISTANCE * mean(error, 0.3 + foreground + between)
    )
