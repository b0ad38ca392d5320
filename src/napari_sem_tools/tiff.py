"""The ImageJ-calibrated TIFF that the suite writes: labels, maps and simulated images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.files import write_file
from napari_sem_tools.micrograph import Calibration

__all__ = ["write_tiff"]

_IMAGEJ_TYPES = (np.uint8, np.uint16, np.float32)  # all that ImageJ's own reader knows


def write_tiff(
    path: str | os.PathLike[str],
    image: NDArray[Any],
    *,
    calibration: Calibration | None = None,
    metadata: dict[str, Any] | None = None,
    frame_unit: str | None = None,
    frame_spacing: float | None = None,
) -> Path:
    """Write an image or a stack as ImageJ-calibrated TIFF, compressed without loss.

    Parameters
    ----------
    path : path-like
        Where to write.
    image : array (Y, X) or (N, Y, X)
        Grey values or labels; integers become uint8 or uint16 where they fit and float32
        where that is exact (below 2**24), which are the types that ImageJ reads.
    calibration : Calibration, optional
        Pixel size; without one the file says ``pixel``.
    metadata : dict, optional
        Further ``key=value`` lines of the ImageJ description.
    frame_unit, frame_spacing : optional
        Unit and distance of the slices of a stack.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    InvalidSettings
        The values fit no type that ImageJ reads without loss.
    SemError
        The file cannot be written.

    Notes
    -----
    ImageJ's convention: ``unit`` in the description and pixels per unit in ``XResolution``
    and ``YResolution``; ``ResolutionUnit`` stays "none".
    """
    import tifffile

    pixels = _imagej_type(np.asarray(image))
    description: dict[str, Any] = {"unit": "pixel"} | dict(metadata or {})
    resolution = (1.0, 1.0)
    if calibration is not None and calibration.pixel_size is not None:
        y, x = calibration.pixel_size
        description["unit"] = "nm"
        resolution = (1 / x, 1 / y)
        if abs(y - x) > 1e-9 * x:
            description["yunit"] = "nm"
    if pixels.ndim == 3:
        description["axes"] = "ZYX"
        if frame_spacing is not None:
            description["spacing"] = frame_spacing
        if frame_unit is not None:
            description["zunit"] = frame_unit

    def save(file: BinaryIO) -> None:
        tifffile.imwrite(
            file,
            pixels,
            imagej=True,
            compression="deflate",
            resolution=resolution,
            metadata=description,
        )

    return write_file(path, save)


def _imagej_type(image: NDArray[Any]) -> NDArray[Any]:
    """Return the image in a type that ImageJ reads, or refuse what would lose values."""
    if image.dtype in _IMAGEJ_TYPES:
        return image
    if image.dtype == bool:
        return image.astype(np.uint8)
    if np.issubdtype(image.dtype, np.integer):
        low, high = (int(image.min()), int(image.max())) if image.size else (0, 0)
        if low >= 0 and high < 2**16:
            return image.astype(np.uint16)
        if max(-low, high) < 2**24:
            return image.astype(np.float32)
    elif np.array_equal(image.astype(np.float32), image, equal_nan=True):
        return image.astype(np.float32)
    raise InvalidSettings(
        f"Values of type {image.dtype} do not fit an ImageJ TIFF without loss.",
        hint="Relabel the particles, or convert the image to 32-bit float first.",
    )
