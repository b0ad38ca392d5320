"""Hitachi: ``[SemImageFile]`` in a side-car ``NAME.txt``, partly in TIFF tag 40092."""

from __future__ import annotations

import re
from typing import Any, Final

from napari_sem_tools.micrograph import Origin
from napari_sem_tools.reading.raster import pictures
from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import (
    Sections,
    full_date,
    integer,
    length_nm,
    number,
    parse_ini,
    quantity,
    truth,
)
from napari_sem_tools.reading.tiffpages import Page, first_pages

__all__ = ["describe_sidecar", "describe_tag", "is_sidecar", "read", "sniff"]

_TAG: Final = 40092  # XPComment
_PHOTO_NM: Final = 127e6  # width of the photo that Hitachi's magnification refers to
_DERIVED: Final = 0.0224  # with the 2 % of the instrument 3 %: nothing states the pixel size
_SAME: Final = 5e-3
_SIGNS: Final = ("[SemImageFile]", "[TemImageFile]", "[StemImageFile]")


def is_sidecar(text: str) -> bool:
    """Tell Hitachi's text among others."""
    head = text[:400].lower()
    return any(sign.lower() in head for sign in _SIGNS)


def sniff(source: Source) -> bool:
    """Tell the tag by the keys in it."""
    return any(
        "InstructName=" in text or "Magnification=" in text
        for ifd in first_pages(source)
        if _TAG in ifd.tags
        for text in [Page(source, (0, 0), ifd).text(_TAG)]
    )


def read(source: Source) -> list[Picture]:
    """List the pictures of a file with the tag and no side-car."""
    return pictures(source, describe_tag)


def describe_tag(page: Page) -> Statement:
    """Read the tag of a page."""
    return _describe(parse_ini(page.text(_TAG)), page, f"tag {_TAG}", "tag")


def describe_sidecar(page: Page, text: str, name: str) -> Statement:
    """Read a side-car; keys that it lacks are taken from the tag."""
    said = parse_ini(text)
    if page.has(_TAG):
        for section, values in parse_ini(page.text(_TAG)).items():
            said.setdefault(f"{section or 'tag'} {_TAG}", values)
    return _describe(said, page, f"side-car {name}", "sidecar")


def _describe(said: Sections, page: Page, where: str, origin: Origin) -> Statement:
    """Make the statement of a page."""
    stored = _stored(said)
    size, evidence, rounding, notes = _pixel_size(said, stored[1])
    if stored == (None, None):
        stored = (None, _columns_by_photo(said, size))
    combined = said.get_value("*", "DataDisplayCombine")
    name = said.get_value("*", "ImageName")
    if name and name.lower() != page.source.path.name.lower() and origin == "sidecar":
        notes = (*notes, f"The side-car was written for {name}.")
    raw: dict[str, Any] = {section: dict(values) for section, values in said.items() if values}
    return Statement(
        "Hitachi",
        "TIFF tag 40092" if origin == "tag" else "picture + .txt",
        _vocabulary(said, stored, page),
        raw | {"TIFF": page.standard_tags()},
        pixel_size=None if size is None else (size, size),
        origin=origin,
        evidence=f"{where} {evidence}" if evidence else "",
        rounding=rounding,
        stored=stored,
        strip_rows=0 if combined == "0" else None,
        notes=notes,
    )


def _stored(said: Sections) -> tuple[int | None, int | None]:
    """Return rows and columns as acquired; the label stands over the last rows of them."""
    if said.cut == "DataSize":
        return None, None
    match = re.match(r"(\d+)\s*[x*,]\s*(\d+)", said.get_value("*", "DataSize"), re.IGNORECASE)
    if match is None or not int(match.group(1)) or not int(match.group(2)):
        return None, None
    return int(match.group(2)), int(match.group(1))


def _columns_by_photo(said: Sections, size: float | None) -> int | None:
    """Derive the columns as acquired from magnification and pixel size."""
    magnification = said.get_length("*", "Magnification")
    if not size or not magnification:
        return None
    columns = _PHOTO_NM / magnification / size
    whole = round(columns / 64) * 64
    return whole if whole and abs(columns / whole - 1) < _SAME else None


def _pixel_size(
    said: Sections, columns: int | None
) -> tuple[float | None, str, float, tuple[str, ...]]:
    """Return pixel size in nm, evidence, rounding and notes."""
    stated = said.get_length("*", "PixelSize")
    text = said.get_value("*", "PixelSize")
    if stated is not None:
        unit = quantity(text)[1]
        size = length_nm(stated, unit) if unit else stated  # nm by the format
        digits = len(re.sub(r"\D", "", text).lstrip("0"))
        return size, f"PixelSize = {text}", 10.0 ** (1 - max(digits, 1)) / 12**0.5, ()
    magnification = said.get_length("*", "Magnification")
    if magnification is None or columns is None:
        return None, "", 0.0, ()
    size = _PHOTO_NM / magnification / columns
    evidence = f"derived: 127 mm / Magnification = {magnification:g} / {columns} columns"
    note = (
        "The file states no pixel size; it was derived from the magnification of a photo "
        "127 mm wide and is less certain (3 %)."
    )
    return size, evidence, _DERIVED, (note,)


def _vocabulary(
    said: Sections, stored: tuple[int | None, int | None], page: Page
) -> dict[str, Any]:
    """Say the text in the common vocabulary."""

    def plain(*keys: str) -> str:
        return said.get_value("*", *keys)

    def in_mm(key: str, unit: str) -> float | None:
        value, own = quantity(plain(key))
        nm = length_nm(value, own or unit)
        return None if nm is None else nm / 1e6

    volts, unit = quantity(plain("AcceleratingVoltage"))
    factor = 1.0 if unit.lower().startswith("k") else 1e-3
    stage = tuple(in_mm(f"StagePosition{axis}", "nm") for axis in "XYZ")
    return {
        "instrument": plain("InstructName", "InstrumentName") or page.text(40093).strip(),
        "serial_number": plain("SerialNumber"),
        "software": plain("SemVersion", "TemVersion"),
        "acquired": full_date(plain("Date"), plain("Time")) or page.date(),
        "mode": "TEM" if "TemImageFile" in said else "SEM",
        "beam": "electron",
        "accelerating_voltage_kV": None if volts is None else volts * factor,
        "working_distance_mm": in_mm("WorkingDistance", "um"),
        "magnification": number(plain("Magnification")),
        "stored_size_px": stored if None not in stored else None,
        "detector": plain("SignalName", "DisplaySignalName"),
        "signal": plain("SignalName"),
        "averaging": plain("CaptureSpeed_Integration"),
        "tilt_deg": number(plain("StagePositionT")),
        "tilt_correction": truth(plain("TiltCompensation")),
        "dynamic_focus": truth(plain("DynamicFocus")),
        "scan_rotation_deg": number(plain("RasterRotation")),
        "stage_mm": stage if None not in stage else None,
        "sample": plain("SampleName"),
        "comment": plain("Comment"),
        "original_name": plain("ImageName"),
        "frame_time_s": number(plain("FrameTime")) if integer(plain("FrameTime")) else None,
    }
