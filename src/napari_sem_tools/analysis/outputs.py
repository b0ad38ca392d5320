"""The files of a finished analysis: pooled tables, overview, report, summary, script."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import platform
import warnings
from typing import Any

import numpy as np
import pandas as pd

from napari_sem_tools._version import __version__
from napari_sem_tools.analysis.ledger import Ledger
from napari_sem_tools.analysis.plan import Plan
from napari_sem_tools.analysis.result import ImageResult
from napari_sem_tools.analysis.script import script
from napari_sem_tools.analysis.summary import statistics_of, summary_of
from napari_sem_tools.analysis.text import doubt_rule, headline, method_paragraphs
from napari_sem_tools.errors import SemWarning
from napari_sem_tools.files import write_text
from napari_sem_tools.measurement import Summary
from napari_sem_tools.reporting import (
    ImageRow,
    Report,
    Statistic,
    Thumbnail,
    csv_text,
    histogram_figure,
    overview,
    png_bytes,
    read_png,
    render_report,
    sizes_text,
    write_figure,
)
from napari_sem_tools.reporting.records import short
from napari_sem_tools.tasks import Progress, report

__all__ = ["pooled_table", "software_versions", "write_outputs"]

_SHOWN_IMAGES = 12  # figures embedded in the report, and pictures of the overview
_SHOWN_ROWS = 25
_SHOWN_COLUMNS = (
    "image", "label", "centroid_y_px", "centroid_x_px", "area_nm2", "area_px", "ecd_nm", "ecd_px",
    "feret_min_nm", "feret_max_nm", "circularity", "aspect_ratio", "solidity", "edge", "doubtful",
    "doubt_reason", "included",
)  # fmt: skip
_PACKAGES = (
    "numpy", "scipy", "scikit-image", "pandas", "tifffile", "matplotlib", "rosettasciio", "numba"
)  # fmt: skip
_FILES = (
    ("figure.png", "image, particles, doubtful particles in red, histogram"),
    ("figures/", "the same four panels for each image"),
    ("histogram.png", "the size distribution by number"),
    ("sizes.csv", "mean, median, standard deviation, then the size of every counted particle"),
    ("particles.csv", "a row a particle, all columns"),
    ("images.csv", "a row an image: calibration, counts, statistics, notes, errors"),
    ("labels/", "the particles as label images, ImageJ-calibrated TIFF"),
    ("summary.json", "statistics, settings, versions and the SHA-256 of every input"),
    ("analysis.py", "a script that repeats this analysis"),
)


def write_outputs(
    plan: Plan, images: list[ImageResult], ledger: Ledger, *, progress: Progress | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write everything that is made from all images together.

    Returns
    -------
    (DataFrame, dict)
        The table of ``particles.csv`` and the content of ``summary.json``.
    """
    done = [image for image in images if not image.failed]
    table = pooled_table(done)
    summaries = {unit: summary_of(done, unit) for unit in _units(done)}
    statistics = {unit: statistics_of(summary) for unit, summary in summaries.items()}
    said = _warnings(plan, images)
    limits = [w for summary in summaries.values() for w in summary.warnings]
    for warning in said:
        warnings.warn(warning, SemWarning, stacklevel=2)
    report(progress, 1, 4, "tables")
    out = ledger.result
    write_text(out / "sizes.csv", sizes_text(table))
    write_text(out / "particles.csv", csv_text(table, index=True))
    write_text(out / "images.csv", csv_text(_images_table(images)))
    write_text(out / "analysis.py", script(plan))
    report(progress, 2, 4, "figures")
    histogram = _histogram(done)
    write_figure(out / "histogram.png", histogram)
    figures = _figures(done, ledger, single=len(images) == 1)
    report(progress, 3, 4, "report")
    said = tuple(dict.fromkeys([*said, *limits]))
    summary = _summary(plan, images, summaries, said)
    write_text(out / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False, default=str))
    page = _report(plan, images, table, statistics, said, figures)
    write_text(out / "report.html", render_report(page))
    report(progress, 4, 4, "report")
    return table, summary


def pooled_table(images: list[ImageResult]) -> pd.DataFrame:
    """Put the tables of all images under each other, in nm where pixel sizes are known.

    Returns
    -------
    DataFrame
        Index ``label``; the column ``image`` tells particles of the same number apart.
    """
    tables = [image.table for image in images]
    filled = [table for table in tables if len(table)] or tables[:1]
    parts = [table.copy(deep=False) for table in filled]
    for part in parts:
        part.attrs = {}
    columns = list(dict.fromkeys(name for part in parts for name in part.columns))
    table = pd.concat(parts)[columns]
    table.attrs = (
        dict(tables[0].attrs)
        if len(images) == 1
        else {
            **{
                key: tables[0].attrs[key]
                for key in ("settings", "version")
                if key in tables[0].attrs
            },
            "images": [dict(one.attrs) for one in tables],
        }
    )
    return table


def software_versions() -> dict[str, str]:
    """Return the versions of all that takes part in computing."""
    versions = {"napari-sem-tools": __version__, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _units(images: list[ImageResult]) -> list[str]:
    """List the units in use, nm first."""
    return sorted({image.unit for image in images})


def _warnings(plan: Plan, images: list[ImageResult]) -> tuple[str, ...]:
    """Say what the user should know about the run as a whole."""
    done = [image for image in images if not image.failed]
    said = []
    failed = len(images) - len(done)
    if failed:
        said.append(f"{failed} of {len(images)} images could not be analysed; images.csv says why.")
    bare = sum(image.unit == "px" for image in done)
    if bare == len(done):
        said.append("Uncalibrated: there is no pixel size, all sizes are in px.")
    elif bare:
        said.append(
            f"{bare} of {len(done)} images are uncalibrated: their sizes are in px and are kept "
            "apart from those in nm."
        )
    if not any(len(image.table) for image in done):
        said.append("No particle was found.")
    elif not any(image.sizes.size for image in done):
        said.append("No particle is counted: all are cut by the edge or doubtful.")
    if plan.left_out:
        said.append(f"{plan.left_out} further inputs were not analysed (limit or shard).")
    return tuple(said)


def _images_table(images: list[ImageResult]) -> pd.DataFrame:
    """Make the table of images."""
    return pd.DataFrame([_image_line(image) for image in images])


def _image_line(image: ImageResult) -> dict[str, Any]:
    """Make the row of an image in images.csv."""
    calibration = image.calibration
    y, x = calibration.pixel_size or (None, None)
    first, stop = image.data_bar or (None, None)
    sizes, unit = image.sizes, image.unit
    line: dict[str, Any] = {
        "image": image.name,
        "file": image.file,
        "page": image.page,
        "status": "failed" if image.failed else "done",
        "error": " ".join(part for part in (image.error, image.hint) if part),
        "rows_px": image.shape[0] or None,
        "columns_px": image.shape[1] or None,
        "pixel_size_y_nm": y,
        "pixel_size_x_nm": x,
        "calibration_origin": "" if image.failed else calibration.origin,
        "calibration_evidence": calibration.evidence,
        "calibration_relative_uncertainty": calibration.relative_uncertainty,
        "data_bar_first_row": first,
        "data_bar_stop_row": stop,
        "field_px": image.field_px or None,
        "method": image.method,
        "particles": None if image.failed else len(image.table),
        "included": None if image.failed else image.count("included"),
        "edge": None if image.failed else image.count("edge"),
        "doubtful": None if image.failed else image.count("doubtful"),
        "unit": "" if image.failed else unit,
        "ecd_mean": float(sizes.mean()) if sizes.size else None,
        "ecd_median": float(np.median(sizes)) if sizes.size else None,
        "ecd_sd": float(sizes.std(ddof=1)) if sizes.size > 1 else None,
        "sha256": image.file_sha256 or image.pixels_sha256,
        "notes": " | ".join(image.notes),
    }
    return line


def _histogram(images: list[ImageResult]) -> Any:
    """Draw the histogram of all images, in nm where any is calibrated."""
    unit = _units(images)[0]
    chosen = [image for image in images if image.unit == unit]
    sizes = np.concatenate([image.sizes for image in chosen])
    pixel = max(image.pixel for image in chosen)
    title = images[0].file if len(images) == 1 else f"{len(chosen)} images together"
    return histogram_figure(sizes, unit=unit, min_width=pixel, title=title)


def _figures(
    images: list[ImageResult], ledger: Ledger, *, single: bool
) -> tuple[tuple[str, bytes], ...]:
    """Collect the figures of the report; draw the overview of several images."""
    out = ledger.result
    if single and (out / "figure.png").exists():
        return ((_caption(images[0]), (out / "figure.png").read_bytes()),)
    shown = images[:_SHOWN_IMAGES]
    thumbnails = [
        Thumbnail(
            image.name,
            read_png(ledger.thumbnail_path(image.name).read_bytes()),
            image.shape,
            image.calibration,
            image.data_bar,
        )
        for image in shown
    ]
    unit = _units(images)[0]
    chosen = [image for image in images if image.unit == unit]
    sizes = np.concatenate([image.sizes for image in chosen])
    figure = overview(
        thumbnails,
        sizes,
        unit=unit,
        min_width=max(image.pixel for image in chosen),
        left_out=len(images) - len(shown),
    )
    picture = png_bytes(figure)
    from napari_sem_tools.files import write_file

    write_file(out / "figure.png", picture)
    each = [(_caption(i), ledger.figure_path(i.name).read_bytes()) for i in shown]
    return (("All images together, doubtful particles in red.", picture), *each)


def _caption(image: ImageResult) -> str:
    """Say below a figure what it shows."""
    scale = image.calibration.describe()
    return (
        f"{image.file}: {len(image.table)} particles found, {image.count('included')} counted, "
        f"{image.count('doubtful')} doubtful (red), {image.count('edge')} cut by the edge; {scale}."
    )


def _summary(
    plan: Plan,
    images: list[ImageResult],
    summaries: dict[str, Summary],
    said: tuple[str, ...],
) -> dict[str, Any]:
    """Make the content of summary.json."""
    done = [image for image in images if not image.failed]
    return {
        "format": 1,
        "made": _now(),
        "images": len(images),
        "failed": len(images) - len(done),
        "particles": sum(len(image.table) for image in done),
        "included": sum(image.count("included") for image in done),
        "edge": sum(image.count("edge") for image in done),
        "doubtful": sum(image.count("doubtful") for image in done),
        "statistics": {unit: one.to_dict() for unit, one in summaries.items()},
        "method": plan.method,
        "model": next((image.model for image in done if image.model), None),
        "settings": plan.settings.to_dict(),
        "measure_settings": plan.measure_settings.to_dict(),
        "pixel_size_nm": plan.pixel_size,
        "width_nm": plan.width,
        "plan": str(plan).splitlines(),
        "warnings": list(said),
        "versions": software_versions(),
        "inputs": [
            {
                "image": image.name,
                "file": image.file,
                "page": image.page,
                "sha256": image.file_sha256 or None,
                "pixels_sha256": image.pixels_sha256 or None,
                "calibration": image.calibration.describe() if not image.failed else None,
                "resolved_settings": image.settings,
                "notes": list(image.notes),
                "error": image.error or None,
            }
            for image in images
        ],
    }


def _report(
    plan: Plan,
    images: list[ImageResult],
    table: pd.DataFrame,
    statistics: dict[str, tuple[Statistic, ...]],
    said: tuple[str, ...],
    figures: tuple[tuple[str, bytes], ...],
) -> Report:
    """Gather the report."""
    columns, rows = _first_rows(table)
    several = len(images) > 1
    return Report(
        title=f"{len(images)} micrographs" if several else images[0].file,
        headline=headline(images, statistics),
        made=f"{_now()}, napari-sem-tools {__version__}",
        statistics=statistics,
        images=tuple(_row(image) for image in images),
        figures=figures,
        method=method_paragraphs(plan, images),
        doubt_rule=doubt_rule(plan),
        settings=_settings_blocks(plan, images),
        software=software_versions(),
        warnings=said,
        columns=columns,
        rows=rows,
        row_count=len(table),
        files=tuple(row for row in _FILES if several or row[0] != "figures/"),
        plan=str(plan),
    )


def _row(image: ImageResult) -> ImageRow:
    """Say in the report what became of an image."""
    sizes = image.sizes
    return ImageRow(
        name=image.name,
        file=image.file if not image.page else f"{image.file}, page {image.page}",
        calibration=image.calibration.describe(),
        sha256=image.file_sha256 or image.pixels_sha256,
        particles=len(image.table),
        included=image.count("included"),
        edge=image.count("edge"),
        doubtful=image.count("doubtful"),
        median=f"{short(float(np.median(sizes)))} {image.unit}" if sizes.size else "–",
        method=image.method,
        notes=image.notes,
        error=" ".join(part for part in (image.error, image.hint) if part),
        details=image.details,
    )


def _settings_blocks(plan: Plan, images: list[ImageResult]) -> dict[str, dict[str, Any]]:
    """List the settings: as found for a single image, else as wished."""
    done = [image for image in images if not image.failed]
    blocks = {f"Segmentation ({plan.method})": plan.settings.to_dict()}
    if len(done) == 1 and done[0].settings:
        blocks = {f"Segmentation ({plan.method}), as found for this image": done[0].settings}
    return blocks | {"Measurement": plan.measure_settings.to_dict()}


def _first_rows(
    table: pd.DataFrame,
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, ...], ...]]:
    """Choose columns and rows of particles.csv to be shown."""
    from napari_sem_tools.measurement import COLUMNS

    whole = table.head(_SHOWN_ROWS).reset_index()
    names = [name for name in _SHOWN_COLUMNS if name in whole]
    if any(name.endswith("_nm") for name in names):
        names = [name for name in names if name not in ("area_px", "ecd_px")]
    formula = {column.name: column.formula for column in COLUMNS}
    columns = tuple((name, formula.get(name, "")) for name in names)
    rows = tuple(
        tuple(_cell(value) for value in row) for row in whole[names].itertuples(index=False)
    )
    return columns, rows


def _cell(value: Any) -> str:
    """Write a value of the table for people."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float | np.floating):
        return short(float(value), 4)
    return str(value)


def _now() -> str:
    """Date and time with the zone."""
    return datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
