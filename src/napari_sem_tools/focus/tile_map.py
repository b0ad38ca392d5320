"""A map of the focus without torch: the mix scores overlapping tiles of the image."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.mix import cut_tile
from napari_sem_tools.focus.network import FocusMap
from napari_sem_tools.focus.score import blur_of_score, score_picture
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["tile_map"]

_LEAST_VALID: Final = 0.25  # of a tile that may be looked at
_NINETY: Final = 1.645  # standard deviations of a 90 % interval


def tile_map(
    image: Any,
    *,
    pixel_size: float | tuple[float, float] | None = None,
    mask: NDArray[np.bool_] | None = None,
    tile_px: int = 160,
    step_px: int = 40,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> FocusMap:
    """Map the focus over an image by the mix of classical measures, tile by tile.

    Coarser than the network: a cell says what the tile round it says.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X)
    pixel_size : float or (float, float), optional
        In nm.
    mask : bool array (Y, X), optional
        True where the image may be looked at.
    tile_px : int
        Edge of a tile; the mix knows tiles of 240 x 320 px, and smaller ones are less sure.
    step_px : int
        Edge of a cell of the map.
    progress, cancel : callable, optional

    Returns
    -------
    FocusMap
        NaN where a tile shows nothing or lies outside of the field.

    Raises
    ------
    InvalidSettings
        The field is smaller than 32 x 32 px.
    Cancelled

    Examples
    --------
    >>> import numpy as np
    >>> scene = np.kron(np.random.default_rng(0).integers(0, 200, (16, 16)), np.ones((16, 16)))
    >>> tile_map(scene.astype(np.uint8)).score.shape
    (7, 7)
    """
    picture = picture_of(image, pixel_size=pixel_size, mask=mask)
    shape = tuple(-(-size // step_px) for size in picture.grey.shape)
    score, sd = (np.full(shape, np.nan, np.float32) for _ in range(2))
    for place in np.ndindex(shape):
        stop_if_cancelled(cancel)
        if place[1] == 0:
            report(progress, place[0], shape[0], "mapping the focus")
        box = _box(place, picture.grey.shape, tile_px, step_px)
        if picture.valid is not None and picture.valid[box].mean() < _LEAST_VALID:
            continue
        found = score_picture(cut_tile(picture, box), "mix")
        if found.information:
            score[place] = found.score
            sd[place] = (found.interval[1] - found.interval[0]) / (2 * _NINETY)
    report(progress, shape[0], shape[0], "mapping the focus")
    blur = np.asarray(blur_of_score(score), np.float32)
    return FocusMap(blur, score, sd, step_px, picture.origin, "mix")


def _box(
    place: tuple[int, ...], shape: tuple[int, ...], tile_px: int, step_px: int
) -> tuple[slice, slice]:
    """Return the tile round a cell, moved inside where it would leave the picture."""
    found = []
    for cell, size in zip(place, shape, strict=True):
        edge = min(tile_px, size)
        middle = cell * step_px + step_px // 2
        first = min(max(middle - edge // 2, 0), size - edge)
        found.append(slice(first, first + edge))
    return found[0], found[1]
