"""The table of trainings by name: settings that belong together, and where they are from."""

from __future__ import annotations

import dataclasses
import difflib

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.training.settings import TrainingSettings

__all__ = ["TRAININGS", "Training", "training"]


@dataclasses.dataclass(frozen=True)
class Training:
    """A row of the table: settings by name."""

    name: str
    help: str
    source: str
    settings: TrainingSettings


_ROWS = (
    Training(
        "particles",
        "single particles: go on from the model that comes with the package",
        "own",
        TrainingSettings(),
    ),
    Training(
        "tem-unet",
        "particle or not, with the U-Net of 23 convolutions, as the TEM paper trains it",
        "Š. Mocko (TEM U-Net); ten passes, in each a random 80 % trains",
        TrainingSettings(
            targets="foreground",
            start="none",
            architecture="unet-tem",
            clip_low_percent=0,
            clip_high_percent=100,
            epochs=10,
            batch=1,
            crop_px=512,
            foreground=0.0,
            augmentation="none",
            loss="bce",
            optimiser="adam",
            learning_rate=1e-4,
            weight_decay=0,
            schedule="constant",
            average=0,
            clip_norm=0,
            split="each epoch",
            judge_by="mean_dice",
        ),
    ),
    Training(
        "multires",
        "particle or not, with the MultiRes U-Net, as the annotation-free workflow trains it",
        "Rühle 2021, doi 10.1038/s41598-021-84287-6; release 1.2.0",
        TrainingSettings(
            targets="foreground",
            start="none",
            architecture="multires",
            clip_low_percent=0.5,
            clip_high_percent=99.5,
            epochs=50,
            batch=5,
            crop_px=384,
            foreground=0.0,
            augmentation="flips",
            loss="weighted bce",
            optimiser="adam",
            learning_rate=1e-3,
            weight_decay=0,
            schedule="halving",
            average=0,
            clip_norm=0,
            judge_by="mean_dice",
        ),
    ),
    Training(
        "classes",
        "several classes, with a loss that minds their boundaries",
        "own",
        TrainingSettings(
            targets="classes", start="none", loss="boundary", augmentation="RDZ+sem", epochs=60
        ),
    ),
)

TRAININGS: dict[str, Training] = {row.name: row for row in _ROWS}
"""Trainings by name."""


def training(name: str) -> Training:
    """Find a training.

    Parameters
    ----------
    name : str

    Returns
    -------
    Training

    Raises
    ------
    InvalidSettings
        There is none of this name.

    Examples
    --------
    >>> training("tem-unet").settings.learning_rate
    0.0001
    """
    if name in TRAININGS:
        return TRAININGS[name]
    near = difflib.get_close_matches(name, TRAININGS, n=1)
    raise InvalidSettings(
        f"There is no training {name!r}.",
        hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(TRAININGS)}.",
    )
