"""``sem-tools analyze``: images in; figures, tables and a report out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import InvalidSettings, SemError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    from napari_sem_tools.analysis.exports import EXPORTS
    from napari_sem_tools.measurement import MeasureSettings
    from napari_sem_tools.statistics import StatisticsSettings

    options.add_inputs(parser, optional=True)
    parser.add_argument("-o", "--out", required=True, metavar="FOLDER", help="where results go")
    parser.add_argument(
        "--sample", action="store_true", help="analyse a sample image that is made here"
    )
    parser.add_argument("--json", action="store_true", help="write summary.json to stdout")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument("--resume", action="store_true", help="go on with a stopped run")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N inputs")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default 1)")
    parser.add_argument("--shard", metavar="I/N", help="only the I-th of N shares of the inputs")
    parser.add_argument(
        "--export",
        "--exports",
        dest="exports",
        action="append",
        metavar="NAMES",
        help=f"further files, separated by commas: {', '.join(EXPORTS)}, or all",
    )
    options.add_page(parser)
    options.add_calibration(parser)
    options.add_regions(parser)
    options.add_method(parser, arguments)
    options.add_settings(parser, MeasureSettings, "settings of measuring")
    options.add_settings(parser, StatisticsSettings, "settings of the statistics")


def run(args: argparse.Namespace, console: Console) -> int:
    """Analyse the inputs; 1 when some failed."""
    from napari_sem_tools.analysis import analyze
    from napari_sem_tools.measurement import MeasureSettings
    from napari_sem_tools.segmentation import choose_method
    from napari_sem_tools.statistics import StatisticsSettings

    choice = choose_method(args.method)
    result = analyze(
        _inputs(args),
        args.out,
        method=choice.name,
        settings=options.settings_from(args, choice.row.settings),
        measure_settings=options.settings_from(args, MeasureSettings),
        statistics_settings=options.settings_from(args, StatisticsSettings),
        page=args.page,
        pixel_size=args.pixel_size,
        width=args.width,
        roi=args.roi,
        roi_exclude=args.roi_exclude,
        exports=args.exports,
        overwrite=args.overwrite,
        resume=args.resume,
        limit=args.limit,
        workers=args.workers,
        shard=args.shard,
        progress=console.progress,
        cancel=console.cancel,
    )
    for image in result.failed:
        console.fail(SemError(image.error, hint=image.hint))
    if choice.reason:
        console.note(f"note: {choice.reason}")
    if args.json:
        console.result_json(result.summary)
    else:
        _tell(result, console)
    return 1 if result.failed else 0


def _inputs(args: argparse.Namespace) -> list[str | Path]:
    """Return the inputs, the sample among them where asked."""
    inputs: list[str | Path] = list(args.inputs)
    if args.sample:
        inputs.append(_sample())
    if not inputs:
        raise InvalidSettings(
            "There is no input.", hint="Name a file or a folder, or use --sample."
        )
    return inputs


def _sample() -> Path:
    """Write the sample image where caches are kept, so that the run can be repeated."""
    import tempfile

    import platformdirs

    from napari_sem_tools.simulation import write_sample

    try:
        return write_sample(Path(platformdirs.user_cache_dir("napari-sem-tools")) / "samples")
    except SemError:  # a home that cannot be written to
        return write_sample(tempfile.mkdtemp(prefix="sem-tools-"))


def _tell(result: Any, console: Console) -> None:
    """Write the main numbers and where the report is."""
    for unit, numbers in result.summary["statistics"].items():
        if numbers["n"]:
            deviation = "–" if numbers["sd"] is None else f"{numbers['sd']:.4g}"
            console.result(
                f"{numbers['n']} particles: mean {numbers['mean']:.4g} {unit}, median "
                f"{numbers['median']:.4g} {unit}, standard deviation {deviation} {unit}"
            )
        else:
            console.result(f"0 particles counted ({unit})")
    console.result(str(result.report))
