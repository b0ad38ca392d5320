"""JEOL SEM: nothing in the picture, ``$KEY value`` lines in a side-car ``NAME.txt``."""

from __future__ import annotations

import re
from typing import Any, Final

from napari_sem_tools.reading.statement import Statement
from napari_sem_tools.reading.text import full_date, length_nm, number, quantity, split_lines
from napari_sem_tools.reading.tiffpages import Page

__all__ = ["describe_sidecar", "is_sidecar", "parse"]

_PRINT_NM: Final = 120e6  # width of the print that JEOL's magnification refers to
_WHOLE_PIXEL: Final = 0.29  # px: standard uncertainty of a length cut to whole pixels
_SIGNS: Final = ("$CM_FORMAT", "$SEM_DATA_VERSION", "$CM_FULL_SIZE", "$$SM_MICRON_BAR")

Entries = dict[str, str]


def is_sidecar(text: str) -> bool:
    """Tell JEOL's text among others."""
    return any(sign in text for sign in _SIGNS)


def parse(text: str) -> Entries:
    r"""Return the entries without ``$``; a last line that is cut off is left out.

    Examples
    --------
    >>> parse("$CM_MAG 1000\n$$SM_MICRON_BAR 106\n$$SM_MICRON_MARKER 10")
    {'CM_MAG': '1000', 'SM_MICRON_BAR': '106'}
    """
    entries: Entries = {}
    for line in split_lines(text)[:-1]:
        match = re.match(r"\s*\$+([A-Z0-9_%]+)[ \t]*(.*)", line)
        if match is not None:
            entries.setdefault(match.group(1), match.group(2).strip().strip("\0"))
    return entries


def describe_sidecar(page: Page, text: str, name: str) -> Statement:
    """Read a side-car."""
    said = parse(text)
    full = _pair(said.get("CM_FULL_SIZE", "")) or _pair(said.get("CM_IMAGE_SIZE", ""))
    stored = (int(full[1]), int(full[0])) if full else (None, None)
    size, evidence, rounding = _pixel_size(said, stored[1])
    return Statement(
        "JEOL",
        f"{page.source.path.suffix.lstrip('.').upper()} + .txt",
        _vocabulary(said, stored, page),
        {"JEOL": said, "TIFF": page.standard_tags()},
        pixel_size=None if size is None else (size, size),
        origin="sidecar",
        evidence=f"side-car {name} {evidence}" if evidence else "",
        rounding=rounding,
        stored=stored,
        rows_without_strip=True,
        must_be_stored=True,
    )


def _pair(text: str) -> tuple[float, float] | None:
    """Read two positive numbers."""
    values = [number(part) for part in re.split(r"[\s,xX]+", text.strip())[:2]]
    if len(values) != 2 or any(v is None or v <= 0 for v in values):
        return None
    return values[0] or 0.0, values[1] or 0.0


def _pixel_size(said: Entries, columns: int | None) -> tuple[float | None, str, float]:
    """Return pixel size in nm, evidence and rounding.

    The bar is cut to whole pixels, so that it gives an interval; the magnification of the
    120 mm print is exact where it falls into it.
    """
    bar = number(said.get("SM_MICRON_BAR", ""))
    marker = length_nm(*quantity(said.get("SM_MICRON_MARKER", "")))
    magnification = number(said.get("CM_MAG", ""))
    if not bar or not marker or bar <= 0 or marker <= 0:
        return None, "", 0.0
    low, high = marker / (bar + 1), marker / bar
    stated = (
        f"SM_MICRON_MARKER = {said['SM_MICRON_MARKER']} / SM_MICRON_BAR = {said['SM_MICRON_BAR']}"
    )
    view = _pair(said.get("CM_FIELD_OF_VIEW", ""))
    if view and columns and low <= view[0] * 1e3 / columns <= high:
        return view[0] * 1e3 / columns, f"CM_FIELD_OF_VIEW = {said['CM_FIELD_OF_VIEW']} um", 0.0
    if magnification and columns and low <= _PRINT_NM / magnification / columns <= high:
        exact = _PRINT_NM / magnification / columns
        return exact, f"{stated}; 120 mm / CM_MAG = {magnification:g} / {columns} columns", 0.0
    return (low + high) / 2, stated, _WHOLE_PIXEL / bar


def _vocabulary(said: Entries, stored: tuple[int | None, int | None], page: Page) -> dict[str, Any]:
    """Say the entries in the common vocabulary."""
    position = [number(part) for part in said.get("CM_STAGE_POS", "").split()]
    current = number(said.get("SM_PROBE_CURRENT", ""))
    stage = tuple(position[:3]) if len(position) >= 3 else (None,)
    mode = said.get("SM_COLUMN_MODE", "")
    return {
        "instrument": said.get("CM_INSTRUMENT"),
        "acquired": full_date(said.get("CM_DATE", ""), said.get("CM_TIME", "")) or page.date(),
        "mode": "STEM" if "STEM" in mode.upper() else "SEM",
        "beam": "electron",
        "accelerating_voltage_kV": number(said.get("CM_ACCEL_VOLT", "")),
        "working_distance_mm": number(said.get("SM_WD", "")),
        "magnification": number(said.get("CM_MAG", "")),
        "stored_size_px": stored if None not in stored else None,
        "detector": said.get("CM_SIGNAL") or said.get("CM_DETECTOR") or said.get("CM_SIGNAL_NAME"),
        "signal": said.get("CM_SIGNAL") or said.get("CM_SIGNAL_NAME"),
        "beam_current_nA": None if current is None else current * 1e9,
        "frame_time_s": number(said.get("CM_PROCESS_TIME", "")),
        "averaging": said.get("SM_INTEG_NO"),
        "tilt_deg": position[4] if len(position) >= 5 else None,
        "scan_rotation_deg": number(said.get("SM_SCAN_ROTATION", "")),
        "stage_mm": stage if None not in stage else None,
        "sample": said.get("CM_TITLE"),
        "comment": said.get("CM_COMMENT"),
        "original_name": said.get("CM_TITLE"),
    }
