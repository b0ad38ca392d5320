"""Parts that pages are made of: sections, tables, cards, figures, and the page itself."""

from __future__ import annotations

import base64
import html
import importlib.resources
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["card", "escaped", "figure", "page", "section", "table"]


def page(parts: Mapping[str, str]) -> str:
    """Put the parts of a page together.

    Parameters
    ----------
    parts : dict of str to str
        HTML by the name of its place in the template; places that are not named stay empty.

    Returns
    -------
    str
        The page; it loads nothing from elsewhere and no script runs.
    """
    template = importlib.resources.files(__package__).joinpath("report_template.html")
    whole = string.Template(template.read_text(encoding="utf-8"))
    return whole.substitute(dict.fromkeys(whole.get_identifiers(), "") | dict(parts))


def escaped(value: Any) -> str:
    """Escape a value for HTML.

    Examples
    --------
    >>> escaped("a < b")
    'a &lt; b'
    """
    return html.escape(str(value))


def section(heading: str, *content: str, kind: str = "") -> str:
    """Frame a part of the page; an empty part is left out."""
    body = "\n".join(part for part in content if part)
    if not body:
        return ""
    style = f' class="{kind}"' if kind else ""
    return f"<section{style}>\n<h2>{escaped(heading)}</h2>\n{body}\n</section>"


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numbers: Sequence[int] = (),
    kinds: Sequence[str] = (),
    shape: str = "",
) -> str:
    """Write a table; `numbers` are right-aligned columns, `kinds` classes of the rows."""

    def cell(tag: str, column: int, value: Any) -> str:
        style = ' class="number"' if column in numbers else ""
        return f"<{tag}{style}>{escaped(value)}</{tag}>"

    head = "".join(cell("th", i, text) for i, text in enumerate(heads))
    lines = []
    for number, row in enumerate(rows):
        kind = f' class="{kinds[number]}"' if number < len(kinds) and kinds[number] else ""
        cells = "".join(cell("td", i, value) for i, value in enumerate(row))
        lines.append(f"<tr{kind}>{cells}</tr>")
    top = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
    body = f"{top}<tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll"><table class="{shape}">{body}</table></div>'


def card(value: str, title: str, below: str = "") -> str:
    """Show one number large, with its name and perhaps its interval."""
    small = f"<small>{escaped(below)}</small>" if below else ""
    text = f"<b>{escaped(value)}</b><span>{escaped(title)}</span>"
    return f'<div class="card">{text}{small}</div>'


def figure(caption: str, png: bytes) -> str:
    """Embed a picture with its caption."""
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img alt="{escaped(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escaped(caption)}</figcaption></figure>"
    )
