"""The sections of a report on how sure its numbers are: budget, verdict, fits, precision."""

from __future__ import annotations

import math

from napari_sem_tools.reporting import Items, Paragraph, Section, Table
from napari_sem_tools.reporting.blocks import Block
from napari_sem_tools.reporting.records import short
from napari_sem_tools.statistics import ReportStatistics, Summary

__all__ = ["uncertainty_sections", "warnings_of_weightings"]

_BY_WEIGHT = ("mean", "median", "sd", "gsd", "d10", "d90", "span")
_TITLES = {
    "mean": "mean", "median": "median", "sd": "standard deviation", "gsd": "geometric SD",
    "d10": "D10", "d50": "D50", "d90": "D90", "span": "span", "d_3_2": "D[3,2]", "d_4_3": "D[4,3]",
}  # fmt: skip
_NO_UNIT = ("gsd", "span")
_PARAMETERS = {"mu": "µ", "sigma": "σ"}
_VERDICT = (
    "Fraction by number with the smallest external dimension below 100 nm (smallest Feret diameter "
    "of the image), after Commission Recommendation 2022/C 229/01: a nanomaterial has 50 % or "
    "more. Electron microscopy is the confirmatory tier of the NanoDefine scheme."
)


def uncertainty_sections(found: ReportStatistics) -> tuple[Section, ...]:
    """Write what the statistics say of one unit as sections of a report.

    Parameters
    ----------
    found : ReportStatistics

    Returns
    -------
    tuple of Section
        Parts that have nothing to say are empty, and a report leaves them out.
    """
    return (_budget(found), _verdict(found), _weightings(found), _fits(found), _precision(found))


def _budget(found: ReportStatistics) -> Section:
    """Write the budget of the mean."""
    budget = found.budget
    if budget is None:
        return Section("Measurement uncertainty", ())
    total = budget.combined**2
    rows: list[tuple[str, ...]] = [
        (
            one.name,
            short(one.standard_uncertainty),
            f"{100 * one.standard_uncertainty**2 / total:.0f} %" if total > 0 else "–",
            one.kind,
            _freedom(one.freedom),
            one.basis,
        )
        for one in budget.contributions
    ]
    how = "root of the sum of squares"
    rows.append(("combined", short(budget.combined), "", "", _freedom(budget.freedom), how))
    how = f"k = {budget.coverage_factor:.2f}, Student's t"
    rows.append(("expanded, 95 %", short(budget.expanded), "", "", "", how))
    heads = ("contribution", f"u ({budget.unit})", "share", "type", "freedom", "basis")
    blocks: list[Block] = [
        Paragraph(f"Mean diameter by number: {budget.text}, after JCGM 100:2008 (GUM)."),
        Table(heads, tuple(rows), numbers=(1, 2, 4)),
    ]
    if budget.not_included:
        blocks.append(Paragraph(f"Not included: {', '.join(budget.not_included)}."))
    if found.edge is not None:
        blocks.append(Paragraph(found.edge.text))
    return Section("Measurement uncertainty", tuple(blocks))


def _freedom(value: float) -> str:
    """Write degrees of freedom."""
    return short(value) if math.isfinite(value) else "∞"


def _verdict(found: ReportStatistics) -> Section:
    """Write the verdict by the European definition of a nanomaterial."""
    title = "European definition of a nanomaterial"
    verdict = found.verdict
    if verdict is None:
        return Section(title, ())
    rows = tuple(
        (
            one.quantity,
            f"{one.limit:g} nm",
            _percent(one.share),
            f"{_percent(one.low)} to {_percent(one.high)}",
            str(one.n),
            str(one.n_images),
        )
        for one in (verdict.fraction, *verdict.beside)
    )
    heads = ("dimension", "below", "share by number", "95 % interval", "particles", "images")
    blocks: list[Block] = [
        Paragraph(verdict.text),
        Table(heads, rows, numbers=(1, 2, 3, 4, 5)),
        Paragraph(
            f"With calibration and outline the interval of {verdict.fraction.quantity} is "
            f"{_percent(verdict.low)} to {_percent(verdict.high)}."
        ),
    ]
    if verdict.reasons:
        blocks.append(Items(tuple(("", reason) for reason in verdict.reasons)))
    blocks.append(Paragraph(_VERDICT))
    return Section(title, tuple(blocks))


def _percent(share: float) -> str:
    """Write a share with one decimal, as a report may."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "–"


def _weightings(found: ReportStatistics) -> Section:
    """Put number, length, area and volume side by side."""
    if not found.n:
        return Section("By number, length, area and volume", ())
    edge = {_edge_text(found)}
    heads = ("", *(f"by {weight}" for weight in found.summaries))
    rows = tuple(
        (_title(name, found.unit), *(_with_interval(one, name) for one in found.summaries.values()))
        for name in _BY_WEIGHT
    )
    said = Items(tuple(("", line) for line in warnings_of_weightings(found) if line not in edge))
    table = Table(heads, rows)
    return Section("By number, length, area and volume", (table, said) if said.lines else (table,))


def warnings_of_weightings(found: ReportStatistics) -> tuple[str, ...]:
    """Return what limits results by length, area and volume, and what the budget says already.

    Parameters
    ----------
    found : ReportStatistics

    Returns
    -------
    tuple of str
        Of its warnings; those by number are not among them.
    """
    by_number = set(found.summaries["number"].warnings)
    others = {line for one in found.summaries.values() for line in one.warnings} - by_number
    return tuple(
        line
        for line in found.warnings
        if line in others or line.startswith("D[3,2]") or line == _edge_text(found)
    )


def _edge_text(found: ReportStatistics) -> str:
    """Return the warning that repeats what stands below the budget."""
    text = found.edge.text if found.edge is not None else ""
    return next((line for line in found.warnings if text and line.startswith(text)), "")


def _title(name: str, unit: str) -> str:
    """Call a statistic, with its unit."""
    return _TITLES[name] if name in _NO_UNIT else f"{_TITLES[name]} ({unit})"


def _with_interval(one: Summary, name: str) -> str:
    """Write a statistic and its interval."""
    value = short(float(getattr(one, name)))
    low, high = one.intervals.get(name, (math.nan, math.nan))
    if math.isfinite(low) and math.isfinite(high):
        return f"{value} ({short(low)} to {short(high)})"
    return value


def _fits(found: ReportStatistics) -> Section:
    """List the fitted distributions and the mixture."""
    blocks: list[Block] = []
    if found.fits:
        heads = ("distribution", "parameters", "ΔAIC", "weight", "p of the test of fit")
        rows = []
        for fit in found.fits:
            values = ", ".join(
                f"{_PARAMETERS.get(name, name)} = {short(value, 4)}"
                for name, value in fit.parameters.items()
            )
            test = found.goodness.get(fit.family)
            told = f"{test.p_value:.2g}" if test is not None else "–"
            rows.append(
                (fit.family, values, f"{fit.delta_aic:.1f}", f"{fit.akaike_weight:.2f}", told)
            )
        blocks.append(Table(heads, tuple(rows), numbers=(2, 3, 4)))
        best = found.goodness.get(found.fits[0].family)
        if best is not None:
            blocks.append(Paragraph(f"{best.text} Sizes in {found.unit}, µ and σ of ln d."))
    if found.mixture is not None:
        blocks += _mixture(found)
    return Section("Fitted distributions", tuple(blocks))


def _mixture(found: ReportStatistics) -> list[Block]:
    """Write the mixture of lognormals."""
    mixture = found.mixture
    if mixture is None:
        return []
    tried = ", ".join(f"{count}: {value:.1f}" for count, value in sorted(mixture.tried.items()))
    if mixture.n_components == 1:
        return [Paragraph(f"A mixture of lognormals is not called for (BIC by number: {tried}).")]
    rows = tuple(
        (str(number), _percent(share), f"{short(median)} {found.unit}", short(gsd))
        for number, (share, median, gsd) in enumerate(
            zip(mixture.shares, mixture.medians, mixture.gsds, strict=True), 1
        )
    )
    text = f"{mixture.n_components} lognormals describe the sizes better (BIC by number: {tried})."
    heads = ("component", "share by number", "median", "geometric SD")
    return [Paragraph(text), Table(heads, rows, numbers=(1, 2, 3), shape="narrow")]


def _precision(found: ReportStatistics) -> Section:
    """Say how precise the numbers are, and what a wanted precision would take."""
    if not found.precision:
        return Section("How many more particles", ())
    rows = tuple(
        (
            _TITLES.get(one.statistic, one.statistic),
            f"±{100 * one.relative:.1f} %",
            str(one.particles_needed),
            str(one.images_needed) if one.images_needed is not None else "–",
        )
        for one in found.precision
    )
    wanted = f"±{100 * found.precision[0].wanted:g} %"
    heads = ("statistic", "precision now (95 %)", f"particles for {wanted}", f"images for {wanted}")
    first = Paragraph(found.precision[0].text)
    return Section(
        "How many more particles",
        (first, Table(heads, rows, numbers=(1, 2, 3), shape="narrow")),
    )
