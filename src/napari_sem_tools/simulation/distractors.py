"""Letters, scale bars, boxes and strips burnt into a training image."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["burn_in"]

_TEXTS = (
    "a", "(a)", "b)", "(c)", "(d)", "D", "E", "A", "B", "II", "100 nm", "2 µm", "20 nm", "500nm",
    "1um", "x5,000", "A1", "15 kV", "SEI 10.0kV WD 8.1mm", "Fe3O4", "50 000x", "10-Jul-08",
)  # fmt: skip
_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Bold", "STIXGeneral")
_TALLEST_PX = 64.0
_SMALLEST_PX = 9.0


def burn_in(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Write letters, bars, boxes and strips over an image, in place.

    Parameters
    ----------
    image : uint8 array (Y, X)
        Changed in place.
    rng : numpy.random.Generator

    Returns
    -------
    bool array (Y, X)
        True where a box or strip hides the specimen.  Bare letters hide nothing: the
        particle goes on below them.
    """
    from PIL import Image, ImageDraw

    hidden = np.zeros(image.shape, bool)
    if rng.random() < 0.1:
        _strip(image, hidden, rng)
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(1, 4))):
        _label(pen, image.shape, hidden, rng)
    image[:] = np.asarray(canvas)
    return hidden


def _strip(image: NDArray[np.uint8], hidden: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Lay an information strip over the lowest or uppermost rows."""
    rows = image.shape[0]
    height = int(rng.uniform(0.04, 0.12) * rows) + 8
    first = rows - height if rng.random() < 0.8 else 0
    image[first : first + height] = int(rng.choice([0, 0, 255, 40]))
    hidden[first : first + height] = True


def _label(
    pen: Any, shape: tuple[int, ...], hidden: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """Write one text, perhaps in a box, perhaps with a bar below it."""
    height, width = shape
    size = float(np.exp(rng.uniform(np.log(_SMALLEST_PX), np.log(_TALLEST_PX))))
    font = _font(str(rng.choice(_FONTS)), int(size))
    text = str(rng.choice(_TEXTS))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    wide, tall = right - left, bottom - top
    x, y = _place(rng, shape, wide, tall)
    grey = int(rng.choice([0, 255, 255, 0, int(rng.integers(0, 256))]))
    gap, thick = int(size * rng.uniform(0.05, 0.3)) + 1, max(2, int(size * rng.uniform(0.08, 0.3)))
    bar = int(rng.uniform(0.8, 1.6) * wide) if rng.random() < 0.45 else 0
    whole = tall + (gap + thick if bar else 0)
    if rng.random() < 0.3:
        box = (max(0, x - gap), max(0, y - gap))
        corner = (min(width, x + max(wide, bar) + gap), min(height, y + whole + gap))
        if corner[0] > box[0] and corner[1] > box[1]:
            pen.rectangle((*box, corner[0] - 1, corner[1] - 1), fill=255 if grey < 128 else 0)
            hidden[box[1] : corner[1], box[0] : corner[0]] = True
            grey = 0 if grey < 128 else 255
    pen.text((x - left, y - top), text, fill=grey, font=font)
    if bar:
        pen.rectangle((x, y + tall + gap, x + bar, y + tall + gap + thick), fill=grey)


def _place(
    rng: np.random.Generator, shape: tuple[int, ...], wide: float, tall: float
) -> tuple[int, int]:
    """Choose the upper left corner of a text: mostly in a corner of the image."""
    height, width = shape
    if rng.random() < 0.7:
        x = rng.choice([rng.uniform(1, 12), width - wide - rng.uniform(2, 14)])
        y = rng.choice([rng.uniform(1, 12), height - tall - rng.uniform(2, 16)])
    else:
        x, y = rng.uniform(-10, width - 10), rng.uniform(-10, height - 10)
    return int(x), int(y)


@functools.lru_cache(maxsize=512)
def _font(name: str, size: int) -> Any:
    """Load a font that comes with matplotlib."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    path = f"{get_data_path()}/fonts/ttf/{name}.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
