"""Intervals cover, edge weights remove the bias, the test keeps its level: reduced simulation.

The full one is ``benchmarks/intervals.py``, which prints the figures of the documentation.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from napari_sem_tools.statistics import Sample, jackknife_intervals

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "intervals.py"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("intervals_benchmark", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def three_errors(share: float, repeats: int) -> float:
    return 3 * math.sqrt(share * (1 - share) / repeats)


@pytest.mark.parametrize("scenario", ["shift 0", "shift 0.1", "shift 0.2", "over"])
def test_intervals_of_mean_and_d50_hold_their_level(simulation: ModuleType, scenario: str) -> None:
    found = simulation.coverage(scenario, 1000)
    for name in ("mean", "d50", "d90", "span"):
        assert found[name] == pytest.approx(0.95, abs=0.015 + three_errors(0.95, 1000)), name


@pytest.mark.parametrize("scenario", ["shift 0.2", "over"])
def test_the_interval_of_a_share_holds_its_level_and_is_not_much_wider(
    simulation: ModuleType, scenario: str
) -> None:
    assert 0.93 < simulation.coverage(scenario, 1000)["fraction"] < 0.985


def test_particles_taken_as_independent_do_not_hold_the_level(simulation: ModuleType) -> None:
    def independent(sample: Sample) -> dict[str, tuple[float, float]]:
        return jackknife_intervals(Sample.of(sample.sizes))[0]

    assert simulation.coverage("shift 0.2", 300, independent)["mean"] < 0.65


def test_drawing_images_gives_the_same_level(simulation: ModuleType) -> None:
    found = simulation.coverage("shift 0.1", 200, simulation.bootstrap)
    for name in ("mean", "d50"):
        assert found[name] == pytest.approx(0.95, abs=0.015 + three_errors(0.95, 200)), name


@pytest.mark.parametrize("q", [1.0, 2.0])
@pytest.mark.parametrize("part", [0.10, 0.15, 0.20])
def test_edge_weights_remove_the_bias_of_whole_particles(
    simulation: ModuleType, q: float, part: float
) -> None:
    plain, weighted = simulation.edge_bias(q, part, 2_000_000)
    assert abs(plain["mean"]) > 3
    for name in ("mean", "d50", "d90"):
        assert abs(weighted[name]) < 0.5, name


@pytest.mark.parametrize("statistic", ["anderson-darling", "kolmogorov-smirnov"])
def test_true_lognormals_are_rejected_as_often_as_is_said(
    simulation: ModuleType, statistic: str
) -> None:
    for n in (50, 500):
        share = simulation.level(n, 1500, statistic=statistic)
        assert share == pytest.approx(0.05, abs=three_errors(0.05, 1500)), n


@pytest.mark.parametrize("family", ["Weibull", "gamma", "normal"])
def test_other_true_families_are_rejected_as_often_as_is_said(
    simulation: ModuleType, family: str
) -> None:
    draw = {
        "Weibull": lambda rng, n: 50 * rng.weibull(3.0, n),
        "gamma": lambda rng, n: rng.gamma(6.3, 8.0, n),
        "normal": lambda rng, n: rng.normal(50, 8, n),
    }[family]
    repeats = 200 if family == "gamma" else 1000  # gamma draws a null of its own each time
    if family == "gamma":
        found = np.mean([gamma_rejected(draw, seed) for seed in range(repeats)])
    else:
        found = simulation.level(100, repeats, family=family, draw=draw)
    assert found == pytest.approx(0.05, abs=three_errors(0.05, repeats) + 0.005)


def gamma_rejected(draw, seed: int) -> bool:
    from napari_sem_tools.statistics import goodness_of_fit

    sizes = draw(np.random.default_rng(seed), 100)
    return goodness_of_fit(Sample.of(sizes), "gamma", repeats=199, seed=seed).p_value <= 0.05


def test_the_test_sees_what_is_not_lognormal(simulation: ModuleType) -> None:
    """Power at n = 500 against a gamma of the same width: 82 % in the literature of our own."""
    power = simulation.level(500, 300, draw=lambda rng, n: rng.gamma(6.3, 8.0, n))
    assert 0.7 < power < 0.92
