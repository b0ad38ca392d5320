"""The Focus widget: how sharp is it, why, where is the best position, and which files are poor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer

from napari_sem_tools.widgets.focus.folder import FolderPage
from napari_sem_tools.widgets.focus.memory import Memory
from napari_sem_tools.widgets.focus.score import ScorePage
from napari_sem_tools.widgets.focus.series import SeriesPage
from napari_sem_tools.widgets.focus.watching import WatchPage
from napari_sem_tools.widgets.pages import PagedWidget

__all__ = ["FocusWatchWidget", "FocusWidget"]


class FocusWidget(PagedWidget):
    """Score, series, folder and watched folder: one page each, one button for the page in front."""

    run_text = ScorePage.run_text
    first = ScorePage.title

    def build(self) -> None:
        """Make the pages."""
        self.memory = Memory(self)
        self.score, self.series = ScorePage(self), SeriesPage(self)
        self.folder, self.watching = FolderPage(self), WatchPage(self)
        self.add_pages(self.score, self.series, self.folder, self.watching, first=self.first)

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        if self.memory.problem is not None:
            self.fail(self.memory.problem)

    def show_newest(self, path: Path) -> None:
        """Open the newest file of a watched folder in place of the one before."""
        former, self._newest = getattr(self, "_newest", None), None
        if former is not None and getattr(former.source, "path", None) == str(path):
            self._newest = former
            return
        self._newest = self.open_file(path)
        if former is not None and former in self.viewer.layers and self._newest is not None:
            # later: a layer that goes while its successor is drawn for the first time
            # has crashed software renderers
            QTimer.singleShot(200, lambda: self._drop(former))

    def _drop(self, layer: Any) -> None:
        """Remove a layer that may be gone already."""
        if layer in self.viewer.layers:
            self.viewer.layers.remove(layer)

    def take_dropped(self, paths: list[Path]) -> None:
        """Open a single file; score what is more."""
        if len(paths) == 1 and paths[0].is_file():
            self.open_file(paths[0])
        else:
            self.tabs.setCurrentWidget(self.folder)
            self.folder.take_paths(paths)

    def release(self) -> None:
        """Stop everything and let go of the viewer."""
        super().release()
        self._newest = None


class FocusWatchWidget(FocusWidget):
    """The Focus widget with the watched folder in front, as *File > Acquire* opens it."""

    first = WatchPage.title
