"""What to look for in a catalogue, and the SQL that asks for it."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.settings import Settings, described

__all__ = ["CatalogueFilter", "condition", "filter_from", "under"]

_DATE: Final = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?)?")
_LAST: Final = "~"  # sorts after everything that can stand in a date


@dataclasses.dataclass(frozen=True)
class CatalogueFilter(Settings):
    """What to look for in a catalogue; a field that is None asks for nothing.

    An image that does not say something (its magnification, its date) is not found by a filter
    that asks for it.

    Examples
    --------
    >>> CatalogueFilter(magnification_min=1000, category="Particles").focus_min is None
    True
    """

    magnification_min: Annotated[float | None, described("Least magnification", min=0)] = None
    magnification_max: Annotated[float | None, described("Largest magnification", min=0)] = None
    pixel_size_min_nm: Annotated[float | None, described("Least pixel size in nm", min=0)] = None
    pixel_size_max_nm: Annotated[float | None, described("Largest pixel size in nm", min=0)] = None
    instrument: Annotated[str | None, described("Part of the name of maker or instrument")] = None
    detector: Annotated[str | None, described("Part of the name of the detector")] = None
    acquired_from: Annotated[str | None, described("First date, e.g. 2024 or 2024-05-31")] = None
    acquired_to: Annotated[str | None, described("Last date, included")] = None
    category: Annotated[
        str | None, described("Category, its sub-categories included; empty: without one")
    ] = None
    focus_min: Annotated[float | None, described("Least focus score", min=0, max=10)] = None
    focus_max: Annotated[float | None, described("Largest focus score", min=0, max=10)] = None
    folder: Annotated[str | None, described("Only files in this folder or deeper")] = None
    name: Annotated[str | None, described("Part of the file name or path")] = None
    gone: Annotated[bool, described("Also images whose file is no longer there")] = False

    def __post_init__(self) -> None:
        """Check ranges and dates."""
        super().__post_init__()
        for date in (self.acquired_from, self.acquired_to):
            if date is not None and not _DATE.fullmatch(date):
                raise InvalidSettings(
                    f"{date!r} is no date.", hint="Write 2024, 2024-05 or 2024-05-31."
                )


def filter_from(filters: CatalogueFilter | None, named: dict[str, Any]) -> CatalogueFilter:
    """Join a filter with fields given by name."""
    if filters is None:
        return CatalogueFilter.from_dict(named)
    return CatalogueFilter.from_dict(filters.to_dict() | named) if named else filters


def condition(wanted: CatalogueFilter) -> tuple[str, list[Any]]:
    """Return the SQL condition on ``images i`` and its values; empty when all are wanted.

    Parameters
    ----------
    wanted : CatalogueFilter

    Returns
    -------
    str, list
        Joined by AND; the presence of a file is not part of it.
    """
    parts: list[str] = []
    values: list[Any] = []
    for name, (sql, make) in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            parts.append(sql)
            values += make(value)
    return " AND ".join(parts), values


def under(folder: str | os.PathLike[str]) -> tuple[str, str]:
    """Return the bounds of the paths that lie in a folder or deeper.

    Examples
    --------
    >>> low, high = under("/data/a")
    >>> low <= "/data/a/b.tif" < high, low <= "/data/ab.tif" < high
    (True, False)
    """
    base = os.path.abspath(folder).rstrip(os.sep)
    return base + os.sep, base + chr(ord(os.sep) + 1)


def _part(text: str) -> list[Any]:
    """Make a pattern of a part of a text, in which no letter has a meaning of its own."""
    plain = re.sub(r"([%_\\])", r"\\\1", text)
    return [f"%{plain}%"]


def _category(text: str) -> list[Any]:
    """Ask for a category and what lies below it, or for none."""
    below = _part(text)[0][1:-1] + "/%"
    return [text, text, below]


_File = "EXISTS (SELECT 1 FROM files f WHERE f.image = i.id AND {})"
_CONDITIONS: Final[dict[str, tuple[str, Callable[[Any], list[Any]]]]] = {
    "magnification_min": ("i.magnification >= ?", lambda v: [v]),
    "magnification_max": ("i.magnification <= ?", lambda v: [v]),
    "pixel_size_min_nm": ("i.pixel_size_nm >= ?", lambda v: [v]),
    "pixel_size_max_nm": ("i.pixel_size_nm <= ?", lambda v: [v]),
    "instrument": (
        r"coalesce(i.vendor, '') || ' ' || coalesce(i.instrument, '') LIKE ? ESCAPE '\'",
        _part,
    ),
    "detector": (r"i.detector LIKE ? ESCAPE '\'", _part),
    "acquired_from": ("i.acquired >= ?", lambda v: [v]),
    "acquired_to": ("i.acquired <= ?", lambda v: [v + _LAST]),
    "category": (
        r"CASE WHEN ? = '' THEN i.category IS NULL "
        r"ELSE i.category = ? OR i.category LIKE ? ESCAPE '\' END",
        _category,
    ),
    "focus_min": ("i.focus >= ?", lambda v: [v]),
    "focus_max": ("i.focus <= ?", lambda v: [v]),
    "folder": (_File.format("f.path >= ? AND f.path < ?"), lambda v: list(under(v))),
    "name": (_File.format(r"f.path LIKE ? ESCAPE '\'"), _part),
}
