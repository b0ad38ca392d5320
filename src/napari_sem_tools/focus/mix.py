"""The mix: a score and its interval from classical numbers, joined by fitted layers.

A few small perceptrons (``tools/fit_focus_mix.py``) and boosted trees
(``tools/fit_focus_trees.py``) were fitted to frames of known blur; here NumPy alone works them out.
The score is their mean.  The half width of the interval is the error that they expect of
themselves, times a factor for each class of noise, so that 90 % of held-out frames lie inside.
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
from napari_sem_tools.focus.forest import Forest, forest_of
from napari_sem_tools.focus.levels import levels
from napari_sem_tools.focus.measures.picture import Picture

__all__ = ["Mix", "cut_tile", "mix_of", "read_mix", "tiles_of"]

TILE_PX: Final = (240, 320)
MOST_TILES: Final = 12
_BEST: Final = 10.0
_LEAST_VALID: Final = 0.5  # of a tile; with less it is left out
_BEND: Final = 0.4  # points; below, scores approach 0 and never reach it
_OUTLIER: Final = 4.0  # spreads from the middle
_TREES: Final = 0.5  # weight of the trees in the score
_FADED: Final = (1.0, 3.0)  # scores below which trees, which saw no more blur, say less, nothing
_APART: Final = 0.5  # of the squared difference between trees and layers, in the expected error
_LN_SQUARED: Final = (-6.0, 4.0)  # bounds of ln of the expected squared error

Row = NDArray[np.float64]
Weights = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Mix:
    """The fitted layers and what belongs to them.

    Attributes
    ----------
    names : tuple of str
        Numbers that are asked for, in order.
    middle, spread : float32 arrays (names,)
        Of each number as sign(x) ln(1 + |x|), in training.
    weights : tuple of float32 arrays (members, from, to)
        Of each layer; the last gives a tenth of the score and ln of its expected squared error.
    offsets : tuple of float32 arrays (members, 1, to)
    limits : float64 array (classes - 1,)
        Bounds of ln SNR between the classes of noise.
    factors : float64 array (classes,)
        Half width of the 90 % interval over the expected error.
    trees : Forest or None
        Boosted trees over all numbers; the layers take the first of them.
    """

    names: tuple[str, ...]
    middle: Weights
    spread: Weights
    weights: tuple[Weights, ...]
    offsets: tuple[Weights, ...]
    limits: Row
    factors: Row
    trees: Forest | None = None

    def expected(self, rows: NDArray[np.floating[Any]]) -> tuple[Row, Row]:
        """Return score and expected error of tiles.

        Parameters
        ----------
        rows : float array (n, names)

        Returns
        -------
        score, error : float64 arrays (n,)
            The expected error joins what the members say and how they differ.
        """
        asked = rows[:, : len(self.middle)]
        small = np.sign(asked) * np.log1p(np.abs(asked))
        signal = np.clip((small - self.middle) / self.spread, -_OUTLIER, _OUTLIER)[None]
        for weight, offset in zip(self.weights[:-1], self.offsets[:-1], strict=True):
            signal = signal @ weight + offset
            signal = signal / (1 + np.exp(-signal))
        said = np.asarray(signal @ self.weights[-1] + self.offsets[-1], np.float64)
        scores = _BEST * said[..., 0]
        squared = np.exp(np.clip(said[..., 1], *_LN_SQUARED)).mean(axis=0)
        found, squared = scores.mean(axis=0), squared + scores.var(axis=0)
        if self.trees is not None and rows.shape[1] == len(self.names):
            apart = self.trees(rows) - found
            share = np.clip((found - _FADED[0]) / (_FADED[1] - _FADED[0]), 0, 1)
            found = found + _TREES * share * apart
            squared = squared + _APART * np.square(apart)
        return np.minimum(_floored(found), _BEST), np.sqrt(squared)

    def __call__(self, rows: NDArray[np.floating[Any]]) -> tuple[Row, Row]:
        """Return score and half width of the interval of tiles.

        Parameters
        ----------
        rows : float array (n, names)

        Returns
        -------
        score, half : float64 arrays (n,)
        """
        score, error = self.expected(rows)
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
        found = [features(tile) | levels(tile) for tile in tiles_of(picture)]
        rows = np.array([[one[name] for name in self.names] for one in found], np.float32)
        score, half = self(rows)
        weight = 1 / half**2
        weight /= weight.sum()
        return float(score @ weight), float(half @ weight)


def _floored(score: Row) -> Row:
    """Bend scores near the end of the scale towards 0, so that they keep their order."""
    return np.where(score > _BEND, score, _BEND * np.exp(np.minimum(score / _BEND - 1, 0)))


def tiles_of(picture: Picture) -> list[Picture]:
    """Cut a picture into the tiles that the mix knows, at most twelve.

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
    return [cut_tile(picture, box) for box in boxes]


def cut_tile(picture: Picture, box: tuple[slice, slice]) -> Picture:
    """Take a part of a picture as a picture.

    Parameters
    ----------
    picture : Picture
    box : (slice, slice)
        Rows and columns.

    Returns
    -------
    Picture
    """
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
    layers = sum(name.startswith("weight") for name in arrays)
    return Mix(
        tuple(str(name) for name in arrays["names"]),
        np.asarray(arrays["middle"], np.float32),
        np.asarray(arrays["spread"], np.float32),
        tuple(np.asarray(arrays[f"weight{i}"], np.float32) for i in range(layers)),
        tuple(np.asarray(arrays[f"offset{i}"], np.float32) for i in range(layers)),
        np.asarray(arrays["limits"], np.float64),
        np.asarray(arrays["factors"], np.float64),
        forest_of(arrays),
    )
