"""Regions to measure in or to leave out: napari Shapes CSV, ImageJ ROI, GeoJSON."""

from __future__ import annotations

import csv
import json
import math
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings, UnknownFormat, UnreadableFile
from napari_sem_tools.reading.source import library_errors, quiet
from napari_sem_tools.reading.text import decode

__all__ = ["read_regions", "region_mask"]

Polygon = NDArray[np.float64]

_CIRCLE_POINTS: Final = 72  # corners of an ellipse: 0.1 % of its area is lost
_MAX_BYTES: Final = 64 << 20
_CORNER: Final = 0.5  # ImageJ and QuPath count from the corner of a pixel, we from its centre


def read_regions(path: str | os.PathLike[str]) -> list[Polygon]:
    """Read regions drawn elsewhere as polygons in px.

    Parameters
    ----------
    path : path-like
        CSV of a napari Shapes layer, ImageJ ROI (``.roi``, or ``.zip`` of them), or GeoJSON
        with x, y in px (as QuPath and labelling tools write).  QuPath's objects count from the
        corner of the first pixel, like ImageJ; plain polygons from its centre.

    Returns
    -------
    list of float array (n, 2)
        Corners as (y, x) in px; the centre of the first pixel is at (0, 0).

    Raises
    ------
    UnreadableFile
        The file is missing, damaged, or holds no area.
    UnknownFormat
        It is none of the three.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= _MAX_BYTES else b""
    except OSError as error:
        raise UnreadableFile(f"There is no file {path}.", hint="Check the path.") from error
    if not content:
        raise UnreadableFile(f"{path.name} is empty or too large.", hint="Save the regions again.")
    reader = _reader_of(path, content)
    with library_errors(path, "is no readable file of regions"):
        polygons = [p for p in reader(content) if len(p) >= 3 and np.isfinite(p).all()]
    if not polygons:
        raise UnreadableFile(
            f"{path.name} holds no area.", hint="Draw rectangles, ellipses or polygons, not lines."
        )
    return polygons


def _reader_of(path: Path, content: bytes) -> Callable[[bytes], list[Polygon]]:
    """Choose by content."""
    if content.startswith((b"Iout", b"PK\x03\x04")):
        return _imagej
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"{", b"[")):
        return _geojson
    if b"vertex-index" in content[:400] or b"axis-0" in content[:400]:
        return _shapes_csv
    raise UnknownFormat(
        f"{path.name} is no file of regions that is known.",
        hint="Save a napari Shapes layer as CSV, or ImageJ ROIs, or GeoJSON.",
    )


def _shapes_csv(content: bytes) -> list[Polygon]:
    """Read the table of a napari Shapes layer: a row a corner."""
    shapes: dict[str, tuple[str, list[tuple[float, float]]]] = {}
    for row in csv.DictReader(decode(content).splitlines()):
        axes = sorted(key for key in row if key is not None and key.startswith("axis-"))
        corner = (float(row[axes[-2]]), float(row[axes[-1]]))
        kind = (row.get("shape-type") or "polygon").strip().lower()
        shapes.setdefault(row.get("index") or "0", (kind, []))[1].append(corner)
    polygons = []
    for kind, corners in shapes.values():
        if kind in ("line", "path"):
            continue
        points = np.asarray(corners, float)
        polygons.append(_ellipse(points) if kind == "ellipse" else points)
    return polygons


def _ellipse(corners: Polygon) -> Polygon:
    """Make the polygon of an ellipse in a box of four corners, or of centre and radii."""
    angle = np.linspace(0, 2 * math.pi, _CIRCLE_POINTS, endpoint=False)[:, None]
    if len(corners) < 4:
        centre, radii = corners[0], corners[-1]
        return np.asarray(centre + radii * np.hstack([np.sin(angle), np.cos(angle)]))
    centre = corners[:4].mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    return np.asarray(centre + np.cos(angle) * first + np.sin(angle) * second)


def _imagej(content: bytes) -> list[Polygon]:
    """Read ImageJ ROIs."""
    import io
    import zipfile

    import roifile

    parts = [content]
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [i for i in archive.infolist() if i.filename.lower().endswith(".roi")]
            if sum(i.file_size for i in names) > _MAX_BYTES:
                raise ValueError("too large")
            parts = [archive.read(i) for i in names]
    polygons: list[Polygon] = []
    for part in parts:
        with warnings.catch_warnings(), quiet("roifile"):
            warnings.simplefilter("ignore")
            polygons += _roi_polygons(roifile.ImagejRoi.frombytes(part), roifile.ROI_TYPE)
    return polygons


def _roi_polygons(roi: Any, kinds: Any) -> list[Polygon]:
    """Turn one ROI into polygons; lines and points are no area."""
    if roi.roitype in (kinds.LINE, kinds.FREELINE, kinds.POLYLINE, kinds.ANGLE, kinds.POINT):
        return []
    if roi.roitype == kinds.OVAL:
        top, left, bottom, right = roi.top, roi.left, roi.bottom, roi.right
        box = np.array([[top, left], [top, right], [bottom, right], [bottom, left]], float)
        return [_ellipse(box) - _CORNER]
    paths = roi.coordinates(multi=True)
    return _nested([np.asarray(path, float)[:, ::-1] - _CORNER for path in paths])


def _geojson(content: bytes) -> list[Polygon]:
    """Read the polygons of a GeoJSON; their holes stay holes."""
    return list(_geometries(json.loads(decode(content))))


def _geometries(item: Any, depth: int = 0) -> list[Polygon]:
    """Collect the polygons below a GeoJSON object."""
    if depth > 20:
        raise ValueError("nested too deeply")
    if isinstance(item, list):
        return [p for part in item for p in _geometries(part, depth + 1)]
    if not isinstance(item, dict):
        return []
    kind, corners = item.get("type"), item.get("coordinates")
    if "objectType" in (item.get("properties") or ()):  # an object of QuPath
        return [p - _CORNER for p in _geometries(item.get("geometry"), depth + 1)]
    if kind == "Polygon" and corners:
        return [_with_holes([_ring(ring) for ring in corners])]
    if kind == "MultiPolygon" and corners:
        return [_with_holes([_ring(ring) for ring in part]) for part in corners if part]
    children = [item.get(key) for key in ("features", "geometry", "geometries")]
    return [p for child in children if child for p in _geometries(child, depth + 1)]


def _ring(corners: Sequence[Any]) -> Polygon:
    """Turn x, y into (y, x)."""
    return np.asarray([[c[1], c[0]] for c in corners], float)


def _with_holes(rings: list[Polygon]) -> Polygon:
    """Join an outline and its holes to one polygon, by bridges of no width.

    Filled by the rule of even and odd crossings, which passes over the bridges.
    """
    from scipy.spatial import cKDTree

    joined, *holes = rings
    for hole in holes:
        if len(hole) < 3:
            continue
        distance, nearest = cKDTree(joined).query(hole)
        there = int(np.argmin(distance))
        here = int(np.asarray(nearest)[there])
        turned = np.roll(hole, -there, axis=0)
        joined = np.vstack([joined[: here + 1], turned, turned[:1], joined[here:]])
    return joined


def _nested(paths: list[Polygon]) -> list[Polygon]:
    """Tell outlines from holes: a path inside an odd number of others is a hole of one of them."""
    if len(paths) < 2:
        return paths
    from skimage.measure import points_in_poly

    inside = [
        [len(q) >= 3 and q is not p and bool(points_in_poly(p[:1], q)[0]) for q in paths]
        for p in paths
    ]
    depth = [sum(row) for row in inside]
    return [
        _with_holes(
            [p, *(q for j, q in enumerate(paths) if depth[j] == depth[i] + 1 and inside[j][i])]
        )
        for i, p in enumerate(paths)
        if depth[i] % 2 == 0
    ]


def region_mask(regions: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels are in one of the regions.

    Parameters
    ----------
    regions : bool array (Y, X), sequence of (n, 2) arrays, or path-like
        A mask; polygons with corners (y, x) in px; or a file for `read_regions`.
    shape : (int, int)
        Rows and columns of the image.

    Returns
    -------
    bool array (Y, X)
        A pixel is in a region when its centre is.

    Raises
    ------
    InvalidSettings
        The mask has another size, or no pixel is in a region.

    Examples
    --------
    >>> square = [[0.5, 0.5], [0.5, 3.5], [2.5, 3.5], [2.5, 0.5]]
    >>> region_mask([square], (4, 5)).sum()
    np.int64(6)
    """
    if isinstance(regions, str | os.PathLike):
        regions = read_regions(regions)
    if isinstance(regions, np.ndarray) and regions.dtype.kind in "iu" and regions.ndim == 2:
        regions = regions != 0 if min(regions.shape) > 2 else [regions]  # else n corners
    if isinstance(regions, np.ndarray) and regions.dtype == bool:
        if regions.shape != tuple(shape):
            raise InvalidSettings(
                f"A region of {regions.shape} does not fit an image of {tuple(shape)}.",
                hint="Draw it on the same image.",
            )
        mask = regions
    else:
        mask = _polygons_to_mask(regions, shape)
    if not mask.any():
        raise InvalidSettings(
            "No pixel of the image is in the regions.", hint="Check that they are in px, not in nm."
        )
    return mask


def _polygons_to_mask(regions: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill polygons."""
    from skimage.draw import polygon2mask as fill

    mask = np.zeros(shape, bool)
    for region in regions:
        corners = np.asarray(region, float)
        if corners.ndim != 2 or corners.shape[1] < 2 or len(corners) < 3:
            raise InvalidSettings(
                f"A region with corners of shape {corners.shape} is no polygon.",
                hint="Give at least three corners (y, x) in px.",
            )
        mask |= np.asarray(fill(shape, corners[:, -2:]))
    return mask
