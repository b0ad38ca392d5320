"""TVIPS cameras: binary record in TIFF tag 37706, pixel size in nm from version 2 on."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import number
from napari_sem_tools.reading.tiffpages import Page, has_tag, read_tiff

__all__ = ["describe", "read", "sniff"]

_TAG: Final = 37706


def sniff(source: Source) -> bool:
    """Tell the tags 37706 to 37710."""
    return has_tag(source, *range(_TAG, _TAG + 5))


def read(source: Source) -> list[Picture]:
    """List the pictures of the file."""
    return read_tiff(source, describe)


def describe(page: Page) -> Statement:
    """Read the record of a page."""
    said = page.value(_TAG)
    said = said if isinstance(said, dict) else {}
    x, y = (_positive(said.get(f"PixelSize{axis}")) for axis in "XY")
    x, y = x or y, y or x
    raw: dict[str, Any] = {k: v for k, v in said.items() if not isinstance(v, list | np.ndarray)}
    return Statement(
        "TVIPS",
        "TIFF tag 37706",
        {
            "instrument": said.get("TemType"),
            "acquired": page.date(),
            "mode": "TEM",
            "beam": "electron",
            "magnification": _positive(said.get("Magnification"))
            or _positive(said.get("TemMagnification")),
            "detector": said.get("CameraType"),
            "comment": said.get("Comment"),
            "original_name": said.get("ImageName"),
        },
        {"TVIPS": raw, "TIFF": page.standard_tags()},
        pixel_size=(y, x) if x and y else None,
        evidence=f"tag {_TAG} PixelSizeX = {x:.7g} nm" if x else "",
        notes=() if x else ("This version of the camera's record states no pixel size.",),
    )


def _positive(value: object) -> float | None:
    """Return a positive number, else None."""
    found = number(value)
    return found if found and found > 0 else None
