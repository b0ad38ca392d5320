"""TESCAN: blocks of text in TIFF tag 50431, or a side-car ``NAME-tif.hdr``."""

from __future__ import annotations

import re
import struct
from typing import Any, Final

from napari_sem_tools.micrograph import Origin
from napari_sem_tools.reading.raster import pictures
from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import Sections, decode, full_date, integer, number, parse_ini
from napari_sem_tools.reading.tiffpages import Page, has_tag

__all__ = ["describe_sidecar", "describe_tag", "read", "sniff", "walk_blocks"]

_TAG: Final = 50431
_NAMES: Final = {2: "MAIN", 3: "SEM", 4: "FIB"}
_NM: Final = 1e9


def sniff(source: Source) -> bool:
    """Tell the tag."""
    return has_tag(source, _TAG)


def read(source: Source) -> list[Picture]:
    """List the pictures of a file with the tag."""
    return pictures(source, describe_tag)


def sidecar_names(source: Source) -> list[str]:
    """List the names that the side-car may have."""
    stem, suffix = source.path.stem, source.path.suffix.lstrip(".")
    return [f"{stem}-{suffix}.hdr", f"{stem}.hdr", f"{source.path.name}.hdr"]


def walk_blocks(content: bytes) -> str:
    r"""Return the text of the tag: blocks of length, type and bytes, thumbnails left out.

    Examples
    --------
    >>> import struct
    >>> walk_blocks(struct.pack("<IH", 18, 2) + b"PixelSizeX=1e-9;")
    '[MAIN]\nPixelSizeX=1e-9;\n'
    """
    text, at = "", 0
    while at + 6 <= len(content):
        length, kind = struct.unpack_from("<IH", content, at)
        if length < 2 or at + 4 + length > len(content) + 2:
            break
        body = content[at + 6 : at + 4 + length]
        if kind > 1 and b"=" in body:
            name = _NAMES.get(kind, f"BLOCK{kind}")
            own = decode(body)
            text += (own if own.lstrip().startswith("[") else f"[{name}]\n{own}") + "\n"
        at += 4 + length
    if "PixelSize" in text:
        return text
    pairs = re.findall(rb"([A-Za-z][A-Za-z0-9 _]*)=([^\r\n\0]*)[\r\n]", content)
    return "[MAIN]\n" + "".join(f"{decode(k)}={decode(v)}\n" for k, v in pairs)


def describe_tag(page: Page) -> Statement:
    """Read the tag of a page."""
    return _describe(parse_ini(walk_blocks(page.raw(_TAG))), page, f"tag {_TAG}", "tag")


def describe_sidecar(page: Page, text: str, name: str) -> Statement:
    """Read a side-car."""
    return _describe(parse_ini(text), page, f"side-car {name}", "sidecar")


def _describe(ini: Sections, page: Page, where: str, origin: Origin) -> Statement:
    """Make the statement of a page."""
    x, y = ini.get_length("*", "PixelSizeX"), ini.get_length("*", "PixelSizeY")
    x, y = x or y, y or x
    strip = None if ini.cut == "ImageStripSize" else integer(ini.get_value("*", "ImageStripSize"))
    raw: dict[str, Any] = {name: dict(values) for name, values in ini.items() if values}
    stated = ini.get_value("*", "PixelSizeX", "PixelSizeY")
    return Statement(
        "TESCAN",
        "TIFF tag 50431" if origin == "tag" else "side-car .hdr",
        _vocabulary(ini, page, (y, x), strip),
        raw | {"TIFF": page.standard_tags()},
        pixel_size=(y * _NM, x * _NM) if x and y else None,
        origin=origin,
        evidence=f"{where} PixelSizeX = {stated} m" if x else "",
        rounding=_rounding(stated),
        strip_rows=0 if strip is None and x else strip,
    )


def _rounding(text: str) -> float:
    """Return the relative standard uncertainty of a rounded number."""
    digits = re.sub(r"[eE].*", "", text).strip("+- ")
    value = number(digits)
    if not value:
        return 0.0
    decimals = len(digits.partition(".")[2])
    return float(0.5 * 10.0**-decimals / 3**0.5 / abs(value))


def _vocabulary(
    ini: Sections,
    page: Page,
    pixel: tuple[float | None, float | None],
    strip: int | None,
) -> dict[str, Any]:
    """Say the text in the common vocabulary."""
    column = "FIB" if "FIB" in ini and "SEM" not in ini else "SEM"

    def amount(*keys: str, factor: float = 1) -> float | None:
        value = number(ini.get_value(column, *keys) or ini.get_value("*", *keys))
        return None if value is None else value * factor

    correction = amount("TiltCorrection")
    stage = tuple(amount(f"Stage{axis}", factor=1e3) for axis in "XYZ")
    rows, columns = page.shape
    rows -= strip or 0
    view = (pixel[0] * rows * 1e6, pixel[1] * columns * 1e6) if pixel[0] and pixel[1] else None
    voltage = amount("HV", factor=1e-3)
    frames, kind = ini.get_value("*", "AccFrames"), ini.get_value("*", "AccType")
    return {
        "instrument": ini.get_value("*", "Device"),
        "serial_number": ini.get_value("*", "SerialNumber"),
        "software": ini.get_value("*", "SoftwareVersion", "Version"),
        "acquired": full_date(ini.get_value("*", "Date"), ini.get_value("*", "Time"))
        or page.date(),
        "mode": "FIB" if column == "FIB" else "SEM",
        "beam": "ion" if column == "FIB" else "electron",
        "accelerating_voltage_kV": amount("AcceleratorVoltage", factor=1e-3)
        if voltage is None
        else voltage,
        "working_distance_mm": amount("WD", factor=1e3),
        "magnification": amount("Magnification"),
        "field_of_view_um": view,
        "stored_size_px": (rows, columns),
        "detector": ini.get_value("*", "Detector", "Detector0"),
        "beam_current_nA": amount("PredictedBeamCurrent", "ProbeCurrent", factor=1e9),
        "dwell_time_us": amount("DwellTime", factor=1e6),
        "averaging": " ".join(part for part in (frames, kind) if part),
        "tilt_deg": amount("StageTilt"),
        "tilt_correction": None if correction is None else correction != 0,
        "tilt_correction_deg": correction,
        "scan_rotation_deg": amount("ScanRotation"),
        "stage_mm": stage if None not in stage else None,
        "chamber_pressure_Pa": amount("ChamberPressure"),
        "gamma": amount("LUTGamma"),
        "comment": ini.get_value("*", "Note"),
    }
