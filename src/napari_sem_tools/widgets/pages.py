"""Widgets of several pages: tabs over one button, which runs the page in front."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from napari_sem_tools.layers.window import open_images
from napari_sem_tools.widgets.folder_line import dropped_paths
from napari_sem_tools.widgets.parts import SemWidget
from napari_sem_tools.widgets.work import Job, Outcome

__all__ = ["Page", "PagedWidget"]


class Page(QWidget):
    """One tab of a widget; the button below the tabs runs the one in front.

    Its signal ``changed`` says that the button may read otherwise now.

    Parameters
    ----------
    panel : PagedWidget
        The widget that starts its work and shows its words.
    """

    changed = Signal()
    title = ""
    run_text = "Run"
    wants = ""

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.panel = panel
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 6, 0, 0)
        self.build()

    def build(self) -> None:
        """Fill `column`; called once."""

    def can_run(self) -> bool:
        """Say whether the button may be clicked."""
        return True

    def run(self) -> None:
        """Start the work; called by the button."""

    def python(self) -> str:
        """Return what "copy as Python" puts on the clipboard."""
        return ""

    def layer_changed(self, layer: Any) -> None:
        """React to another image layer, or None."""

    def ended(self, *, cancelled: bool) -> None:
        """React to the end of the work of this page, whatever it came to."""

    def take_paths(self, paths: list[Any]) -> bool:
        """Take what was dropped; say whether it is of use here."""
        return False

    def restyle(self) -> None:
        """Take the colours of the theme."""

    def release(self) -> None:
        """Stop what runs and let go of everything."""


class PagedWidget(SemWidget):
    """Base of the widgets with pages: one button for the page in front."""

    pages: tuple[Page, ...] = ()
    takes_while_running = False  # whether files may be dropped while work runs

    # --- for the widgets -----------------------------------------------------------------

    def add_pages(self, *pages: Page, first: str = "") -> None:
        """Make the tabs; called once, in `build`.

        Parameters
        ----------
        *pages : Page
        first : str
            Title of the page in front; by default the first one.
        """
        self.setAcceptDrops(True)
        self.pages = pages
        self.tabs = QTabWidget()
        for page in pages:
            self.tabs.addTab(page, page.title)
            page.changed.connect(self._show_button)
        self._running: Page | None = None  # whose work the button cancels
        titles = [page.title for page in pages]
        self.tabs.setCurrentIndex(titles.index(first) if first else 0)
        self.tabs.currentChanged.connect(self._show_button)
        self.body.addWidget(self.tabs, 1)
        self.run_text = self.page.run_text

    def take_dropped(self, paths: list[Path]) -> None:
        """Take files and folders that the page in front has no use for."""

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

    def python(self) -> str:
        """Return what the page in front does as Python."""
        return self.page.python()

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
        free = self.takes_while_running or not self.work.running
        if dropped_paths(event.mimeData()) and free:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Hand files to the page in front, else to whom the widget thinks best."""
        paths = dropped_paths(event.mimeData())
        if not paths:
            return
        event.acceptProposedAction()
        if not self.page.take_paths(paths):
            self.take_dropped(paths)

    def release(self) -> None:
        """Stop everything and let go of the viewer."""
        super().release()
        for page in self.pages:
            page.release()
