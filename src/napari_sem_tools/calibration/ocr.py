"""Reading the number beside a scale bar, with the optional extra ``ocr``.

It only ever prefills a form: what was read is confirmed by a person.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration._grey import as_plane, as_uint8
from napari_sem_tools.calibration.scale_bar import ScaleBar
from napari_sem_tools.errors import MissingExtra
from napari_sem_tools.micrograph import Micrograph

__all__ = ["label_in_text", "read_label"]

# the sign µ is read as u, p or y; bars in picometres are not drawn
_LABEL = re.compile(r"(\d+(?:[.,]\d+)?)\s*(nm|[µμupy]m|mm)(?![a-z])", re.IGNORECASE)
_MANTISSAS = (1, 2, 3, 4, 5)
_ENLARGED = 3  # times: letters of 10 px are too small for the recogniser


def label_in_text(text: str) -> str:
    """Find what is written beside a scale bar in recognised text.

    Parameters
    ----------
    text : str
        As a recogniser returns it, with its usual errors.

    Returns
    -------
    str
        Number and unit, e.g. ``"2 µm"``; empty unless the number is 1, 2, 3, 4 or 5 times a
        power of ten, as on all bars that instruments draw.

    Examples
    --------
    >>> label_in_text("|200nm| EHT"), label_in_text("2 ym"), label_in_text("WD 8.3 mm")
    ('200 nm', '2 µm', '')
    """
    for number, unit in _LABEL.findall(text):
        value = float(number.replace(",", "."))
        if value > 0 and round(value / 10.0 ** math.floor(math.log10(value)), 6) in _MANTISSAS:
            known = unit.lower() if unit.lower() in ("nm", "mm") else "µm"
            return f"{value:g} {known}"
    return ""


def read_label(image: Any, bar: ScaleBar) -> str:
    """Read the number that stands beside a scale bar.

    Parameters
    ----------
    image : Micrograph or array (Y, X) or (Y, X, 3)
    bar : ScaleBar
        As `find_scale_bar` returns it.

    Returns
    -------
    str
        For example ``"200 nm"``, to prefill a form; empty when nothing sure was read.

    Raises
    ------
    MissingExtra
        pytesseract or the program tesseract is not installed.
    """
    try:
        import pytesseract
    except ImportError as error:
        raise MissingExtra(
            "Reading the number at a scale bar needs pytesseract.", extra="ocr"
        ) from error
    grey = as_uint8(as_plane(image.grey if isinstance(image, Micrograph) else image))
    try:
        for around in _surroundings(grey, bar):
            found = label_in_text(pytesseract.image_to_string(around, config="--psm 11"))
            if found:
                return found
    except pytesseract.TesseractNotFoundError as error:
        raise MissingExtra(
            "Reading the number at a scale bar needs the program tesseract.",
            extra="ocr",
            hint="Install it with: apt install tesseract-ocr, or see tesseract-ocr.github.io",
        ) from error
    return ""


def _surroundings(grey: NDArray[np.uint8], bar: ScaleBar) -> list[NDArray[np.uint8]]:
    """Return what lies around a bar, near first, enlarged and with dark letters."""
    top, left, bottom, right = bar.position
    rows, columns = grey.shape
    pictures = []
    for reach in (max(24, rows // 24), max(48, rows // 12)):
        part = grey[
            max(top - reach, 0) : min(bottom + reach, rows),
            max(left - 2 * reach, 0) : min(right + 2 * reach, columns),
        ]
        large = np.kron(part, np.ones((_ENLARGED, _ENLARGED), np.uint8))
        pictures.append(255 - large if float(np.median(part)) < 128 else large)
    return pictures
