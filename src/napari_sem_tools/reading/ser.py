"""FEI TIA series: pixels and calibration in ``NAME_1.ser``, everything else in ``NAME.emi``."""

from __future__ import annotations

import html
import re
import struct
from typing import Any, Final, NamedTuple

import numpy as np

from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.reading import pixels as px
from napari_sem_tools.reading.source import Source, library_errors
from napari_sem_tools.reading.statement import Picture, Pixels, Statement
from napari_sem_tools.reading.text import Element, full_date, number, xml_elements
from napari_sem_tools.reading.tiffpages import check_size

__all__ = ["read", "sniff"]

_TYPES: Final = {
    1: "u1", 2: "u2", 3: "u4", 4: "i1", 5: "i2", 6: "i4", 7: "f4", 8: "f8", 9: "c8", 10: "c16",
}  # fmt: skip
_IMAGES: Final = 0x4122
_WIDE_OFFSETS: Final = 0x0220  # version from which offsets have 8 bytes
_ELEMENT: Final = struct.Struct("<ddiddiHii")
_IMPOSSIBLE_M: Final = 1e-2  # no image has pixels so large: it must be 1/m
_MOST_FRAMES: Final = 200_000


class _Element(NamedTuple):
    """Header of one frame."""

    delta_x: float
    delta_y: float
    dtype: str
    columns: int
    rows: int
    offset: int


def sniff(source: Source) -> bool:
    """Take any series of TIA."""
    return source.container == "ser"


def read(source: Source) -> list[Picture]:
    """List the one picture or stack of the series.

    Raises
    ------
    UnreadableFile
        The header is damaged or the file holds spectra.
    """
    with library_errors(source.path, "is a damaged TIA series"):
        frames = _frames(source)
    first = frames[0]
    alike = [f for f in frames if f[2:5] == first[2:5]]
    said = _describe(source, first, emi_of(source), changed=_changes(alike))

    def load() -> Pixels:
        return _load(source, alike)

    return [Picture(load, (said,), (first.rows, first.columns), 0, len(alike))]


def _frames(source: Source) -> list[_Element]:
    """Read the headers of all frames that are in the file."""
    version, kind = struct.unpack_from("<HI", source.head, 4)
    if kind != _IMAGES:
        raise UnreadableFile(
            f"{source.path.name} holds curves or spectra, no pictures.", hint="Open it in TIA."
        )
    wide = version >= _WIDE_OFFSETS
    total, valid = struct.unpack_from("<II", source.head, 14)
    start = struct.unpack_from("<Q" if wide else "<I", source.head, 22)[0]
    count = min(valid or total, total, _MOST_FRAMES)
    step = 8 if wide else 4
    table = source.bytes_at(int(start), count * step)
    offsets = struct.unpack(
        f"<{len(table) // step}{'Q' if wide else 'I'}", table[: len(table) // step * step]
    )
    frames = []
    for offset in offsets:
        head = source.bytes_at(int(offset), _ELEMENT.size)
        if len(head) < _ELEMENT.size:
            break
        _, dx, _, _, dy, _, code, columns, rows = _ELEMENT.unpack(head)
        if code not in _TYPES or columns < 1 or rows < 1:
            break
        frames.append(_Element(dx, dy, _TYPES[code], columns, rows, int(offset) + _ELEMENT.size))
    if not frames:
        raise UnreadableFile(
            f"{source.path.name} holds no whole picture.", hint="Copy it again from the microscope."
        )
    return frames


def _changes(frames: list[_Element]) -> bool:
    """Tell whether the pixel size changes within the series."""
    return any(f[:2] != frames[0][:2] for f in frames)


def _load(source: Source, frames: list[_Element]) -> Pixels:
    """Decode the frames."""
    first = frames[0]
    dtype = np.dtype("<" + first.dtype)
    size = first.rows * first.columns * dtype.itemsize
    check_size(source, (first.rows, first.columns), dtype.itemsize, stored=source.size)
    check_size(source, (len(frames), first.rows, first.columns), dtype.itemsize, stored=None)
    planes = []
    with library_errors(source.path, "has damaged pixels"):
        for index, frame in enumerate(frames):
            content = source.bytes_at(frame.offset, size)
            if len(content) < size:
                raise UnreadableFile(
                    f"{source.path.name} ends in frame {index + 1} of {len(frames)}.",
                    hint="Copy it again from the microscope.",
                )
            plane = np.frombuffer(content, dtype).reshape(first.rows, first.columns)
            planes.append(px.native(plane))
        if len(planes) == 1:
            return Pixels(planes[0])
        return Pixels(np.stack(planes), "NYX")


def emi_of(source: Source) -> list[Element]:
    """Return the XML of the EMI file beside, empty without one."""
    stem = re.sub(r"_\d+$", "", source.path.stem)
    names = dict.fromkeys((f"{stem}.emi", f"{source.path.stem}.emi"))
    found = source.sidecar_bytes(*names)
    start, stop = found.find(b"<ObjectInfo>"), found.find(b"</ObjectInfo>")
    if start < 0:
        return []
    content = found[start : stop + len(b"</ObjectInfo>") if stop > 0 else None]
    return xml_elements(content.decode("utf-8", "replace"))


def _labels(xml: list[Element]) -> dict[str, tuple[str, str]]:
    """Return value and unit of each label of the experimental description."""
    labels: dict[str, tuple[str, str]] = {}
    label, value = "", ""
    for element in xml:
        name = element.path.rpartition("/")[2]
        if name == "Label":
            label = element.text.strip()
        elif name == "Value":
            value = html.unescape(element.text)
        elif name == "Unit" and label:
            labels.setdefault(label, (value.strip(), element.text))
    return labels


def _describe(source: Source, frame: _Element, xml: list[Element], *, changed: bool) -> Statement:
    """Make the statement of the series."""
    labels = _labels(xml)
    mode = labels.get("Mode", ("", ""))[0]
    diffraction = "diffraction" in mode.lower() and "stem" not in mode.lower()
    x, y = abs(frame.delta_x), abs(frame.delta_y)
    evidence = f"SER CalibrationDeltaX = {frame.delta_x:.7g} "
    notes: list[str] = []
    size, reciprocal = None, None
    if changed:
        notes.append("The pixel size changes within the series; it is uncalibrated.")
    elif diffraction:
        reciprocal = (y * 1e-9, x * 1e-9)
        evidence += "1/m (mode from the EMI)"
    elif x > _IMPOSSIBLE_M or y > _IMPOSSIBLE_M:
        notes.append(
            f"A pixel of {x:.3g} m is none of an image: probably a diffraction pattern (1/m), "
            "which only the EMI file beside it would tell."
        )
        evidence += "m (not possible)"
    else:
        size = (y * 1e9, x * 1e9)
        evidence += "m"
    return Statement(
        "FEI TIA",
        "SER + EMI" if xml else "SER",
        _vocabulary(xml, labels, diffraction=diffraction),
        {"EMI": {e.path: e.text for e in xml if e.text}, "EMI labels": labels,
         "SER": frame._asdict()},
        pixel_size=size,
        reciprocal=reciprocal,
        evidence=evidence,
        notes=tuple(notes),
    )  # fmt: skip


def _vocabulary(
    xml: list[Element], labels: dict[str, tuple[str, str]], *, diffraction: bool
) -> dict[str, Any]:
    """Say the EMI in the common vocabulary."""

    def first(ending: str) -> str:
        return next((e.text for e in xml if e.path.endswith(ending) and e.text), "")

    def amount(label: str, factor: float = 1) -> float | None:
        value = number(labels.get(label, ("", ""))[0])
        return None if value is None else value * factor

    mode = labels.get("Mode", ("", ""))[0]
    scanning = "STEM" in mode.upper()
    volts = number(first("MicroscopeConditions/AcceleratingVoltage"))
    stage = tuple(amount(f"Stage {axis}", 1e-3) for axis in "XYZ")
    length = amount("Camera length", 1e3 if labels.get("Camera length", ("", ""))[1] == "m" else 1)
    instrument = labels.get("Microscope", ("", ""))[0]
    return {
        "instrument": re.sub(r"^Microscope\s+", "", instrument),
        "acquired": full_date(first("AcquireDate")),
        "mode": "diffraction" if diffraction else "STEM" if scanning else "TEM" if mode else "",
        "beam": "electron" if xml else None,
        "accelerating_voltage_kV": volts / 1e3 if volts else amount("High tension"),
        "magnification": None if diffraction else amount("Magnification"),
        "detector": first("AcquireInfo/CameraNamePath"),
        "camera_length_mm": length,
        "tilt_deg": amount("Stage A"),
        "stage_mm": stage if None not in stage else None,
    }
