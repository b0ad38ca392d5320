"""How many more particles it takes, and one record with everything that a report prints."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics import (
    Sample,
    StatisticsSettings,
    bootstrap_interval,
    jackknife_intervals,
    particles_needed,
    precision_curve,
    precision_of,
    quantile,
    report_statistics,
    summarize,
)

PUBLISHED = {  # ± 5 % at 95 %: mean, D50, D10, D[3,2], D[4,3], D50 and D90 by volume
    1.1: (14, 22, 41, 16, 17, 24, 68),
    1.2: (52, 80, 149, 76, 108, 108, 436),
    1.5: (275, 397, 738, 1_472, 5_976, 1_742, 14_019),
    1.8: (634, 834, 1_551, 16_126, 226_907, 18_686, 215_533),
}
NAMES = ("mean", "d50", "d10", "d_3_2", "d_4_3", "volume_d50", "volume_d90")


def sample_of_images(m: int, n: int = 50, shift: float = 0.0, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    images = np.repeat(np.arange(m), n)
    moved = rng.normal(0, shift, m)[images] if shift else 0.0
    return Sample.of(np.exp(3 + moved + rng.normal(0, 0.4, len(images))), images)


@pytest.mark.parametrize("gsd", list(PUBLISHED))
def test_particles_needed_are_those_of_the_table(gsd: float) -> None:
    assert tuple(particles_needed(name, gsd) for name in NAMES) == PUBLISHED[gsd]


def test_the_mean_needs_as_many_particles_as_simulation_says() -> None:
    n, rng = particles_needed("d_3_2", 1.3, relative=0.02), np.random.default_rng(0)
    d = np.exp(rng.normal(0, math.log(1.3), (1000, n)))
    found = (d**3).sum(axis=1) / (d**2).sum(axis=1)
    assert 1.96 * found.std() / found.mean() == pytest.approx(0.02, rel=0.08)


def test_images_that_differ_need_more_and_bad_numbers_are_refused() -> None:
    assert particles_needed("mean", 1.5, design_effect=3.0) == pytest.approx(3 * 275, abs=2)
    assert particles_needed("mean", 1.5, relative=0.02) == pytest.approx(6.25 * 275, abs=5)
    with pytest.raises(InvalidSettings, match="GSD"):
        particles_needed("mean", 1.0)
    with pytest.raises(InvalidSettings, match="no statistic"):
        particles_needed("mode", 1.5)


def test_the_images_asked_for_give_the_precision_that_was_wanted() -> None:
    few = precision_of(sample_of_images(8, shift=0.1, seed=3), wanted=0.03)
    assert few.images_needed > 8 and "more" in few.text
    widths = [
        precision_of(sample_of_images(few.images_needed, shift=0.1, seed=seed)).relative
        for seed in range(20)
    ]
    assert 0.6 * 0.03 < np.median(widths) < 1.6 * 0.03


def test_enough_is_said_to_be_enough() -> None:
    found = precision_of(sample_of_images(20, 200), wanted=0.1)
    assert found.images_needed < 20 and "is reached" in found.text


def test_particles_of_images_that_differ_hardly_help() -> None:
    found = precision_of(sample_of_images(10, 200, shift=0.2), wanted=0.05)
    assert found.design_effect > 10 and "hardly help" in found.text


def test_with_one_image_particles_are_counted_and_images_asked_for() -> None:
    found = precision_of(sample_of_images(1, 60), "d50", wanted=0.02)
    assert found.images_needed is None and found.particles_needed > 60
    assert "take several" in found.text and "D50" in found.text
    with pytest.raises(InvalidSettings, match="no interval"):
        precision_of(sample_of_images(1, 1))


def test_the_interval_narrows_with_the_number_of_images() -> None:
    curve = precision_curve(sample_of_images(20))
    assert curve.images[0] == 2 and curve.images[-1] == 20
    assert curve.relative[-1] < curve.relative[2] < curve.relative[0]
    assert curve.relative[-1] == pytest.approx(precision_of(sample_of_images(20)).relative)
    with pytest.raises(InvalidSettings, match="three images"):
        precision_curve(sample_of_images(2))


def test_drawing_images_and_leaving_one_out_agree() -> None:
    sample = sample_of_images(30, shift=0.1)
    low, high = jackknife_intervals(sample)[0]["mean"]
    drawn = bootstrap_interval(sample, lambda d, w: float(d @ w / w.sum()), repeats=2000)
    assert drawn == pytest.approx((low, high), rel=0.01)
    d50 = bootstrap_interval(sample, lambda d, w: float(quantile(d, w, 0.5)))
    assert d50 == pytest.approx(jackknife_intervals(sample)[0]["d50"], rel=0.03)
    with pytest.raises(InvalidSettings, match="two or more"):
        bootstrap_interval(sample_of_images(1), lambda d, w: float(d.mean()))


def test_drawing_depends_on_the_seed_alone() -> None:
    sample = sample_of_images(6)
    one, two, other = (
        bootstrap_interval(sample, lambda d, w: float(d @ w / w.sum()), seed=seed, repeats=99)
        for seed in (1, 1, 2)
    )
    assert one == two != other


def test_intervals_of_widths_hold_them() -> None:
    found, _ = jackknife_intervals(sample_of_images(10))
    assert found["gsd"][0] < math.exp(0.4) < found["gsd"][1]
    assert set(found) >= {"sd", "gsd", "span", "mean", "d10", "d50", "d90", "d_3_2", "d_4_3"}


# The record of a report


def table_of(n: int, n_images: int = 6, unit: str = "nm", seed: int = 0) -> pd.DataFrame:
    d = np.exp(np.random.default_rng(seed).normal(3.5, 0.35, n))
    scale = 4.0 if unit == "nm" else 1.0
    table = pd.DataFrame(
        {
            f"ecd_{unit}": d,
            f"feret_min_{unit}": 0.9 * d,
            "area_px": np.pi / 4 * d**2 / scale,
            "edge_weight": 1 + d / 200,
            "edge": False,
            "image": np.arange(n) % n_images,
            "included": True,
        }
    )
    if unit == "nm":
        table["area_nm2"] = np.pi / 4 * d**2
    table.attrs = {"unit": unit, "calibration": {"relative_uncertainty": 0.01}}
    return table


def test_a_report_has_all_and_its_numbers_are_those_of_summarize() -> None:
    table = table_of(400)
    found = report_statistics(table)
    assert found.summaries["number"] == summarize(table)
    volume = summarize(table, weight="volume")
    assert found.summaries["volume"].to_dict() == volume.to_dict()
    assert list(found.summaries) == ["number", "length", "area", "volume"]
    assert found.budget.value == pytest.approx(found.summaries["number"].mean)
    assert found.verdict.outcome == "nanomaterial"
    assert {fit.family for fit in found.fits} == set(found.goodness)
    assert [p.statistic for p in found.precision][:2] == ["mean", "d50"]
    assert found.mixture.n_components == 1 and found.curve.images[-1] == 6
    assert found.edge.shift > 0.01 and any("Miles" in text for text in found.warnings)
    assert any("± " in text for text in found.paragraphs)


def test_a_report_is_plain_in_json() -> None:
    values = report_statistics(table_of(60, 3)).to_dict()
    again = json.loads(json.dumps(values, allow_nan=False))
    assert again["summaries"]["number"]["n"] == 60
    assert again["budget"]["contributions"][0]["name"] == "calibration"
    assert again["budget"]["contributions"][0]["freedom"] is None  # infinite


def test_with_edge_weights_all_numbers_have_them() -> None:
    table = table_of(300)
    found = report_statistics(table, settings=StatisticsSettings(edge_weights=True))
    assert found.summaries["number"] == summarize(table, edge_weights=True)
    assert found.budget.value == pytest.approx(found.edge.summary.mean)
    assert "Miles-Lantuejoul" in found.edge_rule and not any("Miles" in w for w in found.warnings)


def test_cut_particles_that_are_counted_are_said() -> None:
    table = table_of(100)
    table.loc[:4, "edge"] = True
    table.loc[:4, "edge_weight"] = np.nan
    found = report_statistics(table)
    assert found.edge is None and found.edge_rule.startswith("5 particles")


@pytest.mark.parametrize("n", [0, 1, 2, 4, 10, 29])
def test_a_report_of_few_particles_gives_what_it_can(n: int) -> None:
    found = report_statistics(table_of(n, 2))
    assert found.n == n and found.fits == () and found.warnings
    assert (found.budget is None) == (n < 2)
    assert (found.verdict is None) == (n == 0)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_report_in_pixels_has_neither_verdict_nor_calibration() -> None:
    found = report_statistics(table_of(100, unit="px"))
    assert found.verdict is None and found.unit == found.budget.unit == "px"
    assert "calibration" not in [line.name for line in found.budget.contributions]


def test_equal_sizes_have_a_report_too() -> None:
    table = table_of(50)
    table["ecd_nm"] = 25.0
    found = report_statistics(table)
    assert found.fits == () and found.summaries["number"].gsd == pytest.approx(1)
    json.dumps(found.to_dict(), allow_nan=False)


def test_moments_that_rest_on_few_particles_are_pointed_out() -> None:
    assert any("D[4,3]" in text for text in report_statistics(table_of(80)).warnings)
    enough = report_statistics(table_of(3000), settings=StatisticsSettings(fits=False))
    assert not any("rest on" in text for text in enough.warnings)


def test_images_that_differ_make_a_test_of_fit_doubtful() -> None:
    table = table_of(600, 6)
    table["ecd_nm"] *= 1 + 0.3 * table["image"]
    assert any("tests of fit" in text for text in report_statistics(table).warnings)


def test_records_cannot_be_changed() -> None:
    found = report_statistics(table_of(40))
    for record in (found, found.budget, found.verdict, found.summaries["number"]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.unit = "µm"


def test_fits_can_be_switched_off() -> None:
    found = report_statistics(table_of(100), settings=StatisticsSettings(fits=False))
    assert found.fits == () and found.mixture is None


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 3, 8, 31, 60]),
    st.sampled_from(["lognormal", "three sizes", "one size", "far apart"]),
    st.booleans(),
)
@settings(max_examples=30)
def test_a_report_of_any_table_is_plain_and_its_intervals_hold_its_values(
    seed: int, n: int, kind: str, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    size = {
        "lognormal": np.exp(rng.normal(3, rng.choice([0.01, 0.5, 2]), n)),
        "three sizes": rng.choice([5.0, 9.0, 12.0], n),
        "one size": np.full(n, 7.0),
        "far apart": np.where(rng.random(n) < 0.9, 10.0, 1e5),
    }[kind]
    table = pd.DataFrame(
        {
            "ecd_nm": size,
            "feret_min_nm": size,
            "area_nm2": size**2,
            "area_px": size**2,
            "edge_weight": 1 + 20 * rng.random(n),
            "edge": False,
            "image": rng.integers(0, 5, n),
            "included": rng.random(n) < 0.9,
        }
    )
    found = report_statistics(
        table, settings=StatisticsSettings(edge_weights=weighted, bootstrap=99)
    )
    json.dumps(found.to_dict(), allow_nan=False)
    for summary in found.summaries.values():
        for name, (low, high) in summary.intervals.items():
            value = getattr(summary, name)
            assert not low > value * (1 + 1e-9) and not value > high * (1 + 1e-9), name
