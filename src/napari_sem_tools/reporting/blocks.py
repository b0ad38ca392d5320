"""What sections of a report are made of, whether they become HTML or PDF."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Block", "Items", "Paragraph", "Picture", "Section", "Table"]


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """A text.

    Attributes
    ----------
    text : str
    kind : {"text", "heading", "code"}
    """

    text: str
    kind: Literal["text", "heading", "code"] = "text"


@dataclasses.dataclass(frozen=True)
class Items:
    """A list of points.

    Attributes
    ----------
    lines : tuple of (term, text)
        The term comes first in bold, or as code; it may be empty.
    code : bool
    """

    lines: tuple[tuple[str, str], ...]
    code: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes
    ----------
    heads : tuple of str
        All empty: there is no header.
    rows : tuple of tuple of str
    numbers : tuple of int
        Columns that are set to the right.
    kinds : tuple of str
        Of each row: ``"failed"``, ``"doubtful"`` or empty.
    shape : {"", "narrow", "rows", "hash"}
        As wide as the page, as wide as its text, many columns, or long hashes.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    shape: Literal["", "narrow", "rows", "hash"] = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A figure.

    Attributes
    ----------
    caption : str
    png : bytes
        For the page in a browser.
    draw : callable or None
        Draws it again with lines and letters for the PDF, which otherwise shows the PNG.
    """

    caption: str
    png: bytes
    draw: Callable[[], Figure] | None = None


Block = Paragraph | Items | Table | Picture


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a report under its heading.

    Attributes
    ----------
    title : str
    blocks : tuple of Paragraph, Items, Table or Picture
        Without any, the section is left out.
    warns : bool
        True for what a reader must know before trusting the numbers.
    """

    title: str
    blocks: tuple[Block, ...]
    warns: bool = False
