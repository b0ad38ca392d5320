"""Tiles that overlap by what a network looks at, blended by weights that sum to one.

Nothing here knows torch: what predicts is a callable, so that the engine can be tested and
timed alone.  ``docs/design/0005-tiles.md`` says what was measured.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["Span", "Tiling", "flipped", "predict_tiled"]

Maps = NDArray[np.float32]
Predict = Callable[[Maps], Maps]

_LEAST_BLEND_PX = 8


@dataclasses.dataclass(frozen=True)
class Span:
    """Where a tile lies along one axis, in pixels of the image, half-open.

    Attributes
    ----------
    start, stop : int
        What the network sees; negative, or beyond the image, where it sees its mirror.
    first, last : int
        What the tile says something about.
    rise, fall : int
        Width of the blending with the tile before and after; 0 at the image's border.
    """

    start: int
    stop: int
    first: int
    last: int
    rise: int
    fall: int


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How an image is cut: everything resolved, ready to be printed.

    Attributes
    ----------
    tile_px : int
        Largest edge of a tile.
    halo_px : int
        Radius of the receptive field: so far from a tile's inner edges its maps count for
        nothing.
    multiple_of : int
        Tiles begin and end on this grid, so that a network with pooling sees every pixel
        in the same phase, tiled or not.
    border_px : int
        So far the network sees the mirror of the image beyond its border.
    batch : int
        Tiles of one call.

    Raises
    ------
    InvalidSettings
        A tile holds nothing but halo.

    Examples
    --------
    >>> tiling = Tiling(tile_px=64, halo_px=4)
    >>> [(span.start, span.stop) for span in tiling.spans(140)]
    [(0, 58), (41, 99), (82, 140)]
    """

    tile_px: int
    halo_px: int = 0
    multiple_of: int = 1
    border_px: int = 0
    batch: int = 1

    def __post_init__(self) -> None:
        """Refuse tiles that cannot move on."""
        if self.edge_px < self.least_px:
            raise InvalidSettings(
                f"A tile of {self.tile_px} px leaves nothing inside a halo of {self.halo_px} px.",
                hint=f"Choose a tile of at least {self.least_px} px.",
            )
        if self.border_px > self.halo_px:
            raise InvalidSettings("The border is wider than the halo.")

    @property
    def overlap_px(self) -> int:
        """Least overlap of neighbours: both halos, and the blending between them."""
        return _up(2 * self.halo_px + max(self.halo_px // 4, _LEAST_BLEND_PX), self.multiple_of)

    @property
    def edge_px(self) -> int:
        """Largest edge of a tile on the grid that the network wants."""
        return self.tile_px // self.multiple_of * self.multiple_of

    @property
    def blend_px(self) -> int:
        """Width of the blending."""
        return self.overlap_px - 2 * self.halo_px

    @property
    def least_px(self) -> int:
        """Smallest edge with which no pixel lies in the blending of three tiles."""
        return _up(self.overlap_px + 2 * self.blend_px, self.multiple_of) + self.multiple_of

    def spans(self, length: int) -> tuple[Span, ...]:
        """Cover an axis with equally long tiles, no longer than needed.

        Parameters
        ----------
        length : int
            Pixels of the image along the axis.

        Returns
        -------
        tuple of Span
            Neighbours overlap by `overlap_px` at least; no tile is filled up with padding.
        """
        grid, overlap = self.multiple_of, self.overlap_px
        whole = _up(length + 2 * self.border_px, grid)
        if whole <= self.edge_px:
            return (Span(-self.border_px, whole - self.border_px, 0, length, 0, 0),)
        count = -(-(whole - overlap) // (self.edge_px - overlap))
        edge = _up(-(-(whole + (count - 1) * overlap) // count), grid)
        free = (whole - edge) // grid
        starts = [n * free // (count - 1) * grid - self.border_px for n in range(count)]
        firsts = [
            (before + edge + after - self.blend_px) // 2
            for before, after in itertools.pairwise(starts)
        ]
        cuts = [(first, first + self.blend_px) for first in firsts]
        return tuple(_spans_between(starts, edge, cuts, length))

    def count(self, shape: tuple[int, ...]) -> int:
        """Return the number of tiles of an image (Y, X)."""
        return len(self.spans(shape[-2])) * len(self.spans(shape[-1]))


def predict_tiled(
    predict: Predict,
    image: Any,
    *,
    tiling: Tiling,
    channels: int,
    out: Any = None,
    prepare: Callable[[Any], NDArray[Any]] | None = None,
    finish: Callable[[Maps], NDArray[Any]] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Any:
    """Predict an image of any size, tile by tile.

    While a batch of tiles is computed the next one is read and prepared.  Memory beside
    `out` is two batches and, unless `out` is a float32 numpy array, one row of tiles.

    Parameters
    ----------
    predict : callable
        From float32 (N, inputs, Y, X) to float32 (N, channels, Y, X).  It may return its
        argument, but not keep it.
    image : array (Y, X) or (inputs, Y, X)
        Numpy, memory-mapped, zarr or dask; windows of it are read one by one.
    tiling : Tiling
    channels : int
        Maps that `predict` gives.
    out : array, optional
        Where the maps go, rows from top to bottom: numpy, memory-mapped, zarr, or anything
        that takes ``out[..., first:last, :] = rows``.
    prepare : callable, optional
        From a window of `image` to grey values that the network wants, pixel by pixel.
    finish : callable, optional
        From finished rows (channels, rows, X) to what is kept of them in `out`.
    progress, cancel : callable, optional
        `progress` is told every tile, `cancel` is asked before every batch.

    Returns
    -------
    array
        `out`, or float32 (channels, Y, X).

    Raises
    ------
    Cancelled
        Between two batches.  Then, and after any error, `out` is not complete.

    Examples
    --------
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> maps = predict_tiled(lambda batch: 2 * batch, image, tiling=Tiling(64), channels=1)
    >>> maps[0, 2].tolist()
    [16.0, 18.0, 20.0, 22.0]
    """
    shape = (int(image.shape[-2]), int(image.shape[-1]))
    if out is None:
        if finish is not None:
            raise ValueError("finish needs out, whose shape only the caller knows")
        out = np.empty((channels, *shape), np.float32)
    rows, columns = tiling.spans(shape[0]), tiling.spans(shape[1])
    batches = [
        _Batch(row, columns[n : n + tiling.batch])
        for row in rows
        for n in range(0, len(columns), tiling.batch)
    ]
    bands = _Bands(out, channels, shape[1], rows, finish)
    window = _Window(image, shape, prepare)
    done, total = 0, len(rows) * len(columns)
    report(progress, done, total, "network")
    with ThreadPoolExecutor(1, thread_name_prefix="tiles") as beside:
        for batch, tiles in _ahead(beside, window.read, batches):
            stop_if_cancelled(cancel)
            maps = predict(tiles)
            band = bands.of(batch.row)
            for span, tile in zip(batch.columns, maps, strict=True):
                _blend(band, tile, batch.row, span)
                done += 1
                report(progress, done, total, "network")
            if batch.columns[-1].last == shape[1]:
                bands.write(batch.row)
            del maps, tile  # the network takes their place for the next ones
    return out


def flipped(predict: Predict) -> Predict:
    """Average what a network says of a batch and of its mirror images.

    Parameters
    ----------
    predict : callable
        From (N, inputs, Y, X) to (N, channels, Y, X).

    Returns
    -------
    callable
        Four times as slow; its maps of a mirrored image are mirrored maps.

    Examples
    --------
    >>> edge = lambda batch: np.diff(batch, axis=3, append=0)  # looks to the right
    >>> flipped(edge)(np.ones((1, 1, 1, 3), np.float32)).tolist()
    [[[[-0.5, 0.0, -0.5]]]]
    """
    flips: tuple[tuple[int, ...], ...] = ((2,), (3,), (2, 3))

    def average(batch: Maps) -> Maps:
        total = np.array(predict(batch), np.float32)
        for axes in flips:
            total += np.flip(predict(np.ascontiguousarray(np.flip(batch, axes))), axes)
        total /= 1 + len(flips)
        return total

    return average


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Tiles of one row that are computed together."""

    row: Span
    columns: tuple[Span, ...]


class _Window:
    """Reads windows of the image into two buffers in turn, mirrored beyond the border."""

    def __init__(
        self,
        image: Any,
        shape: tuple[int, int],
        prepare: Callable[[Any], NDArray[Any]] | None,
    ) -> None:
        self._image = image
        self._shape = shape
        self._prepare = prepare
        self._inputs = 1 if image.ndim == 2 else int(image.shape[0])
        self._buffers: list[Maps | None] = [None, None]

    def read(self, batch: _Batch) -> Maps:
        """Return the tiles of a batch, (N, inputs, Y, X)."""
        row, column = batch.row, batch.columns[0]
        edges = (row.stop - row.start, column.stop - column.start)
        shape = (len(batch.columns), self._inputs, *edges)
        self._buffers.reverse()
        tiles = self._buffers[0]
        if tiles is None or tiles.shape != shape:
            tiles = self._buffers[0] = np.empty(shape, np.float32)
        for tile, span in zip(tiles, batch.columns, strict=True):
            self._fill(tile, row, span)
        return tiles

    def _fill(self, tile: Maps, row: Span, column: Span) -> None:
        """Read what one tile sees."""
        places = [
            _mirrored(span.start, span.stop, length)
            for span, length in zip((row, column), self._shape, strict=True)
        ]
        first = [int(place.min()) for place in places]
        stop = [int(place.max()) + 1 for place in places]
        seen = self._image[..., first[0] : stop[0], first[1] : stop[1]]
        seen = np.asarray(seen if self._prepare is None else self._prepare(seen))
        for axis, place in enumerate(places):
            if len(place) != stop[axis] - first[axis]:
                seen = seen.take(place - first[axis], axis=axis - 2)
        tile[...] = seen


class _Bands:
    """Gives the rows that a row of tiles is blended into, and hands on what is finished."""

    def __init__(
        self,
        out: Any,
        channels: int,
        width: int,
        rows: tuple[Span, ...],
        finish: Callable[[Maps], NDArray[Any]] | None,
    ) -> None:
        self._out = out
        self._finish = finish
        self._next = dict(itertools.pairwise(rows))
        plain = isinstance(out, np.ndarray) and out.dtype == np.float32
        self._buffer: Maps | None = None
        if not plain or finish is not None:
            tallest = max(row.last - row.first for row in rows)
            self._buffer = np.empty((channels, tallest, width), np.float32)

    def of(self, row: Span) -> Maps:
        """Return the rows of the image that a row of tiles speaks of."""
        if self._buffer is None:
            band: Maps = self._out[:, row.first : row.last]
            return band
        return self._buffer[:, : row.last - row.first]

    def write(self, row: Span) -> None:
        """Hand on the rows that no further tile touches, and keep the others."""
        if self._buffer is None:
            return
        after = self._next.get(row)
        stop = row.last if after is None else after.first
        band = self.of(row)
        ready, shared = band[:, : stop - row.first], band[:, stop - row.first :]
        self._out[..., row.first : stop, :] = ready if self._finish is None else self._finish(ready)
        self._buffer[:, : shared.shape[1]] = shared.copy()


def _ahead(
    beside: ThreadPoolExecutor, read: Callable[[_Batch], Maps], batches: list[_Batch]
) -> Iterator[tuple[_Batch, Maps]]:
    """Give every batch with its tiles; the next one is read meanwhile."""
    waiting = beside.submit(read, batches[0])
    for batch, after in zip(batches, [*batches[1:], None], strict=True):
        tiles = waiting.result()
        if after is not None:
            waiting = beside.submit(read, after)
        yield batch, tiles


def _blend(band: Maps, tile: Maps, row: Span, column: Span) -> None:
    """Add a tile to its rows; what no other tile speaks of is copied."""
    for rows, row_weights, row_seen in _parts(row):
        for columns, column_weights, column_seen in _parts(column):
            source = tile[
                :,
                rows.start + row.first - row.start : rows.stop + row.first - row.start,
                columns.start + column.first - column.start : columns.stop
                + column.first
                - column.start,
            ]
            target = band[:, rows, column.first + columns.start : column.first + columns.stop]
            if row_weights is not None:
                source = source * row_weights[:, None]
            if column_weights is not None:
                source = source * column_weights
            if row_seen or column_seen:
                target += source
            else:
                target[...] = source


def _parts(span: Span) -> Iterator[tuple[slice, NDArray[np.float32] | None, bool]]:
    """Cut a span into its rise, its middle and its fall, with weights and who was there."""
    length = span.last - span.first
    if span.rise:
        yield slice(0, span.rise), _ramp(span.rise), True
    yield slice(span.rise, length - span.fall), None, False
    if span.fall:
        yield slice(length - span.fall, length), 1 - _ramp(span.fall), False


def _ramp(width: int) -> NDArray[np.float32]:
    """Rise smoothly from 0 to 1; the neighbour falls by what is missing to 1."""
    place = (np.arange(width, dtype=np.float32) + 0.5) / width
    return np.asarray(place * place * (3 - 2 * place), np.float32)


def _spans_between(
    starts: list[int], edge: int, cuts: list[tuple[int, int]], length: int
) -> Iterator[Span]:
    """Give each tile what lies between its cuts; a cut is a range of blending."""
    lefts = [(0, 0), *cuts]
    rights = [*cuts, (length, length)]
    for start, left, right in zip(starts, lefts, rights, strict=True):
        yield Span(start, start + edge, left[0], right[1], left[1] - left[0], right[1] - right[0])


def _mirrored(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Return the pixels that are seen at some places, mirrored at the outermost ones."""
    period = max(2 * (length - 1), 1)
    place = np.arange(start, stop) % period
    return np.minimum(place, period - place) if length > 1 else np.zeros_like(place)


def _up(number: int, grid: int) -> int:
    """Round up to the grid."""
    return -(-number // grid) * grid
