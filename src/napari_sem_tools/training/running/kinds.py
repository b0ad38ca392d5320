"""The table of what can be trained: settings, recipes, plan and session of each kind."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

__all__ = ["KINDS", "Kind"]

_HERE = "napari_sem_tools.training"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A row of the table; dotted names, so that listing it imports nothing.

    Attributes
    ----------
    name : str
    settings : str
        Class of the settings.
    recipe : str
        ``recipe(name)`` finds settings by name.
    resolve : str
        Joins folder and settings into a plan.
    learn : str
        Trains as planned.
    """

    name: str
    settings: str
    recipe: str
    resolve: str
    learn: str

    def load(self, what: str) -> Any:
        """Import one of the dotted names."""
        module, _, attribute = getattr(self, what).partition(":")
        return getattr(importlib.import_module(module), attribute)


_ROWS = (
    Kind(
        "segmentation",
        f"{_HERE}.settings:TrainingSettings",
        f"{_HERE}.trainings:training",
        f"{_HERE}.running.plan:resolve",
        f"{_HERE}.running.session:learn",
    ),
    Kind(
        "focus",
        f"{_HERE}.focus.settings:FocusTraining",
        f"{_HERE}.focus.trainings:focus_training",
        f"{_HERE}.focus.plan:resolve",
        f"{_HERE}.focus.session:learn",
    ),
    Kind(
        "classification",
        f"{_HERE}.classification.settings:ClassificationTraining",
        f"{_HERE}.classification.trainings:classification_training",
        f"{_HERE}.classification.plan:resolve",
        f"{_HERE}.classification.session:learn",
    ),
)

KINDS: dict[str, Kind] = {row.name: row for row in _ROWS}
"""Kinds of training by name."""
