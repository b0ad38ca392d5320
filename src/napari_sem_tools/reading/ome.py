"""OME-TIFF: PhysicalSizeX and PhysicalSizeY in the XML of the first page."""

from __future__ import annotations

from typing import Any, Final

from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import (
    Element,
    first_text,
    full_date,
    integer,
    length_nm,
    number,
    xml_elements,
)
from napari_sem_tools.reading.tiffpages import Page, first_pages, read_tiff

__all__ = ["read", "sniff"]

_DEFAULT_UNIT: Final = "µm"  # by the schema, when the unit is absent


def sniff(source: Source) -> bool:
    """Tell the XML in the description."""
    pages = first_pages(source, 1)
    head = Page(source, (0, 0), pages[0]).raw(270)[:1000] if pages else b""
    return b"<OME" in head or b"http://www.openmicroscopy.org" in head


def read(source: Source) -> list[Picture]:
    """List the pictures; the XML of the first page speaks for all."""
    xml = xml_elements(Page(source, (0, 0), first_pages(source, 1)[0]).text(270))
    images = [element for element in xml if element.path.endswith("Image/Pixels")]
    if not images:  # a cut text: the attributes of what was opened are lost
        images = [Element("OME/Image/Pixels", "", {})]

    def describe(page: Page) -> Statement:
        return _describe(page, _image_of(images, page), xml)

    return read_tiff(source, describe)


def _image_of(images: list[Element], page: Page) -> Element:
    """Return the image that a page belongs to, by the numbers of planes."""
    index = int(getattr(page.ifd, "index", 0) or 0)
    for image in images:
        sides = [integer(image.attributes.get(f"Size{axis}", "1")) or 1 for axis in "ZCT"]
        planes = max(1, sides[0] * sides[1] * sides[2])
        if int(page.ifd.samplesperpixel) > 1:
            planes = max(1, planes // int(page.ifd.samplesperpixel))
        if index < planes:
            return image
        index -= planes
    return images[-1]


def _describe(page: Page, image: Element, xml: list[Element]) -> Statement:
    """Make the statement of a page of an image."""
    said = image.attributes
    x, y = _side(said, "X"), _side(said, "Y")
    x, y = x or y, y or x
    unit = said.get("PhysicalSizeXUnit", _DEFAULT_UNIT)
    rows, columns = integer(said.get("SizeY", "")), integer(said.get("SizeX", ""))
    spacing = number(said.get("PhysicalSizeZ", ""))
    time = number(said.get("TimeIncrement", ""))
    raw: dict[str, Any] = {"OME": {"Pixels": dict(said)}, "TIFF": page.standard_tags()}
    raw["OME"] |= {e.path: e.text or e.attributes for e in xml[:500]}
    return Statement(
        "OME",
        "OME-TIFF",
        {
            "instrument": _instrument(xml),
            "acquired": full_date(first_text(xml, "Image/AcquisitionDate")) or page.date(),
            "frame_spacing": spacing if spacing is not None else time,
            "frame_unit": said.get("PhysicalSizeZUnit", _DEFAULT_UNIT)
            if spacing is not None
            else said.get("TimeIncrementUnit", "s")
            if time is not None
            else None,
            "comment": first_text(xml, "Image/Description"),
        },
        raw,
        pixel_size=(y, x) if x and y else None,
        evidence=f"OME-XML PhysicalSizeX = {said.get('PhysicalSizeX', '')} {unit}" if x else "",
        stored=(rows, columns),
    )


def _side(said: dict[str, str], axis: str) -> float | None:
    """Return a pixel's side in nm; units that are no length give None."""
    value = number(said.get(f"PhysicalSize{axis}", ""))
    length = length_nm(value, said.get(f"PhysicalSize{axis}Unit", _DEFAULT_UNIT))
    return length if length and length > 0 else None


def _instrument(xml: list[Element]) -> str | None:
    """Name the microscope."""
    for element in xml:
        if element.path.endswith("Instrument/Microscope"):
            words = [element.attributes.get(key, "") for key in ("Manufacturer", "Model")]
            return " ".join(word for word in words if word) or None
    return None
