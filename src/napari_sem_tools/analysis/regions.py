"""Regions to measure in and to leave out, as wishes of a run."""

from __future__ import annotations

import os
from typing import Any

from napari_sem_tools.errors import InvalidSettings, UnknownFormat, UnreadableFile
from napari_sem_tools.micrograph import Micrograph

__all__ = ["wished_region", "within_regions"]


def wished_region(region: Any) -> Any:
    """Read the file of a region; polygons, masks and None stay as they are.

    Parameters
    ----------
    region : path, bool array (Y, X), list of polygons in px, or None

    Returns
    -------
    bool array (Y, X), list of polygons, or None

    Raises
    ------
    InvalidSettings
        The file is missing or holds no region: a wish that cannot be granted, not an input
        that failed.
    """
    if not isinstance(region, str | os.PathLike):
        return region
    from napari_sem_tools.reading.regions import read_regions

    try:
        return read_regions(region)
    except (UnreadableFile, UnknownFormat) as error:
        raise InvalidSettings(error.message, hint=error.hint) from error


def within_regions(image: Micrograph, roi: Any, roi_exclude: Any) -> Micrograph:
    """Leave out of the field of an image what the user left out.

    Parameters
    ----------
    image : Micrograph
    roi, roi_exclude : bool array (Y, X), list of polygons in px, or None
        Region to measure in; region to leave out.

    Returns
    -------
    Micrograph
    """
    if roi is None and roi_exclude is None:
        return image
    from napari_sem_tools.reading.regions import region_mask

    field = image.field
    if roi is not None:
        field = field & region_mask(roi, image.shape)
    if roi_exclude is not None:
        field = field & ~region_mask(roi_exclude, image.shape)
    return image.replace(field=field)
