"""Two samples differ when their images do, more than images of one sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics import Sample, compare_samples, jackknife_intervals


def sample_of(rng, m: int, median: float = 20.0, shift: float = 0.15, n: int = 40) -> Sample:
    images = np.repeat(np.arange(m), n)
    moved = rng.normal(0, shift, m)[images]
    return Sample.of(median * np.exp(moved + rng.normal(0, 0.35, len(images))), images)


def test_a_clear_difference_is_seen_with_its_size() -> None:
    rng = np.random.default_rng(0)
    found = compare_samples(sample_of(rng, 8), sample_of(rng, 8, 40.0))
    assert found.p_value < 0.005 and 1.5 < found.ratio < 2.6
    assert found.low < found.ratio < found.high and found.low > 1


@pytest.mark.slow
@pytest.mark.parametrize("statistic", ["mean", "d50"])
def test_two_halves_of_one_sample_are_called_different_as_often_as_is_said(statistic: str) -> None:
    rng, rejected, pooled, repeats = np.random.default_rng(1), 0, 0, 200
    for _ in range(repeats):
        one, two = sample_of(rng, 5), sample_of(rng, 5)
        rejected += compare_samples(one, two, statistic).p_value <= 0.05
        pooled += stats.ks_2samp(one.sizes, two.sizes).pvalue <= 0.05
    assert rejected / repeats <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert pooled / repeats > 0.3  # particles taken as independent see differences everywhere


def test_all_exchanges_are_tried_where_they_are_few() -> None:
    rng = np.random.default_rng(2)
    few = compare_samples(sample_of(rng, 3), sample_of(rng, 3, 90.0))
    assert few.exact and few.exchanges == 20 and few.p_value == pytest.approx(2 / 20)
    many = compare_samples(sample_of(rng, 10), sample_of(rng, 10), repeats=99)
    assert not many.exact and many.exchanges == 99


def test_exchanging_the_samples_inverts_the_ratio() -> None:
    rng = np.random.default_rng(3)
    one, two = sample_of(rng, 4), sample_of(rng, 5, 25.0)
    there, back = compare_samples(one, two), compare_samples(two, one)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert (there.low, there.p_value) == pytest.approx((1 / back.high, back.p_value))


def test_one_image_has_no_interval_and_two_images_no_comparison() -> None:
    rng = np.random.default_rng(4)
    found = compare_samples(sample_of(rng, 1), sample_of(rng, 4))
    assert math.isnan(found.low) and found.exchanges == 5
    with pytest.raises(InvalidSettings, match="too few"):
        compare_samples(sample_of(rng, 1), sample_of(rng, 1))
    with pytest.raises(InvalidSettings, match="no statistic"):
        compare_samples(sample_of(rng, 3), sample_of(rng, 3), "mode")
    other = Sample(np.ones(2), np.ones(2), np.arange(2), 2, "ecd_px", "px")
    with pytest.raises(InvalidSettings, match="same quantity"):
        compare_samples(sample_of(rng, 3), other)


def test_two_equal_samples_have_the_degrees_of_freedom_of_both() -> None:
    one = sample_of(np.random.default_rng(5), 6)
    found = compare_samples(one, one, "mean")
    low, high = jackknife_intervals(one)[0]["mean"]
    error = math.log(high / low) / 2 / stats.t.ppf(0.975, 5)
    expected = stats.t.ppf(0.975, 10) * math.sqrt(2) * error
    assert math.log(found.high) == pytest.approx(expected, rel=1e-9)
