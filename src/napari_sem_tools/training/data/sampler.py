"""Batches of crops: the same epoch and step always give the same batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.training.augmentation.recipes import augment, recipe
from napari_sem_tools.training.data.scaled import Scene
from napari_sem_tools.training.data.targets import class_targets, separation_targets

__all__ = ["Sampler"]

_MARGIN = 8  # a crop is changed with an eighth of its side around it, then cut
_MOST_PER_IMAGE = 64  # a mosaic must not be all that is seen

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclasses.dataclass(frozen=True, eq=False)
class _Places:
    """Pixels of an image that crops are centred on, sorted by label."""

    pixels: NDArray[np.int32]
    starts: NDArray[np.int64]


class Sampler:
    """Draws crops from scenes, changed by a recipe.

    Parameters
    ----------
    scenes : sequence of Scene
    crop_px : int
    batch : int
    instances : bool
        Whether masks number particles, or classes.
    augmentation : str
        Row of `recipes.RECIPES`.
    foreground : float
        Share of the crops that have a particle (each equally often, whatever its size), or
        a class, in the middle.
    seed : int

    Notes
    -----
    Batch k of epoch n is drawn by (seed, n, k) alone, so that a training that is resumed
    sees what it would have seen.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        *,
        crop_px: int,
        batch: int,
        instances: bool,
        augmentation: str,
        foreground: float,
        seed: int,
    ) -> None:
        self.scenes, self.crop_px, self.batch_size = scenes, crop_px, batch
        self.instances, self.augmentation, self.seed = instances, augmentation, seed
        self.foreground = foreground
        self.margin = crop_px // _MARGIN if recipe(augmentation).places else 0
        self._places = [_places(scene) for scene in scenes]
        crops = [round(scene.grey.size / crop_px**2) for scene in scenes]
        self._slots = np.repeat(np.arange(len(scenes)), np.clip(crops, 1, _MOST_PER_IMAGE))

    @property
    def steps(self) -> int:
        """Batches after which as many pixels were seen as the images have."""
        return int(-(-len(self._slots) // self.batch_size))

    def batch(self, epoch: int, step: int) -> Batch:
        """Draw a batch.

        Parameters
        ----------
        epoch, step : int

        Returns
        -------
        images : float32 array (batch, 1, crop, crop)
        targets : float32 array (batch, planes, crop, crop)
            As `targets` makes them.
        """
        order = np.random.default_rng((self.seed, epoch)).permutation(self._slots)
        rng = np.random.default_rng((self.seed, epoch, step))
        first = step * self.batch_size
        numbers = [order[n % len(order)] for n in range(first, first + self.batch_size)]
        crops = [self._crop(int(number), rng) for number in numbers]
        images, targets = (np.stack(part) for part in zip(*crops, strict=True))
        return images[:, None], targets

    def _crop(
        self, number: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Cut a crop with its surroundings, change it, cut it and make its targets."""
        scene = self.scenes[number]
        grey, planes = _cut(scene, self._corner(number, rng), self.crop_px + 2 * self.margin)
        grey, planes = augment(grey, planes, self.augmentation, rng, order=1)
        inner = slice(self.margin, self.margin + self.crop_px)
        grey, planes = grey[inner, inner], planes[:, inner, inner]
        make = separation_targets if self.instances else class_targets
        made = make(planes[0], planes[1] > 0)
        scale = np.float32(255 if self.instances else 1)
        return np.ascontiguousarray(grey), np.asarray(made, np.float32) / scale

    def _corner(self, number: int, rng: np.random.Generator) -> tuple[int, int]:
        """Choose the upper left corner of a crop and its surroundings."""
        scene, places = self.scenes[number], self._places[number]
        span = self.crop_px + 2 * self.margin
        rows, columns = scene.grey.shape
        if len(places.starts) > 1 and rng.random() < self.foreground:
            label = int(rng.integers(len(places.starts) - 1))
            pixel = places.pixels[rng.integers(places.starts[label], places.starts[label + 1])]
            centre = np.array(divmod(int(pixel), columns))
            centre += rng.integers(-self.crop_px // 4, self.crop_px // 4 + 1, 2)
        else:
            centre = rng.integers(0, (rows, columns))
        half = self.crop_px // 2  # the crop itself stays inside where the image is large enough
        inside = [
            int(np.clip(c, min(half, n // 2), max(n - half, n // 2)))
            for c, n in zip(centre, (rows, columns), strict=True)
        ]
        return inside[0] - span // 2, inside[1] - span // 2


def _places(scene: Scene) -> _Places:
    """Sort the pixels that count by label."""
    flat = np.where(scene.ignore, 0, scene.mask).ravel()
    marked = np.flatnonzero(flat)
    order = marked[np.argsort(flat[marked], kind="stable")].astype(np.int32)
    changes = np.flatnonzero(np.diff(flat[order], prepend=0))
    return _Places(order, np.append(changes, len(order)))


def _cut(
    scene: Scene, corner: tuple[int, int], span: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Cut a square; beyond the image it is mirrored and does not count."""
    index, beyond = [], []
    for first, size in zip(corner, scene.grey.shape, strict=True):
        at = np.arange(first, first + span)
        beyond.append((at < 0) | (at >= size))
        folded = at % (2 * size)
        index.append(np.where(folded < size, folded, 2 * size - 1 - folded))
    window = np.ix_(*index)
    ignore = scene.ignore[window] | beyond[0][:, None] | beyond[1][None]
    return scene.grey[window], np.stack([scene.mask[window], ignore.astype(np.int32)])
