"""Training of a focus score as one call: start the process, tell how far it is, wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.training.focus.settings import FocusTraining
from napari_sem_tools.training.running.run import LICENCE, TrainingRun
from napari_sem_tools.training.segmentation import follow, model_name

__all__ = ["train_focus"]


def train_focus(
    folder: str | Path,
    name: str | None = None,
    *,
    recipe: str = "focus",
    settings: FocusTraining | None = None,
    out: str | Path | None = None,
    licence: str = LICENCE,
    overwrite: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    **changes: Any,
) -> ModelCard:
    """Train a network on scored images, or on sharp ones; the result is in the registry.

    Parameters
    ----------
    folder : path-like
        Images, in it or in its folder ``images``, and a CSV with the columns ``file`` and
        ``score`` (0 to 10), if you like also ``group``, ``pixel_nm`` and ``magnification``.
        Without scores the images count as sharp, and are blurred by known amounts.
    name : str, optional
        Of the model; by default that of the folder.
    recipe : str
        Settings by name: ``focus`` (fine-tunes the model of the package), ``defocus`` (sharp
        images, from nothing), ``paper-resnet18``.
    settings : FocusTraining, optional
        Instead of those of the recipe.
    out : path-like, optional
        Folder of the run; by default ``FOLDER/training/NAME``.  A run that was stopped there
        goes on.
    licence : str
        Of images and weights, for the card.
    overwrite : bool
        Begin anew, whatever is in the folder of the run.
    progress : callable, optional
        Called as ``progress(done, total, what)``.
    cancel : callable, optional
        When it returns True the best epoch so far is kept and returned.
    **changes
        Fields of `FocusTraining`, e.g. ``epochs=10``.

    Returns
    -------
    ModelCard
        With RMSE, MAE and Spearman of the images that were kept back, beside the RMSE of a
        constant.

    Raises
    ------
    InvalidTrainingSet
        Files that cannot be read, a score that is none, no group to keep back.
    InvalidSettings, OutputExists, ModelNotFound, MissingExtra
        Before anything is learned.
    Cancelled
        Before the first epoch was done, so that there was nothing to keep.
    SemError
        The process of the training failed; calling it again resumes it.

    References
    ----------
    .. [1] Yang, Oh, Jang, Lyu, Lee, Microscopy & Microanalysis 2020 (``paper-resnet18``).

    Examples
    --------
    >>> import napari_sem_tools as sem
    >>> card = sem.train_focus("scored frames", epochs=20)  # doctest: +SKIP
    """
    run = TrainingRun.start(
        folder,
        name or model_name(folder),
        recipe=recipe,
        settings=settings,
        kind="focus",
        out=out,
        licence=licence,
        overwrite=overwrite,
        **changes,
    )
    return follow(run, progress, cancel)
