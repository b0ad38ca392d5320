"""Phenom desktop microscopes: FeiImage XML in TIFF tag 34683 or behind a JPEG."""

from __future__ import annotations

from typing import Any, Final

from napari_sem_tools.reading.raster import pictures
from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import (
    Element,
    decode,
    first_text,
    full_date,
    integer,
    length_nm,
    number,
    xml_elements,
)
from napari_sem_tools.reading.tiffpages import Page, first_pages

__all__ = ["describe", "read", "sniff"]

_TAG: Final = 34683
_ROOT: Final = b"<FeiImage"


def sniff(source: Source) -> bool:
    """Tell the files by the root of their XML."""
    if source.container == "raster":
        return _ROOT in source.tail
    return any(_ROOT in _tag(source, ifd)[:2000] for ifd in first_pages(source))


def _tag(source: Source, ifd: Any) -> bytes:
    """Return the XML of a page."""
    return Page(source, (0, 0), ifd).raw(_TAG)


def read(source: Source) -> list[Picture]:
    """List the pictures of the file."""
    return pictures(source, describe)


def describe(page: Page) -> Statement:
    """Read the XML of a page or behind a picture."""
    if page.ifd is not None:
        text = page.text(_TAG)
        where = f"tag {_TAG}"
    else:
        tail = page.source.tail
        text = decode(tail[max(tail.rfind(_ROOT), 0) :])
        where = "XML behind the picture"
    xml = xml_elements(text[max(text.find("<FeiImage"), 0) :])
    x, y = _side(xml, "pixelWidth"), _side(xml, "pixelHeight")
    x, y = x or y, y or x
    said = _first(xml, "pixelWidth") or _first(xml, "pixelHeight")
    evidence = ""
    if said is not None:
        evidence = f"{where} pixelWidth = {said.text} {said.attributes.get('unit', '')}".strip()
    return Statement(
        "Phenom",
        "TIFF tag 34683" if page.ifd is not None else "FeiImage XML",
        _vocabulary(xml, page),
        {"FeiImage": {e.path: e.text for e in xml if e.text}, "TIFF": page.standard_tags()},
        pixel_size=(y, x) if x and y else None,
        evidence=evidence,
        strip_rows=integer(first_text(xml, "databarHeight")),
    )


def _first(xml: list[Element], name: str) -> Element | None:
    """Return the first element of this name."""
    return next((e for e in xml if e.path.rpartition("/")[2] == name and e.text), None)


def _side(xml: list[Element], name: str) -> float | None:
    """Return a pixel's side in nm; a number without unit is no length."""
    element = _first(xml, name)
    if element is None:
        return None
    value = length_nm(number(element.text), element.attributes.get("unit", ""))
    return value if value is not None and value > 0 else None


def _vocabulary(xml: list[Element], page: Page) -> dict[str, Any]:
    """Say the XML in the common vocabulary."""
    voltage = _first(xml, "highVoltage") or _first(xml, "accelerationVoltage")
    kilo = None
    if voltage is not None:
        value = number(voltage.text)
        unit = voltage.attributes.get("unit", "V").lower()
        kilo = None if value is None else abs(value) * (1.0 if unit == "kv" else 1e-3)
    distance = _first(xml, "workingDistance")
    dwell = _first(xml, "dwellTime")
    nm = length_nm(number(distance.text), distance.attributes.get("unit")) if distance else None
    seconds = number(dwell.text) if dwell is not None else None
    if seconds is not None and dwell is not None:
        factor = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3}
        seconds *= factor.get(dwell.attributes.get("unit", "s"), 1.0)
    return {
        "instrument": first_text(xml, "instrument/edition", "instrument/type"),
        "serial_number": first_text(xml, "instrument/uniqueID"),
        "software": first_text(xml, "instrument/softwareVersion"),
        "acquired": full_date(first_text(xml, "acquisition/time", "time")) or page.date(),
        "mode": "SEM",
        "beam": "electron",
        "accelerating_voltage_kV": kilo,
        "working_distance_mm": None if nm is None else nm / 1e6,
        "magnification": number(first_text(xml, "magnification", "displayMagnification")),
        "detector": first_text(xml, "scan/detector", "detector"),
        "dwell_time_us": None if seconds is None else seconds * 1e6,
        "sample": first_text(xml, "sampleName", "label"),
    }
