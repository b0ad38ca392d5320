"""The HTML report: one page that holds everything it shows."""

from __future__ import annotations

from napari_sem_tools.reporting.blocks import card, escaped, figure, page, section, table
from napari_sem_tools.reporting.records import ImageRow, Report, Statistic, short

__all__ = ["render_report"]

_CARDS = ("n", "mean", "median", "sd", "d10", "d90")  # the numbers at the top


def render_report(report: Report) -> str:
    """Render a report as one self-contained HTML page.

    Parameters
    ----------
    report : Report
        All that is to be shown; every text is escaped here.

    Returns
    -------
    str
        The page; figures are embedded, nothing is loaded from elsewhere, no script runs.
    """
    return page({name: make(report) for name, make in _PARTS.items()})


def _cards(report: Report) -> str:
    """Show the main numbers as cards."""
    if not report.statistics:
        return ""
    by_name = {s.name.lower(): s for s in next(iter(report.statistics.values()))}
    cards = [_card(by_name[name]) for name in _CARDS if name in by_name]
    return f'<div class="cards">{"".join(cards)}</div>' if cards else ""


def _card(statistic: Statistic) -> str:
    """One number with its interval."""
    value = f"{short(statistic.value)} {statistic.unit}".strip()
    return card(value, statistic.title, statistic.interval)


def _warnings(report: Report) -> str:
    """Say what the reader must know before trusting the numbers."""
    lines = [escaped(line) for line in report.warnings]
    for image in report.images:
        lines += [f"<b>{escaped(image.file)}</b>: {escaped(note)}" for note in image.notes]
        if image.error:
            lines.append(f"<b>{escaped(image.file)}</b> was not analysed: {escaped(image.error)}")
    items = "".join(f"<li>{line}</li>" for line in lines)
    return section("Please note", f"<ul>{items}</ul>" if items else "", kind="warnings")


def _figures(report: Report) -> str:
    """Embed the figures."""
    return section("Figures", *(figure(caption, png) for caption, png in report.figures))


def _statistics(report: Report) -> str:
    """Every number of the summary with its interval."""
    blocks = []
    for unit, statistics in report.statistics.items():
        if len(report.statistics) > 1:
            blocks.append(f"<h3>Sizes in {escaped(unit)}</h3>")
        rows = [(s.title, short(s.value), s.unit, s.interval) for s in statistics]
        blocks.append(
            table(
                ("quantity", "value", "unit", "95 % interval"), rows, numbers=(1, 3), shape="narrow"
            )
        )
    return section("Statistics (by number)", *blocks)


def _images(report: Report) -> str:
    """List the images, a row each."""
    heads = ("image", "found", "counted", "cut by the edge", "doubtful", "median ECD")
    rows = [
        (row.file, "not analysed", "", "", "", "")
        if row.error
        else (row.file, row.particles, row.included, row.edge, row.doubtful, row.median)
        for row in report.images
    ]
    kinds = ["failed" if row.error else "" for row in report.images]
    return section("Images", table(heads, rows, numbers=(1, 2, 3, 4, 5), kinds=kinds))


def _calibration(report: Report) -> str:
    """How large a pixel is, how that is known, and which bytes were read."""
    done = [row for row in report.images if not row.error]
    rows = [(row.file, row.calibration, _details(row)) for row in done]
    hashes = [(row.file, row.sha256) for row in report.images if row.sha256]
    return section(
        "Calibration and origin",
        table(("image", "pixel size and how it is known", "recorded with"), rows) if rows else "",
        "<h3>SHA-256 of what was read</h3>" if hashes else "",
        table(("", ""), hashes).replace("<td>", '<td class="hash">') if hashes else "",
    )


def _details(row: ImageRow) -> str:
    """Say in a line what the file says about the picture."""
    return ", ".join(f"{name} {value}" for name, value in row.details.items())


def _method(report: Report) -> str:
    """Write the text for a paper and the rule for doubtful particles."""
    paragraphs = [f"<p>{escaped(text)}</p>" for text in report.method]
    if report.doubt_rule:
        paragraphs += [
            "<h3>What makes a particle doubtful</h3>",
            f"<p>{escaped(report.doubt_rule)}</p>",
        ]
    return section("Method", *paragraphs)


def _particles(report: Report) -> str:
    """Show the first rows of particles.csv."""
    if not report.rows:
        return ""
    names = [name for name, _ in report.columns]
    doubtful = names.index("doubtful") if "doubtful" in names else None
    kinds = [
        "doubtful" if doubtful is not None and row[doubtful] == "yes" else "" for row in report.rows
    ]
    numbers = [i for i, name in enumerate(names) if name not in ("image", "doubt_reason")]
    shown = f"The first {len(report.rows)} of {report.row_count} rows of particles.csv."
    explained = "".join(
        f"<li><code>{escaped(name)}</code> {escaped(text)}</li>"
        for name, text in report.columns
        if text
    )
    return section(
        "Particles",
        f"<p>{escaped(shown)}</p>",
        table(names, report.rows, numbers=numbers, kinds=kinds, shape="rows"),
        f"<h3>Columns</h3><ul>{explained}</ul>" if explained else "",
    )


def _settings(report: Report) -> str:
    """Show the plan and the settings that were used."""
    blocks = []
    for name, values in report.settings.items():
        rows = [(key, "found by itself" if v is None else v) for key, v in values.items()]
        if rows:
            blocks.append(f"<div><h3>{escaped(name)}</h3>{table(('', ''), rows)}</div>")
    plan = f"<h3>Plan</h3><pre>{escaped(report.plan)}</pre>" if report.plan else ""
    return section("Settings", f'<div class="two">{"".join(blocks)}</div>' if blocks else "", plan)


def _software(report: Report) -> str:
    """Versions of what computed."""
    return section("Software", table(("", ""), report.software.items()) if report.software else "")


def _files(report: Report) -> str:
    """List what lies beside the report."""
    items = "".join(
        f"<li><code>{escaped(path)}</code> {escaped(text)}</li>" for path, text in report.files
    )
    return section("Files beside this page", f"<ul>{items}</ul>" if items else "")


_PARTS = {
    "title": lambda report: escaped(report.title),
    "headline": lambda report: escaped(report.headline),
    "made": lambda report: escaped(report.made),
    "cards": _cards,
    "warnings": _warnings,
    "figures": _figures,
    "statistics": _statistics,
    "images": _images,
    "calibration": _calibration,
    "method": _method,
    "particles": _particles,
    "settings": _settings,
    "software": _software,
    "files": _files,
}
