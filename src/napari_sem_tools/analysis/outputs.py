"""The files of a finished analysis: pooled tables, overview, report, summary, script."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from napari_sem_tools.analysis.contents import now, report_of, software_versions
from napari_sem_tools.analysis.exports import write_exports
from napari_sem_tools.analysis.finished import Finished
from napari_sem_tools.analysis.ledger import Ledger
from napari_sem_tools.analysis.plan import Plan
from napari_sem_tools.analysis.result import ImageResult
from napari_sem_tools.analysis.script import script
from napari_sem_tools.errors import SemWarning
from napari_sem_tools.files import json_text, plain_value, write_text
from napari_sem_tools.reporting import (
    csv_text,
    histogram_figure,
    render_report,
    sizes_text,
    write_figure,
)
from napari_sem_tools.tasks import Progress, report

__all__ = ["write_outputs"]


def write_outputs(
    plan: Plan, images: list[ImageResult], ledger: Ledger, *, progress: Progress | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write everything that is made from all images together.

    Returns
    -------
    (DataFrame, dict)
        The table of ``particles.csv`` and the content of ``summary.json``.
    """
    finished = Finished(plan, images, ledger)
    steps = 4 + len(plan.exports)
    for warning in finished.warnings:
        warnings.warn(warning, SemWarning, stacklevel=2)
    report(progress, 1, steps, "tables")
    out = finished.out
    write_text(out / "sizes.csv", sizes_text(finished.table))
    write_text(out / "particles.csv", csv_text(finished.table, index=True))
    write_text(out / "images.csv", csv_text(finished.images_table))
    write_text(out / "analysis.py", script(plan))
    report(progress, 2, steps, "figures")
    write_figure(out / "histogram.png", _histogram(finished))
    page = report_of(finished)
    report(progress, 3, steps, "report")
    summary = plain_value(_summary(finished))
    write_text(out / "summary.json", json_text(summary))
    write_text(out / "report.html", render_report(page))
    write_exports(finished, page, progress=progress, first=3, steps=steps)
    report(progress, steps, steps, "report")
    return finished.table, summary


def _histogram(finished: Finished) -> Any:
    """Draw the histogram of all images, in nm where any is calibrated."""
    unit = finished.units[0]
    chosen = finished.of_unit(unit)
    title = finished.done[0].file if len(finished.done) == 1 else f"{len(chosen)} images together"
    return histogram_figure(
        finished.sizes(unit), unit=unit, min_width=finished.pixel(unit), title=title
    )


def _summary(finished: Finished) -> dict[str, Any]:
    """Make the content of summary.json."""
    plan, images, done = finished.plan, finished.images, finished.done
    return {
        "format": 1,
        "made": now(),
        "images": len(images),
        "failed": len(images) - len(done),
        "particles": sum(len(image.table) for image in done),
        "included": sum(image.count("included") for image in done),
        "edge": sum(image.count("edge") for image in done),
        "doubtful": sum(image.count("doubtful") for image in done),
        "statistics": {unit: one.to_dict() for unit, one in finished.summaries.items()},
        "distributions": {unit: one.to_dict() for unit, one in finished.statistics.items()},
        "method": plan.method,
        "model": next((image.model for image in done if image.model), None),
        "settings": plan.settings.to_dict(),
        "measure_settings": plan.measure_settings.to_dict(),
        "statistics_settings": plan.statistics_settings.to_dict(),
        "pixel_size_nm": plan.pixel_size,
        "width_nm": plan.width,
        "page": plan.page,
        "exports": list(plan.exports),
        "plan": str(plan).splitlines(),
        "warnings": list(finished.all_warnings),
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
