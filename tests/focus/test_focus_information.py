"""Images that show nothing are told from images that show little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from napari_sem_tools.evaluation.focus_protocol import focus_frames
from napari_sem_tools.focus import focus
from napari_sem_tools.focus.information import no_information
from napari_sem_tools.focus.measures.picture import picture_of

RNG = np.random.default_rng(0)
SHAPE = (240, 320)


def _noise(spread: float, level: float = 120.0) -> np.ndarray:
    return np.clip(np.rint(RNG.normal(level, spread, SHAPE)), 0, 255).astype(np.uint8)


NOTHING = {
    "black": (np.zeros(SHAPE, np.uint8), "black image"),
    "nearly black": (RNG.integers(0, 4, SHAPE).astype(np.uint8), "black image"),
    "white": (np.full(SHAPE, 255, np.uint8), "white image"),
    "grey": (np.full(SHAPE, 117, np.uint8), "blank image"),
    "float": (np.full(SHAPE, 0.3), "blank image"),
    "16 bit white": (np.full(SHAPE, 65535, np.uint16), "white image"),
    "Gaussian noise": (_noise(20), "noise alone"),
    "little noise": (_noise(2), "noise alone"),
    "slow detector": (np.rint(gaussian_filter1d(_noise(40).astype(float), 1.5, axis=1))
                      .astype(np.uint8), "noise alone"),
    "line noise": ((_noise(15) + RNG.normal(0, 6, (240, 1))).astype(np.uint8), "noise alone"),
    "Poisson noise": (RNG.poisson(3, SHAPE).astype(np.uint8) * 20, "noise alone"),
    "overexposed": (np.where(RNG.random(SHAPE) < 0.95, 255, 180).astype(np.uint8),
                    "saturated image"),
    "two levels": (np.where(RNG.random(SHAPE) < 0.5, 255, 0).astype(np.uint8), "saturated image"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOTHING)
def test_an_image_without_information_scores_nought_and_says_why(kind: str) -> None:
    image, reason = NOTHING[kind]
    found = focus(image)
    assert (found.score, found.interval, found.information) == (0.0, (0.0, 0.0), False)
    assert found.reasons[0].startswith("no information")
    assert reason in found.reasons[0]
    assert found.blur_px is None


def test_noise_is_called_noise_nearly_always() -> None:
    calls = [no_information(picture_of(_noise(15))) for _ in range(40)]
    assert calls.count("noise alone") >= 39


def test_faint_texture_under_much_noise_is_information() -> None:
    y, x = np.mgrid[:240, :320]
    image = 120 + 6 * np.sin(x / 5.0) * np.sin(y / 7.0) + RNG.normal(0, 25, SHAPE)
    assert no_information(picture_of(image)) == ""


@pytest.mark.data
def test_real_tiles_hold_information_at_every_blur_and_dose(shared_data: Path) -> None:
    from skimage.io import imread

    for path in ("nasa/superalloy/images/spot1_0d_0.png", "powder/images/Sc3Tile_008-007.png",
                 "msa-em-nanoparticles/test/images/image_0.png"):  # fmt: skip
        for frame in focus_frames(Path(path).name, imread(shared_data / path)):
            if frame.psf == "gauss" and frame.position in (-10, -5, 0):
                assert no_information(picture_of(frame.image)) == "", (path, frame.dose)


def test_the_smallest_image_is_judged_as_well() -> None:
    assert no_information(picture_of(_noise(15)[:32, :32])) == "noise alone"
    stripes = 120 + 60 * np.sin(np.arange(32) / 3.0) + RNG.normal(0, 5, (32, 32))
    assert no_information(picture_of(stripes)) == ""
