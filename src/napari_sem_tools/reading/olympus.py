"""Olympus SIS: binary block in TIFF tag 33560, often on the second page behind a preview."""

from __future__ import annotations

from typing import Any, Final

from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import full_date, number
from napari_sem_tools.reading.tiffpages import Page, has_tag, read_tiff

__all__ = ["describe", "read", "sniff"]

_TAG, _INI = 33560, 33471
_NM: Final = 1e9


def sniff(source: Source) -> bool:
    """Tell the tags on any of the first pages."""
    return has_tag(source, _TAG, _INI)


def read(source: Source) -> list[Picture]:
    """List the pictures; a preview has no pixel size."""
    return read_tiff(source, describe)


def describe(page: Page) -> Statement:
    """Read the block of a page."""
    said = page.value(_TAG)
    said = said if isinstance(said, dict) else {}
    x, y = number(said.get("pixelsizex")), number(said.get("pixelsizey"))
    x, y = x or y, y or x
    magnification = number(said.get("magnification"))
    time = str(said.get("datetime") or "")
    raw: dict[str, Any] = {"OlympusSIS": {k: str(v) for k, v in said.items()}}
    if page.has(_INI):
        raw["OlympusINI"] = page.text(_INI)
    return Statement(
        "Olympus SIS",
        "TIFF tag 33560",
        {
            "instrument": page.text(272).strip(),
            "acquired": page.date() or full_date(time),
            "magnification": magnification if magnification and magnification > 0 else None,
            "detector": said.get("cameraname"),
            "sample": said.get("name"),
        },
        raw | {"TIFF": page.standard_tags()},
        pixel_size=(y * _NM, x * _NM) if x and y else None,
        evidence=f"tag {_TAG} pixelsizex = {x:.10g} m" if x else "",
    )
