"""Intervals over images are what they are by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_sem_tools.statistics import Sample, jackknife_intervals, quantile
from napari_sem_tools.statistics.intervals import relative_error, student, without_each


def sample_of_images(m: int = 12, n: int = 30, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    images = np.repeat(np.arange(m), n)
    moved = rng.normal(0, 0.1, m)[images]
    return Sample.of(np.exp(3 + moved + rng.normal(0, 0.3, m * n)), images)


def by_hand(values: np.ndarray, estimate: float) -> float:
    """Return the jackknife's half width on ln from the estimates without one image each."""
    m = len(values)
    squares = np.sum((np.log(values) - math.log(estimate)) ** 2)
    return stats.t.ppf(0.975, m - 1) * math.sqrt((m - 1) / m * squares)


def test_with_equal_images_the_error_of_the_mean_is_that_of_the_image_means() -> None:
    sample = sample_of_images()
    means = sample.sizes.reshape(12, 30).mean(axis=1)
    expected = means.std(ddof=1) / math.sqrt(12) / means.mean()
    assert relative_error(sample) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("name", ["mean", "d_3_2", "d_4_3", "gsd", "sd", "span"])
def test_the_interval_is_the_jackknife_on_the_logarithm(name: str) -> None:
    sample = sample_of_images()

    def value(d: np.ndarray) -> float:
        d10, d50, d90 = np.quantile(d, [0.1, 0.5, 0.9], method="hazen")
        return {
            "mean": d.mean(),
            "d_3_2": (d**3).sum() / (d**2).sum(),
            "d_4_3": (d**4).sum() / (d**3).sum(),
            "sd": d.std(ddof=1),
            "gsd": np.log(d).std(ddof=1),
            "span": (d90 - d10) / d50,
        }[name]

    left = np.array([value(sample.sizes[sample.clusters != k]) for k in range(12)])
    estimate = value(sample.sizes)
    half = by_hand(left, estimate)
    ends = estimate * np.exp([-half, half])
    expected = np.exp(ends) if name == "gsd" else ends
    assert jackknife_intervals(sample)[0][name] == pytest.approx(tuple(expected), rel=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_interval_of_a_quantile_is_woodruffs(share: float) -> None:
    sample = sample_of_images()
    size = np.quantile(sample.sizes, share, method="hazen")
    below = (sample.sizes < size) + 0.5 * (sample.sizes == size)
    left = np.array([below[sample.clusters != k].mean() for k in range(12)])
    error = math.sqrt(11 / 12 * np.sum((left - below.mean()) ** 2)) * stats.t.ppf(0.975, 11)
    expected = np.quantile(sample.sizes, [share - error, share + error], method="hazen")
    found = jackknife_intervals(sample)[0][f"d{100 * share:.0f}"]
    assert found == pytest.approx(tuple(expected), rel=1e-9)


@pytest.mark.parametrize("power", [0, 2, 3])
def test_a_particle_of_weight_two_is_two_particles(power: int) -> None:
    sample = sample_of_images(8, 12)
    weights = np.where(np.arange(96) % 3, 1, 2)
    weighted = Sample.of(sample.sizes, sample.clusters, weights.astype(float))
    twice = Sample.of(np.repeat(sample.sizes, weights), np.repeat(sample.clusters, weights))
    one, two = (jackknife_intervals(s, power)[0] for s in (weighted, twice))
    for name in ("mean", "d_1_0", "d_3_2", "d_4_3"):
        assert one[name] == pytest.approx(two[name], rel=1e-9)
    assert one["d50"] == pytest.approx(two["d50"], rel=0.05)  # half weights lie elsewhere


def test_names_alone_are_worked_out_and_are_the_same() -> None:
    sample = sample_of_images()
    everything, method = jackknife_intervals(sample)
    for name, ends in everything.items():
        assert jackknife_intervals(sample, names=(name,)) == ({name: ends}, method)
    assert "d90" not in jackknife_intervals(sample, d90_given=False)[0]


def test_with_one_image_the_interval_of_the_mean_is_students() -> None:
    d = np.random.default_rng(1).normal(50, 5, 80)
    low, high = jackknife_intervals(Sample.of(d))[0]["mean"]
    truth = stats.t.interval(0.95, 79, d.mean(), stats.sem(d))
    assert (low, high) == pytest.approx(truth, rel=1e-3)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=30))
def test_sums_without_each_one_are_sums_without_each_one(parts: list[float]) -> None:
    values = np.array(parts)
    expected = [np.delete(values, i).sum() for i in range(len(values))]
    assert without_each(values) == pytest.approx(expected, rel=1e-12)


def test_student_goes_over_to_the_normal_distribution() -> None:
    assert student(math.inf) == pytest.approx(1.959964, abs=1e-6)
    assert student(3) == pytest.approx(3.182446, abs=1e-6)


def test_images_can_be_chosen_and_are_numbered_anew() -> None:
    sample = sample_of_images(5, 4)
    some = sample.images(np.array([3, 1]))
    assert some.n_images == 2 and some.n == 8
    assert some.sizes[some.clusters == 0] == pytest.approx(sample.sizes[sample.clusters == 3])


def test_quantiles_know_weights() -> None:
    d, w = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0])
    assert quantile(d, w, np.array([0.125, 0.5, 0.875])).tolist() == [1.0, 2.0, 3.0]
