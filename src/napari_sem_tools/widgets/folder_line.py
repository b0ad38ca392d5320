"""A line with the path of a folder: typed, chosen or dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QToolButton, QWidget

__all__ = ["FolderLine", "dropped_paths"]


_TIP = "Choose a folder; it can also be dropped here"


class FolderLine(QWidget):
    """Path of a folder; ``chosen`` brings another one.

    Parameters
    ----------
    what : str
        What lies in the folder, for the dialog.
    empty, tip : str, optional
        What the empty line says, and the button; by default for any folder.
    """

    chosen = Signal(object)

    def __init__(self, what: str, *, empty: str = "", tip: str = _TIP) -> None:
        super().__init__()
        self._what = what
        self.folder: Path | None = None
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(empty or f"{what}: choose, type or drop it")
        self.edit.setAcceptDrops(False)  # the widget takes the folder, not its text
        self.edit.editingFinished.connect(self._on_typed)
        self.browse = QToolButton()
        self.browse.setText("...")
        self.browse.setToolTip(tip)
        self.browse.clicked.connect(self._ask)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.edit, 1)
        row.addWidget(self.browse)

    def choose(self, folder: Path) -> None:
        """Take a folder."""
        self.folder = folder.absolute()
        self.edit.setText(str(self.folder))
        self.edit.setToolTip(str(self.folder))
        self.chosen.emit(self.folder)

    def _ask(self) -> None:
        """Let the user choose."""
        name = QFileDialog.getExistingDirectory(self, self._what, str(self.folder or ""))
        if name:
            self.choose(Path(name))

    def _on_typed(self) -> None:
        """Take a typed path."""
        text = self.edit.text().strip().strip('"')
        if text and Path(text).absolute() != self.folder:
            self.choose(Path(text))


def dropped_paths(mime: Any) -> list[Path]:
    """Return the files and folders in what is dragged."""
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
