"""A finished analysis: all that its tables, figures, report and further files are made from."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_sem_tools.analysis.ledger import Ledger
from napari_sem_tools.analysis.plan import Plan
from napari_sem_tools.analysis.result import ImageResult
from napari_sem_tools.analysis.uncertainty import warnings_of_weightings
from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.measurement import pool
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.statistics import ReportStatistics, Summary, report_statistics

__all__ = ["Finished", "pooled_table"]

_COUNTS = ("rows_px", "columns_px", "data_bar_first_row", "data_bar_stop_row", "field_px",
           "particles", "included", "edge", "doubtful")  # fmt: skip
_WEIGHTED = (
    "The statistics have Miles-Lantuejoul weights; the histogram, sizes.csv and images.csv show "
    "the particles as they were found."
)


@dataclasses.dataclass(frozen=True, eq=False)
class Finished:
    """A finished analysis.

    Attributes
    ----------
    plan : Plan
    images : list of ImageResult
        One an image, failed ones included.
    ledger : Ledger
        Where labels and pictures lie.
    """

    plan: Plan
    images: list[ImageResult]
    ledger: Ledger

    @property
    def out(self) -> Path:
        """The folder that becomes the results."""
        return self.ledger.result

    @functools.cached_property
    def done(self) -> list[ImageResult]:
        """Images that were analysed."""
        return [image for image in self.images if not image.failed]

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """``particles.csv``: the rows of all images."""
        return pooled_table(self.done)

    @functools.cached_property
    def units(self) -> list[str]:
        """The units in use, nm first."""
        return sorted({image.unit for image in self.done})

    @functools.cached_property
    def statistics(self) -> dict[str, ReportStatistics]:
        """All that is worked out from the sizes of a unit."""
        return {
            unit: report_statistics(
                pool([image.table for image in self.of_unit(unit)]),
                quantity=f"ecd_{unit}",
                settings=self.plan.reckoning,
            )
            for unit in self.units
        }

    @functools.cached_property
    def summaries(self) -> dict[str, Summary]:
        """The statistics by number of each unit."""
        return {unit: found.summaries["number"] for unit, found in self.statistics.items()}

    @functools.cached_property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the run as a whole."""
        return _warnings(self.plan, self.images)

    @property
    def main_warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the numbers by number."""
        aside = {
            line for found in self.statistics.values() for line in warnings_of_weightings(found)
        }
        return tuple(line for line in self.all_warnings if line not in aside)

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """The same, and what the statistics do not support."""
        limits = [line for one in self.statistics.values() for line in one.warnings]
        weighted = [_WEIGHTED] if self.plan.reckoning.edge_weights else []
        return tuple(dict.fromkeys([*self.warnings, *limits, *weighted]))

    @functools.cached_property
    def images_table(self) -> pd.DataFrame:
        """``images.csv``: a row an image."""
        table = pd.DataFrame([_image_line(image) for image in self.images])
        return table.astype(dict.fromkeys(_COUNTS, "Int64"))

    def read_again(self, image: ImageResult) -> Micrograph:
        """Read the picture that a result is of.

        Raises
        ------
        SemError
            It cannot be read any more.
        """
        from napari_sem_tools.analysis.job import read_source

        known = [s for s in self.plan.sources if image.name.startswith(s.name)]
        source = max(known, key=lambda one: len(one.name))
        for picture in read_source(source, self.plan):
            if picture.page == image.page:
                return picture
        raise UnreadableFile(f"{image.file} has changed since it was analysed.")

    def of_unit(self, unit: str) -> list[ImageResult]:
        """Return the images whose sizes have a unit."""
        return [image for image in self.done if image.unit == unit]

    def sizes(self, unit: str) -> NDArray[np.float64]:
        """Return the counted sizes of all images of a unit."""
        return np.concatenate([np.empty(0), *(image.sizes for image in self.of_unit(unit))])

    def pixel(self, unit: str) -> float:
        """Return the largest side of a pixel in `unit`: narrower classes would comb."""
        return max(image.pixel for image in self.of_unit(unit))


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
