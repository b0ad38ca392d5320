"""What a person types becomes a pixel size with origin, evidence and uncertainty."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.calibration import (
    INSTRUMENT_UNCERTAINTY,
    calibrate,
    find_data_bar,
    find_scale_bar,
    parse_length,
)
from napari_sem_tools.calibration.pixel_size import rounding_uncertainty
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.tiff import write_tiff

IMAGE = Micrograph(np.zeros((60, 200), np.uint8))
TAGGED = IMAGE.replace(
    calibration=Calibration(pixel_size=(10.0, 10.0), origin="tag", evidence="tag X = 10 nm"),
    notes=("tilted by 10 degrees",),
)


@pytest.mark.parametrize(
    ("text", "nm"),
    [
        ("200 nm", 200.0),
        ("10 um", 10_000.0),
        ("2 µm", 2000.0),
        ("2 \u03bcm", 2000.0),  # the Greek letter, as some keyboards give it
        ("500nm", 500.0),
        ("1e-9 m", 1.0),
        ("0,5 mm", 5e5),
        (".5 µm", 500.0),
        ("3 Å", 0.3),
        ("20 pm", 0.02),
        (7.25, 7.25),
    ],
)
def test_lengths_as_people_write_them(text, nm):
    assert parse_length(text) == nm


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nm",
        "5",
        "five nm",
        "5 km",
        "5 Mm",
        "-5 nm",
        "0 nm",
        "5 1/nm",
        "1e999 m",
        float("nan"),
        -1.0,
    ],
)
def test_what_is_no_length_is_refused(text):
    with pytest.raises(InvalidSettings):
        parse_length(text)


def test_a_typed_pixel_size_is_height_and_width_in_nm():
    typed = calibrate(IMAGE, pixel_size=(2.0, 4.0)).calibration
    assert typed.pixel_size == (2.0, 4.0)
    assert typed.origin == "typed"
    assert "2 x 4 nm" in typed.evidence
    assert calibrate(IMAGE, pixel_size="0.5 µm").calibration.pixel_size == (500.0, 500.0)


def test_a_typed_width_is_that_of_the_whole_image():
    typed = calibrate(IMAGE, width=5000).calibration
    assert typed.pixel_size == (25.0, 25.0)
    assert "200 px" in typed.evidence
    assert calibrate(IMAGE, width="5 µm").calibration.pixel_size == (25.0, 25.0)


def test_the_drawn_bar_gives_its_own_origin_and_the_uncertainty_of_its_edges():
    bar = calibrate(IMAGE, bar=(100.0, "1 µm")).calibration
    assert bar.pixel_size == (10.0, 10.0)
    assert bar.origin == "scale bar"
    edges = math.sqrt(2) * 0.29 / 100
    assert bar.relative_uncertainty == pytest.approx(math.hypot(edges, INSTRUMENT_UNCERTAINTY))


def test_the_last_digit_typed_is_the_resolution():
    assert rounding_uncertainty("5") == pytest.approx(0.5 / math.sqrt(3) / 5)
    assert rounding_uncertainty("5.00") == pytest.approx(0.005 / math.sqrt(3) / 5)
    coarse = calibrate(IMAGE, width="5 µm").calibration.relative_uncertainty
    fine = calibrate(IMAGE, width="5.000 µm").calibration.relative_uncertainty
    assert coarse > 0.05
    assert fine == pytest.approx(INSTRUMENT_UNCERTAINTY, rel=1e-3)


def test_a_contradiction_of_the_tag_is_said_and_the_record_is_new():
    given_size = calibrate(TAGGED, pixel_size=11)
    assert len(given_size.notes) == 2
    assert "contradicts" in given_size.notes[1]
    assert "tag X" in given_size.notes[1]
    assert "10 %" in given_size.notes[1]
    assert TAGGED.calibration.origin == "tag"


def test_agreement_within_three_percent_is_not_worth_a_note():
    assert calibrate(TAGGED, pixel_size=10.2).notes == TAGGED.notes
    assert len(calibrate(TAGGED, pixel_size=9.6).notes) == 2


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"pixel_size": 2.0, "width": 100.0},
        {"pixel_size": 0},
        {"pixel_size": -3.0},
        {"pixel_size": math.nan},
        {"pixel_size": math.inf},
        {"pixel_size": (1.0, 2.0, 3.0)},
        {"pixel_size": ()},
        {"pixel_size": "two nm"},
        {"pixel_size": 1e9},
        {"pixel_size": True},
        {"width": 0},
        {"width": "0 µm"},
        {"bar": (0, 100)},
        {"bar": (50, 0)},
        {"bar": (500, 100)},
        {"bar": 50},
        {"bar": "50 nm"},
        {"bar": (50, "long")},
    ],
)
def test_bad_values_are_refused_where_they_are_given(wishes):
    with pytest.raises(InvalidSettings):
        calibrate(IMAGE, **wishes)


def test_arrays_become_records():
    assert calibrate(np.zeros((5, 50), np.uint16), width=100).calibration.pixel_size == (2.0, 2.0)
    assert calibrate(np.zeros((9, 50, 3), np.uint8), width=100).axes == "YXC"
    assert calibrate(np.zeros((2, 9, 50), np.uint8), width=100).axes == "NYX"


@given(st.floats(1e-3, 1e5), st.floats(20, 199))
def test_bar_and_pixel_size_agree(nm_per_px, length_px):
    bar = calibrate(IMAGE, bar=(length_px, nm_per_px * length_px)).calibration
    assert bar.pixel_size[0] == pytest.approx(nm_per_px)
    assert bar.relative_uncertainty >= INSTRUMENT_UNCERTAINTY


def test_whatever_shows_an_image_can_be_calibrated_and_searched(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(60, 120, (400, 400), np.uint8)
    pixels[370:374, 200:280] = 255
    file = write_tiff(tmp_path / "bar.tif", pixels)
    layer = SimpleNamespace(data=pixels, scale=(1.0, 1.0), metadata={})
    for image in (file, str(file), layer, pixels, Micrograph(pixels)):
        assert calibrate(image, width=800).calibration.pixel_size == (2.0, 2.0)
        bar = find_scale_bar(image)
        assert bar is not None
        assert bar.length_px == pytest.approx(79.5)
        assert find_data_bar(image) == find_data_bar(pixels)
    with_alpha = np.dstack([pixels] * 4)
    assert calibrate(with_alpha, width=800).calibration.pixel_size == (2.0, 2.0)
