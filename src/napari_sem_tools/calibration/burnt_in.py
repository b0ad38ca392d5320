"""Letters, boxes and drawn bars that were burnt into the picture itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration._grey import as_plane, as_uint8
from napari_sem_tools.calibration._parts import Parts, find_parts
from napari_sem_tools.errors import InvalidSettings

__all__ = ["find_boxes", "find_burnt_in"]

Mask = NDArray[np.bool_]
Plane = NDArray[np.uint8]

_EXTREME = 25  # levels from black or white that ink may have after JPEG
_ZONE = 0.2  # of the rows, at the top and at the bottom: where letters are looked for
_HARD = 80.0  # levels between ink and what is two pixels beside it
_LETTER = (0.008, 0.12)  # height of letters, of the rows
_THIN = 0.23  # thickness of strokes, of the height of a letter; a disc has 0.39
_LINE_FILL, _LINE_STROKE = 0.27, 0.06  # means of a line; bright rims of particles have less
_MAX_PARTS = 3000  # more are a texture, not a text
_GROW = 3  # px around ink that anti-aliasing and JPEG have touched


def find_burnt_in(
    pixels: Any,
    *,
    data_bar: tuple[int, int] | None = None,
    overlay: Mask | None = None,
) -> Mask:
    """Mark the pixels that letters, boxes and bars drawn into the picture cover.

    Parameters
    ----------
    pixels : array (Y, X) or (Y, X, 3)
        Any numeric type.  A stack is refused: pass one page.
    data_bar : (int, int), optional
        Rows of the label strip, half open; it is left out, being no part of the picture.
    overlay : bool array (Y, X), optional
        Coloured pixels of a grey picture, which are drawn for sure.

    Returns
    -------
    bool array (Y, X)
        True where nothing should be measured.  It is for looking at and editing; nothing is
        ever painted over.

    Raises
    ------
    InvalidSettings
        The array is no single image, or `overlay` has another shape.

    Notes
    -----
    Marked are boxes of one level with letters in them, anywhere, and in the upper and lower
    fifth lines of at least three letters, or of two beside a drawn bar.  A letter is black or
    white, thin and hard-edged.  Round saturated particles, single letters and letters of a
    middle grey are not marked: what is left out of a measurement must be sure.

    Examples
    --------
    >>> import numpy as np
    >>> bool(find_burnt_in(np.zeros((100, 100), np.uint8)).any())
    False
    """
    plane = as_plane(pixels)
    if overlay is not None and overlay.shape != plane.shape:
        raise InvalidSettings(f"An overlay of {overlay.shape} does not fit {plane.shape}.")
    grey = as_uint8(plane)
    marked = np.zeros(plane.shape, bool)
    if min(plane.shape) >= 32:
        for first, stop in _picture_parts(len(grey), data_bar):
            for top, left, bottom, right in find_boxes(grey[first:stop]):
                marked[first + top : first + bottom, left:right] = True
        for first, stop in _zones(len(grey), data_bar):
            _mark_letters(grey[first:stop], marked[first:stop], len(grey))
    if overlay is not None:
        marked |= overlay
    if marked.any():
        marked = _grown(marked)
    if data_bar is not None:
        marked[slice(*data_bar)] = False
    return marked


def _picture_parts(rows: int, data_bar: tuple[int, int] | None) -> list[tuple[int, int]]:
    """Return the rows above and below the label strip."""
    if data_bar is None:
        return [(0, rows)]
    parts = [(0, data_bar[0]), (data_bar[1], rows)]
    return [(first, stop) for first, stop in parts if stop - first >= 16]


def _zones(rows: int, data_bar: tuple[int, int] | None) -> list[tuple[int, int]]:
    """Return the rows near the upper and the lower border of the picture."""
    stop = data_bar[0] if data_bar is not None else rows
    depth = int(_ZONE * stop)
    return [(0, depth), (stop - depth, stop)] if depth >= 8 else []


def _grown(marked: Mask) -> Mask:
    """Grow a mask by a square, one axis after the other."""
    for axis in (0, 1):
        source = np.moveaxis(marked, axis, 0)
        grown = source.copy()
        for step in range(1, _GROW + 1):
            grown[step:] |= source[:-step]
            grown[:-step] |= source[step:]
        marked = np.moveaxis(grown, 0, axis)
    return np.ascontiguousarray(marked)


def _mark_letters(grey: Plane, marked: Mask, rows: int) -> None:
    """Mark lines of letters, and the bars beside them, of both polarities."""
    for ink in (grey >= 255 - _EXTREME, grey <= _EXTREME):
        if not 0 < np.count_nonzero(ink) <= 0.35 * ink.size:
            continue
        parts = find_parts(ink, grey)
        if not 2 <= len(parts.area) <= _MAX_PARTS:
            continue
        letters = _letters(parts, rows)
        bars = _bars(parts, rows)
        chosen = _lines(parts, letters, bars)
        if chosen.any():
            marked |= parts.mask(chosen | (bars & _beside(parts, bars, chosen)))


def _letters(parts: Parts, rows: int) -> Mask:
    """Tell which parts have height, strokes and edges of a letter."""
    height = parts.height
    low, high = max(5.0, _LETTER[0] * rows), _LETTER[1] * rows
    return np.asarray(
        (height >= low)
        & (height <= high)
        & (parts.width <= 1.6 * height)
        & (parts.stroke <= _THIN * np.maximum(height, parts.width))
        & (parts.contrast >= _HARD)
    )


def _bars(parts: Parts, rows: int) -> Mask:
    """Tell which parts are long filled rectangles."""
    return np.asarray(
        (parts.width >= 4 * parts.height)
        & (parts.width >= 0.02 * rows)
        & (parts.height <= 0.04 * rows)
        & (parts.fill >= 0.9)
    )


def _lines(parts: Parts, letters: Mask, bars: Mask) -> Mask:
    """Choose letters that stand in a line: three of them, or two beside a bar."""
    from scipy.sparse.csgraph import connected_components

    index = np.flatnonzero(letters)
    chosen = np.zeros(len(letters), bool)
    if not 2 <= len(index) <= 300:
        return chosen
    count, line = connected_components(_neighbours(parts, index), directed=False)
    size = np.bincount(line, minlength=count)
    tall = np.maximum(parts.height, parts.width)[index]
    fill = np.bincount(line, weights=parts.fill[index], minlength=count) / size
    stroke = np.bincount(line, weights=parts.stroke[index] / tall, minlength=count) / size
    near_bar = np.zeros(count, bool)
    if bars.any():
        near = _near_boxes(parts, index, np.flatnonzero(bars))
        np.logical_or.at(near_bar, line, near.any(axis=1))
    text = (size >= 3) | ((size >= 2) & near_bar)
    text &= (fill >= _LINE_FILL) & (stroke >= _LINE_STROKE)
    chosen[index] = text[line]
    return chosen


def _neighbours(parts: Parts, index: NDArray[np.intp]) -> Mask:
    """Tell which letters follow each other on one line of text."""
    top, bottom, left, right = (
        side[index] for side in (parts.top, parts.bottom, parts.left, parts.right)
    )
    height = bottom - top
    taller, smaller = np.maximum.outer(height, height), np.minimum.outer(height, height)
    shared = np.minimum.outer(bottom, bottom) - np.maximum.outer(top, top)
    gap = np.maximum.outer(left, left) - np.minimum.outer(right, right)
    uneven = np.minimum(
        np.abs(np.subtract.outer(bottom, bottom)), np.abs(np.subtract.outer(top, top))
    )
    return np.asarray(
        (shared >= 0.6 * smaller)
        & (gap <= taller)
        & (taller <= 1.8 * smaller)
        & (uneven <= 0.3 * taller)
    )


def _near_boxes(parts: Parts, some: NDArray[np.intp], others: NDArray[np.intp]) -> Mask:
    """Tell which of some parts lie within 1.5 heights of which of the others."""
    reach = 1.5 * parts.height[some][:, None]
    below = parts.top[others] - parts.bottom[some][:, None]
    above = parts.top[some][:, None] - parts.bottom[others]
    after = parts.left[others] - parts.right[some][:, None]
    before = parts.left[some][:, None] - parts.right[others]
    return np.asarray((np.maximum(below, above) <= reach) & (np.maximum(after, before) <= reach))


def _beside(parts: Parts, bars: Mask, chosen: Mask) -> Mask:
    """Tell which bars lie beside chosen letters."""
    beside = np.zeros(len(bars), bool)
    index = np.flatnonzero(bars)
    if len(index):
        near = _near_boxes(parts, np.flatnonzero(chosen), index)
        beside[index] = near.any(axis=0)
    return beside


def find_boxes(grey: Plane) -> list[tuple[int, int, int, int]]:
    """Find filled rectangles of white or black paper that carry letters or a bar.

    Returns
    -------
    list of (int, int, int, int)
        First row, first column, row and column after the last.
    """
    small = grey[::2, ::2]
    rows, columns = small.shape
    boxes = []
    for bright in (True, False):
        paper = small >= 255 - _EXTREME // 2 if bright else small <= _EXTREME // 2
        if not 0 < np.count_nonzero(paper) <= 0.5 * paper.size:
            continue
        parts = find_parts(paper, small)
        could = (
            (parts.width >= 0.03 * columns)
            & (parts.width <= 0.7 * columns)
            & (parts.height >= max(5, 0.015 * rows))
            & (parts.height <= 0.3 * rows)
            & (parts.fill >= 0.5)
        )
        for part in np.flatnonzero(could)[:50]:
            top, bottom = 2 * int(parts.top[part]), 2 * int(parts.bottom[part])
            left, right = 2 * int(parts.left[part]), 2 * int(parts.right[part])
            if _is_box(grey[top:bottom, left:right], bright=bright):
                boxes.append((top, left, bottom, right))
    return boxes


def _is_box(box: Plane, *, bright: bool) -> bool:
    """Tell whether a rectangle has straight full edges of paper and letters within."""
    paper = box >= 255 - _EXTREME if bright else box <= _EXTREME
    inner = paper[1:-2, 1:-2]
    if min(inner.shape) < 6:
        return False
    edges = (inner[0], inner[-1], inner[:, 0], inner[:, -1])
    if min(float(edge.mean()) for edge in edges) < 0.93:
        return False
    ink = box[1:-2, 1:-2] <= 120 if bright else box[1:-2, 1:-2] >= 135
    changes = np.count_nonzero(ink[:, 1:] != ink[:, :-1], axis=1)
    return bool(0.01 <= ink.mean() <= 0.45 and (changes >= 2).mean() >= 0.2)
