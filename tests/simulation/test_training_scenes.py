"""What a network learns from is exact, varied and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sem_tools.simulation.arrangements import ARRANGEMENTS, arrange
from napari_sem_tools.simulation.bodies import FAMILIES, Convex, Style, particle_surface
from napari_sem_tools.simulation.distractors import burn_in
from napari_sem_tools.simulation.grounds import GROUNDS
from napari_sem_tools.simulation.noise import fractal_noise, soft_blur
from napari_sem_tools.simulation.training_scene import training_scene


@pytest.fixture(scope="module")
def scene():
    return training_scene((7, 3), size_px=256)


def test_the_same_seed_gives_the_same_scene(scene):
    again = training_scene((7, 3), size_px=256)
    assert np.array_equal(scene.image, again.image)
    assert np.array_equal(scene.labels, again.labels)
    assert scene.recipe == again.recipe


def test_labels_are_consecutive_and_whole_and_nothing_is_both_particle_and_ignored(scene):
    from skimage.measure import label

    numbers = np.unique(scene.labels)
    assert np.array_equal(numbers, np.arange(len(numbers)))
    assert len(scene.hidden) == numbers.max()
    assert not scene.ignore[scene.labels > 0].any()
    pieces = label(scene.labels, connectivity=1, background=0)
    assert pieces.max() == numbers.max()


def test_scenes_differ_in_arrangement_and_signal():
    recipes = [training_scene((11, k), size_px=128).recipe for k in range(12)]
    assert len({r.arrangement for r in recipes}) >= 3
    assert len({r.signal for r in recipes}) >= 2


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_particle_is_solid_and_looks_at_the_beam(family):
    surface = particle_surface(family, Style(), np.random.default_rng(1), 15.0)
    assert surface.inside.sum() > 20
    assert (surface.top >= surface.bottom)[surface.inside].all()
    length = np.sqrt((surface.normal**2).sum(axis=0))
    assert np.allclose(length, 1)
    assert (surface.normal[2] > 0).all()
    border = np.concatenate([surface.inside[[0, -1]].ravel(), surface.inside[:, [0, -1]].ravel()])
    assert not border.any()


def test_a_sphere_has_its_height():
    sphere = Convex(np.eye(3)[None] / 100, np.zeros((0, 3)), np.zeros(0))
    top, bottom = sphere(np.array([[0.0, 6.0, 11.0]]), np.zeros((1, 3)))
    assert np.allclose(top[0, :2], [10, 8])
    assert np.allclose(bottom[0, :2], [-10, -8])
    assert top[0, 2] < bottom[0, 2]


@pytest.mark.parametrize("name", sorted(set(ARRANGEMENTS) - {"nothing"}))
def test_every_arrangement_places_particles_on_and_about_the_image(name):
    centres, radii = arrange(
        name, np.random.default_rng(2), 256, diameter_px=24, spread=0.1, contact=0.95
    )
    assert len(centres) == len(radii) >= 1
    assert np.isfinite(centres).all()
    assert (radii > 0).all()


def test_some_scenes_are_bare_ground_whose_texture_is_no_particle():
    bare = training_scene((9, 1), size_px=128, arrangements={"nothing": 1.0})
    assert not bare.labels.any()
    assert not bare.ignore.any()
    assert bare.image.std() > 0


def test_particles_apart_do_not_touch():
    centres, radii = arrange(
        "sparse", np.random.default_rng(3), 512, diameter_px=30, spread=0.1, contact=0.9
    )
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    sums = radii[:, None] + radii[None]
    np.fill_diagonal(distance, np.inf)
    assert np.mean(distance.min(axis=1) > 0.95 * sums.min(axis=1)) > 0.9


@pytest.mark.parametrize("kind", GROUNDS)
def test_every_ground_is_about_one(kind):
    ground = GROUNDS[kind][1](np.random.default_rng(4), (96, 128), 20.0)
    assert ground.shape == (96, 128)
    assert np.isfinite(ground).all()
    assert 0.5 < np.median(ground) < 1.5


def test_letters_change_the_image_and_boxes_hide_the_specimen():
    for seed in range(20):
        image = np.full((200, 200), 128, np.uint8)
        hidden = burn_in(image, np.random.default_rng(seed))
        assert (image != 128).any()
        assert hidden.shape == image.shape


def test_noise_has_the_size_it_was_asked_for():
    rng = np.random.default_rng(5)
    fine, coarse = (fractal_noise((256, 256), rng, coarse_px=c, slope=3.0) for c in (4, 40))

    def correlation(field):
        return float((field[:, 4:] * field[:, :-4]).mean())

    assert correlation(coarse) > 0.8 > correlation(fine)


@pytest.mark.parametrize("sigma", [1.0, 2.5, 8.0, 20.0])
def test_the_quick_blur_is_as_wide_as_a_gaussian(sigma):
    point = np.zeros((201, 201), np.float32)
    point[100, 100] = 1
    blurred = soft_blur(point, sigma)
    x = np.arange(201) - 100
    width = np.sqrt((blurred.sum(axis=0) * x**2).sum() / blurred.sum())
    assert width == pytest.approx(sigma, rel=0.06)
