"""Records to napari layers and back.

Every layer made here copies the grid of the image it belongs to.  napari itself is
imported only where a layer is made.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import SemError
from napari_sem_tools.layers.grid import (
    UNCALIBRATED,
    grid_of,
    layer_name,
    same_grid,
)
from napari_sem_tools.micrograph import ImageIdentity, Micrograph, Segmentation

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LabelsOrigin",
    "attach_table",
    "compact_labels",
    "fingerprint",
    "from_layer",
    "image_arguments",
    "labels_arguments",
    "segmentation_of",
    "show",
    "shown_pixels",
    "table_of",
    "was_edited",
    "without_pixels",
]


@dataclasses.dataclass(frozen=True, eq=False)
class LabelsOrigin:
    """What made a labels layer; kept in ``layer.metadata["sem_origin"]``.

    Attributes
    ----------
    method : str
    settings : dict
    confidence : float32 array (n,)
    model : str or None
    image : ImageIdentity
    notes : tuple of str
    fingerprint : str
        Hash of the labels as they came, so that an edit is noticed.
    """

    method: str
    settings: dict[str, Any]
    confidence: NDArray[np.float32]
    model: str | None
    image: ImageIdentity
    notes: tuple[str, ...]
    fingerprint: str


def without_pixels(micrograph: Micrograph) -> Micrograph:
    """Return the record without its pixels: shape and type stay, one zero is held."""
    hollow = np.broadcast_to(np.zeros((), micrograph.pixels.dtype), micrograph.pixels.shape)
    return micrograph.replace(pixels=hollow)


def shown_pixels(micrograph: Micrograph) -> Any:
    """Return what napari can draw: complex values (a Fourier transform) as their magnitude."""
    pixels = micrograph.pixels
    return np.abs(pixels) if pixels.dtype.kind == "c" else pixels


def image_arguments(micrograph: Micrograph, name: str | None = None) -> dict[str, Any]:
    """Return the keywords of ``viewer.add_image`` for an image.

    Parameters
    ----------
    micrograph : Micrograph
    name : str, optional
        Instead of the stem of the file.

    Returns
    -------
    dict
        Name, grid, colour and ``metadata["sem"]``, the record without its pixels.
    """
    return {
        "name": layer_name(micrograph, name),
        "rgb": micrograph.axes == "YXC",
        "metadata": {"sem": without_pixels(micrograph)},
        **grid_of(micrograph),
    }


def compact_labels(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels as uint16 while the ids fit, which napari redraws ten times faster.

    Examples
    --------
    >>> compact_labels(np.array([[0, 7]], np.int32)).dtype
    dtype('uint16')
    """
    labels = np.asarray(labels)
    if labels.dtype in (np.uint8, np.uint16):
        return labels
    if labels.dtype == bool:
        return labels.astype(np.uint8)
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    return labels.astype(np.uint16) if low >= 0 and high < 2**16 else labels


def fingerprint(labels: NDArray[Any]) -> str:
    """Return a hash of shape and labels that does not depend on their integer type."""
    wide = np.ascontiguousarray(labels, np.int32)
    return hashlib.blake2b(
        wide.data, digest_size=16, salt=str(wide.shape).encode()[:16]
    ).hexdigest()


def labels_arguments(
    found: Segmentation,
    image: Any = None,
    *,
    name: str | None = None,
    field: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Return the keywords of ``viewer.add_labels`` for found particles.

    Parameters
    ----------
    found : Segmentation
    image : napari layer, optional
        The image layer whose grid and metadata the labels share.
    name : str, optional
        Instead of ``<image> particles``.
    field : bool array (Y, X), optional
        What was looked at, where that is less than the image's field; `field_of` returns it
        when the particles are measured.

    Returns
    -------
    dict
        ``data`` (uint16 while the ids fit), name, grid and metadata.
    """
    data = compact_labels(found.labels)
    origin = LabelsOrigin(
        method=found.method,
        settings=dict(found.settings),
        confidence=found.confidence,
        model=found.model,
        image=found.image,
        notes=found.notes,
        fingerprint=fingerprint(data),
    )
    metadata: dict[str, Any] = {"sem_origin": origin}
    grid: dict[str, Any] = {}
    stem = found.image.source.stem if found.image.source is not None else "image"
    if image is not None:
        grid = same_grid(image, ndim=2)
        stem = image.name.removesuffix(UNCALIBRATED)
        if "sem" in image.metadata:
            metadata["sem"] = image.metadata["sem"]
    if field is not None:
        metadata["sem_field"] = field
    return {"data": data, "name": name or f"{stem} particles", "metadata": metadata, **grid}


def was_edited(layer: Any) -> bool:
    """Say whether a user changed a labels layer's pixels; True when nothing is known."""
    origin = layer.metadata.get("sem_origin")
    return origin is None or origin.fingerprint != fingerprint(np.asarray(layer.data))


def segmentation_of(layer: Any) -> Segmentation | NDArray[Any]:
    """Return a labels layer as the record that made it, or its labels once edited.

    Parameters
    ----------
    layer : napari Labels layer

    Returns
    -------
    Segmentation or int array (Y, X)
        With confidence and settings while no pixel was changed.
    """
    if was_edited(layer):
        return np.asarray(layer.data)
    origin = layer.metadata["sem_origin"]
    return Segmentation(
        labels=np.asarray(layer.data, np.int32),
        confidence=origin.confidence,
        method=origin.method,
        settings=origin.settings,
        model=origin.model,
        image=origin.image,
        notes=origin.notes,
    )


def from_layer(layer: Any) -> Micrograph:
    """Make a record of a napari image layer.

    Parameters
    ----------
    layer : napari layer
        Its data are the pixels; its scale and units the pixel size; what a reader of the
        suite knew about the file is taken from ``layer.metadata["sem"]``.

    Returns
    -------
    Micrograph

    Raises
    ------
    InvalidSettings
        The layer is no image of two or three axes.
    """
    from napari_sem_tools.reading.inputs import as_micrograph

    return as_micrograph(layer)


def show(record: Any, viewer: Any = None) -> Any:
    """Show a record in napari.

    Parameters
    ----------
    record : Micrograph, Segmentation or DataFrame
        An image, found particles (on the grid of their image's layer) or a table of
        particles (as features of the labels layer that is selected, or of the last one).
    viewer : napari.Viewer, optional
        By default the window that is open; one is opened when there is none.

    Returns
    -------
    layer
        The layer that was made, or that got the table.

    Raises
    ------
    SemError
        There is no labels layer for a table, or the record is of no kind that can be shown.
    """
    import napari

    if viewer is None:
        viewer = napari.current_viewer() or napari.Viewer()
    if isinstance(record, Micrograph):
        return viewer.add_image(shown_pixels(record), **image_arguments(record))
    if isinstance(record, Segmentation):
        return viewer.add_labels(**labels_arguments(record, _image_of(record, viewer)))
    if hasattr(record, "columns") and hasattr(record, "attrs"):
        return attach_table(_labels_layer(viewer), record)
    raise SemError(
        f"A {type(record).__name__} cannot be shown in napari.",
        hint="Pass an image, a segmentation or a table of particles.",
    )


def _image_of(found: Segmentation, viewer: Any) -> Any:
    """Return the image layer that a segmentation belongs to, or None."""
    images = [
        layer
        for layer in reversed(viewer.layers)
        if hasattr(layer, "rgb") and tuple(layer.data.shape[-2:]) == found.labels.shape
    ]
    for layer in images:
        record = layer.metadata.get("sem")
        if record is not None and record.source == found.image.source is not None:
            return layer
    active = viewer.layers.selection.active
    return active if active in images else next(iter(images), None)


def _labels_layer(viewer: Any) -> Any:
    """Return the labels layer that a table belongs to."""
    active = viewer.layers.selection.active
    candidates = [layer for layer in viewer.layers if hasattr(layer, "selected_label")]
    if active in candidates:
        return active
    if not candidates:
        raise SemError("There is no labels layer for the table.", hint="Show the particles first.")
    return candidates[-1]


def attach_table(layer: Any, table: pd.DataFrame) -> Any:
    """Give a labels layer a table as features, joined to the particles by ``index``."""
    features = table.reset_index() if table.index.name == "label" else table.copy()
    features.insert(0, "index", features["label"].to_numpy())
    layer.metadata["sem_table"] = dict(table.attrs)  # first: setting features tells the widgets
    layer.features = features
    return layer


def table_of(layer: Any) -> pd.DataFrame | None:
    """Return the table of a labels layer as `measure` made it, or None without one.

    Parameters
    ----------
    layer : napari Labels layer

    Returns
    -------
    DataFrame or None
        Index ``label``; ``attrs`` carry calibration, settings and version.
    """
    features = layer.features
    if "index" not in features or not len(features):
        return None
    table: pd.DataFrame = features.drop(columns=[c for c in ("index", "label") if c in features])
    table.index = features["index"].to_numpy()
    table.index.name = "label"
    table.attrs.update(layer.metadata.get("sem_table", {}))
    return table
