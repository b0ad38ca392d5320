"""Zeiss SmartSEM: text in TIFF tag 34118, pixel size first among its unnamed numbers."""

from __future__ import annotations

import re
from typing import Any, Final

from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import (
    decode,
    full_date,
    length_nm,
    number,
    quantity,
    split_lines,
    truth,
)
from napari_sem_tools.reading.tiffpages import Page, has_tag, read_tiff

__all__ = ["parse", "read", "sniff"]

_TAGS: Final = (34118, 34119)  # the second is a copy in UTF-16
_PIXEL: Final = 3  # place of the pixel size among the unnamed numbers
_DISPLAY_COLUMNS: Final = 1024  # raster that the unnamed pixel size is meant for
_SAME: Final = 3e-3  # relative: two statements of one pixel size, both rounded
_SAME_ASPECT: Final = 0.01
_KEY: Final = re.compile(r"(?:AP|DP|SV)_[A-Z0-9_]+")

Entries = dict[str, str]


def sniff(source: Source) -> bool:
    """Tell a SmartSEM file by its tags."""
    return has_tag(source, *_TAGS)


def read(source: Source) -> list[Picture]:
    """List the pictures; every page has its own tag."""
    return read_tiff(source, describe)


def parse(text: str) -> tuple[list[float], Entries]:
    r"""Split the tag into unnamed numbers and entries ``key: text behind = or :``.

    Examples
    --------
    >>> numbers, entries = parse("0\r\n0\r\n0\r\n7.3e-9\r\nAP_WD\r\nWD = 4.5 mm\r\n")
    >>> numbers[3], entries["AP_WD"]
    (7.3e-09, '4.5 mm')
    """
    lines = split_lines(text)
    numbers: list[float] = []
    entries: Entries = {}
    key = ""
    cut = lines[-1].strip()
    for index, line in enumerate(lines):
        line = line.strip().strip("\0")
        if _KEY.fullmatch(line):
            key = line
        elif key:
            if line and not (cut and index == len(lines) - 1):  # a cut line is no statement
                entries.setdefault(key, re.sub(r"^[^=:]*[=:]\s*", "", line, count=1).strip())
            key = ""
        elif not entries and (value := number(line)) is not None and cut != line:
            numbers.append(value)
    return numbers, entries


def describe(page: Page) -> Statement:
    """Read the tag of a page."""
    text = page.text(34118) if page.has(34118) else decode(page.raw(34119))
    numbers, entries = parse(text)
    raw: dict[str, Any] = {"CZ_SEM": dict(entries), "CZ_SEM unnamed": numbers[:40]}
    raw |= {"TIFF": page.standard_tags()}
    if not entries and not numbers:
        return Statement(
            "Zeiss", "TIFF tag 34118", {"acquired": page.date()}, raw,
            notes=("The Zeiss tag cannot be read; the image is uncalibrated.",) if text else (),
        )  # fmt: skip
    stored = _stored(numbers, entries, page.shape)
    size, evidence, rounding, notes = _pixel_size(numbers, entries, stored)
    return Statement(
        "Zeiss",
        "TIFF tag 34118",
        _vocabulary(entries, page, stored),
        raw,
        pixel_size=None if size is None else (size, size),
        evidence=evidence,
        rounding=rounding,
        stored=stored,
        must_be_stored=True,
        notes=notes,
    )


def _length(entries: Entries, key: str) -> float | None:
    """Return an entry in nm."""
    return length_nm(*quantity(entries.get(key, "")))


def _first_number(numbers: list[float]) -> float | None:
    """Return the unnamed pixel size in nm if it can be one."""
    if len(numbers) <= _PIXEL:
        return None
    value = numbers[_PIXEL] * 1e9
    return value if 1e-4 <= value <= 1e6 else None


def _stored(
    numbers: list[float], entries: Entries, shape: tuple[int, int]
) -> tuple[int | None, int | None]:
    """Return rows and columns as acquired: stated, or derived where two statements agree."""
    match = re.match(r"(\d+)\s*[*x×]\s*(\d+)", entries.get("DP_IMAGE_STORE", ""))
    if match and int(match.group(1)) > 0 and int(match.group(2)) > 0:
        return int(match.group(2)), int(match.group(1))
    wide, high = _length(entries, "AP_WIDTH"), _length(entries, "AP_HEIGHT")
    printed, head = _length(entries, "AP_IMAGE_PIXEL_SIZE"), _first_number(numbers)
    for whole in (wide, head and head * _DISPLAY_COLUMNS):
        if whole and printed:
            columns = round(whole / printed / 64) * 64  # stores are 512, 1024, 2048, 3072 ...
            if columns and abs(whole / printed / columns - 1) < _SAME:
                rows = round(columns * high / wide) if wide and high else None
                return rows, columns
    if wide and high and abs(shape[0] * wide / (shape[1] * high) - 1) <= _SAME_ASPECT:
        return shape  # the field of view has the proportions of the file
    return None, None


def _pixel_size(
    numbers: list[float],
    entries: Entries,
    stored: tuple[int | None, int | None],
) -> tuple[float | None, str, float, tuple[str, ...]]:
    """Return pixel size in nm, evidence, rounding and notes, for the columns as acquired."""
    columns = stored[1]
    printed = _length(entries, "AP_IMAGE_PIXEL_SIZE")
    printed = printed if printed and printed > 0 else None
    head = _first_number(numbers)
    wide = _length(entries, "AP_WIDTH")
    text = f"CZ_SEM AP_IMAGE_PIXEL_SIZE = {entries.get('AP_IMAGE_PIXEL_SIZE', '')}"
    if columns is None:
        return printed, text if printed else "", 3e-4, ()
    best = head * _DISPLAY_COLUMNS / columns if head else None
    by_width = wide / columns if wide else None
    witness = printed or by_width
    if (
        best is not None
        and head is not None
        and (witness is None or abs(best / witness - 1) <= _SAME)
    ):
        return best, f"CZ_SEM value 4 = {head:.7g} nm x 1024 / {columns} columns", 0.0, ()
    notes: tuple[str, ...] = ()
    if best is not None and witness is not None:
        notes = (
            f"The Zeiss tag states {witness:.4g} nm in its text and {best:.4g} nm in its head; "
            "the text was taken.",
        )
    if printed is not None:
        return printed, text, 3e-4, notes
    if by_width is not None:
        return by_width, f"CZ_SEM AP_WIDTH = {entries['AP_WIDTH']} / {columns} columns", 3e-4, notes
    return None, "", 0.0, ()


def _vocabulary(
    entries: Entries, page: Page, stored: tuple[int | None, int | None]
) -> dict[str, Any]:
    """Say the entries in the common vocabulary."""

    def plain(key: str) -> str | None:
        return entries.get(key) or None

    def amount(key: str, units: dict[str, float]) -> float | None:
        value, unit = quantity(entries.get(key, ""))
        factor = units.get(unit.strip().lower())
        return None if value is None or factor is None else value * factor

    def in_mm(key: str) -> float | None:
        value = _length(entries, key)
        return None if value is None else value / 1e6

    view = (_length(entries, "AP_HEIGHT"), _length(entries, "AP_WIDTH"))
    stage = tuple(in_mm(f"AP_STAGE_AT_{axis}") for axis in "XYZ")
    return {
        "instrument": _instrument(entries),
        "serial_number": plain("SV_SERIAL_NUMBER"),
        "software": plain("SV_VERSION"),
        "acquired": _date(entries) or page.date(),
        "mode": _mode(entries),
        "beam": "ion" if entries.get("DP_FIB_IMAGING", "").upper() == "FIB" else "electron",
        "accelerating_voltage_kV": amount("AP_ACTUALKV", {"kv": 1, "v": 1e-3}),
        "working_distance_mm": in_mm("AP_WD"),
        "magnification": amount("AP_MAG", {"k x": 1e3, "kx": 1e3, "x": 1, "": 1, "m x": 1e6}),
        "field_of_view_um": _both(view, 1e-3),
        "stored_size_px": stored if stored[0] and entries.get("DP_IMAGE_STORE") else None,
        "detector": plain("DP_DETECTOR_CHANNEL") or plain("DP_DETECTOR_TYPE"),
        "signal": plain("DP_DETECTOR_TYPE"),
        "beam_current_nA": amount(
            "AP_IPROBE", {"pa": 1e-3, "na": 1, "µa": 1e3, "ua": 1e3, "a": 1e9, "ma": 1e6}
        ),
        "dwell_time_us": amount("DP_DWELL_TIME", {"ns": 1e-3, "µs": 1, "us": 1, "ms": 1e3}),
        "frame_time_s": amount(
            "AP_FRAME_TIME",
            {"secs": 1, "sec": 1, "s": 1, "mins": 60, "min": 60, "hours": 3600, "ms": 1e-3},
        ),
        "averaging": plain("DP_NOISE_REDUCTION"),
        "tilt_deg": amount("AP_STAGE_AT_T", {"°": 1, "deg": 1, "": 1, "degrees": 1}),
        "tilt_correction": truth(entries.get("DP_TILT_CORRECTION", "")),
        "tilt_correction_deg": amount("AP_TILT_ANGLE", {"°": 1, "deg": 1, "": 1}),
        "dynamic_focus": truth(entries.get("DP_DYNFOCUS", "")),
        "scan_rotation_deg": _rotation(entries, amount),
        "stage_mm": stage if None not in stage else None,
        "chamber_pressure_Pa": amount(
            "AP_CHAMBER_PRESSURE", {"pa": 1, "mbar": 100, "torr": 133.322}
        ),
        "sample": plain("SV_SAMPLE_ID"),
        "comment": plain("SV_USER_TEXT"),
        "original_name": plain("SV_FILE_NAME"),
    }  # fmt: skip


def _date(entries: Entries) -> str | None:
    """Return date and time of the acquisition."""
    return full_date(entries.get("AP_DATE", ""), entries.get("AP_TIME", ""))


def _rotation(entries: Entries, amount: Any) -> float | None:
    """Return the scan rotation; 0 when it is switched off."""
    if truth(entries.get("DP_SCAN_ROT", "")) is False:
        return 0.0
    value: float | None = amount("AP_SCANROTATION", {"°": 1, "deg": 1, "": 1})
    return value


def _instrument(entries: Entries) -> str | None:
    """Name the instrument by its serial number, which holds the model, or by its model."""
    return entries.get("SV_SERIAL_NUMBER") or entries.get("DP_SEM") or None


def _mode(entries: Entries) -> str:
    """Return SEM, or FIB where the ion beam made the image."""
    return "FIB" if entries.get("DP_FIB_IMAGING", "").upper() == "FIB" else "SEM"


def _both(values: tuple[float | None, float | None], factor: float) -> tuple[float, float] | None:
    """Scale a pair; None when one is missing."""
    first, second = values
    return None if first is None or second is None else (first * factor, second * factor)
