"""The one place that writes to disk: a file appears whole or not at all.

A file is written beside its place under a temporary name, flushed, synchronised and
renamed; a folder is built beside its place and renamed.  A crash at any moment leaves
the old state or the new one, never a third.  Temporary names begin with ``.`` and end
in ``.partial``, so that nobody takes them for results.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from napari_sem_tools.errors import SemError

__all__ = ["replace_folder", "sweep", "write_file", "write_text"]

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


def replace_folder(built: Path, target: Path) -> Path:
    """Move a finished folder to its place; what was there goes only afterwards.

    Parameters
    ----------
    built : Path
        The complete folder, on the same disk as `target`.
    target : Path
        Its place.  An existing folder is renamed aside, replaced, then deleted; should
        the machine stop between the two renames, `sweep` puts it back.

    Returns
    -------
    Path
        `target`.
    """
    aside = target.with_name(f".{target.name}.replaced.partial")
    if aside.exists() and target.exists():
        shutil.rmtree(aside)
    if target.exists():
        os.rename(target, aside)
    try:
        os.rename(built, target)
    except OSError as error:
        if aside.exists() and not target.exists():
            os.rename(aside, target)
        raise SemError(
            f"{target} could not be put in place: {error.strerror or error}.",
            hint=f"The finished results are in {built}.",
        ) from error
    _synchronise(target.parent)
    shutil.rmtree(aside, ignore_errors=True)
    return target


def sweep(target: Path) -> None:
    """Repair what a crash during `replace_folder` left: put the old folder back."""
    aside = target.with_name(f".{target.name}.replaced.partial")
    if aside.exists():
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.rename(aside, target)


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
