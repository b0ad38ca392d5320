"""The mix of classical numbers: what its score stands for, and what does not disturb it."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from napari_sem_tools.evaluation.focus_protocol import blurred, exposed
from napari_sem_tools.focus import focus
from napari_sem_tools.focus.features import features
from napari_sem_tools.focus.forest import Forest
from napari_sem_tools.focus.levels import levels
from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.mix import MOST_TILES, read_mix, tiles_of
from napari_sem_tools.micrograph import Micrograph


@functools.lru_cache
def field() -> np.ndarray:
    """Overlapping discs of many sizes, as sharp as an image in focus."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:480, :640]
    plane = np.full((480, 640), 0.4)
    for _ in range(700):
        centre = rng.uniform(0, (480, 640))
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < rng.uniform(3, 25) ** 2
        plane[inside] = rng.uniform(0.2, 1.0)
    return np.asarray(blurred(plane, 0.7))


def frame(blur: float, dose: float = np.inf, seed: int = 0) -> np.ndarray:
    return exposed(blurred(field(), blur)[:240, :320], dose, np.random.default_rng(seed))


def test_the_mix_knows_every_number_it_asks_for() -> None:
    mix = read_mix()
    picture = picture_of(frame(1.0))
    found = features(picture) | levels(picture)
    assert set(mix.names) <= set(found)
    assert all(np.isfinite(value) for value in found.values())
    file = resources.files("napari_sem_tools.focus") / "mix.npz"
    assert len(file.read_bytes()) < 400_000


def test_energies_over_the_range_know_neither_gain_nor_offset() -> None:
    image = frame(1.2, 50.0).astype(float)
    plain, changed = (levels(picture_of(one)) for one in (image, 7.0 * image + 300.0))
    assert changed == pytest.approx(plain, abs=1e-3)


def test_a_specimen_of_few_details_has_less_energy_over_its_range() -> None:
    few = np.full((240, 320), 60.0)
    few[100:130, 100:150] = 200.0
    noise = np.random.default_rng(0).normal(0, 1, few.shape)
    found = [levels(picture_of(one + noise)) for one in (few, frame(0.0).astype(float))]
    assert found[0]["range_net"] < found[1]["range_net"] - 0.5


def test_trees_add_up_the_leaves_that_a_row_ends_in() -> None:
    feature = np.array([[0, 1, -1, -1, -1], [1, -1, -1, 0, 0]])
    threshold = np.array([[1.0, 5.0, 0, 0, 0], [0.0, 0, 0, 0, 0]])
    low = np.array([[1, 3, 0, 0, 0], [1, 0, 0, 0, 0]])
    high = np.array([[2, 4, 0, 0, 0], [2, 0, 0, 0, 0]])
    value = np.array([[0, 0, 30.0, 1.0, 2.0], [0, 100.0, 200.0, 0, 0]])
    forest = Forest(feature, threshold, low, high, value, 1000.0, 2)
    rows = np.array([[1.0, 5.0], [1.0, 5.1], [1.1, -1.0], [np.nan, 0.0]])
    assert forest(rows).tolist() == [1201.0, 1202.0, 1130.0, 1130.0]


@pytest.mark.parametrize("dose", [np.inf, 100.0, 20.0])
def test_the_score_falls_with_blur_and_lies_near_the_truth(dose: float) -> None:
    scores = [focus(frame(blur, dose), method="mix").score for blur in (0.0, 1.0, 2.0, 3.2)]
    assert scores == sorted(scores, reverse=True)
    assert np.abs(np.array(scores) - [10, 7.5, 5, 2]).mean() < 1.5


def test_gain_and_offset_do_not_change_the_score() -> None:
    image = frame(1.2, 50.0).astype(float)
    plain, changed = (focus(one, method="mix") for one in (image, 7.0 * image + 300.0))
    assert changed.score == pytest.approx(plain.score, abs=0.02)
    assert changed.interval == pytest.approx(plain.interval, abs=0.02)


def test_fewer_electrons_make_the_interval_wider() -> None:
    def width(dose: float) -> float:
        bounds = [focus(frame(1.6, dose, seed), method="mix").interval for seed in range(3)]
        return float(np.mean([high - low for low, high in bounds]))

    assert width(3.0) > width(np.inf)


def test_blur_in_nm_is_that_in_px_times_the_pixel() -> None:
    found = focus(frame(2.0), method="mix", pixel_size=5.0)
    assert found.blur_nm == pytest.approx(5.0 * found.blur_px)
    assert found.blur_px == pytest.approx(0.4 * (10 - found.score))
    assert found.interval[0] <= found.score <= found.interval[1]
    assert any("blurred" in reason for reason in found.reasons)


def test_a_large_image_is_judged_by_at_most_twelve_tiles() -> None:
    picture = picture_of(np.zeros((1600, 2400), np.float32) + np.arange(2400))
    tiles = tiles_of(picture)
    assert len(tiles) == MOST_TILES
    assert {tile.grey.shape for tile in tiles} == {(240, 320)}
    assert len(tiles_of(picture_of(field()))) == 4
    small = picture_of(field()[:100, :150])
    assert tiles_of(small) == [small]


def test_a_strip_and_letters_do_not_change_the_score() -> None:
    image = exposed(blurred(field(), 1.5), 100.0, np.random.default_rng(1))
    lettered = np.vstack([image, np.zeros((40, 640), np.uint8)])
    lettered[486:514, 20:600:4] = 255
    marks = np.zeros(lettered.shape, bool)
    marks[20:44, 30:200] = True
    lettered[marks] = 255
    plain = focus(image, method="mix").score
    masked = focus(Micrograph(lettered, data_bar=(480, 520), marks=marks), method="mix").score
    assert masked == pytest.approx(plain, abs=0.4)
    assert focus(lettered, method="mix").score != pytest.approx(plain, abs=0.4)


@pytest.mark.data
def test_the_score_ranks_the_real_triple_in_26_of_27_pairs_of_tiles(shared_data: Path) -> None:
    from skimage.io import imread

    tiles = []
    for name in ("off-08um.png", "off-13um.png", "off-18um.png"):
        image = imread(shared_data / "focus-triple" / name)
        tiles.append([
            focus(image[24 + 240 * i : 264 + 240 * i, 32 + 320 * j : 352 + 320 * j],
                  method="mix").score
            for i in range(3) for j in range(3)
        ])  # fmt: skip
    sharp, middle, blunt = np.array(tiles)
    assert (sharp > middle).all()
    assert (sharp > blunt).all()
    assert (middle > blunt).sum() >= 8  # both lie near the end of the scale
    assert middle.mean() > blunt.mean()
