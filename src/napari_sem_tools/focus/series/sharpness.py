"""The measure that decides in a series: how fine the detail is, whatever gain, offset and noise.

It is the variance of the Laplacian of a Gaussian of 3 px over the variance of the picture
blurred by 6 px, both without the noise.  Gain and black level cancel in the ratio; at 3 px the
noise weighs little.  All is worked out in the cosine basis of tiles, so that tiles can be
drawn anew to tell how sure a result is.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.measures.measure import Measure
from napari_sem_tools.focus.measures.picture import Picture, picture_of

__all__ = [
    "SERIES_MEASURE",
    "SERIES_MEASURES",
    "Look",
    "Sharpness",
    "look_at",
    "sharpness",
    "tiles_of",
]

SERIES_MEASURE: Final = "LoG3/G6"
"""Name of the measure in tables and curves."""

DETAIL_PX: Final = 3.0  # best of 1.5 to 4 for three frames and at low dose, on clean pictures
GROUND_PX: Final = 6.0
LEAST_DETAIL: Final = 2e-4
"""Value that is left at a blur of 5 to 8 px, much the same for all specimens that were tried;
below it the ratio no longer falls with blur."""

_NOISE_FROM: Final = 0.42  # cycles/px; above, little but noise is left
_DITHER: Final = 0.25  # variance of noise, in grey levels, that hides the steps between them
_STEPS_DETAIL: Final = 2e-4  # what steps of variance 1/12 add where they are as coarse as detail
_STEPS_GROUND: Final = 1 / 12
_TILES: Final = 16  # about as many in a small picture
_SIDE_PX: Final = (48, 128)  # of a tile
_LEAST_VALID: Final = 0.7  # share of a tile that must count
_BELIEVED: Final = 3.0  # standard errors that detail must rise above the noise

Row = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Sharpness:
    """Energies of the tiles of one image; the measure is the ratio of their sums.

    Attributes
    ----------
    detail, ground : float64 array (n,)
        Variance of the Laplacian of a Gaussian of 3 px (a px squared) and of the picture
        blurred by 6 px, without noise, of each tile.
    detail_error, ground_error : float
        Standard errors of their means by noise alone.
    shape : (int, int)
        Tiles down and across.
    """

    detail: Row
    ground: Row
    detail_error: float
    ground_error: float
    shape: tuple[int, int]

    @property
    def information(self) -> bool:
        """True when there is more in the picture than noise."""
        return bool(np.nanmean(self.ground) > _BELIEVED * self.ground_error)

    @property
    def value(self) -> float:
        """The measure; larger is sharper, about 0 where all detail is lost, NaN for noise."""
        ground = float(np.nanmean(self.ground))
        return float(np.nanmean(self.detail)) / ground if ground > 0 else math.nan

    @property
    def error(self) -> float:
        """Standard error of the value by noise alone."""
        ground = float(np.nanmean(self.ground))
        share = self.value * self.ground_error
        return float(np.hypot(self.detail_error, share)) / ground if ground > 0 else math.nan


@dataclasses.dataclass(frozen=True)
class Look:
    """What one frame of a search for focus said; plain numbers that go through JSON.

    Attributes
    ----------
    position : float
        Working distance, height or current of the lens, in any unit.
    value : float
        A measure that is larger the sharper, without gain and offset; 0 without detail.
    error : float
        Its standard error; 0: not known.
    information : bool
        False when there was nothing but noise in the frame.
    contrast, contrast_error : float
        Variance of the picture blurred by 6 px over its squared mean, and its standard error.
        Too far from focus for any detail (blur beyond 5 to 8 px) it still tells nearer from
        farther; it needs a constant black level.  0: not known.
    """

    position: float
    value: float
    error: float = 0.0
    information: bool = True
    contrast: float = 0.0
    contrast_error: float = 0.0

    @property
    def shows_detail(self) -> bool:
        """False when detail is lost in noise or blur, so that the value has no meaning."""
        least = LEAST_DETAIL if self.contrast > 0 else -math.inf
        return self.information and self.value > max(least, _BELIEVED * self.error)


def look_at(image: Any, position: float) -> Look:
    """Measure how sharp a frame is, as a step of a search for focus.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X)
    position : float
        Where it was taken.

    Returns
    -------
    Look

    Raises
    ------
    InvalidSettings
        The field is smaller than 32 x 32 px.

    Examples
    --------
    >>> import numpy as np
    >>> look_at(np.zeros((64, 64), np.uint8), 4.5).information
    False
    """
    picture = picture_of(image)
    found = sharpness(picture)
    if not found.information:
        return Look(float(position), 0.0, 0.0, information=False)
    contrast = float(np.nanmean(found.ground)) / picture.mean**2
    error = found.ground_error / picture.mean**2
    return Look(float(position), found.value, found.error, True, contrast, error)


def sharpness(picture: Picture) -> Sharpness:
    """Work out the energies of the tiles of a picture.

    Parameters
    ----------
    picture : Picture

    Returns
    -------
    Sharpness
    """
    from scipy.fft import dctn

    tiles, valid, shape = _tiles(picture)
    weights = _weights((tiles.shape[1], tiles.shape[2]))
    power = dctn(tiles, axes=(1, 2), norm="ortho") ** 2
    sums = (power.reshape(len(power), -1) @ weights.columns).astype(np.float64)
    noise = sums[:, 4]
    net = sums[:, :2] - noise[:, None] * weights.white
    # a coefficient s with noise of variance n has a square of variance 2 n^2 + 4 n s^2
    scatter = 4 * noise[:, None] * sums[:, 2:4] - 2 * np.outer(noise**2, weights.squares)
    scatter += np.outer(noise**2, weights.level)
    net[~valid], scatter[~valid], count = np.nan, 0.0, max(int(valid.sum()), 1)
    errors = np.sqrt(np.maximum(scatter, 0.0).sum(axis=0)) / count
    mean_noise = float(noise[valid].mean()) if valid.any() else np.inf
    if picture.depth and mean_noise < _DITHER:  # the steps of the grey values look like detail
        errors = np.hypot(errors, [_STEPS_DETAIL, _STEPS_GROUND])
    return Sharpness(net[:, 0], net[:, 1], float(errors[0]), float(errors[1]), shape)


@dataclasses.dataclass(frozen=True, eq=False)
class _Weights:
    """What the power of a tile is weighted by.

    Attributes
    ----------
    columns : float32 array (coefficients, 5)
        Detail, ground, the squares of both weights, mean over the noise.
    white : float64 array (2,)
        What white noise of variance 1 adds to detail and ground.
    squares : float64 array (2,)
        Sums of the squared weights.
    level : float64 array (2,)
        Variance that the estimate of the noise level adds, for noise of variance 1.
    """

    columns: NDArray[np.float32]
    white: Row
    squares: Row
    level: Row


@functools.lru_cache(maxsize=16)
def _weights(side: tuple[int, int]) -> _Weights:
    """Return the weights of the coefficients of a tile."""
    rows, columns = (np.arange(n) / (2 * n) for n in side)
    squared = (rows[:, None] ** 2 + columns[None, :] ** 2).ravel()
    angular = 4 * np.pi**2 * squared
    detail = angular**2 * np.exp(-angular * DETAIL_PX**2)
    ground = np.exp(-angular * GROUND_PX**2)
    ground[0] = 0.0
    wanted = np.stack([detail, ground]) / squared.size
    high = squared > _NOISE_FROM**2
    count = max(int(high.sum()), 1)
    white = wanted.sum(axis=1)
    rows_of_weights = np.stack([*wanted, *wanted**2, high / count], axis=1)
    return _Weights(
        rows_of_weights.astype(np.float32), white, (wanted**2).sum(axis=1), 2 * white**2 / count
    )


def tiles_of(picture: Picture) -> NDArray[np.float32]:
    """Return the tiles that `sharpness` looks at, those with too few valid pixels left out.

    Returns
    -------
    float32 array (n, Y, X)
    """
    tiles, valid, _ = _tiles(picture)
    return tiles[valid]


def _tiles(picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[int, int]]:
    """Cut a picture into equal tiles; tell which of them have enough pixels that count."""
    size = picture.grey.shape
    wanted = float(np.clip(np.sqrt(size[0] * size[1] / _TILES), *_SIDE_PX))
    down, across = (max(1, round(n / wanted)) for n in size)
    rows, columns = size[0] // down, size[1] // across
    top, left = (size[0] - rows * down) // 2, (size[1] - columns * across) // 2
    box = (slice(top, top + rows * down), slice(left, left + columns * across))
    tiles = _cut(picture.grey[box], down, across)
    if picture.valid is None:
        return tiles, np.ones(len(tiles), bool), (down, across)
    counted = _cut(picture.valid[box], down, across).mean(axis=(1, 2))
    return tiles, counted >= _LEAST_VALID, (down, across)


def _cut(plane: NDArray[Any], down: int, across: int) -> NDArray[Any]:
    """Turn a plane into a row of tiles."""
    rows, columns = plane.shape[0] // down, plane.shape[1] // across
    return (
        plane.reshape(down, rows, across, columns)
        .swapaxes(1, 2)
        .reshape(down * across, rows, columns)
    )


def _value(picture: Picture) -> float:
    """Return the measure of a picture, NaN where there is nothing but noise."""
    found = sharpness(picture)
    return found.value if found.information else float("nan")


SERIES_MEASURES: Final = (
    Measure(
        SERIES_MEASURE,
        "Laplacian of Gaussian over contrast, both without noise",
        "(var Laplacian(G_3 * I) - noise) / (var(G_6 * I) - noise), on tiles",
        _value,
        "Marr, Hildreth 1980; napari-sem-tools",
        "px⁻⁴",
        noise="corrected",
    ),
)
