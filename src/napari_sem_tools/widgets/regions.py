"""Regions that a user drew, as polygons and masks on an image's grid; no Qt here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["outline_of", "polygons_in_pixels", "region_of"]

_ELLIPSE_POINTS = 72  # a corner each 5°: the area is 0.13 % too small at most


def outline_of(vertices: NDArray[Any], kind: str) -> NDArray[np.float64]:
    """Return the outline of a drawn shape as a polygon.

    Parameters
    ----------
    vertices : float array (n, D)
        As napari keeps them: the four corners of the box for an ellipse.
    kind : str
        napari's ``shape_type``; lines and paths enclose nothing.

    Returns
    -------
    float array (m, D)
        Empty when nothing is enclosed.

    Examples
    --------
    >>> outline_of(np.array([[0, 0], [5, 5]]), "line").shape
    (0, 2)
    """
    vertices = np.asarray(vertices, float)
    if kind in ("line", "path") or len(vertices) < 3:
        return np.empty((0, vertices.shape[1]))
    if kind != "ellipse":
        return vertices
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)[:, None]
    centre = vertices.mean(axis=0)
    first, second = (vertices[1] - vertices[0]) / 2, (vertices[3] - vertices[0]) / 2
    return np.asarray(centre + np.cos(angle) * first + np.sin(angle) * second)


def polygons_in_pixels(shapes: Any, image: Any) -> list[NDArray[np.float64]]:
    """Return drawn shapes as polygons in pixels of an image, through world coordinates.

    Parameters
    ----------
    shapes : napari Shapes layer
        Of any scale and units; drawn over `image`.
    image : napari layer
        The grid that the polygons are wanted on.

    Returns
    -------
    list of float array (n, 2)
        Corners (y, x); a shape that encloses nothing is left out.
    """
    factor = _unit_factor(shapes, image)
    polygons = []
    for vertices, kind in zip(shapes.data, shapes.shape_type, strict=True):
        outline = outline_of(vertices, str(kind))
        if len(outline):
            polygons.append(np.array([_to_pixel(v, shapes, image, factor) for v in outline]))
    return polygons


def region_of(
    shapes: Any, image: Any, shape: tuple[int, int] | None = None
) -> NDArray[np.bool_] | None:
    """Return the pixels of an image inside drawn shapes, None when nothing is drawn.

    Parameters
    ----------
    shapes : napari Shapes layer or None
    image : napari layer
    shape : (int, int), optional
        Rows and columns; those of the image by default.

    Returns
    -------
    bool array (Y, X) or None
    """
    from napari_sem_tools.reading.regions import region_mask

    polygons = [] if shapes is None else polygons_in_pixels(shapes, image)
    if not polygons:
        return None
    if shape is None:
        rows, columns = (
            image.data.shape[:2] if getattr(image, "rgb", False) else image.data.shape[-2:]
        )
        shape = (int(rows), int(columns))
    return region_mask(polygons, shape)


def _to_pixel(vertex: NDArray[Any], shapes: Any, image: Any, factor: float) -> NDArray[Any]:
    """Take one corner from the shapes' own coordinates to (y, x) in pixels of the image."""
    world = np.asarray(shapes.data_to_world(vertex), float)[-2:] * factor
    full = np.concatenate([np.zeros(image.ndim - 2), world])
    return np.asarray(image.world_to_data(full), float)[-2:]


def _unit_factor(shapes: Any, image: Any) -> float:
    """Return the unit of one layer's world in that of the other; 1 where they do not compare.

    napari draws by bare numbers as soon as the units are of two kinds, so that then what
    the user saw is the bare number.
    """
    one, other = shapes.units[-1], image.units[-1]
    if one == other or one.dimensionality != other.dimensionality:
        return 1.0
    return float((1.0 * one).to(other).magnitude)
