"""What is punished in a network for focus."""

from __future__ import annotations

from typing import Any

from napari_sem_tools.training.focus.truths import PLANES

__all__ = ["focus_loss", "score_loss"]

_WEIGHTS = (1.0, 2.0, 2.0, 0.2, 0.2)  # blur, astigmatism twice, SNR, contrast
_SCORE, _IMAGE, _INFORMATION = 1.0, 2.0, 0.5
_LN_VARIANCE = (-6.0, 4.0)
_SCALE = 10.0  # the score is learned as a tenth, so that all quantities are of like size
_BETA = 0.5
_PLANES = 13
_ROW = {name: number for number, name in enumerate(PLANES)}
_KINDS = ("blur", "astigmatism", "astigmatism", "snr", "contrast")


def focus_loss(outputs: Any, truth: Any) -> Any:
    """Punish cells and images for what they say of blur, noise, contrast and score.

    Parameters
    ----------
    outputs : tensor (N, 26, y, x)
        As `FocusFCN` gives it.
    truth : tensor (N, planes, y, x)
        As `truths.truth_of` writes it.

    Returns
    -------
    tensor
        A number.

    Notes
    -----
    Gaussian likelihood with the weight ``variance^0.5`` [1]_, so that what is hard is not
    given up.  The score is learned by its squared error, and its variance from what is left:
    then it is the mean of what may be, which has the least error.

    References
    ----------
    .. [1] M. Seitzer et al., "On the pitfalls of heteroscedastic uncertainty estimation with
           probabilistic neural networks", ICLR 2022, arXiv 2203.09168.
    """
    cells, pooled = outputs[:, :_PLANES], outputs[:, _PLANES:, 0, 0]
    whole = truth.mean((2, 3))
    counted = truth[:, _ROW["image_weight"]]
    image = counted.mean((1, 2)) * truth[:, _ROW["information"]].mean((1, 2))
    loss = _quantities(cells, truth, None) + _IMAGE * _quantities(pooled, whole, image)
    return loss + _INFORMATION * (_informs(cells, truth) + _informs(pooled, whole))


def score_loss(outputs: Any, truth: Any) -> Any:
    """Return the mean squared error of a score: what the paper punishes.

    Parameters
    ----------
    outputs, truth : tensor (N, 1)

    Returns
    -------
    tensor
        A number.
    """
    return (outputs.float() - truth).square().mean()


def _quantities(found: Any, truth: Any, image: Any) -> Any:
    """Punish blur, astigmatism, noise, contrast and score."""
    import torch

    total = torch.zeros((), device=found.device)
    for number, (kind, share) in enumerate(zip(_KINDS, _WEIGHTS, strict=True)):
        weight = truth[:, _ROW[f"{kind}_weight"]]
        weight = weight if image is None else (weight > 0) * image * weight
        total = total + share * _likelihood(found, truth, number, weight)
    weight = truth[:, _ROW["score_weight"]]
    weight = weight if image is None else image
    return total + _SCORE * _score(found, truth, weight)


def _likelihood(found: Any, truth: Any, number: int, weight: Any) -> Any:
    """Return the Gaussian likelihood of one quantity."""
    spread = found[:, 6 + number].clamp(*_LN_VARIANCE)
    error = (found[:, number] - truth[:, number]).square()
    one = 0.5 * (error * (-spread).exp() + spread) * (_BETA * spread).exp().detach()
    return _mean(one, weight)


def _score(found: Any, truth: Any, weight: Any) -> Any:
    """Return squared error and likelihood of the score."""
    row = _ROW["score"]
    error = found[:, row] - truth[:, row] / _SCALE
    spread = found[:, 6 + row].clamp(*_LN_VARIANCE)
    left = 0.5 * (error.detach().square() * (-spread).exp() + spread)
    return _mean(20 * error.square() + 0.2 * left, weight)


def _informs(found: Any, truth: Any) -> Any:
    """Punish what is said of images that show nothing, and of those that do."""
    from torch.nn import functional as F  # noqa: N812  its usual name

    wanted, weight = truth[:, _ROW["information"]], truth[:, _ROW["information_weight"]]
    one = F.binary_cross_entropy_with_logits(found[:, -1], wanted, reduction="none")
    return _mean(one, weight)


def _mean(values: Any, weight: Any) -> Any:
    """Return the weighted mean."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-3)
