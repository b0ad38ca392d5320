"""The Focus widget: how sharp is it, why, where is the best position, and which files are poor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QTabWidget

from napari_sem_tools.layers.window import open_images
from napari_sem_tools.widgets.focus.folder import FolderPage
from napari_sem_tools.widgets.focus.memory import Memory
from napari_sem_tools.widgets.focus.page import Page
from napari_sem_tools.widgets.focus.score import ScorePage
from napari_sem_tools.widgets.focus.series import SeriesPage
from napari_sem_tools.widgets.focus.watching import WatchPage
from napari_sem_tools.widgets.folder_line import dropped_paths
from napari_sem_tools.widgets.parts import SemWidget
from napari_sem_tools.widgets.work import Job, Outcome

__all__ = ["FocusWatchWidget", "FocusWidget"]


class FocusWidget(SemWidget):
    """Score, series, folder and watched folder: one page each, one button for the page in front."""

    run_text = ScorePage.run_text
    first = ScorePage.title

    def build(self) -> None:
        """Make the pages."""
        self.memory = Memory(self)
        self.setAcceptDrops(True)
        self.tabs = QTabWidget()
        self.score, self.series = ScorePage(self), SeriesPage(self)
        self.folder, self.watching = FolderPage(self), WatchPage(self)
        self.pages: tuple[Page, ...] = (self.score, self.series, self.folder, self.watching)
        for page in self.pages:
            self.tabs.addTab(page, page.title)
            page.changed.connect(self._show_button)
        self._running: Page | None = None  # whose work the button cancels
        self.tabs.setCurrentIndex([page.title for page in self.pages].index(self.first))
        self.tabs.currentChanged.connect(self._show_button)
        self.body.addWidget(self.tabs, 1)

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        if self.memory.problem is not None:
            self.fail(self.memory.problem)

    # --- for the pages -------------------------------------------------------------------

    @property
    def page(self) -> Page:
        """The page in front."""
        return self.pages[self.tabs.currentIndex()]

    def start_work(
        self, job: Job, done: Callable[[Any], None], description: str, *, leaves_files: bool = False
    ) -> None:
        """Run a job of the page in front; the button cancels it.

        Parameters
        ----------
        job : callable
            Called as ``job(progress, cancel)`` in a thread.
        done : callable
            Gets its value in the GUI thread.
        description : str
        leaves_files : bool
            Whether a late cancel cannot undo it.
        """
        if self.work.running:
            self.say("Something else is running; wait, or cancel it.", "warning")
            return
        self._running, self.leaves_files = self.page, leaves_files
        self.start(job, done, description)

    def run_page(self, page: Page) -> None:
        """Bring a page to the front and click its button."""
        self.tabs.setCurrentIndex(self.pages.index(page))
        self._on_button()

    def open_file(self, path: Path) -> Any:
        """Open a file as a layer, or select the layer that shows it already."""
        for layer in self.viewer.layers:
            if getattr(layer.source, "path", None) == str(path):
                self.viewer.layers.selection.active = layer
                return layer
        before = list(self.viewer.layers)
        open_images(self.viewer, [path], on_error=self.fail)
        made = [layer for layer in self.viewer.layers if layer not in before]
        return made[-1] if made else None

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

    # --- the button ----------------------------------------------------------------------

    def can_run(self) -> bool:
        """Say whether the page in front can run."""
        return self.page.can_run()

    def run(self) -> None:
        """Run the page in front."""
        if not self.page.can_run():
            self.say(self.page.wants)
            return
        self.page.run()

    def _show_button(self, *_: Any) -> None:
        """Write what the button does for the page in front."""
        if self.work.running:
            return
        self.run_text = self.page.run_text
        self.run_button.setText(self.run_text)
        self.run_button.setEnabled(self.can_run())

    def _on_finished(self, outcome: Outcome) -> None:
        """Show how the work ended, and the button of the page in front."""
        super()._on_finished(outcome)
        page, self._running = self._running, None
        if page is not None:
            page.ended(cancelled=outcome.cancelled)
        self._show_button()

    def python(self) -> str:
        """Return what the page in front does as Python."""
        return self.page.python()

    # --- layers, drops, life -------------------------------------------------------------

    def layer_changed(self, layer: Any) -> None:
        """Tell the pages about another image."""
        for page in self.pages:
            page.layer_changed(layer)
        self._show_button()

    def _on_theme(self, event: Any = None) -> None:
        """Take the colours of the new theme."""
        super()._on_theme(event)
        for page in self.pages:
            page.restyle()

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Take files and folders anywhere on the widget."""
        if dropped_paths(event.mimeData()) and not self.work.running:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Hand files to the page in front; a folder that it has no use for is scored."""
        paths = dropped_paths(event.mimeData())
        if not paths:
            return
        event.acceptProposedAction()
        if self.page.take_paths(paths):
            return
        if len(paths) == 1 and paths[0].is_file():
            self.open_file(paths[0])
        else:
            self.tabs.setCurrentWidget(self.folder)
            self.folder.take_paths(paths)

    def release(self) -> None:
        """Stop everything and let go of the viewer."""
        super().release()
        self._newest = None
        for page in self.pages:
            page.release()


class FocusWatchWidget(FocusWidget):
    """The Focus widget with the watched folder in front, as *File > Acquire* opens it."""

    first = WatchPage.title
