"""The drawn bar is found in every form, and its length is right within a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_strips import specimen, with_strip, write
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_sem_tools.calibration import ScaleBar, find_scale_bar
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Calibration, Micrograph

STRIP = (330, 380)


def in_strip(draw, *, paper: int = 0, ink: int = 255) -> np.ndarray:
    """A strip with text at the left and what `draw` draws at the right, from column 330."""
    image = with_strip(paper=paper, ink=ink)
    part = image[slice(*STRIP), 320:]
    part[:] = paper
    draw(part, ink)
    return image


def solid(part, ink):
    part[20:26, 10:110] = ink


def ticked(part, ink):
    part[20, 10:111] = ink
    part[15:26, [10, 110]] = ink


def ticked_wide(part, ink):
    part[20:22, 10:112] = ink
    part[12:30, [10, 11, 110, 111]] = ink


def broken(part, ink):
    ticked(part, ink)
    part[14:27, 40:80] = part[0, 0]
    part[:] = write(part, (12, 42), "5 um", ink=ink, size=14)


def ruler(part, ink):
    part[20, 10:111] = ink
    part[20:27, 10:111:10] = ink


def ruler_box(part, ink):
    part[[16, 27], 10:111] = ink
    part[16:28, 10:111:10] = ink


def ticks(part, ink):
    part[20:27, 10:111:10] = ink


FORMS = {
    "solid": (solid, 99.5),
    "ticked": (ticked, 100.0),
    "ticked wide": (ticked_wide, 100.0),
    "broken": (broken, 100.0),
    "ruler": (ruler, 100.0),
    "ruler box": (ruler_box, 100.0),
    "ticks": (ticks, 100.0),
}


@pytest.mark.parametrize("colours", [(0, 255), (255, 0), (243, 90)])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_in_a_strip_has_its_length(form, colours):
    draw, length = FORMS[form]
    image = in_strip(draw, paper=colours[0], ink=colours[1])
    bar = find_scale_bar(image, data_bar=STRIP)
    assert bar is not None
    assert bar.kind == form.split()[0]
    assert bar.length_px == pytest.approx(length)
    assert bar.position[1] == 330
    assert 0.3 < bar.uncertainty_px < 1


@given(st.integers(30, 290), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_length_follows_the_drawing(length, thickness):
    image = specimen(400, 512)
    image[350 : 350 + thickness, 100 : 100 + max(length, 3 * thickness)] = 255
    bar = find_scale_bar(image)
    assert bar is not None
    assert bar.length_px == max(length, 3 * thickness) - 0.5


def test_letters_are_not_taken_for_a_bar():
    assert find_scale_bar(with_strip(), data_bar=STRIP) is None
    text = write(specimen(400, 512), (360, 30), "EHT TELL B E H", ink=255, size=30)
    assert find_scale_bar(text) is None


def test_a_frame_and_a_separator_are_not_taken_for_a_bar():
    def draw(part, ink):
        part[[4, 44], 5:180] = ink
        part[4:45, [5, 60, 179]] = ink
        part[20, 80:151] = ink
        part[15:26, [80, 150]] = ink

    bar = find_scale_bar(in_strip(draw), data_bar=STRIP)
    assert bar is not None
    assert bar.length_px == 70.0


def test_a_bar_in_a_white_box_is_found():
    image = specimen(500, 640)
    image[440:490, 20:180] = 255
    image[450:454, 40:160] = 0
    image = write(image, (460, 60), "200 nm", ink=0, size=18)
    bar = find_scale_bar(image)
    assert bar is not None
    assert bar.length_px == pytest.approx(119.5)


def test_a_calibrated_image_prefers_the_bar_with_a_round_length():
    image = in_strip(solid)
    image[360:364, 330:403] = 255  # 73 px: no round length at 10 nm
    record = Micrograph(
        image, data_bar=STRIP, calibration=Calibration((10.05, 10.05), "tag", "test", 0.02)
    )
    bar = find_scale_bar(record)
    assert bar is not None
    assert bar.length_px == 99.5


@pytest.mark.parametrize("seed", range(6))
def test_specimen_has_no_bar(seed):
    assert find_scale_bar(specimen(400, 512, seed=seed)) is None


@pytest.mark.parametrize("shape", [(1, 1), (0, 0), (20, 20), (200, 200)])
def test_empty_pictures_have_no_bar(shape):
    assert find_scale_bar(np.zeros(shape, np.uint8)) is None
    assert find_scale_bar(np.full(shape, np.nan)) is None


def test_a_stack_is_refused():
    with pytest.raises(InvalidSettings):
        find_scale_bar(np.zeros((4, 200, 200), np.uint8))


VENDOR = {
    "zeiss_ultra55_512.tif": ("ticked", 17.17),
    "fei_helios_ebeam_8bit.tif": ("broken", 148.26),
    "jeol_8530f_95x.tif": ("solid", 101.33),
    "jeol_8530f_100x.jpg": ("solid", 106.67),
    "jeol_8530f_1000x_resized_800.bmp": ("solid", 66.67),
    "tvips_f416.tif": ("ticked", 140.77),
}


@pytest.mark.data
@pytest.mark.parametrize("name", VENDOR)
def test_bars_of_vendor_files_are_right_within_a_pixel(shared_data, name):
    kind, length = VENDOR[name]
    image = np.asarray(Image.open(shared_data / "vendor" / name).convert("L"))
    bar = find_scale_bar(image)
    assert isinstance(bar, ScaleBar)
    assert bar.kind == kind
    assert abs(bar.length_px - length) < 1


@pytest.mark.data
def test_bars_of_floating_strips_are_right_within_a_pixel(shared_data):
    expected = {"L6_0a6f1870": 109, "L6_0a6f78b3": 136, "Patteerned": 97}
    for path in (shared_data / "nffa").glob("*/*.jpg"):
        length = next(px for start, px in expected.items() if path.name.startswith(start))
        bar = find_scale_bar(np.asarray(Image.open(path)))
        assert bar is not None
        assert abs(bar.length_px - length) <= 1


@pytest.mark.data
def test_bam_bars_agree_with_the_header(shared_data):
    for path in (shared_data / "bam" / "images").glob("*.tif"):
        bar = find_scale_bar(np.asarray(Image.open(path).convert("L")))
        assert bar is not None
        assert min(abs(bar.length_px * 7.34375 - nm) for nm in (200, 300)) < 7.34375


@pytest.mark.data
def test_rows_of_ticks_without_a_line_are_measured(shared_data):
    import tifffile

    image = tifffile.imread(shared_data / "vendor" / "hitachi_s4800.tif")
    bar = find_scale_bar(image)
    assert bar is not None
    assert bar.kind == "ticks"
    marks = np.flatnonzero(image[220, 200:] > 100)
    assert bar.length_px == marks[-1] - marks[0]
