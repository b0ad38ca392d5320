"""The sheets of the workbook: particles, images, summary, fit, method."""

from __future__ import annotations

from typing import Any

import pandas as pd

from napari_sem_tools.analysis.finished import Finished
from napari_sem_tools.reporting import Items, Paragraph, Report, Section, Table
from napari_sem_tools.statistics import Budget, NanomaterialVerdict, ReportStatistics, Summary

__all__ = ["sheets"]

_HAS_UNIT = ("mean", "median", "sd", "mode", "mode_bandwidth", "d10", "d50", "d90", "d_1_0",
             "d_3_2", "d_4_3", "minimum", "maximum")  # fmt: skip


def sheets(finished: Finished, page: Report) -> dict[str, pd.DataFrame]:
    """Return the tables of the workbook, numbers with all their digits.

    Parameters
    ----------
    finished : Finished
    page : Report
        Whose method and conditions are written out.

    Returns
    -------
    dict of str to DataFrame
    """
    return {
        "particles": finished.table,
        "images": finished.images_table,
        "summary": _summary(finished),
        "fit": _fit(finished),
        "method": _method(page),
    }


def _summary(finished: Finished) -> pd.DataFrame:
    """Make a row a statistic."""
    rows: list[tuple[Any, ...]] = []
    for found in finished.statistics.values():
        for one in found.summaries.values():
            rows += _statistics(one)
        if found.budget is not None:
            rows += _uncertainty(found.budget)
        if found.verdict is not None:
            rows += _fraction(found.verdict)
    return pd.DataFrame(rows, columns=["quantity", "weight", "statistic", "value", "unit",
                                       "low_95", "high_95"])  # fmt: skip


def _statistics(one: Summary) -> list[tuple[Any, ...]]:
    """Make the rows of the statistics of one quantity."""
    rows = []
    for name, value in one.to_dict().items():
        if isinstance(value, bool | str | dict | list):
            continue
        low, high = one.intervals.get(name, (None, None))
        unit = one.unit if name in _HAS_UNIT else ""
        rows.append((one.quantity, one.weight, name, value, unit, low, high))
    return rows


def _uncertainty(budget: Budget) -> list[tuple[Any, ...]]:
    """Make the rows of the budget of the mean."""
    named = [
        (f"uncertainty of the mean: {one.name}", one.standard_uncertainty)
        for one in budget.contributions
    ]
    named += [("uncertainty of the mean: combined", budget.combined),
              ("uncertainty of the mean: expanded, 95 %", budget.expanded)]  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (budget.quantity, "number", name, value, budget.unit, None, None) for name, value in named
    ]
    rows.append((budget.quantity, "number", "coverage factor", budget.coverage_factor, "",
                 None, None))  # fmt: skip
    return rows


def _fraction(verdict: NanomaterialVerdict) -> list[tuple[Any, ...]]:
    """Make the rows of the shares below 100 nm."""
    return [
        (one.quantity, "number", f"share below {one.limit:g} nm", one.share, "", one.low, one.high)
        for one in (verdict.fraction, *verdict.beside)
    ]


def _fit(finished: Finished) -> pd.DataFrame:
    """Make a row a parameter of every fitted distribution."""
    rows = [row for found in finished.statistics.values() for row in _fits(found)]
    return pd.DataFrame(rows, columns=["quantity", "unit", "distribution", "parameter", "value",
                                       "aic", "delta_aic", "akaike_weight", "p_value"])  # fmt: skip


def _fits(found: ReportStatistics) -> list[tuple[Any, ...]]:
    """Make the rows of the fits to the sizes of a unit."""
    rows: list[tuple[Any, ...]] = []
    head = (found.quantity, found.unit)
    for fit in found.fits:
        test = found.goodness.get(fit.family)
        tail = (fit.aic, fit.delta_aic, fit.akaike_weight, test.p_value if test else None)
        rows += [(*head, fit.family, name, value, *tail) for name, value in fit.parameters.items()]
    mixture = found.mixture
    if mixture is not None:
        name = f"mixture of {mixture.n_components} lognormals"
        for part in ("shares", "medians", "gsds"):
            rows += [
                (*head, name, f"{part.removesuffix('s')} {number}", value, mixture.aic, None, None,
                 None)
                for number, value in enumerate(getattr(mixture, part), 1)
            ]  # fmt: skip
    return rows


def _method(page: Report) -> pd.DataFrame:
    """Write what was done, on what and with what: a row a statement."""
    rows = [("result", "", page.headline), ("made", "", page.made)]
    rows += [("method", "", text) for text in page.method]
    rows.append(("doubtful particles", "", page.doubt_rule))
    rows += [("please note", "", text) for text in page.warnings]
    for image in page.images:
        rows += [("please note", image.file, note) for note in image.notes]
        rows.append(("calibration", image.file, image.calibration))
        rows.append(("SHA-256", image.file, image.sha256))
    for part in page.further:
        rows += _statements(part)
    for block, values in page.settings.items():
        rows += [(f"settings: {block}", key, str(value)) for key, value in values.items()]
    rows += [("software", name, version) for name, version in page.software.items()]
    return pd.DataFrame(rows, columns=["subject", "of", "statement"])


def _statements(part: Section) -> list[tuple[str, str, str]]:
    """Write a section of the report as rows."""
    rows = []
    for block in part.blocks:
        if isinstance(block, Paragraph):
            rows.append((part.title, "", block.text))
        elif isinstance(block, Items):
            rows += [(part.title, term, text) for term, text in block.lines]
        elif isinstance(block, Table):
            rows += [(part.title, row[0], "; ".join(row[1:])) for row in block.rows]
    return rows
