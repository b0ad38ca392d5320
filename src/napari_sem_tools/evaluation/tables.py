"""The tables of a page of scores."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from napari_sem_tools.evaluation.estimates import Estimate
from napari_sem_tools.evaluation.names import SCORES
from napari_sem_tools.evaluation.protocol import Protocol
from napari_sem_tools.evaluation.scores import Scores
from napari_sem_tools.evaluation.sizes import SizeClass
from napari_sem_tools.reporting import Paragraph, Picture, Section, Table
from napari_sem_tools.reporting.records import short

__all__ = [
    "caption",
    "definitions_section",
    "errors_section",
    "headline",
    "images_section",
    "images_text",
    "protocol_section",
    "scores_section",
    "sizes_section",
]

Summary = Mapping[str, Estimate]

_MAIN = ("ap50", "pq", "aji", "ecd_d50_err")
_GROUPS = {
    "particles": "Particles",
    "foreground": "Foreground and outlines",
    "published": "The three scores of Rühle et al. (2021)",
}
_SIZES = {"mean": "mean ECD", "d10": "D10", "d50": "D50, median ECD", "d90": "D90"}
_SHORT = {"pq": "PQ", "fg_iou": "IoU", "fg_dice": "Dice", "ecd_d50_err": "D50 error"}
_RULE = (
    "Pairs are one-to-one at an IoU of at least 0.5 (0.75, ...): as many as possible, then those "
    "with the most overlap. An image that is empty in both scores 1. ECD is the diameter of the "
    "circle of equal area, particles cut by the border included; D10, D50 and D90 are by number. "
    "Scores of particles and foreground are judged by their mean over images, sizes and kinds of "
    "error with all particles together."
)


def headline(scores: Scores, summary: Summary) -> str:
    """Say the main scores in a line."""
    main = [
        f"{_SHORT.get(name, SCORES[name].title)} "
        f"{interval(summary[f'{SCORES[name].judged}_{name}'])}"
        for name in _MAIN
    ]
    n_true, n_found = _numbers(scores)
    return (
        f"{images_text(len(scores.images))}, {n_true} true particles, {n_found} found: "
        f"{', '.join(main)}"
    )


def images_text(count: int) -> str:
    """Write a number of images."""
    return f"{count} image{'s' if count != 1 else ''}"


def caption(name: str, row: Mapping[str, float]) -> str:
    """Name an image with its scores."""
    return (
        f"{name}: AP@0.5 {number(row['ap50'])}, PQ {number(row['pq'])}, "
        f"{row['n_true']:.0f} true, {row['n_found']:.0f} found"
    )


def number(value: float) -> str:
    """Write a score: three decimals."""
    return f"{value:.3f}" if math.isfinite(value) else "–"


def interval(one: Estimate) -> str:
    """Write value and interval."""
    if not math.isfinite(one.low):
        return number(one.value)
    return f"{number(one.value)} [{number(one.low)}, {number(one.high)}]"


def protocol_section(scores: Scores, protocol: Protocol) -> Section:
    """Say what was scored and how."""
    rows = protocol.rows() | {
        "pixel size": "none: sizes in px"
        if scores.pixel_size is None
        else f"{scores.pixel_size:g} nm",
        "rows that count": _rows_text(scores.rows),
        "smallest particle that counts": f"{scores.min_area} px",
        "tolerance of boundary F1": f"{scores.images[0].tolerance_px:g} px",
    }
    settings = tuple((str(k), str(v)) for k, v in protocol.settings.items())
    blocks: tuple[Paragraph | Table, ...] = (Table(("", ""), tuple(rows.items())),)
    if settings:
        blocks += (Paragraph("Settings", kind="heading"), Table(("", ""), settings))
    return Section("What was scored", blocks)


def scores_section(scores: Scores, summary: Summary) -> Section:
    """Show every score with interval and range."""
    ranges = scores.ranges()
    heads = ("score", "mean over images [95 %]", "range over images", "all together [95 %]")
    blocks: list[Paragraph | Table] = []
    for group, title in _GROUPS.items():
        rows = tuple(
            (
                row.title,
                interval(summary[f"mean_{name}"]),
                " to ".join(number(end) for end in ranges[name]),
                interval(summary[f"pooled_{name}"]),
            )
            for name, row in SCORES.items()
            if row.group == group
        )
        blocks += [Paragraph(title, kind="heading"), Table(heads, rows, numbers=(1, 2, 3))]
    return Section("Scores", tuple(blocks))


def sizes_section(scores: Scores, summary: Summary, protocol: Protocol) -> Section:
    """Show the errors of number and size distribution, and recall by size."""
    from napari_sem_tools.evaluation.figures import size_figure
    from napari_sem_tools.reporting import png_bytes

    unit = "px" if scores.pixel_size is None else "nm"
    rows = [("number", *map(str, _numbers(scores)), interval(summary["pooled_count_err"]))]
    rows += [
        (
            f"{_SIZES[name]} in {unit}",
            short(true),
            short(found),
            interval(summary[f"pooled_ecd_{name}_err"]),
        )
        for name, (true, found) in scores.sizes().items()
    ]
    distance = tuple(
        (SCORES[name].title, interval(summary[f"pooled_{name}"]))
        for name in ("w1_px", "w1_nm")
        if f"pooled_{name}" in summary
    )
    classes = scores.recall_by_size(n_boot=protocol.n_boot, seed=protocol.seed)
    heads = ("all particles together", "true", "found", "relative error [95 %]")
    figure = png_bytes(size_figure(scores, classes), dpi=110)
    return Section(
        "Sizes",
        (
            Table(heads, tuple(rows), numbers=(1, 2, 3)),
            Paragraph("First Wasserstein distance of the distributions of ECD", kind="heading"),
            Table(("", ""), distance, numbers=(1,), shape="narrow"),
            Paragraph("Recall by size", kind="heading"),
            Picture(
                "Left: share found of each size class; bars are 95 % intervals over images. "
                "Right: cumulative distributions by number.",
                figure,
            ),
            _recall_table(classes, unit),
        ),
    )


def _recall_table(classes: list[SizeClass], unit: str) -> Table:
    """List how many particles of each size were found."""
    rows = tuple((size_text(c), str(c.true), str(c.found), interval(c.recall)) for c in classes)
    return Table((f"ECD in {unit}", "true", "found", "recall [95 %]"), rows, numbers=(1, 2, 3))


def size_text(one: SizeClass) -> str:
    """Write the borders of a size class."""
    if math.isinf(one.high):
        return f"{short(one.low)} and more"
    return f"{short(one.low)} to {short(one.high)}"


def errors_section(scores: Scores, summary: Summary) -> Section:
    """Show what went wrong, as shares of the true particles."""
    n_true, _ = _numbers(scores)
    found = summary["pooled_recall"]
    rows = [("found", interval(found), _times(found, n_true), "matched / true")]
    rows += [
        (
            row.title,
            interval(summary[f"pooled_{name}"]),
            _times(summary[f"pooled_{name}"], n_true),
            row.text,
        )
        for name, row in SCORES.items()
        if row.group == "errors"
    ]
    heads = ("kind", "share of the true [95 %]", "number", "what counts as such")
    return Section("What went wrong", (Table(heads, tuple(rows), numbers=(1, 2)),))


def _times(share: Estimate, n_true: int) -> str:
    """Write a share of the true particles as their number."""
    return f"{share.value * n_true:.0f}" if n_true else "–"


def images_section(scores: Scores) -> Section:
    """List the images, a row each, worst first."""
    w1 = "w1_px" if scores.pixel_size is None else "w1_nm"
    names = ("ap50", "ap75", "pq", "aji", "fg_iou", "fg_dice", "boundary_f1", "ecd_d50_err", w1)
    heads = ("image", "true", "found", *(_SHORT.get(n, SCORES[n].title) for n in names))
    rows = scores.per_image()
    lines = tuple(
        (
            scores.images[i].name,
            f"{rows[i]['n_true']:.0f}",
            f"{rows[i]['n_found']:.0f}",
            *(number(rows[i][name]) for name in names),
        )
        for i in np.argsort([row["ap50"] for row in rows], kind="stable")
    )
    table = Table(heads, lines, numbers=tuple(range(1, len(heads))), shape="rows")
    return Section("Images, worst first", (table,))


def definitions_section() -> Section:
    """Define every score."""
    rows = tuple((row.title, row.text) for row in SCORES.values())
    return Section("Definitions", (Paragraph(_RULE), Table(("", ""), rows)))


def _numbers(scores: Scores) -> tuple[int, int]:
    """Count true and found particles."""
    return (
        sum(len(c.true_area) for c in scores.images),
        sum(len(c.found_area) for c in scores.images),
    )


def _rows_text(rows: int | tuple[int, int] | None) -> str:
    """Write the rows that count."""
    if rows is None:
        return "all"
    first, stop = rows if isinstance(rows, tuple) else (0, rows)
    return f"{first} to {stop - 1}"
