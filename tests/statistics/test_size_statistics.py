"""Means, quantiles and intervals are those of the standards, and say what they rest on."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics import summarize
from napari_sem_tools.statistics.moments import moment_mean, quantile


def table_of(sizes, image="a", unit: str = "nm") -> pd.DataFrame:
    """Make the part of a particle table that statistics look at."""
    return pd.DataFrame({f"ecd_{unit}": np.asarray(sizes, float), "image": image, "included": True})


def lognormal(n: int, gsd: float = 1.5, median: float = 40.0) -> np.ndarray:
    """Return n sizes at the quantiles of a lognormal distribution."""
    return median * np.exp(math.log(gsd) * ndtri((np.arange(n) + 0.5) / n))


def test_moments_of_a_lognormal_are_those_of_the_closed_form() -> None:
    s = summarize(table_of(lognormal(200_000)))
    sigma = math.log(1.5)
    for p, q, value in ((1, 0, s.mean), (1, 0, s.d_1_0), (3, 2, s.d_3_2), (4, 3, s.d_4_3)):
        assert value == pytest.approx(40 * math.exp((p + q) * sigma**2 / 2), rel=2e-3)
    assert s.median == s.d50 == pytest.approx(40, rel=1e-4)
    assert s.gsd == pytest.approx(1.5, rel=1e-4)
    assert s.d90 / s.d50 == pytest.approx(math.exp(sigma * ndtri(0.9)), rel=1e-4)
    assert s.span == pytest.approx((s.d90 - s.d10) / s.d50)
    assert s.mode == pytest.approx(40, rel=0.05)  # maximum on ln d


@pytest.mark.parametrize(("weight", "r"), [("number", 0), ("area", 2), ("volume", 3)])
def test_weighted_medians_of_a_lognormal_follow_hatch_and_choate(weight: str, r: int) -> None:
    s = summarize(table_of(lognormal(200_000, gsd=1.3)), weight=weight)
    sigma = math.log(1.3)
    assert s.median == pytest.approx(40 * math.exp(r * sigma**2), rel=2e-3)
    assert s.mean == pytest.approx(40 * math.exp((2 * r + 1) * sigma**2 / 2), rel=2e-3)
    assert s.gsd == pytest.approx(1.3, rel=3e-3)


def test_two_sizes_give_moments_by_hand() -> None:
    s = summarize(table_of([1.0] * 3 + [2.0]))
    assert s.mean == pytest.approx(5 / 4)
    assert s.d_3_2 == pytest.approx(11 / 7)
    assert s.d_4_3 == pytest.approx(19 / 11)
    assert s.sd == pytest.approx(0.5)
    assert moment_mean(np.array([1.0, 2.0]), 3, 0) == pytest.approx(4.5 ** (1 / 3))


positive = st.lists(st.floats(0.1, 1e4), min_size=2, max_size=40)


@given(positive, st.floats(0, 1))
def test_unweighted_quantiles_are_those_of_hazen(sizes: list[float], share: float) -> None:
    d = np.array(sizes)
    assert quantile(d, np.ones_like(d), share) == pytest.approx(
        np.quantile(d, share, method="hazen"), rel=1e-9
    )


@given(positive, st.floats(0.01, 100))
def test_all_sizes_scale_with_the_unit(sizes: list[float], factor: float) -> None:
    one, two = summarize(table_of(sizes)), summarize(table_of(np.array(sizes) * factor))
    for name in ("mean", "median", "d10", "d90", "d_3_2", "minimum", "maximum"):
        assert getattr(two, name) == pytest.approx(factor * getattr(one, name), rel=1e-9)
    assert two.gsd == pytest.approx(one.gsd, rel=1e-6)


def test_a_particle_counted_twice_weighs_double() -> None:
    d = np.array([3.0, 5.0, 8.0])
    doubled = quantile(d, np.array([1.0, 2.0, 1.0]), np.array([0.1, 0.5, 0.9]))
    assert doubled[1] == 5.0 and doubled[0] == 3.0 and doubled[2] == 8.0


def test_particles_left_out_do_not_count_and_are_counted_by_reason() -> None:
    table = table_of([10, 20, 30, 1000, 2, 3])
    table["included"] = [True, True, True, False, False, False]
    table["doubt_reason"] = ["", "", "", "edge, merged", "too small", ""]
    s = summarize(table)
    assert (s.n, s.n_excluded, s.maximum) == (3, 3, 30)
    assert s.excluded == {"edge": 1, "too small": 1, "by hand": 1}


def test_one_image_gives_an_interval_within_it_and_says_so() -> None:
    s = summarize(table_of(lognormal(400)))
    assert "within this image" in s.interval_method
    assert any("One image" in warning for warning in s.warnings)
    low, high = s.intervals["mean"]
    expected = 1.966 * s.sd / math.sqrt(400)
    assert (s.mean - low, high - s.mean) == pytest.approx((expected, expected), rel=0.05)
    low, high = s.intervals["median"]
    assert low < s.median < high


def test_images_that_differ_widen_the_interval() -> None:
    sizes, images = lognormal(400), np.repeat(list("abcdefgh"), 50)
    alike = table_of(sizes, np.tile(list("abcdefgh"), 50))
    differing = table_of(sizes, images)  # sorted: the first image has the smallest
    one, two = summarize(alike), summarize(differing)
    assert one.n_images == two.n_images == 8
    assert one.mean == two.mean
    width = [s.intervals["mean"][1] - s.intervals["mean"][0] for s in (one, two)]
    assert width[1] > 5 * width[0]


def test_intervals_do_not_depend_on_the_order_of_the_rows() -> None:
    rng = np.random.default_rng(1)
    table = table_of(lognormal(200), rng.choice(list("abcde"), 200))
    one, two = summarize(table), summarize(table.sample(frac=1, random_state=2))
    for name, ends in one.intervals.items():
        assert two.intervals[name] == pytest.approx(ends, rel=1e-9)


def test_a_volume_d90_that_rests_on_few_particles_is_refused() -> None:
    s = summarize(table_of(lognormal(60, gsd=2.0)), weight="volume")
    assert math.isnan(s.d90) and math.isnan(s.span) and "d90" not in s.intervals
    assert any("D90" in warning for warning in s.warnings)
    assert any("effective" in warning for warning in s.warnings)
    assert any("One particle holds" in warning for warning in s.warnings)
    assert math.isfinite(summarize(table_of(lognormal(60, gsd=2.0))).d90)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_particles_give_what_they_can(n: int) -> None:
    s = summarize(table_of(lognormal(n) if n else []))
    assert s.n == n and s.warnings
    assert math.isnan(s.sd) == (n < 2)
    assert bool(s.intervals) == (n >= 2)
    assert json.loads(json.dumps(s.to_dict(), allow_nan=False))["n"] == n


def test_equal_sizes_have_no_width() -> None:
    s = summarize(table_of([7.0] * 50))
    assert (s.mean, s.sd, s.gsd, s.median) == pytest.approx((7, 0, 1, 7))
    assert math.isnan(s.mode)


def test_any_size_column_can_be_summarised() -> None:
    table = table_of([1, 2, 3]).assign(feret_min_nm=[2.0, 4.0, 6.0])
    s = summarize(table, quantity="feret_min_nm")
    assert (s.quantity, s.unit, s.median) == ("feret_min_nm", "nm", 4.0)
    assert summarize(table_of([1, 2, 3], unit="px")).quantity == "ecd_px"


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="mass"):
        summarize(table_of([1]), weight="mass")  # type: ignore[arg-type]
    with pytest.raises(InvalidSettings, match="ecd_um"):
        summarize(table_of([1]), quantity="ecd_um")
    with pytest.raises(InvalidSettings, match="not given"):
        summarize(pd.concat([table_of([1]), table_of([1], unit="px")]))


@pytest.mark.slow
@pytest.mark.parametrize("between", [0.0, 0.1, 0.2])
def test_intervals_over_images_hold_their_level(between: float) -> None:
    """20 images of Poisson(25) particles, GSD 1.5 in all; nominal 95 % ± 1.5 %."""
    rng = np.random.default_rng(20260101)
    sigma, repeats = math.log(1.5), 1500
    within = math.sqrt(sigma**2 - between**2)
    truth = {"mean": 40 * math.exp(sigma**2 / 2), "median": 40.0}
    hits = dict.fromkeys(truth, 0)
    for _ in range(repeats):
        images = np.repeat(np.arange(20), rng.poisson(25, 20))
        shift = rng.normal(0, between, 20)[images] if between else 0
        sizes = 40 * np.exp(shift + rng.normal(0, within, len(images)))
        found = summarize(table_of(sizes, images)).intervals
        for name, value in truth.items():
            hits[name] += found[name][0] <= value <= found[name][1]
    error = 3 * math.sqrt(0.95 * 0.05 / repeats)
    for name, count in hits.items():
        assert count / repeats == pytest.approx(0.95, abs=0.015 + error), name
