"""How precise a result is, and how many more particles or images it would take."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.intervals import jackknife_intervals, relative_error, student
from napari_sem_tools.statistics.sample import Floats, Ints, Sample

__all__ = ["Precision", "PrecisionCurve", "particles_needed", "precision_curve", "precision_of"]

_QUANTILES = {
    "d10": (0.1, 0), "d50": (0.5, 0), "median": (0.5, 0), "d90": (0.9, 0),
    "volume_d10": (0.1, 3), "volume_d50": (0.5, 3), "volume_d90": (0.9, 3),
}  # fmt: skip
_MEANS = {"mean": (1, 0), "d_1_0": (1, 0), "d_3_2": (3, 2), "d_4_3": (4, 3)}
_TITLES = {
    "d10": "D10", "d50": "D50", "d90": "D90", "d_1_0": "D[1,0]", "d_3_2": "D[3,2]",
    "d_4_3": "D[4,3]", "sd": "SD", "gsd": "GSD",
}  # fmt: skip
_HARDLY = 2.0  # design effect from which on more particles in the same images hardly help
_MOST = 10_000_000  # images or particles that nobody will count


def particles_needed(
    statistic: str, gsd: float, *, relative: float = 0.05, design_effect: float = 1.0
) -> int:
    """Return how many particles give a relative half width of the 95 % interval.

    Parameters
    ----------
    statistic : str
        ``"mean"``, ``"d10"``, ``"d50"``, ``"d90"``, ``"d_3_2"``, ``"d_4_3"``,
        ``"volume_d10"``, ``"volume_d50"`` or ``"volume_d90"``.
    gsd : float
        Geometric standard deviation of a lognormal by number.
    relative : float
        Wanted half width over the value.
    design_effect : float
        Above 1 where particles of one image are alike.

    Returns
    -------
    int

    Raises
    ------
    InvalidSettings
        An unknown statistic, or numbers out of range.

    Notes
    -----
    Distribution-free estimators: the moments and order statistics themselves, not those
    of a fitted lognormal, which need fewer particles where it holds.

    References
    ----------
    H. Masuda, K. Iinoya, J. Chem. Eng. Japan 4 (1971) 60, and ISO 13322-1, annex, have the
    parametric case; `n = (u/δ)² V` with the asymptotic variances V of moment ratios and of
    weighted quantiles.

    Examples
    --------
    >>> particles_needed("mean", 1.5), particles_needed("volume_d90", 1.5)
    (275, 14019)
    """
    if not (gsd > 1 and relative > 0 and design_effect > 0):
        raise InvalidSettings(
            f"GSD {gsd}, relative {relative} and design effect {design_effect} do not fit.",
            hint="The GSD is above 1, the others above 0.",
        )
    sigma = math.log(gsd)
    if statistic in _MEANS:
        variance = _variance_of_mean(*_MEANS[statistic], sigma)
    elif statistic in _QUANTILES:
        variance = _variance_of_quantile(*_QUANTILES[statistic], sigma)
    else:
        raise InvalidSettings(
            f"There is no statistic {statistic}.", hint=f"Known: {', '.join(_MEANS | _QUANTILES)}."
        )
    return round((student(math.inf) / relative) ** 2 * variance * design_effect)


def _variance_of_mean(p: int, q: int, sigma: float) -> float:
    """Return n times the relative variance of D[p,q] of a lognormal."""
    s = sigma**2
    return (math.exp(p**2 * s) - 2 * math.exp(p * q * s) + math.exp(q**2 * s)) / (p - q) ** 2


def _variance_of_quantile(share: float, r: int, sigma: float) -> float:
    """Return n times the relative variance of a quantile of a lognormal weighted by d^r."""
    from scipy.special import ndtr, ndtri

    z = float(ndtri(share))
    below = float(ndtr(z - r * sigma))
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    scatter = (1 - share) ** 2 * below + share**2 * (1 - below)
    return sigma**2 * math.exp(r**2 * sigma**2) * scatter / density**2


@dataclasses.dataclass(frozen=True)
class Precision:
    """How precise a statistic is now, and what a wanted precision takes.

    Attributes
    ----------
    statistic : str
        As in `Summary.intervals`.
    relative : float
        Half width of the 95 % interval on ln, which is about the relative one.
    wanted : float
    n, n_images : int
        Counted now.
    design_effect : float
        Of the mean; NaN with one image.
    images_needed : int or None
        Images of the same kind in all; None with one image.
    particles_needed : int
        In all, in images of the same kind.
    text : str
        The advice in a sentence.
    """

    statistic: str
    relative: float
    wanted: float
    n: int
    n_images: int
    design_effect: float
    images_needed: int | None
    particles_needed: int
    text: str


def precision_of(
    sample: Sample, statistic: str = "mean", *, wanted: float = 0.05, power: int = 0
) -> Precision:
    """Return how precise a statistic is and how many more images it would take.

    Parameters
    ----------
    sample : Sample
    statistic : str
        A name of `Summary.intervals`.
    wanted : float
        Relative half width of the 95 % interval.
    power : int
        Of the diameter that particles are counted with.

    Returns
    -------
    Precision

    Raises
    ------
    InvalidSettings
        The statistic has no interval: too few particles.

    Examples
    --------
    >>> sizes = Sample.of(np.arange(20.0, 80.0), np.arange(60) * 7 % 60 // 12)
    >>> found = precision_of(sizes)
    >>> found.n_images, found.images_needed
    (5, 9)
    """
    intervals, _ = jackknife_intervals(sample, power, names=(statistic,))
    ends = intervals.get(statistic, (math.nan, math.nan))
    if not all(math.isfinite(end) and end > 0 for end in ends):
        raise InvalidSettings(
            f"{statistic} has no interval with {sample.n} particles.",
            hint="Count further particles.",
        )
    half = math.log(ends[1] / ends[0]) / 2
    several = sample.n_images > 1
    units = sample.n_images if several else sample.n
    needed = _units_needed(half, wanted, units)
    particles = needed if not several else round(needed * sample.n / sample.n_images)
    design = design_effect(sample, power)
    text = _advice(statistic, half, wanted, sample, needed, design)
    return Precision(
        statistic, half, wanted, sample.n, sample.n_images, design,
        needed if several else None, particles, text,
    )  # fmt: skip


def design_effect(sample: Sample, power: int = 0) -> float:
    """Return the variance of the mean over that of particles drawn one by one.

    NaN with one image, or where all sizes are the same.
    """
    if sample.n_images < 2:
        return math.nan
    weights = sample.weighted(power)
    share = weights / weights.sum()
    mean = float(share @ sample.sizes)
    single = float(share**2 @ (sample.sizes - mean) ** 2) / mean**2
    return relative_error(sample, power) ** 2 / single if single > 0 else math.nan


def _units_needed(half: float, wanted: float, units: int) -> int:
    """Return the smallest number whose interval is narrow enough; Student's t counts."""
    scale = half * math.sqrt(units) / student(units - 1)
    low, high = 1, 2
    while high < _MOST and scale * student(high - 1) / math.sqrt(high) > wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        wide = scale * student(middle - 1) / math.sqrt(middle) > wanted
        low, high = (middle, high) if wide else (low, middle)
    return high


def _advice(
    statistic: str, half: float, wanted: float, sample: Sample, needed: int, design: float
) -> str:
    """Say in a sentence what is missing."""
    kind, now = ("images", sample.n_images) if sample.n_images > 1 else ("particles", sample.n)
    state = f"The {_TITLES.get(statistic, statistic)} is known to ± {half:.1%} (95 %)"
    if needed <= now:
        return f"{state}; ± {wanted:.1%} is reached."
    text = f"{state}; ± {wanted:.1%} takes {needed} {kind} of this kind, {needed - now} more."
    if design > _HARDLY:
        text += " More particles in the same images would hardly help."
    if kind == "particles":
        text += " With one image nothing is known of how images differ: take several."
    return text


@dataclasses.dataclass(frozen=True, eq=False)
class PrecisionCurve:
    """How the interval narrows with the number of images.

    Attributes
    ----------
    images : int64 array (k,)
    particles : float64 array (k,)
        Mean number of particles in so many images.
    relative : float64 array (k,)
        Median half width of the 95 % interval on ln.
    statistic : str
    """

    images: Ints
    particles: Floats
    relative: Floats
    statistic: str


def precision_curve(
    sample: Sample, statistic: str = "mean", *, repeats: int = 20, points: int = 12, seed: int = 0
) -> PrecisionCurve:
    """Return the half width of the interval for fewer images than there are.

    Images are drawn without replacement, each with all its particles.

    Parameters
    ----------
    sample : Sample
        Of three images or more.
    statistic : str
    repeats, points, seed : int
        Draws a point, largest number of points.

    Returns
    -------
    PrecisionCurve

    Raises
    ------
    InvalidSettings
        There are less than three images.

    Examples
    --------
    >>> sizes = Sample.of(np.tile(np.arange(10.0, 31.0), 5), np.repeat(np.arange(5), 21))
    >>> precision_curve(sizes).images
    array([2, 3, 4, 5])
    """
    m = sample.n_images
    if m < 3:
        raise InvalidSettings(
            f"A curve of the precision needs three images, not {m}.", hint="Take further images."
        )
    rng = np.random.default_rng(seed)
    images = np.unique(np.geomspace(2, m, points).round().astype(np.int64))
    particles, relative = np.empty(len(images)), np.empty(len(images))
    for i, count in enumerate(images):
        tried = 1 if count == m else repeats
        drawn = [sample.images(rng.permutation(m)[:count]) for _ in range(tried)]
        ends = np.array([_ends(one, statistic) for one in drawn])
        particles[i] = np.mean([one.n for one in drawn])
        known = ends[np.isfinite(ends).all(axis=1)]
        relative[i] = np.median(np.log(known[:, 1] / known[:, 0])) / 2 if len(known) else np.nan
    return PrecisionCurve(images, particles, relative, statistic)


def _ends(sample: Sample, statistic: str) -> tuple[float, float]:
    """Return the interval of a statistic, NaN where there is none."""
    intervals, _ = jackknife_intervals(sample, names=(statistic,))
    return intervals.get(statistic, (math.nan, math.nan))
