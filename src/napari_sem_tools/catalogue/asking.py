"""The questions that a catalogue answers, as SQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.catalogue.filters import CatalogueFilter, condition
from napari_sem_tools.catalogue.vectors import Vectors
from napari_sem_tools.errors import UnreadableFile

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ORDERS",
    "SELECT",
    "allowed",
    "candidates",
    "number_of",
    "path_of",
    "rows_of",
    "table_of",
    "where_of",
]

_FIELDS: Final = (
    "category", "category_confidence", "category_origin", "focus", "focus_method",
    "magnification", "pixel_size_nm", "vendor", "instrument", "detector", "mode", "acquired",
    "accelerating_voltage_kV", "working_distance_mm", "rows", "columns", "pages", "calibration",
)  # fmt: skip
ORDERS: Final = ("path", "image", *_FIELDS)
_MANY: Final = 500  # values of one IN (...)


def number_of(db: sqlite3.Connection, image: Any) -> int | None:
    """Return the number of an image if it is in the catalogue, unchanged."""
    if isinstance(image, int | np.integer) and not isinstance(image, bool):
        return int(image)
    source = image if isinstance(image, str | os.PathLike) else getattr(image, "source", None)
    if not isinstance(source, str | os.PathLike):
        return None
    with contextlib.suppress(OSError, UnicodeError):
        state = os.stat(source)
        row = db.execute(
            "SELECT image FROM files WHERE path = ? AND size_bytes = ? AND mtime_ns = ?",
            (os.path.abspath(source), state.st_size, state.st_mtime_ns),
        ).fetchone()
        return None if row is None else row[0]
    return None


def path_of(db: sqlite3.Connection, image: int) -> Path:
    """Return where an image lies."""
    row = db.execute(
        "SELECT path FROM files WHERE image = ? AND gone IS NULL ORDER BY path", (image,)
    ).fetchone()
    if row is None:
        raise UnreadableFile(
            f"The file of image {image} is gone.", hint="Add the folder that it is in now."
        )
    return Path(row[0])


def candidates(
    db: sqlite3.Connection, vectors: Vectors, wanted: CatalogueFilter, own: int | None
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Return the numbers of the vectors that alone come into question, or that do not."""
    if condition(wanted)[0]:
        only = allowed(db, vectors, wanted)
        if own is not None and only is not None:
            only = np.setdiff1d(only, _of_image(db, vectors, own), assume_unique=True)
        return only, None
    absent = "" if wanted.gone else "UNION SELECT id FROM images WHERE present = 0"
    rows = db.execute(
        f"SELECT id FROM vectors WHERE model = ? AND image IN (SELECT ? {absent})",
        (vectors.model.number, -1 if own is None else own),
    )
    return None, _ids(rows)


def _of_image(db: sqlite3.Connection, vectors: Vectors, image: int) -> NDArray[np.int64]:
    """Return the number of the vector of an image, as an array."""
    return _ids(
        db.execute(
            "SELECT id FROM vectors WHERE model = ? AND image = ?",
            (vectors.model.number, image),
        )
    )


def allowed(db: sqlite3.Connection, vectors: Vectors, wanted: CatalogueFilter) -> NDArray[np.int64]:
    """Return the numbers of the vectors of the images that a filter lets through."""
    where, values = where_of(wanted)
    return _ids(
        db.execute(
            "SELECT v.id FROM images i CROSS JOIN vectors v "
            f"ON v.model = ? AND v.image = i.id WHERE {where}",
            (vectors.model.number, *values),
        )
    )


def rows_of(db: sqlite3.Connection, ids: NDArray[np.int64]) -> list[tuple[Any, ...]]:
    """Return the rows of the images that vectors belong to, in the order of the vectors."""
    found: dict[int, tuple[Any, ...]] = {}
    for start in range(0, len(ids), _MANY):
        part = ids[start : start + _MANY].tolist()
        marks = ", ".join("?" * len(part))
        rows = db.execute(
            f"{_SELECT_BY_VECTOR} WHERE v.id IN ({marks})",
            part,
        )
        found |= {row[-1]: row[:-1] for row in rows}
    return [found[number] for number in ids.tolist()]


_OF_FILES = (
    "(SELECT path FROM files f WHERE f.image = i.id ORDER BY gone IS NOT NULL, path LIMIT 1) "
    "AS path, (SELECT count(*) FROM files f WHERE f.image = i.id AND gone IS NULL)"
)
_COLUMNS_SQL = f"i.id, {_OF_FILES}, i.present, {', '.join(f'i.{name}' for name in _FIELDS)}"
SELECT = f"SELECT {_COLUMNS_SQL} FROM images i"
_SELECT_BY_VECTOR = f"SELECT {_COLUMNS_SQL}, v.id FROM vectors v JOIN images i ON i.id = v.image"


def where_of(wanted: CatalogueFilter) -> tuple[str, list[Any]]:
    """Return the whole condition on images, the presence of a file included."""
    text, values = condition(wanted)
    parts = [*([text] if text else []), *([] if wanted.gone else ["i.present = 1"])]
    return " AND ".join(parts) or "1", values


def table_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Make a table of rows; copies are the further places of an image."""
    import pandas as pd

    found = pd.DataFrame(rows, columns=["image", "path", "copies", "present", *_FIELDS])
    found["copies"] = (found["copies"].astype(int) - 1).clip(lower=0)
    found.insert(3, "gone", found.pop("present").astype(int) == 0)
    return found.set_index("image")


def _ids(rows: Iterable[tuple[int]]) -> NDArray[np.int64]:
    """Return the numbers of a query, ascending."""
    return np.sort(np.fromiter((number for (number,) in rows), np.int64))
