"""A pixel size that a person gives: typed, by the width of the image, or by the drawn bar."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration._grey import as_record
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Calibration, Micrograph

__all__ = [
    "DISAGREEMENT",
    "INSTRUMENT_UNCERTAINTY",
    "PIXEL_SIZE_RANGE",
    "calibrate",
    "combine_uncertainties",
    "parse_length",
    "rounding_uncertainty",
]

INSTRUMENT_UNCERTAINTY = 0.02
"""Relative standard uncertainty of an instrument's magnification without a certificate.

Between 1 and 3 %: ASTM E766 promises better than 5 % with a traceable standard.
"""

DISAGREEMENT = 0.03
"""Two pixel sizes that differ by more than this fraction contradict each other."""

PIXEL_SIZE_RANGE = (1e-4, 1e6)
"""Smallest and largest pixel in nm that an electron micrograph can have."""

EDGE_PX = 0.29
"""Standard uncertainty in px of where an edge on whole pixels lies: 1 / sqrt(12)."""

_NM_PER_UNIT = {
    "pm": Decimal("1e-3"),
    "a": Decimal("0.1"),
    "å": Decimal("0.1"),
    "angstrom": Decimal("0.1"),
    "nm": Decimal(1),
    "um": Decimal(1000),
    "µm": Decimal(1000),
    "micron": Decimal(1000),
    "microns": Decimal(1000),
    "mm": Decimal("1e6"),
    "cm": Decimal("1e7"),
    "m": Decimal("1e9"),
}

_LENGTH = re.compile(r"\s*([+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_]*)\s*")


def parse_length(text: str | float, *, default_unit: str | None = None) -> float:
    """Turn a length as people write it into nm.

    Parameters
    ----------
    text : str or float
        For example ``"200 nm"``, ``"2 µm"``, ``"10um"``, ``"0,5 mm"`` or ``"1e-9 m"``; a plain
        number is in nm.
    default_unit : str, optional
        Unit of a text without one; without it such a text is refused.

    Returns
    -------
    float
        Length in nm.

    Raises
    ------
    InvalidSettings
        The text is no length, has an unknown unit, or is not above 0.

    Examples
    --------
    >>> parse_length("200 nm"), parse_length("2 µm"), parse_length("1e-9 m")
    (200.0, 2000.0, 1.0)
    """
    if not isinstance(text, str):
        return _positive(text, "length")
    # NFKC would do too, but would also turn "²" into "2"
    written = text.replace("\u03bc", "µ").replace("\u212b", "Å")
    match = _LENGTH.fullmatch(written)
    unit = (match[2] or default_unit or "") if match else ""
    factor = _NM_PER_UNIT.get(unit.lower())
    if match is None or factor is None or unit in ("M", "MM", "Mm", "PM", "Pm"):
        raise InvalidSettings(
            f"'{text}' is no length.",
            hint="Write a number and a unit: 200 nm, 2 µm, 0.5 mm.",
        )
    try:
        return _positive(float(Decimal(match[1].replace(",", ".")) * factor), "length")
    except (InvalidOperation, OverflowError) as error:
        raise InvalidSettings(f"'{text}' is no length.") from error


def combine_uncertainties(*parts: float | None) -> float | None:
    """Combine independent relative standard uncertainties in quadrature.

    None stands for a part that does not apply; None comes back when there is no part at all.

    Examples
    --------
    >>> combine_uncertainties(0.03, None, 0.04)
    0.05
    """
    known = [part for part in parts if part is not None]
    return math.hypot(*known) if known else None


def rounding_uncertainty(value: float | str) -> float:
    """Give the relative standard uncertainty of a number that was rounded to what is written.

    Half a unit of the last digit, divided by the square root of 3 (uniform distribution).
    Of a float the shortest text that gives it back counts as written.

    References
    ----------
    JCGM 100:2008 (GUM), 4.3.7.

    Examples
    --------
    >>> round(rounding_uncertainty("7.344"), 7)
    3.93e-05
    """
    number = Decimal(str(value).strip())
    if not number.is_finite() or number == 0:
        raise InvalidSettings(f"{value} is no length.")
    exponent = number.as_tuple().exponent
    last_digit = 10.0 ** int(exponent)
    return last_digit / 2 / math.sqrt(3) / abs(float(number))


def calibrate(
    image: Micrograph | NDArray[np.generic] | Any,
    *,
    pixel_size: float | str | Sequence[float] | None = None,
    width: float | str | None = None,
    bar: tuple[float, float | str] | None = None,
) -> Micrograph:
    """Give an image the pixel size that a person states.

    Exactly one of the three is given.  The image itself is not changed.

    Parameters
    ----------
    image : path, Micrograph, layer or array (Y, X), (N, Y, X), (Y, X, 3)
    pixel_size : float, str or (float, float), optional
        Pixel size in nm, or height and width (y, x) of a pixel; text may carry a unit.
    width : float or str, optional
        Width of the whole image in nm.
    bar : (float, float or str), optional
        Length of the drawn scale bar in px, and what is written beside it in nm.

    Returns
    -------
    Micrograph
        The same image with a new calibration: its origin is ``"typed"`` or ``"scale bar"``.
        A note is added where it contradicts by more than 3 % what the file states.

    Raises
    ------
    InvalidSettings
        None or several of the three are given, or a value is no length.

    Notes
    -----
    Pixels are taken as square for `width` and `bar`.  The relative standard uncertainty is
    that of the last digit typed (uniform), for a bar that of its two edges, sqrt(2) 0.29 px
    over its length; what the instrument's magnification is worth is added for typed values
    that are not the user's own certificate: `INSTRUMENT_UNCERTAINTY`.

    Examples
    --------
    >>> import numpy as np
    >>> image = calibrate(np.zeros((10, 200), np.uint8), width="1 µm")
    >>> image.calibration.pixel_size, image.calibration.origin
    ((5.0, 5.0), 'typed')
    """
    given = {"pixel_size": pixel_size, "width": width, "bar": bar}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise InvalidSettings(
            "Give exactly one of pixel_size, width and bar"
            + (f", not {' and '.join(named)}." if named else "."),
            hint="For example width=5000 for an image that shows 5 µm.",
        )
    micrograph = as_record(image)
    if pixel_size is not None:
        calibration = _from_pixel_size(pixel_size)
    elif width is not None:
        calibration = _from_width(width, micrograph.shape[1])
    else:
        calibration = _from_bar(bar, micrograph.shape[1])
    _refuse_impossible(calibration)
    notes = (*micrograph.notes, *_contradictions(micrograph.calibration, calibration))
    return micrograph.replace(calibration=calibration, notes=notes)


def _from_pixel_size(pixel_size: Any) -> Calibration:
    """Take a typed pixel size, one number or (y, x)."""
    both = isinstance(pixel_size, Sequence | np.ndarray) and not isinstance(pixel_size, str)
    typed = list(pixel_size) if both else [pixel_size]
    if not 1 <= len(typed) <= 2:
        raise InvalidSettings(
            f"A pixel size has one or two numbers, not {len(typed)}.",
            hint="Give one number in nm, or height and width (y, x) of a pixel.",
        )
    sizes = [_length(value, "pixel size") for value in typed]
    said = " x ".join(f"{size:.6g}" for size in sizes)
    order = ", y x x" if len(sizes) == 2 else ""
    return Calibration(
        pixel_size=(sizes[0], sizes[-1]),
        origin="typed",
        evidence=f"pixel size typed: {said} nm{order}",
        relative_uncertainty=max(_typed_uncertainty(value) for value in typed),
    )


def _from_width(width: float | str, columns: int) -> Calibration:
    """Take the typed width of the whole image."""
    length = _length(width, "image width")
    return Calibration(
        pixel_size=(length / columns, length / columns),
        origin="typed",
        evidence=f"image width typed: {length:.6g} nm over {columns} px",
        relative_uncertainty=_typed_uncertainty(width),
    )


def _from_bar(bar: object, columns: int) -> Calibration:
    """Take the length of the drawn bar in px and in nm."""
    if not isinstance(bar, Sequence) or isinstance(bar, str) or len(bar) != 2:
        raise InvalidSettings(
            f"A bar of {bar!r} is not a pair.",
            hint="Give its length in px and in nm: bar=(149, 500e3).",
        )
    length_px = _positive(bar[0], "bar length in px")
    if length_px > columns:
        raise InvalidSettings(
            f"A bar of {length_px:g} px is longer than the image is wide ({columns} px).",
            hint="The first number is the length in px, the second that in nm.",
        )
    length_nm = _length(bar[1], "bar length")
    edges = math.sqrt(2) * EDGE_PX / length_px
    return Calibration(
        pixel_size=(length_nm / length_px, length_nm / length_px),
        origin="scale bar",
        evidence=f"drawn scale bar: {length_nm:.6g} nm over {length_px:.6g} px",
        relative_uncertainty=combine_uncertainties(edges, INSTRUMENT_UNCERTAINTY),
    )


def _typed_uncertainty(value: float | str) -> float:
    """Give the relative uncertainty of a typed number: its last digit and the instrument."""
    written = _number_of(value) if isinstance(value, str) else str(value)
    return math.hypot(rounding_uncertainty(written), INSTRUMENT_UNCERTAINTY)


def _number_of(text: str) -> str:
    """Return the number in a text that was accepted as a length, as it was written."""
    match = _LENGTH.match(text)
    return match[1].replace(",", ".") if match else text


def _length(value: Any, what: str) -> float:
    """Return a typed length in nm; text may carry a unit and is in nm without one."""
    if isinstance(value, str):
        return parse_length(value, default_unit="nm")
    return _positive(value, what)


def _positive(value: Any, what: str) -> float:
    """Return a finite number above 0, or refuse it by name."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number <= 0:
        raise InvalidSettings(
            f"A {what} of {value!r} is no length.",
            hint="Give a number above 0, in nm unless it says px.",
        )
    return number


def _refuse_impossible(calibration: Calibration) -> None:
    """Refuse pixels that no electron microscope has."""
    smallest, largest = PIXEL_SIZE_RANGE
    for size in calibration.pixel_size or ():
        if not smallest <= size <= largest:
            raise InvalidSettings(
                f"A pixel of {size:.6g} nm is outside {smallest:g} to {largest:g} nm.",
                hint="Lengths are in nm unless a unit is written: '5 µm' or 5000.",
            )


def _contradictions(stated: Calibration, given: Calibration) -> tuple[str, ...]:
    """Say it when a given pixel size contradicts what was known by more than 3 %."""
    if given.pixel_size is None or stated.pixel_size is None:
        return ()
    ratio = max(
        max(new / old, old / new)
        for new, old in zip(given.pixel_size, stated.pixel_size, strict=True)
    )
    if ratio <= 1 + DISAGREEMENT:
        return ()
    return (
        f"The pixel size given, {given.describe()}, contradicts the one known before, "
        f"{stated.describe()}, by {100 * (ratio - 1):.3g} %.",
    )
