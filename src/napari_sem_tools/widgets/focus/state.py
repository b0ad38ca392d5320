"""What the Focus widget knows about scored files: rows, marks and their undo; no Qt here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.files.folder import FileScore, scores_table
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.history import Undoable
from napari_sem_tools.widgets.table.filters import rows_matching

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KEEP", "REJECT", "VIEWS", "ScoredFiles", "thumbnail"]

KEEP, REJECT = "keep", "reject"
_THUMBNAIL = (48, 64)  # px, rows and columns at most
_TRIM = (0.5, 99.5)  # percent of the grey values between black and white

_ALL = "all files"

VIEWS: dict[str, Callable[[pd.DataFrame], Any]] = {
    _ALL: lambda table: np.ones(len(table), bool),
    "unmarked": lambda table: table["mark"].to_numpy(object) == "",
    "kept": lambda table: table["mark"].to_numpy(object) == KEEP,
    "rejected": lambda table: table["mark"].to_numpy(object) == REJECT,
    "no information": lambda table: _without_information(table),
    "not readable": lambda table: table["error"].notna().to_numpy(),
}
"""Name of a view -> the rows of the table that it shows."""


class ScoredFiles(Undoable[dict[Path, str]]):
    """Scored files in the order in which they came, what the user thinks of each, and undo.

    A file that is scored again takes the place of its former row; its mark stays.
    """

    def __init__(self) -> None:
        super().__init__({})
        self.rows: list[FileScore] = []
        self.thumbnails: dict[Path, NDArray[np.uint8]] = {}
        self._place: dict[Path, int] = {}

    @property
    def marks(self) -> dict[Path, str]:
        """What the user thinks of files."""
        return self.state

    def clear(self) -> None:
        """Forget all files."""
        self.__init__()  # type: ignore[misc]  # the same as a new one, and views keep it
        self.state_changed()

    def add(self, row: FileScore, picture: NDArray[np.uint8] | None = None) -> int:
        """Take a scored file and return the place of its row."""
        place = self._place.setdefault(row.file, len(self.rows))
        self.rows[place : place + 1] = [row]
        if picture is not None:
            self.thumbnails[row.file] = picture
        self.state_changed()
        return place

    def remove(self, files: Iterable[Path]) -> None:
        """Forget files, e.g. those that were moved away."""
        gone = set(files)
        self.rows = [row for row in self.rows if row.file not in gone]
        self._place = {row.file: place for place, row in enumerate(self.rows)}
        for file in gone:
            self.marks.pop(file, None)
            self.thumbnails.pop(file, None)
        self.state_changed()

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """All rows with their marks, as they are exported."""
        return scores_table(self.rows, marks=self.marks, measures=self.measures())

    def measures(self) -> tuple[str, ...]:
        """List the measures that were worked out on the way, in their order."""
        found = [row.score.measures for row in self.rows if row.score is not None]
        return tuple(dict.fromkeys(name for one in found for name in one))

    # --- marks ---------------------------------------------------------------------------

    def mark(self, files: Iterable[Path], mark: str) -> int:
        """Keep, reject or unmark (empty) files; return how many changed."""
        changed = [one for one in files if self.marks.get(one, "") != mark]
        if changed:
            self.step_to(self.marks | dict.fromkeys(changed, mark))
        return len(changed)

    def mark_below(self, score: float) -> int:
        """Reject what scores less, and what has no score; keeps by hand stay."""
        poor = [
            row.file
            for row in self.rows
            if not row.value >= score and self.marks.get(row.file) != KEEP
        ]
        return self.mark(poor, REJECT)

    def state_changed(self) -> None:
        """Make the table anew when it is asked for."""
        self.__dict__.pop("table", None)

    def marked(self, mark: str) -> list[Path]:
        """List the files with a mark, in the order of their rows."""
        return [row.file for row in self.rows if self.marks.get(row.file) == mark]

    # --- which are shown -----------------------------------------------------------------

    def shown(self, view: str, text: str) -> NDArray[np.intp]:
        """List the places of the rows that a view and a filter show.

        Parameters
        ----------
        view : str
            A key of `VIEWS`.
        text : str
            Words that file name or reasons hold, or an expression such as
            ``score < 5 and snr > 2``.

        Raises
        ------
        InvalidSettings
            The expression cannot be understood.
        """
        if view == _ALL and not text.strip():
            return np.arange(len(self.rows))
        seen = np.asarray(VIEWS[view](self.table), bool)
        if text.strip():
            words = functools.partial(map, _words, self.rows)
            seen = seen & rows_matching(text, self._for_expressions, words)
        return np.flatnonzero(seen)

    def _for_expressions(self) -> pd.DataFrame:
        """Return the table with empty texts where there are none, so that they compare."""
        table = self.table.copy()
        for name in table.columns:
            if table[name].dtype.kind not in "biuf":
                table[name] = table[name].astype(object).where(table[name].notna(), "")
        return table


def thumbnail(image: Micrograph, shape: tuple[int, int] = _THUMBNAIL) -> NDArray[np.uint8]:
    """Shrink an image to a few pixels, black to white over its field.

    Parameters
    ----------
    image : Micrograph
    shape : (int, int)
        Rows and columns at most.

    Returns
    -------
    uint8 array

    Examples
    --------
    >>> thumbnail(Micrograph(np.arange(300 * 400.0).reshape(300, 400))).shape
    (42, 57)
    """
    plane = image.plane()
    pixels = np.asarray(plane.grey, np.float32)
    step = max(1, *(-(-size // most) for size, most in zip(pixels.shape, shape, strict=True)))
    rows, columns = (size // step for size in pixels.shape)
    if not rows or not columns:
        rows, columns, step = *pixels.shape, 1
    blocks = pixels[: rows * step, : columns * step].reshape(rows, step, columns, step)
    small = np.nan_to_num(blocks.mean(axis=(1, 3)))
    inside = plane.field[: rows * step : step, : columns * step : step]
    low, high = np.percentile(small[inside] if inside.any() else small, _TRIM)
    span = max(float(high - low), 1e-6)
    return np.asarray(255 * np.clip((small - low) / span, 0, 1), np.uint8)


def _words(row: FileScore) -> str:
    """Return what a filter of words looks at."""
    reasons: Sequence[str] = () if row.score is None else row.score.reasons
    return " ".join((row.file.name, *reasons, row.error))


def _without_information(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Say where a picture shows nothing that could be sharp."""
    return np.array([value is False or value == 0 for value in table["information"]], bool)
