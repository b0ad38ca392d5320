"""``sem-tools info``: pixel size, label strip and metadata of images."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import SemError
from napari_sem_tools.micrograph import Micrograph

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    options.add_inputs(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--raw", action="store_true", help="all that the file says, in its words")


def run(args: argparse.Namespace, console: Console) -> int:
    """Describe each picture of each file; 1 when some cannot be read."""
    from napari_sem_tools.reading import read_all

    failed = False
    described: list[dict[str, Any]] = []

    def fail(name: str, error: SemError) -> None:
        nonlocal failed
        failed = True
        console.fail(error)
        described.append({"file": name, "error": error.message, "hint": error.hint})

    for path in _files(args.inputs, fail):
        try:
            pictures = read_all(path)
        except SemError as error:
            fail(str(path), error)
            continue
        for image in pictures:
            about = _describe(path, image, raw=args.raw)
            described.append(about)
            if not args.json:
                console.result(_text(about))
    if args.json:
        console.result_json(described)
    return 1 if failed else 0


def _files(inputs: Sequence[str], fail: Callable[[str, SemError], None]) -> Iterator[Path]:
    """List the files of the inputs, each once; an input that is not there is named."""
    from napari_sem_tools.reading import list_files

    seen: set[Path] = set()
    for given in inputs:
        try:
            paths = list_files(given)
        except SemError as error:
            fail(given, error)
            continue
        for path in paths:
            if path not in seen:
                seen.add(path)
                yield path


def _describe(path: Path, image: Micrograph, *, raw: bool) -> dict[str, Any]:
    """Say what an image is, in plain values."""
    calibration = image.calibration
    about: dict[str, Any] = {
        "file": str(path),
        "page": image.page,
        "shape": list(image.pixels.shape),
        "axes": image.axes,
        "dtype": str(image.pixels.dtype),
        "pages": image.n_pages,
        "calibration": {
            "pixel_size_nm": calibration.pixel_size and list(calibration.pixel_size),
            "origin": calibration.origin,
            "evidence": calibration.evidence,
            "relative_uncertainty": calibration.relative_uncertainty,
            "reciprocal_per_nm": calibration.reciprocal and list(calibration.reciprocal),
            "offered_nm": calibration.offered and list(calibration.offered),
            "text": calibration.describe(),
        },
        "data_bar": image.data_bar and list(image.data_bar),
        "field_px": int(image.field.sum()),
        "metadata": dict(image.metadata),
        "notes": list(image.notes),
    }
    if raw:
        about["raw_metadata"] = image.raw_metadata
    return about


def _text(about: dict[str, Any]) -> str:
    """Write a description for people."""
    bar = about["data_bar"]
    uncertainty = about["calibration"]["relative_uncertainty"]
    lines = [
        f"{about['file']}" + (f", page {about['page']}" if about["page"] else ""),
        f"  size: {' x '.join(map(str, about['shape']))} ({about['axes']}), {about['dtype']}",
        f"  calibration: {about['calibration']['text']}"
        + (f", uncertain by {uncertainty:.2%}" if uncertainty else ""),
        f"  label strip: {f'rows {bar[0]} to {bar[1] - 1}' if bar else 'none'}",
    ]
    lines += [f"  {name}: {value}" for name, value in about["metadata"].items()]
    lines += [f"  note: {note}" for note in about["notes"]]
    lines += [f"  [{key}] {value}" for key, value in about.get("raw_metadata", {}).items()]
    return "\n".join(lines)
