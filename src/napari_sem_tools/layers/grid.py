"""Grids of layers: scale, units and transforms, known by attributes, without napari.

World coordinates are in nm, y before x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading.layer_scale import calibration_of, layer_calibration

__all__ = [
    "UNCALIBRATED",
    "calibration_of",
    "grid_of",
    "layer_calibration",
    "layer_name",
    "same_grid",
]

UNCALIBRATED = " (uncalibrated)"


def same_grid(layer: Any, *, ndim: int | None = None) -> dict[str, Any]:
    """Return the keywords that put a new layer on the grid of another one.

    Parameters
    ----------
    layer : napari layer
        Known by its attributes.
    ndim : int, optional
        Number of axes of the new layer; leading axes of a stack are dropped.

    Returns
    -------
    dict
        ``scale, translate, rotate, shear, affine, units, axis_labels``.
    """
    total = int(layer.ndim)
    keep = total if ndim is None else ndim
    first = total - keep
    shear = np.asarray(layer.shear, float)
    if shear.ndim == 2:
        shear = shear[first:, first:]
    elif first:
        full = np.zeros((total, total))
        full[np.triu_indices(total, 1)] = shear
        shear = full[first:, first:][np.triu_indices(keep, 1)]
    return {
        "scale": tuple(float(s) for s in layer.scale[first:]),
        "translate": tuple(float(t) for t in layer.translate[first:]),
        "rotate": np.asarray(layer.rotate, float)[first:, first:],
        "shear": shear,
        "affine": np.asarray(layer.affine.affine_matrix, float)[first:, first:],
        "units": tuple(layer.units[first:]),
        "axis_labels": tuple(layer.axis_labels[first:]),
    }


def grid_of(micrograph: Micrograph) -> dict[str, Any]:
    """Return scale, units and axis labels of an image's layer.

    The scale is in nm; in 1/nm for diffraction; 1 with unit pixel when uncalibrated.
    The pages of a stack are 1 pixel apart.
    """
    calibration = micrograph.calibration
    size, unit = calibration.pixel_size, "nm"
    if size is None:
        size, unit = calibration.reciprocal, "1/nm"
    if size is None:
        size, unit = (1.0, 1.0), "pixel"
    stack = micrograph.axes == "NYX"
    return {
        "scale": ((1.0,) if stack else ()) + tuple(size),
        "units": (("pixel",) if stack else ()) + (unit, unit),
        "axis_labels": (("page",) if stack else ()) + ("y", "x"),
    }


def layer_name(micrograph: Micrograph, name: str | None = None) -> str:
    """Return the name of an image's layer; an uncalibrated image says so.

    Examples
    --------
    >>> layer_name(Micrograph(np.zeros((4, 4))), "grains")
    'grains (uncalibrated)'
    """
    base = (micrograph.name if name is None else name).removesuffix(UNCALIBRATED)
    calibration = micrograph.calibration
    known = calibration.is_calibrated or calibration.reciprocal is not None
    return base if known else base + UNCALIBRATED
