"""``sem-tools evaluate``: score found particles against the truth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.cli.measure import read_labels

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    parser.add_argument("truth", metavar="TRUTH", help="label image: 0 background, 1 to n")
    parser.add_argument("predicted", metavar="PREDICTED", help="label image of the same size")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument(
        "--pixel-size", type=options.number, metavar="NM", help="to give sizes in nm"
    )
    parser.add_argument(
        "--rows",
        type=_rows,
        metavar="A:B",
        help="only rows A to B - 1, e.g. 0:712, or the first, e.g. 712",
    )
    parser.add_argument(
        "--min-area", type=int, default=1, metavar="PX", help="leave smaller particles out"
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Score one pair of label images."""
    from napari_sem_tools.evaluation import evaluate

    scores = evaluate(
        read_labels(args.truth),
        read_labels(args.predicted),
        pixel_size=args.pixel_size,
        rows=args.rows,
        min_area=args.min_area,
    )
    values = scores.mean
    if args.json:
        console.result_json(values)
        return 0
    width = max(map(len, values))
    for name, value in values.items():
        console.result(f"{name:{width}}  {value:.4g}")
    return 0


def _rows(text: str) -> tuple[int, int]:
    """Read ``A:B``, or ``B`` for the first rows."""
    try:
        first, stop = (int(part) for part in (text if ":" in text else f"0:{text}").split(":"))
        if not 0 <= first < stop:
            raise ValueError(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not A:B") from None
    return first, stop
