"""``sem-tools segment``: find the particles and write label images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import OutputExists, SemError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    options.add_inputs(parser)
    parser.add_argument(
        "-o", "--out", required=True, metavar="FOLDER", help="writes FOLDER/labels/NAME.tif"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace existing label images")
    options.add_page(parser)
    options.add_calibration(parser)
    options.add_regions(parser)
    options.add_method(parser, arguments)


def run(args: argparse.Namespace, console: Console) -> int:
    """Segment each input; 1 when some failed."""
    from napari_sem_tools.analysis import resolve
    from napari_sem_tools.segmentation import choose_method
    from napari_sem_tools.tasks import part_of, stop_if_cancelled

    choice = choose_method(args.method)
    plan = resolve(
        args.inputs,
        args.out,
        method=choice.name,
        settings=options.settings_from(args, choice.row.settings),
        page=args.page,
        pixel_size=args.pixel_size,
        width=args.width,
        roi=args.roi,
        roi_exclude=args.roi_exclude,
        replaces_out=False,
    )
    if choice.reason:
        console.note(f"note: {choice.reason}")
    written: list[dict[str, Any]] = []
    failed = False
    total = len(plan.sources)
    for number, source in enumerate(plan.sources):
        stop_if_cancelled(console.cancel)
        part = part_of(console.progress, number / total, (number + 1) / total)
        try:
            written += _segment(source, plan, args, (part, console.cancel))
        except OutputExists:
            raise
        except SemError as error:
            console.fail(error)
            failed = True
    if args.json:
        console.result_json(written)
    else:
        for one in written:
            console.result(f"{one['labels']}: {one['particles']} particles")
    return 1 if failed else 0


def _segment(
    source: Any, plan: Any, args: argparse.Namespace, watch: tuple[Any, Any]
) -> list[dict[str, Any]]:
    """Segment every page of a source and write the labels."""
    from napari_sem_tools.analysis import read_source
    from napari_sem_tools.segmentation import segment
    from napari_sem_tools.tiff import write_tiff

    progress, cancel = watch
    pages = list(read_source(source, plan))
    written = []
    for image in pages:
        name = source.name if len(pages) == 1 else f"{source.name}_page{image.page}"
        place = plan.out / "labels" / f"{name}.tif"
        if place.exists() and not args.overwrite:
            raise OutputExists(f"{place} exists.", hint="Choose another folder, or --overwrite.")
        found = segment(
            image, plan.method, settings=plan.settings, progress=progress, cancel=cancel
        )
        write_tiff(place, found.labels, calibration=image.calibration)
        written.append(
            {
                "file": source.file,
                "page": image.page,
                "labels": str(place),
                "particles": found.count,
                "method": found.method,
                "settings": found.settings,
                "calibration": image.calibration.describe(),
                "notes": [*image.notes, *found.notes],
            }
        )
    return written
