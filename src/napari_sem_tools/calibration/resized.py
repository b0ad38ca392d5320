"""Whether a file was resized or cropped after acquisition, and what then holds of its scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final, Literal

__all__ = ["Verdict", "compare_sizes"]

Kind = Literal["as acquired", "resized", "rows cropped", "rows added", "unclear", "unknown"]

_SAME_RATIO: Final = 0.01  # of each other: two factors that come from one resize
_SMALLEST_FACTOR: Final = 0.02


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a picture between acquisition and file.

    Attributes
    ----------
    kind : str
        ``"as acquired"``, ``"resized"``, ``"rows cropped"``, ``"rows added"``, ``"unclear"``
        (cropped, scaled or put together; no scale holds for sure) or ``"unknown"`` (no
        stored size to compare with).
    factor : (float, float)
        File size over stored size (y, x); the pixel size is to be divided by it.
    note : str
        What to say aloud; empty when nothing happened.
    """

    kind: Kind
    factor: tuple[float, float] = (1.0, 1.0)
    note: str = ""

    @property
    def holds(self) -> bool:
        """True when the stated pixel size, divided by `factor`, may be used."""
        return self.kind != "unclear"


def compare_sizes(
    stored: tuple[int | None, int | None],
    size: tuple[int, int],
    *,
    picture_rows: Iterable[int] = (),
) -> Verdict:
    """Compare the size at acquisition with that of the file.

    Parameters
    ----------
    stored : (int or None, int or None)
        Rows and columns that the metadata state.
    size : (int, int)
        Rows and columns of the file.
    picture_rows : iterable of int, optional
        Other numbers of rows that may be the picture's, e.g. without the label strip.

    Returns
    -------
    Verdict

    Notes
    -----
    A resized picture shrinks alike in both directions, a cropped one does not.  A crop with
    exactly the proportions of the whole cannot be told from a resize; so the note is said
    aloud.

    Examples
    --------
    >>> compare_sizes((192, 256), (96, 128)).factor
    (0.5, 0.5)
    >>> compare_sizes((192, 256), (150, 128)).kind
    'unclear'
    >>> compare_sizes((960, 1280), (640, 800), picture_rows=[600]).factor
    (0.625, 0.625)
    """
    rows, columns = stored
    height, width = size
    if columns is None or columns <= 0:
        return _by_rows(rows, height)
    if width == columns:
        return _same_width(rows, (height, *picture_rows), stored, size)
    if width > columns:
        return Verdict("unclear", note=_unclear(stored, size, "put together or enlarged"))
    factor = width / columns
    if rows is None or rows <= 0 or factor < _SMALLEST_FACTOR:
        return Verdict("unclear", note=_unclear(stored, size, "cropped or made smaller"))
    for picture in (height, *picture_rows):
        own = picture / rows
        # A row more or less by rounding is no other proportion.
        if abs(own / factor - 1) <= _SAME_RATIO or abs(picture - factor * rows) <= 0.5:
            return Verdict(
                "resized",
                (factor, factor),
                f"Resized after acquisition: the file has {width} columns, {columns} were "
                f"acquired; the pixel size was divided by {factor:.6g}.",
            )
    return Verdict("unclear", note=_unclear(stored, size, "cropped, or cropped and resized"))


def _same_width(
    rows: int | None,
    candidates: tuple[int, ...],
    stored: tuple[int | None, int | None],
    size: tuple[int, int],
) -> Verdict:
    """Judge a file as wide as acquired: its pixel size holds."""
    if rows is None or rows <= 0 or rows in candidates:
        return Verdict("as acquired")
    if size[0] < rows:
        return Verdict(
            "rows cropped",
            note=f"Cropped after acquisition: {size[0]} of {rows} rows are left; "
            "the pixel size holds.",
        )
    return Verdict("rows added")


def _by_rows(rows: int | None, height: int) -> Verdict:
    """Judge by rows alone where no width is stated."""
    if rows is None or rows <= 0 or rows == height:
        return Verdict("unknown")
    return Verdict("unclear", note=f"The file has {height} rows, {rows} were acquired.")


def _unclear(stored: tuple[int | None, int | None], size: tuple[int, int], what: str) -> str:
    """Say that the sizes do not fit."""
    acquired = f"{stored[1]} x {stored[0] if stored[0] else '?'}"
    return (
        f"The file has {size[1]} x {size[0]} px, {acquired} were acquired: it was {what} "
        "afterwards, and the stated pixel size may not hold."
    )
