"""Train a segmentation network on a folder: the one function that scripts call."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from napari_sem_tools.errors import UntrustedModel
from napari_sem_tools.models.card import ModelCard, check_name
from napari_sem_tools.tasks import Cancel, Progress, report
from napari_sem_tools.training.running.events import TrainingEvent
from napari_sem_tools.training.running.run import LICENCE, TrainingRun
from napari_sem_tools.training.settings import TrainingSettings

__all__ = ["follow", "model_name", "train_segmentation"]

_LOOK_EVERY_S = 0.1
_PARTS = 1000  # of the progress


def train_segmentation(
    folder: str | Path,
    name: str | None = None,
    *,
    recipe: str = "particles",
    settings: TrainingSettings | None = None,
    out: str | Path | None = None,
    licence: str = LICENCE,
    overwrite: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    **changes: Any,
) -> ModelCard:
    """Train a network on images and masks; the result is in the registry.

    Parameters
    ----------
    folder : path-like
        ``images`` and ``masks`` with files of the same names; optional ``ignore``,
        ``classes.csv`` and ``images.csv``.
    name : str, optional
        Of the model; by default that of the folder.
    recipe : str
        Settings by name: ``particles`` (fine-tunes the model of the package), ``tem-unet``,
        ``multires``, ``classes``.
    settings : TrainingSettings, optional
        Instead of those of the recipe.
    out : path-like, optional
        Folder of the run: checkpoints, curves, previews.  By default
        ``FOLDER/training/NAME``.  A run that was stopped there goes on.
    licence : str
        Of images and weights, for the card.
    overwrite : bool
        Begin anew, whatever is in the folder of the run.
    progress : callable, optional
        Called as ``progress(done, total, what)``.
    cancel : callable, optional
        When it returns True the best epoch so far is kept and returned.
    **changes
        Fields of `TrainingSettings`, e.g. ``epochs=10``.

    Returns
    -------
    ModelCard
        With scores, data, split and seed; ``sem.segment(image, card.name)`` uses it.

    Raises
    ------
    InvalidTrainingSet
        Bad files; all are named.
    InvalidSettings, OutputExists, ModelNotFound, MissingExtra
        Before anything is learned.
    Cancelled
        Before the first epoch was done, so that there was nothing to keep.
    SemError
        The process of the training failed; calling it again resumes it.

    Notes
    -----
    The training runs in a process of its own, niced, so that a crash there takes nothing
    with it.  `TrainingRun` gives its events one by one.

    Examples
    --------
    >>> import napari_sem_tools as sem
    >>> card = sem.train_segmentation("my set", epochs=20)  # doctest: +SKIP
    >>> found = sem.segment("new.tif", card.name)  # doctest: +SKIP
    """
    run = TrainingRun.start(
        folder,
        name or model_name(folder),
        recipe=recipe,
        settings=settings,
        out=out,
        licence=licence,
        overwrite=overwrite,
        **changes,
    )
    return follow(run, progress, cancel)


def follow(run: TrainingRun, progress: Progress | None, cancel: Cancel | None) -> ModelCard:
    """Wait for a training that runs, telling how far it is.

    Parameters
    ----------
    run : TrainingRun
    progress, cancel : callable, optional

    Returns
    -------
    ModelCard

    Raises
    ------
    SemError
        What the training failed with, `Cancelled` among it.
    """
    try:
        asked = False
        while run.running:
            for event in run.poll():
                _report(progress, event)
            if not asked and cancel is not None and cancel():
                run.cancel()
                asked = True
            time.sleep(_LOOK_EVERY_S)
    except BaseException:  # Ctrl-C: the process stops and can be resumed
        run.kill()
        raise
    for event in run.poll():  # what came between the last look and the end
        _report(progress, event)
    card = run.wait()
    report(progress, _PARTS, _PARTS, "done")
    return card


def model_name(folder: str | Path) -> str:
    """Make the name of a model from that of a folder.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    str

    Examples
    --------
    >>> model_name("data/My TiO2 set (2)")
    'my-tio2-set-2'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", Path(folder).resolve().name.lower()).strip("-")
    name = plain[:50].strip("-") or "my"
    try:
        check_name(name)
    except UntrustedModel:  # the name of a device of Windows, such as con
        return f"{name}-model"
    return name


def _report(progress: Progress | None, event: TrainingEvent) -> None:
    """Say how far it is, with the loss and the scores."""
    if not event.epoch or event.kind == "plan":
        return
    words = [f"epoch {event.epoch} of {event.epochs}"]
    if event.kind == "epoch" and event.loss is not None:
        words.append(f"loss {event.loss:.3g}")
        words += [f"{name} {value:.3f}" for name, value in list(event.scores.items())[:3]]
    report(progress, round(_PARTS * event.share), _PARTS, ", ".join(words))
