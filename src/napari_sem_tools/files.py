"""The one place that writes to disk: a file appears whole or not at all.

A file is written beside its place under a temporary name, flushed, synchronised and
renamed; a folder is built beside its place and renamed.  A crash at any moment leaves
the old state or the new one, never a third.  Temporary names begin with ``.`` and end
in ``.partial``, so that nobody takes them for results.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import math
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from napari_sem_tools.errors import OutputExists, SemError

__all__ = [
    "discard_folder",
    "growing_file",
    "json_text",
    "only_writer",
    "place_file",
    "place_folder",
    "plain_value",
    "replace_folder",
    "sweep",
    "write_file",
    "write_text",
]

_RETRIES = 5  # Windows: a virus scanner may hold the file for a moment
_PAUSE_S = 0.05


def write_file(path: str | os.PathLike[str], content: bytes | Callable[[BinaryIO], object]) -> Path:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : path-like
        Where the file shall appear; its folder is made if need be.
    content : bytes or callable
        What to write, or a function that writes into the open binary file it is given.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    SemError
        The disk is full, or the place may not be written to; the old file is untouched.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "w+b") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, target)
        _synchronise(target.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SemError(
            f"{target} could not be written: {reason}.",
            hint="Choose a folder that you may write to and that has free space.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return target


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a UTF-8 text file whole or not at all; line ends stay as they are."""
    return write_file(path, text.encode("utf-8"))


def plain_value(value: Any) -> Any:
    """Turn a value into what JSON knows; numbers that are none become None.

    Parameters
    ----------
    value : any
        Mappings, sequences, arrays, numpy numbers, paths; everything else becomes its text.

    Returns
    -------
    dict, list, str, bool, int, float or None

    Examples
    --------
    >>> plain_value({"sizes": (1.5, float("nan")), "n": 2})
    {'sizes': [1.5, None], 'n': 2}
    """
    if hasattr(value, "tolist"):  # arrays and numpy's numbers
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(one) for one in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def json_text(content: Any, *, indent: int | None = 2) -> str:
    """Write JSON that every reader accepts: what is no number is null, never ``NaN``.

    Parameters
    ----------
    content : any
        As `plain_value` takes it.
    indent : int or None
        Blanks a level; None writes one line without blanks.

    Returns
    -------
    str

    Examples
    --------
    >>> json_text({"sd": float("nan")}, indent=None)
    '{"sd":null}'
    """
    marks = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        plain_value(content), indent=indent, separators=marks, ensure_ascii=False, allow_nan=False
    )


def replace_folder(built: Path, target: Path) -> Path:
    """Move a finished folder to its place; what was there goes only afterwards.

    Parameters
    ----------
    built : Path
        The complete folder, on the same disk as `target`.
    target : Path
        Its place.  Where the system can, an existing folder changes places with `built` in
        one step (Linux, macOS) and is then deleted.  Elsewhere it is renamed aside first;
        should the machine stop between the two renames, `sweep` puts it back.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    SemError
        The folder cannot be put in place; what was there is untouched.
    """
    aside = _aside(target)
    try:
        for folder, _, _ in os.walk(built):
            _synchronise(Path(folder))
        if target.exists():
            if not _exchange(built, target):
                _two_renames(built, target, aside)
        else:
            os.rename(built, target)
    except OSError as error:
        raise SemError(
            f"{target} could not be put in place: {error.strerror or error}.",
            hint=f"The finished results are in {built}.",
        ) from error
    _synchronise(target.parent)
    for old in (aside, built):
        shutil.rmtree(old, ignore_errors=True)
    return target


def sweep(target: Path) -> None:
    """Repair what a crash during `replace_folder` left: put the old folder back.

    Raises
    ------
    SemError
        The old folder cannot be put back.
    """
    aside = _aside(target)
    if not aside.exists():
        return
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        return
    try:
        os.rename(aside, target)
    except OSError as error:
        raise SemError(
            f"{target} could not be put back: {error.strerror or error}.",
            hint=f"Rename {aside} to {target.name}.",
        ) from error


def place_folder(built: Path, target: Path) -> Path:
    """Move a finished folder to a place that must be free; the first of two writers wins.

    Parameters
    ----------
    built : Path
        The complete folder, on the same disk as `target`.
    target : Path
        Its place, never replaced.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    OutputExists
        The place is taken.
    SemError
        It may not be written to.
    """
    try:
        if target.exists():  # POSIX renames over an empty folder
            raise FileExistsError(errno.EEXIST, "it is there already")
        _synchronise(built)
        os.rename(built, target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise OutputExists(f"{target} is there already.") from error
        raise SemError(
            f"{target} could not be put in place: {error.strerror or error}.",
            hint="Choose a folder that you may write to and that has free space.",
        ) from error
    _synchronise(target.parent)
    return target


def discard_folder(target: Path) -> None:
    """Delete a folder so that it is there whole or not at all: rename aside, then delete."""
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        os.rename(target, aside)
    except OSError as error:
        raise SemError(
            f"{target} could not be removed: {error.strerror or error}.",
            hint="Close what uses it, and check that you may write to its folder.",
        ) from error
    _synchronise(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def growing_file(partial: Path) -> Iterator[BinaryIO]:
    """Open a file that grows over several runs, such as a download that is resumed.

    Parameters
    ----------
    partial : Path
        Its name must begin with ``.`` and end in ``.partial``; it is made if need be and
        locked against other programs while it is open.  When it is whole, `place_file`
        gives it its name.

    Yields
    ------
    binary file
        Open for reading and writing, at its end; flushed and synchronised when left.

    Raises
    ------
    SemError
        Another program is writing it, or the place may not be written to.
    """
    if not (partial.name.startswith(".") and partial.name.endswith(".partial")):
        raise ValueError(f"{partial.name} is not the name of an unfinished file")
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        file = open(partial, "a+b")  # noqa: SIM115  closed below, whatever happens
    except OSError as error:
        raise SemError(
            f"{partial} could not be written: {error.strerror or error}.",
            hint="Choose a folder that you may write to and that has free space.",
        ) from error
    with file:
        if not (_lock(file) and os.path.samestat(os.fstat(file.fileno()), os.stat(partial))):
            raise SemError(
                f"{partial} is being written by another program.",
                hint="Wait until it has finished, then try again.",
            )
        file.seek(0, os.SEEK_END)
        try:
            yield file
        finally:
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def only_writer(target: Path) -> Iterator[None]:
    """Keep other programs from writing the same results at the same time.

    Parameters
    ----------
    target : Path
        The file or folder that will be written.  Beside it lies an empty hidden file that is
        locked meanwhile; the system frees it when a program dies, whatever happens.

    Raises
    ------
    OutputExists
        Another program is writing it.
    SemError
        The place may not be written to.
    """
    place = target.with_name(f".{target.name}.lock.partial")
    file = _own(place, target)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows deletes only what is closed
            place.unlink()
        file.close()
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                place.unlink()


def _own(place: Path, target: Path) -> BinaryIO:
    """Open and lock the file that tells other programs to stay away."""
    for _ in range(_RETRIES):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            file = open(place, "a+b")  # noqa: SIM115  closed by whoever holds it
        except OSError as error:
            raise SemError(
                f"{target} could not be written: {error.strerror or error}.",
                hint="Choose a folder that you may write to and that has free space.",
            ) from error
        if not _lock(file):
            file.close()
            raise OutputExists(
                f"{target} is being written by another run.",
                hint="Wait until it has finished, or choose another folder.",
            )
        with contextlib.suppress(OSError):  # gone: the other run has just deleted it
            if os.path.samestat(os.fstat(file.fileno()), os.stat(place)):
                return file
        file.close()
    raise OutputExists(f"{target} is being written by other runs.", hint="Try again later.")


def place_file(built: Path, target: Path) -> Path:
    """Give a finished, synchronised file its name, replacing what was there."""
    _replace(built, target)
    _synchronise(target.parent)
    return target


def _lock(file: BinaryIO) -> bool:
    """Lock an open file until it is closed; False when somebody else holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**40)  # beyond the contents: Windows locks are mandatory
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


def _aside(target: Path) -> Path:
    """Where an old folder waits while the new one takes its place."""
    return target.with_name(f".{target.name}.replaced.partial")


def _two_renames(built: Path, target: Path, aside: Path) -> None:
    """Put the old folder aside and the new one in place; undo it when that fails."""
    if aside.exists():
        shutil.rmtree(aside)
    os.rename(target, aside)
    try:
        os.rename(built, target)
    except OSError:
        os.rename(aside, target)
        raise


def _exchange(first: Path, second: Path) -> bool:
    """Let two folders change places in one step; False where the system cannot."""
    names = os.fsencode(first), os.fsencode(second)
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "linux":
            here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
            return bool(library.renameat2(here, names[0], here, names[1], swap) == 0)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, 2) == 0)  # RENAME_SWAP
    except (AttributeError, OSError, TypeError):  # no such call in this C library
        return False
    return False


def _replace(temporary: Path, target: Path) -> None:
    """Rename over the target; on Windows try again while another program holds it."""
    for attempt in range(_RETRIES):
        try:
            os.replace(temporary, target)
        except PermissionError:
            if sys.platform != "win32" or attempt == _RETRIES - 1:
                raise
            time.sleep(_PAUSE_S * 2**attempt)
        else:
            return


def _synchronise(folder: Path) -> None:
    """Make the rename itself durable; systems that cannot open a folder do without."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
