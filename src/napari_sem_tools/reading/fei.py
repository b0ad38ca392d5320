"""FEI and Thermo Fisher: INI text in TIFF tag 34682 (older: 34680), XML in 34683."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any, Final, NamedTuple

from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import (
    Element,
    Sections,
    decode,
    first_text,
    full_date,
    integer,
    length_nm,
    number,
    parse_ini,
    per_nm,
    truth,
    xml_elements,
)
from napari_sem_tools.reading.tiffpages import Page, first_pages, has_tag, read_tiff

__all__ = ["describe", "read", "sniff"]

_INI, _OLD_INI, _XML = 34682, 34680, 34683
_ROUNDING_INI: Final = 2.9e-6  # six digits: half a unit of the last, uniform
_AGREE: Final = 1e-3  # relative: field width / columns against the pixel size
_NM: Final = 1e9
_OPTICAL_NM: Final = 1e7
_MODES: Final = {"ebeam": "SEM", "ibeam": "FIB", "irbeam": "optical", "ccdbeam": "optical"}


def sniff(source: Source) -> bool:
    """Tell the files by their tags; 34683 must not be Phenom's."""
    if has_tag(source, _INI, _OLD_INI):
        return True
    return any(
        b"<Metadata" in Page(source, (0, 0), ifd).raw(_XML)[:2000]
        for ifd in first_pages(source)
        if _XML in ifd.tags
    )


def read(source: Source) -> list[Picture]:
    """List the pictures of the file."""
    return read_tiff(source, describe)


class _Size(NamedTuple):
    """A pixel size (y, x) in nm with its evidence and rounding."""

    size: tuple[float, float] | None = None
    evidence: str = ""
    rounding: float = 0.0
    reciprocal: tuple[float, float] | None = None


def describe(page: Page) -> Statement:
    """Read the tags of a page."""
    ini, tag = _ini_of(page)
    xml = xml_elements(page.text(_XML)) if page.has(_XML) else []
    raw: dict[str, Any] = {name: dict(values) for name, values in ini.items() if values}
    if xml:
        raw["FEI XML"] = {element.path: element.text for element in xml if element.text}
    raw["TIFF"] = page.standard_tags()
    stored = _stored(ini, xml)
    by_xml, by_ini = _xml_size(xml), _ini_size(ini, tag)
    best = by_xml if by_xml.size or by_xml.reciprocal else by_ini
    notes = _notes(ini)
    if by_xml.size and by_ini.size and abs(by_xml.size[1] / by_ini.size[1] - 1) > _AGREE:
        best = by_ini
        notes.append(
            f"Tag 34683 states {by_xml.size[1]:.6g} nm and tag {tag} {by_ini.size[1]:.6g} nm; "
            "the latter was taken."
        )
    optical = _MODES.get(_column(ini).lower()) == "optical"
    return Statement(
        "FEI/Thermo",
        "TIFF tag " + (str(tag) if tag else str(_XML)),
        _vocabulary(ini, xml, stored, page),
        raw,
        pixel_size=best.size,
        reciprocal=best.reciprocal,
        evidence=best.evidence,
        rounding=best.rounding,
        stored=stored,
        rows_without_strip=True,
        largest_nm=_OPTICAL_NM if optical else 1e6,
        notes=tuple(notes),
    )


def _ini_of(page: Page) -> tuple[Sections, int]:
    """Return the INI text and the tag that holds it; 34680 may be base-64 of something else."""
    for tag in (_INI, _OLD_INI):
        if not page.has(tag):
            continue
        text = page.text(tag)
        if "[" not in text:
            text = _unpacked(text)
        sections = parse_ini(text)
        if any(sections.values()) and len(sections) > 1:
            return sections, tag
    return parse_ini(""), 0


def _unpacked(text: str) -> str:
    """Unpack base-64; what is none becomes nothing."""
    try:
        return decode(base64.b64decode(re.sub(r"\s+", "", text), validate=True))
    except (binascii.Error, ValueError):
        return ""


def _column(ini: Sections) -> str:
    """Name the section of the active column."""
    stated = ini.get_value("Beam", "Beam")
    if stated:
        return stated
    names = [name for name in ini if name.lower().endswith("beam") and name.lower() != "beam"]
    return names[0] if names else "EBeam"


def _scan(ini: Sections) -> str:
    """Name the section of the active scan generator."""
    return ini.get_value("Beam", "Scan") or "EScan"


def _field(ini: Sections, axis: str) -> float | None:
    """Return the field width or height in m."""
    scan, beam = ("HorFieldsize", "HFW") if axis == "x" else ("VerFieldsize", "VFW")
    return (
        ini.get_length("Scan", scan)
        or ini.get_length(_scan(ini), scan)
        or ini.get_length(_column(ini), beam)
    )


def _pixel(ini: Sections, axis: str) -> float | None:
    """Return the stated pixel size in m."""
    key = "PixelWidth" if axis == "x" else "PixelHeight"
    return ini.get_length("Scan", key) or ini.get_length(_scan(ini), key)


def _stored(ini: Sections, xml: list[Element]) -> tuple[int | None, int | None]:
    """Return rows and columns as acquired, without the strip."""
    sides: list[int | None] = []
    for axis, key, name in (("y", "ResolutionY", "Height"), ("x", "ResolutionX", "Width")):
        stated = "" if ini.cut == key else ini.get_value("Image", key)
        side = integer(stated)
        whole, pixel = _field(ini, axis), _pixel(ini, axis)
        if not side and whole and pixel and whole / pixel < 1e6:
            side = round(whole / pixel)
        if not side:
            side = integer(
                first_text(
                    xml, f"BinaryResult/ImageSize/{axis.upper()}", f"ScanSettings/ScanSize/{name}"
                )
            )
        sides.append(side if side and side > 0 else None)
    return sides[0], sides[1]


def _ini_size(ini: Sections, tag: int) -> _Size:
    """Return what the INI text says of the pixel size."""
    x, y = _pixel(ini, "x"), _pixel(ini, "y")
    if x is not None or y is not None:
        x, y = x or y, y or x
        text = ini.get_value("Scan", "PixelWidth", "PixelHeight") or f"{x:g}"
        evidence = f"tag {tag} [Scan] PixelWidth = {text} m"
        return _Size(((y or 0) * _NM, (x or 0) * _NM), evidence, _ROUNDING_INI)
    wide, columns = _field(ini, "x"), integer(ini.get_value("Image", "ResolutionX"))
    high, rows = _field(ini, "y"), integer(ini.get_value("Image", "ResolutionY"))
    if not wide or not columns or columns <= 0:
        return _Size()
    own = wide / columns * _NM
    other = high / rows * _NM if high and rows and rows > 0 else own
    evidence = f"tag {tag} [{_column(ini)}] HFW = {wide:g} m / ResolutionX = {columns}"
    return _Size((other, own), evidence, _ROUNDING_INI)


def _xml_size(xml: list[Element]) -> _Size:
    """Return what the XML says of the pixel size; its prefix power is a factor of 10 or nothing."""
    found: dict[str, tuple[float, str]] = {}
    for element in xml:
        axis = element.path.rpartition("/")[2]
        value = number(element.text)
        if value and re.search(r"BinaryResult/PixelSize/[XY]$", element.path):
            found[axis] = (value, element.attributes.get("unit", ""))
    if "X" not in found and "Y" not in found:
        return _Size()
    x, y = found.get("X") or found["Y"], found.get("Y") or found["X"]
    evidence = f"tag {_XML} BinaryResult/PixelSize = {x[0]:.10g} {x[1]}"
    lengths = (length_nm(*y), length_nm(*x))
    if lengths[0] is not None and lengths[1] is not None:
        return _Size((lengths[0], lengths[1]), evidence)
    inverse = (per_nm(*y), per_nm(*x))
    if inverse[0] is not None and inverse[1] is not None:
        return _Size(None, evidence, 0.0, (inverse[0], inverse[1]))
    return _Size()


def _notes(ini: Sections) -> list[str]:
    """Say what was done to the picture at the microscope."""
    notes = []
    zoom = number(ini.get_value("Image", "ZoomFactor"))
    if zoom is not None and zoom > 1.0001:
        notes.append(f"Digital zoom {zoom:g} was on; the stated pixel size is taken as it is.")
    if truth(ini.get_value(_column(ini), "MagnificationCorrection")):
        notes.append("Magnification correction was on.")
    done = ini.get_value("Image", "PostProcessing")
    if done and done.lower() != "none":
        notes.append(f"Post-processing at the microscope: {done}.")
    return notes


class _Amount(NamedTuple):
    """Where a number of the vocabulary stands: in the INI text, else in the XML, and its unit."""

    key: str
    ini: tuple[tuple[str, str], ...]
    xml: tuple[str, ...] = ()
    factor: float = 1.0
    optics: bool = False  # True: says nothing of an optical overview


_ACTIVE: Final = "*active column*"
_SCANNER: Final = "*active scan generator*"
_DEG: Final = math.degrees(1)
_AMOUNTS: Final = (
    _Amount(
        "accelerating_voltage_kV",
        ((_ACTIVE, "HV"), ("Beam", "HV")),
        ("Optics/AccelerationVoltage",),
        1e-3,
        optics=True,
    ),
    _Amount(
        "working_distance_mm",
        ((_ACTIVE, "WD"), ("Stage", "WorkingDistance")),
        ("Optics/WorkingDistance",),
        1e3,
        optics=True,
    ),
    _Amount("beam_current_nA", ((_ACTIVE, "BeamCurrent"),), ("Optics/BeamCurrent",), 1e9),
    _Amount(
        "dwell_time_us",
        (("Scan", "Dwelltime"), (_SCANNER, "Dwell")),
        ("ScanSettings/DwellTime",),
        1e6,
    ),
    _Amount("frame_time_s", (("Scan", "FrameTime"),), ("ScanSettings/FrameTime",)),
    _Amount(
        "tilt_deg",
        (("Stage", "StageT"), ("Stage", "StageTa"), (_ACTIVE, "StageTa"), (_ACTIVE, "StageT")),
        ("StagePosition/Tilt/Alpha", "StagePosition/Tilt"),
        _DEG,
        optics=True,
    ),
    _Amount(
        "tilt_correction_deg",
        ((_ACTIVE, "TiltCorrectionAngle"),),
        ("Optics/SamplePreTiltAngle",),
        _DEG,
    ),
    _Amount(
        "scan_rotation_deg",
        ((_ACTIVE, "ScanRotation"), ("Beam", "ScanRotation")),
        ("ScanSettings/ScanRotation",),
        _DEG,
    ),
    _Amount(
        "chamber_pressure_Pa", (("Vacuum", "ChPressure"),), ("VacuumProperties/SamplePressure",)
    ),
    _Amount("gamma", (("Image", "DigitalGamma"),), ("BinaryResult/Gamma",)),
)
_STAGE: Final = tuple(
    _Amount(
        axis,
        (("Stage", f"Stage{axis}"), (_ACTIVE, f"Stage{axis}")),
        (f"StagePosition/{axis}",),
        1e3,
    )
    for axis in "XYZ"
)


def _amount(row: _Amount, ini: Sections, xml: list[Element]) -> float | None:
    """Return a number of the vocabulary."""
    names = {_ACTIVE: _column(ini), _SCANNER: _scan(ini)}
    for section, key in row.ini:
        value = number(ini.get_value(names.get(section, section), key))
        if value is not None:
            return value * row.factor
    value = number(first_text(xml, *row.xml))
    return None if value is None else value * row.factor


def _mode(ini: Sections, xml: list[Element]) -> str:
    """Return SEM, FIB or optical by the active column."""
    if not any(ini.values()) and first_text(xml, "Acquisition/BeamType").lower() == "ion":
        return "FIB"
    return _MODES.get(_column(ini).lower(), "SEM")


def _vocabulary(
    ini: Sections, xml: list[Element], stored: tuple[int | None, int | None], page: Page
) -> dict[str, Any]:
    """Say INI and XML in the common vocabulary; the INI text comes first."""
    mode = _mode(ini, xml)
    column = _column(ini)
    wide, high = _field(ini, "x"), _field(ini, "y")
    stage = tuple(_amount(row, ini, xml) for row in _STAGE)
    amounts = {
        row.key: _amount(row, ini, xml) for row in _AMOUNTS if mode != "optical" or not row.optics
    }
    return amounts | {
        "instrument": ini.get_value("System", "SystemType")
        or first_text(xml, "Instrument/InstrumentClass", "Instrument/InstrumentModel"),
        "serial_number": ini.get_value("System", "Dnumber")
        or first_text(xml, "Instrument/InstrumentID"),
        "software": ini.get_value("System", "Software")
        or first_text(xml, "Instrument/ControlSoftwareVersion"),
        "acquired": _date(ini, xml) or page.date(),
        "mode": mode,
        "beam": {"SEM": "electron", "FIB": "ion"}.get(mode),
        "magnification": _magnification(ini, wide)
        or number(first_text(xml, "Optics/NominalMagnification")),
        "field_of_view_um": (high * 1e6, wide * 1e6) if high and wide else None,
        "stored_size_px": stored if None not in stored else None,
        "detector": ini.get_value("Detectors", "Name")
        or first_text(xml, "ScanningDetector/DetectorName", "DetectorName"),
        "signal": _signal(ini, xml),
        "averaging": _averaging(ini),
        "tilt_correction": truth(
            ini.get_value(column, "TiltCorrectionIsOn")
            or first_text(xml, "Optics/SampleTiltCorrectionOn")
        ),
        "dynamic_focus": truth(ini.get_value(column, "DynamicFocusIsOn")),
        "stage_mm": stage if None not in stage else None,
        "comment": ini.get_value("User", "UserText").strip(),
    }


def _signal(ini: Sections, xml: list[Element]) -> str:
    """Return SE, BSE, ... of the detector that made the image."""
    name = ini.get_value("Detectors", "Name")
    stated = ini.get_value("Detectors", "Mode")
    if stated.lower() == "none":
        stated = ""
    return stated or (ini.get_value(name, "Signal") if name else "") or first_text(
        xml, "ScanningDetector/Signal"
    )  # fmt: skip


def _date(ini: Sections, xml: list[Element]) -> str | None:
    """Return the time of acquisition."""
    stated = full_date(ini.get_value("User", "Date"), ini.get_value("User", "Time"))
    if stated is None:
        stated = full_date(ini.get_value("PrivateFei", "TimeOfCreation"), day_first=True)
    return stated or full_date(first_text(xml, "Acquisition/AcquisitionDatetime"))


def _magnification(ini: Sections, wide: float | None) -> float | None:
    """Return the printed magnification: width of print or screen over field width."""
    canvas = ini.get_length("Image", "MagCanvasRealWidth")
    return canvas / wide if canvas and wide else None


def _averaging(ini: Sections) -> str | None:
    """Say how many frames or lines were averaged or integrated."""
    parts = []
    for key in ("Average", "Integrate"):
        count = integer(ini.get_value("Scan", key) or ini.get_value("Image", key))
        if count and count > 0:
            parts.append(f"{key} {count}")
    return ", ".join(parts) or None
