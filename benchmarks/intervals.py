"""Whether intervals cover, edge weights remove the bias, and the test of fit keeps its level.

    OMP_NUM_THREADS=1 python benchmarks/intervals.py [--repeats 4000] [--only coverage]

Everything is drawn from known distributions and judged by the functions that users call.

coverage
    20 images of 25 particles on average, lognormal, total GSD 1.5, of which a shift
    between images with an SD of 0, 0.1 or 0.2 in ln d; "over": numbers per image
    over-dispersed (gamma-Poisson, shape 4), shift 0.1.  Target: intervals of mean and D50
    hold the truth in 95 % ± 1.5 %.
edge
    Ellipses at random places and angles in a field of 512 x 384 px.  Target: bias of mean,
    D50 and D90 below 0.5 % with weights, for mean sizes of 0.1 to 0.2 of the field's height,
    where leaving out cut particles alone costs the mean more than 3 %.
level
    Lognormal samples, tested for being lognormal.  Target: 5 % are rejected.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from napari_sem_tools.statistics import (
    Sample,
    bootstrap_interval,
    counting_frame,
    edge_weights,
    fraction_below,
    goodness_of_fit,
    jackknife_intervals,
    moment_mean,
    quantile,
)

SIGMA = math.log(1.5)
N_IMAGES, PER_IMAGE = 20, 25
SCENARIOS = {
    "shift 0": (0.0, math.inf),
    "shift 0.1": (0.1, math.inf),
    "shift 0.2": (0.2, math.inf),
    "over": (0.1, 4.0),
}
TRUTH = {
    "mean": math.exp(SIGMA**2 / 2),
    "d50": 1.0,
    "d10": math.exp(-1.2815515655446004 * SIGMA),
    "d90": math.exp(1.2815515655446004 * SIGMA),
    "d_3_2": math.exp(2.5 * SIGMA**2),
    "span": 2 * math.sinh(1.2815515655446004 * SIGMA),
    "gsd": 1.5,
    "sd": math.exp(SIGMA**2 / 2) * math.sqrt(math.expm1(SIGMA**2)),
    "fraction": 0.5,
}
JUDGED = ("mean", "d50")
COVERAGE_TARGET = (0.935, 0.965)

FIELD = (384, 512)
EDGE_CASES = [(q, part) for q in (1.0, 2.0) for part in (0.10, 0.15, 0.20)]
EDGE_TARGET, EDGE_START = 0.5, 3.0  # % of bias with weights, and without

LEVEL_SIZES = (50, 200, 500)
LEVEL = 0.05


def sample_of_images(rng: np.random.Generator, shift: float, shape: float) -> Sample:
    """Draw the particles of 20 images."""
    rate = np.full(N_IMAGES, float(PER_IMAGE))
    if math.isfinite(shape):
        rate = rng.gamma(shape, PER_IMAGE / shape, N_IMAGES)
    images = np.repeat(np.arange(N_IMAGES), np.maximum(rng.poisson(rate), 1))
    moved = rng.normal(0, shift, N_IMAGES)[images] if shift else 0.0
    within = math.sqrt(SIGMA**2 - shift**2)
    return Sample.of(np.exp(moved + rng.normal(0, within, len(images))), images)


def jackknife(sample: Sample) -> dict[str, tuple[float, float]]:
    """Return the intervals of a summary, and that of the share below the true median."""
    below = fraction_below(sample, 1.0)
    return jackknife_intervals(sample)[0] | {"fraction": (below.low, below.high)}


def bootstrap(sample: Sample) -> dict[str, tuple[float, float]]:
    """Return the bootstrap intervals of mean and D50."""
    return {
        "mean": bootstrap_interval(sample, lambda d, w: float(d @ w / w.sum())),
        "d50": bootstrap_interval(sample, lambda d, w: float(quantile(d, w, 0.5))),
    }


Intervals = Callable[[Sample], dict[str, tuple[float, float]]]


def coverage(
    scenario: str, repeats: int, intervals: Intervals = jackknife, seed: int = 20260101
) -> dict[str, float]:
    """Return how often intervals hold the truth."""
    shift, shape = SCENARIOS[scenario]
    rng = np.random.default_rng([seed, list(SCENARIOS).index(scenario)])
    hits: dict[str, int] = {}
    for _ in range(repeats):
        found = intervals(sample_of_images(rng, shift, shape))
        for name in TRUTH.keys() & found.keys():
            low, high = found[name]
            hits[name] = hits.get(name, 0) + (low <= TRUTH[name] <= high)
    return {name: hits[name] / repeats for name in TRUTH if name in hits}


def whole_ellipses(
    rng: np.random.Generator, draws: int, q: float, part: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw ellipses all over a field; return all sizes, and size, height, width of the whole.

    Sizes are lognormal with GSD 1.5; their mean is a part of the field's height.
    """
    mean = part * FIELD[0]
    size = mean * np.exp(rng.normal(-(SIGMA**2) / 2, SIGMA, draws))
    a, b = size * math.sqrt(q) / 2, size / math.sqrt(q) / 2
    angle = rng.uniform(0, np.pi, draws)
    reach = np.stack(
        [
            np.hypot(a * np.sin(angle), b * np.cos(angle)),
            np.hypot(a * np.cos(angle), b * np.sin(angle)),
        ]
    )
    centre = rng.uniform(-0.5, np.array(FIELD)[:, None] - 0.5, (2, draws))
    first, last = np.ceil(centre - reach), np.floor(centre + reach)
    whole = ((first >= 1) & (last <= np.array(FIELD)[:, None] - 2) & (first <= last)).all(axis=0)
    height, width = (last - first + 1)[:, whole].astype(np.int64)
    return size, size[whole], height, width


def edge_bias(
    q: float, part: float, draws: int, seed: int = 20260101
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the bias in % of the whole particles alone, and with their weights."""
    rng = np.random.default_rng([seed, int(10 * q), int(100 * part)])
    parts = [whole_ellipses(rng, count, q, part) for count in _pieces(draws)]
    truth, size, height, width = (np.concatenate(column) for column in zip(*parts, strict=True))
    weights = edge_weights(counting_frame(FIELD, 1), height, width)
    ones, all_ones = np.ones(len(size)), np.ones(len(truth))
    known = _numbers(truth, all_ones)
    plain, weighted = _numbers(size, ones), _numbers(size, weights)
    return (
        {name: 100 * (plain[name] / known[name] - 1) for name in known},
        {name: 100 * (weighted[name] / known[name] - 1) for name in known},
    )


def _pieces(draws: int, at_once: int = 500_000) -> Iterator[int]:
    """Split a number of draws."""
    for start in range(0, draws, at_once):
        yield min(at_once, draws - start)


def _numbers(size: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Return mean, D50, D90 and D[4,3]."""
    d50, d90 = quantile(size, weights, np.array([0.5, 0.9]))
    return {
        "mean": moment_mean(size, 1, 0, weights),
        "d50": float(d50),
        "d90": float(d90),
        "d_4_3": moment_mean(size, 4, 3, weights),
    }


def level(
    n: int, repeats: int, *, statistic: str = "anderson-darling", family: str = "lognormal",
    draw: Callable[[np.random.Generator, int], np.ndarray] | None = None, seed: int = 20260101,
) -> float:  # fmt: skip
    """Return the share of samples for which a family is rejected; lognormal ones by default."""
    rng = np.random.default_rng([seed, n])
    draw = draw or (lambda random, size: np.exp(random.normal(3.0, SIGMA, size)))
    rejected = 0
    for _ in range(repeats):
        found = goodness_of_fit(
            Sample.of(draw(rng, n)), family, statistic=statistic, repeats=9999, seed=1
        )
        rejected += found.p_value <= LEVEL
    return rejected / repeats


def level_with_edge_weights(n: int, repeats: int, part: float, seed: int = 20260101) -> float:
    """Return the share of lognormals rejected when only whole particles are seen, weighted."""
    rng = np.random.default_rng([seed, n])
    _, size, height, width = whole_ellipses(rng, 1_000_000, 1.0, part)
    weights = edge_weights(counting_frame(FIELD, 1), height, width)
    rejected = 0
    for _ in range(repeats):
        some = rng.choice(len(size), n, replace=False)
        sample = Sample.of(size[some], weights=weights[some])
        rejected += goodness_of_fit(sample, repeats=9999, seed=1).p_value <= LEVEL
    return rejected / repeats


def report_coverage(repeats: int) -> bool:
    """Print the coverage of every interval; True when the judged ones hold their level."""
    print(f"\nCoverage of nominal 95 % intervals in %, {repeats} repetitions "
          f"(standard error {100 * math.sqrt(0.95 * 0.05 / repeats):.2f})")  # fmt: skip
    names = list(TRUTH)
    print(f"{'delete-one-image':22}" + "".join(f"{name:>9}" for name in names))
    good = True
    for scenario in SCENARIOS:
        found = coverage(scenario, repeats)
        print(f"{scenario:22}" + "".join(f"{100 * found[name]:9.1f}" for name in names))
        good &= all(COVERAGE_TARGET[0] <= found[n] <= COVERAGE_TARGET[1] for n in JUDGED)
    print("mean and d50 within 93.5 to 96.5 in all four:", "yes" if good else "NO")
    return good


def report_bootstrap(repeats: int) -> bool:
    """Print the coverage of the bootstrap over images; True when it holds its level."""
    print(f"\nBootstrap over images, 999 draws, {repeats} repetitions "
          f"(standard error {100 * math.sqrt(0.95 * 0.05 / repeats):.2f})")  # fmt: skip
    good = True
    for scenario in SCENARIOS:
        found = coverage(scenario, repeats, bootstrap)
        print(f"{scenario:22}" + "".join(f"{n:>6} {100 * found[n]:5.1f}" for n in found))
        good &= all(COVERAGE_TARGET[0] <= found[n] <= COVERAGE_TARGET[1] for n in JUDGED)
    return good


def report_edge(draws: int) -> bool:
    """Print the bias with and without weights; True when the target is met."""
    print(f"\nBias in % in a field of {FIELD[1]} x {FIELD[0]} px, GSD 1.5, {draws} draws a row")
    print(f"{'q':>4} {'d/H':>5}   {'whole ones only':32}   with weights")
    good = True
    for q, part in EDGE_CASES:
        plain, weighted = edge_bias(q, part, draws)
        row = "".join(f"{name} {value:+6.2f} " for name, value in plain.items())
        print(f"{q:4} {part:5}   {row}  " + "".join(f"{v:+6.2f} " for v in weighted.values()))
        corrected = max(abs(weighted[name]) for name in ("mean", "d50", "d90"))
        good &= abs(plain["mean"]) > EDGE_START and corrected < EDGE_TARGET
    print("mean, d50, d90 below 0.5 with weights, mean above 3 without:", "yes" if good else "NO")
    return good


def report_level(repeats: int) -> bool:
    """Print how often true lognormals are rejected; True within three standard errors of 5 %."""
    error = math.sqrt(LEVEL * (1 - LEVEL) / repeats)
    print(f"\nTrue lognormals rejected at 5 %, in %, {repeats} tests "
          f"(standard error {100 * error:.2f})")  # fmt: skip
    good = True
    for statistic in ("anderson-darling", "kolmogorov-smirnov"):
        found = [level(n, repeats, statistic=statistic) for n in LEVEL_SIZES]
        line = "".join(
            f"  n = {n}: {100 * v:4.1f}" for n, v in zip(LEVEL_SIZES, found, strict=True)
        )
        print(f"{statistic:20}{line}")
        good &= all(abs(value - LEVEL) < 3 * error + 0.002 for value in found)
    print("within three standard errors of 5 %:", "yes" if good else "NO")
    for part in (0.1, 0.2):
        found = [level_with_edge_weights(n, repeats // 4, part) for n in (200, 500)]
        line = "".join(f"  n = {n}: {100 * v:4.1f}" for n, v in zip((200, 500), found, strict=True))
        print(f"anderson-darling with edge weights, d/H {part}{line}  (not judged)")
    return good


def main() -> int:
    """Run the parts that are asked for and say which targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=4000)
    parser.add_argument("--draws", type=int, default=4_000_000, help="ellipses a row")
    parser.add_argument("--only", choices=("coverage", "bootstrap", "edge", "level"))
    options = parser.parse_args()
    parts: dict[str, Callable[[], bool]] = {
        "coverage": lambda: report_coverage(options.repeats),
        "bootstrap": lambda: report_bootstrap(max(options.repeats // 4, 1)),
        "edge": lambda: report_edge(options.draws),
        "level": lambda: report_level(options.repeats),
    }
    begin = time.process_time()
    chosen = [options.only] if options.only else list(parts)
    met = [parts[name]() for name in chosen]
    print(f"\n{time.process_time() - begin:.0f} s CPU")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
