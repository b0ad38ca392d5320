"""Parts of the particle table: the view, and the choice of the images that are pooled."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QMenu,
    QPushButton,
    QTableView,
    QWidget,
)

from napari_sem_tools.layers import table_of
from napari_sem_tools.widgets.parts import is_kind
from napari_sem_tools.widgets.table.model import ParticleModel
from napari_sem_tools.widgets.table.state import TableState

__all__ = ["ActionBar", "PoolButton", "TableView", "ask_class", "features_table_open"]

_ROW_HEIGHT = 22
_WIDEST = 150
_SAMPLE_ROWS = 30  # column widths are taken from the first screenful


class TableView(QTableView):
    """A table of rows of one height, whose columns are as wide as their first screenful.

    Parameters
    ----------
    model : ParticleModel
    """

    def __init__(self, model: ParticleModel) -> None:
        super().__init__()
        self.setModel(model)
        self._particles = model
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setWordWrap(False)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setMinimumHeight(160)

    def fit_columns(self) -> None:
        """Set column widths from the title and the first screenful; all rows take seconds."""
        metrics = self.fontMetrics()
        model = self._particles
        rows = min(_SAMPLE_ROWS, model.rowCount())
        for column in range(model.columnCount()):
            texts = [str(model.headerData(column, Qt.Orientation.Horizontal) or "") + "  ▾"]
            texts += [str(model.data(model.index(row, column)) or "") for row in range(rows)]
            width = max(metrics.horizontalAdvance(text) for text in set(texts)) + 14
            self.setColumnWidth(column, min(width, _WIDEST))


_ACTIONS = {
    "count": ("Count", "Count the chosen particles in the statistics"),
    "leave out": ("Leave out", "Leave the chosen particles out of the statistics"),
    "by rule": ("By rule", "Forget what was decided by hand about the chosen particles"),
    "class": ("Class", "Give the chosen particles a class"),
    "undo": ("↶", "Undo the last decision by hand (Ctrl+Z)"),
    "redo": ("↷", "Redo (Ctrl+Shift+Z)"),
    "copy": ("Copy", "Copy the chosen rows, or all shown, for a spreadsheet (Ctrl+C)"),
}
_TIGHT = "padding: 3px 5px;"  # eight buttons in a narrow dock


class ActionBar(QWidget):
    """The row of what can be done with the chosen particles; ``asked`` names what was clicked."""

    asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        self.buttons: dict[str, QPushButton] = {}
        for name, (text, help_text) in _ACTIONS.items():
            button = QPushButton(text)
            button.setToolTip(help_text)
            button.setStyleSheet(_TIGHT)
            button.clicked.connect(lambda _=False, name=name: self.asked.emit(name))
            self.buttons[name] = button
            row.addWidget(button)
        row.addStretch(1)

    def offer(self, state: TableState) -> None:
        """Enable undo and redo where there is something."""
        self.buttons["undo"].setEnabled(state.can_undo)
        self.buttons["redo"].setEnabled(state.can_redo)


def ask_class(parent: QWidget, count: int, known: list[str]) -> tuple[str, bool]:
    """Ask for the class of some particles; also return whether the user agreed."""
    name, agreed = QInputDialog.getItem(
        parent, "Class", f"Class of {count} particles (empty: none)", ["", *known], 0, True
    )
    return str(name), bool(agreed)


class PoolButton(QPushButton):
    """Lists the measured layers; ticked ones are shown as one table.

    Parameters
    ----------
    viewer : napari viewer
    """

    wanted = Signal(list)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._ticked: list[Any] = []
        self.setText("Images ▾")
        self.setToolTip("Show the particles of several measured images as one table")
        self.setStyleSheet(
            "QPushButton { padding: 3px 5px; } QPushButton::menu-indicator { width: 0px; }"
        )
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self.list_layers)
        self.setMenu(self._menu)

    def layers(self) -> list[Any]:
        """Return the ticked layers that are still there."""
        return [layer for layer in self._ticked if layer in self._viewer.layers]

    def reset(self) -> None:
        """Tick nothing."""
        self._ticked = []

    def release(self) -> None:
        """Forget the layers."""
        self._ticked = []
        self._menu.clear()

    def tick(self, layers: list[Any]) -> None:
        """Tick layers and ask for their particles."""
        self._ticked = list(layers)
        self.wanted.emit(self.layers())

    def list_layers(self) -> None:
        """List the measured layers as they are now."""
        self._menu.clear()
        measured = [
            layer
            for layer in self._viewer.layers
            if is_kind(layer, "Labels") and table_of(layer) is not None
        ]
        if not measured:
            self._menu.addAction("No image is measured yet").setEnabled(False)
            return
        everything = self._menu.addAction("All")
        everything.triggered.connect(lambda: self.tick(measured))
        self._menu.addSeparator()
        for layer in measured:
            action = self._menu.addAction(layer.name)
            action.setCheckable(True)
            action.setChecked(layer in self._ticked)
            action.toggled.connect(lambda on, layer=layer: self._toggle(layer, on))

    def _toggle(self, layer: Any, on: bool) -> None:
        """Tick a layer, or take its tick away."""
        kept = [one for one in self.layers() if one is not layer]
        self.tick([*kept, layer] if on else kept)


def features_table_open(viewer: Any) -> bool:
    """Say whether napari's own features table is open: at thousands of rows it is slow."""
    if not hasattr(viewer, "window"):
        return False
    return any(
        type(widget).__name__ == "FeaturesTable" and widget.isVisible()
        for top in QApplication.topLevelWidgets()
        for widget in top.findChildren(QWidget)
    )
