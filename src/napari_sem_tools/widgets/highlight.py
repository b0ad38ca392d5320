"""Chosen particles outlined, doubtful ones hatched in red: layers that go with the widget."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.layers import same_grid

__all__ = ["Highlight", "box_of", "hatched", "outlines"]

_MOST = 50  # outlines drawn at once
_DOUBTFUL, _LEFT_OUT = 1, 2  # values of the overlay
_COLOURS = {
    None: (0, 0, 0, 0),
    0: (0, 0, 0, 0),
    1: (0.90, 0.28, 0.30, 0.9),
    2: (0.6, 0.6, 0.6, 0.8),
}
_CHOSEN = "#ffd60a"


def box_of(labels: NDArray[Any], label: int) -> tuple[slice, slice] | None:
    """Return the rows and columns that a particle occupies, None when it is gone."""
    rows = np.flatnonzero((labels == label).any(axis=1))
    if not len(rows):
        return None
    band = labels[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero((band == label).any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def outlines(
    labels: NDArray[Any], label: int, box: tuple[slice, slice] | None = None
) -> list[NDArray[np.float64]]:
    """Return the outline of a particle as polygons in px, between its pixels and the others.

    Parameters
    ----------
    labels : int array (Y, X)
    label : int
    box : (slice, slice), optional
        Where it lies, as measured; looked for when the particle is not there.

    Returns
    -------
    list of float array (n, 2)
        Longest first; empty when there is no such particle.
    """
    from skimage.measure import find_contours

    if box is None or not (labels[box] == label).any():
        box = box_of(labels, label)
    if box is None:
        return []
    mask = np.pad(labels[box] == label, 1).astype(np.float32)
    origin = np.array([box[0].start - 1, box[1].start - 1], float)
    return [line + origin for line in sorted(find_contours(mask, 0.5), key=len, reverse=True)]


def hatched(
    labels: NDArray[Any], doubtful: NDArray[Any], left_out: NDArray[Any], stripes: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return the overlay: doubtful particles hatched, those left out by hand finely dotted.

    Parameters
    ----------
    labels : int array (Y, X)
    doubtful, left_out : int arrays
        Numbers of the particles.
    stripes : bool array (Y, X)
        Where a hatch draws.

    Returns
    -------
    uint8 array (Y, X)
        0 nothing, 1 doubtful, 2 left out.
    """
    table = np.zeros(int(labels.max(initial=0)) + 1, np.uint8)
    table[left_out[left_out < len(table)]] = _LEFT_OUT
    table[doubtful[doubtful < len(table)]] = _DOUBTFUL
    shown = np.take(table, labels, mode="clip")
    shown *= stripes
    return shown


def stripes_of(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return diagonal stripes that stay visible when the whole image is in the window."""
    period = max(3, round(max(shape) / 250))
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    stripes: NDArray[np.bool_] = ((rows + columns) // period) % 2 == 0
    return stripes


class Highlight:
    """The temporary layers of the particle table in one viewer.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._outline: Any = None
        self._overlay: Any = None
        self._stripes: NDArray[np.bool_] | None = None

    def choose(self, layer: Any, chosen: list[tuple[int, tuple[slice, slice] | None]]) -> None:
        """Outline particles of a labels layer.

        Parameters
        ----------
        layer : napari Labels layer of two axes
        chosen : list of (label, box)
        """
        labels = np.asarray(layer.data)
        if labels.ndim != 2:
            return
        polygons = [
            line for label, box in chosen[:_MOST] for line in outlines(labels, label, box)[:1]
        ]
        if self._outline is None or self._outline not in self._viewer.layers:
            if not polygons:
                return
            self._outline = self._add_outline(layer)
        self._outline.data = []
        if polygons:
            width = max(0.6, max(labels.shape) / 700)
            self._outline.add(
                [(line, "path") for line in polygons],
                edge_color=_CHOSEN,
                edge_width=width,
                face_color="transparent",
            )
        self._outline.selected_data = set()

    def centre(self, layer: Any, position: tuple[float, float]) -> None:
        """Move the camera to a place given in px of a labels layer."""
        world = layer.data_to_world((*(0,) * (layer.ndim - 2), *position))
        self._viewer.camera.center = tuple(float(v) for v in world[-2:])

    def mark(self, layer: Any, doubtful: NDArray[Any], left_out: NDArray[Any]) -> None:
        """Hatch doubtful particles in red and those left out in grey."""
        labels = np.asarray(layer.data)
        if labels.ndim != 2:
            return
        if self._stripes is None or self._stripes.shape != labels.shape:
            self._stripes = stripes_of(labels.shape)
        shown = hatched(labels, doubtful, left_out, self._stripes)
        here = self._overlay is not None and self._overlay in self._viewer.layers
        if here and self._overlay.data.shape == shown.shape:
            np.copyto(self._overlay.data, shown)
            self._overlay.refresh()
            return
        self.unmark()
        self._overlay = self._add_overlay(layer, shown)

    def unmark(self) -> None:
        """Take the hatching away."""
        overlay, self._overlay = self._overlay, None
        if overlay is not None and overlay in self._viewer.layers:
            self._viewer.layers.remove(overlay)

    def clear(self) -> None:
        """Take all temporary layers away."""
        self.unmark()
        outline, self._outline = self._outline, None
        if outline is not None and outline in self._viewer.layers:
            self._viewer.layers.remove(outline)

    def _add_outline(self, layer: Any) -> Any:
        """Add the layer of outlines without changing the selection."""
        active = self._viewer.layers.selection.active
        made = self._viewer.add_shapes(
            ndim=2, name=f"{layer.name} chosen (preview)", **same_grid(layer, ndim=2)
        )
        self._viewer.layers.selection.active = active
        return made

    def _add_overlay(self, layer: Any, shown: NDArray[np.uint8]) -> Any:
        """Add the hatched layer without changing the selection."""
        from napari.utils.colormaps import DirectLabelColormap

        active = self._viewer.layers.selection.active
        made = self._viewer.add_labels(
            shown,
            name=f"{layer.name} doubtful (preview)",
            colormap=DirectLabelColormap(color_dict=_COLOURS),
            opacity=1.0,
            **same_grid(layer, ndim=2),
        )
        made.editable = False
        self._viewer.layers.selection.active = active
        return made
