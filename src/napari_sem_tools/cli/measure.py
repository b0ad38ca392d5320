"""``sem-tools measure``: measure labelled particles and write a table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import InvalidSettings, OutputExists

__all__ = ["add_arguments", "read_labels", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    from napari_sem_tools.measurement import MeasureSettings

    parser.add_argument(
        "labels", metavar="LABELS", help="label image: 0 background, 1 to n particles"
    )
    parser.add_argument("image", metavar="IMAGE", help="the image that the labels belong to")
    parser.add_argument("-o", "--out", metavar="FILE", help="CSV to write; without it, to stdout")
    parser.add_argument("--json", action="store_true", help="write the statistics as JSON instead")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    options.add_calibration(parser)
    options.add_regions(parser)
    options.add_settings(parser, MeasureSettings, "settings of measuring")


def run(args: argparse.Namespace, console: Console) -> int:
    """Measure one label image."""
    from napari_sem_tools.files import write_text
    from napari_sem_tools.measurement import MeasureSettings, measure, summarize
    from napari_sem_tools.reading import read
    from napari_sem_tools.reporting import csv_text

    if args.out and Path(args.out).exists() and not args.overwrite:
        raise OutputExists(f"{args.out} exists.", hint="Choose another file, or --overwrite.")
    settings = options.settings_from(args, MeasureSettings)
    image = _within_regions(read(args.image, pixel_size=args.pixel_size, width=args.width), args)
    table = measure(read_labels(args.labels), image, settings=settings)
    for note in table.attrs.get("notes", ()):
        console.note(f"note: {note}")
    text = csv_text(table, index=True)
    if args.out:
        write_text(args.out, text)
    if args.json:
        console.result_json(summarize(table).to_dict())
    elif args.out:
        console.result(f"{args.out}: {len(table)} particles")
    else:
        console.result(text.rstrip("\n"))
    return 0


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


def _within_regions(image: Any, args: argparse.Namespace) -> Any:
    """Leave out of the field what the user left out."""
    from napari_sem_tools.reading import read_regions, region_mask

    field = image.field
    if args.roi:
        field = field & region_mask(read_regions(args.roi), image.shape)
    if args.roi_exclude:
        field = field & ~region_mask(read_regions(args.roi_exclude), image.shape)
    return image.replace(field=field)
