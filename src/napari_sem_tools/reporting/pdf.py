"""The PDF report: the same sections as the page, on A4, with figures of lines and letters."""

from __future__ import annotations

import dataclasses
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sem_tools._version import __version__
from napari_sem_tools.files import write_file
from napari_sem_tools.reporting.blocks import Block, Items, Paragraph, Picture, Section, Table
from napari_sem_tools.reporting.records import Report, short
from napari_sem_tools.reporting.sections import main_numbers, sections
from napari_sem_tools.reporting.typesetting import (
    BOLD,
    MONO,
    SANS,
    column_widths,
    drawable,
    text_width,
    wrap,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["pasted", "write_pdf"]

# Lengths in points, 1/72 inch.
_WIDTH, _HEIGHT = 595.3, 841.9  # A4
_SIDE, _TOP, _BOTTOM = 50.0, 54.0, 56.0
_ROOM = _WIDTH - 2 * _SIDE
_LEADING = 1.42  # distance of lines over the size of the letters
_TEXT, _SMALL, _HEADING, _TITLE = 9.0, 7.6, 12.5, 18.0
_GAP = 10.0  # between columns
_INK, _SOFT, _RULE = "#1d2733", "#5b6876", "#d3dae2"
_WARN, _BAD, _GROUND = "#8a5300", "#b3261e", "#f1f4f8"
_IMAGE_DPI = 220  # of pictures; lines and letters have none
_SCREEN_POINTS = 40.0  # below this much room a heading moves to the next page


def write_pdf(path: str | os.PathLike[str], report: Report) -> Path:
    """Write a report as PDF.

    Parameters
    ----------
    path : path-like
        Ends in ``.pdf``.
    report : Report

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    SemError
        The file cannot be written.

    Notes
    -----
    Pages are drawn with matplotlib, which every installation has: figures stay lines and
    letters, and the fonts are embedded as TrueType.  No further library is needed.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import PdfPages

    flow = _Flow()
    _head(flow, report)
    for part in sections(report):
        _section(flow, part)
    buffer = io.BytesIO()
    about = {"Title": report.title, "Creator": f"napari-sem-tools {__version__}"}
    with mpl.rc_context({"pdf.fonttype": 42}), PdfPages(buffer, metadata=about) as book:
        for number, page in enumerate(flow.pages, 1):
            figure = _drawn(page)
            _footer(figure, report.title, f"{number} / {len(flow.pages)}")
            book.savefig(figure, dpi=_IMAGE_DPI)
    return write_file(path, buffer.getvalue())


@dataclasses.dataclass
class _Page:
    """What stands on a page; places are in points from the upper left corner."""

    texts: list[tuple[float, float, str, dict[str, Any]]] = dataclasses.field(default_factory=list)
    boxes: list[tuple[float, float, float, float, str]] = dataclasses.field(default_factory=list)
    picture: Figure | None = None
    place: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class _Flow:
    """Pages that are filled from top to bottom."""

    def __init__(self) -> None:
        self.pages = [_Page()]
        self.y = _TOP

    @property
    def page(self) -> _Page:
        """The page that is being filled."""
        return self.pages[-1]

    @property
    def left(self) -> float:
        """How much room the page has left."""
        return _HEIGHT - _BOTTOM - self.y

    def turn(self) -> None:
        """Begin a page."""
        self.pages.append(_Page())
        self.y = _TOP

    def need(self, height: float) -> None:
        """Begin a page when the rest of this one is too short."""
        if height > self.left and self.y > _TOP:
            self.turn()

    def write(
        self, x: float, y: float, text: str, size: float, *, font: str = SANS, color: str = _INK,
        right: bool = False,
    ) -> None:  # fmt: skip
        """Write a line whose letters stand on `y`."""
        looks = {
            "fontsize": size,
            "family": font.removesuffix(":bold"),
            "weight": "bold" if font == BOLD else "normal",
            "color": color,
            "ha": "right" if right else "left",
        }
        self.page.texts.append((x, y, text, looks))

    def lines(
        self, text: str, size: float, *, x: float = 0.0, font: str = SANS, color: str = _INK
    ) -> None:
        """Write a text over as many lines and pages as it takes."""
        for line in wrap(text, _ROOM - x, size, font):
            self.need(size * _LEADING)
            self.y += size * _LEADING
            self.write(_SIDE + x, self.y - 0.3 * size, line, size, font=font, color=color)


def _head(flow: _Flow, report: Report) -> None:
    """Write title, result, date, and the main numbers."""
    flow.lines(report.title, _TITLE, font=BOLD)
    flow.y += 3
    flow.lines(report.headline, 10.5)
    flow.lines(report.made, _SMALL, color=_SOFT)
    numbers = main_numbers(report)
    if not numbers:
        return
    flow.y += 10
    width, height = _ROOM / len(numbers), 50.0
    for place, number in enumerate(numbers):
        x = _SIDE + place * width
        flow.page.boxes.append((x, flow.y, width - 6, height, _GROUND))
        value = f"{short(number.value)} {number.unit}".strip()
        flow.write(x + 7, flow.y + 18, drawable(value, BOLD), 12, font=BOLD)
        for row, text in enumerate((number.title, number.interval)):
            size = min(6.8, 6.8 * (width - 20) / max(text_width(text, 6.8), 1.0))
            flow.write(x + 7, flow.y + 30 + 11 * row, drawable(text), size, color=_SOFT)
    flow.y += height + 2


def _section(flow: _Flow, part: Section) -> None:
    """Write a section."""
    flow.y += 15
    flow.need(_HEADING * _LEADING + _SCREEN_POINTS)
    first = part.blocks[0]
    if isinstance(first, Picture):  # a heading goes with its figure
        flow.need(_HEADING * _LEADING + _estimate(first))
    flow.lines(part.title, _HEADING, font=BOLD, color=_WARN if part.warns else _INK)
    flow.y += 3
    for block in part.blocks:
        _BLOCKS[type(block)](flow, block)


def _paragraph(flow: _Flow, block: Paragraph) -> None:
    """Write a text."""
    if block.kind == "heading":
        flow.y += 6
        flow.need(_TEXT * _LEADING + _SCREEN_POINTS)
        flow.lines(block.text, _TEXT, font=BOLD, color=_SOFT)
    elif block.kind == "code":
        flow.lines(block.text, _SMALL, font=MONO)
    else:
        flow.lines(block.text, _TEXT)
    flow.y += 3


def _items(flow: _Flow, block: Items) -> None:
    """Write a list."""
    for term, text in block.lines:
        flow.need(_TEXT * _LEADING)
        flow.write(_SIDE + 2, flow.y + _TEXT * (_LEADING - 0.3), "•", _TEXT, color=_SOFT)
        flow.lines(f"{term}: {text}" if term else text, _TEXT, x=13.0)
        flow.y += 1
    flow.y += 2


def _table(flow: _Flow, block: Table) -> None:
    """Write a table; its header is repeated on every page."""
    size = _SMALL if block.shape != "rows" else 5.8
    gap = _GAP if block.shape != "rows" else 4.5
    count = max(map(len, (block.heads, *block.rows)))
    natural = [0.0] * count
    for font, row in ((BOLD, block.heads), *((SANS, row) for row in block.rows)):
        for place, text in enumerate(row):
            natural[place] = max(natural[place], text_width(drawable(text, font), size, font))
    room = _ROOM - gap * (count - 1)
    widths = column_widths(natural, room, fill=block.shape == "")
    header = _cells(block.heads, widths, size, BOLD) if any(block.heads) else []
    looks = _TableLooks(widths, gap, size, frozenset(block.numbers))
    flow.y += 2
    if header:
        flow.need(2 * _height(header, size) + _SCREEN_POINTS)
        _row(flow, header, looks, font=BOLD, color=_SOFT)
    for number, row in enumerate(block.rows):
        cells = _cells(row, widths, size, SANS)
        if _height(cells, size) > flow.left and flow.y > _TOP:
            flow.turn()
            if header:
                _row(flow, header, looks, font=BOLD, color=_SOFT)
        kind = block.kinds[number] if number < len(block.kinds) else ""
        _row(flow, cells, looks, color=_BAD if kind else _INK)
    flow.y += 4


@dataclasses.dataclass(frozen=True)
class _TableLooks:
    """How the rows of a table are set."""

    widths: list[float]
    gap: float
    size: float
    numbers: frozenset[int]


def _cells(row: tuple[str, ...], widths: list[float], size: float, font: str) -> list[list[str]]:
    """Break the cells of a row into lines."""
    return [wrap(text, width + 0.01, size, font) for text, width in zip(row, widths, strict=False)]


def _height(cells: list[list[str]], size: float) -> float:
    """Return the height of a row."""
    return max((len(lines) for lines in cells), default=1) * size * 1.3 + 4


def _row(
    flow: _Flow, cells: list[list[str]], looks: _TableLooks, *, font: str = SANS, color: str
) -> None:
    """Write a row and the rule below it."""
    size, x = looks.size, _SIDE
    for place, (lines, width) in enumerate(zip(cells, looks.widths, strict=False)):
        right = place in looks.numbers
        for number, line in enumerate(lines):
            at = flow.y + (number + 1) * size * 1.3
            flow.write(x + width * right, at, line, size, font=font, color=color, right=right)
        x += width + looks.gap
    flow.y += _height(cells, size) + 1
    flow.page.boxes.append((_SIDE, flow.y - 0.5, x - looks.gap - _SIDE, 0.4, _RULE))


def _picture(flow: _Flow, block: Picture) -> None:
    """Place a figure with its caption; a page holds one."""
    figure = block.draw() if block.draw is not None else pasted(block.png)
    caption = len(wrap(block.caption, _ROOM, _SMALL)) * _SMALL * _LEADING + 8
    width, height = (72.0 * side for side in figure.get_size_inches())
    most = _HEIGHT - _TOP - _BOTTOM - caption - 30
    scale = min(_ROOM / width, most / height)
    if flow.page.picture is not None:
        flow.turn()
    flow.need(height * scale + caption + 4)
    _shrink(figure, scale)
    flow.page.picture = figure
    flow.page.place = (_SIDE, flow.y + 4, width * scale, height * scale)
    flow.y += height * scale + 6
    flow.lines(block.caption, _SMALL, color=_SOFT)
    flow.y += 4


def _estimate(block: Picture) -> float:
    """Return about how high a figure with its caption will be, from the size in the PNG."""
    sides = struct.unpack(">II", block.png[16:24]) if len(block.png) >= 24 else (4, 3)
    caption = len(wrap(block.caption, _ROOM, _SMALL)) * _SMALL * _LEADING
    return float(min(_ROOM * sides[1] / max(sides[0], 1) + caption + 30, _HEIGHT / 2))


def pasted(png: bytes) -> Figure:
    """Make a figure of a finished picture."""
    from napari_sem_tools.reporting.figures import new_figure, read_png

    picture = read_png(png)
    figure = new_figure(12.0, 12.0 * picture.shape[0] / picture.shape[1])
    axes = figure.add_subplot()
    axes.imshow(picture)
    axes.set_axis_off()
    return figure


def _shrink(figure: Figure, scale: float) -> None:
    """Make letters and lines smaller in the proportion in which the figure becomes smaller."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    for heading in figure.texts:  # the caption says the same
        heading.set_visible(False)
        heading.set_in_layout(False)
    ticks: set[Any] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = axis.get_ticklabels()
            size = float(labels[0].get_fontsize()) if labels else 10.0
            axis.set_tick_params(
                labelsize=size * scale, length=3.5 * scale, width=0.8 * scale, pad=3.5 * scale
            )
            ticks.update(axis.get_ticklabels(), axis.get_ticklines(), axis.get_gridlines())
    found: Any = figure.findobj
    for text in found(Text):
        if text not in ticks:
            text.set_fontsize(text.get_fontsize() * scale)
    for line in (*found(Line2D), *found(Patch)):
        if line not in ticks:
            line.set_linewidth(line.get_linewidth() * scale)
            if isinstance(line, Line2D):
                line.set_markersize(line.get_markersize() * scale)


def _drawn(page: _Page) -> Figure:
    """Draw a page."""
    from matplotlib.patches import Rectangle

    from napari_sem_tools.reporting.figures import new_figure

    figure = page.picture or new_figure(1.0, 1.0)
    figure.set_size_inches(_WIDTH / 72, _HEIGHT / 72)
    if page.picture is not None:
        x, y, width, height = page.place
        bottom = 1 - (y + height) / _HEIGHT
        layout: Any = figure.get_layout_engine()
        layout.set(rect=(x / _WIDTH, bottom, width / _WIDTH, height / _HEIGHT))
    for x, y, width, height, color in page.boxes:
        corner = (x / _WIDTH, 1 - (y + height) / _HEIGHT)
        size = (width / _WIDTH, height / _HEIGHT)
        box = Rectangle(corner, *size, facecolor=color, lw=0, transform=figure.transFigure)
        figure.add_artist(box)
    for x, y, text, looks in page.texts:
        figure.text(x / _WIDTH, 1 - y / _HEIGHT, text, va="baseline", parse_math=False, **looks)
    return figure


def _footer(figure: Figure, title: str, number: str) -> None:
    """Write title and number at the foot of a page."""
    y = 30.0 / _HEIGHT
    shown = drawable(title if len(title) < 90 else f"{title[:87]}…")
    looks: dict[str, Any] = {"fontsize": 6.8, "color": _SOFT, "parse_math": False, "family": SANS}
    figure.text(_SIDE / _WIDTH, y, shown, **looks)
    figure.text(1 - _SIDE / _WIDTH, y, number, ha="right", **looks)


_BLOCKS: dict[type[Block], Callable[[_Flow, Any], None]] = {
    Paragraph: _paragraph,
    Items: _items,
    Table: _table,
    Picture: _picture,
}
