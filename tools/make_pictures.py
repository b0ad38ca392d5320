"""Make the pictures of the documentation; all of them show simulated images.

    python tools/make_pictures.py

Writes ``docs/images/sample-figure.png`` (what ``sem-tools analyze --sample`` draws) and
``docs/images/samples.png`` (the sample images of the *Open Sample* menu).
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from napari_sem_tools.analysis import analyze
from napari_sem_tools.files import write_file
from napari_sem_tools.simulation import make_sample, write_sample

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
WIDTH_PX = 1200


def save(picture: Image.Image, name: str) -> None:
    """Write a picture for the web: no wider than a page."""
    height = round(picture.height * WIDTH_PX / picture.width)
    small = picture.convert("RGB").resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "png", optimize=True)
    path = write_file(IMAGES / name, content.getvalue())
    print(path.name, f"{len(content.getvalue()) / 1024:.0f} kB")


def sample_figure() -> None:
    """Draw the four panels of the sample."""
    with tempfile.TemporaryDirectory() as folder:
        image = write_sample(folder, "particles")
        analyze(image, Path(folder) / "out")
        save(Image.open(Path(folder) / "out" / "figure.png"), "sample-figure.png")


def samples() -> None:
    """Put four sample images side by side, two by two."""
    kinds = ("particles", "agglomerates", "data bar", "bright field")
    tiles = [make_sample(kind).image.pixels for kind in kinds]
    save(Image.fromarray(np.block([tiles[:2], tiles[2:]])), "samples.png")


if __name__ == "__main__":
    sample_figure()
    samples()
