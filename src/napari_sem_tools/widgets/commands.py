"""The plain commands of the menus: regions to draw, and the strip as a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sem_tools.layers import from_layer, same_grid
from napari_sem_tools.layers.grid import UNCALIBRATED

__all__ = ["LEAVE_OUT", "MEASURE_IN", "new_exclusion", "new_region", "new_shapes", "strip_as_mask"]

MEASURE_IN, LEAVE_OUT = "region", "left out"


def new_region() -> Any:
    """Add an empty layer on the selected image's grid, to draw where to measure."""
    return new_shapes(MEASURE_IN, "lime")


def new_exclusion() -> Any:
    """Add an empty layer on the selected image's grid, to draw what is left out."""
    return new_shapes(LEAVE_OUT, "magenta")


def strip_as_mask() -> Any:
    """Show which pixels of the selected image do not count: the strip, letters, a drawn bar."""
    viewer, image = _selected_image()
    if image is None:
        return None
    mask = ~from_layer(image).field
    return viewer.add_labels(
        mask.astype(np.uint8),
        name=f"{_stem(image)} not measured",
        **same_grid(image, ndim=2),
    )


def new_shapes(what: str, colour: str, *, mode: str = "add_polygon", **more: Any) -> Any:
    """Add a Shapes layer on the grid of the selected image, ready to draw.

    Parameters
    ----------
    what : str
        Comes behind the name of the image.
    colour : str
    mode : str
        What is drawn, as napari names it.
    **more : dict
        Of ``viewer.add_shapes``.

    Returns
    -------
    napari Shapes layer or None
        None where there is no image, which is said.
    """
    viewer, image = _selected_image()
    if image is None:
        return None
    layer = viewer.add_shapes(
        ndim=2,
        name=f"{_stem(image)} {what}",
        edge_color=colour,
        edge_width=max(1.0, max(image.data.shape[-2:]) / 400),
        face_color="transparent",
        **more,
        **same_grid(image, ndim=2),
    )
    layer.mode = mode
    return layer


def _stem(image: Any) -> str:
    """Return the name of an image without the word uncalibrated."""
    return str(image.name).removesuffix(UNCALIBRATED)


def _selected_image() -> tuple[Any, Any]:
    """Return the viewer and the selected image, or the topmost one; say so when there is none."""
    import napari
    from napari.layers import Image
    from napari.utils.notifications import show_info

    viewer = napari.current_viewer()
    layers = [] if viewer is None else list(viewer.layers)
    active = None if viewer is None else viewer.layers.selection.active
    images = [one for one in layers if isinstance(one, Image) and "(preview)" not in one.name]
    image = active if any(active is one for one in images) else (images[-1] if images else None)
    if image is None:
        show_info("Select an image layer, or open one, and try again.")
    return viewer, image
