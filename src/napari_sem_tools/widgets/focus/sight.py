"""What the Focus widget looks at: a slice of a layer, and the part of it that counts; no Qt."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.layers import from_layer
from napari_sem_tools.layers.grid import UNCALIBRATED
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.regions import region_of

__all__ = ["Sight", "depth_names", "focus_name", "sight_of", "visible_part"]

_LEAST_PX = 32  # a side; a smaller view is no field to judge


@dataclasses.dataclass(frozen=True, eq=False)
class Sight:
    """One image as it is looked at, taken from the window in the GUI thread.

    Attributes
    ----------
    layer : napari Image layer
    page : int or None
        Slice of a stack that is shown; None for a single image.
    whole : Micrograph
        The layer, all slices of it.
    field : bool array (Y, X)
        What of it counts.
    part : str
        What of the field is looked at, in words; empty: all.
    """

    layer: Any
    page: int | None
    whole: Micrograph
    field: NDArray[np.bool_]
    part: str = ""

    @property
    def name(self) -> str:
        """Name of the image, with the slice of a stack."""
        stem = str(self.layer.name).removesuffix(UNCALIBRATED)
        return stem if self.page is None else f"{stem} [{self.page}]"

    def image(self) -> Micrograph:
        """Return the slice with its field; may read from a disk, so call it in a thread."""
        return self.whole.plane(self.page or 0).replace(field=self.field)


def sight_of(layer: Any, page: int, *, region: Any = None, only_view: bool = False) -> Sight:
    """Take the slice that is shown, with what the user wants to look at.

    Parameters
    ----------
    layer : napari Image layer
    page : int
        Where the slider stands; ignored for a single image.
    region : napari Shapes layer, optional
        Only inside its shapes.
    only_view : bool
        Only what the canvas shows.

    Returns
    -------
    Sight

    Raises
    ------
    InvalidSettings
        The layer is no image, or the region covers nothing of it.
    """
    record = from_layer(layer)
    stack = record.axes == "NYX"
    page = min(max(page, 0), record.n_pages - 1)
    field: NDArray[np.bool_] = record.field
    parts: list[str] = []
    drawn = region_of(region, layer, record.shape)
    if drawn is not None:
        field = field & drawn
        parts.append(f"inside {region.name}")
        if not field.any():
            raise InvalidSettings(
                f"{region.name} covers nothing of the image.", hint="Draw it over the picture."
            )
    view = visible_part(layer, record.shape) if only_view else None
    if view is not None:
        inside = np.zeros(record.shape, bool)
        inside[view] = True
        field = field & inside
        parts.append(f"{view[1].stop - view[1].start} x {view[0].stop - view[0].start} px in view")
    return Sight(layer, page if stack else None, record, field, ", ".join(parts))


def visible_part(layer: Any, shape: tuple[int, int]) -> tuple[slice, slice] | None:
    """Return rows and columns of an image that the canvas shows, None for all of it.

    Parameters
    ----------
    layer : napari Image layer
        Its ``corner_pixels`` are what the canvas drew last.
    shape : (int, int)

    Returns
    -------
    (slice, slice) or None
        Never smaller than 32 x 32 px.
    """
    corners = np.asarray(layer.corner_pixels, float)[:, -2:]
    if getattr(layer, "multiscale", False):  # then they are of the level that is drawn
        corners = corners * np.asarray(layer.downsample_factors[layer.data_level])[-2:]
    if (corners[1] <= corners[0]).any():
        return None  # nothing was drawn yet
    found = []
    for first, last, size in zip(corners[0], corners[1], shape, strict=True):
        start, stop = max(int(first), 0), min(int(last) + 1, size)
        missing = max(_LEAST_PX - (stop - start), 0)
        start = max(0, min(start - missing // 2, size - _LEAST_PX))
        found.append(slice(start, min(size, max(stop, start + _LEAST_PX))))
    rows, columns = found
    if rows == slice(0, shape[0]) and columns == slice(0, shape[1]):
        return None
    return rows, columns


def focus_name(sight: Sight) -> str:
    """Return the name of the map of an image: ``<image> focus``."""
    return f"{sight.name} focus"


def depth_names(name: str) -> tuple[str, str]:
    """Return the names of the depth map and of the extended-focus image of a stack.

    Examples
    --------
    >>> depth_names("series (uncalibrated)")
    ('series depth', 'series all in focus')
    """
    stem = name.removesuffix(UNCALIBRATED)
    return f"{stem} depth", f"{stem} all in focus"
