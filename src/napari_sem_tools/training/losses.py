"""What a separating network is punished for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes

__all__ = ["CLASS_LOSSES", "class_loss", "separation_loss"]

_DICE, _BORDER, _DISTANCE = 0.5, 0.5, 4.0  # weights beside the foreground's cross-entropy
_ON_BORDER = 2.0  # border pixels are few
_HUBER = 0.1  # distance error at which the loss turns from square to linear


def separation_loss(
    logits: torch.Tensor, targets: torch.Tensor, *, touching: float = 0.0
) -> torch.Tensor:
    """Compare three maps with their targets.

    Parameters
    ----------
    logits : tensor (N, 3, Y, X)
        Foreground, border, distance.
    targets : tensor (N, 4, Y, X)
        Planes of `napari_sem_tools.training.data.targets.PLANES`, 0 to 1.
    touching : float, optional
        Extra weight of pixels between two particles that touch.  They are few, and each gap
        that is lost merges two particles; but it makes gaps of whatever looks like one, and
        costs more than it gains (validation page, ablations).

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


_FOCUS = 2.0  # exponent of the focal loss, as in the paper
_NEAR_BOUNDARY = 5.0  # extra weight there
_BOUNDARY_PX = 5  # width of the band, odd


def class_loss(
    logits: torch.Tensor, targets: torch.Tensor, *, kind: str = "bce+dice", balance: float = 1.0
) -> torch.Tensor:
    """Compare maps of classes with the truth.

    Parameters
    ----------
    logits : tensor (N, C, Y, X)
        One map for one class; else one for the background and for each class.
    targets : tensor (N, 2, Y, X)
        Class (0 is background) and weight, as `class_targets` makes them.
    kind : str
        Row of `CLASS_LOSSES`.
    balance : float
        For ``weighted bce``: weight of foreground pixels.

    Returns
    -------
    tensor ()

    References
    ----------
    .. [1] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017.
    .. [2] F. Milletari et al., "V-Net", 3DV 2016 (Dice); O. Ronneberger et al., "U-Net",
           MICCAI 2015 (weights near boundaries; ours is a band of 5 px, not a distance map).
    """
    logits = logits.float()
    classes, weight = targets[:, 0].long(), targets[:, 1]
    if logits.shape[1] == 1:
        one_hot = (classes > 0).float()[:, None]
        plain = F.binary_cross_entropy_with_logits(logits, one_hot, reduction="none")[:, 0]
        found = torch.sigmoid(logits)
    else:
        classes = classes.clamp(max=logits.shape[1] - 1)
        one_hot = F.one_hot(classes, logits.shape[1]).movedim(-1, 1).float()
        plain = F.cross_entropy(logits, classes, reduction="none")
        found = torch.softmax(logits, 1)
    return CLASS_LOSSES[kind](_Compared(plain, found, one_hot, weight, balance))


@dataclasses.dataclass(frozen=True, eq=False)
class _Compared:
    """Cross-entropy of every pixel, and what it was made of."""

    plain: torch.Tensor
    found: torch.Tensor
    one_hot: torch.Tensor
    weight: torch.Tensor
    balance: float

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Average over what counts."""
        return (values * self.weight).sum() / (self.weight.sum() + 1e-6)


def _bce(of: _Compared) -> torch.Tensor:
    """Average the cross-entropy."""
    return of.mean(of.plain)


def _weighted_bce(of: _Compared) -> torch.Tensor:
    """Weigh foreground pixels by how few they are."""
    marked = of.one_hot[:, -1] if of.one_hot.shape[1] == 1 else 1 - of.one_hot[:, 0]
    return of.mean(of.plain * (1 + (of.balance - 1) * marked))


def _dice(of: _Compared) -> torch.Tensor:
    """Average 1 - Dice over the classes, without the background where it has a map."""
    first = int(of.one_hot.shape[1] > 1)
    found, truth = of.found[:, first:], of.one_hot[:, first:]
    weight = of.weight[:, None]
    both = (found * truth * weight).sum((0, 2, 3))
    either = ((found + truth) * weight).sum((0, 2, 3))
    return (1 - (2 * both + 1) / (either + 1)).mean()


def _focal(of: _Compared) -> torch.Tensor:
    """Weigh pixels by how wrong they are."""
    return of.mean(of.plain * (1 - torch.exp(-of.plain)) ** _FOCUS)


def _boundary(of: _Compared) -> torch.Tensor:
    """Weigh pixels near the boundary of a class, and add Dice."""
    reach = _BOUNDARY_PX // 2
    largest = F.max_pool2d(of.one_hot, _BOUNDARY_PX, 1, reach)
    smallest = -F.max_pool2d(-of.one_hot, _BOUNDARY_PX, 1, reach)
    near = (largest - smallest).amax(1)
    return of.mean(of.plain * (1 + _NEAR_BOUNDARY * near)) + _dice(of)


CLASS_LOSSES: dict[str, Callable[[_Compared], torch.Tensor]] = {
    "bce": _bce,
    "weighted bce": _weighted_bce,
    "dice": _dice,
    "bce+dice": lambda of: _bce(of) + _dice(of),
    "focal": _focal,
    "boundary": _boundary,
}
"""Losses of maps of classes by name."""
