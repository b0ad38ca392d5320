"""Pictures without calibration: plain TIFF, PNG, JPEG, BMP.  DPI is no scale."""

from __future__ import annotations

from typing import Any

from napari_sem_tools.reading.raster import pictures
from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import full_date
from napari_sem_tools.reading.tiffpages import Page

__all__ = ["read", "sniff"]


def sniff(source: Source) -> bool:
    """Take any picture that the containers know."""
    return source.container in ("tiff", "raster")


def read(source: Source) -> list[Picture]:
    """List the pictures, uncalibrated."""
    return pictures(source, describe)


def describe(page: Page) -> Statement:
    """Say what little a plain picture says."""
    raw: dict[str, Any] = {"TIFF": page.standard_tags()} if page.ifd is not None else {}
    if page.info:
        raw["picture"] = dict(page.info)
    kind = "TIFF" if page.ifd is not None else str(page.info.get("container", "picture"))
    date = page.date() or full_date(str(page.info.get("DateTime", "")))
    return Statement("unknown", kind, {"acquired": date}, raw, origin="none")
