"""``sem-tools evaluate``: score found particles against the truth."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import InvalidSettings, NotCalibrated, OutputExists, SemError

if TYPE_CHECKING:
    from napari_sem_tools.evaluation import ClassScores, Pair, Protocol, Scores

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    parser.add_argument(
        "truth",
        metavar="TRUTH",
        help="label image (0 background, 1 to n), or a folder of them, or one with masks/; or "
        "predictions.csv of trainings of categories, one or all folds",
    )
    parser.add_argument(
        "predicted",
        metavar="PREDICTED",
        nargs="*",
        help="label image of the same size, or a folder of the same names, or of results",
    )
    parser.add_argument(
        "--images", metavar="PATH", help="image or folder of images, for the page and its scale"
    )
    parser.add_argument("--page", metavar="FILE", help="write a page with pictures: .html or .pdf")
    parser.add_argument("--csv", metavar="FILE", help="write a row an image")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    _add_scoring(parser)
    _add_protocol(parser)


def _add_scoring(parser: argparse.ArgumentParser) -> None:
    """Add what changes the scores."""
    group = parser.add_argument_group("scoring")
    group.add_argument(
        "--pixel-size",
        type=options.number,
        metavar="NM",
        help="to give sizes in nm; by default that of --images",
    )
    group.add_argument(
        "--rows",
        type=_rows,
        metavar="A:B",
        help="only rows A to B - 1, e.g. 0:712, or the first, e.g. 712",
    )
    group.add_argument(
        "--min-area", type=int, default=1, metavar="PX", help="leave smaller particles out"
    )
    group.add_argument(
        "--tolerance-px",
        type=options.number,
        default=2.0,
        metavar="PX",
        help="how far an outline may be off for boundary F1 (default 2)",
    )
    group.add_argument(
        "--classes", action="store_true", help="pixels hold classes, such as phases: IoU and Dice"
    )
    group.add_argument(
        "--missing-is-empty",
        action="store_true",
        help="where nothing was predicted, nothing was found; else that is an error",
    )


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    """Add what the page and the JSON say about where the numbers come from."""
    group = parser.add_argument_group("said beside the scores")
    group.add_argument("--data-set", default="", metavar="TEXT", help="name of the images")
    group.add_argument("--split", default="", metavar="TEXT", help="which of them, e.g. test")
    group.add_argument("--model", default="", metavar="TEXT", help="what found the particles")
    group.add_argument("--training-seed", type=int, metavar="N", help="of the model's training")
    group.add_argument(
        "--draws", type=int, default=2000, metavar="N", help="of the bootstrap (default 2000)"
    )
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the bootstrap (default 0)"
    )
    group.add_argument(
        "--opacity",
        type=options.number,
        default=0.35,
        metavar="X",
        help="of the colours over the images, 0 to 1 (default 0.35)",
    )
    group.add_argument(
        "--shown", type=int, default=3, metavar="N", help="best and worst images (default 3 each)"
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Score pairs of label images; 1 when some failed."""
    from napari_sem_tools.evaluation import Protocol, pair_files

    if Path(args.truth).suffix.lower() == ".csv":
        from napari_sem_tools.cli.named_images import say_named_images

        return say_named_images([args.truth, *args.predicted], args.json, console)
    if len(args.predicted) != 1:
        raise InvalidSettings("Give the truth and what was found: two files, or two folders.")
    (args.predicted,) = args.predicted
    _check(args)
    pairs = pair_files(
        args.truth, args.predicted, args.images, missing_is_empty=args.missing_is_empty
    )
    if args.classes:
        return _run_classes(args, console, pairs)
    protocol = Protocol(
        data_set=args.data_set,
        split=args.split,
        model=args.model,
        training_seed=args.training_seed,
        n_boot=args.draws,
        seed=args.seed,
    ).with_results(args.predicted)
    scores, pairs, failed = _score(args, console, pairs)
    if args.csv:
        _write_csv(args.csv, scores)
    if args.page:
        _write_page(args, scores, pairs, protocol)
    single = not Path(args.truth).is_dir()
    if args.json:
        console.result_json(scores.mean if single else _as_dict(scores, protocol))
    elif single:
        _say(console, [(name, f"{value:.4g}") for name, value in scores.mean.items()])
    else:
        _say_table(console, scores, protocol)
    for path in filter(None, (args.page, args.csv)):
        console.note(f"written: {path}")
    return 1 if failed else 0


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be done before anything is read."""
    for path in filter(None, (args.page, args.csv)):
        if Path(path).exists() and not args.overwrite:
            raise OutputExists(f"{path} exists.", hint="Choose another file, or --overwrite.")
    if args.draws < 0 or args.seed < 0:
        raise InvalidSettings("--draws and --seed are whole numbers from 0 on.")
    if args.pixel_size is not None and not 0 < args.pixel_size < math.inf:
        raise InvalidSettings(f"A pixel of {args.pixel_size:g} nm cannot be.")
    if not 0 <= args.tolerance_px < math.inf:
        raise InvalidSettings(f"An outline cannot be off by {args.tolerance_px:g} px.")
    if args.page:
        from napari_sem_tools.evaluation.page import check_page

        check_page(args.page, args.opacity)
    if args.classes and (args.page or args.csv):
        raise InvalidSettings(
            "Pages and tables are made of particles, not of classes.", hint="Use --json."
        )


def _score(
    args: argparse.Namespace, console: Console, pairs: Sequence[Pair]
) -> tuple[Scores, list[Pair], bool]:
    """Score the pairs that can be read; name the others."""
    from napari_sem_tools.evaluation import Scores, count_image
    from napari_sem_tools.tasks import stop_if_cancelled

    counts, done = [], []
    for number, pair in enumerate(pairs):
        stop_if_cancelled(console.cancel)
        if len(pairs) > 1:
            console.progress(number, len(pairs), f"scoring {pair.name}")
        try:
            truth, found = pair.labels()
            one = count_image(
                truth,
                found,
                rows=args.rows,
                min_area=args.min_area,
                tolerance_px=args.tolerance_px,
                name=pair.name,
            )
        except SemError as error:
            if len(pairs) == 1:
                raise
            console.fail(type(error)(f"{pair.name}: {error.message}", hint=error.hint))
            continue
        counts.append(one)
        done.append(pair)
    if not counts:
        raise InvalidSettings("None of the images can be scored.")
    size = _pixel_size(args, console, done)
    return Scores(tuple(counts), size, args.rows, args.min_area), done, len(done) < len(pairs)


def _pixel_size(args: argparse.Namespace, console: Console, pairs: Sequence[Pair]) -> float | None:
    """Return the typed pixel size, else that of the images if all have the same."""
    if args.pixel_size is not None or args.images is None:
        return None if args.pixel_size is None else float(args.pixel_size)
    from napari_sem_tools.reading import read

    sizes = set()
    for pair in pairs:
        try:
            sizes.add(read(pair.image).calibration.nm_per_px if pair.image else None)
        except NotCalibrated:
            sizes.add(None)
    size = sizes.pop() if len(sizes) == 1 else None
    if size is None or abs(size[0] / size[1] - 1) > 1e-3:
        console.note("note: the images have no pixel size in common; sizes are in px")
        return None
    return float(math.sqrt(size[0] * size[1]))


def _write_csv(path: str, scores: Scores) -> None:
    """Write a row an image."""
    import pandas as pd

    from napari_sem_tools.files import write_text
    from napari_sem_tools.reporting import csv_text

    rows = zip(scores.images, scores.per_image(), strict=True)
    table = pd.DataFrame([{"image": counts.name} | row for counts, row in rows])
    write_text(path, csv_text(table))


def _write_page(
    args: argparse.Namespace, scores: Scores, pairs: Sequence[Pair], protocol: Protocol
) -> None:
    """Write the page."""
    from napari_sem_tools.evaluation import Scene, write_page

    write_page(
        args.page,
        scores,
        scenes=lambda number: Scene.of(pairs[number]),
        protocol=protocol,
        opacity=args.opacity,
        shown=args.shown,
    )


def _as_dict(scores: Scores, protocol: Protocol) -> dict[str, Any]:
    """Gather all numbers, for machines."""
    import dataclasses

    summary = scores.summary(n_boot=protocol.n_boot, seed=protocol.seed)
    classes = scores.recall_by_size(n_boot=protocol.n_boot, seed=protocol.seed)
    parts = {
        kind: {
            name.removeprefix(kind + "_"): dataclasses.asdict(one)
            for name, one in summary.items()
            if name.startswith(kind)
        }
        for kind in ("mean", "pooled")
    }
    rows = zip(scores.images, scores.per_image(), strict=True)
    return {
        "images": len(scores.images),
        "protocol": protocol.rows(),
        "pixel_size_nm": scores.pixel_size,
        **parts,
        "range": scores.ranges(),
        "sizes": {name: {"true": t, "found": f} for name, (t, f) in scores.sizes().items()},
        "recall_by_size": [dataclasses.asdict(one) for one in classes],
        "per_image": [{"image": counts.name} | row for counts, row in rows],
    }


def _say_table(console: Console, scores: Scores, protocol: Protocol) -> None:
    """Write every score with intervals, then recall by size."""
    from napari_sem_tools.evaluation import SCORES

    summary = scores.summary(n_boot=protocol.n_boot, seed=protocol.seed)
    ranges = scores.ranges()
    for name, text in protocol.rows().items():
        console.note(f"{name}: {text}")
    lines = [("score", "mean over images", "range", "all particles")]
    for name in SCORES:
        if f"mean_{name}" in summary:
            low, high = ranges[name]
            mean, pooled = summary[f"mean_{name}"], summary[f"pooled_{name}"]
            lines.append((name, str(mean), f"{low:.3f} to {high:.3f}", str(pooled)))
    _say(console, lines)
    classes = scores.recall_by_size(n_boot=protocol.n_boot, seed=protocol.seed)
    if classes:
        console.result("")
        heads = [(f"ECD, {classes[0].unit}", "true", "found", "recall")]
        rows = [(f"{c.low:.4g} to {c.high:.4g}", c.true, c.found, c.recall) for c in classes]
        _say(console, [*heads, *rows])


def _run_classes(args: argparse.Namespace, console: Console, pairs: Sequence[Pair]) -> int:
    """Score the classes of pixels."""
    from napari_sem_tools.evaluation import evaluate_classes

    labels = [pair.labels() for pair in pairs]
    scores = evaluate_classes([t for t, _ in labels], [f for _, f in labels], rows=args.rows)
    summary = scores.summary(n_boot=args.draws, seed=args.seed)
    if args.json:
        console.result_json(_classes_as_dict(scores, summary, [pair.name for pair in pairs]))
        return 0
    _say(console, [("score", "value"), *((name, str(one)) for name, one in summary.items())])
    console.result("")
    ranges = [
        (f"{name} of an image", f"{low:.3f} to {high:.3f}")
        for name, (low, high) in scores.ranges().items()
    ]
    _say(console, ranges)
    return 0


def _classes_as_dict(
    scores: ClassScores, summary: dict[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    """Gather the scores of classes, for machines."""
    import dataclasses

    return {
        "images": len(names),
        "classes": list(scores.classes),
        "scores": {name: dataclasses.asdict(one) for name, one in summary.items()},
        "range": scores.ranges(),
        "per_image": [
            {"image": name, "iou": iou.tolist(), "dice": dice.tolist()}
            for name, iou, dice in zip(names, scores.iou, scores.dice, strict=True)
        ],
    }


def _say(console: Console, lines: Iterable[Sequence[Any]]) -> None:
    """Write lines with their columns below each other."""
    cells = [[str(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        console.result("  ".join(padded).rstrip())


def _rows(text: str) -> tuple[int, int]:
    """Read ``A:B``, or ``B`` for the first rows."""
    try:
        first, stop = (int(part) for part in (text if ":" in text else f"0:{text}").split(":"))
        if not 0 <= first < stop:
            raise ValueError(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not A:B") from None
    return first, stop
