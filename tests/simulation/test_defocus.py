"""Defocus blurs by the width and the direction that optics give it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.simulation.defocus import Probe, defocused, probe_of, transfer


def spread_of(image):
    """Covariance (x before y) of an image taken as a distribution."""
    weights = image / image.sum()
    y, x = np.indices(image.shape)
    middle = (weights * y).sum(), (weights * x).sum()
    dy, dx = y - middle[0], x - middle[1]
    return np.array(
        [
            [(weights * dx * dx).sum(), (weights * dx * dy).sum()],
            [(weights * dx * dy).sum(), (weights * dy * dy).sum()],
        ]
    )


def point(size=129):
    image = np.zeros((size, size), np.float32)
    image[size // 2, size // 2] = 1
    return image


@settings(max_examples=15, deadline=None)
@given(
    st.floats(1, 4),
    st.floats(0, 0.7),
    st.floats(0, 2 * np.pi),
    st.sampled_from(["gauss", "disc"]),
)
def test_a_point_gets_the_covariance_of_the_probe(blur, size, angle, shape):
    probe = Probe(blur, (size * np.cos(angle), size * np.sin(angle)), shape)
    found = spread_of(defocused(point(), probe))
    assert np.allclose(found, probe.covariance, atol=0.02 * blur**2 + 0.02)


def test_a_distance_from_focus_makes_a_disc_of_half_its_radius():
    probe = probe_of(10_000, half_angle_mrad=5, pixel_nm=10)  # radius 50 nm
    assert probe.blur_px == pytest.approx(2.5)
    assert probe.astigmatism == (0, 0)
    assert probe_of(-10_000, half_angle_mrad=5, pixel_nm=10) == probe


def test_astigmatism_turns_by_ninety_degrees_through_focus():
    above, below = (
        probe_of(z, half_angle_mrad=5, pixel_nm=1, astigmatism_nm=300, astigmatism_angle=0.3)
        for z in (2000, -2000)
    )
    assert above.blur_px == pytest.approx(below.blur_px)
    assert np.allclose(above.astigmatism, -np.array(below.astigmatism))
    circle = probe_of(0, half_angle_mrad=5, pixel_nm=1, astigmatism_nm=300, focused_nm=1)
    assert np.allclose(circle.astigmatism, 0)


def test_blur_keeps_the_mean_and_the_transfer_falls():
    rng = np.random.default_rng(0)
    image = rng.random((40, 56)).astype(np.float32)
    assert defocused(image, Probe(1.5)).mean() == pytest.approx(image.mean(), abs=1e-3)
    assert np.array_equal(defocused(image, Probe(0.0)), image)
    along = transfer((64, 64), Probe(1.0))[0]
    assert (np.diff(along) < 0).all()


def test_a_tail_takes_contrast_at_low_frequencies():
    sharp, veiled = (transfer((64, 64), Probe(1.0, tail=t))[0, 4] for t in (0.0, 0.2))
    assert veiled < sharp
