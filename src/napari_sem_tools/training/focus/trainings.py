"""The table of focus trainings by name: settings that belong together, and where they are from."""

from __future__ import annotations

import dataclasses
import difflib

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.training.focus.settings import FocusTraining

__all__ = ["FOCUS_TRAININGS", "FocusRecipe", "focus_training"]


@dataclasses.dataclass(frozen=True)
class FocusRecipe:
    """A row of the table: settings by name."""

    name: str
    help: str
    source: str
    settings: FocusTraining


_ROWS = (
    FocusRecipe(
        "focus",
        "go on from the model that comes with the package, on scores of your own",
        "own",
        FocusTraining(),
    ),
    FocusRecipe(
        "defocus",
        "from sharp pictures alone: they are blurred and exposed anew each time",
        "own; physics in simulation/defocus.py",
        FocusTraining(
            truth="defocus",
            start="none",
            epochs=40,
            steps_per_epoch=200,
            batch=16,
            rows=192,
            columns=256,
            learning_rate=2e-3,
            average=0.998,
        ),
    ),
    FocusRecipe(
        "paper-resnet18",
        "ResNet-18 joined with the magnification, trained as its paper says: batches of one",
        "Yang 2020 (EgoVid, UNIST, COXEM)",
        FocusTraining(
            truth="scores",
            start="none",
            architecture="resnet18-focus",
            epochs=100,
            batch=1,
            optimiser="sgd",
            learning_rate=2e-4,
            weight_decay=0,
            schedule="constant",
            average=0,
            clip_norm=0,
            empty=0.02,
            validation_share=0.1,
            judge_by="last",
        ),
    ),
)

FOCUS_TRAININGS: dict[str, FocusRecipe] = {row.name: row for row in _ROWS}
"""Focus trainings by name."""


def focus_training(name: str) -> FocusRecipe:
    """Find a focus training.

    Parameters
    ----------
    name : str

    Returns
    -------
    FocusRecipe

    Raises
    ------
    InvalidSettings
        There is none of this name.

    Examples
    --------
    >>> focus_training("paper-resnet18").settings.optimiser
    'sgd'
    """
    if name in FOCUS_TRAININGS:
        return FOCUS_TRAININGS[name]
    near = difflib.get_close_matches(name, FOCUS_TRAININGS, n=1)
    raise InvalidSettings(
        f"There is no focus training {name!r}.",
        hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(FOCUS_TRAININGS)}.",
    )
