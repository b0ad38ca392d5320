"""Fits are those of maximum likelihood, and tests know that parameters were estimated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics import (
    Sample,
    fit_distributions,
    fit_mixture,
    goodness_of_fit,
)

FROZEN = {
    "normal": lambda p: stats.norm(p["mean"], p["sd"]),
    "lognormal": lambda p: stats.lognorm(p["sigma"], scale=math.exp(p["mu"])),
    "Weibull": lambda p: stats.weibull_min(p["shape"], scale=p["scale"]),
    "gamma": lambda p: stats.gamma(p["shape"], scale=p["scale"]),
}


def sizes_of(seed: int = 5, n: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).gamma(6.3, 8.0, n)


def by_name(sample: Sample) -> dict:
    return {fit.family: fit for fit in fit_distributions(sample)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fits_are_those_of_scipy(seed: int) -> None:
    d = sizes_of(seed)
    fits = by_name(Sample.of(d))
    k, _, scale = stats.gamma.fit(d, floc=0)
    assert list(fits["gamma"].parameters.values()) == pytest.approx([k, scale], rel=1e-6)
    k, _, scale = stats.weibull_min.fit(d, floc=0)
    assert list(fits["Weibull"].parameters.values()) == pytest.approx([k, scale], rel=1e-3)
    sigma, _, scale = stats.lognorm.fit(d, floc=0)
    assert fits["lognormal"].parameters["sigma"] == pytest.approx(sigma, rel=1e-4)
    assert math.exp(fits["lognormal"].parameters["mu"]) == pytest.approx(scale, rel=1e-4)
    assert list(fits["normal"].parameters.values()) == pytest.approx(stats.norm.fit(d))


@pytest.mark.parametrize("family", list(FROZEN))
def test_likelihood_density_and_distribution_are_those_of_scipy(family: str) -> None:
    d = sizes_of()
    fit = by_name(Sample.of(d))[family]
    truth = FROZEN[family](fit.parameters)
    assert fit.log_likelihood == pytest.approx(truth.logpdf(d).sum(), rel=1e-9)
    assert fit.aic == pytest.approx(4 - 2 * fit.log_likelihood)
    assert fit.bic == pytest.approx(2 * math.log(len(d)) - 2 * fit.log_likelihood)
    x = np.linspace(5, 200, 40)
    assert fit.density(x) == pytest.approx(truth.pdf(x), rel=1e-8)
    assert fit.below(x) == pytest.approx(truth.cdf(x), rel=1e-8)


@pytest.mark.parametrize("family", list(FROZEN))
@given(factor=st.floats(0.2, 5.0), at=st.sampled_from([0, 1]))
def test_no_other_parameters_are_more_likely(family: str, factor: float, at: int) -> None:
    d = sizes_of(7, 60)
    fit = by_name(Sample.of(d))[family]
    moved = dict(fit.parameters)
    moved[list(moved)[at]] *= factor
    assert FROZEN[family](moved).logpdf(d).sum() <= fit.log_likelihood + 1e-9


def test_the_best_fit_comes_first_and_weights_add_up_to_one() -> None:
    fits = fit_distributions(Sample.of(sizes_of(n=2000)))
    assert fits[0].family == "gamma" and fits[0].delta_aic == 0
    assert sum(fit.akaike_weight for fit in fits) == pytest.approx(1)
    assert [fit.aic for fit in fits] == sorted(fit.aic for fit in fits)


def test_a_particle_of_double_weight_counts_twice() -> None:
    d = sizes_of(n=40)
    weights = np.where(np.arange(40) % 3, 1.0, 2.0)
    twice = Sample.of(np.repeat(d, weights.astype(int)))
    one, two = by_name(Sample.of(d, weights=weights)), by_name(twice)
    for family in FROZEN:
        assert one[family].parameters == pytest.approx(two[family].parameters, rel=1e-8)
    value = [
        goodness_of_fit(s, "gamma", repeats=99).value
        for s in (Sample.of(d, weights=weights), twice)
    ]
    kish = weights.sum() ** 2 / (weights**2).sum()
    assert value[0] / kish == pytest.approx(value[1] / weights.sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("anderson-darling", "ad"), ("kolmogorov-smirnov", "ks")]
)
def test_statistic_and_p_value_are_those_of_scipy(ours: str, theirs: str) -> None:
    d = np.exp(np.random.default_rng(2).gamma(9.0, 0.1, 150))
    found = goodness_of_fit(Sample.of(d), statistic=ours, repeats=1999)
    rng = np.random.default_rng(0)
    truth = stats.goodness_of_fit(
        stats.norm, np.log(d), statistic=theirs, n_mc_samples=999, rng=rng
    )
    scale = math.sqrt(150) if theirs == "ks" else 1.0
    assert found.value == pytest.approx(truth.statistic * scale, rel=0.02)  # SD by n, not n - 1
    assert found.p_value == pytest.approx(truth.pvalue, abs=0.03)


def test_critical_values_are_those_known_for_estimated_parameters() -> None:
    """Lilliefors and Stephens: 0.889 to 0.896 for D√n, 0.74 to 0.78 for A² (5 %)."""
    from napari_sem_tools.statistics.fits import _null

    for n in (50, 200, 500):
        d = np.quantile(_null("lognormal", "kolmogorov-smirnov", n, 4000, 0, (0.0, 1.0)), 0.95)
        a = np.quantile(_null("lognormal", "anderson-darling", n, 4000, 0, (0.0, 1.0)), 0.95)
        assert 0.86 < d < 0.92 and 0.70 < a < 0.80


def test_the_result_of_a_test_does_not_change_from_run_to_run() -> None:
    sample = Sample.of(sizes_of())
    assert goodness_of_fit(sample, "gamma") == goodness_of_fit(sample, "gamma")
    assert "not rejected" in goodness_of_fit(sample, "gamma").text
    assert "is rejected" in goodness_of_fit(sample, "normal").text


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="too few"):
        fit_distributions(Sample.of(np.array([1.0, 2.0])))
    with pytest.raises(InvalidSettings, match="All sizes are the same"):
        goodness_of_fit(Sample.of(np.full(20, 7.0)))
    with pytest.raises(InvalidSettings, match="no distribution cauchy"):
        goodness_of_fit(Sample.of(sizes_of()), "cauchy")
    with pytest.raises(InvalidSettings, match="no statistic"):
        goodness_of_fit(Sample.of(sizes_of()), statistic="chi2")  # type: ignore[arg-type]
    with pytest.raises(InvalidSettings, match="one component"):
        fit_mixture(Sample.of(sizes_of()), max_components=0)


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_a_mixture_finds_as_many_populations_as_there_are(n_components: int) -> None:
    rng = np.random.default_rng(11)
    medians, counts = (15.0, 40.0, 120.0)[:n_components], (300, 200, 100)[:n_components]
    parts = [m * np.exp(rng.normal(0, 0.12, n)) for m, n in zip(medians, counts, strict=True)]
    found = fit_mixture(Sample.of(np.concatenate(parts)))
    assert found.n_components == n_components
    assert found.medians == pytest.approx(medians, rel=0.03)
    assert found.shares == pytest.approx(np.array(counts) / sum(counts), abs=0.02)
    assert found.gsds == pytest.approx([math.exp(0.12)] * n_components, rel=0.03)
    assert found.tried[n_components] == min(found.tried.values()) == found.bic


def test_one_lognormal_as_a_mixture_is_the_lognormal_fit() -> None:
    sample = Sample.of(sizes_of())
    mixture, fit = fit_mixture(sample, max_components=1), by_name(sample)["lognormal"]
    assert mixture.log_likelihood == pytest.approx(fit.log_likelihood)
    assert mixture.bic == pytest.approx(fit.bic)
    x = np.linspace(10, 150, 20)
    assert mixture.density(x) == pytest.approx(fit.density(x), rel=1e-6)


def test_a_repeated_size_does_not_become_a_component_without_width() -> None:
    d = np.concatenate([np.full(40, 20.0), sizes_of(n=100)])
    assert min(fit_mixture(Sample.of(d)).gsds) >= math.exp(0.02) - 1e-12


def test_no_p_value_is_smaller_than_the_draws_can_tell() -> None:
    far_off = Sample.of(np.repeat([1.0, 1.1, 100.0, 110.0], 25))
    assert goodness_of_fit(far_off, repeats=99).p_value == pytest.approx(1 / 100)
