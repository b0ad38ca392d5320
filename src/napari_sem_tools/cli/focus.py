"""``sem-tools focus``: how well images are in focus, which position is best, a watched folder."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import InvalidSettings, OutputExists

if TYPE_CHECKING:
    import pandas as pd

    from napari_sem_tools.focus import FocusSeries, FocusWatch
    from napari_sem_tools.focus.files.folder import FileScore
    from napari_sem_tools.focus.files.taught import TaughtScore
    from napari_sem_tools.micrograph import Micrograph

__all__ = ["add_arguments", "run"]

_LOOK_EVERY_S = 0.7


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    options.add_inputs(parser)
    what = parser.add_argument_group("what to do").add_mutually_exclusive_group()
    what.add_argument(
        "--series",
        action="store_true",
        help="the inputs are one series through focus (a stack, a folder): find its best position",
    )
    what.add_argument(
        "--watch",
        action="store_true",
        help="watch the folder and score each new file once, until Ctrl-C",
    )
    parser.add_argument("-o", "--out", metavar="FILE", help="write a CSV, a row an image")
    parser.add_argument(
        "--map",
        metavar="FOLDER",
        help="write FOLDER/NAME.tif: the blur in px over each image, on its grid",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    _add_scoring(parser)
    _add_series(parser)
    _add_watch(parser)
    options.add_calibration(parser)


def _add_scoring(parser: argparse.ArgumentParser) -> None:
    """Add what changes the score and what stands beside it."""
    group = parser.add_argument_group("scoring")
    group.add_argument(
        "--method",
        choices=("auto", "mix", "network", "both"),
        default="auto",
        help="mix needs no PyTorch; auto: network and mix joined where PyTorch works (default)",
    )
    group.add_argument(
        "--measures",
        metavar="NAMES",
        help="classical measures beside the score, separated by commas, or all",
    )
    group.add_argument(
        "--taught",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="use what was taught in the Focus widget on this computer (default)",
    )


def _add_series(parser: argparse.ArgumentParser) -> None:
    """Add what only a series needs."""
    group = parser.add_argument_group("with --series")
    group.add_argument(
        "--positions",
        metavar="FIRST,STEP",
        type=_positions,
        help="focus of the first image and the step; by default what the files say, else 0,1",
    )
    group.add_argument("--unit", metavar="TEXT", help="unit of --positions, e.g. um")


def _add_watch(parser: argparse.ArgumentParser) -> None:
    """Add what only a watched folder needs."""
    group = parser.add_argument_group("with --watch")
    group.add_argument("--new-only", action="store_true", help="leave alone what is there already")
    group.add_argument(
        "--ledger", metavar="FILE", help="remembers what was scored, for the next time"
    )
    group.add_argument("--limit", type=int, metavar="N", help="stop after N files")


def _positions(text: str) -> tuple[float, float]:
    """Read the first position and the step."""
    parts = text.split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST,STEP")
    first, step = (options.number(part) for part in parts)
    if step == 0:
        raise argparse.ArgumentTypeError("a step of 0 is none")
    return first, step


def run(args: argparse.Namespace, console: Console) -> int:
    """Score files, a series or a watched folder; 1 when some file could not be read."""
    _check(args)
    if args.watch:
        return _watch(args, console)
    if args.series:
        return _series(args, console)
    return _files(args, console)


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be done before anything is read."""
    if args.out and Path(args.out).exists() and not args.overwrite:
        raise OutputExists(f"{args.out} exists.", hint="Choose another file, or --overwrite.")
    if args.limit is not None and args.limit < 1:
        raise InvalidSettings("--limit is at least 1.")
    if args.watch and len(args.inputs) != 1:
        raise InvalidSettings("--watch takes one folder.", hint="Give only that.")
    if args.map and (args.watch or args.series):
        raise InvalidSettings("--map is made of single images.", hint="Leave the other out.")


def _scoring(args: argparse.Namespace) -> TaughtScore:
    """Return what scores an image."""
    from napari_sem_tools.focus.files.taught import TaughtScore, read_taught

    frames = read_taught() if args.taught else ()
    return TaughtScore(frames, args.method, _measure_names(args))


def _measure_names(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the measures asked for.

    Raises
    ------
    InvalidSettings
        There is no such measure.
    """
    from napari_sem_tools.focus import MEASURES

    if args.measures == "all":
        return tuple(MEASURES)
    names = [name.strip() for name in (args.measures or "").split(",") if name.strip()]
    for name in names:
        if name not in MEASURES:
            raise InvalidSettings(
                f"There is no focus measure {name}.", hint=f"Known: {', '.join(MEASURES)}."
            )
    return tuple(names)


# --- single images ---------------------------------------------------------------------------


def _files(args: argparse.Namespace, console: Console) -> int:
    """Score each image by itself."""
    from napari_sem_tools.errors import SemError
    from napari_sem_tools.focus.files.folder import score_files, scores_table

    scoring = _scoring(args)
    maps = _Maps(args)

    def heard(row: FileScore, image: Micrograph | None) -> None:
        if row.score is None:
            console.fail(SemError(row.error, hint=row.hint))
            return
        if not args.json:
            console.result(_line(row, scoring.measures))
        if image is not None:
            maps.write(row.file, image)

    rows = score_files(
        args.inputs,
        pixel_size=args.pixel_size,
        width=args.width,
        scoring=scoring,
        heard=heard,
        progress=console.progress if len(args.inputs) > 1 or args.out else None,
        cancel=console.cancel,
    )
    console.end_progress()
    if args.json:
        console.result_json([_plain(row) for row in rows])
    if args.out:
        _write(args.out, scores_table(rows, measures=scoring.measures), console)
    return 1 if any(row.score is None for row in rows) else 0


class _Maps:
    """Writes a map of blur for each image, when that is wanted."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._folder = Path(args.map) if args.map else None
        self._overwrite = bool(args.overwrite)

    def write(self, file: Path, image: Micrograph) -> None:
        """Write the map of an image, in px, on the grid of the image."""
        from napari_sem_tools.focus.network import focus_map
        from napari_sem_tools.tiff import write_tiff

        if self._folder is None:
            return
        place = self._folder / f"{file.stem}.tif"
        if place.exists() and not self._overwrite:
            raise OutputExists(f"{place} exists.", hint="Choose another folder, or --overwrite.")
        plane = image.plane()
        blur = focus_map(plane).on_image(plane.shape, "blur_px")
        write_tiff(place, blur, calibration=plane.calibration)


def _line(row: FileScore, measures: Sequence[str]) -> str:
    """Write a score for people."""
    score = row.score
    if score is None:
        return f"{row.file}: {row.error}"
    if not score.information:
        return f"{row.file}: 0.0; {'; '.join(score.reasons)}"
    low, high = score.interval
    parts = [f"{row.file}: {score.score:.1f} (90 %: {low:.1f} to {high:.1f})"]
    if score.blur_px is not None:
        in_nm = "" if score.blur_nm is None else f" = {score.blur_nm:.3g} nm"
        parts.append(f"added blur {score.blur_px:.1f} px{in_nm}")
    text = ", ".join(parts)
    if score.reasons:
        text += f"; {'; '.join(score.reasons)}"
    values = [f"{name} {score.measures[name]:.4g}" for name in measures if name in score.measures]
    return f"{text}; {', '.join(values)}" if values else text


def _plain(row: FileScore) -> dict[str, Any]:
    """Return a row for machines."""
    found = row.to_dict()
    if row.score is not None:
        found["reasons"] = list(row.score.reasons)
        found["astigmatism"] = row.score.astigmatism
        found["measures"] = dict(row.score.measures)
    return found


def _write(path: str, table: pd.DataFrame, console: Console) -> None:
    """Write a table as CSV."""
    from napari_sem_tools.files import write_text
    from napari_sem_tools.reporting import csv_text

    write_text(path, csv_text(table))
    console.note(f"written: {path}")


# --- a series --------------------------------------------------------------------------------


def _series(args: argparse.Namespace, console: Console) -> int:
    """Find the best position of a series."""
    import numpy as np

    from napari_sem_tools.focus import focus_series
    from napari_sem_tools.reading import list_files, read

    files = list_files(args.inputs)
    scoring = _scoring(args)
    images = [read(one, pixel_size=args.pixel_size, width=args.width) for one in files]
    source: Any = images[0] if len(images) == 1 else images
    count = images[0].n_pages if len(images) == 1 else len(images)
    positions = None
    if args.positions is not None:
        first, step = args.positions
        positions = first + step * np.arange(count)
    series = focus_series(
        source,
        positions,
        measures=scoring.measures,
        score=scoring,
        unit=args.unit if positions is not None else None,
        progress=console.progress,
        cancel=console.cancel,
    )
    console.end_progress()
    names = [one.name for one in files] if len(files) > 1 else [f"page {n}" for n in range(count)]
    names = [names[number] for number in series.order]
    if args.json:
        console.result_json(_series_content(series, names))
    else:
        console.result(_series_text(series, names))
    if args.out:
        table = series.curves.reset_index()
        table.insert(1, "image", names)
        _write(args.out, table, console)
    return 0


def _series_content(series: FocusSeries, names: Sequence[str]) -> dict[str, Any]:
    """Return a series for machines."""
    move = series.suggested_move
    return {
        "best": series.best,
        "interval": list(series.interval),
        "unit": series.unit,
        "inside": series.inside,
        "best_image": names[series.best_frame],
        "measure": series.measure,
        "suggested_move": {
            "position": move.position,
            "reason": move.reason,
            "stop": move.stop,
        },
        "warnings": list(series.warnings),
        "curves": [
            {"image": name, **row}
            for name, row in zip(names, series.curves.reset_index().to_dict("records"), strict=True)
        ],
    }


def _series_text(series: FocusSeries, names: Sequence[str]) -> str:
    """Write a series for people."""
    shown = series.curves[[name for name in series.curves if name not in _ENDS]].copy()
    shown.insert(0, "image", list(names))
    unit = "" if series.unit in ("", "frame") else f" {series.unit}"
    lines = [shown.reset_index().to_string(index=False, float_format=lambda value: f"{value:.4g}")]
    if series.inside:
        low, high = series.interval
        lines.append(
            f"best focus at {series.best:.4g}{unit} (90 %: {low:.4g} to {high:.4g}), "
            f"nearest: {names[series.best_frame]}"
        )
    move = series.suggested_move
    if move.position is not None and not move.stop:
        lines.append(f"look next at {move.position:.4g}{unit} ({move.reason})")
    return "\n".join(lines)


_ENDS = ("score_low", "score_high")


# --- a watched folder ------------------------------------------------------------------------


def _watch(args: argparse.Namespace, console: Console) -> int:
    """Score what appears in a folder until enough, or until Ctrl-C."""
    from napari_sem_tools.errors import SemError
    from napari_sem_tools.files import json_text
    from napari_sem_tools.focus import FocusWatch
    from napari_sem_tools.focus.files.folder import FileScore

    folder = Path(args.inputs[0])
    if not folder.is_dir():
        raise InvalidSettings(f"{folder} is no folder.", hint="Give the folder to be watched.")
    scoring = _scoring(args)
    rows: list[FileScore] = []

    def heard(image: Any) -> None:
        row = FileScore(image.path, image.score, acquired=image.acquired, notes=image.notes)
        rows.append(row)
        if args.json:
            console.result(json_text(_plain(row), indent=None))
        else:
            console.result(_line(row, scoring.measures))
        sys.stdout.flush()

    watch = FocusWatch(
        folder,
        heard,
        on_problem=lambda one: console.fail(SemError(one.message, hint=one.hint)),
        score=scoring,
        skip_existing=args.new_only,
        ledger=args.ledger,
    )
    console.note(f"watching {folder}; Ctrl-C stops")
    _look_until(watch, args, console, rows)
    return 130 if console.cancel() else 0


def _look_until(
    watch: FocusWatch, args: argparse.Namespace, console: Console, rows: Sequence[FileScore]
) -> None:
    """Look again and again; the table on disk holds what was scored so far."""
    from napari_sem_tools.files import write_text
    from napari_sem_tools.focus.files.folder import scores_table
    from napari_sem_tools.reporting import csv_text

    written = 0
    with contextlib.suppress(KeyboardInterrupt):
        while not console.cancel():
            left = None if args.limit is None else args.limit - len(rows)
            if left == 0:
                break
            watch.poll(most=left, cancel=console.cancel)
            if args.out and len(rows) > written:
                written = len(rows)
                table = scores_table(rows, measures=_measure_names(args))
                write_text(args.out, csv_text(table))
            time.sleep(_LOOK_EVERY_S)
    console.note(f"{len(rows)} files scored")
