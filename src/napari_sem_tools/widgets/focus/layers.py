"""Focus maps, depth maps and extended-focus images as layers of the viewer; no Qt here."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.network import FocusMap
from napari_sem_tools.focus.series.depth import DepthMap
from napari_sem_tools.layers import grid_of, image_arguments, same_grid
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.focus.sight import depth_names
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


def depth_arguments(
    found: DepthMap, stack: Any, record: Micrograph, unit: str
) -> list[dict[str, Any]]:
    """Return the keywords of the two layers of a series: extended focus and depth map.

    Parameters
    ----------
    found : DepthMap
    stack : napari Image layer or None
        The stack, whose grid they lie on; None: files, whose scale counts.
    record : Micrograph
        The image that the others were laid on.
    unit : str
        Of the positions.

    Returns
    -------
    list of dict
        The image in the type of its source; the depth is NaN, and transparent, outside of
        the field.
    """
    names = depth_names(record.name if stack is None else str(stack.name))
    grid = grid_of(record) if stack is None else same_grid(stack, ndim=2)
    depth = np.where(record.field, found.depth, np.float32(np.nan))
    sharp = _of_type(found.image, record.pixels.dtype)
    place: dict[str, Any] = {
        "data": depth,
        "name": names[0],
        "colormap": colour_map("viridis"),
        "contrast_limits": (float(found.positions[0]), float(found.positions[-1])),
        "opacity": _OPACITY,
        "blending": "translucent",
        "rgb": False,
        "metadata": {MAP_KEY: {"map": found, "quantity": "depth", "unit": unit}},
        **grid,
    }
    about = image_arguments(record.replace(pixels=sharp, axes="YX"), names[1])
    return [about | grid | {"data": sharp}, place]


def _of_type(image: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return grey values in the type of the images that they come from."""
    if np.dtype(dtype).kind not in "ui":
        return np.asarray(image, np.float32)
    info = np.iinfo(dtype)
    return np.asarray(np.clip(np.rint(image), info.min, info.max), dtype)


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
