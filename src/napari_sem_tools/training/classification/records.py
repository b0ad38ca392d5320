"""The files of a training of categories that people read: split, predictions, review list."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.evaluation.classes_of_images import ImageClassScores
from napari_sem_tools.evaluation.predictions import Predictions
from napari_sem_tools.files import write_text
from napari_sem_tools.training.classification.parts import PARTS
from napari_sem_tools.training.classification.plan import ClassificationPlan

__all__ = ["write_records"]

SPLIT, PREDICTIONS, REVIEW, FAULTS = "split.csv", "predictions.csv", "review.csv", "faults.csv"
_OUT = "left out"


def write_records(
    folder: Path,
    plan: ClassificationPlan,
    numbers: Mapping[int, NDArray[np.intp]],
    chances: Mapping[int, NDArray[np.float64]],
) -> None:
    """Write who learned and who judged, what was said of who judged, and doubtful labels.

    Parameters
    ----------
    folder : Path
        Of the run.
    plan : ClassificationPlan
    numbers : mapping of int to int array
        Images by part.
    chances : mapping of int to float64 array (n, categories)
        Their probabilities.
    """
    images, digests = plan.seen.images, plan.seen.digests
    split = (
        (
            one.name,
            digests[n],
            one.category,
            int(plan.groups[n]),
            PARTS[plan.part[n]] if plan.part[n] >= 0 else _OUT,
            plan.settings.seed,
        )
        for n, one in enumerate(images)
    )
    _write(folder / SPLIT, ("path", "sha256", "category", "group", "part", "seed"), split)
    _write(folder / FAULTS, ("path", "reason"), ((f.file, f.reason) for f in plan.seen.faults))
    heads = ("path", "part", "group", "category", "named", *(f"p {name}" for name in plan.names))
    said: list[Sequence[Any]] = []
    doubtful: list[Sequence[Any]] = []
    for part, chosen in numbers.items():
        chance = chances[part]
        for n, row in zip(chosen, chance, strict=True):
            named = plan.names[int(row.argmax())]
            place = (images[n].name, PARTS[part], int(plan.groups[n]), images[n].category, named)
            said.append((*place, *(f"{value:.6f}" for value in row)))
        doubtful += _suspects(plan, chosen, chance)
    _write(folder / PREDICTIONS, heads, said)
    _write(folder / REVIEW, ("path", "category", "rather", "p", "p rather"), doubtful)


def _suspects(
    plan: ClassificationPlan, chosen: NDArray[np.intp], chance: NDArray[np.float64]
) -> list[Sequence[Any]]:
    """List images whose label is probably wrong, the surest first."""
    if not len(chosen):
        return []
    scored = ImageClassScores(plan.names, plan.labels[chosen], chance, np.arange(len(chosen)))
    judged = Predictions(tuple(plan.seen.images[n].name for n in chosen), scored)
    return [
        (one.path, one.category, one.rather, f"{one.chance:.4f}", f"{one.rather_chance:.4f}")
        for one in judged.review()
    ]


def _write(path: Path, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    write_text(path, text.getvalue())
