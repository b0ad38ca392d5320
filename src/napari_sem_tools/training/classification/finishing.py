"""What is learned once the network has learned: temperature, sets, distances, and the records."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.confidence import conformal_limits, fit_temperature, softmax
from napari_sem_tools.classification.domain import far_limit, nearest
from napari_sem_tools.evaluation.classes_of_images import ImageClassScores

__all__ = ["Finish", "cross_tempered", "finish", "known_ones", "scores_of"]

Table = NDArray[np.float64]
Numbers = NDArray[np.intp]

_MOST_KNOWN: Final = 1000
_MOST_TOP: Final = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Finish:
    """What the images that were kept back taught about a network.

    Attributes
    ----------
    temperature : float
    limits : float64 array (categories,)
    far : float
    """

    temperature: float
    limits: NDArray[np.float64]
    far: float


def known_ones(labels: Numbers, chosen: Numbers, *, seed: int) -> Numbers:
    """Choose the training images whose embeddings are kept: of each category alike.

    Parameters
    ----------
    labels : int array (N,)
    chosen : int array (n,)
        Those that were learned from.
    seed : int

    Returns
    -------
    int array
        At most 1000.
    """
    rng = np.random.default_rng((seed, 4))
    order = rng.permutation(chosen)
    each = max(1, _MOST_KNOWN // max(len(np.unique(labels[chosen])), 1))
    kept = [order[labels[order] == category][:each] for category in np.unique(labels[chosen])]
    return np.sort(np.concatenate(kept))


def finish(
    logits: Table,
    vectors: NDArray[np.float32],
    labels: Numbers,
    known: NDArray[np.float32],
    *,
    missed: float,
    near_percent: float,
) -> Finish:
    """Learn from images that were kept back how sure a network may be.

    Parameters
    ----------
    logits : float64 array (n, categories)
    vectors : float32 array (n, dimension)
    labels : int array (n,)
    known : float32 array (k, dimension)
        Embeddings of training images.
    missed : float
        Share of images whose set may lack the right category.
    near_percent : float
        Share of the images kept back that shall count as known.

    Returns
    -------
    Finish
        Without images nothing is ruled out.

    Examples
    --------
    >>> nothing = np.zeros((0, 2))
    >>> finish(nothing, nothing, np.zeros(0, int), np.eye(2), missed=0.1, near_percent=95).far
    inf
    """
    if not len(labels):
        return Finish(1.0, np.full(logits.shape[1], np.inf), float("inf"))
    temperature = fit_temperature(logits, labels)
    chance = softmax(logits, temperature)
    distance, _ = nearest(vectors, known)
    return Finish(
        temperature, conformal_limits(chance, labels, missed), far_limit(distance, near_percent)
    )


def cross_tempered(logits: Table, labels: Numbers, groups: Numbers) -> Table:
    """Return probabilities under a temperature that never saw the image itself.

    Parameters
    ----------
    logits : float64 array (n, categories)
    labels, groups : int array (n,)

    Returns
    -------
    float64 array (n, categories)
        Each half of the groups under the temperature of the other half.
    """
    _, number = np.unique(groups, return_inverse=True)
    half = number % 2
    if not 0 < half.sum() < len(half):
        return softmax(logits)
    chance = np.zeros_like(logits)
    for side in (0, 1):
        own = half == side
        chance[own] = softmax(logits[own], fit_temperature(logits[~own], labels[~own]))
    return chance


def scores_of(raw: ImageClassScores, tempered: ImageClassScores) -> dict[str, Any]:
    """Put the figures of a classification together.

    Parameters
    ----------
    raw, tempered : ImageClassScores
        Before and after the temperature.

    Returns
    -------
    dict
        Plain values: shares, intervals, tables.
    """
    summary = tempered.summary(n_boot=400)
    share, confidence = tempered.covered(0.99)
    values = {name: estimate.value for name, estimate in summary.items()}
    limits = {name: (e.low, e.high) for name, e in summary.items()}
    for k in range(2, min(_MOST_TOP, len(raw.names) - 1) + 1):
        values[f"top_{k}"] = tempered.top_k(k)
    values |= {
        "ece": tempered.ece(),
        "ece_before": raw.ece(),
        "covered": share,
    }
    return {
        "values": values,
        "limits": limits,
        "confidence_at_99": confidence,
        "per_category": tempered.per_class().reset_index().to_dict("records"),
        "confusion": tempered.confusion.tolist(),
        "confused": tempered.confused(),
        "names": list(raw.names),
    }


def tensors_with(state: dict[str, Any], found: Finish, known: Any, labels: Any) -> dict[str, Any]:
    """Put what was learned beside the weights of a network.

    Parameters
    ----------
    state : dict of str to torch.Tensor
    found : Finish
    known : float32 array (k, dimension)
    labels : int array (k,)

    Returns
    -------
    dict of str to torch.Tensor
    """
    import torch

    return state | {
        "temperature": torch.tensor([found.temperature], dtype=torch.float32),
        "limits": torch.from_numpy(np.asarray(found.limits, np.float32)),
        "far": torch.tensor([found.far], dtype=torch.float32),
        "known": torch.from_numpy(np.ascontiguousarray(known, np.float32)),
        "known_labels": torch.from_numpy(np.asarray(labels, np.int64)),
    }
