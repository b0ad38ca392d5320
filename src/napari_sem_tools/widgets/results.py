"""Which layer a result goes to: an earlier one only while nobody edited it.  No Qt here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from napari_sem_tools.layers import was_edited
from napari_sem_tools.layers.grid import UNCALIBRATED
from napari_sem_tools.micrograph import Micrograph

__all__ = ["MAP_KEY", "earlier_result", "image_of", "plane_of", "replace_result", "result_name"]

MAP_KEY = "sem_map"
"""In the metadata of layers that show a quantity over an image; they are no micrographs."""


def result_name(image_name: str, page: int | None = None) -> str:
    """Return the name of the particles of an image.

    Examples
    --------
    >>> result_name("grains (uncalibrated)"), result_name("series", 3)
    ('grains particles', 'series [3] particles')
    """
    stem = image_name.removesuffix(UNCALIBRATED)
    return f"{stem} particles" if page is None else f"{stem} [{page}] particles"


def earlier_result(layers: Iterable[Any], name: str, shape: tuple[int, ...]) -> Any:
    """Return the labels layer that a new result may replace, or None.

    Parameters
    ----------
    layers : iterable of napari layers
    name : str
        Name of the result; napari may have put a number behind it.
    shape : (int, int)
        Rows and columns of the result.

    Returns
    -------
    layer or None
        The newest one that the suite made and that the user changed neither by painting
        nor by leaving particles out.
    """
    found = None
    for layer in layers:
        if "sem_origin" not in layer.metadata or tuple(layer.data.shape) != tuple(shape):
            continue
        number = layer.name.removeprefix(name)
        same = not number or (number.startswith(" [") and number.endswith("]"))
        untouched = not layer.metadata.get("sem_choices") and not was_edited(layer)
        if layer.name.startswith(name) and same and untouched:
            found = layer
    return found


def replace_result(layer: Any, arguments: dict[str, Any]) -> Any:
    """Put a new result into an earlier layer; its undo history and table go.

    Parameters
    ----------
    layer : napari Labels layer
    arguments : dict
        As `labels_arguments` makes them.

    Returns
    -------
    layer
    """
    layer.data = arguments["data"]
    # napari keeps the undo history of the old pixels unless editing is switched off and on
    layer.editable = False
    layer.editable = True
    layer.features = {}
    layer.metadata.pop("sem_table", None)
    layer.metadata.update(arguments["metadata"])
    for name in ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"):
        setattr(layer, name, arguments[name])
    return layer


def image_of(labels: Any, images: Iterable[Any]) -> Any:
    """Return the image layer that labels belong to, or None.

    Parameters
    ----------
    labels : napari Labels layer
    images : iterable of napari Image layers

    Returns
    -------
    layer or None
        The one that the labels were made from, else the topmost of their rows and columns.
    """
    candidates = []
    for image in images:
        shape = image.data.shape
        plane = shape[:2] if getattr(image, "rgb", False) else shape[-2:]
        if tuple(plane) == tuple(labels.data.shape[-2:]):
            candidates.append(image)
    for image in reversed(candidates):
        stem = image.name.removesuffix(UNCALIBRATED)
        if labels.name.startswith(f"{stem} "):
            return image
    return candidates[-1] if candidates else None


def plane_of(labels: Any, record: Micrograph, viewer: Any) -> Micrograph:
    """Return the page and the field that labels belong to.

    Parameters
    ----------
    labels : napari Labels layer
    record : Micrograph
        Of the image layer.
    viewer : napari viewer
        Its slider says the page of labels that nobody knows the origin of.

    Returns
    -------
    Micrograph
    """
    if record.axes == "NYX" and labels.ndim == 2:
        origin = labels.metadata.get("sem_origin")
        page = origin.image.page - record.page if origin is not None else None
        if page is None or not 0 <= page < record.n_pages:
            page = int(viewer.dims.current_step[-3])
        record = record.plane(page)
    field = labels.metadata.get("sem_field")
    if field is not None and np.shape(field) == record.shape:
        record = record.replace(field=field)
    return record
