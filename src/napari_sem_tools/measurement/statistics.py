"""Mean, median, D10 to D90 and their intervals from a particle table.

Particles of one image are not independent: intervals come from leaving out one image at
a time, and from leaving out one particle at a time only where there is a single image,
which is then said.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Summary", "quantile", "summarize"]

Floats = NDArray[np.float64]
Weight = Literal["number", "area", "volume"]

POWERS: dict[str, int] = {"number": 0, "area": 2, "volume": 3}
"""Power of the diameter that a weighting counts a particle with."""

CONFIDENCE = 0.95
_FEW_EFFECTIVE = 100  # Kish's number below which a volume result rests on few particles
_LARGE_SHARE = 0.05  # of the weight, in a single particle
_FEW_ABOVE = 10  # particles above a weighted D90 that it must rest on
_FEW = 30  # particles below which D10 and D90 move by per cent with each
_ONE_SIZE = 1e-9  # SD of ln d below which all sizes are the same but for rounding
_GRID = 512  # points of the density whose maximum is the mode


@dataclasses.dataclass(frozen=True)
class Summary:
    """Statistics of one quantity over the included particles.

    What cannot be given is NaN.  Sizes carry `unit`; ``gsd`` and ``span`` have none.

    Attributes
    ----------
    quantity : str
        Column, e.g. ``"ecd_nm"``.
    unit : str
    weight : {"number", "area", "volume"}
        What `mean`, `sd`, `median`, `mode`, `gsd`, the D's and `span` are weighted by.
    n, n_excluded : int
        Particles counted, and those in the table that are left out.
    excluded : dict
        First reason to number of particles.
    n_images : int
    n_effective : float
        (Σw)²/Σw², after Kish.
    mean, sd, median, mode, mode_bandwidth, gsd : float
        The SD is the width of the distribution (n - 1), not an uncertainty.  The mode is
        that of a kernel density on ln d with the bandwidth given (Silverman's).
    d10, d50, d90, span : float
        Span is (D90 - D10)/D50.
    d_1_0, d_3_2, d_4_3 : float
        Moment means D[1,0], D[3,2] (Sauter) and D[4,3], always from numbers.
    minimum, maximum : float
    intervals : dict
        Name to (low, high) of the 95 % interval.
    interval_method : str
    warnings : tuple of str
        What these numbers do not support.

    References
    ----------
    ISO 9276-2:2014 for the means; `quantile` for D10 to D90.
    """

    quantity: str
    unit: str
    weight: str
    n: int
    n_excluded: int
    excluded: dict[str, int]
    n_images: int
    n_effective: float = 0.0
    mean: float = math.nan
    sd: float = math.nan
    median: float = math.nan
    mode: float = math.nan
    mode_bandwidth: float = math.nan
    gsd: float = math.nan
    d10: float = math.nan
    d50: float = math.nan
    d90: float = math.nan
    span: float = math.nan
    d_1_0: float = math.nan
    d_3_2: float = math.nan
    d_4_3: float = math.nan
    minimum: float = math.nan
    maximum: float = math.nan
    intervals: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    interval_method: str = ""
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        values = dataclasses.asdict(self)
        values["intervals"] = {k: [_or_none(v) for v in ends] for k, ends in self.intervals.items()}
        values["warnings"] = list(self.warnings)
        return {k: _or_none(v) for k, v in values.items()}


def summarize(
    table: pd.DataFrame, *, weight: Weight = "number", quantity: str | None = None
) -> Summary:
    """Summarise the included particles of a table.

    Parameters
    ----------
    table : DataFrame
        As `measure` or `pool` return it.  Particles with ``included`` False are left out.
    weight : {"number", "area", "volume"}
        Count every particle once, by its area (d²) or by its volume (d³).
    quantity : str, optional
        A column of sizes; by default ``ecd_nm``, and ``ecd_px`` without a calibration.

    Returns
    -------
    Summary

    Raises
    ------
    InvalidSettings
        An unknown weight or column, or sizes that are missing for a part of the images.

    Notes
    -----
    With two images or more, the interval of a mean is that of the delete-one-image
    jackknife on the ln scale with Student's t, and that of a quantile Woodruff's, with
    the jackknife's standard error of the distribution function; both hold their level
    for three images or more.  With one image, one particle at a time is left out: the
    interval says nothing of differences between images.

    References
    ----------
    R. S. Woodruff, J. Am. Stat. Assoc. 47 (1952) 635.  B. Efron, "The jackknife, the
    bootstrap and other resampling plans", 1982.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"ecd_px": [10.0, 20.0, 30.0], "image": "a", "included": True})
    >>> summarize(table).median
    20.0
    """
    if weight not in POWERS:
        raise InvalidSettings(
            f"weight = {weight!r} is unknown.", hint=f"Choose one of {', '.join(POWERS)}."
        )
    name = quantity or _size_column(table)
    if name not in table.columns:
        raise InvalidSettings(
            f"The table has no column {name}.", hint="Columns in nm need a calibrated image."
        )
    counted = table.loc[table["included"].to_numpy(bool)]
    sizes = counted[name].to_numpy(np.float64)
    if not np.isfinite(sizes).all() or (sizes <= 0).any():
        raise InvalidSettings(
            f"{name} is not given or not above 0 for some particles.",
            hint="Pool only images that are all calibrated or all uncalibrated.",
        )
    clusters, n_images = _clusters(counted)
    summary = Summary(
        quantity=name,
        unit=name.rpartition("_")[2] if "_" in name else "",
        weight=weight,
        n=len(sizes),
        n_excluded=len(table) - len(sizes),
        excluded=_reasons(table),
        n_images=n_images,
    )
    if not len(sizes):
        return dataclasses.replace(summary, warnings=("No particle is counted.",))
    return _filled(summary, sizes, POWERS[weight], clusters)


def quantile(sizes: Floats, weights: Floats, shares: Floats | float) -> Floats:
    """Return sizes below which given shares of the weight lie.

    The share at a particle counts half of its own weight; between particles it is linear
    in the size, beyond them flat.  For equal weights this is numpy's ``"hazen"``.

    Parameters
    ----------
    sizes, weights : float64 arrays (n,)
    shares : float array
        Between 0 and 1; NaN gives NaN.

    Returns
    -------
    float64 array

    Examples
    --------
    >>> float(quantile(np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4), 0.5))
    2.5
    """
    order = np.argsort(sizes, kind="stable")
    cumulative = np.cumsum(weights[order])
    middle = (cumulative - weights[order] / 2) / cumulative[-1]
    return np.asarray(np.interp(shares, middle, sizes[order]))


def moment_mean(sizes: Floats, p: float, q: float, weights: Floats | None = None) -> float:
    """Return D[p,q] = (Σ w d^p / Σ w d^q)^(1/(p-q)), p ≠ q."""
    w = np.ones_like(sizes) if weights is None else weights
    unit = sizes.max()  # powers of sizes relative to the largest cannot overflow
    ratio = np.sum(w * (sizes / unit) ** p) / np.sum(w * (sizes / unit) ** q)
    return float(unit * ratio ** (1 / (p - q)))


def _size_column(table: pd.DataFrame) -> str:
    """Choose the equivalent diameter in the best unit there is."""
    for name in ("ecd_nm", "ecd_px"):
        if name in table.columns:
            return name
    return "ecd_px"


def _clusters(counted: pd.DataFrame) -> tuple[NDArray[np.int64], int]:
    """Give numbers to the images (and slices) that the counted particles come from."""
    keys = [key for key in ("image", "slice") if key in counted.columns]
    if not keys or not len(counted):
        return np.zeros(len(counted), np.int64), int(len(counted) > 0)
    groups = counted.groupby(keys, sort=False, observed=True)
    codes = groups.ngroup().to_numpy().astype(np.int64)
    return codes, int(codes.max()) + 1


def _reasons(table: pd.DataFrame) -> dict[str, int]:
    """Count the particles left out by their first reason."""
    out = table.loc[~table["included"].to_numpy(bool)]
    if "doubt_reason" not in out.columns:
        return {"left out": len(out)} if len(out) else {}
    first = out["doubt_reason"].astype(str).str.replace(",.*", "", regex=True)
    first = first.replace("", "by hand")
    return {str(k): int(v) for k, v in first.value_counts().items()}


def _filled(summary: Summary, sizes: Floats, power: int, clusters: NDArray[np.int64]) -> Summary:
    """Work out all numbers of a summary."""
    relative = sizes / sizes.max()
    weights = relative**power
    share = weights / weights.sum()
    effective = float(1 / np.sum(share**2))
    mean = float(share @ sizes)
    logs = np.log(sizes)
    d10, d50, d90 = (float(d) for d in quantile(sizes, weights, np.array([0.1, 0.5, 0.9])))
    warnings = _unsupported(summary, sizes, share, effective, d90)
    if power and np.count_nonzero(sizes > d90) < _FEW_ABOVE:
        d90 = math.nan
    mode, bandwidth = _mode(logs, share, effective)
    intervals, method = _intervals(sizes, power, clusters, d90_given=not math.isnan(d90))
    return dataclasses.replace(
        summary,
        n_effective=effective,
        mean=mean,
        sd=_weighted_sd(sizes, share),
        median=d50,
        mode=mode,
        mode_bandwidth=bandwidth,
        gsd=float(np.exp(_weighted_sd(logs, share))),
        d10=d10,
        d50=d50,
        d90=d90,
        span=(d90 - d10) / d50,
        d_1_0=float(sizes.mean()),
        d_3_2=moment_mean(sizes, 3, 2),
        d_4_3=moment_mean(sizes, 4, 3),
        minimum=float(sizes.min()),
        maximum=float(sizes.max()),
        intervals=intervals,
        interval_method=method,
        warnings=warnings,
    )


def _weighted_sd(values: Floats, share: Floats) -> float:
    """Return the SD with the divisor V1 - V2/V1, which is n - 1 for equal weights."""
    divisor = 1 - np.sum(share**2)
    if len(values) < 2 or divisor <= 0:
        return math.nan
    return float(np.sqrt(share @ (values - share @ values) ** 2 / divisor))


def _mode(logs: Floats, share: Floats, effective: float) -> tuple[float, float]:
    """Return the maximum of a kernel density on ln d, and its bandwidth in ln d."""
    sd = _weighted_sd(logs, share)
    if not sd > _ONE_SIZE:
        return math.nan, math.nan
    q1, q3 = quantile(logs, share, np.array([0.25, 0.75]))
    spread = min(sd, (q3 - q1) / 1.349) or sd
    bandwidth = float(0.9 * spread * effective**-0.2)  # Silverman 1986, eq. 3.31
    low, high = logs.min() - 3 * bandwidth, logs.max() + 3 * bandwidth
    bins = int(max(_GRID, min(16 * _GRID, math.ceil(8 * (high - low) / bandwidth))))
    counts, edges = np.histogram(logs, bins, (low, high), weights=share)
    step = edges[1] - edges[0]
    half = math.ceil(4 * bandwidth / step)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * step / bandwidth) ** 2)
    density = np.convolve(counts, kernel, "full")[half : half + bins]
    return float(np.exp(edges[np.argmax(density)] + step / 2)), bandwidth


def _intervals(
    sizes: Floats, power: int, clusters: NDArray[np.int64], *, d90_given: bool
) -> tuple[dict[str, tuple[float, float]], str]:
    """Return 95 % intervals of means and quantiles, and the method in words."""
    images = int(clusters.max()) + 1
    if images > 1:
        m, method = images, "delete-one-image jackknife on ln, Student's t; quantiles: Woodruff"
    else:
        m, clusters = len(sizes), np.arange(len(sizes))
        method = "within this image: delete-one-particle jackknife, Student's t"
    if m < 2:
        return {}, ""
    t = _student(m - 1)
    relative = sizes / sizes.max()
    sums = {
        p: np.bincount(clusters, relative**p, m) for p in sorted({0, 1, 2, 3, 4, power, power + 1})
    }
    found = {}
    for name, p, q in (
        ("mean", power + 1, power),
        ("d_1_0", 1, 0),
        ("d_3_2", 3, 2),
        ("d_4_3", 4, 3),
    ):
        estimate = np.log(sums[p].sum() / sums[q].sum())
        left = np.log(_without_each(sums[p]) / _without_each(sums[q]))
        error = t * math.sqrt((m - 1) / m * np.sum((left - estimate) ** 2))
        ends = np.exp([estimate - error, estimate + error]) * sizes.max()
        found[name] = (float(ends[0]), float(ends[1]))
    weights = relative**power
    for name, share in (("median", 0.5), ("d10", 0.1), ("d50", 0.5), ("d90", 0.9)):
        if name != "d90" or d90_given:
            found[name] = _woodruff(sizes, weights, share, clusters, t)
    return found, method


def _woodruff(
    sizes: Floats, weights: Floats, share: float, clusters: NDArray[np.int64], t: float
) -> tuple[float, float]:
    """Return Woodruff's interval of a quantile; an end beyond all particles is NaN."""
    m = int(clusters.max()) + 1
    size = quantile(sizes, weights, share)
    below = weights * ((sizes < size) + 0.5 * (sizes == size))
    part, whole = np.bincount(clusters, below, m), np.bincount(clusters, weights, m)
    left = _without_each(part) / _without_each(whole)
    error = t * math.sqrt((m - 1) / m * np.sum((left - part.sum() / whole.sum()) ** 2))
    shares = np.array([share - error, share + error])
    ends = quantile(sizes, weights, np.clip(shares, 0, 1))
    low, high = np.where((shares > 0) & (shares < 1), ends, np.nan)
    return float(low), float(high)


def _without_each(parts: NDArray[Any]) -> Floats:
    """Sum all parts but one, for each of them.

    Adding both sides keeps the digits that a subtraction from the total loses where one
    part is nearly all of it.
    """
    before, after = np.zeros(len(parts)), np.zeros(len(parts))
    before[1:] = np.cumsum(parts)[:-1]
    after[:-1] = np.cumsum(parts[:0:-1])[::-1]
    return before + after


def _student(freedom: int) -> float:
    """Return Student's t for a two-sided 95 % interval."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _unsupported(
    summary: Summary, sizes: Floats, share: Floats, effective: float, d90: float
) -> tuple[str, ...]:
    """Say which of the numbers rest on too little."""
    said = []
    if summary.n_images == 1:
        said.append(
            "One image: the intervals hold within this image; how images differ is unknown."
        )
    if summary.n < _FEW:
        said.append(f"{summary.n} particles: each of them moves D10 and D90; count {_FEW} or more.")
    if summary.weight != "number":
        above = int(np.count_nonzero(sizes > d90))
        if above < _FEW_ABOVE:
            said.append(
                f"D90 by {summary.weight} is not given: {above} particles lie above it, "
                f"{_FEW_ABOVE} are needed."
            )
        if effective < _FEW_EFFECTIVE:
            said.append(
                f"Results by {summary.weight} rest on {effective:.0f} effective particles; "
                f"{_FEW_EFFECTIVE} or more are wanted."
            )
        if share.max() > _LARGE_SHARE:
            said.append(f"One particle holds {share.max():.0%} of the {summary.weight}.")
    return tuple(said)


def _or_none(value: Any) -> Any:
    """Turn NaN and infinity into None, which JSON knows."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
