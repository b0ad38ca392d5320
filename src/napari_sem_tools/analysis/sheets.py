"""The sheets of the workbook: particles, images, summary, fit, method."""

from __future__ import annotations

from typing import Any

import pandas as pd

from napari_sem_tools.analysis.finished import Finished
from napari_sem_tools.measurement import Summary
from napari_sem_tools.reporting import Items, Paragraph, Report, Section, Table

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
        "method": _method(page),
    }


def _summary(finished: Finished) -> pd.DataFrame:
    """Make a row a statistic."""
    rows = [row for one in finished.summaries.values() for row in _statistics(one)]
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
