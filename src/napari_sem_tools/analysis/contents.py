"""What the report of an analysis says and shows."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import platform
from typing import Any

import numpy as np
import pandas as pd

from napari_sem_tools._version import __version__
from napari_sem_tools.analysis.conditions import conditions
from napari_sem_tools.analysis.exports import export_files
from napari_sem_tools.analysis.finished import Finished
from napari_sem_tools.analysis.pictures import pictures
from napari_sem_tools.analysis.result import ImageResult
from napari_sem_tools.analysis.summary import statistics_of
from napari_sem_tools.analysis.text import doubt_rule, headline, method_paragraphs
from napari_sem_tools.analysis.uncertainty import uncertainty_sections
from napari_sem_tools.reporting import ImageRow, Report, Section
from napari_sem_tools.reporting.records import short

__all__ = ["now", "report_of", "software_versions"]

_SHOWN_ROWS = 20
_SHOWN_COLUMNS = (
    "image", "label", "centroid_y_px", "centroid_x_px", "area_nm2", "area_px", "ecd_nm", "ecd_px",
    "feret_min_nm", "feret_max_nm", "circularity", "aspect_ratio", "solidity", "edge", "doubtful",
    "doubt_reason", "included",
)  # fmt: skip
_PACKAGES = (
    "numpy", "scipy", "scikit-image", "pandas", "tifffile", "matplotlib", "numba", "torch"
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


def report_of(finished: Finished) -> Report:
    """Gather the report of an analysis; the overview of several images is drawn and written."""
    plan, images, table = finished.plan, finished.images, finished.table
    columns, rows = _first_rows(table)
    several = len(images) > 1
    statistics = {unit: statistics_of(one) for unit, one in finished.summaries.items()}
    files = tuple(row for row in _FILES if several or row[0] != "figures/")
    return Report(
        title=f"{len(images)} micrographs" if several else images[0].file,
        headline=headline(images, statistics),
        made=f"{now()}, napari-sem-tools {__version__}",
        statistics=statistics,
        images=tuple(_row(image) for image in images),
        figures=pictures(finished),
        method=_method(finished),
        doubt_rule=doubt_rule(plan),
        settings=_settings_blocks(finished),
        software=software_versions(),
        warnings=finished.main_warnings,
        columns=columns,
        rows=rows,
        row_count=len(table),
        files=files + export_files(plan.exports),
        plan=str(plan),
        further=_further(finished),
    )


def _method(finished: Finished) -> tuple[str, ...]:
    """Write the text for a paper."""
    said = [line for found in finished.statistics.values() for line in found.paragraphs]
    return (*method_paragraphs(finished.plan, finished.images), *dict.fromkeys(said))


def _further(finished: Finished) -> tuple[Section, ...]:
    """Return what is said on uncertainty, unit by unit, and on the conditions."""
    several = len(finished.units) > 1
    parts = [
        dataclasses.replace(part, title=f"{part.title}, sizes in {unit}") if several else part
        for unit, found in finished.statistics.items()
        for part in uncertainty_sections(found)
    ]
    return (*parts, conditions(finished))


def software_versions() -> dict[str, str]:
    """Return the versions of all that takes part in computing."""
    versions = {"napari-sem-tools": __version__, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def now() -> str:
    """Date and time with the zone."""
    return datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")


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


def _settings_blocks(finished: Finished) -> dict[str, dict[str, Any]]:
    """List the settings: as found for a single image, else as wished."""
    plan, done = finished.plan, finished.done
    blocks = {f"Segmentation ({plan.method})": plan.settings.to_dict()}
    if len(done) == 1 and done[0].settings:
        blocks = {f"Segmentation ({plan.method}), as found for this image": done[0].settings}
    elif plan.measured:
        blocks = {f"Segmentation of {i.file} ({i.method})": i.settings for i in done if i.settings}
    return blocks | {
        "Measurement": plan.measure_settings.to_dict(),
        "Statistics": {
            name: "not given" if value is None else value
            for name, value in plan.statistics_settings.to_dict().items()
        },
    }


def _first_rows(
    table: pd.DataFrame,
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, ...], ...]]:
    """Choose columns and rows of particles.csv to be shown."""
    from napari_sem_tools.measurement import COLUMNS

    whole = table.head(_SHOWN_ROWS).reset_index()
    names = [name for name in _SHOWN_COLUMNS if name in whole]
    if "image" in names and len(set(table["image"])) == 1:
        names.remove("image")
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
