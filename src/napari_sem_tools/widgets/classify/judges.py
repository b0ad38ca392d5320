"""What judges images: categories that were taught, or a network of the registry; no Qt here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification import Categories, classify, read_categories
from napari_sem_tools.errors import SemError
from napari_sem_tools.models import models
from napari_sem_tools.reading import as_micrograph, list_files
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled
from napari_sem_tools.widgets.focus.state import thumbnail

__all__ = ["PICTURE_PX", "Judge", "categories_folder", "name_files", "registered", "saved_judges"]

_APP = "napari-sem-tools"
_TASK = "classification"
_TEXT = "categories.json"  # of a folder that holds categories
PICTURE_PX = (84, 112)
"""Rows and columns of the pictures in lists, at most."""

Heard = Callable[[Path, dict[str, Any], "NDArray[np.uint8] | None"], None]


@dataclasses.dataclass
class Judge:
    """Something that says which category an image is of.

    Attributes
    ----------
    title : str
        As the list shows it.
    source : Categories, Path or str
        Taught categories, the folder of saved ones, or the name of a model.
    """

    title: str
    source: Categories | Path | str

    def load(self) -> Categories | str:
        """Return what `classify` takes; saved categories are read once.

        Raises
        ------
        SemError
            They cannot be read.
        """
        if isinstance(self.source, Path):
            self.source = read_categories(self.source)
        return self.source

    @property
    def names(self) -> list[str]:
        """Names of the categories, as far as they are known without loading anything."""
        if isinstance(self.source, Categories):
            return list(self.source.names)
        card = models.get(self.source) if isinstance(self.source, str) else None
        return [] if card is None else [one.name for one in card.classes]

    def row(self, image: Any) -> dict[str, Any]:
        """Say of one image what `classify` says, as a dict; may be called in a thread."""
        found = classify([image], self.load()).iloc[0].to_dict()
        return {str(name): value for name, value in found.items()}

    def python(self) -> str:
        """Return Python for the model."""
        if isinstance(self.source, Categories):
            return "mine  # as taught in the window; save them to use them in a script"
        return repr(str(self.source))


def categories_folder() -> Path:
    """Return where categories are kept that the list offers in every session."""
    import platformdirs

    return platformdirs.user_data_path(_APP, appauthor=False) / "categories"


def saved_judges(folder: Path | None = None) -> list[Judge]:
    """List the categories that were saved in a folder, by name."""
    place = categories_folder() if folder is None else folder
    if not place.is_dir():
        return []
    return [
        Judge(one.name, one)
        for one in sorted(place.iterdir())
        if not one.name.startswith(".") and (one / _TEXT).is_file()
    ]


def registered() -> list[Judge]:
    """List the networks of the registry that classify."""
    return [Judge(name, name) for name, card in models.items() if card.task == _TASK]


def name_files(
    inputs: Sequence[Path],
    judge: Judge,
    *,
    heard: Heard,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> int:
    """Classify files one after the other; each is told as soon as it is done.

    Parameters
    ----------
    inputs : sequence of Path
        Files and folders.
    judge : Judge
    heard : callable
        Gets the file, its row as of `classify` and a small picture; a file that cannot be read
        has the reason in ``error`` and no picture.
    progress, cancel : callable, optional

    Returns
    -------
    int
        How many files there were.

    Raises
    ------
    UnreadableFile
        There is no image, or the categories cannot be read.
    Cancelled
        What was told stays told.
    """
    files = list_files(inputs)
    judge.load()
    for number, file in enumerate(files):
        stop_if_cancelled(cancel)
        report(progress, number, len(files), f"looking at {file.name}")
        heard(file, *_named(file, judge))
    report(progress, len(files), len(files), "classified")
    return len(files)


def _named(file: Path, judge: Judge) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
    """Classify one file, and make a small picture of it."""
    try:
        image = as_micrograph(file).plane()
    except SemError as error:
        return {"image": str(file), "error": error.message}, None
    return judge.row(image) | {"image": str(file)}, thumbnail(image, PICTURE_PX)
