"""Columns of a table as plain values, for files that other programs read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_sem_tools.files import plain_value

__all__ = ["plain_columns"]


def plain_columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the columns of a table as lists of plain values; what is missing is None.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    dict of str to list
    """
    columns: dict[str, list[Any]] = {}
    for name in table.columns:
        column = table[name]
        if column.dtype.kind in "biu" and column.hasnans:  # whole numbers, some of them missing
            columns[str(name)] = column.astype(object).where(column.notna(), None).tolist()
            continue
        values = column.to_numpy()
        if values.dtype.kind == "f":
            held = values.astype(object)
            held[~np.isfinite(values)] = None
            columns[str(name)] = held.tolist()
        elif values.dtype.kind in "biu":
            columns[str(name)] = values.tolist()
        else:
            columns[str(name)] = [plain_value(value) for value in values.tolist()]
    return columns
