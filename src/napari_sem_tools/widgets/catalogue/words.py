"""Filters and images of a catalogue in words; no Qt here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_sem_tools.catalogue import CatalogueFilter
from napari_sem_tools.errors import InvalidSettings

__all__ = ["FILTER_ROWS", "FilterRow", "added_text", "filter_of", "image_words", "number_of_text"]

_FACTORS = {"k": 1e3, "m": 1e6}
_NUMBERS = frozenset(
    field.name for field in CatalogueFilter.fields() if field.kind is float
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class FilterRow:
    """A line of the filter form.

    Attributes
    ----------
    title : str
    fields : tuple of str
        Of `CatalogueFilter`: one, or the least and the largest.
    hints : tuple of str
        What stands in the empty lines.
    """

    title: str
    fields: tuple[str, ...]
    hints: tuple[str, ...]


FILTER_ROWS = (
    FilterRow("Category", ("category",), ("any",)),
    FilterRow("Magnification", ("magnification_min", "magnification_max"), ("from, 10k", "to")),
    FilterRow("Pixel size (nm)", ("pixel_size_min_nm", "pixel_size_max_nm"), ("from", "to")),
    FilterRow("Instrument", ("instrument",), ("part of its name",)),
    FilterRow("Detector", ("detector",), ("part of its name",)),
    FilterRow("Date", ("acquired_from", "acquired_to"), ("from, 2024-05", "to")),
    FilterRow("Focus", ("focus_min", "focus_max"), ("from, 0 to 10", "to")),
    FilterRow("Name", ("name",), ("part of file or folder",)),
)
"""The lines of the filter form."""


def number_of_text(text: str) -> float:
    """Read a number as people write magnifications.

    Raises
    ------
    InvalidSettings
        It is none.

    Examples
    --------
    >>> number_of_text("10k"), number_of_text("2 500"), number_of_text("1.5")
    (10000.0, 2500.0, 1.5)
    """
    plain = text.strip().lower().rstrip("x ").replace(" ", "").replace("\N{THIN SPACE}", "")
    factor = _FACTORS.get(plain[-1:], 1.0)
    try:
        return float(plain[:-1] if plain[-1:] in _FACTORS else plain) * factor
    except ValueError as error:
        raise InvalidSettings(f"{text!r} is no number.", hint="Write 10000 or 10k.") from error


def filter_of(texts: Mapping[str, str], *, nameless: bool = False) -> CatalogueFilter:
    """Make a filter of what was typed; empty lines ask for nothing.

    Parameters
    ----------
    texts : mapping of str to str
        By field of `CatalogueFilter`.
    nameless : bool
        Only images without a category.

    Raises
    ------
    InvalidSettings
        Something is no number or no date, or out of its range.

    Examples
    --------
    >>> filter_of({"magnification_min": "10k", "instrument": " "}).magnification_min
    10000.0
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if text.strip():
            values[name] = number_of_text(text) if name in _NUMBERS else text.strip()
    if nameless:
        values["category"] = ""
    return CatalogueFilter(**values)


def image_words(row: Mapping[str, Any]) -> str:
    """Say in lines what is known of an image.

    Examples
    --------
    >>> print(image_words({"path": "/a/b.tif", "magnification": 20000.0, "focus": 7.25}))
    /a/b.tif
    20,000 x, focus 7.2
    """
    facts = [form(row[name]) for name, form in _FACTS.items() if _there(row.get(name))]
    category = str(row.get("category") or "") if _there(row.get("category")) else ""
    said = f"{category}, said by {row.get('category_origin')}" if category else ""
    gone = "The file is no longer there." if row.get("gone") else ""
    return "\n".join(part for part in (str(row["path"]), ", ".join(facts), said, gone) if part)


_FACTS: dict[str, Any] = {
    "instrument": str,
    "detector": str,
    "magnification": lambda value: f"{value:,.0f} x",
    "pixel_size_nm": lambda value: f"{value:.4g} nm per px",
    "accelerating_voltage_kV": lambda value: f"{value:g} kV",
    "working_distance_mm": lambda value: f"WD {value:.1f} mm",
    "focus": lambda value: f"focus {value:.1f}",
    "acquired": lambda value: str(value).replace("T", " "),
    "similarity": lambda value: f"likeness {value:.3f}",
}


def _there(value: Any) -> bool:
    """Say whether something is known."""
    return value is not None and value == value and value != ""


def added_text(counts: Mapping[str, int]) -> str:
    """Say what became of the files of a folder.

    Examples
    --------
    >>> added_text({"new": 3, "known": 0, "failed": 1})
    '3 new, 1 not readable'
    """
    words = {"failed": "not readable", "known": "known", "moved": "moved", "copies": "copies",
             "gone": "gone", "new": "new"}  # fmt: skip
    parts = [f"{number} {words[name]}" for name, number in counts.items() if number]
    return ", ".join(parts) or "nothing new"


def short_name(path: Any) -> str:
    """Return the name of a file."""
    return Path(str(path)).name
