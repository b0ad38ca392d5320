"""Vectors of a catalogue: a mapped file of them, searched exactly, block by block.

The vectors in the database are the truth.  The file beside it is a copy that can be mapped: a
line of JSON, the numbers of the vectors, the vectors in half precision.  It is written whole by
`files.write_file` under a name that tells its content, never changed, and made again when it is
absent, old or wrong.  Vectors added since it was written are read from the database.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import SemError
from napari_sem_tools.files import json_text, write_file

__all__ = ["Model", "Vectors", "best_rows", "find_model"]

_HEADER_BYTES: Final = 512
_BLOCK: Final = 4096  # vectors at a time: 6 MB of float32 at 384 numbers
_TAIL: Final = 4096  # vectors beyond the file that are read from the database ...
_TAIL_SHARE: Final = 0.1  # ... or this share of the file, before it is made again
_STALE_S: Final = 3600.0  # after which an unfinished file belongs to nobody
_AGREE: Final = 2e-3  # by which file and database may differ in a scalar product
_log = logging.getLogger("napari_sem_tools")

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Model:
    """What made the vectors of a catalogue.

    Attributes
    ----------
    number : int
        In the database.
    identity : str
    dimension : int
        Length of its vectors.
    """

    number: int
    identity: str
    dimension: int


def find_model(db: sqlite3.Connection, identity: str) -> Model | None:
    """Return the model of an identity, None where no vector of it is kept."""
    row = db.execute(
        "SELECT id, identity, dimension FROM models WHERE identity = ?", (identity,)
    ).fetchone()
    return None if row is None else Model(*row)


def best_rows(
    query: NDArray[np.float32],
    vectors: NDArray[Any],
    count: int,
    *,
    rows: Ids | None = None,
) -> tuple[Ids, Scores]:
    """Return the rows with the largest scalar product, exactly, in constant memory.

    Parameters
    ----------
    query : float32 array (d,)
    vectors : array (n, d)
        Of any floating type, mapped or not.
    count : int
        How many rows are wanted.
    rows : int array, optional
        The rows that come into question, ascending; by default all.

    Returns
    -------
    int64 array (k,), float32 array (k,)
        Rows and products, largest first, of equal ones the lower row.

    Examples
    --------
    >>> vectors = np.eye(4, dtype=np.float16)
    >>> rows, products = best_rows(np.array([0, 1, 0, 0.5], np.float32), vectors, 2)
    >>> rows.tolist(), products.tolist()
    ([1, 3], [1.0, 0.5])
    """
    total = len(vectors) if rows is None else len(rows)
    best = np.empty(0, np.int64)
    scores = np.empty(0, np.float32)
    for start in range(0, total, _BLOCK):
        stop = min(start + _BLOCK, total)
        part = slice(start, stop) if rows is None else rows[start:stop]
        found = np.asarray(vectors[part], np.float32) @ query
        numbers = np.arange(start, stop) if rows is None else part
        best, scores = _leading(
            np.concatenate([best, numbers]), np.concatenate([scores, found]), count
        )
    return best, scores


def _leading(numbers: Any, scores: Scores, count: int) -> tuple[Ids, Scores]:
    """Keep the `count` largest scores, largest first, of equal ones the lower number."""
    if len(scores) > count:
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        kept = scores >= least
        numbers, scores = numbers[kept], scores[kept]
    order = np.lexsort((numbers, -scores))[:count]
    return numbers[order], scores[order]


@dataclasses.dataclass(frozen=True)
class _Mapped:
    """The mapped file: numbers of the vectors, ascending, and the vectors."""

    ids: Ids
    vectors: NDArray[np.float16]

    @property
    def last(self) -> int:
        """The largest number in it."""
        return int(self.ids[-1]) if len(self.ids) else 0


class Vectors:
    """The vectors of one model in a catalogue, ready to be searched.

    Parameters
    ----------
    db : sqlite3.Connection
    folder : Path
        Of the catalogue.
    model : Model
    """

    def __init__(self, db: sqlite3.Connection, folder: Path, model: Model) -> None:
        self._db, self._folder, self.model = db, folder, model
        self._mapped: _Mapped | None = None
        self._key = ""

    def search(
        self,
        query: NDArray[np.float32],
        count: int,
        *,
        only: Ids | None = None,
        without: Ids | None = None,
    ) -> tuple[Ids, Scores]:
        """Return the numbers of the vectors most like a query.

        Parameters
        ----------
        query : float32 array (d,)
            Of length 1.
        count : int
        only, without : int64 array, optional
            Numbers of vectors that alone come into question, or that do not.

        Returns
        -------
        int64 array (k,), float32 array (k,)
            Numbers and cosines, largest first, worked out from the vectors of the database.
        """
        for _ in range(2):
            mapped = self.refresh()
            ids, scores = self._candidates(mapped, query, count, only, without)
            exact = self._exact(ids, query)
            if np.allclose(scores, exact, atol=_AGREE, rtol=0):  # NaN: it is gone
                break
            _log.warning("The mapped vectors of %s differ from the database.", self._folder)
            self._discard()
        kept = np.isfinite(exact)
        return _leading(ids[kept], exact[kept], count)

    def _candidates(
        self,
        mapped: _Mapped,
        query: NDArray[np.float32],
        count: int,
        only: Ids | None,
        without: Ids | None,
    ) -> tuple[Ids, Scores]:
        """Search the mapped file, then what was added since."""
        rows, best = best_rows(query, mapped.vectors, count, rows=_rows(mapped.ids, only, without))
        ids = mapped.ids[rows]
        for more, vectors in self._tail(mapped.last):
            rows, scores = best_rows(query, vectors, count, rows=_rows(more, only, without))
            ids, best = _leading(
                np.concatenate([ids, more[rows]]), np.concatenate([best, scores]), count
            )
        return ids, best

    def blocks(self, only: Ids | None = None) -> Iterator[tuple[Ids, NDArray[np.float32]]]:
        """Give all vectors, or some, block by block, with their numbers.

        Parameters
        ----------
        only : int64 array, optional
            Numbers of the vectors that are wanted.

        Yields
        ------
        int64 array (m,), float32 array (m, d)
        """
        mapped = self.refresh()
        rows = _rows(mapped.ids, only, None)
        every = np.arange(len(mapped.ids)) if rows is None else rows
        for start in range(0, len(every), _BLOCK):
            part = every[start : start + _BLOCK]
            yield mapped.ids[part], np.asarray(mapped.vectors[part], np.float32)
        for ids, vectors in self._tail(mapped.last):
            rows = _rows(ids, only, None)
            kept = slice(None) if rows is None else rows
            yield ids[kept], vectors[kept].astype(np.float32)

    def refresh(self) -> _Mapped:
        """Map the file, writing it first where it is absent or too much was added since."""
        key, last, total = self._state()
        if self._mapped is None or key != self._key:
            self._mapped, self._key = self._open(key), key
        mapped = self._mapped
        beyond = total - len(mapped.ids) if last > mapped.last else 0
        if beyond > max(_TAIL, _TAIL_SHARE * len(mapped.ids)) or (beyond and not len(mapped.ids)):
            with contextlib.suppress(SemError):  # where nobody may write, the database answers
                self._write(key)
                self._mapped = mapped = self._open(key)
        return mapped

    def _state(self) -> tuple[str, int, int]:
        """Return what the file must be called, the last number, and how many there are."""
        facts = dict(self._db.execute("SELECT name, value FROM facts").fetchall())
        # Numbers are never used twice, and what is taken away changes the fact `vectors`; so
        # the last number tells how many there are without counting them.
        last = self._db.execute(
            "SELECT max(id) FROM vectors WHERE model = ?", (self.model.number,)
        ).fetchone()[0]
        key = f"{facts['catalogue']}-{self.model.number}-{facts['vectors']}"
        known = self._mapped if key == self._key else None
        if known is not None and (last or 0) <= known.last:
            return key, last or 0, len(known.ids)
        total = self._db.execute(
            "SELECT count(*) FROM vectors WHERE model = ?", (self.model.number,)
        ).fetchone()[0]
        return key, last or 0, total

    def _files(self, key: str = "") -> list[Path]:
        """List the mapped files of this model, newest last; all, or those with a key."""
        pattern = f"vectors-{key}-*.f16" if key else f"vectors-*-{self.model.number}-*.f16"
        return sorted(self._folder.glob(pattern), key=lambda p: int(p.stem.rpartition("-")[2]))

    def _open(self, key: str) -> _Mapped:
        """Map the newest file that is whole; none is an empty one."""
        for path in reversed(self._files(key)):
            with contextlib.suppress(OSError, ValueError, KeyError):
                return _map(path, self.model)
        return _Mapped(np.empty(0, np.int64), np.empty((0, self.model.dimension), np.float16))

    def _discard(self) -> None:
        """Forget and delete the mapped files of this model."""
        self._mapped, self._key = None, ""
        for path in self._files():
            with contextlib.suppress(OSError):
                path.unlink()

    def _write(self, key: str) -> None:
        """Write all vectors to a new mapped file, then delete the older ones."""
        older = self._files()
        for left in self._folder.glob(".vectors-*.partial"):  # of a crash
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE_S:
                    left.unlink()
        self._db.execute("BEGIN")  # all is read from one state
        try:
            count, last = self._db.execute(
                "SELECT count(*), max(id) FROM vectors WHERE model = ?", (self.model.number,)
            ).fetchone()
            path = self._folder / f"vectors-{key}-{last or 0}.f16"
            write_file(path, lambda file: self._fill(file, count))
        finally:
            self._db.execute("COMMIT")
        for old in older:
            with contextlib.suppress(OSError):  # Windows: somebody has it mapped
                if old != path:
                    old.unlink()

    def _fill(self, file: BinaryIO, count: int) -> None:
        """Write header, numbers and vectors."""
        header = json_text(
            {"model": self.model.identity, "dimension": self.model.dimension, "count": count},
            indent=None,
        )
        file.write(header.encode("utf-8").ljust(_HEADER_BYTES - 1) + b"\n")
        for column in ("id", "vector"):
            rows = self._db.execute(
                f"SELECT {column} FROM vectors WHERE model = ? ORDER BY id",
                (self.model.number,),
            )
            while block := rows.fetchmany(_BLOCK):
                values = [value for (value,) in block]
                file.write(
                    np.array(values, "<i8").tobytes() if column == "id" else b"".join(values)
                )

    def _tail(self, last: int) -> Iterator[tuple[Ids, NDArray[np.float16]]]:
        """Give the vectors beyond a number from the database, block by block."""
        rows = self._db.execute(
            "SELECT id, vector FROM vectors WHERE model = ? AND id > ? ORDER BY id",
            (self.model.number, last),
        )
        while block := rows.fetchmany(_BLOCK):
            ids = np.array([number for number, _ in block], np.int64)
            flat = np.frombuffer(b"".join(vector for _, vector in block), "<f2")
            yield ids, flat.reshape(len(ids), self.model.dimension)

    def _exact(self, ids: Ids, query: NDArray[np.float32]) -> Scores:
        """Return the products with the vectors of the database; NaN where there is none."""
        found = np.full(len(ids), np.nan, np.float32)
        for place, number in enumerate(ids.tolist()):
            vector = self.vector(number)
            if vector is not None:
                found[place] = vector @ query
        return found

    def vector(self, number: int) -> NDArray[np.float32] | None:
        """Return a vector by its number, None where there is none."""
        row = self._db.execute("SELECT vector FROM vectors WHERE id = ?", (number,)).fetchone()
        return None if row is None else np.frombuffer(row[0], "<f2").astype(np.float32)


def _rows(ids: Ids, only: Ids | None, without: Ids | None) -> Ids | None:
    """Return the rows of some numbers, ascending; None means all rows."""
    if only is not None:
        return np.flatnonzero(np.isin(ids, only, assume_unique=True))
    if without is not None and len(without):
        return np.flatnonzero(~np.isin(ids, without, assume_unique=True))
    return None


def _map(path: Path, model: Model) -> _Mapped:
    """Map a file; ValueError where it is not whole or of another model."""
    with open(path, "rb") as file:
        header = json.loads(file.read(_HEADER_BYTES))
    count, dimension = int(header["count"]), int(header["dimension"])
    size = _HEADER_BYTES + count * (8 + 2 * dimension)
    if (header["model"], dimension) != (model.identity, model.dimension):
        raise ValueError(f"{path.name} is of another model")
    if path.stat().st_size != size or not count:
        raise ValueError(f"{path.name} is not whole")
    ids = np.fromfile(path, "<i8", count, offset=_HEADER_BYTES)
    vectors = np.memmap(
        path, "<f2", "r", offset=_HEADER_BYTES + 8 * count, shape=(count, dimension)
    )
    return _Mapped(ids, vectors)
