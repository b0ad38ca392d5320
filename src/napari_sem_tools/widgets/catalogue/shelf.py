"""The catalogue that is open, seen by all pages, and the one that was open last."""

from __future__ import annotations

import contextlib
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_sem_tools.catalogue import Catalogue
from napari_sem_tools.catalogue.database import FILE_NAME
from napari_sem_tools.classification import resolved_embedding
from napari_sem_tools.errors import SemError
from napari_sem_tools.files import write_text

__all__ = ["Shelf", "is_catalogue", "last_catalogue_file"]

_APP = "napari-sem-tools"


def last_catalogue_file() -> Path:
    """Return the file that holds the path of the catalogue that was open last."""
    import platformdirs

    return platformdirs.user_config_path(_APP, appauthor=False) / "last-catalogue.txt"


def is_catalogue(folder: Path) -> bool:
    """Say whether a folder holds a catalogue."""
    return (folder / FILE_NAME).is_file()


class Shelf(QObject):
    """The open catalogue.

    Its signal ``opened`` says that another one is open, ``changed`` that it holds other images,
    ``named`` that categories are others.
    """

    opened = Signal()
    changed = Signal()
    named = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path: Path | None = None
        self.embedding = resolved_embedding("auto")
        self._focus = True
        self._catalogue: Catalogue | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The open catalogue; nothing is read before it is asked.

        Raises
        ------
        SemError
            None is open.
        """
        if self._catalogue is None:
            raise SemError("No catalogue is open.", hint="Choose its folder above.")
        return self._catalogue

    @property
    def is_open(self) -> bool:
        """Whether a catalogue is open; its folder need not exist before something is added."""
        return self._catalogue is not None

    @property
    def exists(self) -> bool:
        """Whether something was ever added to the open catalogue."""
        return self.path is not None and is_catalogue(self.path)

    def open(self, path: Path, *, embedding: str | None = None) -> None:
        """Open a catalogue, or one that is made as soon as something is added.

        Parameters
        ----------
        path : Path
            Its folder.
        embedding : str, optional
            What likeness is worked out from; by default as before.
        """
        self.close()
        self.embedding = embedding or self.embedding
        self.path = path
        self._catalogue = self._made(path)
        with contextlib.suppress(SemError):  # remembering is a courtesy
            write_text(last_catalogue_file(), f"{path}\n")
        self.opened.emit()

    def score_focus(self, on: bool) -> None:
        """Say whether images that are added get a focus score."""
        self._focus = on
        if self.path is not None:  # what runs keeps the one before
            self._catalogue = self._made(self.path)

    def _made(self, path: Path) -> Catalogue:
        """Return the catalogue in a folder."""
        if self.embedding is None:
            return Catalogue(path, focus=self._focus)
        return Catalogue(path, embedding=self.embedding, focus=self._focus)

    def open_last(self) -> None:
        """Open what was open last, if it is still there."""
        with contextlib.suppress(OSError, UnicodeError):
            path = Path(last_catalogue_file().read_text("utf-8").strip())
            if is_catalogue(path):
                self.open(path)

    def close(self) -> None:
        """Let go of all files."""
        if self._catalogue is not None:
            self._catalogue.close()
        self._catalogue = None
