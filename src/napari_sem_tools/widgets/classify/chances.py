"""Probabilities of categories as bars that can be read without colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sem_tools.widgets.classify.text import percent
from napari_sem_tools.widgets.panel import theme_colour

__all__ = ["ChanceBars"]

_MOST = 8  # bars
_ROW, _BAR = 22, 10  # px high
_NAME_SHARE, _NUMBER = 0.42, 48  # of the width; px
_FILL, _FAINT = "#e69f00", 0.35  # seen on light and dark ground; what is ruled out


class ChanceBars(QWidget):
    """A bar a category, the likeliest first; what can be ruled out is faint."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, float, bool]] = []
        self._stale = False
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Calibrated probabilities, were the image of one of these categories; those that can "
            "be ruled out are faint"
        )

    def show_chances(self, chances: Sequence[tuple[str, float]], possible: Sequence[str]) -> None:
        """Show probabilities, the likeliest first, and which categories are possible."""
        kept = set(possible)
        self.rows = [(name, value, name in kept) for name, value in chances[:_MOST]]
        self._stale = False
        words = ", ".join(f"{name} {percent(value)}" for name, value, _ in self.rows)
        self.setAccessibleName(words or "no probabilities")
        self.updateGeometry()
        self.update()

    def dim(self) -> None:
        """Show that they are of what was seen before."""
        self._stale = bool(self.rows)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Ask for a line a category."""
        return QSize(220, max(1, len(self.rows)) * _ROW + 4)

    def paintEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, row in enumerate(self.rows):
            self._paint_row(painter, number * _ROW, *row)
        painter.end()

    def _paint_row(
        self, painter: QPainter, top: float, name: str, value: float, kept: bool
    ) -> None:
        """Draw name, bar and number of a category."""
        text, ground = QColor(theme_colour("text")), QColor(theme_colour("foreground"))
        left = self.width() * _NAME_SHARE
        room = self.width() - left - _NUMBER
        painter.setOpacity(_FAINT if self._stale or not kept else 1.0)
        painter.setPen(text)
        middle = Qt.AlignmentFlag.AlignVCenter
        short = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(left - 8))
        painter.drawText(QRectF(0, top, left - 8, _ROW), middle, short)
        numbers = QRectF(self.width() - _NUMBER, top, _NUMBER, _ROW)
        painter.drawText(numbers, middle | Qt.AlignmentFlag.AlignRight, percent(value))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        bar = QRectF(left, top + (_ROW - _BAR) / 2, max(room, 0), _BAR)
        painter.drawRoundedRect(bar, 3, 3)
        painter.setBrush(QColor(_FILL))
        bar.setWidth(max(room * value, 2))
        painter.drawRoundedRect(bar, 3, 3)
