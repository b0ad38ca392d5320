"""Pictures of the judging images while a network learns: truth and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QRectF, QSignalBlocker, QSize, Qt
from qtpy.QtGui import QImageReader, QPainter, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

__all__ = ["PreviewView"]

_TRUTH, _FOUND = "#f6ba33", "#1fc7c2"  # as `training.previews` draws them
_HEIGHT = 150  # px, the least that shows outlines
_LEGEND = (
    f"<span style='color:{_TRUTH}'>■</span> truth &nbsp;<span style='color:{_FOUND}'>■</span> found"
)
_WAITING = "Images that judge appear here after the first epoch."


class PreviewView(QWidget):
    """One picture at a time, and a slider through them."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: tuple[Path, ...] = ()
        self.picture = _Picture()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip("Images that were kept back to judge")
        self.slider.valueChanged.connect(self._show)
        self.legend = QLabel(_LEGEND)
        self.legend.setToolTip(
            "Outlines drawn by hand are yellow where the network found nothing there; "
            "what it found is turquoise and drawn over them."
        )
        self.line = QLabel()
        self.line.setAlignment(Qt.AlignmentFlag.AlignRight)
        row = QHBoxLayout()
        row.addWidget(self.legend)
        row.addWidget(self.slider, 1)
        row.addWidget(self.line, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.picture, 1)
        column.addLayout(row)
        self.show_files(())

    def show_files(self, paths: Sequence[str | Path]) -> None:
        """Show pictures that were written anew; the one that is seen stays.

        Parameters
        ----------
        paths : sequence of path-like
        """
        self.paths = tuple(Path(path) for path in paths)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(0, len(self.paths) - 1))
        for part in (self.legend, self.line):
            part.setVisible(bool(self.paths))
        self.slider.setVisible(len(self.paths) > 1)
        self._show()

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Read the picture that came meanwhile."""
        super().showEvent(event)
        self._show()

    def _show(self, *_: Any) -> None:
        """Read the picture that is chosen; it has 512 px at most."""
        if not self.paths:
            self.picture.show_picture(QPixmap())
            return
        if not self.isVisible():
            return
        number = self.slider.value()
        path = self.paths[number]
        reader = QImageReader(str(path))  # reads the file each time; a pixmap's name is cached
        self.picture.show_picture(QPixmap.fromImage(reader.read()))
        many = f" ({number + 1} of {len(self.paths)})" if len(self.paths) > 1 else ""
        self.line.setText(f"{path.stem}{many}")


class _Picture(QWidget):
    """A pixmap as large as there is room, in its own proportions."""

    def __init__(self) -> None:
        super().__init__()
        self.pixmap = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(_HEIGHT)

    def show_picture(self, pixmap: QPixmap) -> None:
        """Show another one."""
        self.pixmap = pixmap
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Ask for a square."""
        return QSize(_HEIGHT, 2 * _HEIGHT)

    def paintEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Draw it in the middle."""
        painter = QPainter(self)
        if self.pixmap.isNull():
            painter.setPen(self.palette().color(self.foregroundRole()))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), int(flags), _WAITING)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        size = self.pixmap.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left = (self.width() - size.width()) / 2
        top = (self.height() - size.height()) / 2
        target = QRectF(left, top, size.width(), size.height())
        painter.drawPixmap(target, self.pixmap, QRectF(self.pixmap.rect()))
