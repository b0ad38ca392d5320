"""The focus score as a number and a bar that can be read from the other end of the room."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QLinearGradient, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sem_tools.focus import FocusScore
from napari_sem_tools.widgets.panel import theme_colour

__all__ = ["ScoreGauge", "Sparkline"]

_BEST = 10.0
_HEIGHT = 92
_NUMBER_WIDTH = 96
_BAR_HEIGHT = 16
_MAP, _STEPS = "cividis", 12  # even to the eye, also to people who see no red
_STALE = 0.45  # opacity of a score whose image has changed meanwhile
_NOTHING = "–"
_LINE = "#d55e00"  # seen on light and dark ground


@dataclasses.dataclass(frozen=True)
class _Geometry:
    """Where the bar lies."""

    left: float
    top: float
    width: float

    def at(self, score: float) -> float:
        """Return the place of a score."""
        return self.left + self.width * min(max(score, 0.0), _BEST) / _BEST


class ScoreGauge(QWidget):
    """A large number from 0 to 10, a bar with its 90 % interval, and the blur below."""

    def __init__(self) -> None:
        super().__init__()
        self.score: FocusScore | None = None
        self._stale = False
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "10: as sharp as a well focused image; each 0.4 px of added blur costs one point. "
            "The bracket is the interval that holds the score with a probability of 90 %."
        )

    def show_score(self, score: FocusScore | None) -> None:
        """Show another score, or none."""
        self.score, self._stale = score, False
        self.setAccessibleName(self.text())
        self.update()

    def dim(self) -> None:
        """Show that the score is of what was seen before."""
        self._stale = self.score is not None
        self.update()

    def text(self) -> str:
        """Return what the gauge says, in words."""
        score = self.score
        if score is None:
            return "no score"
        if not score.information:
            return "0: no information"
        low, high = score.interval
        return f"{score.score:.1f} of 10, 90 %: {low:.1f} to {high:.1f}"

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Ask for a line of large type."""
        return QSize(_NUMBER_WIDTH + 180, _HEIGHT)

    # --- drawing -------------------------------------------------------------------------

    def paintEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(_STALE if self._stale else 1.0)
        self._paint_number(painter)
        bar = _Geometry(_NUMBER_WIDTH + 14, 24, self.width() - _NUMBER_WIDTH - 28)
        if bar.width > 40:
            self._paint_bar(painter, bar)
        painter.end()

    def _paint_number(self, painter: QPainter) -> None:
        """Write the score large."""
        text = _NOTHING if self.score is None else f"{self.score.score:.1f}"
        font = QFont(self.font())
        font.setPixelSize(46 if len(text) < 4 else 40)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(theme_colour("text")))
        box = QRectF(0, 0, _NUMBER_WIDTH, 66)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
        painter.setFont(self._small())
        below = QRectF(0, 66, _NUMBER_WIDTH, 20)
        words = "of 10" if self.score is None or self.score.information else "no information"
        painter.drawText(below, int(Qt.AlignmentFlag.AlignCenter), words)

    def _paint_bar(self, painter: QPainter, bar: _Geometry) -> None:
        """Draw the scale, the interval and the score on it."""
        box = QRectF(bar.left, bar.top, bar.width, _BAR_HEIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_gradient(bar))
        painter.drawRoundedRect(box, 3, 3)
        ink = QColor(theme_colour("text"))
        painter.setPen(ink)
        painter.setFont(self._small())
        for value in (0, 5, 10):
            place = QRectF(bar.at(value) - 20, 2, 40, 18)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), str(value))
        if self.score is None:
            return
        if self.score.information:
            self._paint_interval(painter, bar, ink)
        painter.setPen(QPen(QColor(theme_colour("background")), 1.5))
        painter.setBrush(ink)
        x, top = bar.at(self.score.score), bar.top + _BAR_HEIGHT - 5
        painter.drawPolygon(
            QPolygonF([QPointF(x, top), QPointF(x - 7, top + 13), QPointF(x + 7, top + 13)])
        )

    def _paint_interval(self, painter: QPainter, bar: _Geometry, ink: QColor) -> None:
        """Draw the bracket of the interval, and say it below."""
        score = self.score
        if score is None:
            return
        low, high = score.interval
        y = bar.top + _BAR_HEIGHT + 13
        painter.setPen(QPen(ink, 2))
        painter.drawLine(QPointF(bar.at(low), y), QPointF(bar.at(high), y))
        for end in (low, high):
            painter.drawLine(QPointF(bar.at(end), y - 4), QPointF(bar.at(end), y + 4))
        painter.setFont(self._small())
        below = QRectF(bar.left - 10, y + 6, bar.width + 20, 20)
        text = f"90 %: {low:.1f} to {high:.1f}"
        painter.drawText(below, int(Qt.AlignmentFlag.AlignCenter), text)

    def _small(self) -> QFont:
        """Return the font of the captions."""
        font = QFont(self.font())
        font.setPixelSize(12)
        return font


class Sparkline(QWidget):
    """The scores of the last files as a line; 10 is above, 0 below."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []
        self.setFixedHeight(56)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip("Scores in the order in which they came, newest at the right; 0 to 10")

    def show_values(self, values: Sequence[float]) -> None:
        """Show scores; NaN is a gap."""
        self.values = [float(value) for value in values]
        self.update()

    def paintEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = QColor(theme_colour("text"))
        faint = QColor(ink)
        faint.setAlphaF(0.25)
        left, right, top, bottom = 22.0, self.width() - 10.0, 7.0, self.height() - 7.0
        painter.setPen(QPen(faint, 1))
        for value in (0, 5, 10):
            y = bottom - (bottom - top) * value / _BEST
            painter.drawLine(QPointF(left, y), QPointF(right, y))
        font = QFont(self.font())
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(ink)
        for value, y in ((10, top), (0, bottom)):
            box = QRectF(0, y - 7, left - 4, 14)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignRight), str(value))
        self._paint_line(painter, (left, right, top, bottom))
        painter.end()

    def _paint_line(self, painter: QPainter, box: tuple[float, float, float, float]) -> None:
        """Draw the line and a dot at the newest."""
        left, right, top, bottom = box
        steps = max(len(self.values) - 1, 1)
        points = [
            QPointF(
                right - (right - left) * (len(self.values) - 1 - place) / steps,
                bottom - (bottom - top) * value / _BEST,
            )
            for place, value in enumerate(self.values)
            if value == value
        ]
        if not points:
            return
        painter.setPen(QPen(QColor(_LINE), 1.8))
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme_colour("text")))
        painter.drawEllipse(points[-1], 3.5, 3.5)


def _gradient(bar: _Geometry) -> QLinearGradient:
    """Return the colours of the scale."""
    import matplotlib
    from matplotlib.colors import to_hex

    gradient = QLinearGradient(bar.left, 0, bar.left + bar.width, 0)
    for step in range(_STEPS + 1):
        share = step / _STEPS
        gradient.setColorAt(share, QColor(to_hex(matplotlib.colormaps[_MAP](share))))
    return gradient
