"""Tiles that overlap by what a network looks at, blended so that no seam is seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["Tile", "predict_tiled", "tiles_of"]

Image = NDArray[np.float32]
Predict = Callable[[Image], NDArray[np.float32]]


@dataclasses.dataclass(frozen=True)
class Tile:
    """Where a tile lies: half-open rows and columns on the image's grid."""

    rows: tuple[int, int]
    columns: tuple[int, int]


def tiles_of(shape: tuple[int, int], *, tile_px: int, overlap_px: int) -> list[Tile]:
    """Cover an image with equally large tiles, the last of each row shifted inwards.

    Parameters
    ----------
    shape : (int, int)
    tile_px : int
        Largest edge of a tile.
    overlap_px : int
        Least overlap of neighbours.

    Returns
    -------
    list of Tile

    Examples
    --------
    >>> [tile.columns for tile in tiles_of((10, 25), tile_px=10, overlap_px=2)]
    [(0, 10), (8, 18), (15, 25)]
    """

    def starts(length: int) -> list[tuple[int, int]]:
        if length <= tile_px:
            return [(0, length)]
        count = -(-(length - overlap_px) // (tile_px - overlap_px))
        places = np.linspace(0, length - tile_px, count).round().astype(int)
        return [(int(place), int(place) + tile_px) for place in places]

    return [Tile(rows, columns) for rows in starts(shape[0]) for columns in starts(shape[1])]


def predict_tiled(
    predict: Predict,
    image: Image,
    *,
    channels: int,
    tile_px: int,
    halo_px: int,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> NDArray[np.float32]:
    """Predict an image of any size, tile by tile.

    Parameters
    ----------
    predict : callable
        From a tile (Y, X) to maps (channels, Y, X) of the same size.
    image : float32 array (Y, X)
    channels : int
    tile_px : int
        Largest edge of a tile.
    halo_px : int
        Radius of the receptive field: so far from a tile's inner edges its maps count
        for nothing.
    progress, cancel : callable, optional

    Returns
    -------
    float32 array (channels, Y, X)

    Raises
    ------
    Cancelled
        Between two tiles.
    """
    tiles = tiles_of(image.shape, tile_px=tile_px, overlap_px=2 * halo_px + halo_px // 2)
    total = np.zeros((channels, *image.shape), np.float32)
    if len(tiles) == 1:
        total[:] = predict(image)
        report(progress, 1, 1, "network")
        return total
    weights = np.zeros(image.shape, np.float32)
    for done, (tile, ramp) in enumerate(_weighted(tiles, image.shape, halo_px)):
        stop_if_cancelled(cancel)
        report(progress, done, len(tiles), "network")
        window = (slice(*tile.rows), slice(*tile.columns))
        total[(slice(None), *window)] += predict(image[window]) * ramp
        weights[window] += ramp
    total /= weights
    report(progress, len(tiles), len(tiles), "network")
    return total


def _weighted(
    tiles: list[Tile], shape: tuple[int, ...], halo: int
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Give each tile its blending weights: nothing in the halo, rising beyond it."""
    for tile in tiles:
        rows = _ramp(tile.rows, shape[0], halo)
        columns = _ramp(tile.columns, shape[1], halo)
        yield tile, rows[:, None] * columns[None]


def _ramp(span: tuple[int, int], length: int, halo: int) -> NDArray[np.float32]:
    """Rise from 0 at the halo's end; at the border of the image stay at 1."""
    count = span[1] - span[0]
    place = np.arange(count, dtype=np.float32)
    width = max(halo // 4, 1)
    ramp = np.ones(count, np.float32)
    if span[0] > 0:
        ramp = np.minimum(ramp, np.clip((place - halo + 1) / width, 0, 1))
    if span[1] < length:
        ramp = np.minimum(ramp, np.clip((count - place - halo) / width, 0, 1))
    return ramp
