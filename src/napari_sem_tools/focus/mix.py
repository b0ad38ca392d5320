"""The mix: a score and its interval from classical numbers, joined by fitted trees.

The trees were fitted by ``tools/fit_focus_mix.py`` on pictures of known blur; here NumPy alone
walks them.  The half width of the interval is the error that further trees expect, times a
factor for each class of noise, so that 90 % of held-out frames lie inside.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.features import features
from napari_sem_tools.focus.picture import Picture
from napari_sem_tools.focus.trees import Forest

__all__ = ["Mix", "read_mix", "tiles_of"]

TILE_PX: Final = (240, 320)
MOST_TILES: Final = 12
_BEST: Final = 10.0
_LEAST_VALID: Final = 0.5  # of a tile; with less it is left out
_LEAST_ERROR, _MOST_ERROR = 0.05, 5.0

Row = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Mix:
    """The fitted trees and what belongs to them.

    Attributes
    ----------
    names : tuple of str
        Numbers that the trees ask for, in order.
    score, error : Forest
        Of the score, and of the logarithm of its expected error.
    limits : float64 array (classes - 1,)
        Bounds of ln SNR between the classes of noise.
    factors : float64 array (classes,)
        Half width of the 90 % interval over the expected error.
    """

    names: tuple[str, ...]
    score: Forest
    error: Forest
    limits: Row
    factors: Row

    def __call__(self, rows: NDArray[np.floating[Any]]) -> tuple[Row, Row]:
        """Return score and half width of the interval of tiles.

        Parameters
        ----------
        rows : float array (n, names)

        Returns
        -------
        score, half : float64 arrays (n,)
        """
        score = np.clip(self.score(rows), 0.0, _BEST)
        error = np.clip(np.exp(self.error(rows)), _LEAST_ERROR, _MOST_ERROR)
        noise = np.searchsorted(self.limits, rows[:, self.names.index("snr")])
        return score, error * self.factors[noise]

    def of_picture(self, picture: Picture) -> tuple[float, float]:
        """Return score and half width of a picture, joined over its tiles.

        Parameters
        ----------
        picture : Picture

        Returns
        -------
        score, half : float
            Tiles weigh by the reciprocal square of their half width.  Tiles of one picture err
            alike: more of them do not make the interval narrower.
        """
        found = [features(tile) for tile in tiles_of(picture)]
        rows = np.array([[one[name] for name in self.names] for one in found], np.float32)
        score, half = self(rows)
        weight = 1 / half**2
        weight /= weight.sum()
        return float(score @ weight), float(half @ weight)


def tiles_of(picture: Picture) -> list[Picture]:
    """Cut a picture into the tiles that the trees know, at most twelve.

    Parameters
    ----------
    picture : Picture

    Returns
    -------
    list of Picture
        On a grid centred in the field; of many, twelve evenly chosen; those with less than half
        of their pixels in the field are left out.  A smaller picture is its own tile.
    """
    size = picture.grey.shape
    sides = [min(side, n) for side, n in zip(TILE_PX, size, strict=True)]
    counts = [n // side for n, side in zip(size, sides, strict=True)]
    first = [(n - k * side) // 2 for n, k, side in zip(size, counts, sides, strict=True)]
    boxes = [
        (slice(first[0] + i * sides[0], first[0] + (i + 1) * sides[0]),
         slice(first[1] + j * sides[1], first[1] + (j + 1) * sides[1]))
        for i in range(counts[0]) for j in range(counts[1])
    ]  # fmt: skip
    if picture.valid is not None:
        valid = picture.valid
        full = [box for box in boxes if valid[box].mean() >= _LEAST_VALID]
        boxes = full or [max(boxes, key=lambda box: float(valid[box].mean()))]
    if len(boxes) > MOST_TILES:
        boxes = [boxes[i] for i in np.linspace(0, len(boxes) - 1, MOST_TILES).round().astype(int)]
    if len(boxes) == 1 and picture.grey[boxes[0]].shape == size:
        return [picture]
    return [_cut(picture, box) for box in boxes]


def _cut(picture: Picture, box: tuple[slice, slice]) -> Picture:
    """Take a part of a picture as a picture."""
    valid = None if picture.valid is None else picture.valid[box]
    if valid is not None and (valid.all() or not valid.any()):
        valid = None
    return Picture(
        np.ascontiguousarray(picture.grey[box]), valid, picture.pixel_size, picture.depth
    )


@functools.cache
def read_mix() -> Mix:
    """Read the mix of the package.

    Returns
    -------
    Mix
    """
    file = resources.files("napari_sem_tools.focus") / "mix.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
        return mix_of({name: kept[name] for name in kept.files})


def mix_of(arrays: Mapping[str, NDArray[Any]]) -> Mix:
    """Make a mix of the arrays of its file."""
    return Mix(
        tuple(str(name) for name in arrays["names"]),
        Forest.of(arrays, "score"),
        Forest.of(arrays, "error"),
        np.asarray(arrays["limits"], float),
        np.asarray(arrays["factors"], float),
    )
