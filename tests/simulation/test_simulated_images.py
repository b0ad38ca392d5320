"""What a simulated micrograph promises: exact truth, one seed one image, real contrast."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.simulation import SimulatedMicrograph, SimulationSettings, simulate
from napari_sem_tools.simulation.packing import FullMask

SMALL = SimulationSettings(width_px=320, height_px=240, particles=30, diameter_nm=50)


@pytest.fixture(scope="module")
def made() -> SimulatedMicrograph:
    return simulate(SMALL, seed=3)


def inside_image(whole: FullMask, shape: tuple[int, int]) -> np.ndarray:
    """The part of a whole mask that lies on the image."""
    canvas = np.zeros(shape, bool)
    rows, columns = np.nonzero(whole.mask)
    rows, columns = rows + whole.row, columns + whole.column
    keep = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    canvas[rows[keep], columns[keep]] = True
    return canvas


def test_the_same_seed_gives_the_same_image_and_another_seed_another(
    made: SimulatedMicrograph,
) -> None:
    again, other = simulate(SMALL, seed=3), simulate(SMALL, seed=4)
    assert np.array_equal(made.image.pixels, again.image.pixels)
    assert np.array_equal(made.labels, again.labels)
    assert not np.array_equal(made.labels, other.labels)


def test_another_process_makes_the_same_image(made: SimulatedMicrograph) -> None:
    code = (
        "from napari_sem_tools.simulation import *\n"
        "made = simulate(SimulationSettings(width_px=320, height_px=240, particles=30,"
        " diameter_nm=50), seed=3)\n"
        "print(made.image.identity().sha256)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == made.image.identity().sha256


def test_labels_are_numbered_without_gaps_and_lie_in_the_field(
    made: SimulatedMicrograph,
) -> None:
    assert made.labels.dtype == np.int32
    assert np.array_equal(np.unique(made.labels), np.arange(len(made.full) + 1))
    assert not made.labels[~made.image.field].any()


def test_a_label_is_the_part_of_its_whole_mask_that_nothing_covers(
    made: SimulatedMicrograph,
) -> None:
    covered = np.zeros(made.labels.shape, bool)
    for label, whole in enumerate(made.full, 1):
        mask = inside_image(whole, made.labels.shape)
        visible = made.labels == label
        assert not (visible & ~mask).any()
        share = visible.sum() / whole.mask.sum()
        assert made.visible_fraction[label - 1] == pytest.approx(share)
        covered |= mask
    assert np.array_equal(covered, made.labels > 0)


def test_diameters_are_those_of_the_whole_projections(made: SimulatedMicrograph) -> None:
    areas = np.array([whole.mask.sum() for whole in made.full])
    expected = np.sqrt(4 * areas / np.pi) * SMALL.pixel_size_nm
    assert np.allclose(made.diameters_nm, expected)


def test_median_and_spread_of_spheres_are_those_asked_for() -> None:
    settings = SimulationSettings(
        width_px=2000, height_px=2000, particles=1500, shape="spheres", gsd=1.3,
        roughness=0, agglomeration=0,
    )  # fmt: skip
    made = simulate(settings, seed=5)
    logs = np.log(made.diameters_nm)
    assert np.exp(logs.mean()) == pytest.approx(60, rel=0.03)
    assert np.exp(logs.std()) == pytest.approx(1.3, rel=0.03)


def test_outlines_run_around_the_whole_masks(made: SimulatedMicrograph) -> None:
    for whole, lines in zip(made.full, made.outlines(), strict=True):
        y, x = lines[0].T
        area = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
        assert area == pytest.approx(whole.mask.sum(), rel=0.15)
        assert whole.row - 1 <= y.min() <= y.max() <= whole.row + whole.mask.shape[0]


def test_rims_of_particles_are_brighter_than_their_middle_under_secondary_electrons() -> None:
    settings = SMALL.replace(particles=1, shape="spheres", diameter_nm=160, gradient=0, gsd=1)
    made = simulate(settings.replace(blur_px=0.3), seed=1)
    depth = ndimage.distance_transform_edt(made.labels > 0)
    pixels = made.image.pixels
    rim, middle = pixels[(depth > 0) & (depth < 4)].mean(), pixels[depth > 25].mean()
    assert rim > 1.3 * middle > 1.3 * pixels[depth == 0].mean()


def test_particles_are_dark_in_bright_field_and_darker_where_they_overlap() -> None:
    settings = SMALL.replace(
        mode="bright field", shape="spheres", agglomeration=1.0, gradient=0, substrate_texture=0
    )
    made = simulate(settings, seed=2)
    depth = sum(inside_image(whole, made.labels.shape).astype(int) for whole in made.full)
    means = [made.image.pixels[depth == n].mean() for n in (0, 1, 2)]
    assert means[0] > 1.2 * means[1] > 1.2 * means[2]


def test_fewer_electrons_make_a_noisier_image() -> None:
    empty = SMALL.replace(particles=0, gradient=0, substrate_texture=0, read_noise=0)
    spread = [simulate(empty.replace(dose=d)).image.pixels.std() for d in (50, 450)]
    assert spread[0] / spread[1] == pytest.approx(3, rel=0.15)  # as the root of the dose


def test_blur_takes_detail() -> None:
    def detail(blur_px: float) -> float:
        made = simulate(SMALL.replace(blur_px=blur_px, dose=1e6, read_noise=0), seed=3)
        return float(np.abs(ndimage.laplace(made.image.pixels.astype(float))).mean())

    assert detail(0.5) > 1.5 * detail(1.5) > 2 * detail(4)


def test_an_image_without_particles_has_no_labels() -> None:
    made = simulate(SMALL.replace(particles=0))
    assert made.labels.max() == 0
    assert made.full == () and made.diameters_nm.size == 0


def test_agglomerated_particles_touch_and_scattered_ones_do_not() -> None:
    shared = SMALL.replace(particles=20, width_px=640, height_px=480)
    alone = simulate(shared.replace(agglomeration=0.0), seed=1)
    heaps = simulate(shared.replace(agglomeration=1.0), seed=1)
    assert ndimage.label(alone.labels > 0)[1] >= 19
    assert ndimage.label(heaps.labels > 0, np.ones((3, 3)))[1] <= 3


@pytest.mark.parametrize("name, value", [("gsd", 0.5), ("shape", "stars"), ("dose", 0)])
def test_settings_out_of_range_are_refused_where_they_are_set(name: str, value: object) -> None:
    with pytest.raises(InvalidSettings, match=name):
        SimulationSettings(**{name: value})
