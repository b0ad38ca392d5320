"""The CSV files: UTF-8, a point as decimal mark, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["csv_text", "safe_cell", "sizes_text"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t")
_BREAKS = re.compile(r"[\r\n\x00]")
_QUANTITIES = ("mean", "median", "standard deviation")


def safe_cell(value: Any) -> Any:
    """Keep a text from being run as a formula, by an apostrophe in front, and in one line.

    Examples
    --------
    >>> safe_cell("=HYPERLINK(1)"), safe_cell("S-4800"), safe_cell(-1.5)
    ("'=HYPERLINK(1)", 'S-4800', -1.5)
    """
    if not isinstance(value, str):
        return value
    line = _BREAKS.sub(" ", value)
    return "'" + line if line.startswith(_FORMULA_STARTS) else line


def csv_text(table: pd.DataFrame, *, index: bool = False) -> str:
    """Write a table as CSV text.

    Parameters
    ----------
    table : DataFrame
        Numbers keep all their digits; what is missing is empty.
    index : bool
        True to write the index as the first column.

    Returns
    -------
    str
        Lines end in a line feed.
    """
    safe = table.reset_index() if index else table.copy(deep=False)
    safe.columns = [safe_cell(str(name)) for name in safe.columns]
    for name in safe.columns:
        column = safe[name]
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
            safe[name] = column.map(safe_cell)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def sizes_text(table: pd.DataFrame) -> str:
    """Write the sizes as the NanoSolveIT web tool gives them.

    Parameters
    ----------
    table : DataFrame
        As `measure` returns it; particles that are not ``included`` are left out.

    Returns
    -------
    str
        CSV with the columns ``quantity`` and ``ecd_nm`` (``ecd_px`` without calibration;
        both when only some images are calibrated): mean, median, standard deviation, then
        the size of every counted particle.
    """
    counted = table.loc[table["included"].to_numpy(bool)] if len(table) else table
    columns = _sizes_by_unit(counted)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["quantity", *(f"ecd_{unit}" for unit in columns)])
    for quantity, values in zip(
        _QUANTITIES, zip(*map(_mean_median_sd, columns.values()), strict=True), strict=True
    ):
        writer.writerow([quantity, *map(_number, values)])
    for place, sizes in enumerate(columns.values()):
        padding = [""] * (len(columns) - 1)
        for size in sizes.tolist():
            cells = padding.copy()
            cells.insert(place, repr(size))
            writer.writerow(["size", *cells])
    return buffer.getvalue()


def _sizes_by_unit(counted: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the sizes in nm where they are known, and in px where they are not."""
    if "ecd_nm" not in counted:
        px = counted["ecd_px"].to_numpy(float) if "ecd_px" in counted else np.empty(0)
        return {"px": px}
    nm = counted["ecd_nm"].to_numpy(float)
    known = np.isfinite(nm)
    sizes = {"nm": nm[known]}
    if not known.all():
        sizes["px"] = counted["ecd_px"].to_numpy(float)[~known]
    return sizes


def _mean_median_sd(sizes: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return mean, median and standard deviation (n - 1); NaN where there is none."""
    if sizes.size == 0:
        return np.nan, np.nan, np.nan
    deviation = float(sizes.std(ddof=1)) if sizes.size > 1 else np.nan
    return float(sizes.mean()), float(np.median(sizes)), deviation


def _number(value: float) -> str:
    """Write a number with all its digits, nothing when there is none."""
    return repr(float(value)) if np.isfinite(value) else ""
