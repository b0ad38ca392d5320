"""Adding folders: file by file, committed as it goes, so that a stop costs a second of work.

A file is known by path, size and time of change and is then not even opened.  Otherwise its
content decides: a known content at a new place has moved there, or is a copy.
"""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from napari_sem_tools.catalogue.entries import Entry, Looking, file_sha256, in_words, look_at
from napari_sem_tools.catalogue.filters import under
from napari_sem_tools.catalogue.records import Added, Failure
from napari_sem_tools.errors import Cancelled, SemError, UnreadableFile
from napari_sem_tools.reading import SUFFIXES
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["Adding", "image_files"]

_COMMIT_EVERY_S: Final = 1.0
_COMMIT_EVERY: Final = 64  # files
_LISTED: Final = 1000  # paths looked up at a time
_RESULTS: Final = frozenset(("report.html", "summary.json", "particles.csv"))

Failed = Callable[[Failure], None]


def image_files(root: Path, *, leave_out: Path | None = None) -> Iterator[Path]:
    """List the images in a folder and deeper, one after the other, in order of names.

    Parameters
    ----------
    root : Path
        A folder, or one file.
    leave_out : Path, optional
        A folder that is passed by, such as that of the catalogue.

    Yields
    ------
    Path
        Hidden files and folders, links to folders and folders that `analyze` wrote are passed
        by.  A folder that may not be listed is passed by too.
    """
    if root.is_file():
        yield root
        return
    try:
        with os.scandir(root) as listing:
            inside = sorted((e for e in listing if not e.name.startswith(".")), key=_name)
    except OSError:
        return
    if {e.name for e in inside} >= _RESULTS:
        return
    for entry in inside:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if leave_out is None or path != leave_out:
                yield from image_files(path, leave_out=leave_out)
        elif path.suffix.lower() in SUFFIXES:
            yield path


def _name(entry: os.DirEntry[str]) -> str:
    """Sort by name."""
    return entry.name


class Adding:
    """One run of adding, over an open catalogue.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the writer.
    looking : Looking
        What is made of every image.
    again : bool
        Look once more at files that failed before.
    failed : callable, optional
        Called with each file that cannot be catalogued.
    cancel : callable, optional
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        looking: Looking,
        *,
        again: bool = False,
        failed: Failed | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        self._db, self._looking, self._again = connection, looking, again
        self._failed, self._cancel = failed, cancel
        self._counts = dict.fromkeys((f.name for f in dataclasses.fields(Added)), 0)
        self._model: tuple[int, int] | None = None  # its number, the length of its vectors
        self._begun, self._waiting = 0.0, 0

    def run(
        self, roots: Sequence[Path], *, leave_out: Path, progress: Progress | None = None
    ) -> Added:
        """Add files and folders, and mark files that are gone.

        Parameters
        ----------
        roots : sequence of Path
            Files and folders, absolute.
        leave_out : Path
            The folder of the catalogue.
        progress : callable, optional

        Returns
        -------
        Added

        Raises
        ------
        Cancelled
            What was done is kept.
        """
        total = self._count(roots, leave_out)
        try:
            for root in roots:
                self._mark_gone(root)
            paths = (p for root in roots for p in image_files(root, leave_out=leave_out))
            for number, path in enumerate(paths):
                stop_if_cancelled(self._cancel)
                report(progress, number, max(total, number + 1), f"cataloguing {path.name}")
                self._add(path)
                self._commit_now_and_then()
        except Cancelled:  # comes before the first change of a file, never within
            self._commit()
            raise
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._commit()
        report(progress, total, total, "catalogued")
        return Added(**self._counts)

    def _count(self, roots: Sequence[Path], leave_out: Path) -> int:
        """Count the files, which on a slow disk takes a while and may be cancelled."""
        total = 0
        for root in roots:
            for _ in image_files(root, leave_out=leave_out):
                total += 1
                if total % _LISTED == 0:
                    stop_if_cancelled(self._cancel)
        return total

    # --- transactions --------------------------------------------------------------------------

    def _change(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Change something, in a transaction that is begun with the first change."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
            self._begun = time.monotonic()
        return self._db.execute(sql, values)

    def _commit_now_and_then(self) -> None:
        """Commit once a second or every 64 files."""
        self._waiting += 1
        late = time.monotonic() - self._begun >= _COMMIT_EVERY_S
        if late or self._waiting >= _COMMIT_EVERY:
            self._commit()

    def _commit(self) -> None:
        """Keep what was done."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")
        self._waiting = 0

    # --- files ---------------------------------------------------------------------------------

    def _mark_gone(self, root: Path) -> None:
        """Mark files of a folder that are no longer there; those that cannot be asked stay."""
        low, high = under(root) if root.is_dir() else (str(root), str(root) + "\0")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        while True:
            rows = self._db.execute(
                "SELECT path FROM files WHERE path >= ? AND path < ? AND gone IS NULL "
                "ORDER BY path LIMIT ?",
                (low, high, _LISTED),
            ).fetchall()
            for (path,) in rows:
                stop_if_cancelled(self._cancel)
                if _is_gone(path):
                    self._change("UPDATE files SET gone = ? WHERE path = ?", (now, path))
                    self._counts["gone"] += 1
            if len(rows) < _LISTED:
                return
            low = rows[-1][0] + "\0"

    def _add(self, path: Path) -> None:
        """Add a file, or keep why that could not be done."""
        try:
            name, state = _text(path), os.stat(path)
            size, changed = state.st_size, state.st_mtime_ns
        except (OSError, UnicodeError) as error:
            self._fail(path, _printable(path), (0, 0), _unnamed(path, error))
            return
        if self._known(path, name, size, changed):
            return
        try:
            self._look(path, name, size, changed)
        except (Cancelled, sqlite3.Error):
            raise
        except Exception as error:  # noqa: BLE001  the file's own task ends here; it is named
            self._fail(path, name, (size, changed), in_words(path, error))

    def _known(self, path: Path, name: str, size: int, changed: int) -> bool:
        """Tell whether a file needs no look; one that came back is marked so."""
        row = self._db.execute(
            "SELECT image, error, hint, gone FROM files "
            "WHERE path = ? AND size_bytes = ? AND mtime_ns = ?",
            (name, size, changed),
        ).fetchone()
        if row is None:
            return False
        image, error, hint, gone = row
        if error is not None and not self._again:
            self._counts["failed"] += 1
            if self._failed is not None:
                self._failed(Failure(path, error, hint or ""))
            return True
        if image is None or not self._has_vector(image):
            return False
        if gone is not None:
            self._change("UPDATE files SET gone = NULL WHERE path = ?", (name,))
        self._counts["known"] += 1
        return True

    def _look(self, path: Path, name: str, size: int, changed: int) -> None:
        """Find out by its content what a file is, and keep it."""
        sha256 = file_sha256(path, self._cancel)
        row = self._db.execute(
            "SELECT id FROM images WHERE sha256 = ? AND size_bytes = ?", (sha256, size)
        ).fetchone()
        image = None if row is None else int(row[0])
        entry = None if image and self._has_vector(image) else look_at(path, self._looking)
        after = os.stat(path)
        if (after.st_size, after.st_mtime_ns) != (size, changed):
            raise UnreadableFile(
                f"{path.name} changed while it was read.", hint="It is tried again the next time."
            )
        before = self._db.execute(
            "SELECT 1 FROM files WHERE path = ? AND image = ?", (name, image)
        ).fetchone()
        kind = "new" if image is None else "known" if before else self._came_from(image)
        model = self._model_of(entry)
        if image is None and entry is not None:
            image = self._insert(sha256, size, entry)
        if model is not None and entry is not None and entry.vector is not None:
            self._change(
                "INSERT OR IGNORE INTO vectors (model, image, vector) VALUES (?, ?, ?)",
                (model, image, entry.vector.astype("<f2").tobytes()),
            )
        self._keep_file(name, size, changed, image=image)
        self._counts[kind] += 1

    def _has_vector(self, image: int) -> bool:
        """Tell whether an image needs no vector of the present model."""
        source = self._looking.source
        if source is None:
            return True
        return (
            self._db.execute(
                "SELECT 1 FROM vectors v JOIN models m ON m.id = v.model "
                "WHERE v.image = ? AND m.identity = ?",
                (image, source.identity),
            ).fetchone()
            is not None
        )

    def _came_from(self, image: int) -> str:
        """Tell a moved file from a copy; the place that a moved one left is forgotten."""
        row = self._db.execute(
            "SELECT path FROM files WHERE image = ? ORDER BY gone IS NULL, path", (image,)
        ).fetchone()
        if row is None or not _is_gone(row[0]):
            return "copies" if row is not None else "new"
        self._change("DELETE FROM files WHERE path = ?", row)
        return "moved"

    def _insert(self, sha256: bytes, size: int, entry: Entry) -> int:
        """Keep a new image and its thumbnail."""
        row = {"sha256": sha256, "size_bytes": size, **entry.row}
        marks = ", ".join("?" * len(row))
        cursor = self._change(
            f"INSERT INTO images ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
        )
        image = cursor.lastrowid or 0
        self._change("INSERT INTO thumbnails VALUES (?, ?)", (image, entry.thumbnail))
        return image

    def _model_of(self, entry: Entry | None) -> int | None:
        """Return the number of what made a vector; vectors of another length are refused."""
        source = self._looking.source
        if source is None or entry is None or entry.vector is None:
            return None
        length = len(entry.vector)
        if self._model is None:
            self._change(
                "INSERT OR IGNORE INTO models (identity, dimension) VALUES (?, ?)",
                (source.identity, length),
            )
            self._model = self._db.execute(
                "SELECT id, dimension FROM models WHERE identity = ?", (source.identity,)
            ).fetchone()
        number, dimension = self._model
        if dimension != length:
            raise SemError(
                f"{source.identity} made vectors of {dimension} numbers before, now of {length}.",
                hint="Vectors that differ need an identity that differs.",
            )
        return int(number)

    def _fail(self, path: Path, name: str, state: tuple[int, int], error: SemError) -> None:
        """Keep why a file is not in the catalogue, and say so."""
        self._keep_file(name, *state, error=error)
        self._counts["failed"] += 1
        if self._failed is not None:
            self._failed(Failure(path, error.message, error.hint))

    def _keep_file(
        self,
        name: str,
        size: int,
        changed: int,
        *,
        image: int | None = None,
        error: SemError | None = None,
    ) -> None:
        """Keep what is at a path."""
        values = (size, changed, image, error and error.message, error and error.hint)
        self._change(
            "INSERT INTO files (path, size_bytes, mtime_ns, image, error, hint) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET "
            "size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, "
            "image = excluded.image, error = excluded.error, hint = excluded.hint, gone = NULL",
            (name, *values),
        )


def _is_gone(path: str) -> bool:
    """Tell whether a file is surely not there; what cannot be asked may be."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _text(path: Path) -> str:
    """Return a path as text; UnicodeEncodeError where its bytes are none."""
    name = str(path)
    name.encode("utf-8")
    return name


def _printable(path: Path) -> str:
    """Return a path with what is no text written as codes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _unnamed(path: Path, error: Exception) -> SemError:
    """Say that a file cannot be asked, or that its name cannot be kept."""
    if isinstance(error, UnicodeError):
        return UnreadableFile(
            f"The name {_printable(path)!r} is not readable text.", hint="Rename the file."
        )
    return in_words(path, error)
