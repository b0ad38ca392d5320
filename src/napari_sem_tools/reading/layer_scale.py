"""The pixel size that a napari layer shows: what the user sees in the window counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sem_tools.micrograph import Calibration
from napari_sem_tools.reading.text import length_nm

__all__ = ["calibration_of", "layer_calibration"]

_SAME = 1e-9  # relative difference below which two scales are one


def layer_calibration(scale: Any, units: Any) -> Calibration | None:
    """Return the pixel size that a layer's scale and units mean, None without a length.

    Parameters
    ----------
    scale : sequence of float
    units : sequence of str or pint.Unit
        The last two are of y and x.

    Returns
    -------
    Calibration or None
    """
    if scale is None or units is None or isinstance(units, str):
        return None
    sizes = [length_nm(float(s), str(u)) for s, u in zip(scale[-2:], units[-2:], strict=False)]
    known = [size for size in sizes if size is not None and size > 0]
    if len(known) != 2:
        return None
    return Calibration((known[0], known[1]), origin="typed", evidence="scale of the layer")


def calibration_of(layer: Any) -> Calibration:
    """Return the pixel size of any layer: its scale and units, with the origin if known.

    Parameters
    ----------
    layer : napari layer

    Returns
    -------
    Calibration
        That of ``metadata["sem"]`` while the layer's scale still is the same.
    """
    record = layer.metadata.get("sem") if isinstance(layer.metadata, dict) else None
    known = record.calibration if record is not None else Calibration()
    if not hasattr(layer, "units"):  # what is no layer of napari, but looks like one
        return known
    measured = layer_calibration(layer.scale, layer.units)
    if measured is None:
        return Calibration() if known.is_calibrated else known
    if known.pixel_size is not None and np.allclose(
        known.pixel_size, measured.nm_per_px, rtol=_SAME
    ):
        return known
    return measured
