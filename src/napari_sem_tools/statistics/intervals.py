"""95 % intervals that hold for particles of the same image being alike.

One image at a time is left out (the jackknife), or whole images are drawn with all their
particles (the bootstrap).  Drawing images and then particles within them, both with
replacement, counts the scatter within images twice and is not offered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.moments import kish, quantile_of_sorted
from napari_sem_tools.statistics.sample import Floats, Ints, Sample

__all__ = ["CONFIDENCE", "bootstrap_interval", "jackknife_intervals", "relative_error", "student"]

CONFIDENCE = 0.95

Interval = tuple[float, float]
Statistic = Callable[[Floats, Floats], float]

_SEVERAL = "delete-one-image jackknife on ln, Student's t; quantiles: Woodruff"
_ONE = "within this image: delete-one-particle jackknife, Student's t"
_MEANS = (("d_1_0", 1, 0), ("d_3_2", 3, 2), ("d_4_3", 4, 3))
_QUANTILES = (("median", 0.5), ("d10", 0.1), ("d50", 0.5), ("d90", 0.9))
_UNKNOWN = math.log(100)  # half interval of ln SD that says nothing of the SD
_OF_MEANS = {"mean", "d_1_0", "d_3_2", "d_4_3"}
ALL_NAMES = (
    "mean", "d_1_0", "d_3_2", "d_4_3", "median", "d10", "d50", "d90", "sd", "gsd", "span",
)  # fmt: skip
"""Statistics that have an interval, in order."""

_EQUAL = 1e-18  # relative variance below which all sizes are the same but for rounding


def student(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Return Student's t of a two-sided interval.

    Examples
    --------
    >>> round(student(19), 3), round(student(math.inf), 3)
    (2.093, 1.96)
    """
    from scipy.special import ndtri, stdtrit

    level = (1 + confidence) / 2
    return float(ndtri(level) if math.isinf(freedom) else stdtrit(freedom, level))


def jackknife_intervals(
    sample: Sample,
    power: int = 0,
    *,
    d90_given: bool = True,
    names: Collection[str] | None = None,
) -> tuple[dict[str, Interval], str]:
    """Return 95 % intervals of means, widths and quantiles, and the method in words.

    Parameters
    ----------
    sample : Sample
        One image: one particle at a time is left out, and the interval says nothing of
        how images differ.
    power : int
        Of the diameter that particles are counted with.
    d90_given : bool
        False: no interval of D90 and of the span.
    names : collection of str, optional
        Work out these alone.

    Returns
    -------
    (dict, str)
        Names as in `Summary`; empty with less than two particles.

    Notes
    -----
    In simulation (``benchmarks/intervals.py``) the intervals of the mean, of quantiles and
    of the span hold their level within 1.5 %.  That of the GSD is too short where images
    differ much: the variance between images then rests on as many values as there are
    images.  Those of the SD, of D[3,2] and D[4,3] are too short for a few hundred
    particles, as these rest on the few largest.

    References
    ----------
    B. Efron, "The jackknife, the bootstrap and other resampling plans", 1982.
    R. S. Woodruff, J. Am. Stat. Assoc. 47 (1952) 635.
    """
    sample = sample.ascending()
    several = sample.n_images > 1
    m = sample.n_images if several else sample.n
    clusters = sample.clusters if several else np.arange(sample.n)
    if m < 2:
        return {}, ""
    t = student(m - 1)
    weights = sample.weighted(power)
    wanted = set(ALL_NAMES if names is None else names)
    if not d90_given:
        wanted -= {"d90", "span"}
    found = _means(sample, power, clusters, m, t) if wanted & _OF_MEANS else {}
    for name, share in _QUANTILES:
        if name in wanted:
            found[name] = _woodruff(sample.sizes, weights, share, clusters, t)
    if wanted & {"sd", "gsd"}:
        found |= _widths(sample.sizes, weights, clusters, m, t)
    if "span" in wanted and several:
        found |= _span(sample, weights, t)
    given = {name: found[name] for name in ALL_NAMES if name in wanted & found.keys()}
    return given, _SEVERAL if several else _ONE


def _means(sample: Sample, power: int, clusters: Ints, m: int, t: float) -> dict[str, Interval]:
    """Return the intervals of ratios of moments, by the jackknife on their logarithm."""
    unit = sample.sizes.max()
    relative = sample.sizes / unit
    powers = sorted({0, 1, 2, 3, 4, power, power + 1})
    sums = {p: _by_cluster(clusters, sample.weights * relative**p, m) for p in powers}
    found = {}
    for name, p, q in (("mean", power + 1, power), *_MEANS):
        estimate = math.log(sums[p].sum() / sums[q].sum())
        left = np.log(without_each(sums[p]) / without_each(sums[q]))
        error = t * _jackknife_se(left, estimate)
        ends = np.exp([estimate - error, estimate + error]) * unit
        found[name] = (float(ends[0]), float(ends[1]))
    return found


def relative_error(sample: Sample, power: int = 0) -> float:
    """Return the relative standard error of the mean, from leaving out one image at a time.

    It holds the scatter of the particles and that between images.  With one image one
    particle at a time is left out.  NaN with less than two particles.
    """
    several = sample.n_images > 1
    m = sample.n_images if several else sample.n
    if m < 2:
        return math.nan
    clusters = sample.clusters if several else np.arange(sample.n)
    relative = sample.sizes / sample.sizes.max()
    over = _by_cluster(clusters, sample.weights * relative ** (power + 1), m)
    under = _by_cluster(clusters, sample.weights * relative**power, m)
    left = np.log(without_each(over) / without_each(under))
    return _jackknife_se(left, np.log(over.sum() / under.sum()))


def bootstrap_interval(
    sample: Sample, statistic: Statistic, *, repeats: int = 999, seed: int = 0
) -> Interval:
    """Return the 95 % interval of any statistic above 0 by drawing whole images.

    Images are drawn with replacement, each with all its particles; the interval is the
    estimate times exp(± t √(m/(m - 1)) SD*), with the SD* of the logarithm.

    Parameters
    ----------
    sample : Sample
        Of two images or more.
    statistic : callable
        ``statistic(sizes, weights)`` with ascending sizes.
    repeats, seed : int

    Returns
    -------
    (float, float)

    Raises
    ------
    InvalidSettings
        There is a single image.

    References
    ----------
    A. C. Davison, D. V. Hinkley, "Bootstrap methods and their application", 1997,
    section 3.8, strategy 1.  The scale and t are ours: percentiles are too narrow.

    Examples
    --------
    >>> sizes = Sample.of(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0, 0, 1, 1]))
    >>> low, high = bootstrap_interval(sizes, lambda d, w: float(d @ w / w.sum()))
    >>> low < 2 < high
    True
    """
    m = sample.n_images
    if m < 2:
        raise InvalidSettings(
            "Images can be drawn only where there are two or more.",
            hint="Measure further images of the sample.",
        )
    sample = sample.ascending()
    sizes, weights, clusters = sample.sizes, sample.weights, sample.clusters
    drawn = np.random.default_rng(seed).multinomial(m, np.full(m, 1 / m), repeats)
    values = np.empty(repeats)
    for i, times in enumerate(drawn):
        counted = times[clusters]
        here = counted > 0
        values[i] = statistic(sizes[here], (weights * counted)[here])
    estimate = statistic(sizes, weights)
    error = student(m - 1) * math.sqrt(m / (m - 1)) * float(np.std(np.log(values), ddof=1))
    return estimate * math.exp(-error), estimate * math.exp(error)


def without_each(parts: Floats) -> Floats:
    """Sum all parts but one, for each of them.

    Adding both sides keeps the digits that a subtraction from the total loses where one
    part is nearly all of it.
    """
    before, after = np.zeros(len(parts)), np.zeros(len(parts))
    before[1:] = np.cumsum(parts)[:-1]
    after[:-1] = np.cumsum(parts[:0:-1])[::-1]
    return before + after


def _by_cluster(clusters: Ints, values: Floats, m: int) -> Floats:
    """Sum values by image."""
    return np.bincount(clusters, values, m).astype(np.float64)


def _jackknife_se(left: Floats, estimate: float) -> float:
    """Return the standard error from the estimates that leave out one each."""
    m = len(left)
    return math.sqrt((m - 1) / m * float(np.sum((left - estimate) ** 2)))


def _woodruff(sizes: Floats, weights: Floats, share: float, clusters: Ints, t: float) -> Interval:
    """Return Woodruff's interval of a quantile of ascending sizes; beyond all of them NaN."""
    m = int(clusters.max()) + 1
    size = quantile_of_sorted(sizes, weights, share)
    below = weights * ((sizes < size) + 0.5 * (sizes == size))
    part, whole = _by_cluster(clusters, below, m), _by_cluster(clusters, weights, m)
    left = without_each(part) / without_each(whole)
    error = t * _jackknife_se(left, part.sum() / whole.sum())
    shares = np.array([share - error, share + error])
    ends = quantile_of_sorted(sizes, weights, np.clip(shares, 0, 1))
    low, high = np.where((shares > 0) & (shares < 1), ends, np.nan)
    return float(low), float(high)


def _widths(
    sizes: Floats, weights: Floats, clusters: Ints, m: int, t: float
) -> dict[str, Interval]:
    """Return the intervals of SD and GSD, by the jackknife on the logarithm of the SD."""
    found = {}
    unit = sizes.max()
    for name, values in (("sd", sizes / unit), ("gsd", np.log(sizes))):
        centred = values - weights @ values / weights.sum()
        moments = [
            _by_cluster(clusters, part, m)
            for part in (weights, weights * centred, weights * centred**2, weights**2)
        ]
        variance = _variance(*(part.sum() for part in moments))
        left = np.asarray(_variance(*(without_each(part) for part in moments)))
        if not (variance > _EQUAL and (left > _EQUAL).all()):
            continue
        error = t * _jackknife_se(0.5 * np.log(left), 0.5 * math.log(variance))
        if error > _UNKNOWN:
            continue
        ends = math.sqrt(variance) * np.exp([-error, error])
        low, high = np.exp(ends) if name == "gsd" else unit * ends
        found[name] = (float(low), float(high))
    return found


def _variance(w: Floats, wx: Floats, wxx: Floats, ww: Floats) -> Floats:
    """Return weighted variances from sums of w, w·x, w·x² and w²; NaN of one particle."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((wxx / w - (wx / w) ** 2) / (1 - ww / w**2))


def _span(sample: Sample, weights: Floats, t: float) -> dict[str, Interval]:
    """Return the interval of (D90 - D10)/D50 of ascending sizes, one image left out at a time."""
    sizes, clusters = sample.sizes, sample.clusters

    def span(keep: NDArray[np.bool_]) -> float:
        d10, d50, d90 = quantile_of_sorted(sizes[keep], weights[keep], np.array([0.1, 0.5, 0.9]))
        return float((d90 - d10) / d50)

    estimate = span(clusters >= 0)
    left = np.array([span(clusters != image) for image in range(sample.n_images)])
    if not (estimate > 0 and (left > 0).all()):
        return {}
    error = t * _jackknife_se(np.log(left), math.log(estimate))
    return {"span": (estimate * math.exp(-error), estimate * math.exp(error))}


def effective_images(sample: Sample) -> float:
    """Return the effective number of images: few where one holds most of the particles."""
    return kish(_by_cluster(sample.clusters, sample.weights, sample.n_images))
