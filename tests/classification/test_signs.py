"""What betrays that a picture is no electron micrograph."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_sem_tools.classification import SIGNS, read_signs, seen_signs

RNG = np.random.default_rng(0)


def page():
    """Return a page with lines of black on white."""
    paper = np.full((200, 300), 255, np.uint8)
    paper[20::20, 30:270] = 0
    return paper


def photograph():
    """Return a smooth picture in colour."""
    return np.uint8(
        np.clip(gaussian_filter(RNG.normal(128, 900, (120, 160, 3)), (9, 9, 0)), 0, 255)
    )


MADE = {
    "colour": photograph,
    "flat": page,
    "noise": lambda: RNG.integers(0, 255, (200, 200), np.uint8),
}


@pytest.mark.parametrize("name", SIGNS)
def test_every_sign_sees_its_own_case_and_no_other(name):
    found = read_signs(MADE[name]())
    assert {sign for sign, strength in found.items() if strength >= 1} == {name}
    assert seen_signs(MADE[name]()) == (SIGNS[name].reason,)


def test_a_blank_picture_is_none():
    assert seen_signs(np.zeros((64, 64), np.uint8)) == (SIGNS["flat"].reason,)


def test_a_noisy_scan_of_a_specimen_may_be_one():
    specimen = gaussian_filter(RNG.normal(size=(256, 256)), 4)
    counts = RNG.poisson(20 * (1 + specimen / np.abs(specimen).max()))
    assert seen_signs(counts.astype(np.uint16)) == ()


@pytest.mark.data
@pytest.mark.parametrize("folder", ["nasa/superalloy/images", "bam/images", "focus-triple"])
def test_real_micrographs_show_no_sign(shared_data, folder):
    files = sorted(p for p in (shared_data / folder).iterdir() if p.suffix in (".png", ".tif"))
    assert [p.name for p in files[:6] if seen_signs(p)] == []
