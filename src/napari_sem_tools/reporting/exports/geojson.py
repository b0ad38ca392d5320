"""GeoJSON: the outlines as polygons with holes, as QuPath and mapping programs read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem_tools._version import __version__
from napari_sem_tools.files import json_text, write_text
from napari_sem_tools.reporting.labelled import LabelledImage
from napari_sem_tools.reporting.outlines import Part, label_outlines
from napari_sem_tools.reporting.pictures import STATES
from napari_sem_tools.reporting.plain import plain_columns

__all__ = ["write_geojson"]

_IN_QUPATH = (  # QuPath shows these beside its objects; the whole row stands in the properties
    "area_nm2", "area_px", "ecd_nm", "ecd_px", "feret_min_nm", "feret_max_nm", "feret_min_px",
    "feret_max_px", "perimeter_nm", "perimeter_px", "circularity", "aspect_ratio", "solidity",
    "confidence",
)  # fmt: skip
_GRID = "px; x to the right, y down; the first pixel covers 0 to 1 (its centre is at 0.5)"


def write_geojson(path: str | os.PathLike[str], image: LabelledImage) -> Path:
    """Write the outlines of all particles as GeoJSON, each with its row of the table.

    Parameters
    ----------
    path : path-like
        Ends in ``.geojson``.
    image : LabelledImage

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    InvalidSettings
        Table and labels differ.
    SemError
        The file cannot be written.

    Notes
    -----
    Corners are whole numbers of pixels from the upper left corner of the image, as QuPath
    counts, and outlines follow the sides of the pixels.  There is no map behind them, so there
    is no coordinate reference system; `properties` of the collection say so.  Outer rings turn
    as RFC 7946 asks when the numbers are drawn with y upwards.

    References
    ----------
    RFC 7946.  QuPath, "Importing & exporting: GeoJSON".
    """
    features = list(_features(image))
    collection = {
        "type": "FeatureCollection",
        "properties": {
            "image": image.stem,
            "sha256": image.sha256 or None,
            "rows_px": image.labels.shape[0],
            "columns_px": image.labels.shape[1],
            "grid": _GRID,
            "pixel_size_nm": image.pixel_size_nm,
            "calibration": image.calibration.describe(),
            "software": f"napari-sem-tools {__version__}",
        },
        "features": features,
    }
    return write_text(path, json_text(collection, indent=None))


def _features(image: LabelledImage) -> Iterator[dict[str, Any]]:
    """Make the objects, one a particle."""
    polygons = dict(label_outlines(image.labels).polygons())
    labels = np.fromiter(polygons, np.int64, len(polygons))
    table = image.rows(labels)
    columns = plain_columns(table)
    measured = [name for name in _IN_QUPATH if name in columns]
    kinds = _kinds(image)
    for place, (label, parts) in enumerate(polygons.items()):
        row = {name: values[place] for name, values in columns.items()}
        properties = {"objectType": "detection", "name": str(label), "label": label, **row}
        if kinds:
            properties["classification"] = kinds[label]
        if measured:
            found = {name: row[name] for name in measured}
            properties["measurements"] = {k: v for k, v in found.items() if v is not None}
        yield {
            "type": "Feature",
            "id": f"{image.name}-{label}",
            "geometry": _geometry(parts),
            "properties": properties,
        }


def _kinds(image: LabelledImage) -> dict[int, dict[str, Any]]:
    """Return how QuPath calls and colours each particle: counted, doubtful, ..."""
    by_state = {
        value: {"name": name, "color": [round(255 * part) for part in colour]}
        for value, (name, colour) in STATES.items()
    }
    return {label: by_state[state] for label, state in image.states().items()}


def _geometry(parts: list[Part]) -> dict[str, Any]:
    """Write the parts of a particle as a polygon, or several."""
    polygons = [
        [[*(corners := ring[:, ::-1].tolist()), corners[0]] for ring in part] for part in parts
    ]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}
