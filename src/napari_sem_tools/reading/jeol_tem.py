"""JEOL TEM (SightX): XML in the description, pixels per metre of the camera, magnification."""

from __future__ import annotations

import math
from typing import Any, Final

from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.text import Element, first_text, full_date, number, xml_elements
from napari_sem_tools.reading.tiffpages import Page, first_pages, read_tiff

__all__ = ["describe", "read", "sniff", "wavelength_nm"]

_WHOLE: Final = 0.29  # standard uncertainty of a whole number


def sniff(source: Source) -> bool:
    """Tell the XML in the description."""
    pages = first_pages(source, 1)
    return bool(pages) and b"<TemReporter" in Page(source, (0, 0), pages[0]).raw(270)[:4000]


def read(source: Source) -> list[Picture]:
    """List the pictures of the file."""
    return read_tiff(source, describe)


def wavelength_nm(volts: float) -> float:
    """Return the wavelength of electrons in nm.

    Parameters
    ----------
    volts : float
        Accelerating voltage in V.

    References
    ----------
    De Broglie's wavelength with relativistic mass, constants of CODATA 2018.

    Examples
    --------
    >>> round(wavelength_nm(200e3), 7)
    0.0025079
    """
    planck, mass, charge, light = 6.62607015e-34, 9.1093837e-31, 1.602176634e-19, 299792458.0
    energy = charge * volts
    momentum = math.sqrt(2 * mass * energy * (1 + energy / (2 * mass * light**2)))
    return planck / momentum * 1e9


def describe(page: Page) -> Statement:
    """Read the XML of a page."""
    xml = xml_elements(page.text(270))
    x = number(first_text(xml, "PixelsPerMeter/Horizontal"))
    y = number(first_text(xml, "PixelsPerMeter/Vertical")) or x
    mode = first_text(xml, "ImageFormingSystem/ModeString").upper()
    selector = number(first_text(xml, "ImageFormingSystem/SelectorValue"))
    volts = number(first_text(xml, "ElectronGun/AccelerationVoltage"))
    size: tuple[float, float] | None = None
    reciprocal: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    evidence = f"SightX XML: 1 / (PixelsPerMeter = {x} x SelectorValue = {selector})"
    if x and y and selector and x > 0 and y > 0 and selector > 0:
        if mode == "MAG":
            size = (1e9 / y / selector, 1e9 / x / selector)
        elif mode == "DIFF" and volts and volts > 0:
            length = selector * 1e6 * wavelength_nm(volts)  # camera constant in nm^2
            reciprocal = (1e9 / y / length, 1e9 / x / length)
            evidence = (
                f"SightX XML: 1 / PixelsPerMeter = {x} / "
                f"(wavelength at {volts:g} V x camera length {selector:g} mm)"
            )
        else:
            evidence, notes = "", (f"Mode {mode or 'unknown'} of this TEM has no known scale.",)
    else:
        evidence = ""
    return Statement(
        "JEOL",
        "TIFF SightX XML",
        _vocabulary(xml, page, mode, selector),
        {"TemReporter": {e.path: e.text for e in xml if e.text}, "TIFF": page.standard_tags()},
        pixel_size=size,
        reciprocal=reciprocal,
        evidence=evidence,
        rounding=_WHOLE / x if x and x > 0 else 0.0,
        notes=notes,
    )


def _vocabulary(
    xml: list[Element], page: Page, mode: str, selector: float | None
) -> dict[str, Any]:
    """Say the XML in the common vocabulary; TIFF's date is the local time of the file."""
    volts = number(first_text(xml, "ElectronGun/AccelerationVoltage"))
    return {
        "instrument": first_text(xml, "TemReporter/Instruments", "Instruments")
        or page.text(272).strip(),
        "acquired": page.date() or full_date(first_text(xml, "TemReporter/DateTime")),
        "mode": {"MAG": "TEM", "DIFF": "diffraction"}.get(mode, "TEM"),
        "beam": "electron",
        "accelerating_voltage_kV": None if volts is None else volts / 1e3,
        "magnification": selector if mode == "MAG" else None,
        "camera_length_mm": selector if mode == "DIFF" else None,
        "sample": first_text(xml, "TemReporter/Specimen"),
        "comment": first_text(xml, "TemReporter/Comment"),
    }
