"""The HTML report: one page that holds everything it shows."""

from __future__ import annotations

import base64
import html
import importlib.resources
import string
from collections.abc import Callable
from typing import Any

from napari_sem_tools.reporting.blocks import Block, Items, Paragraph, Picture, Section, Table
from napari_sem_tools.reporting.records import Report, Statistic, short
from napari_sem_tools.reporting.sections import main_numbers, sections

__all__ = ["render_report"]


def render_report(report: Report) -> str:
    """Render a report as one self-contained HTML page.

    Parameters
    ----------
    report : Report
        All that is to be shown; every text is escaped here.

    Returns
    -------
    str
        The page; figures are embedded, nothing is loaded from elsewhere, no script runs.
    """
    template = importlib.resources.files(__package__).joinpath("report_template.html")
    page = string.Template(template.read_text(encoding="utf-8"))
    return page.substitute(
        title=_text(report.title),
        headline=_text(report.headline),
        made=_text(report.made),
        cards=_cards(main_numbers(report)),
        sections="\n".join(_section(part) for part in sections(report)),
    )


def _text(value: Any) -> str:
    """Escape a value for HTML."""
    return html.escape(str(value))


def _section(part: Section) -> str:
    """Frame a part of the page."""
    style = ' class="warnings"' if part.warns else ""
    body = "\n".join(_BLOCKS[type(block)](block) for block in part.blocks)
    return f"<section{style}>\n<h2>{_text(part.title)}</h2>\n{body}\n</section>"


def _cards(numbers: tuple[Statistic, ...]) -> str:
    """Show the main numbers as cards."""
    return f'<div class="cards">{"".join(map(_card, numbers))}</div>' if numbers else ""


def _card(statistic: Statistic) -> str:
    """One number with its interval."""
    value = _text(f"{short(statistic.value)} {statistic.unit}".strip())
    interval = ""
    if statistic.interval:
        interval = f"<small>{_text(statistic.interval)}</small>"
    return f'<div class="card"><b>{value}</b><span>{_text(statistic.title)}</span>{interval}</div>'


def _paragraph(block: Paragraph) -> str:
    """Write a text."""
    tag = {"text": "p", "heading": "h3", "code": "pre"}[block.kind]
    return f"<{tag}>{_text(block.text)}</{tag}>"


def _items(block: Items) -> str:
    """Write a list."""
    tag = "code" if block.code else "b"
    lines = [
        f"<li>{f'<{tag}>{_text(term)}</{tag}> ' if term else ''}{_text(text)}</li>"
        for term, text in block.lines
    ]
    return f"<ul>{''.join(lines)}</ul>"


def _table(block: Table) -> str:
    """Write a table."""

    def cell(tag: str, column: int, value: str) -> str:
        style = ' class="number"' if column in block.numbers else ""
        return f"<{tag}{style}>{_text(value)}</{tag}>"

    head = "".join(cell("th", i, text) for i, text in enumerate(block.heads))
    lines = []
    for number, row in enumerate(block.rows):
        name = block.kinds[number] if number < len(block.kinds) else ""
        kind = f' class="{name}"' if name else ""
        cells = "".join(cell("td", i, value) for i, value in enumerate(row))
        lines.append(f"<tr{kind}>{cells}</tr>")
    top = f"<thead><tr>{head}</tr></thead>" if any(block.heads) else ""
    body = f"{top}<tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll"><table class="{block.shape}">{body}</table></div>'


def _picture(block: Picture) -> str:
    """Embed a figure."""
    data = base64.b64encode(block.png).decode("ascii")
    caption = _text(block.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


_BLOCKS: dict[type[Block], Callable[[Any], str]] = {
    Paragraph: _paragraph,
    Items: _items,
    Table: _table,
    Picture: _picture,
}
