"""From labels and an image to the particle table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools._version import __version__
from napari_sem_tools.errors import InvalidSettings, NotCalibrated
from napari_sem_tools.measurement.columns import Scene, columns_for
from napari_sem_tools.measurement.doubt import judge
from napari_sem_tools.measurement.edge import bands_of, boundary_of, grow, touches
from napari_sem_tools.measurement.engine import choose_engine
from napari_sem_tools.measurement.settings import MeasureSettings
from napari_sem_tools.measurement.shape import Particles
from napari_sem_tools.measurement.volume import Bodies, volume_table
from napari_sem_tools.micrograph import Micrograph, Segmentation
from napari_sem_tools.statistics.edge_weights import weights_of_boxes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["measure", "pool"]

_NM = {"nm": 1.0, "µm": 1e3, "um": 1e3, "micron": 1e3, "mm": 1e6, "Å": 0.1, "angstrom": 0.1}
_SWITCHES = ("corner_ferets", "intensity", "neighbours", "inscribed")
_NOT_SQUARE = "Pixels are not square: lengths are given in nm only, from the true outline."
_UNCALIBRATED = "The image has no pixel size: all lengths are in px."


def measure(
    labels: Segmentation | NDArray[np.integer] | Any,
    image: Micrograph | NDArray[np.generic] | Any,
    *,
    settings: MeasureSettings | None = None,
    pixel_size: float | tuple[float, float] | None = None,
) -> pd.DataFrame:
    """Measure every particle of an image: one row a particle, in nm and px.

    Parameters
    ----------
    labels : Segmentation or integer array (Y, X) or (N, Y, X)
        0 is background.  Numbers may have gaps; parts of a label need not be connected.
        What lies outside the image's field is not counted.  The slices of a stack are
        measured each by itself and get a column ``slice``; with ``stack="bodies"`` the
        labels are bodies in space, a row each.
    image : Micrograph, path, layer or array
        On the same grid.  Without a pixel size columns in nm are absent.
    settings : MeasureSettings, optional
    pixel_size : float or (float, float), optional
        Typed size of a pixel in nm, (y, x) if it is not square.

    Returns
    -------
    DataFrame
        Index ``label``; columns as in `COLUMNS`.  ``attrs`` carry calibration, settings,
        size of the field, notes and version, ready for JSON.

    Raises
    ------
    InvalidSettings
        Labels and image differ in size, or the labels are no whole numbers from 0 on.
    NotCalibrated
        Bodies of a calibrated stack whose distance of slices is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sem_tools.micrograph import Calibration, Micrograph
    >>> labels = np.zeros((40, 40), int)
    >>> labels[10:20, 10:20] = 7
    >>> image = Micrograph(100 * (labels > 0), Calibration((2.0, 2.0)))
    >>> float(measure(labels, image).loc[7, "area_nm2"])
    400.0
    """
    settings = settings or MeasureSettings()
    image = _as_image(image, pixel_size)
    array = _as_labels(labels)
    if array.ndim == 3 and settings.stack == "bodies":
        return judge(_measure_bodies(array, image, settings, labels), settings)
    if array.ndim == 3:
        return _measure_stack(array, image, settings)
    if image.axes == "NYX" and image.n_pages > 1:
        raise InvalidSettings(
            f"The labels are one plane and the image is a stack of {image.n_pages}.",
            hint="Pass the plane that the labels belong to: image.plane(0).",
        )
    image = image.plane()
    if array.shape != image.shape:
        raise InvalidSettings(
            f"Labels of {array.shape} do not fit an image of {image.shape}.",
            hint="Labels have the rows and columns of the image as stored, data bar included.",
        )
    array, lost = _within_field(array, image)
    scene = _scene(array, image, settings, labels)
    table = _frame(scene, image, settings)
    table.attrs = _attributes(image, labels, lost)
    return judge(table, settings)


def pool(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the tables of several images under each other.

    Parameters
    ----------
    tables : sequence of DataFrame
        As `measure` returns them.

    Returns
    -------
    DataFrame
        ``attrs["images"]`` lists the ``attrs`` of every image.

    Raises
    ------
    InvalidSettings
        Some of the images are calibrated and some are not.
    """
    import pandas as pd

    units = {attributes["unit"] for attributes in (table.attrs for table in tables)}
    if len(units) > 1:
        raise InvalidSettings(
            "Some of the images have a pixel size and some have none.",
            hint="Calibrate all of them, or pool each kind by itself.",
        )
    if not tables:
        raise InvalidSettings("There is no table to pool.", hint="Measure an image first.")
    parts = [table.copy(deep=False) for table in tables]
    for part in parts:
        part.attrs = {}
    filled = [part for part in parts if len(part)] or parts[:1]
    pooled = pd.concat(filled)
    first = tables[0].attrs
    attributes: dict[Any, Any] = {
        "unit": first["unit"],
        "settings": first["settings"],
        "version": __version__,
        "images": [dict(table.attrs) for table in tables],
    }
    pooled.attrs = attributes
    return pooled


def _as_image(image: Any, pixel_size: float | tuple[float, float] | None) -> Micrograph:
    """Take an image in any form; odd values of a bare plane say nothing of its sizes."""
    from napari_sem_tools.calibration import calibrate
    from napari_sem_tools.reading.inputs import as_micrograph

    plane = isinstance(image, np.ndarray) and image.ndim == 2
    record: Micrograph = Micrograph(image) if plane else as_micrograph(image)
    return record if pixel_size is None else calibrate(record, pixel_size=pixel_size)


def _as_labels(labels: Any) -> NDArray[np.integer]:
    """Take labels in any form, and refuse what cannot be labels."""
    if isinstance(labels, Segmentation):
        return labels.labels
    array = np.asarray(labels.data if hasattr(labels, "units") else labels)
    if array.dtype == bool or not np.issubdtype(array.dtype, np.integer):
        raise InvalidSettings(
            f"Labels are whole numbers, one a particle, not {array.dtype}.",
            hint="Number the parts of a mask first, e.g. with scipy.ndimage.label.",
        )
    if array.ndim not in (2, 3):
        raise InvalidSettings(
            f"Labels have {array.ndim} axes.", hint="Pass one image (Y, X) or a stack (N, Y, X)."
        )
    return array


def _measure_stack(
    labels: NDArray[np.integer], image: Micrograph, settings: MeasureSettings
) -> pd.DataFrame:
    """Measure every slice of a stack by itself."""
    if image.axes != "NYX" or image.n_pages != len(labels):
        raise InvalidSettings(
            f"Labels of {labels.shape} do not fit an image of {np.shape(image.pixels)}.",
            hint="A stack of labels needs a stack of as many images.",
        )
    tables = [measure(plane, image.plane(i), settings=settings) for i, plane in enumerate(labels)]
    for i, table in enumerate(tables):
        table.insert(1, "slice", i)
    pooled = pool(tables)
    pooled.attrs = {**tables[0].attrs, "slices": len(tables)}
    return pooled


def _measure_bodies(
    labels: NDArray[np.integer], image: Micrograph, settings: MeasureSettings, source: Any
) -> pd.DataFrame:
    """Measure the bodies of a stack; what lies outside the field of a slice is not counted."""
    if image.axes != "NYX" or tuple(image.pixels.shape) != labels.shape:
        raise InvalidSettings(
            f"Labels of {labels.shape} do not fit an image of {np.shape(image.pixels)}.",
            hint="A stack of labels needs a stack of as many images.",
        )
    outside = labels[:, ~image.field]
    lost = int(np.count_nonzero(outside))
    if lost:
        labels = np.where(image.field, labels, 0)
    size = image.calibration.pixel_size
    distance = _slice_distance(image, settings) if size else 1.0
    voxel = (distance, *size) if size else (1.0, 1.0, 1.0)
    grey = np.asarray(image.grey) if settings.intensity else None
    engine = choose_engine(settings.engine, labels.size)
    bodies = Bodies(np.ascontiguousarray(labels), voxel, grey, engine)
    confidence = np.full(bodies.count, np.nan)
    if isinstance(source, Segmentation):
        confidence = source.confidence[bodies.runs.labels - 1].astype(np.float64)
    table = volume_table(
        bodies,
        calibrated=size is not None,
        image=image.name,
        margin=settings.edge_margin_px,
        confidence=confidence,
    )
    table.attrs = {**_attributes(image, source, lost), "slices": len(labels), "slice_nm": distance}
    return table


def _slice_distance(image: Micrograph, settings: MeasureSettings) -> float:
    """Return the distance of two slices in nm, as typed or as the file says."""
    said, unit = image.metadata.frame_spacing, image.metadata.frame_unit
    factor = _NM.get((unit or "").replace("\u03bc", "\u00b5"))
    if settings.slice_nm > 0:
        return settings.slice_nm
    if said and factor:
        return said * factor
    raise NotCalibrated(
        "The distance of the slices is not known.",
        hint="Set slice_nm, the distance of two slices in nm.",
    )


def _within_field(
    labels: NDArray[np.integer], image: Micrograph
) -> tuple[NDArray[np.integer], int]:
    """Leave out what lies outside the field; also return how many pixels that were."""
    if image.field.all():
        return labels, 0
    outside = ~image.field
    lost = int(np.count_nonzero(labels[outside]))
    return (np.where(outside, 0, labels).astype(labels.dtype) if lost else labels), lost


def _scene(
    labels: NDArray[np.integer], image: Micrograph, settings: MeasureSettings, source: Any
) -> Scene:
    """Gather what the columns are worked out from."""
    size = image.calibration.pixel_size
    ratio = size[0] / size[1] if size else 1.0
    grey = image.grey if settings.intensity else None
    engine = choose_engine(settings.engine, labels.size)
    directions = int(settings.perimeter_directions)
    if directions == 8 and not image.calibration.is_square:
        raise InvalidSettings(
            "The perimeter with 8 directions is defined for square pixels.",
            hint="Set perimeter_directions to 4, which knows other pixels.",
        )
    particles = Particles(labels, ratio, grey, image.field, engine, directions)
    runs = particles.runs
    confidence = np.full(particles.count, np.nan)
    if isinstance(source, Segmentation):
        confidence = source.confidence[runs.labels - 1].astype(np.float64)
    covered = np.zeros(particles.count, bool)
    if image.marks is not None and image.marks.any():
        covered = touches(labels, runs, grow(image.marks, 1))
    edge, weight = _edge(particles, image, settings.edge_margin_px)
    shape_min = settings.shape_min_px
    return Scene(particles, image.name, size, edge, covered, confidence, shape_min, weight)


def _edge(
    particles: Particles, image: Micrograph, margin_px: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Tell which particles are cut; weigh whole ones after Miles and Lantuejoul.

    The weight is NaN where the particle is cut, 0 where its box alone is.
    """
    bands = bands_of(image, margin_px)
    if bands is not None:
        edge = bands.cut(particles.runs, particles.sums)
        return edge, np.where(edge, np.nan, bands.weights(particles.sums))
    boundary = boundary_of(image, margin_px)
    edge = touches(particles.labels, particles.runs, boundary)
    box, whole = particles.box, ~edge
    weights = np.full(particles.count, np.nan)
    sides = (side[whole] for side in (box.top, box.left, box.bottom, box.right))
    weights[whole] = weights_of_boxes(~boundary, *sides)
    return edge, weights


def _frame(scene: Scene, image: Micrograph, settings: MeasureSettings) -> pd.DataFrame:
    """Work out all columns."""
    import pandas as pd

    off = frozenset(name for name in _SWITCHES if not getattr(settings, name))
    rows = columns_for(scene.nm_per_px, square=image.calibration.is_square, off=off)
    empty = {"doubt_reason": np.full(scene.particles.count, "", object)}
    missing = np.zeros(scene.particles.count, bool)  # until they are judged
    values = {
        row.name: row.value(scene) if row.value else empty.get(row.name, missing) for row in rows
    }
    index = pd.Index(scene.particles.runs.labels, name="label")
    return pd.DataFrame(values, index=index)


def _attributes(image: Micrograph, source: Any, lost: int) -> dict[Any, Any]:
    """Say what the numbers rest on, in plain values."""
    calibration = image.calibration
    notes = list(image.notes)
    if not calibration.is_calibrated:
        notes.append(_UNCALIBRATED)
    elif not calibration.is_square:
        notes.append(_NOT_SQUARE)
    if lost:
        notes.append(f"{lost} labelled pixels lie outside the field and were not counted.")
    found = source if isinstance(source, Segmentation) else None
    return {
        "image": image.name,
        "unit": "nm" if calibration.is_calibrated else "px",
        "calibration": dataclasses.asdict(calibration),
        "shape_px": list(image.shape),
        "field_px": int(np.count_nonzero(image.field)),
        "data_bar": list(image.data_bar) if image.data_bar else None,
        "strip_px": image.data_bar[1] - image.data_bar[0] if image.data_bar else 0,
        "method": found.method if found else None,
        "model": found.model if found else None,
        "notes": notes,
        "version": __version__,
    }
