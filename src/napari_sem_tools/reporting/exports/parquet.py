"""Parquet: the particle table with unit, formula and source in the metadata of each column."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from napari_sem_tools._version import __version__
from napari_sem_tools.errors import MissingExtra
from napari_sem_tools.files import json_text, write_file

__all__ = ["write_parquet"]

_INT32 = 2**31


def write_parquet(
    path: str | os.PathLike[str],
    table: pd.DataFrame,
    *,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a table as Parquet, with full precision and with its units.

    Parameters
    ----------
    path : path-like
        Ends in ``.parquet``.
    table : DataFrame
        The index is kept.  Texts are stored as categories, whole-number indices as int32.
    columns : mapping of str to mapping, optional
        What to write beside a column, such as ``{"ecd_nm": {"unit": "nm"}}``.
    metadata : mapping, optional
        What to write beside the table, as JSON under ``napari_sem_tools``.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    MissingExtra
        pyarrow is not installed.
    SemError
        The file cannot be written.

    Notes
    -----
    `pandas.read_parquet` gives the table back, its `attrs` included;
    ``pyarrow.parquet.read_schema(path).field("ecd_nm").metadata`` gives the unit.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Parquet files need pyarrow.", extra="fast") from error
    stored = pa.Table.from_pandas(_compact(table))
    notes = columns or {}
    fields = [
        field.with_metadata({k: str(v) for k, v in notes[field.name].items()})
        if field.name in notes
        else field
        for field in stored.schema
    ]
    about = {"software": f"napari-sem-tools {__version__}", **(metadata or {})}
    kept = dict(stored.schema.metadata or {}) | {b"napari_sem_tools": json_text(about).encode()}
    stored = stored.cast(pa.schema(fields, metadata=kept))
    return write_file(path, lambda file: pq.write_table(stored, file, compression="zstd"))


def _compact(table: pd.DataFrame) -> pd.DataFrame:
    """Store texts as categories and labels as int32; the attributes become plain values."""
    small = table.copy(deep=False)
    for name in small.columns:
        if small[name].dtype.kind not in "biuf":
            small[name] = small[name].astype("category")
    index = small.index
    if index.dtype.kind in "iu" and (not len(index) or int(index.max()) < _INT32):
        small.index = index.astype("int32")
    import json

    small.attrs = json.loads(json_text(table.attrs))
    return small
