"""Thumbnails of a catalogue, fetched off the GUI thread as they come into view."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QPixmap

from napari_sem_tools.errors import SemError
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.catalogue.shelf import Shelf
from napari_sem_tools.widgets.gallery.pictures import Pixmaps
from napari_sem_tools.widgets.panel import late
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["LatePictures"]

_PAUSE_MS = 30
_AT_ONCE = 60


class LatePictures(QObject):
    """Pictures by the number of an image; ``came`` names those that are there now.

    Parameters
    ----------
    shelf : Shelf
    parent : QWidget
    """

    came = Signal(object)

    def __init__(self, shelf: Shelf, parent: QObject) -> None:
        super().__init__(parent)
        self._shelf = shelf
        self._pixmaps = Pixmaps()
        self._wanted: dict[int, None] = {}
        self._work = Work(self)
        self._work.finished.connect(self._take)
        self._late = late(parent, _PAUSE_MS, self._fetch)
        shelf.opened.connect(self.clear)

    def get(self, number: int) -> QPixmap | None:
        """Return a picture, or None and fetch it; the newest wishes come first."""
        found = self._pixmaps.get(number)
        if found is None:
            self._wanted.pop(number, None)
            self._wanted[number] = None
            if not self._late.isActive():
                self._late.start()
        return found

    def clear(self) -> None:
        """Forget the pictures of another catalogue."""
        self._pixmaps.clear()
        self._wanted.clear()

    def release(self) -> None:
        """Fetch no more."""
        self._late.stop()
        self._work.abandon()

    def _fetch(self) -> None:
        """Fetch what was asked for last."""
        if self._work.running or not self._wanted or not self._shelf.is_open:
            return
        wanted = list(self._wanted)[-_AT_ONCE:]
        for number in wanted:
            del self._wanted[number]
        catalogue = self._shelf.catalogue
        self._work.start(_fetching(catalogue.thumbnail, wanted))

    def _take(self, outcome: Outcome) -> None:
        """Keep what came, and go on."""
        found: dict[int, bytes] = outcome.value or {}
        for number, content in found.items():
            self._pixmaps.put(number, content)
        if found:
            self.came.emit(set(found))
        if self._wanted:
            self._late.start()


def _fetching(
    thumbnail: Callable[[int], bytes], wanted: list[int]
) -> Callable[[Progress, Cancel], dict[int, bytes]]:
    """Return the work that fetches thumbnails; images that are gone have none."""

    def job(progress: Progress, cancel: Cancel) -> dict[int, bytes]:
        found = {}
        for number in wanted:
            try:
                found[number] = thumbnail(number)
            except SemError:
                continue
        return found

    return job
