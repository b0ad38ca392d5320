"""The particle table for Qt: numpy columns behind a permutation, fast at 20,000 rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QItemSelection, QModelIndex, Qt, Signal
from qtpy.QtGui import QBrush, QColor

from napari_sem_tools.widgets.table.state import BY_HAND, CLASS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ParticleModel", "format_value", "titles_of"]

DOUBTFUL = "#e5484d"
_IMAGE = "image"
_EARLY = ("slice", CLASS, "ecd_nm", "ecd_px", _IMAGE)
_FIRST = ("included", "doubtful")
_LAST = ("centroid_", "box_")  # places are clicked, not read
_FLAGS = ("edge", "edge_weight", "doubt_reason", "doubt_score", "confidence", BY_HAND)
_TICK, _WARN = "included", "doubtful"
_SPECIAL = {
    "label": ("label", "number of the particle in the labels layer"),
    "included": ("count", "Ticked: counted in the statistics"),
    CLASS: ("class", "Double-click to type a class, or use the button Class"),
    "slice": ("slice", "page of the stack, from 0 on"),
}


def format_value(value: Any) -> str:
    """Write a cell for people: four significant digits, nothing for what is missing.

    Examples
    --------
    >>> format_value(1234.567), format_value(0.98765), format_value(True), format_value(7)
    ('1235', '0.9877', 'yes', '7')
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float | np.floating):
        value = float(value)
        if not np.isfinite(value):
            return ""
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "" if value is None else str(value)


class ParticleModel(QAbstractTableModel):
    """A table of particles that sorts by permutation and never copies a row.

    Its signals say what a user asks for and change nothing by themselves: ``ticked`` the
    rows of the table and whether they count, ``classified`` a row of the table and a class.
    """

    ticked = Signal(object, bool)
    classified = Signal(int, str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.names: list[str] = []
        self.labels: NDArray[Any] = np.empty(0, int)
        self._columns: list[NDArray[Any]] = []
        self._order: NDArray[np.intp] = np.empty(0, np.intp)
        self._shown: NDArray[np.bool_] = np.empty(0, bool)
        self._rank: NDArray[np.intp] = np.empty(0, np.intp)
        self._chosen: NDArray[np.bool_] = np.empty(0, bool)
        self._sorted_by: tuple[str, bool] | None = None
        self._red = QBrush(QColor(DOUBTFUL))
        self._hatched = QBrush(QColor(DOUBTFUL), Qt.BrushStyle.BDiagPattern)
        self._chosen_brush = QBrush(QColor("#7a6a1f"))
        self._titles: dict[str, tuple[str, str]] = {}

    # --- content ---------------------------------------------------------------------------

    def set_table(self, table: pd.DataFrame, *, pooled: bool = False) -> None:
        """Show another table, in the order of its rows or as it was sorted before.

        Parameters
        ----------
        table : DataFrame
            Index ``label``.
        pooled : bool
            True: of several images, whose names are then shown.
        """
        self.beginResetModel()
        hidden = _FIRST if pooled else (*_FIRST, _IMAGE)
        visible = [name for name in table.columns if name not in hidden]
        visible.sort(key=_place)
        first = [name for name in _FIRST if name in table]
        self.labels = table.index.to_numpy()
        self.names = [*first, "label", *visible]
        self._columns = [self._values(table, name) for name in self.names]
        self._titles = titles_of(self.names)
        self._shown = np.ones(len(self.labels), bool)
        self._chosen = np.zeros(len(self.labels), bool)
        self._order = np.arange(len(self.labels))
        if self._sorted_by is not None and self._sorted_by[0] in self.names:
            self._order = self._sorted(*self._sorted_by)
        self._rank_rows()
        self.endResetModel()

    def refresh(self, table: pd.DataFrame) -> None:
        """Show changed values of the same rows and columns; nothing moves."""
        self._columns = [self._values(table, name) for name in self.names]
        self._repaint()

    def column(self, name: str) -> NDArray[Any] | None:
        """Return a column in the order of the table, None when there is none."""
        return self._columns[self.names.index(name)] if name in self.names else None

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return all columns by name."""
        return dict(zip(self.names, self._columns, strict=True))

    def show_rows(self, wanted: NDArray[np.bool_]) -> None:
        """Show only some of the particles."""
        self.beginResetModel()
        self._shown = np.asarray(wanted, bool)
        sorting = self._sorted_by or ("label", True)
        if sorting[0] in self.names:
            self._order = self._sorted(*sorting) if self._sorted_by else self._unsorted()
        self._rank_rows()
        self.endResetModel()

    def choose(self, chosen: NDArray[np.bool_]) -> None:
        """Paint the rows of chosen particles."""
        self._chosen = np.asarray(chosen, bool)
        self._repaint()

    def ranges(self, chosen: NDArray[np.bool_], most: int) -> QItemSelection | None:
        """Return shown rows as Qt's selection; None when that takes more than `most` ranges."""
        rows = np.flatnonzero(chosen[self._order])
        breaks = np.flatnonzero(np.diff(rows) != 1)
        if len(breaks) >= most:
            return None
        selection = QItemSelection()
        if not len(rows):
            return selection
        starts = rows[np.concatenate([[0], breaks + 1])]
        stops = rows[np.concatenate([breaks, [len(rows) - 1]])]
        last = len(self.names) - 1
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            selection.select(self.index(start, 0), self.index(stop, last))
        return selection

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Which rows of the table are shown."""
        return self._shown

    @property
    def order(self) -> NDArray[np.intp]:
        """The rows of the table in the order of the window."""
        return self._order

    def label_at(self, row: int) -> int:
        """Return the particle in a row of the window."""
        return int(self.labels[self._order[row]])

    def position_of(self, row: int) -> int:
        """Return the row of the table behind a row of the window."""
        return int(self._order[row])

    def row_at(self, position: int) -> int | None:
        """Return the row of the window that shows a row of the table, None when none does."""
        row = int(self._rank[position])
        return row if row >= 0 else None

    def row_of(self, label: int) -> int | None:
        """Return the row of the window that shows a particle, None when it is not shown."""
        hits = np.flatnonzero(self.labels == label)
        return self.row_at(int(hits[0])) if len(hits) else None

    # --- Qt's side -------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802  Qt's name
        """Count the shown particles."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802  Qt's name
        """Count the columns."""
        return 0 if parent is not None and parent.isValid() else len(self.names)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return what Qt asks about a cell."""
        answer = _ANSWERS.get(role)
        if answer is None:
            return None
        return answer(self, index.column(), self._order[index.row()])

    def _text(self, column: int, position: int) -> Any:
        """Return the text of a cell."""
        name = self.names[column]
        if name == _TICK:
            return None
        value = self._columns[column][position]
        if name == _WARN:
            return "⚠" if value else ""
        return format_value(value)

    def _check(self, column: int, position: int) -> Any:
        """Return the tick of a cell."""
        if self.names[column] != _TICK:
            return None
        ticked = self._columns[column][position]
        return Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked

    def _why(self, column: int, position: int) -> Any:
        """Return why a particle is doubtful or not counted, for the mouse over its tick."""
        if self.names[column] not in _FIRST:
            return None
        by_hand, reasons = (self.column(name) for name in (BY_HAND, "doubt_reason"))
        said = (
            [f"by hand: {by_hand[position]}"] if by_hand is not None and by_hand[position] else []
        )
        if reasons is not None and reasons[position]:
            said.append(f"by the rules: {reasons[position]}")
        return "; ".join(said) or None

    def _side(self, column: int, position: int) -> Any:
        """Return where a cell's text stands."""
        text = self._columns[column].dtype == object
        side = Qt.AlignmentFlag.AlignLeft if text else Qt.AlignmentFlag.AlignRight
        return side | Qt.AlignmentFlag.AlignVCenter

    def _ground(self, column: int, position: int) -> Any:
        """Return the background of a cell: chosen, or doubtful."""
        if self._is_doubtful(position) and self.names[column] in (*_FIRST, "label"):
            return self._hatched
        return self._chosen_brush if self._chosen[position] else None

    def _ink(self, column: int, position: int) -> Any:
        """Return the colour of a cell's text."""
        return self._red if self._is_doubtful(position) else None

    def headerData(self, section: int, side: Any, role: int = 0) -> Any:  # noqa: N802  Qt's name
        """Return title and tooltip of a column."""
        if side != Qt.Orientation.Horizontal or section >= len(self.names):
            return None
        title, help_text = self._titles[self.names[section]]
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return help_text if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: QModelIndex) -> Any:
        """Let *count* be ticked and *class* be typed."""
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        name = self.names[index.column()]
        if name == _TICK:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags | Qt.ItemFlag.ItemIsEditable if name == CLASS else flags

    def setData(self, index: QModelIndex, value: Any, role: int = 0) -> bool:  # noqa: N802
        """Take a tick, or a class."""
        name = self.names[index.column()]
        if role == Qt.ItemDataRole.CheckStateRole and name == _TICK:
            self.include([index.row()], value in (Qt.CheckState.Checked, 2))
            return True
        if role == Qt.ItemDataRole.EditRole and name == CLASS:
            self.classified.emit(self.position_of(index.row()), str(value).strip())
            return True
        return False

    def include(self, rows: Sequence[int], wanted: bool) -> None:
        """Ask to count the particles of some rows of the window, or to leave them out."""
        if _TICK in self.names and len(rows):
            self.ticked.emit(self._order[list(rows)], wanted)

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; equal rows keep their order."""
        if not 0 <= column < len(self.names):
            return
        self.layoutAboutToBeChanged.emit()
        self._sorted_by = (self.names[column], order == Qt.SortOrder.AscendingOrder)
        self._order = self._sorted(*self._sorted_by)
        self._rank_rows()
        self.layoutChanged.emit()

    # --- inside ----------------------------------------------------------------------------

    def _values(self, table: pd.DataFrame, name: str) -> NDArray[Any]:
        """Return a column as bool, number or object."""
        values = self.labels if name == "label" else table[name].to_numpy()
        return values if values.dtype.kind in "biuf" else values.astype(object)

    def _repaint(self) -> None:
        """Draw the cells again that are on the screen."""
        if len(self._order) and self.names:
            last = self.index(len(self._order) - 1, len(self.names) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def _unsorted(self) -> NDArray[np.intp]:
        """Return the shown rows in the order of the table."""
        return np.flatnonzero(self._shown)

    def _sorted(self, name: str, ascending: bool) -> NDArray[np.intp]:
        """Return the shown rows in the order of a column; what is missing comes last."""
        values = self._columns[self.names.index(name)]
        if values.dtype == object:
            values = values.astype(str)
        order = np.argsort(values, kind="stable")
        if not ascending:
            missing = int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0
            stop = len(order) - missing
            order = np.concatenate([order[:stop][::-1], order[stop:]])
        return order[self._shown[order]]

    def _rank_rows(self) -> None:
        """Note the window's row of every particle."""
        self._rank = np.full(len(self.labels), -1, np.intp)
        self._rank[self._order] = np.arange(len(self._order))

    def _is_doubtful(self, position: int) -> bool:
        """Say whether a particle is doubtful."""
        column = self.column(_WARN)
        return column is not None and bool(column[position])


_ANSWERS = {
    Qt.ItemDataRole.DisplayRole: ParticleModel._text,
    Qt.ItemDataRole.EditRole: ParticleModel._text,
    Qt.ItemDataRole.CheckStateRole: ParticleModel._check,
    Qt.ItemDataRole.ToolTipRole: ParticleModel._why,
    Qt.ItemDataRole.TextAlignmentRole: ParticleModel._side,
    Qt.ItemDataRole.BackgroundRole: ParticleModel._ground,
    Qt.ItemDataRole.ForegroundRole: ParticleModel._ink,
}


def _place(name: str) -> int:
    """Put image, class and sizes first, then flags, then positions; else the order stays."""
    if name in _EARLY:
        return _EARLY.index(name) - len(_EARLY)
    if name.startswith(_LAST):
        return 2
    return 1 if name in _FLAGS else 0


def titles_of(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return title and tooltip of columns from the one table of columns."""
    from napari_sem_tools.measurement import COLUMNS, DECISIONS

    known = {row.name: (row.title, row.tooltip) for row in COLUMNS + DECISIONS}
    special = dict(_SPECIAL)
    special["doubtful"] = ("⚠", known.get("doubtful", ("", "a rule for doubt holds"))[1])
    return {name: special.get(name) or known.get(name) or (name, "") for name in names}
