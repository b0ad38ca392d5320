"""The rows of the label strip: as stated, held against the pixels, or as found."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration import find_data_bar
from napari_sem_tools.reading.statement import Statement

__all__ = ["Strip", "label_strip"]

_NEAR_ROWS: Final = 3  # a found edge so near to the stated one is the stated one
_STRIP_LIKE: Final = 0.35  # share of equal neighbours of a strip, also in lossy files
_JUMP: Final = 0.05  # of the range: step of level at the edge of a strip
_SAME_HEIGHT: Final = 0.15  # relative difference of stated and found heights of one strip


@dataclasses.dataclass(frozen=True)
class Strip:
    """The label strip of a picture.

    Attributes
    ----------
    rows : (int, int) or None
        Half open.
    candidates : tuple of int
        Numbers of rows that the picture without strip may have had.
    resized : str
        Why the strip's height tells that the file was resized; else empty.
    notes : tuple of str
    """

    rows: tuple[int, int] | None
    candidates: tuple[int, ...] = ()
    resized: str = ""
    notes: tuple[str, ...] = ()


def label_strip(said: Statement, grey: NDArray[Any]) -> Strip:
    """Find the label strip.

    Parameters
    ----------
    said : Statement
    grey : array (Y, X)
        The picture, strip included.

    Returns
    -------
    Strip
    """
    if grey.dtype.kind == "c" or said.reciprocal is not None:
        return Strip(None)
    height = int(grey.shape[0])
    stated = _stated_first(said, (height, int(grey.shape[1])))
    if stated == height:
        found = find_data_bar(grey)  # the file says there is no strip below the picture
        return Strip(found)
    found = find_data_bar(grey)
    if stated is None:
        return Strip(found)
    if found is not None and abs(found[0] - stated) <= _NEAR_ROWS:
        return Strip((stated, height), (stated,))
    if said.stored[1] not in (None, grey.shape[1]):
        return Strip(found)  # of another width: the stated rows are only a guess
    if _is_edge(grey, stated) or (found is None and _begins_strip(grey, stated)):
        return Strip((stated, height), (stated,))
    return _contradicted(said, grey, stated, found)


def _stated_first(said: Statement, size: tuple[int, int]) -> int | None:
    """Return the row in the file at which the stated strip begins; the height: there is none."""
    height, width = size
    rows, columns = said.stored
    if said.rows_without_strip and rows and columns:
        first = round(rows * min(1.0, width / columns)) if width != columns else rows
        return first if 0 < first <= height else None
    if said.strip_rows is not None and 0 <= said.strip_rows < height:
        return height - said.strip_rows
    return None


def _contradicted(
    said: Statement, grey: NDArray[Any], stated: int, found: tuple[int, int] | None
) -> Strip:
    """Take the found strip where the stated one is not in the pixels."""
    height = int(grey.shape[0])
    note = f"The file states a label strip from row {stated}, the picture shows " + (
        "none." if found is None else f"one in rows {found[0]} to {found[1] - 1}; that was taken."
    )
    resized = ""
    if said.strip_rows and not said.rows_without_strip:
        own = height - found[0] if found is not None else 0
        if abs(own / said.strip_rows - 1) > _SAME_HEIGHT:
            resized = (
                f"The label strip should have {said.strip_rows} rows and has {own}: the file was "
                "cropped or resized afterwards, and the stated pixel size may not hold."
            )
    return Strip(found, (stated,), resized, (note,))


def _equal_share(rows: NDArray[Any]) -> float:
    """Return the share of horizontal neighbours that are equal."""
    if rows.shape[0] == 0 or rows.shape[1] < 2:
        return 0.0
    return float(np.mean(rows[:, 1:] == rows[:, :-1]))


def _strip_like(rows: NDArray[Any]) -> bool:
    """Tell whether rows can be a strip: mostly one level."""
    return _equal_share(rows) >= _STRIP_LIKE


def _begins_strip(grey: NDArray[Any], row: int) -> bool:
    """Tell whether the rows from here on, and the first quarter of them, can be a strip."""
    quarter = max(3, (grey.shape[0] - row) // 4)
    return _strip_like(grey[row:]) and _strip_like(grey[row : row + quarter])


def _is_edge(grey: NDArray[Any], row: int) -> bool:
    """Tell whether a strip begins at this row: its like below, not above, or a step of level."""
    if not 1 <= row < grey.shape[0] or not _begins_strip(grey, row):
        return False
    above, below = grey[max(0, row - 3) : row], grey[row : row + 3]
    if _equal_share(grey[max(0, row - 8) : row]) < _equal_share(grey[row:]) - 0.2:
        return True
    span = float(grey.max()) - float(grey.min())
    step = abs(float(np.median(above)) - float(np.median(below)))
    return span > 0 and step > _JUMP * span
