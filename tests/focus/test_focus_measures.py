"""What the classical measures promise of themselves, row by row."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.focus_protocol import blurred
from napari_sem_tools.focus import (
    DEFAULT_MEASURE,
    LIVE_MEASURES,
    MEASURES,
    focus_measures,
    ring_correlation,
    two_frame_snr,
)
from napari_sem_tools.micrograph import Micrograph

FOCUS = [name for name, row in MEASURES.items() if row.larger_is_sharper is not None]
NM = 2.0


@functools.lru_cache
def texture() -> np.ndarray:
    """Overlapping discs of many sizes: sharp edges, grey values 20 to 200."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:240, :320]
    field = np.full((240, 320), 60.0)
    for _ in range(220):
        row, column = rng.uniform(0, 240), rng.uniform(0, 320)
        inside = (y - row) ** 2 + (x - column) ** 2 < rng.uniform(2, 18) ** 2
        field[inside] = rng.uniform(20, 200)
    return np.asarray(blurred(field, 0.7))


@functools.lru_cache
def all_of(blur: float, noise: float = 0.0, gain: float = 1.0, offset: float = 0.0) -> dict:
    image = blurred(texture(), blur) * gain + offset
    image = image + noise * np.random.default_rng(1).normal(size=image.shape)
    return focus_measures(image, pixel_size=NM)


@pytest.mark.parametrize("name", FOCUS)
def test_more_blur_moves_a_measure_the_way_its_row_says(name: str) -> None:
    needs_noise = MEASURES[name].noise in ("limit", "corrected")
    course = np.array([all_of(s, 1.0 * needs_noise)[name] for s in (0.0, 1.0, 2.0, 3.0)])
    steps = np.diff(course) * (1 if MEASURES[name].larger_is_sharper else -1)
    if MEASURES[name].noise == "limit":  # values live on rings, next ones may share a ring
        assert steps.sum() < 0 and (steps <= 0).all()
    else:
        assert (steps < 0).all()


@pytest.mark.parametrize("name", MEASURES)
def test_gain_changes_a_measure_as_its_row_says(name: str) -> None:
    power = {"1": 0, "g": 1, "g²": 2, "g⁴": 4, "weak": None}[MEASURES[name].gain]
    if power is None:
        return
    offset_free = all_of(1.0, 3.0)[name]
    changed = focus_measures(
        3.0 * (blurred(texture(), 1.0) + 3.0 * np.random.default_rng(1).normal(size=(240, 320))),
        name, pixel_size=NM)[name]  # fmt: skip
    assert changed == pytest.approx(offset_free * 3.0**power, rel=2e-2)


@pytest.mark.parametrize("name", [n for n, row in MEASURES.items() if row.offset_free])
def test_an_offset_does_not_disturb_a_measure_that_is_free_of_it(name: str) -> None:
    assert all_of(1.0, 3.0, 1.0, 50.0)[name] == pytest.approx(all_of(1.0, 3.0)[name], rel=1e-2)


@pytest.mark.parametrize("name", [n for n, row in MEASURES.items() if not row.offset_free])
def test_an_offset_disturbs_the_others(name: str) -> None:
    assert all_of(1.0, 3.0, 1.0, 50.0)[name] != pytest.approx(all_of(1.0, 3.0)[name], rel=1e-2)


@pytest.mark.parametrize(
    ("name", "share"),
    [("GLVA", 1.0), ("BREN", 4.0), ("GRAE", 4.0), ("TENG", 0.375), ("LAPV", 20.0), ("LAPE", 20.0),
     ("LoG2", 1 / (2 * np.pi * 2.0**6)), ("GDER2", 1 / (4 * np.pi * 2.0**4)), ("VOL4", 0.0),
     ("VOL5", 0.0)],
)  # fmt: skip
def test_white_noise_adds_what_theory_says(name: str, share: float) -> None:
    noise = 12.0 * np.random.default_rng(2).normal(size=(480, 640))
    assert focus_measures(noise, name)[name] == pytest.approx(
        share * 144, rel=0.12, abs=2.0 if share == 0 else 0.02
    )


@pytest.mark.parametrize(
    "name", [n for n, row in MEASURES.items() if row.noise in ("corrected", "none")]
)
def test_a_corrected_measure_stays_under_noise(name: str) -> None:
    calm, noisy, other = all_of(1.0, 1.0)[name], all_of(1.0, 12.0)[name], all_of(3.0, 1.0)[name]
    assert abs(noisy - calm) < max(0.5 * abs(other - calm), 0.06 * abs(calm))


@pytest.mark.parametrize("name", [n for n, row in MEASURES.items() if row.noise == "strong"])
def test_noise_decides_over_a_measure_of_strong_noise(name: str) -> None:
    calm, noisy, other = all_of(1.0, 1.0)[name], all_of(1.0, 12.0)[name], all_of(3.0, 1.0)[name]
    assert abs(noisy - calm) > 0.25 * abs(other - calm)


def test_widths_are_those_of_the_edge_in_nm() -> None:
    edge = np.where(np.arange(320) // 40 % 2, 40.0, 180.0) + np.zeros((240, 1))
    for blur in (1.5, 3.0):
        found = focus_measures(blurred(edge, blur), ["dr_like", "cg_like"], pixel_size=NM)
        for value in found.values():
            assert value == pytest.approx(1.349 * blur * NM, rel=0.12)


def test_lengths_in_nm_need_a_pixel_size() -> None:
    names = [name for name, row in MEASURES.items() if row.unit == "nm"]
    assert all(np.isnan(value) for value in focus_measures(texture(), names).values())
    double = focus_measures(texture(), names, pixel_size=2 * NM)
    assert all(double[n] == pytest.approx(2 * all_of(0.0)[n]) for n in names if n != "ft_like")


def test_strip_and_letters_change_nothing_much() -> None:
    image = blurred(texture(), 1.0) + np.random.default_rng(3).normal(size=(240, 320))
    lettered = np.vstack([image, np.zeros((30, 320))])
    lettered[244:266, 10:300:3] = 255
    marks = np.zeros(lettered.shape, bool)
    marks[40:52, 60:110] = True
    lettered[marks] = 255
    record = Micrograph(lettered, data_bar=(240, 270), marks=marks)
    plain, spoilt = focus_measures(image), focus_measures(lettered)
    masked = focus_measures(record)
    for name in ("LoG2/var", "GDER2", "GLVA", "BREN", "LAPV", "NETP", "EDGW"):
        assert masked[name] == pytest.approx(plain[name], rel=0.08), name
    for name in ("LoG2/var", "GDER2", "GLVA", "BREN", "LAPV"):
        assert spoilt[name] != pytest.approx(plain[name], rel=0.08), name


def test_the_live_measures_and_the_default_are_in_the_table() -> None:
    assert {*LIVE_MEASURES, DEFAULT_MEASURE} <= set(MEASURES)
    assert list(focus_measures(texture(), ("SIGM", "BREN"))) == ["SIGM", "BREN"]
    with pytest.raises(InvalidSettings, match="no focus measure XYZ"):
        focus_measures(texture(), "XYZ")


def test_every_row_says_what_it_is() -> None:
    for row in MEASURES.values():
        assert row.full_name and row.formula and row.source


def test_snr_of_two_frames_and_of_one_agree_with_the_truth() -> None:
    rng = np.random.default_rng(0)
    signal = blurred(texture(), 2.0)
    noise = signal.std() / 2.0
    one, two = (signal + noise * rng.normal(size=signal.shape) for _ in range(2))
    assert two_frame_snr(one, two) == pytest.approx(4.0, rel=0.05)
    single = focus_measures(one, ["SNRA", "SNRP"])
    assert single["SNRA"] == pytest.approx(4.0, rel=0.3)
    assert single["SNRP"] == pytest.approx(4.0, rel=0.15)


def test_rings_agree_where_there_is_signal_and_not_beyond() -> None:
    rng = np.random.default_rng(0)
    signal = blurred(texture(), 2.0)
    frequency, share = ring_correlation(*(signal + 5 * rng.normal(size=(240, 320)) for _ in "ab"))
    assert share[frequency < 0.05].min() > 0.9
    assert abs(share[frequency > 0.35].mean()) < 0.1
    with pytest.raises(InvalidSettings):
        ring_correlation(signal, signal[1:])


@pytest.mark.data
def test_the_default_measure_ranks_the_real_triple(shared_data: Path) -> None:
    from skimage.io import imread

    tiles = []
    for name in ("off-08um.png", "off-13um.png", "off-18um.png"):
        image = imread(shared_data / "focus-triple" / name)
        tiles.append([
            focus_measures(image[24 + 240 * i : 264 + 240 * i, 32 + 320 * j : 352 + 320 * j],
                           DEFAULT_MEASURE)[DEFAULT_MEASURE]
            for i in range(3) for j in range(3)
        ])  # fmt: skip
    sharp, middle, blunt = np.array(tiles)
    assert (sharp > middle).all() and (middle > blunt).all() and (sharp > blunt).all()
