"""What the particle table shows in the picture: outlines, hatching, the place of a particle."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.widgets.table.filters import flag
from napari_sem_tools.widgets.table.highlight import Highlight
from napari_sem_tools.widgets.table.state import TableState

__all__ = ["TableMarks", "clicked_at"]

_BOX = ("box_top_px", "box_left_px", "box_height_px", "box_width_px")


class TableMarks:
    """The temporary layers of a particle table, one an image that needs it.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._highlights: dict[Any, Highlight] = {}

    def outline(self, state: TableState, positions: NDArray[np.intp]) -> None:
        """Outline the particles of some rows; many are filled instead.

        Parameters
        ----------
        state : TableState
        positions : int array
            Rows of the table.
        """
        labels = state.table.index.to_numpy()
        boxes = _boxes(state, positions)
        for layer, own in self._layers(state, positions):
            highlight = self._of(layer)
            if int(own.sum()) > highlight.most:
                highlight.fill(layer, labels[positions[own]])
                continue
            chosen = [
                (int(labels[at]), box)
                for at, box, mine in zip(positions, boxes, own, strict=True)
                if mine
            ]
            highlight.choose(layer, chosen)

    def hatch(self, state: TableState, wanted: bool) -> None:
        """Hatch doubtful particles in red and those left out in grey, or none."""
        labels = state.table.index.to_numpy()
        doubtful = flag(state.table, "doubtful")
        left_out = ~flag(state.table, "included", True) & ~doubtful
        for layer, own in self._layers(state, np.arange(len(labels))):
            if wanted:
                self._of(layer).mark(layer, labels[doubtful & own], labels[left_out & own])
            elif layer in self._highlights:
                self._highlights[layer].unmark(layer)

    def go_to(self, state: TableState, position: int) -> Any:
        """Move the camera to the particle of a row; return its layer, None when that is gone."""
        layer = state.layers[state.source[position]]
        if layer not in self._viewer.layers:
            return None
        table = state.table
        if "slice" in table and layer.ndim == 3:
            axis = self._viewer.dims.ndim - 3
            self._viewer.dims.set_current_step(axis, int(table["slice"].iloc[position]))
        if "centroid_y_px" in table and "centroid_x_px" in table:
            y, x = (
                float(table[name].iloc[position]) for name in ("centroid_y_px", "centroid_x_px")
            )
            self._of(layer).centre(layer, (y, x))
        return layer

    def particles_at(self, state: TableState, place: Any) -> Iterator[tuple[Any, int]]:
        """Find the particles at a place in world coordinates, the topmost first."""
        for layer in reversed(state.layers):
            if layer in self._viewer.layers and layer.visible:
                label = layer.get_value(place, world=True)
                if label:
                    yield layer, int(label)

    def clear(self) -> None:
        """Take the temporary layers away."""
        highlights, self._highlights = self._highlights, {}
        for highlight in highlights.values():
            highlight.clear()

    def _of(self, layer: Any) -> Highlight:
        """Return the marks of a layer."""
        if layer not in self._highlights:
            self._highlights[layer] = Highlight(self._viewer)
        return self._highlights[layer]

    def _layers(self, state: TableState, positions: NDArray[np.intp]) -> list[Any]:
        """List the layers that are still there, each with which of the rows are its own."""
        source = state.source[positions]
        return [
            (layer, source == number)
            for number, layer in enumerate(state.layers)
            if layer in self._viewer.layers
        ]


def clicked_at(viewer: Any, event: Any) -> Generator[None, None, bool]:
    """Follow the mouse until it is let go; return whether it clicked, not dragged or drew."""
    active = viewer.layers.selection.active
    drawing = active is not None and str(active.mode) not in ("pan_zoom", "pick")
    dragged = False
    yield
    while event.type == "mouse_move":
        dragged = True
        yield
    return not (drawing or dragged)


def _boxes(state: TableState, positions: NDArray[np.intp]) -> list[Any]:
    """Return where particles lie, as measured; None where that is not known."""
    if not set(_BOX) <= set(state.table.columns):
        return [None] * len(positions)
    sides = np.stack([state.table[name].to_numpy()[positions] for name in _BOX], axis=1)
    return [
        (slice(top, top + height), slice(left, left + width))
        for top, left, height, width in sides.astype(int).tolist()
    ]
