"""The Particle table widget: rows and particles find each other, ticks choose what counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QItemSelectionModel, Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.layers import table_of
from napari_sem_tools.widgets.highlight import Highlight
from napari_sem_tools.widgets.histogram import HistogramPanel
from napari_sem_tools.widgets.parts import SemWidget, theme_colour, wrapped_label
from napari_sem_tools.widgets.recipes import table_recipe
from napari_sem_tools.widgets.table_model import FILTERS, ParticleModel, flag

__all__ = ["TableWidget", "tables_of"]

_ROW_HEIGHT = 22
_WIDEST = 150
_SAMPLE_ROWS = 30  # column widths are taken from the first screenful
_PAUSE_MS = 300  # between the last tick and the writing of the features
_FIRST_CHOICES = ("ecd_nm", "ecd_px", "area_px")


class TableWidget(SemWidget):
    """The table of the particles of a labels layer."""

    kind = "Labels"
    wants = "Select a labels layer that was measured."
    run_text = "Export CSV ..."

    def build(self) -> None:
        """Make the table, the filter, the buttons and the histogram."""
        self.table: Any = None
        self.shown_layer: Any = None
        self.highlight = Highlight(self.viewer)
        self._features_links: list[tuple[Any, Any]] = []
        self._writing = False
        self.model = ParticleModel(self)
        self.model.ticked.connect(self._on_ticked)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(self._upper())
        splitter.addWidget(self._lower())
        splitter.setStretchFactor(0, 3)
        self.body.addWidget(splitter, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._write_features)
        self.viewer.mouse_drag_callbacks.append(self._on_mouse)

    def _upper(self) -> QWidget:
        """Make the filter row and the table."""
        self.filter = QComboBox()
        self.filter.addItems(list(FILTERS))
        self.filter.currentIndexChanged.connect(self._refilter)
        self.marks = QCheckBox("Hatch doubtful")
        self.marks.setToolTip("Hatch doubtful particles in red, those left out in grey")
        self.marks.toggled.connect(self._mark)
        copy = QPushButton("Copy")
        copy.setToolTip("Copy the shown rows, or the selected ones, for a spreadsheet")
        copy.clicked.connect(self.copy)
        row = QHBoxLayout()
        row.addWidget(QLabel("Show"))
        row.addWidget(self.filter, 1)
        row.addWidget(self.marks)
        row.addWidget(copy)
        view = QTableView()
        view.setModel(self.model)
        view.setSortingEnabled(True)
        view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setWordWrap(False)
        view.verticalHeader().setVisible(False)
        view.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        view.setMinimumHeight(160)
        view.selectionModel().selectionChanged.connect(self._on_selection)
        self.view = view
        upper = QWidget()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(view, 1)
        self.summary_line = wrapped_label()
        column.addWidget(self.summary_line)
        return upper

    def _lower(self) -> QWidget:
        """Make the choice of the column and its histogram."""
        self.quantity = QComboBox()
        self.quantity.currentIndexChanged.connect(self._draw)
        self.histogram = HistogramPanel()
        row = QHBoxLayout()
        row.addWidget(QLabel("Histogram of"))
        row.addWidget(self.quantity, 1)
        lower = QWidget()
        column = QVBoxLayout(lower)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.histogram)
        return lower

    # --- which table -----------------------------------------------------------------------

    def show_layer(self, layer: Any) -> None:
        """Show the table of a labels layer."""
        self.chooser.choose(layer)
        if self.shown_layer is not layer or self.table is None:
            self.layer_changed(layer)

    def layer_changed(self, layer: Any) -> None:
        """Show another layer's table; a removed layer leaves its table standing."""
        self._unlink()
        self.highlight.clear()
        self.shown_layer = layer
        if layer is None:
            if self.table is not None:
                self.say("The labels layer was removed; its table stays until another is chosen.")
            self.run_button.setEnabled(self.table is not None)
            return
        for emitter, callback in (
            (layer.events.features, self._on_features),
            (layer.events.selected_label, self._on_label),
        ):
            emitter.connect(callback)
            self._features_links.append((emitter, callback))
        self._load()

    def _unlink(self) -> None:
        """Let go of the layer shown before; write what was ticked."""
        if self._timer.isActive():
            self._timer.stop()
            self._write_features()
        for emitter, callback in self._features_links:
            emitter.disconnect(callback)
        self._features_links = []

    def _load(self) -> None:
        """Take the table of the layer."""
        self.table = table_of(self.shown_layer)
        if self.table is None:
            import pandas as pd

            self.model.set_table(pd.DataFrame())
            self.say("These particles are not measured yet: Layers > Measure > Measure.")
        else:
            self.model.set_table(self.table)
            self.say("")
            self._fit_columns()
        self.run_button.setEnabled(self.table is not None)
        self._list_quantities()
        self._refilter()
        self._mark()

    def _fit_columns(self) -> None:
        """Set column widths from the title and the first screenful; all rows would take seconds."""
        metrics = self.view.fontMetrics()
        rows = min(_SAMPLE_ROWS, self.model.rowCount())
        for column in range(self.model.columnCount()):
            texts = [str(self.model.headerData(column, Qt.Orientation.Horizontal) or "") + "  ▾"]
            texts += [
                str(self.model.data(self.model.index(row, column)) or "") for row in range(rows)
            ]
            width = max(metrics.horizontalAdvance(text) for text in texts) + 14
            self.view.setColumnWidth(column, min(width, _WIDEST))

    def _list_quantities(self) -> None:
        """List the columns that a histogram can be drawn of."""
        before = self.quantity.currentData()
        numbers = [
            name
            for name in self.model.names
            if self.model.column(name).dtype.kind in "iuf"  # type: ignore[union-attr]
            and name != "label"
            and not name.startswith(("centroid_", "box_"))
        ]
        self.quantity.blockSignals(True)
        self.quantity.clear()
        for name in numbers:
            column = self.model.names.index(name)
            title = self.model.headerData(column, Qt.Orientation.Horizontal)
            self.quantity.addItem(str(title), name)
        wanted = [name for name in (before, *_FIRST_CHOICES) if name in numbers]
        if wanted:
            self.quantity.setCurrentIndex(numbers.index(wanted[0]))
        self.quantity.blockSignals(False)

    # --- particle and row ------------------------------------------------------------------

    def _on_selection(self, *_: Any) -> None:
        """Outline the particles of the selected rows and move to the current one."""
        if self.shown_layer is None or self.table is None:
            return
        rows = [index.row() for index in self.view.selectionModel().selectedRows()]
        chosen = [(self.model.label_at(row), self._box(row)) for row in rows[:50]]
        self.highlight.choose(self.shown_layer, chosen)
        current = self.view.currentIndex().row()
        if rows and current in rows and not self._writing:
            self._centre(current)
            self._writing = True  # our own change of the selected label comes back as an event
            self.shown_layer.selected_label = self.model.label_at(current)
            self._writing = False

    def _centre(self, row: int) -> None:
        """Move the camera to the particle of a row."""
        y, x = self.model.column("centroid_y_px"), self.model.column("centroid_x_px")
        if y is not None and x is not None:
            at = self.model.position_of(row)
            self.highlight.centre(self.shown_layer, (float(y[at]), float(x[at])))

    def _box(self, row: int) -> tuple[slice, slice] | None:
        """Return where the particle of a row lies, as measured."""
        names = ("box_top_px", "box_left_px", "box_height_px", "box_width_px")
        columns = [self.model.column(name) for name in names]
        if any(column is None for column in columns):
            return None
        at = self.model.position_of(row)
        top, left, height, width = (int(column[at]) for column in columns)  # type: ignore[index]
        return slice(top, top + height), slice(left, left + width)

    def select_particle(self, label: int) -> bool:
        """Select and show the row of a particle; False when it has none."""
        row = self.model.row_of(int(label))
        if row is None:
            return False
        index = self.model.index(row, 0)
        flags = (
            QItemSelectionModel.SelectionFlag.ClearAndSelect
            | QItemSelectionModel.SelectionFlag.Rows
        )
        self.view.selectionModel().setCurrentIndex(index, flags)
        self.view.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)
        return True

    def _on_label(self, event: Any = None) -> None:
        """Follow napari's own selected label (its picker tool)."""
        if not self._writing and self.shown_layer is not None:
            self._writing = True  # the particle is where the user looks: do not move the camera
            self.select_particle(self.shown_layer.selected_label)
            self._writing = False

    def _on_mouse(self, viewer: Any, event: Any) -> Any:
        """Select the row of a particle that is clicked, not dragged, while nothing is drawn."""
        layer = self.shown_layer
        active = self.viewer.layers.selection.active
        drawing = active is not None and str(active.mode) not in ("pan_zoom", "pick")
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if layer is None or drawing or dragged or not self.isVisible():
            return
        label = layer.get_value(event.position, world=True)
        if label:
            self._writing = True
            self.select_particle(int(label))
            self._writing = False

    # --- what counts -----------------------------------------------------------------------

    def _on_features(self, event: Any = None) -> None:
        """Load the table again after somebody measured."""
        if not self._writing and self.shown_layer is not None:
            self._load()

    def _on_ticked(self) -> None:
        """Take a tick at once, write it to the layer a moment later."""
        if self.table is not None:
            self.table["included"] = self.model.column("included")
            self._timer.start()
            self._draw()
            self._mark()

    def _write_features(self) -> None:
        """Write the ticks to the layer's features, once."""
        layer = self.shown_layer
        if layer is None or self.table is None or "included" not in layer.features:
            return
        self._writing = True
        features = layer.features.copy()
        features["included"] = self.table["included"].to_numpy()
        layer.features = features
        layer.metadata["sem_choices"] = True
        self._writing = False

    def _refilter(self, *_: Any) -> None:
        """Show the rows that the filter wants."""
        if self.table is not None and len(self.table):
            self.model.show_rows(FILTERS[self.filter.currentText()](self.table))
        self._draw()

    def _mark(self, *_: Any) -> None:
        """Hatch doubtful particles in the picture, or take the hatching away."""
        if not self.marks.isChecked() or self.shown_layer is None or self.table is None:
            self.highlight.unmark(self.shown_layer)
            return
        labels = self.table.index.to_numpy()
        doubtful = flag(self.table, "doubtful")
        left_out = ~flag(self.table, "included", True)
        self.highlight.mark(self.shown_layer, labels[doubtful], labels[left_out & ~doubtful])

    def _draw(self, *_: Any) -> None:
        """Draw the histogram and write the statistics of the counted particles."""
        name = self.quantity.currentData()
        column = self.model.column(name) if name else None
        counted = np.zeros(0, bool) if self.table is None else flag(self.table, "included", True)
        values = np.empty(0) if column is None else column[counted].astype(float)
        self.histogram.draw(
            values,
            self.quantity.currentText(),
            text=theme_colour("text"),
            background=theme_colour("background"),
        )
        total = 0 if self.table is None else len(self.table)
        unit = "" if self.table is None or "ecd_nm" in self.table else " Uncalibrated: px."
        self.summary_line.setText(
            f"{int(counted.sum())} of {total} particles counted.{unit}" if total else ""
        )

    # --- out of the window -----------------------------------------------------------------

    def run(self) -> None:
        """Ask where to and export."""
        if self.table is None:
            self.say(self.wants)
            return
        stem = self.shown_layer.name if self.shown_layer is not None else "particles"
        path, _ = QFileDialog.getSaveFileName(self, "Export", f"{stem}.csv", "CSV (*.csv)")
        if path:
            self.export(path)

    def export(self, path: str | Path) -> Path:
        """Write all particles with all columns as CSV.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        Path
            The file.
        """
        from napari_sem_tools.files import write_text
        from napari_sem_tools.reporting.tables import csv_text

        written = write_text(path, csv_text(self.table, index=True))
        self.say(f"{len(self.table)} particles written to {written.name}.")
        return written

    def copy(self) -> None:
        """Copy the selected rows, or all that are shown, with titles."""
        if self.table is None:
            self.say(self.wants)
            return
        rows = sorted({index.row() for index in self.view.selectionModel().selectedRows()})
        wanted = rows or list(range(self.model.rowCount()))
        at = [self.model.position_of(row) for row in wanted]
        text = self.table.iloc[at].reset_index().to_csv(sep="\t", index=False)
        QApplication.clipboard().setText(text)
        self.say(f"{len(at)} rows copied.")

    def python(self) -> str:
        """Return the lines that get the table in the console."""
        return table_recipe(self.chooser.layer())

    def _on_theme(self, event: Any = None) -> None:
        """Draw in the colours of the new theme."""
        super()._on_theme(event)
        self._draw()

    def release(self) -> None:
        """Take the temporary layers away and let go of the mouse."""
        self._unlink()
        self.highlight.clear()
        if self._on_mouse in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._on_mouse)
        self.shown_layer = None
        super().release()


def tables_of(viewer: Any) -> list[TableWidget]:
    """Return the particle tables that are open in a viewer's window."""
    found = []
    for top in QApplication.topLevelWidgets():
        found += [one for one in top.findChildren(TableWidget) if one.viewer is viewer]
    return found
