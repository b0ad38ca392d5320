"""Mean, median, D10 to D90 and their intervals from a particle table.

Particles of one image are not independent: intervals come from leaving out one image at
a time, and from leaving out one particle at a time only where there is a single image,
which is then said.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem_tools.statistics.intervals import jackknife_intervals
from napari_sem_tools.statistics.moments import (
    kish,
    mode,
    moment_mean,
    quantile_of_sorted,
    weighted_sd,
)
from napari_sem_tools.statistics.sample import Floats, Sample, Weight, power_of, sample_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Summary", "summarize", "summarize_sample"]

_FEW_EFFECTIVE = 100  # Kish's number below which a volume result rests on few particles
_LARGE_SHARE = 0.05  # of the weight, in a single particle
_FEW_ABOVE = 10  # particles above a weighted D90 that it must rest on
_FEW = 30  # particles below which D10 and D90 move by per cent with each


@dataclasses.dataclass(frozen=True)
class Summary:
    """Statistics of one quantity over the included particles.

    What cannot be given is NaN.  Sizes carry `unit`; ``gsd`` and ``span`` have none.

    Attributes
    ----------
    quantity : str
        Column, e.g. ``"ecd_nm"``.
    unit : str
    weight : {"number", "length", "area", "volume"}
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
    edge_weights : bool
        True: particles count by their Miles-Lantuejoul weight.

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
    edge_weights: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        values: dict[str, Any] = plain(dataclasses.asdict(self))
        return values


def summarize(
    table: pd.DataFrame,
    *,
    weight: Weight = "number",
    quantity: str | None = None,
    edge_weights: bool = False,
) -> Summary:
    """Summarise the included particles of a table.

    Parameters
    ----------
    table : DataFrame
        As `measure` or `pool` return it.  Particles with ``included`` False are left out.
    weight : {"number", "length", "area", "volume"}
        Count every particle once, by its length (d), its area (d²) or its volume (d³).
    quantity : str, optional
        A column of sizes; by default ``ecd_nm``, and ``ecd_px`` without a calibration.
    edge_weights : bool
        Make up for large particles being cut more often than small ones: weigh each by
        its column ``edge_weight``, after Miles and Lantuejoul.

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
    for three images or more.  Those of the SD and of the GSD are too short where images
    differ much (between-image SD of ln d of 0.2).  With one image, one particle at a time
    is left out: the interval says nothing of differences between images.

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
    power_of(weight)
    sample = sample_of(table, quantity=quantity, edge_weights=edge_weights)
    summary = summarize_sample(sample, weight=weight, edge_weights=edge_weights)
    reasons, n_excluded = _reasons(table), len(table) - sample.n
    if n_excluded > sum(reasons.values()):
        reasons["box leaves the field"] = n_excluded - sum(reasons.values())
    return dataclasses.replace(summary, n_excluded=n_excluded, excluded=reasons)


def summarize_sample(
    sample: Sample, *, weight: Weight = "number", edge_weights: bool = False
) -> Summary:
    """Summarise sizes that were taken from a table already, as `summarize` does.

    Parameters
    ----------
    sample : Sample
    weight : {"number", "length", "area", "volume"}
    edge_weights : bool
        What to say of the weights that the sample has.

    Returns
    -------
    Summary
    """
    summary = Summary(
        quantity=sample.quantity,
        unit=sample.unit,
        weight=weight,
        n=sample.n,
        n_excluded=0,
        excluded={},
        n_images=sample.n_images,
        edge_weights=edge_weights,
    )
    if not sample.n:
        return dataclasses.replace(summary, warnings=("No particle is counted.",))
    return _filled(summary, sample.ascending(), power_of(weight))


def _reasons(table: pd.DataFrame) -> dict[str, int]:
    """Count the particles left out by their first reason."""
    out = table.loc[~table["included"].to_numpy(bool)]
    if "doubt_reason" not in out.columns:
        return {"left out": len(out)} if len(out) else {}
    first = out["doubt_reason"].astype(str).str.replace(",.*", "", regex=True)
    first = first.replace("", "by hand")
    return {str(k): int(v) for k, v in first.value_counts().items()}


def _filled(summary: Summary, sample: Sample, power: int) -> Summary:
    """Work out all numbers of a summary."""
    sizes, weights = sample.sizes, sample.weighted(power)
    share = weights / weights.sum()
    effective = kish(weights)
    logs = np.log(sizes)
    d10, d50, d90 = (
        float(d) for d in quantile_of_sorted(sizes, weights, np.array([0.1, 0.5, 0.9]))
    )
    warnings = _unsupported(summary, sizes, share, effective, d90)
    if power and np.count_nonzero(sizes > d90) < _FEW_ABOVE:
        d90 = math.nan
    peak, bandwidth = mode(logs, share, effective)
    intervals, method = jackknife_intervals(sample, power, d90_given=not math.isnan(d90))
    return dataclasses.replace(
        summary,
        n_effective=effective,
        mean=float(share @ sizes),
        sd=weighted_sd(sizes, share),
        median=d50,
        mode=peak,
        mode_bandwidth=bandwidth,
        gsd=float(np.exp(weighted_sd(logs, share))),
        d10=d10,
        d50=d50,
        d90=d90,
        span=(d90 - d10) / d50,
        d_1_0=moment_mean(sizes, 1, 0, sample.weights),
        d_3_2=moment_mean(sizes, 3, 2, sample.weights),
        d_4_3=moment_mean(sizes, 4, 3, sample.weights),
        minimum=float(sizes.min()),
        maximum=float(sizes.max()),
        intervals=intervals,
        interval_method=method,
        warnings=warnings,
    )


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


def plain(value: Any) -> Any:
    """Turn records into what JSON knows: lists for arrays, None for NaN and infinity."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(one) for one in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
