"""Measure the particles of a written report again, for the script that repeats it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.analysis.job import Measured
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.measurement import MeasureSettings, decide, measure
from napari_sem_tools.measurement.doubt import BY_HAND, COUNTED, LEFT_OUT
from napari_sem_tools.micrograph import Segmentation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["measured_again"]

_CLASS = "particle_class"


def measured_again(
    folder: str | os.PathLike[str],
    name: str,
    image: str | os.PathLike[str],
    *,
    page: int = 0,
    pixel_size: tuple[float, float] | None = None,
    field: NDArray[np.bool_] | None = None,
    method: str = "",
    settings: MeasureSettings | dict[str, Any] | None = None,
) -> Measured:
    """Measure an image of a report again, with its labels and what was decided by hand.

    Parameters
    ----------
    folder : path-like
        Of the report, with ``labels/`` and ``particles.csv``.
    name : str
        Of the image in the report.
    image : path-like
        The image file.
    page : int
        Picture of the file.
    pixel_size : (float, float), optional
        Typed height and width of a pixel in nm; by default as the file states.
    field : bool array (Y, X), optional
        Where particles were counted; by default as the file says.
    method : str
        What found the particles.
    settings : MeasureSettings or dict, optional

    Returns
    -------
    Measured

    Raises
    ------
    UnreadableFile
        The image is not there.
    InvalidSettings
        The report has no such image.
    """
    from napari_sem_tools.analysis.exports import read_labels
    from napari_sem_tools.calibration import calibrate
    from napari_sem_tools.reading import read

    place = Path(folder)
    micrograph = read(image, page=page or None).plane(0)
    if pixel_size is not None:
        micrograph = calibrate(micrograph, pixel_size=pixel_size)
    if field is not None:
        micrograph = micrograph.replace(field=field)
    path = place / "labels" / f"{name}.tif"
    if not path.exists():
        raise InvalidSettings(f"There is no image {name} in {place.name}.")
    labels = read_labels(path)
    rows = _rows(place / "particles.csv", name)
    given = settings if isinstance(settings, MeasureSettings) else MeasureSettings(**settings or {})
    confidence = np.full(int(labels.max(initial=0)), np.nan, np.float32)
    if "confidence" in rows:
        confidence[rows.index.to_numpy() - 1] = (
            rows["confidence"].replace("", "nan").to_numpy(np.float32)
        )
    found = Segmentation(labels, confidence, method)
    table = measure(found, micrograph, settings=given)
    return Measured(micrograph, found, _decided(table, rows))


def _rows(path: Path, name: str) -> pd.DataFrame:
    """Read the rows of an image; as texts, of which few are needed."""
    import pandas as pd

    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    own = table[table["image"] == name]
    return own.set_index(own["label"].astype(int))


def _decided(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Make the decisions by hand again."""
    if BY_HAND in rows:
        for word, included in ((COUNTED, True), (LEFT_OUT, False)):
            labels = rows.index[rows[BY_HAND] == word]
            if len(labels):
                table = decide(table, labels, included)
    if _CLASS in rows:
        table[_CLASS] = rows[_CLASS].reindex(table.index, fill_value="")
    return table
