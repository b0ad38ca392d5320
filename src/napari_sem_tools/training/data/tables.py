"""The tables of a training set: what the classes are called, which images belong together."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from napari_sem_tools.errors import InvalidTrainingSet
from napari_sem_tools.reading.text import decode

__all__ = ["ClassRow", "read_classes", "read_column", "read_groups"]

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_GREY = "#808080"
_GROUP = "group"
_NAMES = ("name", "image", "file", "filename", "path")
_OTHER_TABLES = ("classes.csv",)


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """A class: its number in the masks, its name and the colour it is shown in."""

    value: int
    name: str
    colour: str = _GREY


def read_classes(folder: Path) -> tuple[ClassRow, ...]:
    """Read ``classes.csv`` where there is one.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    tuple of ClassRow
        By value, the background (0) left out; empty without the file.

    Raises
    ------
    InvalidTrainingSet
        It lacks the columns ``value`` and ``name``, or a value is no whole number or stands
        there twice.
    """
    path = folder / "classes.csv"
    if not path.is_file():
        return ()
    found: dict[int, ClassRow] = {}
    for row in _rows(path):
        try:
            value, name = int(row["value"]), row["name"].strip()
        except (KeyError, ValueError, AttributeError) as error:
            raise InvalidTrainingSet(
                "classes.csv is no table of classes.",
                hint="Its columns are value, name and, if you like, colour (#rrggbb).",
            ) from error
        if value in found or value < 0:
            raise InvalidTrainingSet(f"classes.csv has the value {value} twice or below 0.")
        colour = (row.get("colour") or row.get("color") or _GREY).strip().lower()
        found[value] = ClassRow(value, name, colour if _COLOUR.fullmatch(colour) else _GREY)
    found.pop(0, None)
    return tuple(found[value] for value in sorted(found))


def read_groups(folder: Path, group_by: str, names: Sequence[str]) -> dict[str, str]:
    """Tell which images belong together.

    Parameters
    ----------
    folder : Path
    group_by : str
        A column of a CSV of the folder, or a regular expression with one group; empty: the
        column ``group`` where there is one, else every image by itself.
    names : sequence of str
        Of the images, without ending.

    Returns
    -------
    dict of str to str
        Group of each name.

    Raises
    ------
    InvalidTrainingSet
        No such column, and the pattern is none or does not match every name.

    Examples
    --------
    >>> from pathlib import Path
    >>> read_groups(Path("."), r"(.*)_[0-9]+", ["a_1", "a_2", "b_1"])
    {'a_1': 'a', 'a_2': 'a', 'b_1': 'b'}
    """
    column = read_column(folder, group_by or _GROUP)
    if column is not None:
        return {name: column.get(name) or name for name in names}
    if not group_by:
        return {name: name for name in names}
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise _no_group(group_by) from error
    if pattern.groups != 1:
        raise _no_group(group_by)
    found = {name: pattern.search(name) for name in names}
    strange = [name for name, match in found.items() if match is None]
    if strange:
        raise InvalidTrainingSet(
            f"The pattern {group_by!r} does not fit the names {', '.join(strange[:5])}.",
            hint="It must find a group in the name of every image.",
        )
    return {name: match[1] for name, match in found.items() if match is not None}


def read_column(folder: Path, name: str) -> dict[str, str] | None:
    """Read a column of the CSV files of a folder.

    Parameters
    ----------
    folder : Path
    name : str
        Heading of the column.

    Returns
    -------
    dict of str to str, or None
        Its words by the name of the image (without ending); None: no such column.
    """
    for path in sorted(folder.glob("*.csv")):
        if path.name in _OTHER_TABLES or path.name.startswith("."):
            continue
        rows = _rows(path)
        heads = list(rows[0]) if rows else []
        key = next((head for head in _NAMES if head in heads), None)
        if name in heads and key is not None:
            return {Path(row[key] or "").stem: (row[name] or "").strip() for row in rows}
    return None


def _rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV with a heading in small letters or as it is."""
    try:
        return list(csv.DictReader(decode(path.read_bytes()).splitlines()))
    except (OSError, csv.Error) as error:
        raise InvalidTrainingSet(f"{path.name} is no readable CSV.") from error


def _no_group(group_by: str) -> InvalidTrainingSet:
    """Make the error of a rule that is neither a column nor a pattern."""
    return InvalidTrainingSet(
        f"{group_by!r} is no column of a CSV of the folder, and no pattern with one group.",
        hint="Name a column of images.csv, or write a pattern such as '(.*)_[0-9]+'.",
    )
