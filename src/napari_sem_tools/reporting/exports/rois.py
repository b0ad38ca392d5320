"""ImageJ ROIs: a zip that ImageJ's ROI Manager opens, a region a particle."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.files import write_file
from napari_sem_tools.reporting.labelled import LabelledImage
from napari_sem_tools.reporting.outlines import Part, label_outlines
from napari_sem_tools.reporting.pictures import STATES

__all__ = ["write_rois"]

_LARGEST_PX = 60_535  # ImageJ stores corners in 16 bits, counted from -5000
_SAME_DAY = (1980, 1, 1, 0, 0, 0)  # in the zip: the same results give the same bytes
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # how a composite region writes its path
_NO_COLOUR = bytes(4)
_VERSION = 227  # of the file format: names and colours


def write_rois(path: str | os.PathLike[str], image: LabelledImage) -> Path:
    """Write the outlines of all particles as a zip of ImageJ ROIs.

    Parameters
    ----------
    path : path-like
        Ends in ``.zip``.
    image : LabelledImage
        With a table, the outlines have the colours of the figures: red is doubtful.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    InvalidSettings
        The image is too large for ImageJ's 16-bit corners, or table and labels differ.
    SemError
        The file cannot be written.

    Notes
    -----
    The name of a ROI is the number of its particle.  Corners are whole numbers in ImageJ's
    convention, where the first pixel covers 0 to 1; ImageJ's own area of a ROI is the number of
    its pixels.  Particles with holes or in several parts are composite regions.

    References
    ----------
    ImageJ, ``ij.io.RoiDecoder``.
    """
    rows, columns = image.labels.shape
    if max(rows, columns) > _LARGEST_PX:
        raise InvalidSettings(
            f"{image.name} has {rows} x {columns} px; ImageJ's ROI files reach {_LARGEST_PX} px.",
            hint="Export GeoJSON or COCO instead, or crop the image.",
        )
    colours = _colours(image)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for label, parts in label_outlines(image.labels).polygons():
            content = _roi(str(label), parts, colours.get(label, _NO_COLOUR))
            archive.writestr(zipfile.ZipInfo(f"{label}.roi", _SAME_DAY), content)
    return write_file(path, buffer.getvalue())


def _colours(image: LabelledImage) -> dict[int, bytes]:
    """Return the colour of each particle's outline as alpha, red, green, blue."""
    by_state = {
        value: bytes([255, *(round(255 * part) for part in colour)])
        for value, (_, colour) in STATES.items()
    }
    return {label: by_state[state] for label, state in image.states().items()}


def _roi(name: str, parts: list[Part], colour: bytes) -> bytes:
    """Return the bytes of one ROI."""
    from roifile import ROI_TYPE, ImagejRoi

    rings = [ring[:, ::-1] for part in parts for ring in part]  # x, y
    roi = ImagejRoi()
    roi.name, roi.version, roi.stroke_color = name, _VERSION, colour
    left_top = np.min([ring.min(axis=0) for ring in rings], axis=0)
    right_bottom = np.max([ring.max(axis=0) for ring in rings], axis=0)
    roi.left, roi.top = (int(value) for value in left_top)
    roi.right, roi.bottom = (int(value) for value in right_bottom)
    if len(rings) == 1:
        roi.roitype = ROI_TYPE.TRACED  # as ImageJ's own wand draws it
        roi.integer_coordinates = (rings[0] - left_top).astype(np.int32)
        roi.n_coordinates = len(rings[0])
    else:
        path = np.concatenate([_path(ring) for ring in rings]).astype(np.float32)
        roi.roitype = ROI_TYPE.RECT
        roi.multi_coordinates = path
        roi.shape_roi_size = path.size
    content: bytes = roi.tobytes()
    return content


def _path(ring: NDArray[Any]) -> NDArray[np.float64]:
    """Write a ring as a path: go there, draw lines, close."""
    steps = np.column_stack([np.full(len(ring), _LINE), ring])
    steps[0, 0] = _MOVE
    return np.append(steps.ravel(), _CLOSE)
