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

__all__ = ["Highlight", "box_of", "colours_of", "outline_patch", "stripes_of"]

Box = tuple[slice, slice]

_BAND = 64  # rows that are hatched at a time
_MOST = 200  # outlines drawn at once
_DOUBTFUL, _LEFT_OUT, _CHOSEN, _FILLED = 1, 2, 3, 4  # values of the overlay
_WHOLE: Box = (slice(None), slice(None))
_NOTHING = (0.0, 0.0, 0.0, 0.0)
_COLOURS = (
    _NOTHING,
    (0.90, 0.28, 0.30, 1.0),  # doubtful
    (0.55, 0.55, 0.55, 1.0),  # left out
    (1.0, 0.84, 0.04, 1.0),  # chosen: the outline
    (1.0, 0.84, 0.04, 0.5),  # chosen, when there are many: the whole particle
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


def colours_of(largest: int, doubtful: NDArray[Any], left_out: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the overlay's value of each particle: 1 doubtful, 2 left out, else 0.

    Parameters
    ----------
    largest : int
        The largest label in the image.
    doubtful, left_out : int arrays
        Numbers of the particles; a doubtful one that is left out counts as doubtful.

    Returns
    -------
    uint8 array (largest + 1,)

    Examples
    --------
    >>> colours_of(4, np.array([2]), np.array([2, 3, 9]))
    array([0, 0, 1, 2, 0], dtype=uint8)
    """
    table = np.zeros(largest + 1, np.uint8)
    table[left_out[left_out <= largest]] = _LEFT_OUT
    table[doubtful[doubtful <= largest]] = _DOUBTFUL
    return table


def stripes_of(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return diagonal stripes that stay visible when the whole image is in the window."""
    period = max(3, round(max(shape) / 250))
    line = (np.arange(shape[0] + shape[1]) // period) % 2 == 0
    # row r is the line moved by r: a view, so that 16 million pixels cost nothing
    view = np.lib.stride_tricks.sliding_window_view(line, shape[1])[: shape[0]]
    stripes: NDArray[np.bool_] = view
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
        self._colours: NDArray[np.uint8] | None = None  # of each particle; None: no hatching
        self._filled: NDArray[np.bool_] | None = None  # of each particle, when many are chosen
        self._patches: list[tuple[Box, NDArray[np.bool_]]] = []

    @property
    def most(self) -> int:
        """How many particles are outlined one by one; more are filled."""
        return _MOST

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
        if self._filled is not None:
            self._filled = None
            self._hatch(labels, overlay.data, _WHOLE)
        for part, _ in self._patches:
            self._hatch(labels, overlay.data, part)
        width = max(1, round(max(labels.shape) / 600))
        found = [outline_patch(labels, label, box, width=width) for label, box in chosen[:_MOST]]
        self._patches = [patch for patch in found if patch is not None]
        self._outline(overlay.data)
        overlay.refresh()

    def fill(self, layer: Any, chosen: NDArray[Any]) -> None:
        """Fill many chosen particles, which is as fast for thousands as for one.

        Parameters
        ----------
        layer : napari Labels layer of two axes
        chosen : int array
            Their labels.
        """
        labels = np.asarray(layer.data)
        if labels.ndim != 2:
            return
        overlay = self._canvas(layer)
        self._patches = []
        self._filled = np.zeros(int(labels.max(initial=0)) + 1, bool)
        self._filled[chosen[chosen < len(self._filled)]] = True
        self._hatch(labels, overlay.data, _WHOLE)
        overlay.refresh()

    def centre(self, layer: Any, position: tuple[float, float]) -> None:
        """Move the camera to a place given in px of a labels layer."""
        world = layer.data_to_world((*(0,) * (layer.ndim - 2), *position))
        camera_of(self._viewer).center = tuple(float(v) for v in world[-2:])

    def mark(self, layer: Any, doubtful: NDArray[Any], left_out: NDArray[Any]) -> None:
        """Hatch doubtful particles in red and those left out in grey."""
        labels = np.asarray(layer.data)
        if labels.ndim == 2:
            colours = colours_of(int(labels.max(initial=0)), doubtful, left_out)
            self._show(layer, colours)

    def unmark(self, layer: Any = None) -> None:
        """Take the hatching away; outlines stay."""
        if self._colours is not None and self._overlay is not None and layer is not None:
            self._show(layer, None)

    def clear(self) -> None:
        """Take the temporary layer away."""
        overlay, self._overlay = self._overlay, None
        self._colours, self._filled, self._patches = None, None, []
        if overlay is not None and overlay in self._viewer.layers:
            self._viewer.layers.remove(overlay)

    def _show(self, layer: Any, colours: NDArray[np.uint8] | None) -> None:
        """Change the hatching under the outlines."""
        overlay = self._canvas(layer)
        self._colours = colours
        self._hatch(np.asarray(layer.data), overlay.data, _WHOLE)
        self._outline(overlay.data)
        overlay.refresh()

    def _hatch(self, labels: NDArray[Any], shown: NDArray[np.uint8], part: Box) -> None:
        """Write the hatching of a part of the image, in place."""
        stripes = stripes_of(labels.shape)[part]
        wanted, within = labels[part], shown[part]
        for top in range(0, len(within), _BAND):
            band = slice(top, top + _BAND)  # what is in the processor's cache goes twice as fast
            self._hatch_band(wanted[band], within[band], stripes[band])

    def _hatch_band(
        self, labels: NDArray[Any], shown: NDArray[np.uint8], stripes: NDArray[np.bool_]
    ) -> None:
        """Write the hatching of some rows, in place."""
        if self._colours is None:
            shown[...] = 0
        else:
            np.take(self._colours, labels, mode="clip", out=shown)
            shown *= stripes
        if self._filled is not None:
            # between the stripes, so that doubt stays visible under the choice
            chosen = self._filled.take(labels, mode="clip")
            np.putmask(shown, chosen & (shown == 0), _FILLED)

    def _outline(self, shown: NDArray[np.uint8]) -> None:
        """Write the outlines of the chosen particles."""
        for part, outline in self._patches:
            shown[part][outline] = _CHOSEN

    def _canvas(self, layer: Any) -> Any:
        """Return the overlay of a labels layer; it is added without changing the selection."""
        from napari.utils.colormaps import CyclicLabelColormap

        shape = np.asarray(layer.data).shape
        if self._overlay is not None and self._overlay in self._viewer.layers:
            if self._overlay.data.shape == shape:
                return self._overlay
            self.clear()
        active = self._viewer.layers.selection.active
        self._colours, self._filled, self._patches = None, None, []
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
