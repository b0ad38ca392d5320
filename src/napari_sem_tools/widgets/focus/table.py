"""The table of scored files: thumbnails, scores, reasons and marks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QFont
from qtpy.QtWidgets import QTableView

from napari_sem_tools.focus.files.folder import FileScore
from napari_sem_tools.widgets.focus.state import KEEP, REJECT, VIEWS, ScoredFiles
from napari_sem_tools.widgets.focus.text import blur_text, interval_text, reasons_text
from napari_sem_tools.widgets.gallery.model import natural
from napari_sem_tools.widgets.gallery.pictures import Pixmaps
from napari_sem_tools.widgets.gallery.rows import (
    PICTURE_HEAD,
    PICTURE_PX,
    RowsModel,
    asked_by,
    set_up_rows,
)

__all__ = ["FilesModel", "FilesView"]

_MARK, _SCORE, _FILE, _WHY, _BLUR, _INTERVAL = range(1, 7)
_HEADS = (
    PICTURE_HEAD,
    ("✓", "K keeps, R rejects, U takes the mark away"),
    ("Score", "0 to 10; 10 is as sharp as a well focused image"),
    ("File", "Double-click or Enter opens it in the viewer"),
    ("Why", "What lowers the score"),
    ("Blur", "Added blur (standard deviation), in nm where the file has a scale"),
    ("90 %", "The interval that holds the score with a probability of 90 %"),
)
_WIDTHS = (PICTURE_PX.width() + 6, 22, 46, 96, 112, 64, 84)
_MARKS = {KEEP: "✓", REJECT: "✕", "": ""}
_KEYS = {
    Qt.Key.Key_K: "keep",
    Qt.Key.Key_R: "reject",
    Qt.Key.Key_U: "unmark",
    Qt.Key.Key_Delete: "reject",
}


class FilesModel(RowsModel):
    """Scored files for Qt; their paths are the keys.

    Parameters
    ----------
    files : ScoredFiles
    """

    def __init__(self, files: ScoredFiles) -> None:
        super().__init__(_HEADS)
        self.files = files
        self.newest_first = False  # while nobody sorts
        self.view_name, self.text = next(iter(VIEWS)), ""
        self._order: list[FileScore] = []
        self._sorting: tuple[int, bool] | None = None  # column, falling
        self._pixmaps = Pixmaps()

    # --- content -------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show what was added, marked or filtered; the sorting stays.

        Raises
        ------
        InvalidSettings
            The filter cannot be understood; the table stays as it is.
        """
        places = self.files.shown(self.view_name, self.text)
        with self.moving():
            self._order = self._sorted(places)

    def clear(self) -> None:
        """Forget the pictures of another folder."""
        self._pixmaps.clear()
        self.beginResetModel()
        self._order = []
        self.endResetModel()

    def key(self, row: int) -> Path:
        """Return the file in a line of the table."""
        return self._order[row].file

    def rows(self) -> list[FileScore]:
        """Return the files as they are shown."""
        return list(self._order)

    # --- sorting -------------------------------------------------------------------------

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what has no value comes last."""
        falling = order == Qt.SortOrder.DescendingOrder
        self._sorting = (column, falling) if column in _KEYS_OF else None
        self.refresh()

    def _sorted(self, places: NDArray[np.intp]) -> list[FileScore]:
        """Return the rows of some places in the order that was asked for."""
        found = [self.files.rows[place] for place in places]
        if self._sorting is None:
            return found[::-1] if self.newest_first else found
        column, falling = self._sorting
        values = [(_KEYS_OF[column](self, row), row) for row in found]
        there = [pair for pair in values if pair[0] is not None]
        there.sort(key=lambda pair: pair[0], reverse=falling)
        return [row for _, row in there] + [row for value, row in values if value is None]

    # --- for Qt --------------------------------------------------------------------------

    def _display(self, line: int, column: int) -> Any:
        """Return the text of a cell."""
        row = self._order[line]
        if column == _FILE:
            return row.file.name
        if column == _MARK:
            return _MARKS[self.files.marks.get(row.file, "")]
        if row.score is None:
            return row.error if column == _WHY else None
        texts: dict[int, Callable[[Any], str]] = {
            _SCORE: lambda score: f"{score.score:.1f}",
            _INTERVAL: interval_text,
            _BLUR: blur_text,
            _WHY: reasons_text,
        }
        return texts[column](row.score) if column in texts else None

    def _tip(self, line: int, column: int) -> Any:
        """Return all that is known about a file."""
        row = self._order[line]
        parts = [str(row.file), row.calibration, row.acquired and f"taken {row.acquired}"]
        parts += [row.error, row.hint] if row.score is None else list(row.score.reasons)
        return "\n".join([part for part in (*parts, *row.notes) if part])

    def _picture(self, line: int, column: int) -> Any:
        """Return the thumbnail."""
        file = self.key(line)
        return None if column else self._pixmaps.of(file, self.files.thumbnails.get(file))

    def _side(self, line: int, column: int) -> Any:
        """Put numbers to the right."""
        side = Qt.AlignmentFlag.AlignRight if column in (_SCORE, _BLUR) else None
        side = Qt.AlignmentFlag.AlignHCenter if column in (_INTERVAL, _MARK) else side
        return int((side or Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter)

    def _font(self, line: int, column: int) -> Any:
        """Strike the names of rejected files through; score and mark are bold."""
        rejected = self.files.marks.get(self.key(line)) == REJECT
        if not (rejected and column == _FILE) and column not in (_SCORE, _MARK):
            return None
        font = QFont()
        font.setStrikeOut(rejected and column == _FILE)
        font.setBold(column in (_SCORE, _MARK))
        return font


_KEYS_OF: dict[int, Callable[[FilesModel, FileScore], Any]] = {
    _FILE: lambda model, row: natural(row.file.name),
    _SCORE: lambda model, row: None if row.score is None else row.score.score,
    _INTERVAL: lambda model, row: (
        None if row.score is None else row.score.interval[1] - row.score.interval[0]
    ),
    _BLUR: lambda model, row: None if row.score is None else row.score.blur_px,
    _WHY: lambda model, row: reasons_text(row.score) if row.score is not None else row.error,
    _MARK: lambda model, row: model.files.marks.get(row.file) or None,
}


class FilesView(QTableView):
    """The table with its keys; ``asked`` names what the user wants of the chosen files.

    Parameters
    ----------
    model : FilesModel
    """

    asked = Signal(str)
    opened = Signal(object)  # the file that was double-clicked

    def __init__(self, model: FilesModel) -> None:
        super().__init__()
        self.setModel(model)
        self.model_of_files = model
        set_up_rows(self, _WIDTHS)
        self.doubleClicked.connect(self._on_double_click)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Give the reasons what room there is; blur and interval come after them."""
        super().resizeEvent(event)
        before, after = (
            sum(self.columnWidth(column) for column in columns)
            for columns in (range(_WHY), range(_WHY + 1, len(_HEADS)))
        )
        room = self.viewport().width() - before
        self.setColumnWidth(_WHY, max(_WIDTHS[_WHY], room - after, room if room < after else 0))

    def chosen(self) -> list[Path]:
        """List the chosen files, as they are shown."""
        rows = sorted({index.row() for index in self.selectionModel().selectedRows()})
        return [self.model_of_files.key(row) for row in rows]

    def choose_row(self, row: int) -> None:
        """Choose a line and bring it into view."""
        if 0 <= row < self.model_of_files.rowCount():
            self.selectRow(row)
            self.scrollTo(self.model_of_files.index(row, 0))

    def _on_double_click(self, index: QModelIndex) -> None:
        """Open the file of a line."""
        self.opened.emit(self.model_of_files.key(index.row()))

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Answer the keys of the table; the arrows stay Qt's."""
        what = asked_by(event, _KEYS)
        if what:
            self.asked.emit(what)
        else:
            super().keyPressEvent(event)
