"""Letters, boxes and bars in the picture are marked; specimen never is."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_strips import specimen, with_strip, write
from PIL import Image

from napari_sem_tools.calibration import find_burnt_in
from napari_sem_tools.errors import InvalidSettings


@pytest.mark.parametrize("ink", [0, 255])
def test_letters_near_the_border_are_marked_and_little_else(ink):
    plain = specimen(500, 640, mean=120)
    image = write(plain, (460, 30), "200 nm", ink=ink, size=22)
    marked = find_burnt_in(image)
    drawn = image != plain
    assert marked[drawn].mean() > 0.95
    assert marked.sum() < 8 * drawn.sum()
    assert not marked[:400].any()


def test_a_bar_is_marked_with_its_label():
    image = write(specimen(500, 640), (455, 40), "1 um", ink=255, size=22)
    image[486:490, 40:140] = 255
    assert find_burnt_in(image)[486:490, 40:140].all()


def test_a_box_with_letters_is_marked_anywhere():
    image = specimen(500, 640)
    image[240:280, 300:400] = 255
    image = write(image, (248, 310), "200 nm", ink=0, size=20)
    assert find_burnt_in(image)[240:280, 300:400].all()


@pytest.mark.parametrize("seed", range(8))
def test_round_saturated_particles_are_not_letters(seed):
    rng = np.random.default_rng(seed)
    image = specimen(500, 640, seed=seed)
    y, x = np.mgrid[:500, :640]
    for _ in range(30):
        radius = rng.uniform(4, 14)
        centre_y, centre_x = rng.uniform(420, 495), rng.uniform(0, 640)
        image[(y - centre_y) ** 2 + (x - centre_x) ** 2 <= radius**2] = 255
    assert not find_burnt_in(image).any()


def test_a_row_of_equal_bright_spheres_is_not_text():
    image = specimen(500, 640)
    y, x = np.mgrid[:500, :640]
    for centre in range(50, 600, 24):
        image[(y - 470) ** 2 + (x - centre) ** 2 <= 100] = 255
    assert not find_burnt_in(image).any()


def test_the_label_strip_is_no_part_of_the_picture():
    image = with_strip(first=350)
    assert not find_burnt_in(image, data_bar=(350, 400)).any()


def test_letters_above_a_strip_are_near_the_border():
    image = write(with_strip(first=350), (310, 20), "500 nm", ink=255, size=20)
    marked = find_burnt_in(image, data_bar=(350, 400))
    assert marked[312:335, 20:80].any()
    assert not marked[350:].any()


def test_coloured_pixels_are_drawn_for_sure():
    overlay = np.zeros((300, 300), bool)
    overlay[100, 100:200] = True
    marked = find_burnt_in(specimen(300, 300), overlay=overlay)
    assert marked[overlay].all()
    assert marked.sum() < 10 * overlay.sum()


def test_an_overlay_of_another_shape_is_refused():
    with pytest.raises(InvalidSettings):
        find_burnt_in(specimen(300, 300), overlay=np.zeros((3, 3), bool))


@pytest.mark.parametrize("shape", [(1, 1), (0, 0), (5, 700), (33, 33), (300, 300)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_empty_pictures_carry_nothing(shape, level):
    marked = find_burnt_in(np.full(shape, level, np.uint8))
    assert marked.shape == shape
    assert not marked.any()


def test_nan_and_other_types_are_taken():
    image = specimen(300, 300).astype(np.float32)
    image[10:20, 10:20] = np.nan
    assert find_burnt_in(image).shape == (300, 300)
    assert find_burnt_in(specimen(300, 300).astype(np.int16) - 100).dtype == bool


def test_a_stack_is_refused():
    with pytest.raises(InvalidSettings):
        find_burnt_in(np.zeros((3, 300, 300), np.uint8))


@pytest.mark.data
def test_nothing_is_marked_on_bam_specimen(shared_data):
    for path in (shared_data / "bam" / "images").glob("*.tif"):
        image = np.asarray(Image.open(path).convert("L"))
        assert not find_burnt_in(image, data_bar=(712, 766)).any(), path.name


@pytest.mark.data
def test_the_box_of_a_tem_bar_is_marked(shared_data):
    import tifffile

    marked = find_burnt_in(tifffile.imread(shared_data / "vendor" / "tvips_f416.tif"))
    assert marked[972:1018, 8:148].all()
    assert not marked[:900].any()
