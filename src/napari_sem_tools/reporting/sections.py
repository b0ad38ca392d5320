"""The sections of a report, made once from its records for the page and for the PDF."""

from __future__ import annotations

from typing import Any

from napari_sem_tools.reporting.blocks import Block, Items, Paragraph, Section, Table
from napari_sem_tools.reporting.records import ImageRow, Report, Statistic, short

__all__ = ["main_numbers", "sections"]

_WORDS = {"image", "edge", "doubtful", "doubt_reason", "included"}  # columns set to the left
_CARDS = ("n", "mean", "median", "sd", "d10", "d90")  # the numbers at the top


def sections(report: Report) -> tuple[Section, ...]:
    """Return all parts of a report that have something to say.

    Parameters
    ----------
    report : Report

    Returns
    -------
    tuple of Section
        In the order in which they are read.
    """
    made = [make(report) for make in _MAKERS]
    flat = [part for one in made for part in (one if isinstance(one, tuple) else (one,))]
    return tuple(part for part in flat if part.blocks)


def main_numbers(report: Report) -> tuple[Statistic, ...]:
    """Return the numbers that stand at the top.

    Parameters
    ----------
    report : Report

    Returns
    -------
    tuple of Statistic
    """
    if not report.statistics:
        return ()
    by_name = {s.name.lower(): s for s in next(iter(report.statistics.values()))}
    return tuple(by_name[name] for name in _CARDS if name in by_name)


def _warnings(report: Report) -> Section:
    """Say what the reader must know before trusting the numbers."""
    lines = [("", line) for line in report.warnings]
    for image in report.images:
        lines += [(image.file, note) for note in image.notes]
        if image.error:
            lines.append((image.file, f"was not analysed: {image.error}"))
    return Section("Please note", (Items(tuple(lines)),) if lines else (), warns=True)


def _figures(report: Report) -> Section:
    """Show the figures."""
    return Section("Figures", report.figures)


def _statistics(report: Report) -> Section:
    """Every number of the summary with its interval."""
    blocks: list[Block] = []
    for unit, statistics in report.statistics.items():
        if len(report.statistics) > 1:
            blocks.append(Paragraph(f"Sizes in {unit}", "heading"))
        rows = tuple((s.title, short(s.value), s.unit, s.interval) for s in statistics)
        heads = ("quantity", "value", "unit", "95 % interval")
        blocks.append(Table(heads, rows, numbers=(1, 3), shape="narrow"))
    return Section("Statistics (by number)", tuple(blocks))


def _images(report: Report) -> Section:
    """List the images, a row each."""
    heads = ("image", "found", "counted", "cut by the edge", "doubtful", "median ECD")
    rows = tuple(
        (row.file, "not analysed", "", "", "", "")
        if row.error
        else (
            row.file, str(row.particles), str(row.included), str(row.edge), str(row.doubtful),
            row.median,
        )
        for row in report.images
    )  # fmt: skip
    kinds = tuple("failed" if row.error else "" for row in report.images)
    table = Table(heads, rows, numbers=(1, 2, 3, 4, 5), kinds=kinds)
    return Section("Images", (table,) if rows else ())


def _calibration(report: Report) -> Section:
    """How large a pixel is, how that is known, and which bytes were read."""
    done = [row for row in report.images if not row.error]
    rows = tuple((row.file, row.calibration, _details(row)) for row in done)
    hashes = tuple((row.file, row.sha256) for row in report.images if row.sha256)
    blocks: list[Block] = []
    if rows:
        blocks.append(Table(("image", "pixel size and how it is known", "recorded with"), rows))
    if hashes:
        blocks.append(Paragraph("SHA-256 of what was read", "heading"))
        blocks.append(Table(("", ""), hashes, shape="hash"))
    return Section("Calibration and origin", tuple(blocks))


def _details(row: ImageRow) -> str:
    """Say in a line what the file says about the picture."""
    return ", ".join(f"{name} {value}" for name, value in row.details.items())


def _method(report: Report) -> Section:
    """Write the text for a paper and the rule for doubtful particles."""
    blocks = [Paragraph(text) for text in report.method]
    if report.doubt_rule:
        blocks.append(Paragraph("What makes a particle doubtful", "heading"))
        blocks.append(Paragraph(report.doubt_rule))
    return Section("Method", tuple(blocks))


def _further(report: Report) -> tuple[Section, ...]:
    """Return the sections that were made elsewhere: uncertainty, fits, what standards ask."""
    return report.further


def _particles(report: Report) -> Section:
    """Show the first rows of particles.csv."""
    if not report.rows:
        return Section("Particles", ())
    names = [name for name, _ in report.columns]
    doubtful = names.index("doubtful") if "doubtful" in names else None
    kinds = tuple(
        "doubtful" if doubtful is not None and row[doubtful] == "yes" else "" for row in report.rows
    )
    numbers = tuple(i for i, name in enumerate(names) if name not in _WORDS)
    blocks: list[Block] = [
        Paragraph(f"The first {len(report.rows)} of {report.row_count} rows of particles.csv."),
        Table(tuple(names), report.rows, numbers=numbers, kinds=kinds, shape="rows"),
    ]
    explained = tuple((name, text) for name, text in report.columns if text)
    if explained:
        blocks += [Paragraph("Columns", "heading"), Items(explained, code=True)]
    return Section("Particles", tuple(blocks))


def _settings(report: Report) -> Section:
    """Show the plan and the settings that were used."""
    blocks: list[Block] = []
    for name, values in report.settings.items():
        rows = tuple((key, _setting(value)) for key, value in values.items())
        if rows:
            blocks += [Paragraph(name, "heading"), Table(("", ""), rows, shape="narrow")]
    if report.plan:
        blocks += [Paragraph("Plan", "heading"), Paragraph(report.plan, "code")]
    return Section("Settings", tuple(blocks))


def _setting(value: Any) -> str:
    """Write a setting; all digits stand in summary.json."""
    if value is None:
        return "found by itself"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _software(report: Report) -> Section:
    """Versions of what computed."""
    rows = tuple((name, str(version)) for name, version in report.software.items())
    return Section("Software", (Table(("", ""), rows, shape="narrow"),) if rows else ())


def _files(report: Report) -> Section:
    """List what lies beside the report."""
    items = Items(report.files, code=True)
    return Section("Files beside this report", (items,) if report.files else ())


_MAKERS = (
    _warnings, _figures, _statistics, _further, _images, _calibration, _method, _particles,
    _settings, _software, _files,
)  # fmt: skip
