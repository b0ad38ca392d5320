"""Augmentation moves image and mask together, and does what the papers say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings, OutputExists
from napari_sem_tools.training.augmentation import geometry
from napari_sem_tools.training.augmentation.enlarge import enlarge
from napari_sem_tools.training.augmentation.recipes import RECIPES, augment, recipe
from napari_sem_tools.training.data.folder import check_folder

MOVING = [name for name, row in RECIPES.items() if row.places and not row.greys]


def scene(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Smooth hills whose upper part is marked: the mask can be read off the image."""
    y, x = np.indices(shape)
    hills = np.sin(y / 7.3) + np.cos(x / 9.1)
    return np.asarray(0.5 + hills / 4, np.float32), (hills > 0).astype(np.uint8)


@pytest.mark.parametrize("name", MOVING)
@given(seed=st.integers(0, 10_000), shape=st.sampled_from([(64, 64), (60, 90), (91, 64)]))
@settings(max_examples=15)
def test_image_and_mask_stay_aligned(name, seed, shape):
    image, mask = scene(shape)
    made, moved = augment(image, mask, name, np.random.default_rng(seed), order=1)
    assert made.shape == image.shape
    assert made.dtype == np.float32
    assert moved.dtype == mask.dtype
    seen = made > 0.5
    sure = np.abs(made - 0.5) > 0.06  # nearest neighbour may differ on the outline itself
    assert (seen == (moved == 1))[sure].all()
    assert sure.mean() > 0.5


@pytest.mark.parametrize("name", RECIPES)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_masks_keep_their_values_and_images_stay_finite(name, seed):
    image, _ = scene((48, 48))
    labels = np.arange(48 * 48, dtype=np.int64).reshape(48, 48) // 100
    planes = np.stack([labels, labels % 2])
    made, moved = augment(image, planes, name, np.random.default_rng(seed))
    assert np.isfinite(made).all()
    assert moved.shape == planes.shape
    assert set(np.unique(moved[0])) <= set(np.unique(labels))
    assert np.array_equal(moved[1], moved[0] % 2)  # both planes come from the same places


@pytest.mark.parametrize("name", RECIPES)
def test_a_seed_gives_the_same_image_again(name):
    image, mask = scene((40, 40))
    first, second = (augment(image, mask, name, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_mirror_images_keep_every_pixel():
    image = np.random.default_rng(0).random((20, 20), np.float32)
    mask = np.arange(400).reshape(20, 20)
    found = set()
    for seed in range(60):
        made, moved = augment(image, mask, "flips", np.random.default_rng(seed))
        assert np.array_equal(image.ravel()[moved.ravel()], made.ravel())
        found.add(moved.tobytes())
    assert len(found) == 8


@given(st.integers(0, 10_000), st.sampled_from([(64, 64), (48, 96), (96, 48)]))
@settings(max_examples=30)
def test_a_turned_image_has_no_empty_corner(seed, shape):
    back = geometry.rotate(shape, np.random.default_rng(seed))
    places = back(np.indices(shape, float))
    assert places.min() >= -0.5
    assert (places <= np.array(shape).reshape(2, 1, 1) - 0.5).all()


def test_augmentor_cuts_too_small_a_rectangle():
    # height and width of what is left of 512 px at 5, 10, 15, 20, 25 degrees
    published = [(466, 468), (414, 422), (358, 382), (290, 354), (204, 342)]
    found = [geometry.turn_crop((512, 512), degrees) for degrees in (5, 10, 15, 20, 25)]
    assert found == published
    steps = [
        np.linalg.norm(
            np.diff(
                geometry.rotate((512, 512), np.random.default_rng(seed), compat="augmentor")(
                    np.indices((512, 512), float)
                )[:, ::511, 0],
                axis=1,
            )
        )
        for seed in range(40)
    ]
    assert min(steps) == pytest.approx(511 / (512 / 204), rel=0.01)  # magnified 2.51 times


def test_a_distortion_moves_nothing_by_more_than_its_magnitude():
    for compat in ("", "augmentor"):
        places = np.indices((100, 120), float)
        moved = geometry.distort((100, 120), np.random.default_rng(1), compat=compat)(places)
        assert np.abs(moved - places).max() <= 2
        assert np.abs(moved - places).max() > 1
        border = np.ones((100, 120), bool)
        border[1:-1, 1:-1] = False
        assert np.abs(moved - places)[:, border].max() < 1e-9


@pytest.mark.parametrize(("compat", "rate"), [("", 0.7), ("augmentor", 0.75)])
def test_rates_are_those_of_the_paper_or_of_its_library(compat, rate):
    rng = np.random.default_rng(5)
    (step,) = recipe("R").places
    drawn = np.mean([step.drawn(rng, compat) for _ in range(4000)])
    assert drawn == pytest.approx(rate, abs=0.025)


def test_an_unknown_recipe_is_answered_with_the_nearest():
    with pytest.raises(InvalidSettings, match="no recipe 'RZD'") as error:
        recipe("RZD")
    assert "RDZ" in error.value.hint


def test_grey_values_change_as_physics_has_it():
    from napari_sem_tools.training.augmentation import electron

    flat = np.full((64, 64), 0.5, np.float32)
    step = np.where(np.arange(64) < 20, 1, 0.2).astype(np.float32)[None].repeat(64, 0)
    rng = np.random.default_rng(2)
    noisy = electron.counting(flat, rng, dose=(100, 100))
    assert noisy.std() == pytest.approx(np.sqrt(0.65 / 100), rel=0.35)
    assert noisy.mean() == pytest.approx(0.5, abs=0.01)
    soft = electron.blur(step, rng)
    assert soft.mean() == pytest.approx(step.mean(), abs=0.01)
    assert np.abs(np.diff(soft, axis=1)).max() < 0.8
    dragged = electron.charging(step, rng) - step
    assert np.abs(dragged[:, 20:30]).min() > np.abs(dragged[:, 50:]).max() > 0
    assert np.ptp(electron.jitter(flat, rng), axis=1).max() < 1e-6
    assert electron.polarity(step, rng).max() == pytest.approx(0.8)


def test_what_a_box_hides_is_ground_and_bare_letters_hide_nothing():
    from napari_sem_tools.training.augmentation import electron

    grey, mask = np.full((120, 160), 0.5, np.float32), np.ones((120, 160), np.uint8)
    shares = []
    for seed in range(30):
        written, left = electron.letters(grey, mask, np.random.default_rng(seed))
        changed = written != grey
        assert changed.any()
        assert (changed | (left == 1)).all()  # only what is written over can be hidden
        shares.append((left == 0).mean())
    assert min(shares) == 0
    assert max(shares) > 0


def test_an_enlarged_set_keeps_the_versions_of_an_original_together(make_set, tmp_path):
    folder = make_set(3)
    out = enlarge(folder, tmp_path / "large", 12, augmentation="RDZ", seed=4)
    checked = check_folder(out).require_good()
    assert len(checked.samples) == 12
    assert set(checked.groups) <= {"field_0", "field_1", "field_2"}
    again = enlarge(folder, tmp_path / "again", 5, augmentation="RDZ", seed=4)
    for path in sorted((again / "images").iterdir()):
        assert path.read_bytes() == (out / "images" / path.name).read_bytes()
    with pytest.raises(OutputExists):
        enlarge(folder, out, 2)
    assert not list(tmp_path.glob(".*"))


def test_the_page_lists_every_recipe_and_every_training():
    from pathlib import Path

    from napari_sem_tools.training.trainings import TRAININGS

    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "train.md"
    if not page.exists():
        pytest.skip("not in a checkout")
    text = page.read_text(encoding="utf-8")
    assert [n for n in (*RECIPES, *TRAININGS) if f"| `{n}` |" not in text] == []
    from napari_sem_tools.training.settings import TrainingSettings

    (field,) = (f for f in TrainingSettings.fields() if f.name == "augmentation")
    assert set(field.choices) == set(RECIPES)
