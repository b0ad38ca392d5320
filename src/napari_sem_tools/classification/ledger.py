"""Rows of a long classification, kept on disk as they come, so that it can be gone on with."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from napari_sem_tools.files import growing_file, json_text

__all__ = ["Ledger", "opened_ledger", "partial_of"]

_MODEL: Final = "model"


class Ledger:
    """Rows by file; a file that changed, or another model, is asked anew.

    Parameters
    ----------
    file : binary file
        Open at its end.
    rows : dict of str to dict
        What is there already, by the key of the file.
    """

    def __init__(self, file: BinaryIO, rows: dict[str, dict[str, Any]]) -> None:
        self._file, self._rows = file, rows

    def find(self, image: Any) -> dict[str, Any] | None:
        """Return the row of a file that was done, None of anything else.

        Parameters
        ----------
        image : path-like or other

        Returns
        -------
        dict or None
        """
        key = _key(image)
        return None if key is None else self._rows.get(key)

    def keep(self, image: Any, row: dict[str, Any]) -> None:
        """Write the row of a file down at once.

        Parameters
        ----------
        image : path-like or other
            What is no file is not kept.
        row : dict
        """
        key = _key(image)
        if key is None:
            return
        self._file.write(json_text({"key": key, "row": row}, indent=None).encode() + b"\n")
        self._file.flush()


@contextlib.contextmanager
def opened_ledger(path: str | os.PathLike[str], identity: str) -> Iterator[Ledger]:
    """Open the rows of an earlier run, or begin anew where another model wrote them.

    Parameters
    ----------
    path : path-like
        The rows lie beside it, as ``.NAME.partial``.
    identity : str
        Of the model.

    Yields
    ------
    Ledger

    Raises
    ------
    SemError
        It cannot be written, or another program is writing it.
    """
    with growing_file(partial_of(path)) as file:
        file.seek(0)
        lines = [_read(line) for line in file.read().splitlines()]
        known = [line for line in lines if line is not None]
        if not known or known[0].get(_MODEL) != identity:
            file.truncate(0)
            file.write(json.dumps({_MODEL: identity}).encode() + b"\n")
            file.flush()
            known = []
        elif None in lines:
            file.write(b"\n")  # a line that was cut off by a kill
        rows = {one["key"]: one["row"] for one in known if "key" in one}
        for row in rows.values():
            if "possible" in row:
                row["possible"] = tuple(row["possible"])
        yield Ledger(file, rows)


def partial_of(path: str | os.PathLike[str]) -> Path:
    """Return where the rows of a run lie.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Path

    Examples
    --------
    >>> partial_of("out/named.csv").name
    '.named.csv.partial'
    """
    place = Path(path)
    return place.with_name(f".{place.name}.partial")


def _key(image: Any) -> str | None:
    """Return path, size and time of a file."""
    if not isinstance(image, str | os.PathLike):
        return None
    with contextlib.suppress(OSError):
        told = os.stat(image)
        return f"{Path(image).absolute()}|{told.st_size}|{told.st_mtime_ns}"
    return None


def _read(line: bytes) -> dict[str, Any] | None:
    """Read a line; None where it was cut off."""
    with contextlib.suppress(ValueError):
        read = json.loads(line)
        return read if isinstance(read, dict) else None
    return None
