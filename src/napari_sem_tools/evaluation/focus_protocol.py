"""Frames of known focus, made from pictures of any kind: the protocol of the focus scores.

Every tile of a picture is blurred by eleven amounts and two point spreads, recorded at four
doses with a gain that changes from frame to frame, and stored in 8 bits.  The true score of a
frame is 10 minus one point for each 0.4 px of added blur.  The random numbers follow from the
names, so that everybody makes the same frames (NumPy may change its streams between versions).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DOSES",
    "POSITIONS",
    "SIGMA_PER_STEP_PX",
    "TILE_PX",
    "FocusFrame",
    "blurred",
    "exposed",
    "focus_frames",
    "focus_tiles",
    "fold_of",
    "seed_of",
    "unit_grey",
]

TILE_PX: Final = (240, 320)
POSITIONS: Final = tuple(range(-10, 11))
DOSES: Final = (np.inf, 100.0, 20.0, 5.0)
SIGMA_PER_STEP_PX: Final = 0.4
FOLDS: Final = 5
_LEAST_CONTRAST: Final = 0.03  # standard deviation of the unit grey values of a tile
_BLACK: Final = 0.1  # a dark ground that is no darkness: some electrons come from everywhere
_TAILS: Final = (0.1, 99.9)  # percent
_MIDDLE_GREY: Final = 160.0
_GAIN: Final = (0.9, 1.1)

PointSpread = Literal["gauss", "disc"]
Plane = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class FocusFrame:
    """One frame of the protocol.

    Attributes
    ----------
    corner : (int, int)
        First row and column of the tile in the picture.
    psf : {"gauss", "disc"}
    position : int
        Steps from focus, -10 to 10.
    dose : float
        Mean electrons a pixel; infinite: only the noise that the picture had.
    image : uint8 array (240, 320)
    """

    corner: tuple[int, int]
    psf: PointSpread
    position: int
    dose: float
    image: NDArray[np.uint8]

    @property
    def score(self) -> float:
        """The true score."""
        return 10.0 - abs(self.position)


def seed_of(*parts: object) -> int:
    """Return the random seed of a name.

    Parameters
    ----------
    *parts : object
        Joined by ``"|"``.

    Returns
    -------
    int
        First 8 bytes, little-endian, of the SHA-256.

    Examples
    --------
    >>> seed_of("spot1", "fold") % 5 == fold_of("spot1")
    True
    """
    text = "|".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def fold_of(group: str) -> int:
    """Return the fold, 0 to 4, in which the pictures of a group are held out.

    Parameters
    ----------
    group : str
        What the pictures share: a specimen, a spot, a video.

    Returns
    -------
    int
    """
    return seed_of(group, "fold") % FOLDS


def unit_grey(field: NDArray[Any]) -> Plane:
    """Scale grey values to 0.1 to 1 by the percentiles 0.1 and 99.9 of the field.

    Parameters
    ----------
    field : array (Y, X)
        The picture without its data bar.

    Returns
    -------
    float64 array (Y, X)

    Examples
    --------
    >>> import numpy as np
    >>> float(unit_grey(np.arange(6.0).reshape(2, 3)).max())
    1.0
    """
    low, high = np.percentile(field, _TAILS)
    share = np.clip((np.asarray(field, float) - low) / max(high - low, 1e-9), 0, 1)
    return np.asarray(_BLACK + (1 - _BLACK) * share)


def blurred(plane: Plane, sigma_px: float, psf: PointSpread = "gauss") -> Plane:
    """Blur a picture by the exact transfer function, mirrored at its boundary.

    Parameters
    ----------
    plane : float array (Y, X)
    sigma_px : float
        Standard deviation of the point spread along an axis.
    psf : {"gauss", "disc"}
        The disc has a radius of two standard deviations.

    Returns
    -------
    float64 array (Y, X)

    Examples
    --------
    >>> import numpy as np
    >>> float(blurred(np.ones((8, 8)), 2.0, "disc").std().round(12))
    0.0
    """
    from scipy import fft
    from scipy.special import j1

    if sigma_px == 0:
        return plane
    rows, columns = (np.arange(n) / (2 * n) for n in plane.shape)
    squared = rows[:, None] ** 2 + columns[None, :] ** 2
    if psf == "gauss":
        transfer = np.exp(-2 * np.pi**2 * sigma_px**2 * squared)
    else:
        argument = 4 * np.pi * sigma_px * np.sqrt(squared)
        argument[0, 0] = 1.0
        transfer = 2 * j1(argument) / argument
        transfer[0, 0] = 1.0
    return np.asarray(fft.idctn(fft.dctn(plane, type=2) * transfer, type=2))


def focus_tiles(plane: Plane, count: int = 1) -> list[tuple[int, int]]:
    """Return the corners of the tiles with the strongest contrast.

    Parameters
    ----------
    plane : float array (Y, X)
        As from `unit_grey`.
    count : int
        How many, of the tiles of 240 x 320 px on a grid centred in the field.

    Returns
    -------
    list of (int, int)
        Strongest first; tiles with a standard deviation below 0.03 are left out.
    """
    grid = [size // side for size, side in zip(plane.shape, TILE_PX, strict=True)]
    first = [(size - n * side) // 2
             for size, side, n in zip(plane.shape, TILE_PX, grid, strict=True)]  # fmt: skip
    corners = [(first[0] + i * TILE_PX[0], first[1] + j * TILE_PX[1])
               for i in range(grid[0]) for j in range(grid[1])]  # fmt: skip
    contrast = {corner: float(_tile(plane, corner).std()) for corner in corners}
    best = sorted(corners, key=lambda corner: -contrast[corner])[:count]
    return [corner for corner in best if contrast[corner] >= _LEAST_CONTRAST]


def _tile(plane: Plane, corner: tuple[int, int]) -> Plane:
    """Cut a tile out."""
    return plane[corner[0] : corner[0] + TILE_PX[0], corner[1] : corner[1] + TILE_PX[1]]


def exposed(tile: Plane, dose: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Record a tile: a gain of 0.9 to 1.1, electrons that are counted, 8 bits.

    Parameters
    ----------
    tile : float array (Y, X)
        Unit grey values.
    dose : float
        Mean electrons a pixel of this tile; infinite: none are counted.
    rng : numpy.random.Generator

    Returns
    -------
    uint8 array (Y, X)
    """
    gain = rng.uniform(*_GAIN)
    if np.isfinite(dose):
        mean = tile.mean()
        tile = rng.poisson(np.maximum(tile, 0) * dose / mean) * mean / dose
    return np.clip(np.rint(_MIDDLE_GREY * gain * tile), 0, 255).astype(np.uint8)


def focus_frames(
    name: str, field: NDArray[Any], count: int = 1, *, positions: Sequence[int] = POSITIONS
) -> Iterator[FocusFrame]:
    """Make all frames of one picture.

    Parameters
    ----------
    name : str
        File name without folder; the random numbers follow from it.
    field : array (Y, X)
        The picture without its data bar.
    count : int
        Number of tiles.
    positions : sequence of int
        Steps from focus; a part of them gives a part of the same frames.

    Yields
    ------
    FocusFrame
        By point spread, tile, position and dose: 168 a tile.
    """
    plane = unit_grey(field)
    corners = focus_tiles(plane, count)
    spreads: tuple[PointSpread, ...] = ("gauss", "disc")
    for psf in spreads if corners else ():
        steps = {abs(position) for position in positions}
        planes = {step: blurred(plane, SIGMA_PER_STEP_PX * step, psf) for step in steps}
        for corner in corners:
            for position in positions:
                tile = _tile(planes[abs(position)], corner)
                for dose in DOSES:
                    rng = np.random.default_rng(seed_of(name, corner, position, dose))
                    image = exposed(tile, dose, rng)
                    yield FocusFrame(corner, psf, position, dose, image)
