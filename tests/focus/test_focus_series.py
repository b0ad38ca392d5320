"""The best focus of a series: where it is, how sure, and when there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microscope import frame

from napari_sem_tools.errors import Cancelled, InvalidSettings, SemWarning
from napari_sem_tools.focus.measures.picture import Picture, picture_of
from napari_sem_tools.focus.series.curve import fit_bells, fit_parabola, vertex
from napari_sem_tools.focus.series.series import focus_series
from napari_sem_tools.focus.series.sharpness import SERIES_MEASURE, sharpness
from napari_sem_tools.focus.series.verdict import Measured
from napari_sem_tools.micrograph import Metadata, Micrograph

PLACES = np.arange(-6.0, 7.0, 2.0)


def series_of(places, focus: float = 0.7, *, dose: float = 100.0, seed: int = 0) -> list:
    return [frame(z, focus=focus, dose=dose, seed=seed, noise_seed=i) for i, z in enumerate(places)]


def test_the_best_position_lies_between_the_frames() -> None:
    found = focus_series(series_of(PLACES), PLACES)
    assert found.best == pytest.approx(0.7, abs=0.15)
    assert found.interval[0] < 0.7 < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.5
    assert (found.inside, found.suggested_move.stop, found.warnings) == (True, True, ())
    assert found.best_frame == 3
    assert found.fit is not None
    assert found.fit.position[found.fit.value.idxmax()] == pytest.approx(found.best, abs=0.1)


def test_three_frames_make_a_parabola() -> None:
    found = focus_series(series_of((-4, 0, 4), focus=1.2, dose=20), (-4, 0, 4))
    assert found.best == pytest.approx(1.2, abs=0.4)
    assert found.interval[0] < 1.2 < found.interval[1]


def test_positions_may_be_unsorted_uneven_and_repeated() -> None:
    places = np.array([4.0, -6.0, 0.0, 4.0, -1.5, 9.0, 2.0, -3.0])
    found = focus_series(series_of(places), places)
    assert found.positions.tolist() == sorted(places)
    assert found.best == pytest.approx(0.7, abs=0.15)
    assert places[found.order[found.best_frame]] == 0.0
    assert found.curves.index.tolist() == found.positions.tolist()


def test_without_positions_frames_are_numbered() -> None:
    found = focus_series(np.stack(series_of(PLACES)))
    assert found.unit == "frame"
    assert found.best == pytest.approx(3.35, abs=0.1)


def test_working_distances_of_the_files_are_positions() -> None:
    images = [
        Micrograph(pixels, metadata=Metadata(working_distance_mm=5.0 + z / 1000))
        for pixels, z in zip(series_of(PLACES), PLACES, strict=True)
    ]
    found = focus_series(images)
    assert found.unit == "mm"
    assert found.best == pytest.approx(5.0007, abs=2e-4)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("places", [(-4, 0, 4), (-8, -4, 0, 4, 8)])
def test_an_optimum_outside_is_said_and_gone_to(places: tuple, side: int) -> None:
    focus = side * (places[-1] + 8.0)
    with pytest.warns(SemWarning, match="outside"):
        found = focus_series(series_of(places, focus=focus), places)
    assert not found.inside
    assert found.best == side * places[-1]
    move = found.suggested_move
    assert (move.reason, move.stop) == ("bracket", False)
    assert move.position == side * (places[-1] + 4)


def test_two_frames_only_tell_the_better_side() -> None:
    with pytest.warns(SemWarning, match="outside"):
        found = focus_series(series_of((0, 4), focus=-3.0), (0, 4))
    assert (found.best, found.inside, found.suggested_move.position) == (0.0, False, -4.0)


def test_frames_of_noise_have_no_best_position() -> None:
    rng = np.random.default_rng(1)
    frames = [rng.poisson(20, (240, 320)).astype(np.uint8) for _ in range(5)]
    with pytest.warns(SemWarning, match="fewer than two"):
        found = focus_series(frames)
    assert np.isnan(found.best)
    assert found.suggested_move.reason == "stop: no information"


def test_the_same_frame_again_and_again_has_no_best_position() -> None:
    with pytest.warns(SemWarning, match="do not differ"):
        found = focus_series(series_of([3.0] * 6))
    assert np.isnan(found.best)


def test_a_blank_frame_between_good_ones_is_left_out() -> None:
    frames = series_of(PLACES)
    frames[3] = np.full_like(frames[3], 90)
    with pytest.warns(SemWarning, match="1 of 7 frames show nothing"):
        found = focus_series(frames, PLACES)
    assert found.best == pytest.approx(0.7, abs=0.3)


def test_gain_and_black_level_do_not_move_the_best_position() -> None:
    frames = series_of(PLACES)
    gains = np.random.default_rng(0).uniform(0.6, 1.1, len(frames))
    levels = np.random.default_rng(1).uniform(0, 40, len(frames))
    other = [
        np.clip(f * g + b, 0, 255).astype(np.float32)
        for f, g, b in zip(frames, gains, levels, strict=True)
    ]
    assert focus_series(other, PLACES).best == pytest.approx(
        focus_series(frames, PLACES).best, abs=0.02
    )


def test_any_measure_of_focus_may_decide() -> None:
    frames = series_of(PLACES)
    for name in ("LoG2/var", "EDGW", "BAND"):
        found = focus_series(frames, PLACES, decide=name)
        assert found.measure == name
        assert found.best == pytest.approx(0.7, abs=0.6), name
    assert list(found.curves) == [SERIES_MEASURE, "BAND"]
    with pytest.raises(InvalidSettings, match="no measure of focus"):
        focus_series(frames, PLACES, decide="NOIS")


def test_scores_stand_beside_the_measure() -> None:
    from napari_sem_tools.focus.score import FocusScore

    found = focus_series(series_of(PLACES), PLACES, score=lambda image: FocusScore(5.0, (4.0, 6.0)))
    assert list(found.curves) == [SERIES_MEASURE, "score", "score_low", "score_high"]


def test_frames_taken_differently_are_said() -> None:
    images = [
        Micrograph(pixels, metadata=Metadata(dwell_time_us=1.0 + (i == 2)))
        for i, pixels in enumerate(series_of(PLACES))
    ]
    with pytest.warns(SemWarning, match="differ in dwell time us"):
        assert focus_series(images, PLACES).inside


def test_what_is_no_series_is_refused(tmp_path: Path) -> None:
    frames = series_of((0, 2))
    with pytest.raises(InvalidSettings, match="no series"):
        focus_series(frames[:1])
    with pytest.raises(InvalidSettings, match="sizes"):
        focus_series([frames[0], frames[1][:-2]])
    with pytest.raises(InvalidSettings, match="do not fit"):
        focus_series(frames, (1, 2, 3))
    with pytest.raises(InvalidSettings, match="same"):
        focus_series(frames, (1, 1))


def test_a_folder_is_a_series_in_the_order_of_its_names(tmp_path: Path) -> None:
    import tifffile

    for number, image in enumerate(series_of(PLACES)):
        tifffile.imwrite(tmp_path / f"z{number + 7}.tif", image)  # z7 ... z13
    assert focus_series(tmp_path).best == pytest.approx(3.35, abs=0.1)


def test_a_user_may_stop_it() -> None:
    seen = []
    with pytest.raises(Cancelled):
        focus_series(
            series_of(PLACES),
            progress=lambda done, total, what: seen.append((done, total)),
            cancel=lambda: len(seen) == 2,
        )
    assert seen == [(0, 7), (1, 7)]


@pytest.mark.slow
@pytest.mark.parametrize("places", [np.arange(-9.0, 10, 3), np.array([-4.0, 0.0, 4.0])])
def test_nine_of_ten_intervals_hold_the_focus(places: np.ndarray) -> None:
    held, trials = 0, 100
    for trial in range(trials):
        focus = float(np.random.default_rng(trial).uniform(-1, 1))
        frames = [frame(z, focus=focus, dose=20, seed=trial % 20, noise_seed=trial) for z in places]
        low, high = focus_series(frames, places).interval
        held += low <= focus <= high
    assert 0.82 <= held / trials <= 0.99  # 90 % of 100 trials, three standard errors


@given(st.floats(-5, 5), st.floats(0.1, 3), st.floats(0.1, 3), st.floats(0.01, 9), st.floats(-9, 9))
def test_the_vertex_of_a_parabola_is_exact_for_uneven_points(
    best: float, left: float, right: float, bend: float, level: float
) -> None:
    x = np.array([-left, 0.0, right])
    found = vertex(x, level - bend * (x - best) ** 2)
    assert found == pytest.approx(best, abs=1e-4)
    assert vertex(x, level + bend * (x - best) ** 2) is None


@settings(max_examples=30)
@given(st.floats(-4, 4), st.floats(1.5, 5), st.sampled_from([1.0, 2.0]))
def test_a_bell_is_found_again(best: float, width: float, power: float) -> None:
    x = np.sort(np.random.default_rng(3).uniform(-8, 8, 17))
    curve = 3 + 2 * (1 + ((x - best) / width) ** 2) ** -power
    assert fit_bells(x, curve[None]).best[0] == pytest.approx(best, abs=0.1)


def test_the_error_of_a_parabola_is_that_of_repeated_measurements() -> None:
    rng = np.random.default_rng(0)
    x, error = np.linspace(-2, 2, 5), np.full(5, 0.05)
    truth = 1 - 0.3 * (x - 0.4) ** 2
    found = [fit_parabola(x, truth + error * rng.normal(size=5), error) for _ in range(400)]
    tops = np.array([f.best for f in found])
    assert np.median([f.half_width for f in found]) == pytest.approx(1.645 * tops.std(), rel=0.35)
    inside = np.mean([abs(f.best - 0.4) <= f.half_width for f in found])
    assert 0.86 < inside < 0.97


def test_the_error_of_the_measure_is_that_of_repeated_frames() -> None:
    for dose in (5.0, 20.0):
        looks = [
            sharpness(picture_of(frame(3.0, dose=dose, seed=3, noise_seed=i))) for i in range(40)
        ]
        spread = np.std([look.value for look in looks], ddof=1)
        assert np.mean([look.error for look in looks]) == pytest.approx(spread, rel=0.35)


def test_noise_alone_is_no_detail() -> None:
    rng = np.random.default_rng(0)
    found = [
        sharpness(Picture(rng.normal(100, 10, (240, 320)).astype(np.float32))) for _ in range(20)
    ]
    assert not any(look.information for look in found)
    assert abs(np.mean([look.detail.mean() for look in found])) < found[0].detail_error


@pytest.mark.data
def test_three_real_frames_are_ranked_in_every_tile_and_the_optimum_lies_outside(
    shared_data: Path,
) -> None:
    from PIL import Image

    frames = []
    for um in (8, 13, 18):
        with Image.open(shared_data / "focus-triple" / f"off-{um:02}um.png") as image:
            frames.append(np.asarray(image.convert("L")))
    for y in 24 + 240 * np.arange(3):
        for x in 32 + 320 * np.arange(3):
            tiles = [Picture(f[y : y + 240, x : x + 320].astype(np.float32)) for f in frames]
            values = [sharpness(tile).value for tile in tiles]
            assert values[0] > values[1] > values[2]
    with pytest.warns(SemWarning, match="outside the series, beyond -8.324"):
        found = focus_series(frames, (-8.324, -13.324, -18.324))
    assert not found.inside
    assert found.suggested_move.position > -8.324


def test_brightness_helps_where_noise_decides_and_only_if_it_stays() -> None:
    places, sharp = np.array([-4.0, 0.0, 4.0]), np.array([1.0, 4.0, 1.2])
    ground, means = np.array([[2.0, 2.4, 2.2]] * 4).T, np.array([100.0, 110.0, 105.0])
    tiles = np.stack([sharp[:, None] * ground, ground], axis=1)
    few = Measured(places, sharp, tiles, np.ones(3, bool), np.full(3, 0.1))
    over = few.over_brightness(means)
    assert over.y * means**2 == pytest.approx(tiles[:, 0].mean(axis=1) * over.y[0] * 100**2 / 2)
    many = dataclasses.replace(few, error=np.full(3, 0.01))
    for same, seen in ((few, means * [1, 1.5, 1]), (few, -means), (many, means)):
        assert same.over_brightness(seen) is same


def test_three_noisy_frames_are_judged_better_with_their_brightness() -> None:
    plain, helped = [], []
    for trial in range(12):
        focus = float(np.random.default_rng(trial).uniform(-2, 2))
        looks = [frame(z, focus=focus, dose=5, seed=trial, noise_seed=trial) for z in (-4, 0, 4)]
        helped.append(abs(focus_series(looks, (-4, 0, 4)).best - focus))
        shifted = [look.astype(float) + 200 * k for k, look in enumerate(looks)]
        plain.append(abs(focus_series(shifted, (-4, 0, 4)).best - focus))
    assert np.mean(helped) < np.mean(plain)
