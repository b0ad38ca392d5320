"""What the finders look at: one grey plane, whatever the image was stored as."""

from __future__ import annotations

import importlib
import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Micrograph

__all__ = ["as_plane", "as_record", "as_uint8"]

_OPENER: Final = "napari_sem_tools.reading.inputs"  # knows files and layers; stands above


def as_record(image: Any) -> Micrograph:
    """Take a path, a napari layer or an array as a record; a record returns itself."""
    if isinstance(image, Micrograph):
        return image
    record: Micrograph = importlib.import_module(_OPENER).as_micrograph(image)
    return record


def as_plane(pixels: Any) -> NDArray[Any]:
    """Return one plane (Y, X) in its own type; a stack is refused, colour is averaged."""
    if isinstance(pixels, str | os.PathLike) or hasattr(pixels, "metadata"):
        pixels = as_record(pixels).grey
    image = np.asarray(pixels)
    if image.ndim == 3 and image.shape[-1] in (3, 4) and image.shape[0] > 4:
        return _grey_of_colour(image)
    if image.ndim != 2:
        raise InvalidSettings(
            f"One image is needed, not an array of shape {image.shape}.",
            hint="Pass one page of a stack at a time: pixels[0].",
        )
    if image.dtype == bool:
        return image.astype(np.uint8) * np.uint8(255)
    if image.dtype.kind not in "uif":
        raise InvalidSettings(f"Pixels of type {image.dtype} are no grey values.")
    return image


def _grey_of_colour(image: NDArray[Any]) -> NDArray[Any]:
    """Return the first channel where all are equal, else their mean."""
    red, green, blue = (image[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red)
    total = red.astype(np.float32) + green + blue
    return np.asarray((total / 3).astype(image.dtype))


def as_uint8(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Bring a plane to 256 levels between its lowest and highest finite value.

    8-bit planes are returned as they are, so that their levels keep their meaning.
    """
    if plane.dtype == np.uint8:
        return plane
    wide = plane.dtype.kind == "f" and plane.dtype.itemsize >= 4  # may span all of float32
    with np.errstate(invalid="ignore"):  # a signalling NaN of a damaged file
        values: NDArray[Any] = plane.astype(np.float64) if wide else plane.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(plane.shape, np.uint8)
    low, high = float(values[finite].min()), float(values[finite].max())
    if high <= low:
        return np.zeros(plane.shape, np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):  # the full range of float64
        values -= low
        values *= 255.0 / (high - low)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return np.asarray(np.rint(values).astype(np.uint8))
