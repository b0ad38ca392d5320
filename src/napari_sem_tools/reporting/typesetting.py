"""Words to lines and cells to columns, by the widths of the letters of the PDF's own fonts."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

__all__ = ["BOLD", "MONO", "SANS", "column_widths", "drawable", "text_width", "wrap"]

SANS, BOLD, MONO = "DejaVu Sans", "DejaVu Sans:bold", "DejaVu Sans Mono"
"""The fonts that come with matplotlib, so that every machine has them."""
_FINE = 100.0  # size at which letters are measured, in points
_BREAKABLE = re.compile(r"(?<=[_/\-,;:])(?=\S)")  # where a long word may go on in the next line


@functools.lru_cache(maxsize=4)
def _font(font: str) -> Any:
    """Load a font."""
    from matplotlib.font_manager import findfont, get_font

    return get_font(findfont(font))


@functools.lru_cache(maxsize=20_000)
def _width(text: str, font: str) -> float:
    """Measure a text at the size of one point."""
    from matplotlib.ft2font import LoadFlags

    face = _font(font)
    face.set_size(_FINE, 72)
    face.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    return float(face.get_width_height()[0]) / 64 / _FINE


def text_width(text: str, size: float, font: str = SANS) -> float:
    """Return the width of a text in points.

    Parameters
    ----------
    text : str
    size : float
        Of the letters, in points.
    font : str

    Returns
    -------
    float
    """
    return _width(text, font) * size


def drawable(text: str, font: str = SANS) -> str:
    """Replace what a font cannot draw by a question mark, and tabs by blanks.

    Parameters
    ----------
    text : str
    font : str

    Returns
    -------
    str
    """
    face = _font(font)
    return "".join(c if face.get_char_index(ord(c)) else "?" for c in text.replace("\t", "    "))


def wrap(text: str, width: float, size: float, font: str = SANS) -> list[str]:
    """Break a text into lines that fit a width.

    Parameters
    ----------
    text : str
        Line feeds stay.
    width : float
        In points.
    size : float
        Of the letters, in points.
    font : str

    Returns
    -------
    list of str
        At least one line; words that are too long are broken at signs, else anywhere.

    Examples
    --------
    >>> wrap("one two three", 30.0, 10.0)
    ['one', 'two', 'three']
    """
    lines: list[str] = []
    for part in text.split("\n"):
        line = ""
        for word in drawable(part, font).split(" "):
            longer = f"{line} {word}" if line else word
            if text_width(longer, size, font) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *full, line = _pieces(word, width, size, font)
            lines += full
        lines.append(line)
    return lines


def _pieces(word: str, width: float, size: float, font: str) -> list[str]:
    """Break a word that is too long for a line."""
    if text_width(word, size, font) <= width:
        return [word]
    pieces = [""]
    for part in _BREAKABLE.split(word):
        if text_width(pieces[-1] + part, size, font) <= width:
            pieces[-1] += part
            continue
        if pieces[-1]:
            pieces.append("")
        for letter in part:
            if pieces[-1] and text_width(pieces[-1] + letter, size, font) > width:
                pieces.append("")
            pieces[-1] += letter
    return pieces


def column_widths(natural: Sequence[float], room: float, *, fill: bool) -> list[float]:
    """Share the room among columns.

    Parameters
    ----------
    natural : sequence of float
        Widths that the columns would like to have.
    room : float
        All of them together, at most.
    fill : bool
        True to share what is left over, too.

    Returns
    -------
    list of float
        Narrow columns get what they like; wide ones share the rest equally.

    Examples
    --------
    >>> column_widths([10.0, 200.0, 60.0], 120.0, fill=False)
    [10.0, 55.0, 55.0]
    """
    widths = list(natural)
    if sum(widths) <= room:
        spare = (room - sum(widths)) / max(len(widths), 1) if fill else 0.0
        return [width + spare for width in widths]
    left, share = room, 0.0
    for place, width in enumerate(sorted(widths)):
        share = left / (len(widths) - place)
        if width > share:
            break
        left -= width
    return [min(width, share) for width in widths]
