"""The drawn scale bar: where it is and how many pixels long."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration import _bar_forms as forms
from napari_sem_tools.calibration._grey import as_plane, as_record, as_uint8
from napari_sem_tools.calibration._parts import Parts, find_parts
from napari_sem_tools.calibration.burnt_in import find_boxes
from napari_sem_tools.calibration.data_bar import find_data_bar
from napari_sem_tools.calibration.pixel_size import DISAGREEMENT, EDGE_PX
from napari_sem_tools.micrograph import Micrograph

__all__ = ["ScaleBar", "find_scale_bar"]

Plane = NDArray[np.uint8]

_SHARE = (0.02, 0.6)  # of the width of the image that a bar may take
_MIN_PX = 10
_INK = 40  # levels between ink and paper
_ZONE = 0.2  # of the rows, at the bottom and the top, where a bar in the picture is sought
_HARD = 45  # levels between a bar in the picture and what is 3 px above and below it
_MAX_CANDIDATES = 40
_KIND_SCORE = {"ticked": 2.0, "broken": 2.5, "ruler": 2.5, "ticks": 2.0, "solid": 1.0}


@dataclasses.dataclass(frozen=True)
class ScaleBar:
    """A drawn scale bar.

    Attributes
    ----------
    length_px : float
        From centre to centre of its end ticks; of a bar without ticks the outer length less
        half a pixel.
    uncertainty_px : float
        Standard uncertainty of the length.
    position : (int, int, int, int)
        First row, first column, row and column after the last.
    text : str
        What is written beside it, where it could be read; else empty.
    kind : {"solid", "ticked", "broken", "ruler", "ticks"}
        Its form; ``"broken"`` by its label, ``"ticks"`` a ruler without a line.
    """

    length_px: float
    uncertainty_px: float
    position: tuple[int, int, int, int]
    text: str = ""
    kind: forms.Kind = "solid"


@dataclasses.dataclass(frozen=True)
class _Region:
    """A part of the image in which to look, and the level that its paper has, if it has one."""

    top: int
    left: int
    bottom: int
    right: int
    score: float
    ink: str  # "paper": what differs from it; "bright" and "dark": extremes of the picture
    whole: bool = False  # a strip, whose borders are no frame


def find_scale_bar(image: Any, *, data_bar: tuple[int, int] | None = None) -> ScaleBar | None:
    """Find the drawn scale bar and its length in px; the number beside it is for a person.

    Looked for are solid bars, lines with ticks at their ends, lines broken by their label,
    rulers and rows of ticks; in the label strip, in boxes, then near the lower and the upper
    border.

    Parameters
    ----------
    image : path, Micrograph, layer or array (Y, X) or (Y, X, 3)
        A calibrated record helps to choose between candidates.  A stack is refused.
    data_bar : (int, int), optional
        Rows of the label strip, half open; taken from the record, or found, when not given.

    Returns
    -------
    ScaleBar or None
        A proposal to be looked at, the best of the candidates; None without any.

    Raises
    ------
    InvalidSettings
        The image is a stack.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((400, 400), 90, np.uint8)
    >>> image[370:374, 200:280] = 255
    >>> find_scale_bar(image).length_px
    79.5
    """
    if isinstance(image, str | os.PathLike) or hasattr(image, "metadata"):
        image = as_record(image)
    if isinstance(image, Micrograph):
        plane = as_plane(image.grey)
        data_bar = data_bar if data_bar is not None else image.data_bar
        pixel = image.calibration.pixel_size
    else:
        plane, pixel = as_plane(image), None
        data_bar = data_bar if data_bar is not None else find_data_bar(plane)
    if min(plane.shape) < 16:
        return None
    grey = as_uint8(plane)
    best: tuple[float, forms.Form] | None = None
    for region in _regions(grey, data_bar):
        for form, near_text in _candidates(grey, region):
            score = region.score + _score(form, near_text, grey.shape[1], pixel)
            if best is None or score > best[0]:
                best = (score, form)
    return None if best is None else _record(best[1])


def _record(form: forms.Form) -> ScaleBar:
    """State a form as the record that is passed on, with the uncertainty of its two ends."""
    return ScaleBar(
        length_px=form.length,
        uncertainty_px=math.hypot(math.sqrt(2) * EDGE_PX, form.doubt),
        position=(form.top, form.left, form.bottom, form.right),
        kind=form.kind,
    )


def _regions(grey: Plane, data_bar: tuple[int, int] | None) -> Iterator[_Region]:
    """List where to look: the strip, boxes, the lower and the upper part of the picture."""
    rows, columns = grey.shape
    stop = rows
    if data_bar is not None:
        yield _Region(data_bar[0], 0, data_bar[1], columns, 3.0, "paper", whole=True)
        stop = data_bar[0]
    for top, left, bottom, right in find_boxes(grey[:stop]):
        yield _Region(top, left, bottom, right, 1.5, "paper")
    depth = max(int(_ZONE * stop), 8)
    for first, last, score in ((max(stop - depth, 0), stop, 0.5), (0, min(depth, stop), 0.0)):
        for ink in ("bright", "dark"):
            yield _Region(first, 0, last, columns, score, ink)


def _candidates(grey: Plane, region: _Region) -> Iterator[tuple[forms.Form, bool]]:
    """Find bars in a region, in coordinates of the image, and tell whether text is near."""
    part = grey[region.top : region.bottom, region.left : region.right]
    ink = _ink(part, region.ink)
    columns = grey.shape[1]
    if not 0 < np.count_nonzero(ink) <= 0.5 * ink.size:
        return
    parts = find_parts(ink, part)
    wide = (parts.width >= max(_MIN_PX, _SHARE[0] * columns / 2)) & (
        parts.width <= _SHARE[1] * columns
    )
    index = np.flatnonzero(wide & (parts.height <= 0.2 * columns))
    if len(index) > _MAX_CANDIDATES:
        index = index[np.argsort(-parts.fill[index] * parts.width[index])[:_MAX_CANDIDATES]]
    strokes = [s for s in (_stroke(parts, part, int(i)) for i in index) if s is not None]
    found = [form for form in map(forms.whole_bar, strokes) if form is not None]
    found += forms.paired_lines(strokes, ink)
    found += forms.lone_ticks(parts, columns) if region.ink == "paper" else []
    for form in found:
        if not max(_MIN_PX, _SHARE[0] * columns) <= form.length <= _SHARE[1] * columns:
            continue
        near_text = _text_near(parts, form)
        if not region.whole and _touches_border(part, form):
            continue
        if region.ink != "paper" and not _is_drawn(part, form, near_text, columns):
            continue
        yield (
            dataclasses.replace(
                form,
                top=form.top + region.top,
                bottom=form.bottom + region.top,
                left=form.left + region.left,
                right=form.right + region.left,
            ),
            near_text,
        )


def _ink(part: Plane, kind: str) -> NDArray[np.bool_]:
    """Tell ink from paper, or the extremes of a picture from the rest."""
    if kind == "bright":
        return part >= 225
    if kind == "dark":
        return part <= 30
    level = int(np.bincount(part.ravel(), minlength=256).argmax())
    return np.abs(part.astype(np.int16) - level) >= _INK


def _stroke(parts: Parts, part: Plane, index: int) -> forms.Stroke | None:
    """Take one part apart, with its edges at half the contrast of its own line."""
    top, bottom = int(parts.top[index]), int(parts.bottom[index])
    left, right = int(parts.left[index]), int(parts.right[index])
    own = parts.labels[top:bottom, left:right] == index + 1
    rough = forms.stroke_of(own, top, left)
    if rough is None:
        return None
    line = float(np.median(part[rough.rows[0] : rough.rows[1], left:right]))
    around = np.concatenate(
        [part[max(top - 2, 0), left:right], part[min(bottom + 1, len(part) - 1), left:right]]
    )
    paper = float(np.median(around))
    if abs(line - paper) < _INK:
        return rough
    sharp = own & (np.abs(part[top:bottom, left:right] - paper) >= abs(line - paper) / 2)
    rows, columns = np.flatnonzero(sharp.any(axis=1)), np.flatnonzero(sharp.any(axis=0))
    if len(rows) == 0:
        return rough
    trimmed = sharp[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return forms.stroke_of(trimmed, top + int(rows[0]), left + int(columns[0])) or rough


def _touches_border(part: Plane, form: forms.Form) -> bool:
    """Tell whether a bar lies at the border of a box or of the picture: a piece of its frame."""
    rows, columns = part.shape
    return form.top < 2 or form.bottom > rows - 2 or form.left < 2 or form.right > columns - 2


def _is_drawn(part: Plane, form: forms.Form, near_text: bool, columns: int) -> bool:
    """Tell whether a bar in the picture stands hard on what is around; without letters, longer."""
    rows = len(part)
    if not near_text and form.length < 0.05 * columns:
        return False
    line = part[form.top : form.bottom, form.left : form.right]
    level = float(np.median(line)) if form.kind == "solid" else float(_extreme(line))
    sides = part[[max(form.top - 3, 0), min(form.bottom + 2, rows - 1)], form.left : form.right]
    away = np.abs(sides.astype(np.float64) - level)
    share = 0.85 if near_text else 0.95
    return bool(np.mean(away >= _HARD, axis=1).min() >= share)


def _extreme(line: Plane) -> int:
    """Return 255 or 0, whichever a drawn line is nearer to."""
    full = line[np.argmax(np.ptp(line, axis=1) == np.ptp(line, axis=1).min())]
    return 255 if float(np.median(full)) >= 128 else 0


def _text_near(parts: Parts, form: forms.Form) -> bool:
    """Tell whether at least two letters stand above, below or beside a bar."""
    height = parts.height
    letter = (height >= 5) & (parts.width <= 2 * height) & (parts.width >= 1)
    reach = 3.0 * np.median(height[letter]) if letter.any() else 0.0
    vertical = np.maximum(form.top - parts.bottom, parts.top - form.bottom)
    horizontal = np.maximum(form.left - parts.right, parts.left - form.right)
    near = letter & (vertical <= reach) & (horizontal <= 2 * reach)
    return int(np.count_nonzero(near)) >= 2


def _score(
    form: forms.Form,
    near_text: bool,
    columns: int,
    pixel: tuple[float, float] | None,
) -> float:
    """Rank a candidate: ticks, text beside it, a usual share of the width, a round length."""
    score = _KIND_SCORE[form.kind] + (1.0 if near_text else 0.0)
    score += 0.5 if 0.05 <= form.length / columns <= 0.4 else 0.0
    if form.kind == "solid" and form.right - form.left >= 5 * (form.bottom - form.top):
        score += 0.25
    if pixel is not None and _is_round(form.length * pixel[1]):
        score += 1.5
    return score


def _is_round(length_nm: float) -> bool:
    """Tell whether a length is 1, 2, 3, 4 or 5 times a power of ten, within 3 %."""
    mantissa = length_nm / 10.0 ** math.floor(math.log10(length_nm))
    return any(abs(mantissa / m - 1) <= DISAGREEMENT for m in (1, 2, 3, 4, 5, 10))
