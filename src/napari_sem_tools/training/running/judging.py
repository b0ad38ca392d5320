"""How good a network is in the middle of its training: whole images, scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.evaluation import evaluate
from napari_sem_tools.segmentation.instances import decode
from napari_sem_tools.tasks import Cancel, stop_if_cancelled
from napari_sem_tools.training.data.scaled import Scene, nearest

__all__ = ["Verdict", "class_scores", "judge"]

_INSTANCE_SCORES = ("ap50", "ap75", "pq", "aji", "f1", "fg_iou")
_LEAST_FOR_INTERVAL = 3  # images


@dataclasses.dataclass(frozen=True, eq=False)
class Verdict:
    """Scores over the judging images.

    Attributes
    ----------
    scores : dict of str to float
        Means over images.
    intervals : dict of str to (float, float)
        95 %, from resampling images; of instances alone.
    found : dict of str to int32 array
        Labels or classes by name of the image, on the grid of its file.
    """

    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    found: dict[str, NDArray[np.int32]]


def judge(
    model: Any, scenes: Sequence[Scene], *, instances: bool, cancel: Cancel | None = None
) -> Verdict:
    """Run a network over whole images and score what it finds.

    Parameters
    ----------
    model : LoadedModel
    scenes : sequence of Scene
    instances : bool
    cancel : callable, optional

    Returns
    -------
    Verdict
        Without scenes: no scores.

    Raises
    ------
    Cancelled
    """
    found: dict[str, NDArray[np.int32]] = {}
    for scene in scenes:
        stop_if_cancelled(cancel)
        maps = model.predict(scene.grey, cancel=cancel)
        labels = decode(maps, cancel=cancel)[0] if instances else _classes(maps)
        found[scene.name] = np.asarray(nearest(labels, scene.truth.shape), np.int32)
    if not scenes:
        return Verdict({}, {}, {})
    truth = [np.where(scene.ignored, 0, scene.truth) for scene in scenes]
    seen = [np.where(scene.ignored, 0, found[scene.name]) for scene in scenes]
    if not instances:
        counted = [~scene.ignored for scene in scenes]
        return Verdict(class_scores(truth, seen, counted), {}, found)
    summary = evaluate(truth, seen).summary(n_boot=200)
    chosen = {name: summary[f"mean_{name}"] for name in _INSTANCE_SCORES}
    several = len(scenes) >= _LEAST_FOR_INTERVAL
    intervals = {name: (e.low, e.high) for name, e in chosen.items()} if several else {}
    return Verdict({name: e.value for name, e in chosen.items()}, intervals, found)


def class_scores(
    truth: Sequence[NDArray[Any]],
    found: Sequence[NDArray[Any]],
    counted: Sequence[NDArray[np.bool_]] | None = None,
) -> dict[str, float]:
    """Compare maps of classes.

    Parameters
    ----------
    truth, found : sequences of int array (Y, X)
        0 is background.
    counted : sequence of bool array, optional
        Pixels that count.

    Returns
    -------
    dict of str to float
        ``iou_K`` of class K over all pixels, ``mean_iou`` of the classes without the
        background, and with it; ``mean_dice``, ``least_dice``, ``largest_dice`` of all that is not
        background, over images; ``accuracy`` of all pixels.

    Examples
    --------
    >>> class_scores([np.array([[0, 1, 1, 2]])], [np.array([[0, 1, 2, 2]])])["mean_iou"]
    0.5
    """
    whole = [np.ones(t.shape, bool) for t in truth] if counted is None else counted
    pairs = [(t[c], f[c]) for t, f, c in zip(truth, found, whole, strict=True)]
    most = max(int(max(t.max(initial=0), f.max(initial=0))) for t, f in pairs)
    keys = np.concatenate([t.ravel() * (most + 1) + f.ravel() for t, f in pairs])
    table = np.bincount(keys, minlength=(most + 1) ** 2).reshape(most + 1, most + 1)
    both = np.diagonal(table)
    either = table.sum(0) + table.sum(1) - both
    overlap = np.divide(both, either, out=np.ones(most + 1), where=either > 0)
    there = either > 0
    dice = np.array([_dice(t > 0, f > 0) for t, f in pairs])
    scores = {f"iou_{number}": float(value) for number, value in enumerate(overlap) if number}
    return scores | {
        "mean_iou": float(overlap[1:][there[1:]].mean()) if there[1:].any() else 1.0,
        "mean_iou_with_background": float(overlap[there].mean()) if there.any() else 1.0,
        "mean_dice": float(dice.mean()),
        "least_dice": float(dice.min()),
        "largest_dice": float(dice.max()),
        "accuracy": float(np.trace(table) / max(table.sum(), 1)),
    }


def _dice(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Return Dice of two masks; 1 when both are empty."""
    total = int(truth.sum() + found.sum())
    return 2 * float((truth & found).sum()) / total if total else 1.0


def _classes(maps: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the likeliest class of every pixel."""
    if len(maps) == 1:
        return np.asarray(maps[0] > 0.5, np.int32)
    return np.asarray(maps.argmax(0), np.int32)
