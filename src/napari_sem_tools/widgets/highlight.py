"""Chosen particles outlined, doubtful ones hatched in red: one layer that goes with the widget.

It is a uint8 labels layer written in place, which follows a click in milliseconds; the
first shape that a Shapes layer draws can cost seconds of compilation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.layers import camera_of, same_grid

__all__ = ["Highlight", "box_of", "hatched", "outline_patch", "stripes_of"]

Box = tuple[slice, slice]

_MOST = 200  # outlines drawn at once
_DOUBTFUL, _LEFT_OUT, _CHOSEN = 1, 2, 3  # values of the overlay
_NOTHING = (0.0, 0.0, 0.0, 0.0)
_COLOURS = (
    _NOTHING,
    (0.90, 0.28, 0.30, 1.0),  # doubtful
    (0.55, 0.55, 0.55, 1.0),  # left out
    (1.0, 0.84, 0.04, 1.0),  # chosen
)


def box_of(labels: NDArray[Any], label: int) -> Box | None:
    """Return the rows and columns that a particle occupies, None when it is gone."""
    rows = np.flatnonzero((labels == label).any(axis=1))
    if not len(rows):
        return None
    band = labels[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero((band == label).any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def outline_patch(
    labels: NDArray[Any], label: int, box: Box | None = None, *, width: int = 1
) -> tuple[Box, NDArray[np.bool_]] | None:
    """Return the pixels right around a particle.

    Parameters
    ----------
    labels : int array (Y, X)
    label : int
    box : (slice, slice), optional
        Where it lies, as measured; looked for when the particle is not there.
    width : int
        Of the outline in px.

    Returns
    -------
    ((slice, slice), bool array) or None
        A part of the image and its outline pixels; None when there is no such particle.

    Examples
    --------
    >>> labels = np.zeros((7, 7), int)
    >>> labels[3, 3] = 5
    >>> part, outline = outline_patch(labels, 5)
    >>> part, int(outline.sum())
    ((slice(2, 5, None), slice(2, 5, None)), 8)
    """
    from scipy.ndimage import binary_dilation

    if box is None or not (labels[box] == label).any():
        box = box_of(labels, label)
    if box is None:
        return None
    part = tuple(
        slice(max(0, side.start - width), min(size, side.stop + width))
        for side, size in zip(box, labels.shape, strict=True)
    )
    mask = labels[part] == label
    grown = binary_dilation(mask, np.ones((3, 3), bool), iterations=width)
    return (part[0], part[1]), grown & ~mask


def hatched(
    labels: NDArray[Any],
    doubtful: NDArray[Any],
    left_out: NDArray[Any],
    stripes: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Return the overlay with doubtful and left-out particles hatched.

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
    """The temporary layer of the particle table in one viewer.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._overlay: Any = None
        self._base: NDArray[np.uint8] | None = None  # the hatching without outlines; None: none
        self._patches: list[Box] = []

    def choose(self, layer: Any, chosen: Sequence[tuple[int, Box | None]]) -> None:
        """Outline particles of a labels layer.

        Parameters
        ----------
        layer : napari Labels layer of two axes
        chosen : sequence of (label, box)
            The box as measured, None when it is not known.
        """
        labels = np.asarray(layer.data)
        if labels.ndim != 2 or (not chosen and self._overlay is None):
            return
        overlay = self._canvas(layer)
        for part in self._patches:
            overlay.data[part] = 0 if self._base is None else self._base[part]
        self._patches = []
        width = max(1, round(max(labels.shape) / 600))
        for label, box in chosen[:_MOST]:
            found = outline_patch(labels, label, box, width=width)
            if found is not None:
                overlay.data[found[0]][found[1]] = _CHOSEN
                self._patches.append(found[0])
        overlay.refresh()

    def centre(self, layer: Any, position: tuple[float, float]) -> None:
        """Move the camera to a place given in px of a labels layer."""
        world = layer.data_to_world((*(0,) * (layer.ndim - 2), *position))
        camera_of(self._viewer).center = tuple(float(v) for v in world[-2:])

    def mark(self, layer: Any, doubtful: NDArray[Any], left_out: NDArray[Any]) -> None:
        """Hatch doubtful particles in red and those left out in grey."""
        labels = np.asarray(layer.data)
        if labels.ndim != 2:
            return
        self._show(layer, hatched(labels, doubtful, left_out, stripes_of(labels.shape)))

    def unmark(self, layer: Any = None) -> None:
        """Take the hatching away; outlines stay."""
        if self._base is not None and self._overlay is not None and layer is not None:
            self._show(layer, None)

    def clear(self) -> None:
        """Take the temporary layer away."""
        overlay, self._overlay = self._overlay, None
        self._base, self._patches = None, []
        if overlay is not None and overlay in self._viewer.layers:
            self._viewer.layers.remove(overlay)

    def _show(self, layer: Any, base: NDArray[np.uint8] | None) -> None:
        """Change the hatching under the outlines."""
        overlay = self._canvas(layer)
        outlined = overlay.data == _CHOSEN
        self._base = base
        overlay.data[...] = 0 if base is None else base
        overlay.data[outlined] = _CHOSEN
        overlay.refresh()

    def _canvas(self, layer: Any) -> Any:
        """Return the overlay of a labels layer; it is added without changing the selection."""
        from napari.utils.colormaps import CyclicLabelColormap

        shape = np.asarray(layer.data).shape
        if self._overlay is not None and self._overlay in self._viewer.layers:
            if self._overlay.data.shape == shape:
                return self._overlay
            self.clear()
        active = self._viewer.layers.selection.active
        self._base, self._patches = None, []
        self._overlay = self._viewer.add_labels(
            np.zeros(shape, np.uint8),
            name=f"{layer.name} marks (preview)",
            # a colour dictionary would compile for seconds where numba is installed
            colormap=CyclicLabelColormap(colors=np.array(_COLOURS, np.float32)),
            opacity=0.9,
            **same_grid(layer, ndim=2),
        )
        self._overlay.editable = False
        self._viewer.layers.selection.active = active
        return self._overlay
