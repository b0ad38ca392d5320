"""Data bars, scale bars and letters, drawn as microscopes do.

The font is DejaVu Sans, which comes with matplotlib: no font of the system is needed.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.settings import SimulationSettings

__all__ = ["DrawnBar", "Lettering", "draw", "nice_length"]

_WHITE = 255
_STRIP_SHARE = 0.07  # of the image's height
_BAR_SHARE = 0.2  # of the image's width, at most


@dataclasses.dataclass(frozen=True)
class DrawnBar:
    """A scale bar in the image.

    Attributes
    ----------
    rows, columns : (int, int)
        First and stop row and column of the bar itself.
    length_nm : float
        What the number beside it says.
    text : str
        The number as written, e.g. ``"200 nm"``.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    length_nm: float
    text: str

    @property
    def length_px(self) -> int:
        """Length in px."""
        return self.columns[1] - self.columns[0]


@dataclasses.dataclass(frozen=True, eq=False)
class Lettering:
    """What is written over an image.

    Attributes
    ----------
    ink : float32 array (Y, X)
        How much white lies over the picture, from 0 to 1.
    covers : bool array (Y, X)
        Where the picture is hidden, wholly or in part: the strip, and all ink.
    data_bar : (int, int) or None
        Rows of the strip.
    bar : DrawnBar or None
        The one in the strip, else the one in the picture.
    """

    ink: NDArray[np.float32]
    covers: NDArray[np.bool_]
    data_bar: tuple[int, int] | None
    bar: DrawnBar | None

    def over(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image or stack (..., Y, X) with all of this written over it."""
        ground = pixels.astype(np.float32)
        if self.data_bar is not None:
            ground[..., slice(*self.data_bar), :] = 0
        return np.asarray(np.rint(ground + (_WHITE - ground) * self.ink), np.uint8)


def nice_length(largest_nm: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not longer.

    Examples
    --------
    >>> nice_length(410.0), nice_length(99.0), nice_length(0.25)
    (200.0, 50.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(largest_nm))
    digit = max(d for d in (1, 2, 5) if d <= largest_nm / power * (1 + 1e-9))
    return round(digit * power, 12)


def length_text(length_nm: float) -> str:
    """Write a length with the unit that a microscopist would choose.

    Examples
    --------
    >>> length_text(200.0), length_text(5000.0), length_text(2e6)
    ('200 nm', '5 µm', '2 mm')
    """
    for unit, size in (("mm", 1e6), ("µm", 1e3), ("nm", 1.0)):
        if length_nm >= size:
            return f"{length_nm / size:g} {unit}"
    return f"{length_nm:g} nm"


def draw(settings: SimulationSettings) -> Lettering:
    """Draw all lettering that the settings ask for.

    Parameters
    ----------
    settings : SimulationSettings
        `data_bar`, `drawn_bar` and `letters`.

    Returns
    -------
    Lettering
    """
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (settings.width_px, settings.height_px))
    pen = ImageDraw.Draw(canvas)
    strip = None
    bar = None
    height = max(20, round(settings.height_px * _STRIP_SHARE))
    first = settings.height_px - height if settings.data_bar else settings.height_px
    if settings.drawn_bar:
        bar = _bar(pen, settings, bottom=first - height // 3, height=height)
    if settings.data_bar:
        strip = (first, settings.height_px)
        bar = _bar(pen, settings, bottom=settings.height_px - height // 4, height=height)
        _text(pen, (settings.width_px * 0.36, first + height * 0.28), _facts(settings), height)
    if settings.letters:
        _text(pen, (height * 0.3, height * 0.2), settings.letters, height * 1.6)
    ink = np.asarray(canvas, np.float32) / np.float32(_WHITE)
    covers = ink > 0
    if strip is not None:
        covers[slice(*strip)] = True
    return Lettering(ink, covers, strip, bar)


def _bar(pen: Any, settings: SimulationSettings, *, bottom: int, height: int) -> DrawnBar:
    """Draw a scale bar at the left with its number above it."""
    length_nm = nice_length(_BAR_SHARE * settings.width_px * settings.pixel_size_nm)
    length = max(1, round(length_nm / settings.pixel_size_nm))
    left, thick = round(settings.width_px * 0.04), max(2, height // 12)
    box = (left, bottom - thick, left + length - 1, bottom - 1)
    pen.rectangle(box, fill=_WHITE)
    text = length_text(length_nm)
    _text(pen, (left, bottom - thick - height * 0.52), text, height)
    return DrawnBar((bottom - thick, bottom), (left, left + length), length_nm, text)


def _text(pen: Any, place: tuple[float, float], text: str, height: float) -> None:
    """Write white text whose letters are two fifths of a height tall."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    font = ImageFont.truetype(
        f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf",
        size=max(8, round(height * 0.4)),
        layout_engine=ImageFont.Layout.BASIC,
    )
    pen.text(place, text, fill=_WHITE, font=font)


def _facts(settings: SimulationSettings) -> str:
    """Say in a line what a data bar says."""
    width = settings.width_px * settings.pixel_size_nm
    kind = "SE" if settings.mode == "secondary electrons" else "BF"
    return f"HFW = {width / 1e3:.3g} µm    Signal = {kind}    Simulated"
