"""What the Classify widget knows about files: answers, corrections and their undo; no Qt here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.widgets.classify.text import short_answer
from napari_sem_tools.widgets.history import Undoable
from napari_sem_tools.widgets.table.filters import rows_matching

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALL", "VIEWS", "NamedFiles"]

ALL = "all files"
_FIRST = ("file", "category", "found", "confidence", "answer", "reason", "possible", "in_domain",
          "distance", "nearest", "corrected", "new", "folder", "sure", "said")  # fmt: skip
_LAST = ("error",)


def _is(name: str, value: Any) -> Callable[[pd.DataFrame], NDArray[np.bool_]]:
    """Return what finds the rows with a value."""
    return lambda table: np.asarray(table[name].to_numpy(object) == value, bool)


def _doubtful(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which files need a look: an answer that is no plain category, not yet corrected."""
    plain = (table["answer"].to_numpy(object) == "category") | (table["error"] != "")
    return np.asarray(~plain & (table["corrected"].to_numpy(object) == ""), bool)


VIEWS: dict[str, Callable[[pd.DataFrame], NDArray[np.bool_]]] = {
    ALL: lambda table: np.ones(len(table), bool),
    "new": _is("new", True),
    "doubtful": _doubtful,
    "corrected": lambda table: np.asarray(table["corrected"].to_numpy(object) != "", bool),
    "not readable": lambda table: np.asarray(table["error"].to_numpy(object) != "", bool),
}
"""Name of a view -> the rows of the table that it shows."""


class NamedFiles(Undoable[dict[Path, str]]):
    """Classified files in the order in which they came, and what the user says of each.

    A file that is classified again takes the place of its former row; a correction stays.
    """

    def __init__(self) -> None:
        super().__init__({})
        self.rows: dict[Path, dict[str, Any]] = {}
        self.pictures: dict[Path, NDArray[np.uint8]] = {}
        self.run = 0
        self._runs: dict[Path, int] = {}

    @property
    def corrected(self) -> dict[Path, str]:
        """What the user says that files are."""
        return self.state

    def begin(self) -> None:
        """Start a run: what comes from now on is new, what is there is old."""
        self.run += 1
        self.state_changed()

    def add(
        self, file: Path, row: Mapping[str, Any], picture: NDArray[np.uint8] | None = None
    ) -> None:
        """Take the answer about a file.

        Parameters
        ----------
        file : Path
        row : mapping
            As `napari_sem_tools.classify` has it.
        picture : uint8 array (Y, X), optional
        """
        self.rows[file] = dict(row)
        self._runs[file] = self.run
        if picture is not None:
            self.pictures[file] = picture
        self.state_changed()

    def remove(self, files: Iterable[Path]) -> None:
        """Take files off the list."""
        for file in files:
            for held in (self.rows, self.pictures, self.corrected, self._runs):
                held.pop(file, None)
        self.forget_steps()
        self.state_changed()

    def category(self, file: Path) -> str:
        """Return the category of a file: that of the user, else what was found."""
        return self.corrected.get(file, "") or str(self.rows[file].get("category") or "")

    def categories(self) -> list[str]:
        """List the categories that files have or may have, in the order of the answers."""
        found: dict[str, None] = {}
        for row in self.rows.values():
            found |= {str(key)[2:]: None for key in row if str(key).startswith("p ")}
        found |= dict.fromkeys(name for name in self.corrected.values() if name)
        return list(found)

    # --- corrections -----------------------------------------------------------------------

    def correct(self, files: Iterable[Path], category: str) -> int:
        """Say what files are; empty: what was found counts again.  Return how many changed."""
        changed = [
            one for one in files if one in self.rows and self.corrected.get(one, "") != category
        ]
        if changed:
            said = self.corrected | dict.fromkeys(changed, category)
            self.step_to({file: name for file, name in said.items() if name})
        return len(changed)

    def lessons(self) -> dict[str, list[Path]]:
        """List the corrected files by category: examples to teach with."""
        found: dict[str, list[Path]] = {}
        for file, category in self.corrected.items():
            found.setdefault(category, []).append(file)
        return found

    def state_changed(self) -> None:
        """Make the table anew when it is asked for."""
        self.__dict__.pop("table", None)

    # --- the table -------------------------------------------------------------------------

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """All files by path; ``category`` is the corrected one, ``found`` that of the model."""
        import pandas as pd

        rows = [self._row(file) for file in self.rows]
        chances = [f"p {name}" for name in self.categories() if any(f"p {name}" in r for r in rows)]
        table = pd.DataFrame(rows, columns=[*_FIRST, *chances, *_LAST])
        table.index = pd.Index(list(self.rows), dtype=object)
        return table

    def _row(self, file: Path) -> dict[str, Any]:
        """Return the row of a file as it is shown and exported."""
        row = self.rows[file]
        possible = row.get("possible")
        texts = {name: _text(row.get(name)) for name in ("answer", "reason", "nearest", "error")}
        return {
            **row,
            **texts,
            "file": file.name,
            "folder": str(file.parent),
            "found": _text(row.get("category")),
            "category": self.category(file),
            "possible": ", ".join(possible) if isinstance(possible, tuple | list) else "",
            "corrected": self.corrected.get(file, ""),
            "said": self._said(file),
            "sure": row.get("confidence") if row.get("category") else None,
            "new": self._runs[file] == self.run,
        }

    def _said(self, file: Path) -> str:
        """Return category and doubt in two lines; a correction leaves no doubt."""
        doubt = "" if file in self.corrected else short_answer(self.rows[file].get("answer"))
        error = "not readable" if self.rows[file].get("error") else ""
        return "\n".join(part for part in (self.category(file), doubt, error) if part)

    def shown(self, view: str, text: str, category: str = "") -> NDArray[np.intp]:
        """List the places of the files that a view and a filter show.

        Parameters
        ----------
        view : str
            A key of `VIEWS`.
        text : str
            Words that name, folder, category or answer hold, or an expression such as
            ``confidence < 0.8``.
        category : str
            Only files of it; empty: of any or none.

        Raises
        ------
        InvalidSettings
            The expression cannot be understood.
        """
        seen = VIEWS[view](self.table)
        if category:
            seen = seen & _is("category", category)(self.table)
        if text.strip():
            seen = seen & rows_matching(text, lambda: self.table, self._words)
        return np.flatnonzero(seen)

    def _words(self) -> list[str]:
        """List what a filter of words looks at."""
        names = ["file", "folder", "category", "answer", "reason", "error"]
        return [" ".join(row) for row in self.table[names].to_numpy(object).tolist()]

    def export(self, places: NDArray[np.intp] | None = None) -> pd.DataFrame:
        """Return the table as it is written to a file: paths in full, nothing of the window."""
        table = self.table if places is None else self.table.iloc[places]
        found = table.drop(columns=["file", "folder", "new", "sure", "said"])
        found.insert(0, "image", [str(path) for path in table.index])
        return found


def _text(value: Any) -> str:
    """Return a text; empty for what is missing."""
    return value if isinstance(value, str) else ""
