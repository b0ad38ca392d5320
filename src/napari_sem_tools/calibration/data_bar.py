"""The data bar: the label strip over the full width that an instrument adds to a picture.

It floats: in many files picture rows go on below it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration._grey import as_plane, as_uint8

__all__ = ["find_data_bar"]

Plane = NDArray[np.uint8]

_RUNS = (5, 17)  # px of exactly one level that noise hardly ever makes, drawn paper always
_GAPS = (0.01, 0.025)  # of the rows: text between them that has fewer such runs
_DRAWN = 0.45  # share of a row in such runs from which on it looks drawn
_DRAWN_TEXT = 0.10  # the same for a row full of text
_KEPT = 0.75  # of a strip as it was stored; after JPEG less, and then not in all rows
_DRAWN_PICTURE = 0.2  # of a dark picture after gamma; then longer runs are asked for
_MIN_ROWS = 8
_MIN_HEIGHT, _MAX_HEIGHT = 0.015, 0.25  # of the image
_INK = 40  # levels between letters and their paper
_LEAST_INK, _MOST_INK = 0.003, 0.45  # share of a strip
_PIECES = 16  # of the width, each of which must show paper, but for two: a logo
_LOWEST = 0.73  # of the rows: where a resampled strip is looked for
_MAX_PAIRS = 12  # of edges that are looked at closely
_OWN_PAPER = 0.42  # of a row, from which on it speaks for a strip
_STEP = 18  # levels by which columns change at the edge of a resampled strip
_EDGE, _SURE_EDGE = 0.40, 0.72  # share of the columns that do


@dataclasses.dataclass(frozen=True)
class _Paper:
    """How far pixels of one paper may differ: little as stored, more after JPEG."""

    tolerance: int
    share: float = 0.5


_EXACT = _Paper(tolerance=6)
_LOSSY = _Paper(tolerance=14)


def find_data_bar(pixels: Any) -> tuple[int, int] | None:
    """Find the rows of the label strip of an electron micrograph, from the pixels alone.

    Parameters
    ----------
    pixels : array (Y, X) or (Y, X, 3), path, Micrograph or layer
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
    shares = _shares_in_runs(plane if plane.dtype.kind != "f" else grey)
    for drawn, gap in zip(shares, _GAPS, strict=True):
        found = _from_runs(grey, drawn, max(3, int(gap * rows)))
        if found is not None:
            return _or_wider(grey, drawn, found)
        if np.median(drawn) < _DRAWN_PICTURE:
            break
    return _from_edges(grey)


def _shares_in_runs(plane: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """Yield for every row the share of pixels that start a run of equal ones.

    First of runs of 5 px, then of 17 px: a dark picture after gamma has many of the former.
    """
    runs = plane[:, 1:] == plane[:, :-1]
    length = 1
    while length < max(_RUNS):
        runs = runs[:, length:] & runs[:, :-length]
        length *= 2
        if length + 1 in _RUNS:
            yield np.asarray(np.count_nonzero(runs, axis=1) / runs.shape[1])


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


def _from_runs(grey: Plane, drawn: NDArray[np.float64], gap: int) -> tuple[int, int] | None:
    """Find a strip as it was drawn: rows of long runs, text rows between them."""
    best: tuple[float, int, int] | None = None
    for first, stop in _blocks(drawn >= _DRAWN, gap=gap):
        for top, bottom in _grown(grey, drawn, int(first), int(stop)):
            if not _is_strip(grey, top, bottom, _EXACT):
                continue
            top, bottom = _spread(grey, top, bottom)
            if not _stands_out(grey, drawn, top, bottom):
                continue
            rank = float(drawn[top:bottom].sum())
            if best is None or rank > best[0]:
                best = (rank, top, bottom)
            break
    return None if best is None else best[1:]


def _or_wider(grey: Plane, drawn: NDArray[np.float64], found: tuple[int, int]) -> tuple[int, int]:
    """Return the strip between edges where only a part of it has kept its runs."""
    first, stop = found
    if np.median(drawn[first:stop]) >= _KEPT:
        return found
    wider = _from_edges(grey)
    if wider is None or wider[0] > first or wider[1] < stop - 2:
        return found
    return wider if wider[1] - wider[0] >= 1.25 * (stop - first) else found


def _grown(grey: Plane, drawn: NDArray[np.float64], first: int, stop: int) -> list[tuple[int, int]]:
    """Extend a block through rows of text on the same paper, and cut it at its rules.

    A block that is higher than a strip, as over a blanked picture, is cut at every rule.
    """
    rows = len(grey)
    reach = int(_MAX_HEIGHT * rows) + 1
    level = _level(grey[first:stop])
    low, high = max(0, first - reach), min(rows, stop + reach)
    near = drawn[low:high]
    inside = float(np.median(drawn[first:stop]))
    usual = float(np.median(np.r_[drawn[low:first], drawn[stop:high], 0.0]))
    text = max(_DRAWN_TEXT, usual + 0.2 * (inside - usual)) if high - low < rows else _DRAWN_TEXT
    paper = _near(grey[low:high], level, _EXACT.tolerance).mean(axis=1)
    strip = ((paper >= 0.3) & (near >= text)) | (near >= _DRAWN)
    strip[first - low : stop - low] = True
    for start, end in _blocks(strip, gap=1):
        if start + low <= first and end + low >= stop:
            first, stop = int(start) + low, int(end) + low
            break
    if stop - first > reach:
        return [(rule, stop) for rule in _rules(grey, first, stop) if stop - rule <= reach]
    limit = first + 0.3 * (stop - first)
    # the frame of a strip is one or two rows of another level: no reason to cut
    rules = [rule for rule in _rules(grey, first, stop) if first + 3 <= rule <= limit]
    return [*((rule, stop) for rule in rules[:1]), (first, stop)]


def _rules(grey: Plane, first: int, stop: int) -> list[int]:
    """Return the rows of a block that are one level across and far from the row above."""
    block = grey[max(first - 1, 0) : stop]
    level = np.median(block, axis=1)
    across = (block == level[:, None]).mean(axis=1) >= 0.97
    jump = np.abs(np.diff(level)) > _INK
    return [int(row) + max(first - 1, 0) + 1 for row in np.flatnonzero(across[1:] & jump)]


def _spread(grey: Plane, first: int, stop: int) -> tuple[int, int]:
    """Extend a block by rows at its edges that JPEG has spoilt but that still show its paper."""
    level = _level(grey[first:stop])
    low, high = max(first - 32, 0), min(stop + 8, len(grey))
    paper = _near(grey[low:high], level, _LOSSY.tolerance).mean(axis=1)
    inside = float(np.median(paper[first - low : stop - low]))
    outside = float(np.median(paper[: max(first - low - 2, 0)])) if first - low > 4 else 1.0
    if inside - outside < 0.25:
        return first, stop
    like = paper >= (inside + outside) / 2
    reach = int(np.argmin(np.r_[like[stop - low :], False]))
    bottom = _sharpest(grey, stop, stop + reach)
    before = like[max(first - 8 - low, 0) : first - low][::-1]
    top = _sharpest(grey, first - int(np.argmin(np.r_[before, False])), first)
    return top, bottom


def _sharpest(grey: Plane, first: int, last: int) -> int:
    """Return the row between two, both included, at which the image changes most."""
    if first == last:
        return first
    rows = grey[max(first - 1, 0) : last + 1].astype(np.int16)
    change = np.abs(np.diff(rows, axis=0)).mean(axis=1)
    return max(first, 1) + int(np.argmax(change))


def _level(block: Plane) -> int:
    """Return the most frequent level of a block of rows: its paper."""
    return int(np.bincount(block.ravel(), minlength=256).argmax())


def _near(block: Plane, level: int, tolerance: int) -> NDArray[np.bool_]:
    """Return where a block has a level, within a tolerance."""
    low, high = max(level - tolerance, 0), min(level + tolerance, 255)
    return np.asarray((block - np.uint8(low)) <= np.uint8(high - low))


def _is_strip(grey: Plane, first: int, stop: int, paper: _Paper) -> bool:
    """Tell whether rows have the height of a strip, its paper over the width and its text."""
    rows = len(grey)
    height = stop - first
    if not max(_MIN_ROWS, _MIN_HEIGHT * rows) <= height <= _MAX_HEIGHT * rows:
        return False
    block = grey[first:stop]
    level = _level(block)
    blank = _near(block, level, paper.tolerance).mean(axis=0)
    if blank.mean() < paper.share:
        return False
    edges = np.linspace(0, len(blank), _PIECES + 1).astype(int)[:-1]
    pieces = np.add.reduceat(blank, edges) / np.diff(np.r_[edges, len(blank)])
    if np.count_nonzero(pieces >= 0.2) < _PIECES - 2:
        return False
    return _has_text(block, level)


def _has_text(block: Plane, level: int) -> bool:
    """Tell whether a block carries letters: many changes along its rows, little ink."""
    ink = ~_near(block, level, _INK)
    if not _LEAST_INK <= ink.mean() <= _MOST_INK:
        return False
    changes = np.count_nonzero(ink[:, 1:] != ink[:, :-1], axis=1)
    return bool((changes >= 6).mean() >= 0.2)


def _stands_out(grey: Plane, drawn: NDArray[np.float64], first: int, stop: int) -> bool:
    """Tell whether both edges of a block inside the image are edges of something drawn."""
    return all(
        _is_edge(grey, drawn, edge, inside)
        for edge, inside in ((first, 1), (stop, -1))
        if 2 <= edge <= len(grey) - 2
    ) and (first >= 2 or stop <= len(grey) - 2)


def _is_edge(grey: Plane, drawn: NDArray[np.float64], edge: int, inside: int) -> bool:
    """Tell whether rows change at an edge: in most columns, or from drawn to noise."""
    above = grey[max(edge - 3, 0) : edge].mean(axis=0)
    below = grey[edge : edge + 3].mean(axis=0)
    if float(np.mean(np.abs(above - below) > 12)) >= 0.5:
        return True
    return _turns_to_noise(drawn, edge, inside) or _has_rule(grey, edge, inside)


def _turns_to_noise(drawn: NDArray[np.float64], edge: int, inside: int) -> bool:
    """Tell whether rows turn at an edge from drawn to noise, from one row to the next."""
    within = drawn[edge : edge + 4] if inside > 0 else drawn[max(edge - 4, 0) : edge]
    outside = drawn[max(edge - 8, 0) : edge] if inside > 0 else drawn[edge : edge + 8]
    return bool(outside.max(initial=0.0) <= 0.4 * within.min(initial=1.0))


def _has_rule(grey: Plane, edge: int, inside: int) -> bool:
    """Tell whether a rule over the full width is the edge: over a blanked picture."""
    row, other = (edge, edge - 1) if inside > 0 else (edge - 1, edge)
    level = float(np.median(grey[row]))
    across = float(np.mean(grey[row] == level)) >= 0.97
    return across and abs(level - float(np.median(grey[other]))) > _INK


def _from_edges(grey: Plane) -> tuple[int, int] | None:
    """Find a strip that was resampled or compressed, by its straight edges."""
    rows = len(grey)
    start = max(int(_LOWEST * rows) - 3, 0)
    share, size = _steps(grey[start:])
    largest = np.max([np.roll(size, shift) for shift in (-2, -1, 0, 1, 2)], axis=0)
    peaks = np.flatnonzero((share >= _EDGE) & (size >= largest))
    edges = [int(peak) + start for peak in peaks]
    strength = {int(peak) + start: float(share[peak]) for peak in peaks} | {rows: 1.0}
    for top, bottom in _likely_pairs(grey, start, [*edges, rows]):
        weakest = min(strength[top], strength[bottom])
        if _is_strip(grey, top, bottom, _LOSSY) and _paper_begins(grey, top, bottom, weakest):
            return top, bottom
    return None


def _likely_pairs(grey: Plane, start: int, edges: list[int]) -> list[tuple[int, int]]:
    """Return the pairs of edges with paper and ink of a strip between them, the best first.

    Cumulated histograms of the rows answer for all pairs at once.
    """
    rows, columns = grey.shape
    top, bottom = (np.array(edges)[side] for side in np.triu_indices(len(edges), 1))
    height = bottom - top
    fits = (height >= max(_MIN_ROWS, _MIN_HEIGHT * rows)) & (height <= _MAX_HEIGHT * rows)
    top, bottom, height = top[fits], bottom[fits], height[fits]
    if len(top) == 0:
        return []
    part = grey[start:].astype(np.intp) + 256 * np.arange(rows - start)[:, None]
    counts = np.zeros((rows - start + 1, 256), np.int64)
    counts[1:] = np.bincount(part.ravel(), minlength=256 * (rows - start)).reshape(-1, 256)
    counts.cumsum(axis=0, out=counts)
    between = counts[bottom - start] - counts[top - start]
    level = between.argmax(axis=1)
    below = np.zeros((len(top), 257), np.int64)
    between.cumsum(axis=1, out=below[:, 1:])

    def within(tolerance: int) -> NDArray[np.float64]:
        each = np.arange(len(level))
        high, low = np.minimum(level + tolerance + 1, 256), np.maximum(level - tolerance, 0)
        return np.asarray((below[each, high] - below[each, low]) / columns)

    paper, ink = within(_LOSSY.tolerance), height - within(_INK)
    could = (paper >= _LOSSY.share * height) & (ink >= _LEAST_INK * height)
    rank = np.where(could, paper - _OWN_PAPER * height, -1.0)
    best = np.argsort(-rank, kind="stable")[:_MAX_PAIRS]
    return [(int(top[pair]), int(bottom[pair])) for pair in best if rank[pair] > 0]


def _steps(part: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare the means of three rows above and below every row.

    Returns the share of the columns that step, and the mean size of the steps in levels.
    """
    share, size = np.zeros(len(part)), np.zeros(len(part))
    if len(part) < 8:
        return share, size
    rows = part.astype(np.int16)
    threes = rows[2:] + rows[1:-1] + rows[:-2]  # three times the mean of three rows
    step = np.abs(threes[3:] - threes[:-3])
    inner = slice(3, 3 + len(step))
    share[inner] = np.count_nonzero(step > 3 * _STEP, axis=1) / step.shape[1]
    size[inner] = step.mean(axis=1) / 3
    return share, size


def _paper_begins(grey: Plane, top: int, bottom: int, strength: float) -> bool:
    """Tell whether the paper of a strip begins at its top, and not above it."""
    level = _level(grey[top:bottom])
    above = float(_near(grey[max(0, top - 24) : top], level, _LOSSY.tolerance).mean())
    if strength >= _SURE_EDGE:
        return above < 0.5
    margin = _near(grey[top : top + 4], level, _LOSSY.tolerance).mean(axis=1).max()
    return above < 0.45 and float(margin) - above >= 0.5
