"""95 % intervals that hold for particles of the same image being alike.

One image at a time is left out (the jackknife), or whole images are drawn with all their
particles (the bootstrap).  Drawing images and then particles within them, both with
replacement, counts the scatter within images twice and is not offered.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.moments import kish, quantile, quantile_of_sorted
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
    sample: Sample, power: int = 0, *, d90_given: bool = True
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

    Returns
    -------
    (dict, str)
        Names as in `Summary`; empty with less than two particles.

    Notes
    -----
    In simulation (``benchmarks/intervals.py``) the intervals of the mean and of D50 hold
    their level within 1.5 %.  That of the GSD is too short where images differ much: the
    variance between images then rests on as many values as there are images.

    References
    ----------
    B. Efron, "The jackknife, the bootstrap and other resampling plans", 1982.
    R. S. Woodruff, J. Am. Stat. Assoc. 47 (1952) 635.
    """
    if sample.n_images > 1:
        m, method, clusters = sample.n_images, _SEVERAL, sample.clusters
    else:
        m, method, clusters = sample.n, _ONE, np.arange(sample.n)
    if m < 2:
        return {}, ""
    t = student(m - 1)
    relative = sample.sizes / sample.sizes.max()
    powers = sorted({0, 1, 2, 3, 4, power, power + 1})
    sums = {p: _by_cluster(clusters, sample.weights * relative**p, m) for p in powers}
    found = {}
    for name, p, q in (("mean", power + 1, power), *_MEANS):
        left = np.log(without_each(sums[p]) / without_each(sums[q]))
        error = t * _jackknife_se(left, np.log(sums[p].sum() / sums[q].sum()))
        estimate = np.log(sums[p].sum() / sums[q].sum())
        ends = np.exp([estimate - error, estimate + error]) * sample.sizes.max()
        found[name] = (float(ends[0]), float(ends[1]))
    weights = sample.weights * relative**power
    for name, share in _QUANTILES:
        if name != "d90" or d90_given:
            found[name] = _woodruff(sample.sizes, weights, share, clusters, t)
    found |= _widths(sample.sizes, weights, clusters, m, t)
    if d90_given and sample.n_images > 1:
        found |= _span(sample, weights, t)
    return found, method


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
    order = np.argsort(sample.sizes, kind="stable")
    sizes, weights, clusters = sample.sizes[order], sample.weights[order], sample.clusters[order]
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
    """Return Woodruff's interval of a quantile; an end beyond all particles is NaN."""
    m = int(clusters.max()) + 1
    size = quantile(sizes, weights, share)
    below = weights * ((sizes < size) + 0.5 * (sizes == size))
    part, whole = _by_cluster(clusters, below, m), _by_cluster(clusters, weights, m)
    left = without_each(part) / without_each(whole)
    error = t * _jackknife_se(left, part.sum() / whole.sum())
    shares = np.array([share - error, share + error])
    ends = quantile(sizes, weights, np.clip(shares, 0, 1))
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
    """Return the interval of (D90 - D10)/D50, leaving out one image at a time."""
    order = np.argsort(sample.sizes, kind="stable")
    sizes, weights, clusters = sample.sizes[order], weights[order], sample.clusters[order]

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
