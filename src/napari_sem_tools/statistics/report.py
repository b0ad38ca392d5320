"""Everything that a report prints about sizes, in one record."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.budget import Budget, mean_budget
from napari_sem_tools.statistics.fits import (
    Fit,
    Goodness,
    fit_distributions,
    goodness_of_fit,
    has_width,
)
from napari_sem_tools.statistics.mixtures import Mixture, fit_mixture
from napari_sem_tools.statistics.moments import kish
from napari_sem_tools.statistics.nanomaterial import (
    QUANTITY,
    NanomaterialVerdict,
    nanomaterial_verdict,
)
from napari_sem_tools.statistics.precision import (
    Precision,
    PrecisionCurve,
    precision_curve,
    precision_of,
)
from napari_sem_tools.statistics.sample import EDGE_WEIGHT, POWERS, Sample, sample_of
from napari_sem_tools.statistics.scale import scale_of
from napari_sem_tools.statistics.settings import StatisticsSettings
from napari_sem_tools.statistics.summary import Summary, plain, summarize

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EdgeCorrection", "ReportStatistics", "report_statistics"]

_FIT_FEWEST = 30  # particles from which on a fit is shown
_CLUSTERED = 2.0  # design effect above which a test of fit rejects too often
_LARGE_SHIFT = 0.01  # of the mean by edge weights that is worth a warning
_PRECISION = ("mean", "d50", "d10", "d90", "d_3_2", "d_4_3")
_CURVE_FROM = 3  # images


@dataclasses.dataclass(frozen=True)
class EdgeCorrection:
    """What leaving out cut particles does to the result.

    Attributes
    ----------
    summary : Summary
        By number, with Miles-Lantuejoul weights.
    shift : float
        Relative change of the mean by the weights.
    largest : float
        Largest weight over the mean weight.
    n_effective : float
    text : str
    """

    summary: Summary
    shift: float
    largest: float
    n_effective: float
    text: str


@dataclasses.dataclass(frozen=True, eq=False)
class ReportStatistics:
    """Everything that a report prints about sizes; what cannot be given is None or empty.

    Attributes
    ----------
    quantity, unit : str
    n, n_excluded, n_images : int
    summaries : dict of str to Summary
        By number, length, area and volume.
    edge : EdgeCorrection or None
        None without the column ``edge_weight``, or where cut particles are counted.
    fits : tuple of Fit
        Best first.
    goodness : dict of str to Goodness
        Family to its test.
    mixture : Mixture or None
    precision : tuple of Precision
    curve : PrecisionCurve or None
        None with less than three images.
    verdict : NanomaterialVerdict or None
        None without a calibration.
    budget : Budget or None
        Of the mean.
    paragraphs : tuple of str
        How the numbers were worked out, for the method section.
    warnings : tuple of str
    settings : StatisticsSettings
    edge_rule : str
        What became of cut particles, in a sentence.
    """

    quantity: str
    unit: str
    n: int
    n_excluded: int
    n_images: int
    summaries: dict[str, Summary]
    edge: EdgeCorrection | None = None
    fits: tuple[Fit, ...] = ()
    goodness: dict[str, Goodness] = dataclasses.field(default_factory=dict)
    mixture: Mixture | None = None
    precision: tuple[Precision, ...] = ()
    curve: PrecisionCurve | None = None
    verdict: NanomaterialVerdict | None = None
    budget: Budget | None = None
    paragraphs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    settings: StatisticsSettings = dataclasses.field(default_factory=StatisticsSettings)
    edge_rule: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN and infinity become None."""
        values: dict[str, Any] = plain(dataclasses.asdict(self))
        return values


def report_statistics(
    table: pd.DataFrame,
    *,
    quantity: str | None = None,
    settings: StatisticsSettings | None = None,
) -> ReportStatistics:
    """Work out everything that a report prints about the sizes of a table.

    Parameters
    ----------
    table : DataFrame
        As `measure` or `pool` return it; of calibrated images only, or of uncalibrated
        ones only.
    quantity : str, optional
        A column of sizes; by default ``ecd_nm``, and ``ecd_px`` without a calibration.
    settings : StatisticsSettings, optional

    Returns
    -------
    ReportStatistics
        With few particles less is in it, and the warnings say why.

    Raises
    ------
    InvalidSettings
        An unknown column, or sizes that are missing for a part of the images.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> sizes = np.exp(np.random.default_rng(0).normal(3.5, 0.5, 200))
    >>> table = pd.DataFrame({"ecd_px": sizes, "image": list("abcdefghij") * 20,
    ...     "included": True})
    >>> found = report_statistics(table)
    >>> found.n_images, found.verdict is None, list(found.summaries)
    (10, True, ['number', 'length', 'area', 'volume'])
    """
    settings = settings or StatisticsSettings()
    sample = sample_of(table, quantity=quantity, edge_weights=settings.edge_weights)
    weighted = settings.edge_weights
    summaries = {
        weight: summarize(table, weight=weight, quantity=sample.quantity, edge_weights=weighted)  # type: ignore[arg-type]  # the words are those of the table of powers
        for weight in POWERS
    }
    number = summaries["number"]
    found = ReportStatistics(
        sample.quantity, sample.unit, sample.n, number.n_excluded, sample.n_images, summaries,
        settings=settings, warnings=number.warnings, edge_rule=_edge_rule(table, weighted),
    )  # fmt: skip
    if not sample.n:
        return found
    found = dataclasses.replace(
        found,
        edge=_edge(table, sample.quantity),
        verdict=_verdict(table, settings),
        budget=_budget(table, sample, settings),
        precision=_precision(sample, settings),
        curve=precision_curve(sample, seed=settings.seed)
        if sample.n_images >= _CURVE_FROM
        else None,
    )
    found = _with_fits(found, sample)
    return dataclasses.replace(found, paragraphs=_paragraphs(found), warnings=_warnings(found))


def _edge_rule(table: pd.DataFrame, weighted: bool) -> str:
    """Say what became of the particles that the edge of the field cuts."""
    if weighted:
        return "Cut particles are left out; whole ones have Miles-Lantuejoul weights (ISO 13322-1)."
    if "edge" not in table.columns:
        return ""
    cut = int((table["edge"] & table["included"]).sum())
    if cut:
        return (
            f"{cut} particles that the edge of the field cuts are counted: their size is not whole."
        )
    return "Particles that the edge of the field cuts are left out; whole ones count once each."


def _edge(table: pd.DataFrame, quantity: str) -> EdgeCorrection | None:
    """Compare the mean with and without Miles-Lantuejoul weights."""
    if EDGE_WEIGHT not in table.columns:
        return None
    try:
        weighted = sample_of(table, quantity=quantity, edge_weights=True)
        corrected = summarize(table, quantity=quantity, edge_weights=True)
    except InvalidSettings:
        return None  # cut particles are counted: there is no weight for them
    if not weighted.n:
        return None
    shift = corrected.mean / summarize(table, quantity=quantity).mean - 1
    largest = float(weighted.weights.max() / weighted.weights.mean())
    text = (
        f"Large particles are cut more often. With Miles-Lantuejoul weights the mean changes by "
        f"{shift:+.1%}, to {corrected.mean:.4g} {corrected.unit}; the largest weight is "
        f"{largest:.2f} times the mean one, and {kish(weighted.weights):.0f} of {weighted.n} "
        "particles are effective."
    )
    return EdgeCorrection(corrected, shift, largest, kish(weighted.weights), text)


def _verdict(table: pd.DataFrame, settings: StatisticsSettings) -> NanomaterialVerdict | None:
    """Judge by the European definition, where sizes are in nm."""
    needed = {QUANTITY, "area_nm2", "area_px"}
    if not needed <= set(table.columns):
        return None
    return nanomaterial_verdict(table, settings=settings)


def _budget(table: pd.DataFrame, sample: Sample, settings: StatisticsSettings) -> Budget | None:
    """Return the budget of the mean, where there is enough to make one of."""
    if sample.n < 2 or (sample.unit == "nm" and "area_nm2" not in table.columns):
        return None
    scale = scale_of(table, settings)
    if scale.unit != sample.unit:
        return None
    return mean_budget(sample, scale, settings=settings)


def _precision(sample: Sample, settings: StatisticsSettings) -> tuple[Precision, ...]:
    """Return how precise each statistic is, of those that have an interval."""
    wanted = settings.wanted_percent / 100
    found = []
    for name in _PRECISION:
        try:
            found.append(precision_of(sample, name, wanted=wanted))
        except InvalidSettings:
            continue  # too few particles for this one
    return tuple(found)


def _with_fits(found: ReportStatistics, sample: Sample) -> ReportStatistics:
    """Fit distributions and a mixture, and test the fits."""
    settings = found.settings
    if not settings.fits or sample.n < _FIT_FEWEST or not has_width(sample):
        return found
    fits = fit_distributions(sample)
    tests = {
        fit.family: goodness_of_fit(
            sample, fit.family, repeats=settings.bootstrap, seed=settings.seed
        )
        for fit in fits
    }
    mixture = fit_mixture(sample, max_components=settings.max_components, seed=settings.seed)
    return dataclasses.replace(found, fits=fits, goodness=tests, mixture=mixture)


def _paragraphs(found: ReportStatistics) -> tuple[str, ...]:
    """Say how the numbers were worked out."""
    number = found.summaries["number"]
    lines = [
        f"Statistics by number, length, area and volume after ISO 9276-2; quantiles share half "
        f"of a particle's own weight and are linear between. {found.edge_rule}",
        f"Intervals are 95 %: {number.interval_method}. Those of SD, GSD, D[3,2] and D[4,3] are "
        "approximate and rather too short."
        if number.interval_method
        else "",
    ]
    if found.fits:
        best = found.fits[0]
        lines.append(
            f"Normal, lognormal, Weibull and gamma distributions were fitted by maximum "
            f"likelihood; AIC prefers {best.family}. {found.goodness[best.family].text}"
        )
    if found.budget is not None:
        lines.append(
            f"Mean {found.budget.text}, expanded uncertainty after JCGM 100:2008; not included: "
            f"{', '.join(found.budget.not_included)}."
        )
    return tuple(line for line in lines if line)


def _warnings(found: ReportStatistics) -> tuple[str, ...]:
    """Gather what the numbers do not support."""
    said: list[str] = []
    for summary in found.summaries.values():
        said += summary.warnings
    said += _warnings_of_moments(found)
    shift = 0.0 if found.edge is None else abs(found.edge.shift)
    if found.edge is not None and shift > _LARGE_SHIFT and not found.settings.edge_weights:
        said.append(f"{found.edge.text} The statistics are without these weights.")
    clustered = _design_effect(found.precision) > _CLUSTERED
    if found.goodness and clustered:
        said.append("Images differ: the tests of fit reject too often.")
    if found.n and not found.fits and found.settings.fits:
        said.append(f"No distribution is fitted: {_FIT_FEWEST} particles of several sizes or more.")
    return tuple(dict.fromkeys(said))


def _warnings_of_moments(found: ReportStatistics) -> tuple[str, ...]:
    """Say when D[3,2] and D[4,3] rest on few particles, as results by volume do."""
    volume = found.summaries["volume"]
    if volume.n_effective >= 100:
        return ()
    return (f"D[3,2] and D[4,3] rest on {volume.n_effective:.0f} effective particles.",)


def _design_effect(precision: Sequence[Precision]) -> float:
    """Return the design effect of the mean; NaN where it is not known."""
    return next((one.design_effect for one in precision if one.statistic == "mean"), math.nan)
