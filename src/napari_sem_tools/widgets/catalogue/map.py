"""The page of the Catalogue widget that shows the collection as a map."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel

from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.catalogue.pictures import LatePictures
from napari_sem_tools.widgets.catalogue.scatter import MapView
from napari_sem_tools.widgets.gallery.parts import narrow_box
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.panel import wrapped_label
from napari_sem_tools.widgets.recipes import catalogue_recipe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MapPage"]

_PICTURE = 112, 84  # px
_METHODS = {
    "pca": ("principal components", "The two directions in which the images differ most"),
    "umap": ("neighbours (UMAP)", "Keeps near images near; needs umap-learn"),
}
_COLOURS = {"category": "category", "focus": "focus"}
_REST = "Rest on a point to see the image, click to open it."
_MEANS = "Near points look alike. "
_WARNINGS = {
    "pca": "Distances between groups mean little: {:.0%} of the differences are shown.",
    "umap": "Distances between groups, and their sizes, mean nothing.",
}


class MapPage(Page):
    """All images that the filters of the page Find let through, as points."""

    title = "Map"
    run_text = "Draw the map"
    wants = "Choose the folder of a catalogue above."

    def build(self) -> None:
        """Make the choices, the points and the picture of one."""
        self.shelf = self.panel.shelf
        self.table: pd.DataFrame | None = None
        self.pictures = LatePictures(self.shelf, self)
        self.pictures.came.connect(self._on_picture)
        self.method = narrow_box(tip="How the images are laid out")
        for name, (text, tip) in _METHODS.items():
            self.method.addItem(text, name)
            self.method.setItemData(self.method.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        if importlib.util.find_spec("umap") is None:
            self.method.setItemText(1, "neighbours (UMAP): not installed")
        self.colour = narrow_box(tip="What colours stand for")
        for name, text in _COLOURS.items():
            self.colour.addItem(text, name)
        self.colour.currentIndexChanged.connect(self._recolour)
        rows = QFormLayout()
        rows.addRow("Laid out by", self.method)
        rows.addRow("Coloured by", self.colour)
        self.column.addLayout(rows)
        self.points = MapView()
        self.points.rested.connect(self._show_point)
        self.points.clicked.connect(self._open)
        self.column.addWidget(self.points, 1)
        self.warning = wrapped_label()
        self.column.addWidget(self.warning)
        self.picture = QLabel()
        self.picture.setFixedSize(*_PICTURE)
        self.words = wrapped_label(_REST)
        below = QHBoxLayout()
        below.addWidget(self.picture)
        below.addWidget(self.words, 1)
        self.column.addLayout(below)
        self.shelf.opened.connect(self._forget)

    def can_run(self) -> bool:
        """Say whether a catalogue is open."""
        return bool(self.shelf.is_open)

    def run(self) -> None:
        """Lay the images out, off the GUI thread."""
        catalogue, method = self.shelf.catalogue, str(self.method.currentData())
        filters = self.panel.find.form.value()

        def job(progress: Progress, cancel: Cancel) -> pd.DataFrame:
            return catalogue.map(filters, method=method, progress=progress, cancel=cancel)

        self.panel.start_work(job, lambda table: self._show(method, table), "Drawing the map")

    def _show(self, method: str, table: pd.DataFrame) -> None:
        """Show a map, and how far to trust it."""
        self.table = table
        self.points.show_map(table)
        shares = sum(table.attrs.get("explained", ()))
        self.warning.setText("⚠ " + _MEANS + _WARNINGS[method].format(shares))
        self._show_point(None)
        self.panel.say(f"{len(table)} images.")

    def _recolour(self, *_: Any) -> None:
        """Colour by something else."""
        self.points.colour_by = str(self.colour.currentData())
        self.points.redraw()

    def _forget(self) -> None:
        """Forget the map of another catalogue."""
        self.table = None
        self.points.show_map(None)
        self.warning.setText("")
        self.changed.emit()

    def _on_picture(self, numbers: set[int]) -> None:
        """Show the picture of the point below the mouse once it is there."""
        if self.points.at in numbers:
            self._show_point(self.points.at)

    def _show_point(self, number: int | None) -> None:
        """Show the image of the point below the mouse."""
        self.picture.clear()
        row = self._row(number)
        if row is None or number is None:
            self.words.setText(_REST)
            return
        pixmap = self.pictures.get(int(number))
        if pixmap is not None:
            smooth = Qt.TransformationMode.SmoothTransformation
            aspect = Qt.AspectRatioMode.KeepAspectRatio
            self.picture.setPixmap(pixmap.scaled(*_PICTURE, aspect, smooth))
        category = row["category"] if isinstance(row["category"], str) else "no category"
        focus = f", focus {row['focus']:.1f}" if row["focus"] == row["focus"] else ""
        self.words.setText(f"{Path(row['path']).name}\n{category}{focus}")

    def _row(self, number: int | None) -> dict[str, Any] | None:
        """Return what the map knows of an image."""
        if self.table is None or number is None or number not in self.table.index:
            return None
        return {str(name): value for name, value in self.table.loc[number].items()}

    def _open(self, number: int) -> None:
        """Open the image of a point."""
        row = self._row(number)
        if row is not None and self.panel.open_file(Path(row["path"])) is not None:
            self.panel.say(f"{Path(row['path']).name} is open.")

    def python(self) -> str:
        """Return the same map as Python."""
        return catalogue_recipe(
            self.shelf.path, f"catalogue.map(method={str(self.method.currentData())!r})"
        )

    def restyle(self) -> None:
        """Take the colours of the theme."""
        self.points.redraw()

    def release(self) -> None:
        """Draw and fetch no more."""
        self.points.release()
        self.pictures.release()
