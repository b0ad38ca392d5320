"""The colour bar, or the list of groups, beside the choice of colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QLinearGradient, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sem_tools.widgets.panel import theme_colour
from napari_sem_tools.widgets.table.colouring import Legend

__all__ = ["LegendBar"]

_BAR_HEIGHT = 14
_STEPS = 16
_SWATCH = 12


class LegendBar(QWidget):
    """Draws a `Legend`: a gradient with its ends, or a swatch a group."""

    def __init__(self) -> None:
        super().__init__()
        self._legend: Legend | None = None
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_legend(self, legend: Legend | None) -> None:
        """Show what colours mean, or nothing."""
        self._legend = legend
        self.setVisible(legend is not None)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Ask for a line, or for as many as the groups take."""
        line = self.fontMetrics().height() + 4
        if self._legend is None or not self._legend.entries:
            return QSize(200, _BAR_HEIGHT + line + 6)
        return QSize(200, line * self._rows(line))

    def _rows(self, line: int) -> int:
        """Count the lines that the groups take at the present width."""
        return 1 + max((row for _, _, row in self._places()), default=0)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Break the list of groups anew."""
        super().resizeEvent(event)
        self.updateGeometry()

    def _places(self) -> list[tuple[int, int, int]]:
        """Return number, x and line of each group."""
        x, row, places = 0, 0, []
        entries = self._legend.entries if self._legend is not None else ()
        for number, (name, _) in enumerate(entries):
            width = _SWATCH + 6 + self.fontMetrics().horizontalAdvance(name) + 12
            if x and x + width > max(self.width(), 120):
                x, row = 0, row + 1
            places.append((number, x, row))
            x += width
        return places

    def paintEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Draw."""
        if self._legend is None:
            return
        painter = QPainter(self)
        painter.setFont(QFont(self.font()))
        painter.setPen(QColor(theme_colour("text")))
        if self._legend.entries:
            self._paint_groups(painter, self._legend)
        else:
            self._paint_bar(painter, self._legend)
        painter.end()

    def _paint_groups(self, painter: QPainter, legend: Legend) -> None:
        """Draw a swatch a group."""
        line = self.fontMetrics().height() + 4
        for number, x, row in self._places():
            name, colour = legend.entries[number]
            top = row * line + 3
            painter.fillRect(x, top, _SWATCH, _SWATCH, QColor(colour))
            painter.drawText(x + _SWATCH + 6, top + _SWATCH - 1, name)

    def _paint_bar(self, painter: QPainter, legend: Legend) -> None:
        """Draw the gradient with both ends and the middle."""
        import matplotlib
        from matplotlib.colors import to_hex

        gradient = QLinearGradient(0, 0, self.width(), 0)
        for share in np.linspace(0, 1, _STEPS):
            colour = to_hex(matplotlib.colormaps[legend.colour_map](float(share)))
            gradient.setColorAt(float(share), QColor(colour))
        painter.fillRect(QRectF(0, 0, self.width(), _BAR_HEIGHT), gradient)
        below = QRectF(0, _BAR_HEIGHT + 2, self.width(), self.fontMetrics().height() + 2)
        low = f"{'≤ ' if legend.clipped[0] else ''}{legend.low:.4g}"
        high = f"{'≥ ' if legend.clipped[1] else ''}{legend.high:.4g}"
        middle = f"{(legend.low + legend.high) / 2:.4g}"
        for side, text in (
            (Qt.AlignmentFlag.AlignLeft, low),
            (Qt.AlignmentFlag.AlignHCenter, middle),
            (Qt.AlignmentFlag.AlignRight, high),
        ):
            painter.drawText(below, int(side), text)
