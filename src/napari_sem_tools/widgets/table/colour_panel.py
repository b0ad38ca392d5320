"""The choice of the column that colours the particles, with its legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.widgets.panel import narrow
from napari_sem_tools.widgets.table.colouring import MAPS, Colouring, column_colours
from napari_sem_tools.widgets.table.legend import LegendBar

if TYPE_CHECKING:
    from napari_sem_tools.widgets.table.state import TableState

__all__ = ["ColourPanel"]


class ColourPanel(QWidget):
    """Colours the particles of the layers by a column; ``changed`` says another is wanted."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.colouring = Colouring()
        self.quantity = QComboBox()
        self.maps = QComboBox()
        self.maps.addItems(list(MAPS))
        for box in (self.quantity, self.maps):
            narrow(box).currentIndexChanged.connect(lambda _: self.changed.emit())
        row = QHBoxLayout()
        row.addWidget(QLabel("Colour by"))
        row.addWidget(self.quantity, 3)
        row.addWidget(self.maps, 2)
        self.legend = LegendBar()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.legend)
        layout.addStretch(1)

    def offer(self, titles: dict[str, str]) -> None:
        """List the columns, keeping the choice."""
        before = self.quantity.currentData()
        with QSignalBlocker(self.quantity):
            self.quantity.clear()
            self.quantity.addItem("its own number (napari)", "")
            for name, title in titles.items():
                self.quantity.addItem(title, name)
            at = self.quantity.findData(before) if before else 0
            self.quantity.setCurrentIndex(max(at, 0))

    def apply(self, state: TableState | None) -> None:
        """Colour the particles as chosen, with one scale over all images.

        Raises
        ------
        InvalidSettings
            The column has too many groups, or a label is too large.
        """
        name = self.quantity.currentData()
        if state is None or not name or name not in state.table:
            self.colouring.clear()
            self.legend.show_legend(None)
            return
        values = state.table[name].to_numpy()
        self.maps.setEnabled(values.dtype.kind in "iuf")
        if values.dtype.kind not in "biuf":
            values = values.astype(object)
        try:
            colours, legend = column_colours(
                values, self.quantity.currentText(), colour_map=self.maps.currentText()
            )
            labels = state.table.index.to_numpy()
            for number, layer in enumerate(state.layers):
                own = state.source == number
                self.colouring.show(layer, labels[own], colours[own])
        except InvalidSettings:
            self.clear()
            raise
        self.legend.show_legend(legend)

    def clear(self) -> None:
        """Give the layers their own colours back."""
        self.colouring.clear()
        self.legend.show_legend(None)

    def refresh(self) -> None:
        """Draw the legend in the colours of the theme."""
        self.legend.update()

    def chosen(self) -> Any:
        """Return the column that colours, or an empty text."""
        return self.quantity.currentData() or ""
