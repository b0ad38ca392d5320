"""XLSX: tables as the sheets of one workbook, with units in the headers."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from napari_sem_tools.errors import InvalidSettings, MissingExtra
from napari_sem_tools.files import write_file
from napari_sem_tools.reporting.plain import plain_columns

__all__ = ["write_workbook"]

_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384  # of a sheet, by the format
_LONGEST_TEXT = 32_767
_SHEET_NAME = re.compile(r"[^\[\]:*?/\\]{1,31}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # XML has no place for them
_WIDEST, _NARROWEST = 90, 9  # of a column, in characters
_MEASURED_ROWS = 40  # that the width of a column is chosen by


def write_workbook(
    path: str | os.PathLike[str],
    sheets: Mapping[str, pd.DataFrame],
    *,
    titles: Mapping[str, str] | None = None,
) -> Path:
    """Write tables as the sheets of one XLSX workbook.

    Parameters
    ----------
    path : path-like
        Ends in ``.xlsx``.
    sheets : mapping of str to DataFrame
        A named index becomes the first column.  Numbers keep all their digits; what is missing
        is an empty cell; texts are never run as formulas.
    titles : mapping of str to str, optional
        Column to what stands in the header, e.g. ``"feret min [nm]"``.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    InvalidSettings
        A table is larger than a sheet can be, or a sheet's name is none.
    MissingExtra
        openpyxl is not installed.
    SemError
        The file cannot be written.
    """
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise MissingExtra("XLSX files need openpyxl.", extra="fast") from error
    for name, table in sheets.items():
        _check(name, table)
    book = Workbook(write_only=True)
    for name, table in sheets.items():
        _fill(book.create_sheet(name), table, titles or {})
    buffer = io.BytesIO()  # openpyxl ends well only when it has saved
    book.save(buffer)
    return write_file(path, buffer.getvalue())


def _check(name: str, table: pd.DataFrame) -> None:
    """Refuse what a workbook cannot hold."""
    if not _SHEET_NAME.fullmatch(name):
        raise InvalidSettings(f"{name!r} cannot be the name of a sheet.")
    rows, columns = table.shape
    if rows >= _MOST_ROWS or columns >= _MOST_COLUMNS:
        raise InvalidSettings(
            f"The sheet {name} would have {rows} rows and {columns} columns; a workbook reaches "
            f"{_MOST_ROWS} and {_MOST_COLUMNS}.",
            hint="Export Parquet or CSV instead.",
        )


def _fill(sheet: Any, table: pd.DataFrame, titles: Mapping[str, str]) -> None:
    """Write one sheet: a bold header that stays in view, then the rows."""
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    whole = table.reset_index() if table.index.name else table
    heads = [titles.get(str(name), str(name)) for name in whole.columns]
    columns = list(plain_columns(whole).values())
    sheet.freeze_panes = "B2" if len(heads) > 3 else "A2"
    for number, (head, values) in enumerate(zip(heads, columns, strict=True), 1):
        longest = max((_length(value) for value in values[:_MEASURED_ROWS]), default=0)
        width = min(_WIDEST, max(_NARROWEST, len(head) + 2, longest + 2))
        sheet.column_dimensions[get_column_letter(number)].width = width
    if columns and columns[0]:
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(heads))}{len(columns[0]) + 1}"
    sheet.append([_styled(sheet, head, font=Font(bold=True)) for head in heads])
    for row in _rows(sheet, whole, columns):
        sheet.append(row)


def _rows(sheet: Any, table: pd.DataFrame, columns: list[list[Any]]) -> Iterator[list[Any]]:
    """Yield the rows; cells are reused, for a row is written before the next one is made."""
    makers = {"f": _number_writer, "b": None, "i": None, "u": None}
    kinds = [table.iloc[:, number].dtype.kind for number in range(table.shape[1])]
    writers = [make(sheet) if (make := makers.get(kind, _text_writer)) else None for kind in kinds]
    for row in zip(*columns, strict=True):
        yield [
            write(value) if write is not None else value
            for write, value in zip(writers, row, strict=True)
        ]


def _number_writer(sheet: Any) -> Callable[[Any], Any]:
    """Return what makes a cell of a number with all 17 digits; openpyxl keeps 16."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet)

    def write(value: Any) -> Any:
        if value is None:
            return None
        cell.value = repr(value)
        cell.data_type = "n"
        return cell

    return write


def _text_writer(sheet: Any) -> Callable[[Any], Any]:
    """Return what keeps a text from being a formula, and what XML cannot hold out of it."""

    def write(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = _CONTROL.sub(" ", value)[:_LONGEST_TEXT]
        return _styled(sheet, text) if text.startswith("=") else text or None

    return write


def _styled(sheet: Any, text: str, *, font: Any = None) -> Any:
    """Make a cell that is a text whatever it begins with."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value=_CONTROL.sub(" ", text)[:_LONGEST_TEXT])
    cell.data_type = "s"
    if font is not None:
        cell.font = font
    return cell


def _length(value: Any) -> int:
    """Count the characters that a cell shows."""
    return len(f"{value:.6g}" if isinstance(value, float) else str(value or ""))
