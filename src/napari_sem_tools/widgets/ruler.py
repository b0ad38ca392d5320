"""The ruler: lines, paths and outlines drawn over an image say their length in nm."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.layers import calibration_of
from napari_sem_tools.widgets.commands import new_shapes

__all__ = ["RULER", "new_ruler", "reading", "readings_of"]

RULER = "ruler"
_COLOUR = "#ffd60a"
_TEXT_SIZE = 10
_COLUMN = "reading"


def reading(points: NDArray[Any], shape: str, step: tuple[float, float], unit: str) -> str:
    """Say how long, or how large, a drawn shape is.

    Parameters
    ----------
    points : float array (n, 2)
        Its vertices in px, (y, x); an ellipse's are the corners of its box.
    shape : str
        As napari names it: line, path, polygon, rectangle, ellipse.
    step : (float, float)
        Height and width of a pixel.
    unit : str
        Of `step`.

    Returns
    -------
    str
        A line or a path: its length, a line also its angle from +x, counter-clockwise on
        the screen.  A rectangle or an ellipse: both its axes.  Others: the way around.

    Examples
    --------
    >>> reading(np.array([[0.0, 0.0], [-30.0, 40.0]]), "line", (2.0, 2.0), "nm")
    '100 nm, 36.9°'
    >>> reading(np.array([[0, 0], [0, 10], [5, 10], [5, 0]]), "ellipse", (1.0, 1.0), "px")
    '10 × 5 px'
    """
    place = np.asarray(points, float)[:, -2:] * np.asarray(step, float)
    sides = np.hypot(*np.diff(place, axis=0).T)
    if shape == "line":
        dy, dx = place[-1] - place[0]
        angle = np.degrees(np.arctan2(-dy, dx)) % 180
        return f"{sides.sum():.4g} {unit}, {angle:.1f}°"
    if shape in ("rectangle", "ellipse") and len(place) == 4:
        return f"{max(sides[:2]):.4g} × {min(sides[:2]):.4g} {unit}"
    around = sides.sum()
    if shape != "path":
        around += float(np.hypot(*(place[0] - place[-1])))
    return f"{around:.4g} {unit}"


def readings_of(layer: Any) -> list[str]:
    """Say how long each shape of a layer is, by the layer's own scale.

    Parameters
    ----------
    layer : napari Shapes layer

    Returns
    -------
    list of str
        In px, and saying so, where the layer has no scale in nm.
    """
    size = calibration_of(layer).pixel_size
    step, unit = (size, "nm") if size is not None else ((1.0, 1.0), "px")
    return [
        reading(points, str(kind), step, unit)
        for points, kind in zip(layer.data, layer.shape_type, strict=True)
    ]


def new_ruler() -> Any:
    """Add a ruler on the selected image's grid: each line drawn shows its length in nm."""
    layer = new_shapes(
        RULER,
        _COLOUR,
        mode="add_line",
        opacity=1.0,
        features={_COLUMN: np.empty(0, object)},
        text={
            "string": f"{{{_COLUMN}}}",
            "color": _COLOUR,
            "size": _TEXT_SIZE,
            "anchor": "upper_left",
        },
    )
    if layer is not None:
        _Reader(layer)
    return layer


class _Reader:
    """Writes the readings of a ruler while it is drawn; lives as long as its layer."""

    def __init__(self, layer: Any) -> None:
        self._layer = weakref.ref(layer)
        self._busy = False
        layer.metadata["sem_ruler"] = self  # napari holds callbacks weakly
        layer.events.data.connect(self.read)
        layer.events.set_data.connect(self.read)
        layer.events.scale.connect(self.read)

    def read(self, event: Any = None) -> None:
        """Write what each shape measures, if that changed."""
        layer = self._layer()
        if layer is None or self._busy or len(layer.features) != len(layer.data):
            return
        texts = readings_of(layer)
        if list(layer.features[_COLUMN]) == texts:
            return
        self._busy = True
        try:
            layer.features = {_COLUMN: texts}
        finally:
            self._busy = False
