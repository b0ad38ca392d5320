"""The packaged network scores focus, maps it, and says nothing of what shows nothing."""

from __future__ import annotations

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.network import (
    CELL_PX,
    FocusMap,
    _boxes,
    focus_map,
    score_by_network,
    scores_of,
    standardised,
)
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.simulation.defocus import Probe, defocused

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def scene():
    """A sharp field of 480 x 640 px."""
    settings = sem.SimulationSettings(width_px=640, height_px=480, particles=150)
    return sem.simulate(settings, seed=5).image.pixels.astype(np.float32)


def exposed(grey, seed=0):
    """Electron noise and 8 bits."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.poisson(np.maximum(grey, 0)), 0, 255).astype(np.uint8)


def test_tiles_cover_the_picture_in_whole_cells():
    for shape in ((240, 320), (33, 900), (711, 1000), (768, 1024)):
        for overlap in (0, 64):
            seen = np.zeros([-(-n // CELL_PX) * CELL_PX for n in shape], int)
            for box in _boxes(shape, overlap):
                assert all(s.start % CELL_PX == s.stop % CELL_PX == 0 for s in box)
                seen[box] += 1
            assert (seen > 0).all()


def test_more_blur_is_a_lower_score(scene):
    found = [sem.focus(exposed(defocused(scene, Probe(b))), method="network") for b in (0, 1.2, 3)]
    scores = [one.score for one in found]
    assert scores[0] > scores[1] + 1 > scores[2] + 2
    for one in found:
        assert one.method == "network"
        assert one.interval[0] <= one.score <= one.interval[1]
    assert any("blurred" in reason for reason in found[2].reasons)


def test_gain_and_brightness_do_not_change_the_score(scene):
    grey = exposed(defocused(scene, Probe(1.0)))
    first, other = (
        score_by_network(picture_of(image), "cpu")
        for image in (grey, grey.astype(np.uint16) * 40 + 900)
    )
    assert first.score == pytest.approx(other.score, abs=0.05)


def test_pixel_size_gives_the_blur_in_nm(scene):
    grey = exposed(defocused(scene, Probe(2.0)))
    bare, known = (sem.focus(grey, method="network", pixel_size=size) for size in (None, 3.0))
    assert bare.blur_nm is None
    assert known.blur_nm == pytest.approx(3 * known.blur_px)
    assert known.score == pytest.approx(bare.score, abs=1.5)


def test_an_astigmatism_that_is_not_sure_is_not_told(scene):
    for blur in (0.0, 2.0):
        found = sem.focus(exposed(defocused(scene, Probe(blur))), method="network")
        assert found.astigmatism is None or np.hypot(*found.astigmatism) < 0.3
        assert not any("astigmatism" in reason for reason in found.reasons)


def test_the_map_shows_which_half_is_blurred(scene):
    half = scene.copy()
    half[:, 320:] = defocused(scene, Probe(3.0))[:, 320:]
    found = focus_map(exposed(half))
    assert found.score.shape == (30, 40)
    left, right = found.score[:, :18].mean(), found.score[:, 22:].mean()
    assert left > right + 2
    assert found.on_image(half.shape, "blur_px").shape == half.shape
    assert (found.sd > 0).all()


def test_what_is_masked_is_left_out_of_the_map(scene):
    mask = np.ones(scene.shape, bool)
    mask[:160] = False
    found = focus_map(exposed(scene), mask=mask)
    assert found.origin == (160, 0)
    image = found.on_image(scene.shape)
    assert np.isnan(image[:160]).all()
    assert np.isfinite(image[160:]).all()


def test_the_data_bar_is_not_looked_at(scene):
    grey = exposed(scene)
    with_bar = np.vstack([grey, np.zeros((60, 640), np.uint8)])
    with_bar[500:520, 100:110] = 255
    field = np.ones(with_bar.shape, bool)
    field[480:] = False
    image = Micrograph(with_bar, data_bar=(480, 540), field=field)
    found, plain = (sem.focus(one, method="network").score for one in (image, grey))
    assert found == pytest.approx(plain, abs=0.01)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_one_grey_has_no_information(level):
    found = sem.focus(np.full((240, 320), level, np.uint8), method="network")
    assert not found.information
    assert found.score == 0


@pytest.mark.parametrize("noise", [2.0, 20.0, 60.0])
def test_noise_has_no_information(noise):
    grey = np.random.default_rng(1).normal(120, noise, (240, 320))
    found = score_by_network(picture_of(np.clip(grey, 0, 255).astype(np.uint8)), "cpu")
    assert not found.information
    assert found.score == 0


def test_small_things():
    assert standardised(np.full((4, 4), 7)).std() == 0
    assert scores_of(np.array([[-1.0]], np.float32)).tolist() == [0.0]
    cells = np.zeros((2, 2), np.float32)
    assert FocusMap(cells, cells, cells, CELL_PX, (3, 5)).on_image((40, 40))[0, 0] != 0  # NaN
