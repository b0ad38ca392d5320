"""Parts of the tests of the Focus widget: a texture through focus, and a folder of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

from napari_sem_tools.focus import FocusScore
from napari_sem_tools.focus.files import taught
from napari_sem_tools.focus.measures.picture import Picture, picture_of
from napari_sem_tools.layers import image_arguments
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.widgets.focus import score as focus_score

__all__ = [
    "BLURS",
    "add",
    "edge_score",
    "keep_frames_in",
    "series",
    "use_edge_score",
    "write_series",
]

BLURS = (3.2, 2.2, 1.3, 0.6, 1.2, 2.1, 3.1)
"""Blur of each slice in px; the fourth is the sharpest."""


def series(*, calibrated: bool = True, shape: tuple[int, int] = (144, 192)) -> Micrograph:
    """Grains of three greys with noise, out of focus on both sides of the fourth slice."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 3, (shape[0] // 12 + 1, shape[1] // 12 + 1)) * 45.0 + 60
    scene = np.kron(coarse, np.ones((12, 12)))[: shape[0], : shape[1]]
    frames = [gaussian_filter(scene, blur) + rng.normal(0, 2.5, shape) for blur in BLURS]
    pixels = np.stack(frames).clip(0, 255).astype(np.uint8)
    calibration = Calibration((2.0, 2.0), "typed", "test") if calibrated else Calibration()
    return Micrograph(pixels, calibration, source=Path("series.tif"))


def edge_score(image: Any, *_: Any, **__: Any) -> FocusScore:
    """Judge by how much the gradient shrinks when blurred: quick, and the same on every machine."""
    picture = image if isinstance(image, Picture) else picture_of(image)
    if picture.variance == 0:
        return FocusScore(0.0, (0.0, 0.0), information=False, reasons=("blank image",))
    fine, coarse = (
        float(np.square(gaussian_gradient_magnitude(picture.grey, s)).mean()) for s in (1.5, 3.0)
    )
    ratio = max(fine / max(coarse, 1e-12), 1.0 + 1e-6)
    blur = float(np.sqrt(max((9.0 - 2.25 * ratio**2) / (ratio**2 - 1.0), 0.0)))
    score = max(10 - blur / 0.4, 0.0)
    size = picture.pixel_size
    return FocusScore(
        score,
        (max(score - 1, 0.0), min(score + 1, 10.0)),
        blur_px=blur,
        blur_nm=None if size is None else blur * size,
        snr=20.0,
        contrast=0.3,
        reasons=(f"blurred: {blur:.1f} px",),
        method="mix",
    )


def use_edge_score(monkeypatch: Any, tmp_path: Path) -> None:
    """Score quickly, and let what the developer taught be."""
    for module in (focus_score, taught):
        monkeypatch.setattr(module, "score_picture", edge_score)
    keep_frames_in(tmp_path, monkeypatch)


def keep_frames_in(folder: Path, monkeypatch: Any) -> None:
    """Neither read nor write what the developer taught."""
    monkeypatch.setattr(taught, "taught_file", lambda: folder / "focus-taught.json")


def add(viewer: Any, image: Micrograph) -> Any:
    """Add an image as the reader of the suite would."""
    return viewer.add_image(image.pixels, **image_arguments(image))


def write_series(folder: Path, image: Micrograph | None = None) -> list[Path]:
    """Write each slice into a file of its own, in the order of time."""
    image = series() if image is None else image
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_tiff(
            folder / f"frame{number + 1}.tif",
            image.plane(number).pixels,
            calibration=image.calibration,
        )
        for number in range(image.n_pages)
    ]
