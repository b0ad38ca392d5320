"""The table of trainings of categories by name, and where their settings are from."""

from __future__ import annotations

import dataclasses
import difflib

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.training.classification.settings import ClassificationTraining

__all__ = ["CLASSIFICATION_TRAININGS", "ClassificationRecipe", "classification_training"]


@dataclasses.dataclass(frozen=True)
class ClassificationRecipe:
    """A row of the table: settings by name."""

    name: str
    help: str
    source: str
    settings: ClassificationTraining


_PAPERS = {
    "noise": "none",
    "balance": "images",
    "label_smoothing": 0.0,
    "average": 0.0,
    "clip_norm": 0.0,
    "weight_decay": 0.0,
    "schedule": "constant",
    "strip": "in",
    "fit": "whole",
    "rows": 299,
    "columns": 299,
    "duplicates": 0.0,
    "judge_by": "accuracy",
}
_FLASK = _PAPERS | {
    "rotation_degrees": 3.0,
    "shift": 0.2,
    "shear_degrees": 0.2,
    "zoom": 0.2,
    "flips": "none",
    "split": "70/20/10",
    "batch": 16,
    "epochs": 20,
    "optimiser": "rmsprop",
}

_ROWS = (
    ClassificationRecipe(
        "categories",
        "a small network in plain PyTorch from nothing, near-duplicates kept together",
        "own",
        ClassificationTraining(),
    ),
    ClassificationRecipe(
        "fine-tune",
        "ConvNeXt-Tiny from weights that you give, its head faster and its stem slower",
        "own; rates as in slastrzelec/sem-nanostructure-classifier 2026",
        ClassificationTraining(
            network="convnext-tiny",
            epochs=12,
            learning_rate=1e-4,
            head_rate=10.0,
            layer_decay=0.8,
            weight_decay=0.01,
            rows=384,
            columns=512,
            average=0.999,
        ),
    ),
    ClassificationRecipe(
        "paper-inception-resnet",
        "Inception-ResNet-v2, its first 15 and last 30 layers frozen, strip and leaks as published",
        "Türkmen 2023 (WASET 17(11)); a quarter of the Keras rate, batches of 16 are assumed",
        ClassificationTraining.from_dict(
            _PAPERS
            | {
                "network": "inception-resnet-v2",
                "freeze": "paper-15-30",
                "optimiser": "adam",
                "learning_rate": 2.5e-4,
                "batch": 16,
                "epochs": 200,
            }
        ),
    ),
    ClassificationRecipe(
        "web-xception",
        "Xception: five epochs the head alone, then its last block as well",
        "b-weintraub/electron-microscope-assistant 2020",
        ClassificationTraining.from_dict(
            _FLASK
            | {
                "network": "xception",
                "freeze": "all but last stages",
                "trained_stages": 2,
                "head_epochs": 5,
                "learning_rate": 1e-4,
                "head_rate": 6.0,
            }
        ),
    ),
    ClassificationRecipe(
        "web-simple-cnn",
        "two convolutions and one large layer",
        "b-weintraub/electron-microscope-assistant 2020",
        ClassificationTraining.from_dict(_FLASK | {"network": "simple-cnn", "learning_rate": 1e-3}),
    ),
)

CLASSIFICATION_TRAININGS: dict[str, ClassificationRecipe] = {row.name: row for row in _ROWS}
"""Trainings of categories by name."""


def classification_training(name: str) -> ClassificationRecipe:
    """Find a training of categories.

    Parameters
    ----------
    name : str

    Returns
    -------
    ClassificationRecipe

    Raises
    ------
    InvalidSettings
        There is none of this name.

    Examples
    --------
    >>> classification_training("web-xception").settings.optimiser
    'rmsprop'
    """
    if name in CLASSIFICATION_TRAININGS:
        return CLASSIFICATION_TRAININGS[name]
    near = difflib.get_close_matches(name, CLASSIFICATION_TRAININGS, n=1)
    known = ", ".join(CLASSIFICATION_TRAININGS)
    raise InvalidSettings(
        f"There is no training of categories {name!r}.",
        hint=f"Did you mean {near[0]}?" if near else f"Known: {known}.",
    )
