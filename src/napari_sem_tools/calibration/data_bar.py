"""The data bar: the label strip over the full width that an instrument adds to a picture.

It floats: in many files picture rows go on below it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration._grey import as_plane, as_uint8

__all__ = ["find_data_bar"]

Plane = NDArray[np.uint8]

_RUN = 5  # px of exactly one level in a row that noise hardly ever makes, drawn paper always
_DRAWN = 0.45  # share of a row in such runs from which on it looks drawn
_DRAWN_TEXT = 0.10  # the same for a row full of text
_MIN_ROWS = 8
_MIN_HEIGHT, _MAX_HEIGHT = 0.015, 0.25  # of the image
_INK = 40  # levels between letters and their paper
_STEP = 18  # levels by which most columns change at the edge of a resampled strip


@dataclasses.dataclass(frozen=True)
class _Tolerance:
    """How far pixels of one paper may differ: not at all as stored, some after JPEG."""

    level: int
    paper_share: float


_EXACT = _Tolerance(level=6, paper_share=0.5)
_LOSSY = _Tolerance(level=14, paper_share=0.5)


def find_data_bar(pixels: Any) -> tuple[int, int] | None:
    """Find the rows of the label strip of an electron micrograph, from the pixels alone.

    Parameters
    ----------
    pixels : array (Y, X) or (Y, X, 3)
        Any numeric type.  A stack is refused: pass one page.

    Returns
    -------
    (int, int) or None
        First row and the row after the last, over the full width; None without a strip.
        The strip is not snapped to the lower end of the image.

    Raises
    ------
    InvalidSettings
        The array is no single image.

    Notes
    -----
    Drawn paper has what a detector never delivers: long runs of exactly one level.  Rows
    that consist of such runs are joined to a block, which must carry text, stand out from
    the picture at its edges and have the height of a strip.  Where resampling or JPEG has
    spoilt the runs, pairs of straight edges over the full width are tested instead.

    Examples
    --------
    >>> import numpy as np
    >>> find_data_bar(np.zeros((100, 100), np.uint8)) is None
    True
    """
    plane = as_plane(pixels)
    rows, columns = plane.shape
    if rows < 4 * _MIN_ROWS or columns < 32:
        return None
    grey = as_uint8(plane)
    drawn = _share_in_runs(plane if plane.dtype.kind != "f" else grey)
    return _from_runs(grey, drawn) or _from_edges(grey)


def _share_in_runs(plane: NDArray[Any]) -> NDArray[np.float64]:
    """Return for every row the share of pixels that start a run of `_RUN` equal ones."""
    equal = plane[:, 1:] == plane[:, :-1]
    pairs = equal[:, 1:] & equal[:, :-1]
    runs = pairs[:, 2:] & pairs[:, :-2]
    return np.asarray(np.count_nonzero(runs, axis=1) / runs.shape[1])


def _blocks(marked: NDArray[np.bool_], *, gap: int) -> NDArray[np.intp]:
    """Return (first, stop) of the runs of marked rows, joined over short gaps."""
    ends = np.flatnonzero(np.diff(marked, prepend=False, append=False))
    pairs = ends.reshape(-1, 2)
    if len(pairs) < 2:
        return pairs
    apart = pairs[1:, 0] - pairs[:-1, 1] > gap
    first = pairs[np.r_[True, apart], 0]
    stop = pairs[np.r_[apart, True], 1]
    return np.column_stack([first, stop])


def _from_runs(grey: Plane, drawn: NDArray[np.float64]) -> tuple[int, int] | None:
    """Find a strip as it was drawn: rows of long runs, text rows between them."""
    gap = max(3, len(grey) // 100)
    best: tuple[float, int, int] | None = None
    for first, stop in _blocks(drawn >= _DRAWN, gap=gap):
        block = _grow(grey, drawn, int(first), int(stop))
        if block is None or not _is_strip(grey, *block, _EXACT):
            continue
        if not _stands_out(grey, drawn, *block):
            continue
        rank = float(drawn[block[0] : block[1]].mean()) * (block[1] - block[0])
        if best is None or rank > best[0]:
            best = (rank, *block)
    return None if best is None else best[1:]


def _paper(block: Plane) -> int:
    """Return the most frequent level of a block of rows."""
    return int(np.bincount(block.ravel(), minlength=256).argmax())


def _near(block: Plane, level: int, tolerance: int) -> NDArray[np.bool_]:
    """Return where a block has a level, within a tolerance."""
    low, high = max(level - tolerance, 0), min(level + tolerance, 255)
    return (block - np.uint8(low)) <= np.uint8(high - low)


def _grow(grey: Plane, drawn: NDArray[np.float64], first: int, stop: int) -> tuple[int, int] | None:
    """Extend a block through rows of text on the same paper."""
    rows = len(grey)
    reach = int(_MAX_HEIGHT * rows) + 1
    if stop - first > 3 * reach:
        return None
    level = _paper(grey[first:stop])
    low, high = max(0, first - reach), min(rows, stop + reach)
    paper = _near(grey[low:high], level, 6).mean(axis=1)
    text = (paper >= 0.3) & (drawn[low:high] >= _DRAWN_TEXT)
    inside = text | (drawn[low:high] >= _DRAWN)
    inside[first - low : stop - low] = True
    for start, end in _blocks(inside, gap=1):
        if start + low <= first and end + low >= stop:
            return int(start) + low, int(end) + low
    return first, stop


def _is_strip(grey: Plane, first: int, stop: int, tolerance: _Tolerance) -> bool:
    """Tell whether rows have the height of a strip, its paper and its text."""
    rows = len(grey)
    height = stop - first
    if not max(_MIN_ROWS, _MIN_HEIGHT * rows) <= height <= _MAX_HEIGHT * rows:
        return False
    block = grey[first:stop]
    level = _paper(block)
    paper = _near(block, level, tolerance.level)
    if paper.mean() < tolerance.paper_share:
        return False
    if (paper.mean(axis=0) >= 0.3).mean() < 0.9:
        return False
    return _has_text(block, level)


def _has_text(block: Plane, level: int) -> bool:
    """Tell whether a block carries letters: many changes along its rows, little ink."""
    ink = ~_near(block, level, _INK)
    share = ink.mean()
    if not 0.003 <= share <= 0.45:
        return False
    changes = np.count_nonzero(ink[:, 1:] != ink[:, :-1], axis=1)
    return bool((changes >= 6).mean() >= 0.2)


def _stands_out(grey: Plane, drawn: NDArray[np.float64], first: int, stop: int) -> bool:
    """Tell whether the rows just outside a block are of another kind than its own."""
    inside = float(np.median(drawn[first:stop]))
    above = drawn[max(0, first - 8) : first]
    below = drawn[stop : stop + 8]
    outside = [float(np.median(part)) for part in (above, below) if len(part) >= 2]
    return bool(outside) and max(outside) <= 0.6 * inside


def _from_edges(grey: Plane) -> tuple[int, int] | None:
    """Find a strip that was resampled or compressed: straight edges over the full width."""
    rows = len(grey)
    start = int(0.73 * rows) - 3
    part = grey[max(start, 0) :].astype(np.int16)
    if len(part) < 8:
        return None
    sums = np.cumsum(part, axis=0, dtype=np.int32)
    sums = np.vstack([np.zeros((1, sums.shape[1]), np.int32), sums])
    means = sums[3:] - sums[:-3]  # three times the mean of three rows
    step = np.abs(means[3:] - means[:-3]) > 3 * _STEP
    share = np.count_nonzero(step, axis=1) / step.shape[1]
    edges = np.flatnonzero(share >= 0.72) + 3 + max(start, 0)
    tops = [int(edge) for edge in edges]
    for top in tops:
        for bottom in [*reversed(tops), rows][::-1]:
            if bottom > top and _is_strip(grey, top, bottom, _LOSSY):
                above = grey[max(0, top - 24) : top]
                if _near(above, _paper(grey[top:bottom]), 14).mean() < 0.5:
                    return top, bottom
    return None
