"""``sem-tools classify``: teach categories from folders of examples, and name images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import InvalidSettings, OutputExists, UnreadableFile

if TYPE_CHECKING:
    import pandas as pd

    from napari_sem_tools.classification import Categories

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    from napari_sem_tools.classification import TeachSettings

    options.add_inputs(parser, optional=True)
    parser.add_argument(
        "--categories",
        metavar="FOLDER",
        required=True,
        help="where the categories are kept, or the name of a trained model",
    )
    parser.add_argument(
        "--teach",
        metavar="EXAMPLES",
        help="first teach them: a folder that has a folder of images for every category",
    )
    parser.add_argument("-o", "--out", metavar="FILE", help="write a CSV, a row an image")
    parser.add_argument(
        "--whole", action="store_true", help="parts do not vote: a network takes a seventh"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    options.add_settings(parser, TeachSettings, "with --teach")


def run(args: argparse.Namespace, console: Console) -> int:
    """Teach, name images, or both; 1 when some file could not be read."""
    if not args.inputs and not args.teach:
        raise InvalidSettings("There is nothing to do.", hint="Give images, or --teach EXAMPLES.")
    for place in (args.out, args.categories if args.teach else None):
        if place and Path(place).exists() and not args.overwrite:
            raise OutputExists(f"{place} exists.", hint="Choose another name, or --overwrite.")
    categories = _taught(args, console) if args.teach else args.categories
    return _named(args, categories, console) if args.inputs else 0


def _taught(args: argparse.Namespace, console: Console) -> Categories:
    """Teach the categories and keep them."""
    from napari_sem_tools.classification import TeachSettings, teach

    categories = teach(
        args.teach,
        settings=options.settings_from(args, TeachSettings),
        progress=console.progress,
        cancel=console.cancel,
    )
    console.end_progress()
    categories.save(args.categories, overwrite=args.overwrite)
    counts = ", ".join(f"{name} {count}" for name, count in categories.examples.counts.items())
    console.note(
        f"written: {args.categories} ({counts}; of left-out examples "
        f"{categories.report['accuracy']:.0%} are named right, by {categories.head_name})"
    )
    return categories


def _named(args: argparse.Namespace, categories: Categories | str, console: Console) -> int:
    """Name images; with a file to write, a run that was stopped goes on."""
    from napari_sem_tools.classification import classify
    from napari_sem_tools.classification.ledger import partial_of

    table = classify(
        args.inputs,
        categories,
        parts=not args.whole,
        ledger=args.out,
        progress=console.progress,
        cancel=console.cancel,
    )
    console.end_progress()
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    for row in rows:
        if row["error"]:
            console.fail(UnreadableFile(row["error"], hint="The other images are done."))
        elif not args.json:
            console.result(_line(row))
    if args.json:
        console.result_json(rows)
    if args.out:
        _write(args.out, table, console)
        partial_of(args.out).unlink(missing_ok=True)
    return 1 if any(row["error"] for row in rows) else 0


def _line(row: dict[str, Any]) -> str:
    """Write a row for people."""
    if not row["category"]:
        return f"{row['image']}: {row['answer']}" + (f", {row['reason']}" if row["reason"] else "")
    text = f"{row['image']}: {row['category']} ({row['confidence']:.0%})"
    if row["answer"] == "category":
        return text
    return f"{text}; {row['answer']}: {', '.join(row['possible'])}"


def _write(path: str, table: pd.DataFrame, console: Console) -> None:
    """Write the table as CSV."""
    from napari_sem_tools.files import write_text
    from napari_sem_tools.reporting import csv_text

    sets = [", ".join(one) if isinstance(one, tuple) else "" for one in table["possible"]]
    write_text(path, csv_text(table.assign(possible=sets)))
    console.note(f"written: {path}")
