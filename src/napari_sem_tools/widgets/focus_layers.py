"""Focus maps, depth maps and extended-focus images as layers of the viewer; no Qt here."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from napari_sem_tools.focus.network import FocusMap
from napari_sem_tools.layers import image_arguments, same_grid
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.focus_sight import depth_names
from napari_sem_tools.widgets.results import MAP_KEY

__all__ = ["QUANTITIES", "Quantity", "colour_map", "depth_arguments", "map_arguments", "put_layer"]

_OPACITY = 0.6
_COLOURS = 64
_WORST_PX = 4.0  # blur at which the score is 0
_LEAST_SPREAD = 2.0  # of the uncertainty


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One thing that a focus map can show.

    Attributes
    ----------
    what : str
        Attribute of `FocusMap`.
    colours : str
        Colour map; bright is sharp.
    highest : float
        Upper end of the colours, in px or points.
    length : bool
        Whether it is a length, in nm where the image has a scale.
    help : str
    """

    what: str
    colours: str
    highest: float
    length: bool
    help: str


QUANTITIES: dict[str, Quantity] = {
    "blur": Quantity("blur_px", "magma_r", _WORST_PX, True, "Added blur (standard deviation)"),
    "score": Quantity("score", "magma", 10.0, False, "0 to 10"),
    "uncertainty of the score": Quantity(
        "sd", "cividis_r", _LEAST_SPREAD, False, "Standard deviation; large where nothing is seen"
    ),
}
"""Name of a quantity -> how it is shown."""


def map_arguments(found: FocusMap, image: Any, record: Micrograph, name: str, quantity: str) -> Any:
    """Return the keywords of ``viewer.add_image`` for a focus map.

    Parameters
    ----------
    found : FocusMap
    image : napari Image layer
        Whose grid the map lies on.
    record : Micrograph
        The slice that was mapped.
    name : str
    quantity : str
        A key of `QUANTITIES`.

    Returns
    -------
    dict
        ``data`` has the rows and columns of the image; what was not looked at is NaN and
        transparent.  A length is in nm where the image has a scale, else in px.
    """
    row = QUANTITIES[quantity]
    data = found.on_image(record.shape, row.what)
    data[~record.field] = np.nan
    highest, unit = row.highest, ""
    if row.length:
        size = record.calibration.pixel_size
        factor = 1.0 if size is None else float(np.sqrt(size[0] * size[1]))
        data, highest = data * np.float32(factor), highest * factor
        unit = "px" if size is None else "nm"
    if row.what == "sd" and np.isfinite(data).any():
        highest = max(highest, float(np.nanmax(data)))
    about = {"map": found, "quantity": quantity, "unit": unit}
    return {
        "data": data,
        "name": name,
        "colormap": colour_map(row.colours),
        "contrast_limits": (0.0, highest),
        "opacity": _OPACITY,
        "blending": "translucent",
        "rgb": False,
        "metadata": {MAP_KEY: about},
        **same_grid(image, ndim=2),
    }


def depth_arguments(found: Any, stack: Any, record: Micrograph, unit: str) -> list[dict[str, Any]]:
    """Return the keywords of the two layers of a series: depth map and extended focus.

    Parameters
    ----------
    found : record of `depth_map`
    stack : napari Image layer
    record : Micrograph
        The stack.
    unit : str
        Of the positions.

    Returns
    -------
    list of dict
    """
    depth_name, sharp_name = depth_names(stack)
    depth = {
        "data": found.depth,
        "name": depth_name,
        "colormap": colour_map("viridis"),
        "rgb": False,
        "metadata": {MAP_KEY: {"map": found, "quantity": "depth", "unit": unit}},
        **same_grid(stack, ndim=2),
    }
    plane = record.plane(0).replace(pixels=found.sharp)
    sharp = image_arguments(plane, sharp_name) | same_grid(stack, ndim=2)
    return [sharp | {"data": found.sharp}, depth | {"visible": True}]


def colour_map(name: str) -> Any:
    """Return a colour map of matplotlib for napari; what is missing is transparent.

    Parameters
    ----------
    name : str
        With ``_r`` behind it the other way round, which napari does not know by itself.
    """
    import matplotlib
    from napari.utils import Colormap

    colours = matplotlib.colormaps[name](np.linspace(0, 1, _COLOURS))
    return Colormap(colors=colours, name=name, nan_color=(0, 0, 0, 0))


def put_layer(viewer: Any, arguments: dict[str, Any], earlier: Any = None) -> Any:
    """Add a layer, or put it into the earlier one that nobody else changed.

    Parameters
    ----------
    viewer : napari viewer
    arguments : dict
        As the functions here make them.
    earlier : napari Image layer, optional
        What the same button made before.

    Returns
    -------
    layer
        The selection stays as it was: whoever looks at an image goes on looking at it.
    """
    active = viewer.layers.selection.active
    if earlier is None or earlier not in viewer.layers or not _same_size(earlier, arguments):
        layer = viewer.add_image(**arguments)
    else:
        layer = earlier
        layer.data = arguments["data"]
        for name in ("colormap", "contrast_limits"):
            if name in arguments:
                setattr(layer, name, arguments[name])
        for name in ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"):
            setattr(layer, name, arguments[name])
        layer.metadata.update(arguments["metadata"])
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return layer


def _same_size(layer: Any, arguments: dict[str, Any]) -> bool:
    """Say whether a layer has the rows and columns of a new result."""
    return tuple(layer.data.shape) == tuple(np.shape(arguments["data"]))
