"""Pictures with strips, letters and bars drawn by PIL: truth known to the row."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = ImageFont.load_default(size=15)


def specimen(rows: int, columns: int, *, seed: int = 0, mean: float = 90.0) -> np.ndarray:
    """Bright blobs on a noisy background: what a detector delivers."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    image = mean + rng.normal(0, 8, (rows, columns))
    for centre_y, centre_x, radius in zip(
        rng.uniform(0, rows, 25), rng.uniform(0, columns, 25), rng.uniform(4, 30, 25), strict=True
    ):
        image += 70 * np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / (2 * radius**2))
    return np.clip(image, 0, 255).astype(np.uint8)


def strip(rows: int, columns: int, *, paper: int, ink: int) -> np.ndarray:
    """A label strip: two lines of text and a bar with ticks."""
    picture = Image.new("L", (columns, rows), paper)
    draw = ImageDraw.Draw(picture)
    draw.text((10, 3), "EHT = 20.00 kV   WD = 2.8 mm", fill=ink, font=FONT)
    if rows >= 44:
        draw.text((10, 23), "Mag = 50.00 K X   Signal A = InLens", fill=ink, font=FONT)
    return np.asarray(picture).copy()


def with_strip(
    *,
    rows: int = 400,
    columns: int = 512,
    first: int = 330,
    height: int = 50,
    paper: int = 0,
    ink: int = 255,
    rule: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """A specimen with a strip that floats in it; `rule` frames it in one level."""
    image = specimen(rows, columns, seed=seed)
    label = strip(height, columns, paper=paper, ink=ink)
    if rule is not None:
        label[:2] = label[-2:] = rule
    image[first : first + height] = label
    return image


def write(
    image: np.ndarray, at: tuple[int, int], text: str, *, ink: int, size: int = 18
) -> np.ndarray:
    """Write letters into an image at (row, column)."""
    picture = Image.fromarray(image)
    font = ImageFont.load_default(size=size)
    ImageDraw.Draw(picture).text((at[1], at[0]), text, fill=ink, font=font)
    return np.asarray(picture).copy()
