"""The sample files are made without a network and read with their scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.reading import read
from napari_sem_tools.simulation import through_focus
from napari_sem_tools.simulation.sample import SAMPLES, make_sample, write_sample


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_sample_is_read_back_with_its_pixels_and_its_scale(kind: str, tmp_path: Path) -> None:
    made = make_sample(kind)
    image = read(write_sample(tmp_path, kind))
    assert np.array_equal(image.pixels, made.image.pixels)
    assert image.calibration.pixel_size == pytest.approx(
        made.image.calibration.pixel_size, rel=1e-6
    )
    assert image.calibration.origin == "tag"
    assert len(made.full) >= 50


def test_the_strip_of_the_sample_with_a_data_bar_is_found(tmp_path: Path) -> None:
    image = read(write_sample(tmp_path, "data bar"))
    assert image.data_bar == make_sample("data bar").image.data_bar


def test_a_sample_file_follows_the_rules_of_imagej(tmp_path: Path) -> None:
    with tifffile.TiffFile(write_sample(tmp_path)) as file:
        assert file.is_imagej and file.imagej_metadata["unit"] == "nm"
        above, below = file.pages[0].tags["XResolution"].value
    assert below / above == pytest.approx(2.0)


def test_an_unknown_sample_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="granite") as caught:
        write_sample(tmp_path, "granite")
    assert "agglomerates" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_focus_series_is_sharpest_in_its_middle_and_shows_one_scene() -> None:
    made = through_focus(pages=5, largest_blur_px=5, seed=2)
    detail = [float(np.diff(page.astype(float)).std()) for page in made.image.pixels]
    assert np.argmax(detail) == 2 and np.argmin(made.blur_px) == 2
    assert made.blur_px[2] == made.settings.blur_px
    assert made.image.pixels.shape[0] == 5 and made.labels.ndim == 2
