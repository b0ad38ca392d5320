"""Random crops of rendered scenes, never twice the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.simulation.distractors import burn_in
from napari_sem_tools.training.data.scenes import SceneFolder

__all__ = ["Crops", "MixedCrops"]

_CLIP_PERCENT = (1, 99)  # the grey range of the whole image, as at inference
_LEAST_RANGE = 8.0  # grey levels: an even image is not blown up to noise
_LOOKS = 3  # tries for a crop with something in it
_EMPTY = 0.01


class Crops:
    """Draw batches of crops with flips, quarter turns, letters and other grey values.

    Parameters
    ----------
    scenes : SceneFolder
    crop_px : int
        Side of a crop.
    rng : numpy.random.Generator
    letters : float, optional
        Share of the crops that letters, bars and boxes are burnt into.
    """

    def __init__(
        self, scenes: SceneFolder, crop_px: int, rng: np.random.Generator, *, letters: float = 0.4
    ) -> None:
        self.scenes, self.crop_px, self.rng, self.letters = scenes, crop_px, rng, letters
        coarse = scenes.images[:, ::4, ::4].reshape(len(scenes.images), -1)
        self.ranges = np.percentile(coarse, _CLIP_PERCENT, axis=1).T

    def batch(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw a batch.

        Parameters
        ----------
        count : int

        Returns
        -------
        images : float32 array (count, 1, crop, crop)
        targets : float32 array (count, 4, crop, crop)
            0 to 1.
        """
        numbers = self.rng.integers(0, len(self.scenes.images), count)
        pairs = [self._one(int(number)) for number in numbers]
        images = np.stack([image for image, _ in pairs])[:, None]
        targets = np.stack([target for _, target in pairs]).astype(np.float32)
        return images, targets / np.float32(255)

    def _one(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Cut, turn, write over and re-grade one crop."""
        image, target = self._cut(number)
        quarter = int(self.rng.integers(4))
        image, target = np.rot90(image, quarter), np.rot90(target, quarter, (1, 2))
        if self.rng.random() < 0.5:
            image, target = image[:, ::-1], target[:, :, ::-1]
        image, target = image.copy(), target.copy()
        if self.rng.random() < self.letters:
            target[:3, burn_in(image, self.rng)] = 0
        return self._graded(image, number), target

    def _cut(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Choose where to cut: preferably where there are particles."""
        image, target = self.scenes.images[number], self.scenes.targets[number]
        span, rng = self.crop_px, self.rng
        for _ in range(_LOOKS):
            y, x = (int(rng.integers(0, n - span + 1)) for n in image.shape)
            window = (slice(y, y + span), slice(x, x + span))
            if target[0][window][::8, ::8].mean() > 255 * _EMPTY:
                break
        return image[window], target[(slice(None), *window)]

    def _graded(self, image: NDArray[np.uint8], number: int) -> NDArray[np.float32]:
        """Scale by the range of the whole image, then change gamma, contrast and noise."""
        rng = self.rng
        low, high = self.ranges[number]
        grey = (image.astype(np.float32) - low) / max(high - low, _LEAST_RANGE)
        if rng.random() < 0.5:
            grey = np.clip(grey, 0, 1.5) ** np.exp(rng.uniform(-0.35, 0.35))
        grey = grey * rng.uniform(0.75, 1.3) + rng.uniform(-0.15, 0.15)
        if rng.random() < 0.3:
            grey = grey + rng.uniform(0, 0.06) * rng.standard_normal(grey.shape, np.float32)
        return np.asarray(grey, np.float32)


class MixedCrops:
    """Draw the crops of a batch from several folders of scenes, by their shares.

    Parameters
    ----------
    sources : sequence of Crops
    shares : sequence of float
        How often each is drawn from; scaled to a sum of one.
    """

    def __init__(self, sources: Sequence[Crops], shares: Sequence[float]) -> None:
        self.sources = tuple(sources)
        self.shares = np.asarray(shares, float) / np.sum(shares)

    def seed(self, *numbers: int) -> None:
        """Begin anew, so that the same numbers give the same crops.

        Parameters
        ----------
        *numbers : int
        """
        self.rng = np.random.default_rng(numbers)
        for source in self.sources:
            source.rng = self.rng

    def batch(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw a batch.

        Parameters
        ----------
        count : int

        Returns
        -------
        images, targets : float32 arrays
            As of `Crops.batch`, the crops of one folder after those of another.
        """
        drawn = self.rng.multinomial(count, self.shares)
        parts = [
            source.batch(int(some))
            for source, some in zip(self.sources, drawn, strict=True)
            if some
        ]
        images, targets = zip(*parts, strict=True)
        return np.concatenate(images), np.concatenate(targets)
