"""Training of categories as one call: start the process, tell how far it is, wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.training.classification.settings import ClassificationTraining
from napari_sem_tools.training.running.run import LICENCE, TrainingRun
from napari_sem_tools.training.segmentation import follow, model_name

__all__ = ["run_folder", "train_classifier"]


def train_classifier(
    folder: str | Path,
    name: str | None = None,
    *,
    recipe: str = "categories",
    settings: ClassificationTraining | None = None,
    out: str | Path | None = None,
    licence: str = LICENCE,
    overwrite: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    **changes: Any,
) -> ModelCard:
    """Train a network to name images; the result is in the registry.

    Parameters
    ----------
    folder : path-like
        A folder that has a folder of images for every category, or a CSV (or a folder with
        one) of the columns ``path`` and ``category``, if you like also ``group``.
    name : str, optional
        Of the model; by default that of the folder.
    recipe : str
        Settings by name: ``categories`` (a small network from nothing), ``fine-tune``,
        ``paper-inception-resnet``, ``web-xception``, ``web-simple-cnn``.
    settings : ClassificationTraining, optional
        Instead of those of the recipe.
    out : path-like, optional
        Folder of the run: checkpoints, curves, split, predictions, review list.  By default
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
        Fields of `ClassificationTraining`, e.g. ``epochs=10``.

    Returns
    -------
    ModelCard
        With scores of the images that were kept back; ``sem.classify(images, card.name)``
        uses it.

    Raises
    ------
    InvalidTrainingSet
        Fewer than two categories, no image that can be used, or a category of which nothing
        can be kept back.
    UntrustedModel
        Weights to begin with whose licence was not accepted, or that are not those of the hash.
    InvalidSettings, OutputExists, ModelNotFound, MissingExtra
        Before anything is learned.
    Cancelled
        Before the first epoch was done, so that there was nothing to keep.
    SemError
        The process of the training failed; calling it again resumes it.

    References
    ----------
    .. [1] R. Aversa, M. H. Modarres, S. Cozzini, R. Ciancio, A. Chiusole, "The first annotated
       set of scanning electron microscopy images for nanoscience", Sci. Data 5, 180172 (2018).

    Examples
    --------
    >>> import napari_sem_tools as sem
    >>> card = sem.train_classifier("categories", epochs=20)  # doctest: +SKIP
    >>> table = sem.classify("new images", card.name)  # doctest: +SKIP
    """
    chosen = name or model_name(Path(folder).with_suffix(""))
    run = TrainingRun.start(
        folder,
        chosen,
        recipe=recipe,
        settings=settings,
        kind="classification",
        out=out or run_folder(folder, chosen),
        licence=licence,
        overwrite=overwrite,
        **changes,
    )
    return follow(run, progress, cancel)


def run_folder(folder: str | Path, name: str) -> Path:
    """Return where the run of a name lies by default: beside a CSV, within a folder.

    Parameters
    ----------
    folder : path-like
    name : str

    Returns
    -------
    Path
    """
    place = Path(folder)
    return (place.parent if place.is_file() else place) / "training" / name
