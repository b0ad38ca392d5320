"""Two frames say which way focus lies, how far, and the astigmatism."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from microscope import scene
from scipy.fft import irfft2, rfft2

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.focus_protocol import blurred, exposed
from napari_sem_tools.focus.series.pair import pair_defocus
from napari_sem_tools.focus.series.register import Similarity, align, register

K = 0.4  # px of blur a unit


def astigmatic(z: float, cosine: float, sine: float, *, dose: float, seed: int) -> np.ndarray:
    """Take a frame at a distance z from focus with astigmatism (A cos 2t, A sin 2t)."""
    plain = scene(seed)
    probe = K * np.array([[z + cosine, sine], [sine, z - cosine]])  # of (x, y)
    covariance = probe @ probe + 0.8**2 * np.eye(2)
    padded = np.pad(plain, 32, mode="reflect")
    down, right = np.fft.fftfreq(padded.shape[0])[:, None], np.fft.rfftfreq(padded.shape[1])
    form = covariance[0, 0] * right**2 + covariance[1, 1] * down**2
    form = form + 2 * covariance[0, 1] * right * down
    seen = irfft2(rfft2(padded) * np.exp(-2 * np.pi**2 * form), s=padded.shape)[32:-32, 32:-32]
    return exposed(seen, dose, np.random.default_rng((seed, int(10 * z) % 997)))


@pytest.mark.parametrize("z", [-5.0, -2.0, 2.0, 5.0])
def test_the_sign_and_the_size_of_defocus(z: float) -> None:
    frames = [astigmatic(z + d, 0, 0, dose=100, seed=1) for d in (2.0, -2.0)]
    found = pair_defocus(*frames, step=4.0, blur_per_unit=K)
    assert abs(found.defocus - z) < 2.5 * found.defocus_error < 2
    assert found.sign_odds > 1000
    assert found.sharper == ("second" if z > 0 else "first")
    assert (found.far, found.reasons) == (False, ())


def test_the_order_of_the_frames_turns_the_step_and_nothing_else() -> None:
    one, two = (astigmatic(3.0 + d, 1.0, 0.5, dose=100, seed=2) for d in (2.0, -2.0))
    there = pair_defocus(one, two, step=4.0, blur_per_unit=K)
    back = pair_defocus(two, one, step=-4.0, blur_per_unit=K)
    assert back.defocus == pytest.approx(there.defocus, abs=0.1)
    assert back.astigmatism == pytest.approx(there.astigmatism, abs=0.1)


@pytest.mark.parametrize(("cosine", "sine"), [(1.5, 0.0), (0.0, -1.5), (-1.0, 1.0)])
def test_the_vector_of_astigmatism(cosine: float, sine: float) -> None:
    frames = [astigmatic(2.0 + d, cosine, sine, dose=200, seed=3) for d in (3.0, -3.0)]
    found = pair_defocus(*frames, step=6.0, blur_per_unit=K)
    assert found.astigmatism == pytest.approx((cosine, sine), abs=0.45)
    assert found.defocus == pytest.approx(2.0, abs=0.5)


def test_in_focus_the_sign_is_open() -> None:
    frames = [astigmatic(d, 0, 0, dose=50, seed=4) for d in (2.0, -2.0)]
    found = pair_defocus(*frames, step=4.0, blur_per_unit=K)
    assert abs(found.defocus) < 0.5
    assert (found.sharper, found.sign_odds < 20) == ("neither", True)
    assert "sign is open" in found.reasons[0]


def test_shifted_frames_are_laid_on_each_other_first() -> None:
    frames = [astigmatic(4.0 + d, 0, 0, dose=100, seed=5) for d in (2.0, -2.0)]
    found = pair_defocus(frames[0][:-13, 7:], frames[1][13:, :-7], step=4.0, blur_per_unit=K)
    assert found.defocus == pytest.approx(4.0, abs=0.8)
    assert found.shift_px == pytest.approx((-13.0, 7.0), abs=0.5)


def test_gain_and_black_level_do_not_count() -> None:
    one, two = (astigmatic(3.0 + d, 0, 0, dose=200, seed=6) for d in (2.0, -2.0))
    plain = pair_defocus(one, two, step=4.0, blur_per_unit=K)
    other = pair_defocus(one, two * np.float32(0.7) + 20, step=4.0, blur_per_unit=K)
    assert other.defocus == pytest.approx(plain.defocus, abs=0.05)


def test_without_the_blur_of_a_unit_there_is_a_sign_and_no_number() -> None:
    frames = [astigmatic(4.0 + d, 0, 0, dose=100, seed=7) for d in (2.0, -2.0)]
    found = pair_defocus(*frames, step=4.0)
    assert (found.defocus, found.sharper) == (None, "second")
    assert found.difference_px2[0] == pytest.approx(2 * K**2 * 4 * 4, rel=0.3)


def test_noise_says_nothing() -> None:
    rng = np.random.default_rng(0)
    frames = [rng.poisson(20, (240, 320)).astype(np.uint8) for _ in range(2)]
    found = pair_defocus(*frames, step=4.0, blur_per_unit=K)
    assert (found.defocus, found.sharper, found.sign_odds) == (None, "neither", 1.0)


def test_frames_of_different_fields_say_nothing() -> None:
    frames = [exposed(blurred(scene(s), 1.0), 50.0, np.random.default_rng(s)) for s in (1, 2)]
    found = pair_defocus(*frames, step=4.0, blur_per_unit=K)
    assert found.defocus is None or found.sharper == "neither"


def test_a_blur_beyond_measure_is_called_far_from_focus() -> None:
    frames = [exposed(blurred(scene(8), s), 100.0, np.random.default_rng(0)) for s in (1.0, 30.0)]
    found = pair_defocus(*frames, step=-10.0, blur_per_unit=K)
    assert (found.far, found.defocus, found.sharper) == (True, None, "first")
    assert "far from focus" in found.reasons[-1]


def test_what_is_no_pair_is_refused() -> None:
    image = scene(0)
    with pytest.raises(InvalidSettings, match="step"):
        pair_defocus(image, image, step=0)
    with pytest.raises(InvalidSettings, match="blur"):
        pair_defocus(image, image, step=1, blur_per_unit=-1)
    with pytest.raises(InvalidSettings, match="cannot be compared"):
        pair_defocus(image, image[:-1], step=1)


@pytest.mark.data
def test_real_frames_far_from_focus_agree_with_each_other(shared_data: Path) -> None:
    from PIL import Image

    frames = {
        um: np.asarray(Image.open(shared_data / "focus-triple" / f"off-{um:02}um.png").convert("L"))
        for um in (8, 13, 18)
    }
    pairs = [(8, 13), (13, 18), (8, 18)]
    found = [pair_defocus(frames[a], frames[b], step=b - a, blur_per_unit=0.5) for a, b in pairs]
    assert all(f.sharper == "first" and f.sign_odds > 1000 for f in found)
    truth = np.array([-10.824, -15.824, -13.324])  # the authors' errors, um
    ratio = np.array([f.defocus for f in found]) / truth
    assert ratio == pytest.approx(np.full(3, ratio.mean()), rel=0.1)  # one blur a um fits all
    vectors = np.array([f.astigmatism for f in found])
    assert np.abs(vectors - vectors.mean(axis=0)).max() < 0.5 * np.abs(vectors).mean()


@pytest.mark.parametrize(
    ("rotation", "scale", "shift"),
    [(0.004, 1.006, (3.3, -7.6)), (0.0, 1.0, (0.4, -0.2)), (-0.01, 0.99, (12.0, 9.0))],
)
def test_frames_are_laid_on_each_other(rotation: float, scale: float, shift: tuple) -> None:
    field = blurred(scene(9, (480, 640)), 1.0)
    true = Similarity(shift, rotation, scale)
    inverse = np.linalg.inv(true.matrix)
    turned = Similarity(
        tuple(-inverse @ np.array(shift)), -rotation, 1 / scale
    )  # where a point of the moved frame lies in the field
    moved, _ = align(field, turned)
    found = register(field, moved)
    assert found.shift == pytest.approx(shift, abs=0.1)
    assert found.rotation == pytest.approx(rotation, abs=5e-4)
    assert found.scale == pytest.approx(scale, abs=5e-4)
    again, inside = align(moved, found)
    inner = inside.copy()
    inner[:20], inner[-20:], inner[:, :20], inner[:, -20:] = False, False, False, False
    assert np.std((again - field)[inner]) < 0.1 * field.std()
