"""A map without the network: sharp is where the picture is sharp, and nothing where it is black."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_sem_tools.errors import Cancelled
from napari_sem_tools.focus import network
from napari_sem_tools.focus.network import focus_map
from napari_sem_tools.focus.tile_map import tile_map
from napari_sem_tools.micrograph import Micrograph


@pytest.fixture(scope="module")
def half_sharp() -> Micrograph:
    """Grains, sharp on the left, 2.5 px out of focus on the right, black below, a strip."""
    rng = np.random.default_rng(4)
    scene = np.kron(rng.integers(0, 3, (40, 60)) * 45.0 + 60, np.ones((10, 10)))
    blurred = np.where(
        np.arange(600) < 300, gaussian_filter(scene, 0.6), gaussian_filter(scene, 2.5)
    )
    pixels = (blurred + rng.normal(0, 2, blurred.shape)).clip(0, 255).astype(np.uint8)
    pixels = np.concatenate([pixels, np.zeros((240, 600), np.uint8)])
    pixels[600:] = 255
    return Micrograph(pixels, data_bar=(600, 640))


def test_the_sharp_side_scores_higher_and_black_has_no_score(half_sharp: Micrograph) -> None:
    found = tile_map(half_sharp)
    left, right = found.score[:9, :5], found.score[:9, 10:]
    print(f"left {np.nanmedian(left):.1f}, right {np.nanmedian(right):.1f}")
    assert np.nanmedian(left) > np.nanmedian(right) + 2
    assert np.isnan(found.score[13:]).all()
    assert np.nanmin(found.sd) > 0
    image = found.on_image(half_sharp.shape, "blur_px")
    assert image.shape == half_sharp.shape
    assert np.nanmedian(image[:300, :200]) < np.nanmedian(image[:300, 400:])


def test_a_part_of_the_field_is_mapped_where_it_lies(half_sharp: Micrograph) -> None:
    mask = np.zeros(half_sharp.shape, bool)
    mask[120:320, 200:500] = True
    found = tile_map(half_sharp, mask=mask)
    assert found.origin == (120, 200)
    image = found.on_image(half_sharp.shape)
    assert np.isfinite(image[130:310, 210:490]).all()
    assert np.isnan(image[:100]).all()


def test_it_stands_in_for_the_network_and_can_be_stopped(
    half_sharp: Micrograph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "has_network", lambda: False)
    told: list[float] = []
    found = focus_map(half_sharp, progress=lambda done, total, what: told.append(done / total))
    assert found.method == "mix"
    assert told == sorted(told)
    assert told[-1] == 1
    with pytest.raises(Cancelled):
        focus_map(half_sharp, cancel=lambda: True)
