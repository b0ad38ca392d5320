"""Opening a catalogue: one writer, readers beside it, and a journal that suits the disk.

SQLite writes its own files, the one exception to ``files.py``: its journal does what is done
there by hand (the old state or the new one, never a third).  The write-ahead log lets readers go
on while a writer writes, but needs memory that all of them share; on a network share the
rollback journal is used instead.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from napari_sem_tools.catalogue.schema import APPLICATION_ID, SCHEMA, VERSION
from napari_sem_tools.errors import SemError, UnreadableFile
from napari_sem_tools.files import only_writer

__all__ = ["FILE_NAME", "Journal", "database_errors", "on_network_share", "reader", "writer"]

FILE_NAME: Final = "catalogue.sqlite"
Journal = Literal["auto", "wal", "rollback"]

_WAIT_S: Final = 30.0  # for another program that is just writing
_SHARES: Final = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "fuse.rclone", "ceph")
)
_REMOTE_DRIVE: Final = 4  # DRIVE_REMOTE of Windows


@contextlib.contextmanager
def database_errors(place: Path) -> Iterator[None]:
    """Say in a sentence what SQLite complains about."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise SemError(
            f"The catalogue {place} could not be used: {error}.",
            hint="Check that the disk has space, that you may write there, and that no other "
            "program holds it.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise UnreadableFile(
            f"The catalogue {place} is damaged: {error}.",
            hint="Delete it and add the folders again; your images are not touched.",
        ) from error


@contextlib.contextmanager
def writer(
    place: Path, *, journal: Journal = "auto", create: bool = True
) -> Iterator[sqlite3.Connection]:
    """Open a catalogue to change it; a second writer is refused.

    Parameters
    ----------
    place : Path
        The folder of the catalogue.
    journal : {"auto", "wal", "rollback"}
    create : bool
        Make it where there is none.

    Yields
    ------
    sqlite3.Connection
        Without automatic transactions.

    Raises
    ------
    OutputExists
        Another program is writing it.
    UnreadableFile
        There is none, it is damaged, or a later program made it.
    SemError
        It cannot be written to.
    """
    file = place / FILE_NAME
    if not create:
        _check_there(place)
    with only_writer(file), database_errors(place):
        connection = sqlite3.connect(
            file, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        with contextlib.closing(connection):
            _check(connection, place)
            _choose_journal(connection, place, journal)
            connection.execute("PRAGMA foreign_keys = ON")
            _create(connection)
            yield connection


def reader(place: Path) -> sqlite3.Connection:
    """Open a catalogue to look at it; it is never changed through this connection.

    Parameters
    ----------
    place : Path
        The folder of the catalogue.

    Returns
    -------
    sqlite3.Connection
        May be used from any thread, by one at a time.

    Raises
    ------
    UnreadableFile
        There is none, or it is damaged.
    """
    file = place / FILE_NAME
    _check_there(place)
    # Where nobody may write, the log of the journal cannot be opened and cannot change either.
    frozen = "" if os.access(place, os.W_OK) else "&immutable=1"
    with database_errors(place):
        connection = sqlite3.connect(
            f"file:{quote(file.absolute().as_posix())}?mode=ro{frozen}",
            uri=True,
            timeout=_WAIT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _check(connection, place)
            if _pragma(connection, "user_version") == 0:
                raise UnreadableFile(
                    f"The catalogue {place} is empty.", hint="Add a folder to it first."
                )
        except BaseException:
            connection.close()
            raise
    return connection


def _check_there(place: Path) -> None:
    """Refuse a path without a catalogue."""
    if not (place / FILE_NAME).is_file():
        raise UnreadableFile(
            f"There is no catalogue at {place}.", hint="Check the path, or add a folder to it."
        )


def _check(connection: sqlite3.Connection, place: Path) -> None:
    """Refuse a file that is no catalogue, or one of a later program."""
    version, kind = _pragma(connection, "user_version"), _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and kind != APPLICATION_ID:
        raise UnreadableFile(f"{place / FILE_NAME} is no catalogue.", hint="Choose another folder.")
    if version > VERSION:
        raise UnreadableFile(
            f"The catalogue {place} was made by a later version of napari-sem-tools.",
            hint="Update napari-sem-tools.",
        )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    """Read a number of the header."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _choose_journal(connection: sqlite3.Connection, place: Path, journal: Journal) -> None:
    """Use the write-ahead log where it works, else the rollback journal."""
    wanted = journal == "wal" or (journal == "auto" and not on_network_share(place))
    if wanted:
        with contextlib.suppress(sqlite3.OperationalError):  # no shared memory on this disk
            if _journal(connection, "WAL") == "wal":
                connection.execute("PRAGMA synchronous = NORMAL")
                return
    _journal(connection, "DELETE")
    connection.execute("PRAGMA synchronous = FULL")


def _journal(connection: sqlite3.Connection, mode: str) -> str:
    """Ask for a journal; return which one there is."""
    return str(connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0])


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables, all or none."""
    if _pragma(connection, "user_version"):
        return
    connection.executescript(
        f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
        f"INSERT INTO facts VALUES ('catalogue', '{uuid.uuid4().hex}'), ('vectors', '0'); "
        f"PRAGMA user_version = {VERSION}; COMMIT;"
    )


def on_network_share(place: Path) -> bool:
    """Tell whether a folder lies on another computer's disk, as far as the system says.

    Parameters
    ----------
    place : Path

    Returns
    -------
    bool
        False where it cannot be known (macOS).
    """
    whole = os.path.abspath(place)
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(whole)[0]
        if drive.startswith("\\\\"):
            return True
        return bool(ctypes.windll.kernel32.GetDriveTypeW(f"{drive}\\") == _REMOTE_DRIVE)
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return _kind_of_mount(mounts, os.path.realpath(whole)) in _SHARES


def _kind_of_mount(mounts: str, path: str) -> str:
    """Return the file system of the mount that a path lies on, from Linux' list of mounts."""
    found = ("", "")
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = fields[4].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[0]):
            found = point, right.split()[0]
    return found[1]
