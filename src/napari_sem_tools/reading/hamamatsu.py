"""Hamamatsu streak cameras: axes are wavelength and time, no lengths on a specimen."""

from __future__ import annotations

import re

from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import full_date
from napari_sem_tools.reading.tiffpages import Page, first_pages, read_tiff

__all__ = ["describe", "read", "sniff"]


def sniff(source: Source) -> bool:
    """Tell the description of the camera's software."""
    pages = first_pages(source, 1)
    if not pages:
        return False
    text = Page(source, (0, 0), pages[0]).raw(270)[:8000]
    return text.startswith(b"[Application]") and (b"HPD-TA" in text or b"[Scaling]" in text)


def read(source: Source) -> list[Picture]:
    """List the pictures, without lengths."""
    return read_tiff(source, describe)


def describe(page: Page) -> Statement:
    """Read date and axes of a page."""
    text = page.text(270)
    said: dict[str, str] = {}
    for key, value in re.findall(r'(\w+)=("[^"]*"|[^,\r\n\[]*)', text):
        said.setdefault(key, value.strip('"'))
    unit = said.get("ScalingXUnit", "")
    acquired = full_date(said.get("Date", ""), said.get("Time", ""), day_first=True)
    return Statement(
        "Hamamatsu",
        "TIFF streak camera",
        {
            "software": said.get("Software"),
            "acquired": acquired or page.date(),
            "detector": said.get("CameraName"),
            "mode": "optical",
        },
        {"Hamamatsu": said, "TIFF": page.standard_tags()},
        origin="none",
        notes=(
            f"A streak camera's picture: its axes ({unit or 'wavelength'} of wavelength, time) "
            "are no lengths on a specimen.",
        ),
    )
