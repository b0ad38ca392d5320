"""The choice of classical focus measures, and their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHeaderView, QMenu, QPushButton, QTreeWidget, QTreeWidgetItem

from napari_sem_tools.focus import DEFAULT_MEASURE, MEASURES
from napari_sem_tools.widgets.focus.text import number_text

__all__ = ["MeasureButton", "MeasureList", "measure_tip"]

_MOST_ROWS = 6


class MeasureButton(QPushButton):
    """A button whose menu ticks measures; ``chosen`` comes when the choice changed.

    Parameters
    ----------
    names : iterable of str, optional
        Ticked at first.
    """

    chosen = Signal()

    def __init__(self, names: Iterable[str] = (DEFAULT_MEASURE,)) -> None:
        super().__init__()
        self._names = list(names)
        self.setToolTip("Classical measures to be worked out beside the score")
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._fill)
        self.setMenu(self._menu)
        self._write()

    def names(self) -> list[str]:
        """Return the chosen measures in the order of the table of measures."""
        return [name for name in MEASURES if name in self._names]

    def choose(self, names: Iterable[str]) -> None:
        """Choose other measures."""
        self._names = list(names)
        self._write()
        self.chosen.emit()

    def _fill(self) -> None:
        """List all measures when the menu opens."""
        self._menu.clear()
        for name, row in MEASURES.items():
            action = self._menu.addAction(f"{row.full_name} ({name})")
            action.setCheckable(True)
            action.setChecked(name in self._names)
            action.setToolTip(measure_tip(name))
            action.setData(name)
        self._menu.triggered.connect(self._on_tick, Qt.ConnectionType.UniqueConnection)

    def _on_tick(self, action: Any) -> None:
        """Add or drop a measure."""
        others = [name for name in self._names if name != action.data()]
        self.choose([*others, action.data()] if action.isChecked() else others)

    def _write(self) -> None:
        """Say how many are chosen."""
        count = len(self._names)
        self.setText(f"{count} measure{'s' if count != 1 else ''}" if count else "No measures")


class MeasureList(QTreeWidget):
    """Names, values and units of the chosen measures."""

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(("Measure", "Value", "Unit"))
        self.setRootIsDecorated(False)
        self.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.header().setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.header().setStretchLastSection(False)
        self.hide()

    def show_values(self, values: Mapping[str, float]) -> None:
        """Show values; nothing is there without any."""
        if [self.topLevelItem(i).data(0, Qt.ItemDataRole.UserRole) for i in self._places()] != [
            *values
        ]:
            self._rebuild(values)
        for place, value in enumerate(values.values()):
            self.topLevelItem(place).setText(1, number_text(value))
        self.setVisible(bool(values))

    def _places(self) -> range:
        """Return the numbers of the lines."""
        return range(self.topLevelItemCount())

    def _rebuild(self, names: Iterable[str]) -> None:
        """Make a line a measure."""
        self.clear()
        for name in names:
            row = MEASURES[name]
            item = QTreeWidgetItem([row.full_name, "", row.unit])
            item.setData(0, Qt.ItemDataRole.UserRole, name)
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight)
            for column in range(3):
                item.setToolTip(column, measure_tip(name))
            self.addTopLevelItem(item)
        rows = min(max(self.topLevelItemCount(), 1), _MOST_ROWS)
        height = self.sizeHintForRow(0) if self.topLevelItemCount() else 0
        self.setFixedHeight(self.header().sizeHint().height() + rows * height + 6)


def measure_tip(name: str) -> str:
    """Return formula, sense, noise and source of a measure."""
    row = MEASURES[name]
    senses = {True: "larger is sharper", False: "smaller is sharper", None: "tells no focus"}
    sense = senses[row.larger_is_sharper]
    parts = (f"{row.full_name} ({name})", row.formula, sense, f"noise: {row.noise}", row.source)
    return "\n".join(str(part) for part in parts if part)
