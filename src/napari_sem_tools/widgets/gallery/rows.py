"""Lines of a table for Qt: which are shown, in which order, how they look, what keys ask."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

__all__ = ["PICTURE_HEAD", "PICTURE_PX", "RowsModel", "asked_by", "set_up_rows"]

PICTURE_HEAD = ("", "The picture in small")
PICTURE_PX = QSize(64, 48)
_ROW_HEIGHT = 52
_HEAD_ROLES = {Qt.ItemDataRole.DisplayRole: 0, Qt.ItemDataRole.ToolTipRole: 1}
_ANSWERS = {
    Qt.ItemDataRole.DisplayRole: "_display",
    Qt.ItemDataRole.ToolTipRole: "_tip",
    Qt.ItemDataRole.DecorationRole: "_picture",
    Qt.ItemDataRole.TextAlignmentRole: "_side",
    Qt.ItemDataRole.FontRole: "_font",
}
"""Role -> the method that gets line and column of a cell."""
_STANDARD = (
    (QKeySequence.StandardKey.Undo, "undo"),
    (QKeySequence.StandardKey.Redo, "redo"),
    (QKeySequence.StandardKey.Copy, "copy"),
)
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class RowsModel(QAbstractTableModel):
    """Base of tables whose lines have keys: sorted and filtered by a permutation, never copied.

    Parameters
    ----------
    heads : sequence of (str, str)
        Title and tooltip of each column; the first one holds the picture.
    """

    def __init__(self, heads: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._heads = tuple(heads)
        self._order: Any = ()  # what is shown, a place or a record a line

    # --- for the tables ------------------------------------------------------------------

    def key(self, row: int) -> Any:
        """Return the key of a line."""
        return self._order[row]

    def listed(self) -> list[Any]:
        """List the keys of the lines, as they are shown."""
        return [self.key(row) for row in range(len(self._order))]

    def row_of(self, key: Hashable) -> int:
        """Return the line of a key, -1 where it is not shown."""
        shown = self.listed()
        return shown.index(key) if key in shown else -1

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Let lines come, go and move meanwhile; those that are chosen stay chosen."""
        self.layoutAboutToBeChanged.emit()
        kept = [(index, self.key(index.row())) for index in self.persistentIndexList()]
        yield
        where = {key: row for row, key in enumerate(self.listed())} if kept else {}
        for index, key in kept:
            row = where.get(key, -1)
            target = self.index(row, index.column()) if row >= 0 else QModelIndex()
            self.changePersistentIndex(index, target)
        self.layoutChanged.emit()

    # --- for Qt --------------------------------------------------------------------------

    def rowCount(self, parent: Any = None) -> int:  # noqa: N802  Qt's name
        """Count the lines shown."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: Any = None) -> int:  # noqa: N802  Qt's name
        """Count the columns, that of the pictures included."""
        return 0 if parent is not None and parent.isValid() else len(self._heads)

    def headerData(  # noqa: N802  Qt's name
        self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return title and tooltip of a column."""
        if orientation != Qt.Orientation.Horizontal or role not in _HEAD_ROLES:
            return None
        return self._heads[section][_HEAD_ROLES[Qt.ItemDataRole(role)]]

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        answer = _ANSWERS.get(Qt.ItemDataRole(role))
        if answer is None or not index.isValid() or index.row() >= len(self._order):
            return None
        return getattr(self, answer)(index.row(), index.column())


def set_up_rows(view: QTableView, widths: Sequence[int]) -> None:
    """Let a table show whole lines with small pictures, sorted by whichever column is clicked.

    Parameters
    ----------
    view : QTableView
        Has its model already.
    widths : sequence of int
        Of the columns, in pixels.
    """
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setWordWrap(True)
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    view.verticalHeader().setVisible(False)
    view.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
    view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    view.setIconSize(PICTURE_PX)
    view.setMinimumHeight(3 * _ROW_HEIGHT)
    for column, width in enumerate(widths):
        view.setColumnWidth(column, width)
    view.setSortingEnabled(True)
    view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)


def asked_by(event: Any, keys: Mapping[Any, str]) -> str:
    """Return what a key asks for; empty leaves it to Qt.

    Parameters
    ----------
    event : QKeyEvent
    keys : mapping of Qt.Key to str
        What plain keys ask for; Enter opens, Ctrl+Z, Ctrl+Shift+Z and Ctrl+C are known.
    """
    for standard, what in _STANDARD:
        if event.matches(standard):
            return what
    if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
        return ""
    return "open" if event.key() in _ENTER else keys.get(event.key(), "")
