"""TIFF saved by Gatan DigitalMicrograph: scale and unit in tags 65003 to 65027."""

from __future__ import annotations

from typing import Any, Final

from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import length_nm, number, per_nm
from napari_sem_tools.reading.tiffpages import Page, has_tag, read_tiff

__all__ = ["describe", "read", "sniff"]

_UNIT_X, _UNIT_Y, _UNIT_Z = 65003, 65004, 65005
_SCALE_X, _SCALE_Y, _SCALE_Z = 65009, 65010, 65011
_CODES: Final = range(65003, 65028)


def sniff(source: Source) -> bool:
    """Tell the tags of scale or unit."""
    return has_tag(source, _UNIT_X, _UNIT_Y, _SCALE_X, _SCALE_Y)


def read(source: Source) -> list[Picture]:
    """List the pictures of the file."""
    return read_tiff(source, describe)


def describe(page: Page) -> Statement:
    """Read the tags of a page."""
    x, y = number(page.value(_SCALE_X)), number(page.value(_SCALE_Y))
    unit_x, unit_y = page.text(_UNIT_X).strip(), page.text(_UNIT_Y).strip()
    if y is None or not unit_y:
        y, unit_y = x, unit_x
    size = (length_nm(y, unit_y), length_nm(x, unit_x))
    inverse = (per_nm(y, unit_y), per_nm(x, unit_x))
    tags: dict[str, Any] = {
        str(code): page.value(code) for code in _CODES if page.has(code) and code != _CODES[-1]
    }
    return Statement(
        "Gatan",
        "DM TIFF",
        {
            "acquired": page.date(),
            "frame_spacing": number(page.value(_SCALE_Z)),
            "frame_unit": page.text(_UNIT_Z).strip() if page.has(_UNIT_Z) else None,
        },
        {"DM TIFF": tags, "TIFF": page.standard_tags()},
        pixel_size=None if None in size else (size[0] or 0.0, size[1] or 0.0),
        reciprocal=None if None in inverse else (inverse[0] or 0.0, inverse[1] or 0.0),
        evidence=f"tags 65009, 65003: {x:.7g} {unit_x}" if x else "",
    )
