"""The further files of an analysis: PDF, XLSX, Parquet, ImageJ ROIs, GeoJSON, COCO."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings, MissingExtra
from napari_sem_tools.tasks import Progress, report

if TYPE_CHECKING:
    from napari_sem_tools.analysis.finished import Finished
    from napari_sem_tools.reporting import LabelledImage, Report

__all__ = ["EXPORTS", "Export", "chosen_exports", "export_files", "write_exports"]

ALL = "all"


@dataclasses.dataclass(frozen=True)
class Export:
    """One kind of further file.

    Attributes
    ----------
    files : str
        Where it lies in the results.
    help : str
        What it is, for the report and the command.
    write : callable
        Writes it from the finished analysis and its report.
    needs : str
        Library of the extra ``fast``; empty when every installation has it.
    """

    files: str
    help: str
    write: Callable[[Finished, Report], None]
    needs: str = ""


def chosen_exports(wish: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of the files wished for, in the order of the table.

    Parameters
    ----------
    wish : str, iterable of str, or None
        Names, also separated by commas; ``"all"`` for every one.

    Returns
    -------
    tuple of str

    Raises
    ------
    InvalidSettings
        There is no such file.
    MissingExtra
        The library that writes one is not installed.

    Examples
    --------
    >>> chosen_exports("roi, pdf")
    ('pdf', 'roi')
    """
    parts = [wish] if isinstance(wish, str) else list(wish or ())
    names = {name.strip().lower() for part in parts for name in str(part).split(",")} - {""}
    unknown = sorted(names - set(EXPORTS) - {ALL})
    if unknown:
        raise InvalidSettings(
            f"There is no export {unknown[0]!r}.",
            hint=f"Choose among {', '.join(EXPORTS)}, or {ALL}.",
        )
    chosen = tuple(name for name in EXPORTS if name in names or ALL in names)
    for name in chosen:
        needed = EXPORTS[name].needs
        if needed and importlib.util.find_spec(needed) is None:
            raise MissingExtra(f"The export {name} needs {needed}.", extra="fast")
    return chosen


def export_files(chosen: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return place and explanation of the files of some exports."""
    return tuple((EXPORTS[name].files, EXPORTS[name].help) for name in chosen)


def write_exports(
    finished: Finished, page: Report, *, progress: Progress | None, first: int, steps: int
) -> None:
    """Write the further files that the plan asks for, a step of the progress each."""
    for number, name in enumerate(finished.plan.exports, first):
        report(progress, number, steps, EXPORTS[name].files)
        EXPORTS[name].write(finished, page)


def _pdf(finished: Finished, page: Report) -> None:
    """Write the report as PDF."""
    from napari_sem_tools.reporting.pdf import write_pdf

    write_pdf(finished.out / "report.pdf", page)


def _xlsx(finished: Finished, page: Report) -> None:
    """Write the workbook."""
    from napari_sem_tools.analysis.sheets import sheets
    from napari_sem_tools.measurement import COLUMNS, DECISIONS
    from napari_sem_tools.reporting.exports import write_workbook

    titles = {column.name: column.title for column in COLUMNS + DECISIONS}
    write_workbook(finished.out / "results.xlsx", sheets(finished, page), titles=titles)


def _parquet(finished: Finished, page: Report) -> None:
    """Write the particle table with what its columns mean."""
    from napari_sem_tools.measurement import COLUMNS, DECISIONS
    from napari_sem_tools.reporting.exports import write_parquet

    columns = {
        column.name: {"unit": column.unit, "formula": column.formula, "source": column.source}
        for column in COLUMNS + DECISIONS
    }
    about = {
        "images": [
            {"image": one.name, "file": one.file, "calibration": one.calibration.describe()}
            for one in finished.done
        ],
        "settings": finished.plan.measure_settings.to_dict(),
    }
    place = finished.out / "particles.parquet"
    write_parquet(place, finished.table, columns=columns, metadata=about)


def _rois(finished: Finished, page: Report) -> None:
    """Write the ROIs of each image."""
    from napari_sem_tools.reporting.exports import write_rois

    for image in _labelled(finished):
        write_rois(finished.out / "rois" / f"{image.name}.zip", image)


def _geojson(finished: Finished, page: Report) -> None:
    """Write the outlines of each image."""
    from napari_sem_tools.reporting.exports import write_geojson

    for image in _labelled(finished):
        write_geojson(finished.out / "geojson" / f"{image.name}.geojson", image)


def _coco(finished: Finished, page: Report) -> None:
    """Write the masks of all images."""
    from napari_sem_tools.reporting.exports import write_coco

    write_coco(finished.out / "coco.json", _labelled(finished))


def _labelled(finished: Finished) -> Iterator[LabelledImage]:
    """Yield each image with its labels, one at a time."""
    from napari_sem_tools.reporting import LabelledImage

    files = [image.file for image in finished.done]
    for image in finished.done:
        yield LabelledImage(
            image.name,
            read_labels(finished.out / "labels" / f"{image.name}.tif"),
            image.table,
            file=image.file if files.count(image.file) == 1 else image.name,
            calibration=image.calibration,
            sha256=image.file_sha256 or image.pixels_sha256,
        )


def read_labels(path: Any) -> NDArray[np.int32]:
    """Read the labels that the run has written; numbers beyond 65,535 are kept as floats."""
    import tifffile

    return np.asarray(tifffile.imread(path)).astype(np.int32)


EXPORTS: dict[str, Export] = {
    "pdf": Export("report.pdf", "this report on pages, with vector figures", _pdf),
    "xlsx": Export(
        "results.xlsx", "particles, images, summary, fit and method as sheets", _xlsx, "openpyxl"
    ),
    "parquet": Export(
        "particles.parquet", "particles.csv with units and formulas beside the columns",
        _parquet, "pyarrow",
    ),
    "roi": Export("rois/", "a zip of ImageJ ROIs for each image", _rois),
    "geojson": Export("geojson/", "outlines with their rows, for QuPath and others", _geojson),
    "coco": Export("coco.json", "masks of all images, for training tools", _coco),
}  # fmt: skip
"""Every further file by its name; in this order they are written."""
