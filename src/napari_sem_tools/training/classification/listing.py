"""Which images a training set of categories has: a folder for each category, or a CSV."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from napari_sem_tools.errors import InvalidTrainingSet, UnreadableFile
from napari_sem_tools.reading.inputs import list_files
from napari_sem_tools.reading.text import decode

__all__ = ["CheckedCategories", "ListedImage", "check_categories", "list_images"]

_PATHS = ("path", "file", "filename", "image", "name")
_CATEGORIES = ("category", "class", "label")
_RUNS = "training"  # the folder of the runs lies within the set


@dataclasses.dataclass(frozen=True)
class ListedImage:
    """An image of a training set, not opened yet.

    Attributes
    ----------
    name : str
        Path within the set, with ``/``.
    path : Path
    category : str
    group : str
        Specimen or session; empty where nobody said.
    part : str
        What the column of the split says; empty where there is none.
    """

    name: str
    path: Path
    category: str
    group: str = ""
    part: str = ""


@dataclasses.dataclass(frozen=True)
class CheckedCategories:
    """A training set of categories, listed but not opened.

    Attributes
    ----------
    samples : tuple of ListedImage
    groups : tuple of str
        Of the images that name one.
    faults : tuple
        Always empty: what cannot be read is named when it is opened.
    """

    samples: tuple[ListedImage, ...]
    groups: tuple[str, ...] = ()
    faults: tuple[()] = ()

    @property
    def text(self) -> str:
        """The categories with their numbers of images."""
        counts: dict[str, int] = {}
        for one in self.samples:
            counts[one.category] = counts.get(one.category, 0) + 1
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        return f"{len(counts)} categories: {listed}"


def check_categories(
    folder: str | Path, *, leave_out: str = "", split_by: str = ""
) -> CheckedCategories:
    """List a training set of categories for a look before the start.

    Parameters
    ----------
    folder : path-like
    leave_out, split_by : str
        As for `list_images`.

    Returns
    -------
    CheckedCategories

    Raises
    ------
    InvalidTrainingSet
        As `list_images`.
    """
    listed = list_images(folder, leave_out=leave_out, split_by=split_by)
    return CheckedCategories(listed, tuple(sorted({one.group for one in listed if one.group})))


def list_images(
    folder: str | Path, *, leave_out: str = "", split_by: str = ""
) -> tuple[ListedImage, ...]:
    """List the images of a training set.

    Parameters
    ----------
    folder : path-like
        A folder that has a folder for every category (deeper ones belong to it), or a CSV,
        or a folder with a CSV, of the columns ``path`` and ``category``, if you like also
        ``group``.
    leave_out : str
        Categories that are left out, with commas between.
    split_by : str
        Column that says which part an image belongs to.

    Returns
    -------
    tuple of ListedImage
        In the order of their names.

    Raises
    ------
    InvalidTrainingSet
        There are fewer than two categories, or one that is to be left out is not there.
    """
    place = Path(folder)
    if not place.exists():
        raise InvalidTrainingSet(f"There is no folder or file {place}.", hint="Check the path.")
    found = sorted(_listed(place, split_by), key=lambda one: (one.category, one.name))
    unwanted = {word.strip() for word in leave_out.split(",") if word.strip()}
    names = {one.category for one in found}
    strange = sorted(unwanted - names)
    if strange:
        raise InvalidTrainingSet(
            f"There is no category {strange[0]!r} to leave out.",
            hint=f"There are {', '.join(sorted(names)) or 'none'}.",
        )
    kept = tuple(one for one in found if one.category not in unwanted)
    if len({one.category for one in kept}) < 2:
        raise InvalidTrainingSet(
            f"{place} has fewer than two categories.",
            hint="Put the images of every category into a folder of its name, or give a CSV "
            "with the columns path and category.",
        )
    return kept


def _listed(place: Path, split_by: str) -> Iterator[ListedImage]:
    """List what a CSV or the folders say."""
    if place.is_file():
        return _from_csv(place, split_by, needed=True)
    for table in sorted(place.glob("*.csv")):
        rows = list(_from_csv(table, split_by, needed=False))
        if rows:
            return iter(rows)
    return _from_folders(place)


def _from_folders(place: Path) -> Iterator[ListedImage]:
    """List images by the folder they lie in."""
    for folder in sorted(place.iterdir()):
        if not folder.is_dir() or folder.name.startswith(".") or folder.name == _RUNS:
            continue
        inner = sorted(one for one in folder.rglob("*") if one.is_dir() and not _hidden(one))
        for one in [folder, *inner]:
            for path in _images(one):
                yield ListedImage(path.relative_to(place).as_posix(), path, folder.name)


def _hidden(path: Path) -> bool:
    """Tell whether a folder is hidden."""
    return path.name.startswith(".")


def _images(folder: Path) -> list[Path]:
    """List the images of a folder; none is no error."""
    try:
        return list_files(folder)
    except UnreadableFile:
        return []


def _from_csv(table: Path, split_by: str, *, needed: bool) -> Iterator[ListedImage]:
    """List the rows of a CSV; without the columns it is another table."""
    try:
        rows = list(csv.DictReader(decode(table.read_bytes()).splitlines()))
    except (OSError, csv.Error) as error:
        raise InvalidTrainingSet(f"{table.name} is no readable CSV.") from error
    heads = {head.strip().lower(): head for head in (rows[0] if rows else {}) if head}
    path_head = next((heads[name] for name in _PATHS if name in heads), None)
    category_head = next((heads[name] for name in _CATEGORIES if name in heads), None)
    if path_head is None or category_head is None:
        if needed:
            raise InvalidTrainingSet(
                f"{table.name} lacks the columns path and category.",
                hint="Write a row an image: its path, beside the CSV or absolute; its category.",
            )
        return
    for row in rows:
        word, category = (row[path_head] or "").strip(), (row[category_head] or "").strip()
        if word and category:
            group, part = (
                (row.get(heads.get(key, "")) or "").strip() for key in ("group", split_by.lower())
            )
            yield ListedImage(Path(word).as_posix(), table.parent / word, category, group, part)
