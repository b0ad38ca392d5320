"""The Catalogue widget: what images there are, which are alike, and how they lie together."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFormLayout

from napari_sem_tools.widgets.catalogue.add import AddPage
from napari_sem_tools.widgets.catalogue.find import FindPage
from napari_sem_tools.widgets.catalogue.map import MapPage
from napari_sem_tools.widgets.catalogue.shelf import Shelf, is_catalogue
from napari_sem_tools.widgets.folder_line import FolderLine
from napari_sem_tools.widgets.pages import PagedWidget

__all__ = ["CatalogueWidget"]


class CatalogueWidget(PagedWidget):
    """Find, map and add: one page each over one catalogue."""

    run_text = FindPage.run_text

    def build(self) -> None:
        """Make the line of the catalogue, and the pages."""
        self.shelf = Shelf(self)
        self.line = FolderLine("Folder of the catalogue")
        self.line.setToolTip(
            "A folder of its own, which may be new; your images stay where they are"
        )
        self.line.chosen.connect(self._on_chosen)
        form = QFormLayout()
        form.addRow("Catalogue", self.line)
        self.body.addLayout(form)
        self.find, self.map, self.adding = FindPage(self), MapPage(self), AddPage(self)
        self.add_pages(self.find, self.map, self.adding)
        self.shelf.opened.connect(self._on_opened)
        self.shelf.open_last()

    def _on_chosen(self, folder: Path) -> None:
        """Open another catalogue."""
        if self.work.running:
            self.say("Something else is running; wait, or cancel it.", "warning")
        elif folder != self.shelf.path:
            self.shelf.open(folder)

    def _on_opened(self) -> None:
        """Show which catalogue is open; a new one begins with adding."""
        if self.shelf.path is not None and self.line.folder != self.shelf.path:
            self.line.choose(self.shelf.path)
        if not self.shelf.exists:
            self.tabs.setCurrentWidget(self.adding)
        self._show_button()

    def take_dropped(self, paths: list[Path]) -> None:
        """Open a dropped catalogue, else add what is dropped."""
        if len(paths) == 1 and is_catalogue(paths[0]):
            self.line.choose(paths[0])
        else:
            self.adding.take_paths(list(paths))

    def show_calibration(self) -> None:
        """Say the pixel size of the image, where there is one: none is needed here."""
        self.calibration_line.setVisible(self.scale_layer() is not None)
        super().show_calibration()

    def python(self) -> str:
        """Return what the page in front does as Python."""
        return super().python() if self.shelf.is_open else ""

    def release(self) -> None:
        """Stop everything, and let go of the catalogue."""
        super().release()
        self.shelf.close()
