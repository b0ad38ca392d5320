"""The table of scored files: thumbnails, scores, reasons and marks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QFont, QImage, QKeySequence, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_sem_tools.focus.files.folder import FileScore
from napari_sem_tools.widgets.focus.state import KEEP, REJECT, VIEWS, ScoredFiles
from napari_sem_tools.widgets.focus.text import blur_text, interval_text, reasons_text

__all__ = ["FilesModel", "FilesView"]

_ROW_HEIGHT = 52
_PICTURE = QSize(64, 48)
_MARK, _SCORE, _FILE, _WHY, _BLUR, _INTERVAL = range(1, 7)
_HEADS = (
    ("", "The picture in small"),
    ("✓", "K keeps, R rejects, U takes the mark away"),
    ("Score", "0 to 10; 10 is as sharp as a well focused image"),
    ("File", "Double-click or Enter opens it in the viewer"),
    ("Why", "What lowers the score"),
    ("Blur", "Added blur (standard deviation), in nm where the file has a scale"),
    ("90 %", "The interval that holds the score with a probability of 90 %"),
)
_WIDTHS = (_PICTURE.width() + 6, 22, 46, 96, 112, 64, 84)
_MARKS = {KEEP: "✓", REJECT: "✕", "": ""}
_KEYS = {
    Qt.Key.Key_K: "keep",
    Qt.Key.Key_R: "reject",
    Qt.Key.Key_U: "unmark",
    Qt.Key.Key_Return: "open",
    Qt.Key.Key_Enter: "open",
    Qt.Key.Key_Delete: "reject",
}


class FilesModel(QAbstractTableModel):
    """Scored files for Qt: sorted and filtered by a permutation, never copied.

    Parameters
    ----------
    files : ScoredFiles
    """

    def __init__(self, files: ScoredFiles) -> None:
        super().__init__()
        self.files = files
        self.newest_first = False  # while nobody sorts
        self.view_name, self.text = next(iter(VIEWS)), ""
        self._order: list[int] = []
        self._sorting: tuple[int, bool] | None = None  # column, falling
        self._pixmaps: dict[Path, QPixmap] = {}

    # --- content -------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show what was added, marked or filtered; the sorting stays.

        Raises
        ------
        InvalidSettings
            The filter cannot be understood; the table stays as it is.
        """
        places = self.files.shown(self.view_name, self.text)
        self.layoutAboutToBeChanged.emit()
        kept = [(index, self._path_of(index)) for index in self.persistentIndexList()]
        self._order = self._sorted(places)
        where = {self.files.rows[place].file: row for row, place in enumerate(self._order)}
        for index, path in kept:
            row = where.get(path, -1) if path is not None else -1
            target = self.index(row, index.column()) if row >= 0 else QModelIndex()
            self.changePersistentIndex(index, target)
        self.layoutChanged.emit()

    def clear(self) -> None:
        """Forget the pictures of another folder."""
        self._pixmaps.clear()
        self.beginResetModel()
        self._order = []
        self.endResetModel()

    def row(self, number: int) -> FileScore:
        """Return the file in a line of the table."""
        return self.files.rows[self._order[number]]

    def rows(self) -> list[FileScore]:
        """Return the files as they are shown."""
        return [self.files.rows[place] for place in self._order]

    def _path_of(self, index: QModelIndex) -> Path | None:
        """Return the file of a line, None for one that is gone."""
        if index.row() >= len(self._order) or self._order[index.row()] >= len(self.files.rows):
            return None
        return self.row(index.row()).file

    # --- sorting -------------------------------------------------------------------------

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what has no value comes last."""
        falling = order == Qt.SortOrder.DescendingOrder
        self._sorting = (column, falling) if column in _KEYS_OF else None
        self.refresh()

    def _sorted(self, places: NDArray[np.intp]) -> list[int]:
        """Return the places of the rows in the order that was asked for."""
        found = [int(place) for place in places]
        if self._sorting is None:
            return found[::-1] if self.newest_first else found
        column, falling = self._sorting
        key = _KEYS_OF[column]
        values = {place: key(self, self.files.rows[place]) for place in found}
        there = [place for place in found if values[place] is not None]
        there.sort(key=lambda place: values[place], reverse=falling)
        return there + [place for place in found if values[place] is None]

    # --- for Qt --------------------------------------------------------------------------

    def rowCount(self, parent: Any = None) -> int:  # noqa: N802  Qt's name
        """Count the files shown."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: Any = None) -> int:  # noqa: N802  Qt's name
        """Count the columns."""
        return 0 if parent is not None and parent.isValid() else len(_HEADS)

    def headerData(  # noqa: N802  Qt's name
        self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return title and tooltip of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        texts = {Qt.ItemDataRole.DisplayRole: 0, Qt.ItemDataRole.ToolTipRole: 1}
        return _HEADS[section][texts[role]] if role in texts else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        answer = _ANSWERS.get(Qt.ItemDataRole(role))
        if answer is None or not index.isValid() or index.row() >= len(self._order):
            return None
        return answer(self, self.row(index.row()), index.column())

    def _display(self, row: FileScore, column: int) -> Any:
        """Return the text of a cell."""
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

    def _tip(self, row: FileScore, column: int) -> Any:
        """Return all that is known about a file."""
        parts = [str(row.file), row.calibration, row.acquired and f"taken {row.acquired}"]
        parts += [row.error, row.hint] if row.score is None else list(row.score.reasons)
        return "\n".join([part for part in (*parts, *row.notes) if part])

    def _picture(self, row: FileScore, column: int) -> Any:
        """Return the thumbnail."""
        pixels = self.files.thumbnails.get(row.file)
        if column != 0 or pixels is None:
            return None
        if row.file not in self._pixmaps:
            pixels = np.ascontiguousarray(pixels)
            rows, columns = pixels.shape
            image = QImage(pixels.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
            self._pixmaps[row.file] = QPixmap.fromImage(image.copy())
        return self._pixmaps[row.file]

    def _side(self, row: FileScore, column: int) -> Any:
        """Put numbers to the right."""
        side = Qt.AlignmentFlag.AlignRight if column in (_SCORE, _BLUR) else None
        side = Qt.AlignmentFlag.AlignHCenter if column in (_INTERVAL, _MARK) else side
        return int((side or Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter)

    def _font(self, row: FileScore, column: int) -> Any:
        """Strike the names of rejected files through; score and mark are bold."""
        rejected = self.files.marks.get(row.file) == REJECT
        if not (rejected and column == _FILE) and column not in (_SCORE, _MARK):
            return None
        font = QFont()
        font.setStrikeOut(rejected and column == _FILE)
        font.setBold(column in (_SCORE, _MARK))
        return font


_ANSWERS = {
    Qt.ItemDataRole.DisplayRole: FilesModel._display,
    Qt.ItemDataRole.ToolTipRole: FilesModel._tip,
    Qt.ItemDataRole.DecorationRole: FilesModel._picture,
    Qt.ItemDataRole.TextAlignmentRole: FilesModel._side,
    Qt.ItemDataRole.FontRole: FilesModel._font,
}


def _natural(row: FileScore) -> list[tuple[int, int, str]]:
    """Sort names as people count: image2 before image10."""
    parts = re.split(r"(\d+)", row.file.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


_KEYS_OF: dict[int, Callable[[FilesModel, FileScore], Any]] = {
    _FILE: lambda model, row: _natural(row),
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
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setIconSize(_PICTURE)
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, width)
        self.horizontalHeader().setStretchLastSection(False)
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setMinimumHeight(3 * _ROW_HEIGHT)
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
        return [self.model_of_files.row(row).file for row in rows]

    def choose_row(self, row: int) -> None:
        """Choose a line and bring it into view."""
        if 0 <= row < self.model_of_files.rowCount():
            self.selectRow(row)
            self.scrollTo(self.model_of_files.index(row, 0))

    def _on_double_click(self, index: QModelIndex) -> None:
        """Open the file of a line."""
        self.opened.emit(self.model_of_files.row(index.row()).file)

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Answer the keys of the table; the arrows stay Qt's."""
        for keys, what in (
            (QKeySequence.StandardKey.Undo, "undo"),
            (QKeySequence.StandardKey.Redo, "redo"),
            (QKeySequence.StandardKey.Copy, "copy"),
        ):
            if event.matches(keys):
                self.asked.emit(what)
                return
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        what = _KEYS.get(event.key(), "") if plain else ""
        if what:
            self.asked.emit(what)
        else:
            super().keyPressEvent(event)
