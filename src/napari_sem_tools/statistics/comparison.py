"""Whether two samples differ: images are exchanged between them, not particles."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.intervals import jackknife_intervals, student
from napari_sem_tools.statistics.moments import quantile
from napari_sem_tools.statistics.sample import Floats, Ints, Sample

__all__ = ["Comparison", "compare_samples"]

_STATISTICS = {"mean": math.nan, "d10": 0.1, "d50": 0.5, "d90": 0.9}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two samples beside each other.

    Attributes
    ----------
    statistic : str
    first, second : float
        Its value in each.
    ratio, low, high : float
        Second over first, with the 95 % interval; NaN where one sample has a single image.
    p_value : float
        Share of exchanges of images between the samples with a ratio as far from 1.
    exchanges : int
        Exchanges that were tried.
    exact : bool
        True: all that there are.
    """

    statistic: str
    first: float
    second: float
    ratio: float
    low: float
    high: float
    p_value: float
    exchanges: int
    exact: bool


def compare_samples(
    first: Sample, second: Sample, statistic: str = "d50", *, repeats: int = 4999, seed: int = 0
) -> Comparison:
    """Compare the size of two samples, with images as what was sampled.

    Parameters
    ----------
    first, second : Sample
        With three images or more together, one or more each.
    statistic : {"mean", "d10", "d50", "d90"}
    repeats : int
        Largest number of exchanges; all of them where there are fewer.
    seed : int

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidSettings
        An unknown statistic, different quantities, or too few images.

    Notes
    -----
    A Kolmogorov-Smirnov test on pooled particles sees that images differ, and calls two
    halves of one sample different.  With m and k images the smallest p value is one over
    the number of ways to choose m of m + k.

    References
    ----------
    A. C. Davison, D. V. Hinkley, "Bootstrap methods and their application", 1997, section
    4.3.  B. L. Welch, Biometrika 34 (1947) 28, for the degrees of freedom.

    Examples
    --------
    >>> sizes = np.arange(20.0, 60.0)
    >>> images = np.arange(40) % 4
    >>> found = compare_samples(Sample.of(sizes, images), Sample.of(2 * sizes, images))
    >>> found.ratio, found.exchanges, found.exact
    (2.0, 70, True)
    """
    if statistic not in _STATISTICS:
        raise InvalidSettings(
            f"There is no statistic {statistic} to compare by.",
            hint=f"Known: {', '.join(_STATISTICS)}.",
        )
    if (first.quantity, first.unit) != (second.quantity, second.unit):
        raise InvalidSettings(
            f"{first.quantity} and {second.quantity} are not the same quantity.",
            hint="Measure both samples in nm.",
        )
    m, k = first.n_images, second.n_images
    if not (m and k and m + k >= 3):
        raise InvalidSettings(
            f"{m} and {k} images are too few to compare.", hint="Take further images of both."
        )
    pooled = _pooled(first, second)
    values = _value(first, statistic), _value(second, statistic)
    observed = abs(math.log(values[1] / values[0]))
    chosen, exact = _exchanges(m, k, repeats, seed)
    found = np.array([_log_ratio(pooled, row, statistic) for row in chosen])
    as_far = int(np.count_nonzero(found >= observed - 1e-12))
    p = as_far / len(found) if exact else (1 + as_far) / (len(found) + 1)
    low, high = _interval(first, second, statistic, math.log(values[1] / values[0]))
    return Comparison(statistic, *values, values[1] / values[0], low, high, p, len(found), exact)


def _pooled(first: Sample, second: Sample) -> Sample:
    """Put the images of the second sample behind those of the first, sizes ascending."""
    both = Sample(
        np.concatenate([first.sizes, second.sizes]),
        np.concatenate([first.weights, second.weights]),
        np.concatenate([first.clusters, second.clusters + first.n_images]),
        first.n_images + second.n_images,
    )
    return both.ascending()


def _exchanges(m: int, k: int, repeats: int, seed: int) -> tuple[Ints, bool]:
    """Return which images go into the first sample, all choices or some at random."""
    if math.comb(m + k, m) <= repeats:
        return np.array(list(itertools.combinations(range(m + k), m)), np.int64), True
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random((repeats, m + k)), axis=1)
    return order[:, :m].astype(np.int64), False


def _log_ratio(pooled: Sample, chosen: Ints, statistic: str) -> float:
    """Return how far the two parts of an exchange are from each other, on ln."""
    inside = np.zeros(pooled.n_images, bool)
    inside[chosen] = True
    here = inside[pooled.clusters]
    if here.all() or not here.any():
        return math.inf
    one, two = (_of(pooled.sizes[part], pooled.weights[part], statistic) for part in (here, ~here))
    return abs(math.log(two / one))


def _value(sample: Sample, statistic: str) -> float:
    """Return the statistic of a sample."""
    return _of(sample.sizes, sample.weights, statistic)


def _of(sizes: Floats, weights: Floats, statistic: str) -> float:
    """Return a mean or a quantile."""
    if statistic == "mean":
        return float(weights @ sizes / weights.sum())
    return float(quantile(sizes, weights, _STATISTICS[statistic]))


def _interval(
    first: Sample, second: Sample, statistic: str, difference: float
) -> tuple[float, float]:
    """Return the interval of the ratio, by the jackknife of each and Welch's freedom."""
    if min(first.n_images, second.n_images) < 2:
        return math.nan, math.nan
    errors, freedoms = [], []
    for sample in (first, second):
        low, high = jackknife_intervals(sample, names=(statistic,))[0][statistic]
        freedoms.append(sample.n_images - 1)
        errors.append(math.log(high / low) / 2 / student(freedoms[-1]))
    squares = np.square(errors)
    scatter = float(np.sum(squares**2 / np.array(freedoms)))
    freedom = float(squares.sum()) ** 2 / scatter if scatter > 0 else math.inf
    half = student(freedom) * math.sqrt(float(squares.sum()))
    return math.exp(difference - half), math.exp(difference + half)
