"""Plain values for files that other programs read: no NaN, no numpy, no records."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["json_text", "plain_columns", "plain_value"]


def plain_value(value: Any) -> Any:
    """Turn a value into what JSON knows; numbers that are none become None.

    Parameters
    ----------
    value : any
        Mappings, sequences, arrays, numpy numbers, paths; everything else becomes its text.

    Returns
    -------
    dict, list, str, bool, int, float or None

    Examples
    --------
    >>> plain_value({"sizes": np.array([1.5, np.nan]), "n": np.int64(2)})
    {'sizes': [1.5, None], 'n': 2}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(one) for one in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def json_text(content: Any, *, indent: int | None = 2) -> str:
    """Write JSON that every reader accepts: what is no number is null, never ``NaN``.

    Parameters
    ----------
    content : any
        As `plain_value` takes it.
    indent : int or None
        Blanks a level; None writes one line without blanks.

    Returns
    -------
    str

    Examples
    --------
    >>> json_text({"sd": float("nan")}, indent=None)
    '{"sd":null}'
    """
    marks = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        plain_value(content), indent=indent, separators=marks, ensure_ascii=False, allow_nan=False
    )


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
        values = table[name].to_numpy()
        if values.dtype.kind == "f":
            held = values.astype(object)
            held[~np.isfinite(values)] = None
            columns[str(name)] = held.tolist()
        elif values.dtype.kind in "biu":
            columns[str(name)] = values.tolist()
        else:
            columns[str(name)] = [plain_value(value) for value in values.tolist()]
    return columns
