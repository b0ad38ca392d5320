"""The page of a model or of a folder of results: scores, errors, best and worst images."""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sem_tools._version import __version__
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.names import SCORES
from napari_sem_tools.evaluation.protocol import Protocol
from napari_sem_tools.evaluation.scenes import LEGEND, Scene, scene_png
from napari_sem_tools.files import write_text
from napari_sem_tools.reporting import blocks
from napari_sem_tools.reporting.records import short

if TYPE_CHECKING:
    from napari_sem_tools.evaluation.estimates import Estimate
    from napari_sem_tools.evaluation.scores import Scores

__all__ = ["render_page", "write_page"]

_CARDS = ("ap50", "pq", "aji", "boundary_f1", "ecd_d50_err", "w1_nm", "w1_px")
_GROUPS = {
    "particles": "Particles",
    "foreground": "Foreground and outlines",
    "published": "The three scores of Rühle et al. (2021)",
}
_SHORT = {"pq": "PQ", "fg_iou": "IoU", "fg_dice": "Dice", "ecd_d50_err": "D50 error"}
_FEW_IMAGES = 10  # fewer: the interval says little


def write_page(
    path: str | os.PathLike[str],
    scores: Scores,
    *,
    scenes: Sequence[Scene] | Callable[[int], Scene] | None = None,
    protocol: Protocol | None = None,
    title: str = "",
    opacity: float = 0.35,
    shown: int = 3,
) -> Path:
    """Write a page that holds all scores with their intervals, and the best and worst images.

    Parameters
    ----------
    path : path
        The HTML file; an existing one is replaced.
    scores : Scores
    scenes : sequence of Scene, or callable
        The images, or what gives the one of a number; only those that are shown are asked
        for.  None: no pictures.
    protocol : Protocol, optional
        Data set, split, model, seeds.
    title : str
    opacity : float
        Of the colours over the image, 0 to 1.
    shown : int
        How many of the best images, and how many of the worst.

    Returns
    -------
    Path

    Raises
    ------
    InvalidSettings
        The opacity is not between 0 and 1.
    SemError
        The page cannot be written.
    """
    page = render_page(
        scores, scenes=scenes, protocol=protocol, title=title, opacity=opacity, shown=shown
    )
    return write_text(path, page)


def render_page(
    scores: Scores,
    *,
    scenes: Sequence[Scene] | Callable[[int], Scene] | None = None,
    protocol: Protocol | None = None,
    title: str = "",
    opacity: float = 0.35,
    shown: int = 3,
) -> str:
    """Render the page of `write_page` as HTML.

    Parameters
    ----------
    scores, scenes, protocol, title, opacity, shown
        As for `write_page`.

    Returns
    -------
    str
    """
    if not 0 <= opacity <= 1:
        raise InvalidSettings(f"An opacity of {opacity} is not between 0 and 1.")
    said = protocol or Protocol()
    summary = scores.summary(n_boot=said.n_boot, seed=said.seed)
    rows = scores.per_image()
    n_true, n_found = (int(sum(row[name] for row in rows)) for name in ("n_true", "n_found"))
    headline = (
        f"{len(rows)} image{'s' if len(rows) != 1 else ''}, {n_true} true particles, "
        f"{n_found} found"
    )
    when = datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    sections = (
        _warnings(scores, said),
        _protocol(scores, said),
        _all_scores(scores, summary),
        _sizes(scores, summary, said),
        _errors(summary, n_true),
        _pictures(scores, rows, scenes, opacity=opacity, shown=shown),
        _per_image(scores, rows),
        _definitions(),
    )
    return blocks.page(
        {
            "title": blocks.escaped(title or f"Scores of {said.model or 'a segmentation'}"),
            "headline": blocks.escaped(headline),
            "made": blocks.escaped(f"{when}, napari-sem-tools {__version__}"),
            "cards": _cards(summary),
            "figures": "\n".join(sections),
        }
    )


def _number(value: float, digits: int = 3) -> str:
    """Write a score: three decimals."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def _interval(one: Estimate) -> str:
    """Write value and interval."""
    if not math.isfinite(one.low):
        return _number(one.value)
    return f"{_number(one.value)} [{_number(one.low)}, {_number(one.high)}]"


def _cards(summary: Mapping[str, Estimate]) -> str:
    """Show the main scores."""
    parts = []
    for name in _CARDS:
        one = summary.get(f"{SCORES[name].judged}_{name}")
        if one is None or (name == "w1_px" and "pooled_w1_nm" in summary):
            continue
        below = f"{_number(one.low)} to {_number(one.high)}" if math.isfinite(one.low) else ""
        parts.append(blocks.card(_number(one.value), SCORES[name].title, below))
    return f'<div class="cards">{"".join(parts)}</div>'


def _warnings(scores: Scores, protocol: Protocol) -> str:
    """Say what a reader must know before comparing."""
    lines = list(protocol.notes)
    if len(scores.images) < _FEW_IMAGES:
        lines.append(
            f"{len(scores.images)} image{'s' if len(scores.images) != 1 else ''}: "
            "the interval over images says little."
        )
    if not protocol.data_set or not protocol.split:
        lines.append("Data set or split are not stated: the numbers cannot be compared.")
    items = "".join(f"<li>{blocks.escaped(line)}</li>" for line in lines)
    return blocks.section("Please note", f"<ul>{items}</ul>" if items else "", kind="warnings")


def _protocol(scores: Scores, protocol: Protocol) -> str:
    """Say what was scored and how."""
    size = "none: sizes in px" if scores.pixel_size is None else f"{scores.pixel_size:g} nm"
    rows = protocol.rows() | {
        "pixel size": size,
        "rows that count": _rows_text(scores.rows),
        "smallest particle that counts": f"{scores.min_area} px",
        "tolerance of boundary F1": f"{scores.images[0].tolerance_px:g} px",
    }
    settings = blocks.table(("", ""), protocol.settings.items()) if protocol.settings else ""
    return blocks.section(
        "What was scored",
        blocks.table(("", ""), rows.items()),
        f"<h3>Settings</h3>{settings}" if settings else "",
    )


def _rows_text(rows: int | tuple[int, int] | None) -> str:
    """Write the rows that count."""
    if rows is None:
        return "all"
    first, stop = rows if isinstance(rows, tuple) else (0, rows)
    return f"{first} to {stop - 1}"


def _all_scores(scores: Scores, summary: Mapping[str, Estimate]) -> str:
    """Show every score with interval and range."""
    ranges = scores.ranges()
    heads = (
        "score",
        "mean over images [95 %]",
        "range over images",
        "all particles together [95 %]",
    )
    parts = []
    for group, heading in _GROUPS.items():
        rows = [
            (
                row.title,
                _interval(summary[f"mean_{name}"]),
                " to ".join(_number(end) for end in ranges[name]),
                _interval(summary[f"pooled_{name}"]),
            )
            for name, row in SCORES.items()
            if row.group == group
        ]
        parts.append(f"<h3>{blocks.escaped(heading)}</h3>")
        parts.append(blocks.table(heads, rows, numbers=(1, 2, 3)))
    return blocks.section("Scores", *parts)


def _sizes(scores: Scores, summary: Mapping[str, Estimate], protocol: Protocol) -> str:
    """Show the errors of number and size distribution, and recall by size."""
    from napari_sem_tools.evaluation.figures import size_figure
    from napari_sem_tools.reporting.figures import png_bytes

    unit = "px" if scores.pixel_size is None else "nm"
    number = (
        sum(len(c.true_area) for c in scores.images),
        sum(len(c.found_area) for c in scores.images),
    )
    rows = [("number", str(number[0]), str(number[1]), _interval(summary["pooled_count_err"]))]
    for name, (true, found) in scores.sizes().items():
        title = {"mean": "mean ECD", "d50": "D50, median ECD"}.get(name, name.upper())
        error = _interval(summary[f"pooled_ecd_{name}_err"])
        rows.append((f"{title} in {unit}", short(true), short(found), error))
    distance = [
        (SCORES[name].title, _interval(summary[f"pooled_{name}"]))
        for name in ("w1_px", "w1_nm")
        if f"pooled_{name}" in summary
    ]
    classes = scores.recall_by_size(n_boot=protocol.n_boot, seed=protocol.seed)
    figure = size_figure(scores, classes)
    recall = [
        (
            f"{short(c.low)} to {short(c.high)}"
            if math.isfinite(c.high)
            else f"{short(c.low)} and more",
            c.true,
            c.found,
            _interval(c.recall),
        )
        for c in classes
    ]
    return blocks.section(
        "Sizes",
        blocks.table(
            ("all particles together", "true", "found", "relative error [95 %]"),
            rows,
            numbers=(1, 2, 3),
        ),
        blocks.table(("", ""), distance, numbers=(1,), shape="narrow"),
        "<h3>Recall by size</h3>",
        blocks.figure(
            "Left: share found of each size class, bars are 95 % intervals over images. "
            "Right: cumulative number.",
            png_bytes(figure, dpi=110),
        ),
        blocks.table(
            (f"ECD in {unit}", "true", "found", "recall [95 %]"), recall, numbers=(1, 2, 3)
        ),
    )


def _errors(summary: Mapping[str, Estimate], n_true: int) -> str:
    """Show what went wrong, as shares of the true particles."""
    rows = [
        (
            row.title,
            _interval(summary[f"pooled_{name}"]),
            "" if not n_true else f"{summary[f'pooled_{name}'].value * n_true:.0f}",
            row.text,
        )
        for name, row in SCORES.items()
        if row.group == "errors"
    ]
    found = summary["pooled_recall"]
    rows.insert(0, ("found", _interval(found), f"{found.value * n_true:.0f}", "matched / true"))
    heads = ("kind", "share of the true particles [95 %]", "number", "what counts as such")
    return blocks.section("What went wrong", blocks.table(heads, rows, numbers=(1, 2)))


def _pictures(
    scores: Scores,
    rows: Sequence[Mapping[str, float]],
    scenes: Sequence[Scene] | Callable[[int], Scene] | None,
    *,
    opacity: float,
    shown: int,
) -> str:
    """Show the worst and the best images."""
    if scenes is None or shown < 1:
        return ""
    get = scenes if callable(scenes) else scenes.__getitem__
    order = sorted(range(len(rows)), key=lambda i: (rows[i]["ap50"], rows[i]["pq"]))
    worst, best = order[:shown], [i for i in order[::-1][:shown] if i not in order[:shown]]
    parts = [_legend()]
    for heading, chosen in (("Worst images", worst), ("Best images", best)):
        if chosen:
            parts.append(f"<h3>{heading}, by AP@0.5</h3>")
        for i in chosen:
            png = scene_png(
                get(i), scores.images[i],
                rows=scores.rows, min_area=scores.min_area, opacity=opacity,
            )  # fmt: skip
            one = rows[i]
            caption = (
                f"{scores.images[i].name}: AP@0.5 {_number(one['ap50'])}, PQ {_number(one['pq'])}, "
                f"{one['n_true']:.0f} true, {one['n_found']:.0f} found"
            )
            parts.append(blocks.figure(caption, png))
    return blocks.section("Best and worst images", *parts)


def _legend() -> str:
    """Say what the colours mean."""
    items = []
    for name, colour in LEGEND.items():
        tone = ",".join(str(round(255 * part)) for part in colour)
        swatch = f"display:inline-block;width:12px;height:12px;background:rgb({tone})"
        items.append(
            f'<span style="white-space:nowrap;margin-right:16px"><span style="{swatch}"></span> '
            f"{blocks.escaped(name)}</span>"
        )
    return f"<p>{' '.join(items)}</p>"


def _per_image(scores: Scores, rows: Sequence[Mapping[str, float]]) -> str:
    """List the images, a row each, worst first."""
    w1 = "w1_px" if scores.pixel_size is None else "w1_nm"
    names = ("ap50", "ap75", "pq", "aji", "fg_iou", "fg_dice", "boundary_f1", "ecd_d50_err", w1)
    heads = ("image", "true", "found", *(_SHORT.get(n, SCORES[n].title) for n in names))
    order = np.argsort([row["ap50"] for row in rows], kind="stable")
    lines = [
        (
            scores.images[i].name,
            f"{rows[i]['n_true']:.0f}",
            f"{rows[i]['n_found']:.0f}",
            *(_number(rows[i][name]) for name in names),
        )
        for i in order
    ]
    return blocks.section("Images, worst first", blocks.table(heads, lines, numbers=range(1, 12)))


def _definitions() -> str:
    """Define every score."""
    rows = [(row.title, f"{row.text}.") for row in SCORES.values()]
    rule = (
        "Pairs are one-to-one at an IoU of at least 0.5 (0.75, ...): as many as possible, then "
        "those with the most overlap. An image that is empty in both scores 1. ECD is the "
        "diameter of the circle of equal area, particles cut by the border included; D10, D50 "
        "and D90 are by number. Scores of particles and foreground are judged by their mean over "
        "images, sizes and kinds of error with all particles together."
    )
    return blocks.section(
        "Definitions", f"<p>{blocks.escaped(rule)}</p>", blocks.table(("", ""), rows)
    )
