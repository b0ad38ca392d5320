"""ImageJ TIFF: ``unit`` in the description, pixels per unit in XResolution and YResolution."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.reading import pixels as px
from napari_sem_tools.reading.source import Source, library_errors, quiet
from napari_sem_tools.reading.statement import Picture, Pixels, Statement
from napari_sem_tools.reading.text import integer, length_nm, number, parse_ini, per_nm
from napari_sem_tools.reading.tiffpages import Page, check_size, first_pages, read_tiff

__all__ = ["describe", "is_imagej", "prefer", "read", "sniff"]

# ImageJ turns a resolution in DPI into "inch" or "cm", which is no scale of a specimen.
_NO_LENGTH: Final = ("", "pixel", "pixels", "px", "inch", "cm", "unit")


def is_imagej(page: Page) -> bool:
    """Tell whether ImageJ wrote the page."""
    return page.has(270) and page.raw(270)[:7] == b"ImageJ="


def sniff(source: Source) -> bool:
    """Tell a file that ImageJ wrote by its description."""
    pages = first_pages(source, 1)
    return bool(pages) and is_imagej(Page(source, (0, 0), pages[0]))


def read(source: Source) -> list[Picture]:
    """List the pictures; slices behind a single directory are one stack."""
    opened = first_pages(source, 1)[0]

    def describe_any(page: Page) -> Statement:
        """Read a page; later ones have no description of their own."""
        return describe(page if is_imagej(page) else Page(source, page.shape, opened))

    pictures = read_tiff(source, describe_any, colour_is_display=True)
    first = pictures[0]
    planes = integer(first.statements[0].raw["ImageJ"].get("images", "")) or 1
    if len(pictures) == 1 and first.count == 1 and planes > 1:
        return [_virtual(source, first, planes)]
    return pictures


def describe(page: Page) -> Statement:
    """Read the description and the resolution of a page."""
    said = parse_ini(page.text(270))
    values = said[""] if is_imagej(page) else {}
    raw: dict[str, Any] = {"ImageJ": dict(values), "TIFF": page.standard_tags()}
    x, y = _per_unit(page, 282), _per_unit(page, 283)
    unit = "" if said.cut == "unit" else values.get("unit", "")
    unit_y = "" if said.cut == "yunit" else values.get("yunit", "") or unit
    size = (length_nm(y or x, unit_y), length_nm(x, unit))
    reciprocal = (per_nm(y or x, unit_y), per_nm(x, unit))
    stated = f"ImageJ unit = {unit}, {1 / x:.7g} px per unit" if x else ""
    known = size[0] is not None and size[1] is not None and unit not in _NO_LENGTH
    spacing, frame_unit = number(values.get("spacing", "")), values.get("zunit") or unit
    interval = number(values.get("finterval", ""))
    return Statement(
        "ImageJ",
        "ImageJ TIFF",
        {
            "acquired": page.date(),
            "frame_spacing": spacing if spacing is not None else interval,
            "frame_unit": frame_unit if spacing is not None else (interval and "s") or None,
        },
        raw,
        pixel_size=(size[0] or 0.0, size[1] or 0.0) if known else None,
        reciprocal=None if None in reciprocal else (reciprocal[0] or 0.0, reciprocal[1] or 0.0),
        evidence=stated,
        rounding=0.0,
    )


def prefer(set_later: Statement, said: Statement) -> Statement:
    """Let a scale that a person set in ImageJ win over the vendor's, and say both."""
    if set_later.pixel_size is None:
        return said
    notes = said.notes
    if said.pixel_size is not None:
        notes = (
            *notes,
            f"{said.vendor} states {said.pixel_size[1]:.6g} nm per pixel, ImageJ afterwards "
            f"{set_later.pixel_size[1]:.6g} nm; the latter was taken.",
        )
    return dataclasses.replace(
        said,
        pixel_size=set_later.pixel_size,
        reciprocal=None,
        evidence=set_later.evidence,
        rounding=set_later.rounding,
        stored=(None, None),
        must_be_stored=False,
        raw=said.raw | {"ImageJ": set_later.raw["ImageJ"]},
        notes=notes,
    )


def _per_unit(page: Page, code: int) -> float | None:
    """Return the length of a pixel in ImageJ's unit from a TIFF resolution."""
    value = page.value(code)
    if not isinstance(value, tuple) or len(value) != 2 or not value[0] or not value[1]:
        return None
    return float(value[1]) / float(value[0])


def _virtual(source: Source, first: Picture, planes: int) -> Picture:
    """Make a stack of slices that lie one after the other behind one directory."""
    ifd = first_pages(source, 1)[0]
    size = int(np.prod(ifd.shape)) * ifd.dtype.itemsize

    def load() -> Pixels:
        start = int(ifd.dataoffsets[0])
        if int(ifd.compression) != 1:
            raise UnreadableFile(
                f"{source.path.name} is a compressed ImageJ stack with one directory.",
                hint="Save it again in Fiji.",
            )
        if start + size * planes > source.size:
            raise UnreadableFile(
                f"{source.path.name} ends after {max(0, source.size - start) // max(1, size)} of "
                f"{planes} slices.",
                hint="Copy it again from the microscope.",
            )
        check_size(source, (planes, *ifd.shape), ifd.dtype.itemsize, stored=None)
        with library_errors(source.path, "has damaged pixels"), quiet("tifffile"):
            stack = np.memmap(
                source.path,
                dtype=ifd.dtype.newbyteorder(ifd.parent.byteorder),
                mode="r",
                offset=start,
                shape=(planes, *ifd.shape),
            )
            array = px.native(np.array(stack))
        if array.ndim == 4 and array.shape[-1] in (3, 4):
            found = px.from_channels(array)
            return dataclasses.replace(found, axes="NYX")
        return Pixels(array.reshape(-1, *array.shape[-2:]), "NYX")

    return dataclasses.replace(first, load=load, count=planes)
