"""From the best weights of a training to a model in the user's registry."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from napari_sem_tools._version import __version__
from napari_sem_tools.errors import ModelNotFound
from napari_sem_tools.models.card import InputSpec, ModelCard, Score, TrainingData, WeightsFile
from napari_sem_tools.models.store import Store
from napari_sem_tools.models.weights import describe
from napari_sem_tools.training.running.plan import TrainingPlan

__all__ = ["card_of", "next_version", "register"]

_NAMES = {
    "ap50": "AP@0.5",
    "ap75": "AP@0.75",
    "pq": "PQ",
    "aji": "AJI",
    "f1": "F1",
    "fg_iou": "foreground IoU",
    "mean_iou": "mean IoU",
    "mean_dice": "Dice",
}
_MOST_TEXT = 3500


def card_of(
    plan: TrainingPlan,
    name: str,
    version: str,
    weights: WeightsFile,
    *,
    arguments: dict[str, Any],
    input_spec: InputSpec,
    licence: str,
    scores: dict[str, float] | None = None,
    intervals: dict[str, tuple[float, float]] | None = None,
    course: str = "",
) -> ModelCard:
    """Write down what was trained, on what, and how good it is.

    Parameters
    ----------
    plan : TrainingPlan
    name, version : str
    weights : WeightsFile
    arguments : dict
        Of the network, its outputs included.
    input_spec : InputSpec
    licence : str
    scores, intervals : dict
        As `judging.judge` gives them.
    course : str
        How long it was trained.

    Returns
    -------
    ModelCard
    """
    own = TrainingData(
        f"{plan.folder.path.resolve().name}: {len(plan.split.train)} images", licence
    )
    earlier = plan.start.training_data if plan.start else ()
    begun = f"Fine-tuned from {plan.start.key}" if plan.start else "Trained from nothing"
    wish = plan.settings
    text = (
        f"{begun} on {own.name} ({wish.targets}); augmentation {wish.augmentation}, "
        f"{wish.optimiser} {wish.learning_rate:g} {wish.schedule}, frozen: {wish.freeze}, "
        f"seed {wish.seed}. {course}"
    )
    return ModelCard(
        name=name,
        version=version,
        task="segmentation",
        architecture=plan.architecture,
        arguments=arguments,
        weights=weights,
        licence=licence,
        created=datetime.date.today().isoformat(),
        input=input_spec,
        outputs=plan.outputs,
        classes=plan.output_classes,
        training_data=(*earlier, own),
        scores=_scores(plan, scores or {}, intervals or {}),
        description=text[:_MOST_TEXT],
        code_version=__version__,
    )


def next_version(store: Store, name: str) -> str:
    """Return the version after the newest of a name.

    Parameters
    ----------
    store : Store
    name : str

    Returns
    -------
    str
        ``1.0.0`` for a new name, else the middle number is one more.
    """
    try:
        newest = store.find(name).card.version
    except ModelNotFound:
        return "1.0.0"
    major, minor, _ = (int(part) for part in newest.split("."))
    return f"{major}.{minor + 1}.0"


def register(store: Store, card: ModelCard, raw: bytes) -> ModelCard:
    """Keep the model in the user's folder.

    Parameters
    ----------
    store : Store
    card : ModelCard
    raw : bytes
        The safetensors file.

    Returns
    -------
    ModelCard
        That of the store.
    """
    whole = card.replace(weights=describe(raw))
    return store.add(whole, lambda out: out.write(raw)).card


def _scores(
    plan: TrainingPlan, scores: dict[str, float], intervals: dict[str, tuple[float, float]]
) -> tuple[Score, ...]:
    """List the scores with what they were measured on."""
    judged = len(plan.split.validation)
    how = "drawn anew each epoch" if plan.settings.split == "each epoch" else "kept back"
    split = f"validation: {judged} of {len(plan.folder.samples)} images, {how} by group"
    if plan.object_size_px:
        split += ", particle size known"
    listed = []
    for name, value in scores.items():
        if name not in _NAMES or not np.isfinite(value):
            continue
        low, high = intervals.get(name, (value, value))
        bounds = (round(min(low, value), 4), round(max(high, value), 4))
        limits = bounds if name in intervals else (None, None)
        listed.append(
            Score(_NAMES[name], round(value, 4), plan.folder.path.resolve().name, split, *limits)
        )
    return tuple(listed)
