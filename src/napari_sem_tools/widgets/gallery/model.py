"""A table of images for Qt: sorted and filtered by a permutation, never copied."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QFont, QIcon, QPixmap

from napari_sem_tools.widgets.gallery.rows import PICTURE_HEAD, RowsModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "ImagesModel", "Looks", "natural", "plain"]


def plain(value: Any) -> str:
    """Write a value for people: what is missing is empty, numbers have four digits.

    Examples
    --------
    >>> plain(12.34567), plain(float("nan")), plain("a")
    ('12.35', '', 'a')
    """
    if is_missing(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def is_missing(value: Any) -> bool:
    """Say whether a cell holds nothing."""
    return value is None or (isinstance(value, str) and not value) or value != value


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts names as people count: image2 before image10."""
    parts = re.split(r"(\d+)", text.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the list.

    Attributes
    ----------
    name : str
        Of the column of the table.
    title, tip : str
        What stands above it, and what is said when the mouse rests there.
    width : int
        Pixels.
    text : callable
        Writes a value.
    number : bool
        Stands at the right.
    bold : bool
    stretch : bool
        Takes the room that is left; one column may.
    """

    name: str
    title: str
    tip: str
    width: int
    text: Callable[[Any], str] = plain
    number: bool = False
    bold: bool = False
    stretch: bool = False


@dataclasses.dataclass(frozen=True)
class Looks:
    """What a list asks its owner about an image, by key.

    Attributes
    ----------
    picture : callable
        Gives a pixmap, or None while there is none.
    caption : callable
        The words below a picture of the gallery.
    tip : callable
        All that is known.
    """

    picture: Callable[[Any], QPixmap | None]
    caption: Callable[[Any], str]
    tip: Callable[[Any], str]


class ImagesModel(RowsModel):
    """Images for Qt; the index of the table are their keys.

    Parameters
    ----------
    columns : sequence of Column
        After the first one, which holds the picture.
    looks : Looks
    """

    def __init__(self, columns: Sequence[Column], looks: Looks) -> None:
        super().__init__((PICTURE_HEAD, *((column.title, column.tip) for column in columns)))
        self.columns = tuple(columns)
        self.looks = looks
        self._table: pd.DataFrame | None = None
        self._keys: list[Any] = []
        self._order: NDArray[np.intp] = np.zeros(0, np.intp)
        self._places: NDArray[np.intp] = self._order
        self._values: dict[str, NDArray[Any]] = {}
        self._sorting: tuple[str, bool] | None = None  # column of the table, falling

    # --- content -------------------------------------------------------------------------

    def show_table(self, table: pd.DataFrame, places: NDArray[np.intp] | None = None) -> None:
        """Show another table, or other rows of it; the choice and the sorting stay.

        Parameters
        ----------
        table : DataFrame
            A row an image; the index are its keys.
        places : int array, optional
            The rows that are shown; by default all.
        """
        with self.moving():
            self._table, self._values = table, {}
            self._keys = table.index.tolist()
            self._places = np.arange(len(table)) if places is None else np.asarray(places, np.intp)
            self._order = self._sorted()

    def listed(self) -> list[Any]:
        """List the keys of the images, as they are shown."""
        return [self._keys[place] for place in self._order]

    def key(self, row: int) -> Any:
        """Return the key of a line."""
        return self._keys[self._order[row]]

    def shown_table(self) -> pd.DataFrame:
        """Return the rows that are shown, in their order, with all columns."""
        import pandas as pd

        return pd.DataFrame() if self._table is None else self._table.iloc[self._order]

    def picture_came(self, keys: set[Any]) -> None:
        """Draw the pictures of some images anew."""
        rows = [row for row, key in enumerate(self.listed()) if key in keys]
        if rows:
            self.dataChanged.emit(self.index(min(rows), 0), self.index(max(rows), 0))

    # --- sorting -------------------------------------------------------------------------

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what has no value comes last."""
        there = 1 <= column <= len(self.columns)
        name = self.columns[column - 1].name if there else ""
        self.sort_by(name, falling=order == Qt.SortOrder.DescendingOrder)

    def sort_by(self, name: str, *, falling: bool = False) -> None:
        """Sort by any column of the table; empty: in the order of the table."""
        self._sorting = (name, falling) if name else None
        if self._table is not None:
            self.show_table(self._table, self._places)

    def _sorted(self) -> NDArray[np.intp]:
        """Return the rows that are shown in the order that was asked for."""
        table = self._table
        if table is None or self._sorting is None or self._sorting[0] not in table:
            return self._places
        name, falling = self._sorting
        values = self._column(name)[self._places]
        missing = np.fromiter((is_missing(value) for value in values), bool, len(values))
        there = self._places[~missing]
        keys = [natural(one) if isinstance(one, str) else one for one in values[~missing]]
        order = sorted(range(len(keys)), key=keys.__getitem__, reverse=falling)
        return np.concatenate([there[np.asarray(order, np.intp)], self._places[missing]])

    # --- for Qt --------------------------------------------------------------------------

    def value(self, row: int, name: str) -> Any:
        """Return a value of a line by the column of the table."""
        return self._column(name)[self._order[row]]

    def _column(self, name: str) -> NDArray[Any]:
        """Return a column of the table as objects; empty where the table has none."""
        if name not in self._values:
            table = self._table
            self._values[name] = (
                np.full(len(self._keys), None, object)
                if table is None or name not in table
                else table[name].to_numpy(object)
            )
        return self._values[name]

    def _display(self, row: int, column: int) -> Any:
        """Return the text of a cell."""
        if not column:
            return None
        spec = self.columns[column - 1]
        return spec.text(self.value(row, spec.name))

    def _tip(self, row: int, column: int) -> Any:
        """Return all that is known about an image."""
        return self.looks.tip(self.key(row))

    def _picture(self, row: int, column: int) -> Any:
        """Return the picture as an icon, which views scale to their size."""
        pixmap = None if column else self.looks.picture(self.key(row))
        return None if pixmap is None else QIcon(pixmap)

    def _side(self, row: int, column: int) -> Any:
        """Put numbers to the right."""
        number = column and self.columns[column - 1].number
        side = Qt.AlignmentFlag.AlignRight if number else Qt.AlignmentFlag.AlignLeft
        return int(side | Qt.AlignmentFlag.AlignVCenter)

    def _font(self, row: int, column: int) -> Any:
        """Write some columns bold."""
        if not column or not self.columns[column - 1].bold:
            return None
        font = QFont()
        font.setBold(True)
        return font
