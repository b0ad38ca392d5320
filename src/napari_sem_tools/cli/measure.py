"""``sem-tools measure``: measure labelled particles and write a table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import InvalidSettings, OutputExists

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["add_arguments", "read_labels", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    from napari_sem_tools.measurement import MeasureSettings

    parser.add_argument(
        "labels", metavar="LABELS", help="label image: 0 background, 1 to n particles"
    )
    parser.add_argument("image", metavar="IMAGE", help="the image that the labels belong to")
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        help="CSV to write, or XLSX or Parquet by its name; without it, to stdout",
    )
    parser.add_argument("--json", action="store_true", help="write the statistics as JSON instead")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    options.add_calibration(parser)
    options.add_regions(parser)
    options.add_settings(parser, MeasureSettings, "settings of measuring")


def run(args: argparse.Namespace, console: Console) -> int:
    """Measure one label image."""
    from napari_sem_tools.analysis import wished_region, within_regions
    from napari_sem_tools.measurement import MeasureSettings, measure, summarize
    from napari_sem_tools.reading import read
    from napari_sem_tools.reporting import csv_text

    if args.out and Path(args.out).exists() and not args.overwrite:
        raise OutputExists(f"{args.out} exists.", hint="Choose another file, or --overwrite.")
    settings = options.settings_from(args, MeasureSettings)
    roi, roi_exclude = wished_region(args.roi), wished_region(args.roi_exclude)
    image = read(args.image, pixel_size=args.pixel_size, width=args.width)
    image = within_regions(image, roi, roi_exclude)
    table = measure(read_labels(args.labels), image, settings=settings)
    for note in table.attrs.get("notes", ()):
        console.note(f"note: {note}")
    if args.out:
        _write(args.out, table)
    if args.json:
        console.result_json(summarize(table).to_dict())
    elif args.out:
        console.result(f"{args.out}: {len(table)} particles")
    else:
        console.result(csv_text(table, index=True).rstrip("\n"))
    return 0


def _write(path: str, table: pd.DataFrame) -> None:
    """Write the table in the format that the name asks for."""
    from napari_sem_tools.files import write_text
    from napari_sem_tools.measurement import COLUMNS, DECISIONS
    from napari_sem_tools.reporting import csv_text
    from napari_sem_tools.reporting.exports import write_parquet, write_workbook

    kind = Path(path).suffix.lower()
    if kind == ".xlsx":
        titles = {column.name: column.title for column in COLUMNS + DECISIONS}
        write_workbook(path, {"particles": table}, titles=titles)
    elif kind == ".parquet":
        notes = {c.name: {"unit": c.unit, "formula": c.formula} for c in COLUMNS + DECISIONS}
        write_parquet(path, table, columns=notes)
    else:
        write_text(path, csv_text(table, index=True))


def read_labels(path: str) -> NDArray[np.int64]:
    """Read a label image; numbers beyond 65,535 are kept as floats in TIFF."""
    from napari_sem_tools.reading import read

    stored = np.asarray(read(path).pixels)
    if stored.dtype.kind == "f" and not np.array_equal(stored, np.round(stored)):
        raise InvalidSettings(
            f"{path} is no label image: it holds fractions.",
            hint="Labels come first, then the image.",
        )
    return stored.astype(np.int64)
