"""The forms of drawn scale bars: what a connected part of ink must look like to be one."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration._parts import Parts

__all__ = ["Form", "Kind", "Stroke", "lone_ticks", "paired_lines", "stroke_of", "whole_bar"]

Kind = Literal["solid", "ticked", "broken", "ruler", "ticks"]
Mask = NDArray[np.bool_]

_FULL = 0.97  # of the width that a row of the bar covers
_MOST = 0.5  # that the rows beside it cover, which JPEG has frayed
_MIN_TICKS = 5  # equally spaced marks from which on it is a ruler
_THIN_TICK = 3.5  # px; wider ends are serifs or arrows, of which the outer length counts


@dataclasses.dataclass(frozen=True)
class Form:
    """A bar: its form, length in px, where it lies and how far its ends may be off.

    `top`, `left`, `bottom`, `right` are the bounding box, half open.
    """

    kind: Kind
    length: float
    top: int
    left: int
    bottom: int
    right: int
    doubt: float = 0.0


@dataclasses.dataclass(frozen=True)
class Stroke:
    """A horizontal line with what leaves it: rows of the line, columns of the marks.

    `marks` are (first, stop) of the columns in which ink leaves the line; `rows` are those
    of the line, `lines` the number of separate full-width lines.
    """

    top: int
    left: int
    bottom: int
    right: int
    rows: tuple[int, int]
    lines: int
    marks: NDArray[np.intp]
    depth: tuple[int, ...]

    @property
    def width(self) -> int:
        """Outer length in px."""
        return self.right - self.left

    @property
    def thickness(self) -> int:
        """Height of the line in px."""
        return self.rows[1] - self.rows[0]


def stroke_of(ink: Mask, top: int, left: int) -> Stroke | None:
    """Take a part apart into its full-width line and the marks that leave it.

    Parameters
    ----------
    ink : bool array (Y, X)
        The bounding box of one part; `top` and `left` say where it lies.
    """
    height, width = ink.shape
    cover = ink.mean(axis=1)
    most = cover >= _MOST
    ends = np.flatnonzero(np.diff(most, prepend=False, append=False)).reshape(-1, 2)
    ends = ends[[bool((cover[a:b] >= _FULL).any()) for a, b in ends]]
    if len(ends) == 0:
        return None
    first, stop = (int(row) for row in ends[np.argmax(ends[:, 1] - ends[:, 0])])
    rest = ink[~most]
    leaving = rest.any(axis=0) if len(rest) else np.zeros(width, bool)
    marks = np.flatnonzero(np.diff(leaving, prepend=False, append=False)).reshape(-1, 2)
    depth = tuple(int(rest[:, a:b].any(axis=1).sum()) for a, b in marks)
    return Stroke(
        top, left, top + height, left + width, (top + first, top + stop), len(ends), marks, depth
    )


def whole_bar(stroke: Stroke) -> Form | None:
    """Tell whether a line is a bar by itself: solid, with ticks at its ends, or a ruler."""
    box = (stroke.top, stroke.left, stroke.bottom, stroke.right)
    width, marks = stroke.width, stroke.marks
    if len(marks) == 0 or max(stroke.depth) <= max(1, (stroke.thickness + 1) // 3):
        solid = width >= 2.2 * stroke.thickness and stroke.lines == 1
        return Form("solid", width - 0.5, *box) if solid else None
    ruler = _even_marks(marks, width)
    if ruler is not None:
        return Form("ruler", ruler, *box)
    if stroke.lines != 1 or len(marks) != 2:
        return None
    (a, b), (c, d) = marks
    at_ends = a <= 1 and d >= width - 1 and max(b - a, d - c) <= 0.2 * width
    alike = abs(stroke.depth[0] - stroke.depth[1]) <= 1 + max(stroke.depth) // 4
    tall = min(stroke.depth) + stroke.thickness >= 1.8 * stroke.thickness
    # a wide H has ticks and a line too
    long = width >= max(4 * stroke.thickness, 1.2 * (stroke.bottom - stroke.top))
    if not (at_ends and alike and tall and long):
        return None
    if max(b - a, d - c) <= _THIN_TICK:
        return Form("ticked", float(c + d - a - b) / 2, *box)
    return Form("ticked", width - 0.5, *box, doubt=(b - a + d - c) / 4 / np.sqrt(3))


def _even_marks(marks: NDArray[np.intp], width: int) -> float | None:
    """Return the length between the first and the last of equally spaced marks."""
    if len(marks) < _MIN_TICKS:
        return None
    centres = marks.mean(axis=1) - 0.5
    index = np.arange(len(centres))
    slope, start = np.polyfit(index, centres, 1)
    even = np.abs(centres - (slope * index + start)).max() < 1.0
    narrow = (marks[:, 1] - marks[:, 0]).max() <= max(3.0, 0.3 * slope)
    across = centres[-1] - centres[0] >= 0.9 * (width - 4)
    return float(centres[-1] - centres[0]) if even and narrow and across else None


def paired_lines(strokes: list[Stroke], ink: Mask) -> list[Form]:
    """Join two lines of the same rows that are broken by the label between them."""
    forms = []
    for first in strokes:
        for second in strokes:
            gap = second.left - first.right
            if not (gap > 0 and first.rows == second.rows and first.lines == second.lines == 1):
                continue
            if gap > 3 * max(first.width, second.width):
                continue
            if abs(first.width - second.width) > max(2, 0.1 * max(first.width, second.width)):
                continue
            form = _broken(first, second)
            top, bottom = max(first.rows[0] - 3, 0), first.rows[1] + 3
            between = ink[top:bottom, first.right + 1 : second.left - 1]
            if form is not None and between.size and 0.05 < between.mean() < 0.9:
                forms.append(form)
    return forms


def _broken(first: Stroke, second: Stroke) -> Form | None:
    """Make a bar of its two halves, when marks leave them at the outer ends only."""
    box = (
        min(first.top, second.top),
        first.left,
        max(first.bottom, second.bottom),
        second.right,
    )
    outer = second.right - first.left
    if len(first.marks) == 0 and len(second.marks) == 0:
        return Form("broken", outer - 0.5, *box)
    if len(first.marks) != 1 or len(second.marks) != 1:
        return None
    (a, b), (c, d) = first.marks[0], second.marks[0]
    if a > 1 or d < second.width - 1 or b > 0.4 * first.width or c < 0.6 * second.width:
        return None
    if max(b - a, d - c) > _THIN_TICK:
        return Form("broken", outer - 0.5, *box, doubt=(b - a + d - c) / 4 / np.sqrt(3))
    length = second.left + (c + d) / 2 - first.left - (a + b) / 2
    return Form("broken", float(length), *box)


def lone_ticks(parts: Parts, columns: int) -> list[Form]:
    """Find rulers without a line: thin vertical marks at equal distances on one line."""
    thin = np.flatnonzero(
        (parts.width <= np.maximum(3, 0.34 * parts.height))
        & (parts.height >= 3)
        & (parts.height <= 0.05 * columns)
        & (parts.fill >= 0.8)
    )
    forms: list[Form] = []
    for side in (parts.top, parts.bottom):
        for level in np.unique(side[thin]):
            index = thin[np.abs(side[thin] - level) <= 1]
            if len(index) >= _MIN_TICKS:
                forms += _even_ticks(parts, index[np.argsort(parts.left[index])])
    return forms


def _even_ticks(parts: Parts, index: NDArray[np.intp]) -> list[Form]:
    """Return the longest sequence of equally spaced marks as a ruler."""
    centres = (parts.left[index] + parts.right[index] - 1) / 2
    steps = np.diff(centres)
    even = np.abs(np.diff(steps)) <= 1.5
    ends = np.flatnonzero(np.diff(even, prepend=False, append=False)).reshape(-1, 2)
    if len(ends) == 0:
        return []
    first, stop = (int(end) for end in ends[np.argmax(ends[:, 1] - ends[:, 0])])
    some = index[first : stop + 2]
    place = np.arange(len(some))
    slope, start = np.polyfit(place, centres[first : stop + 2], 1)
    off = np.abs(centres[first : stop + 2] - (slope * place + start)).max()
    if len(some) < _MIN_TICKS or off >= 1.0 or slope < 3:
        return []
    return [
        Form(
            "ticks",
            float(centres[stop + 1] - centres[first]),
            int(parts.top[some].min()),
            int(parts.left[some].min()),
            int(parts.bottom[some].max()),
            int(parts.right[some].max()),
        )
    ]
