"""Frames of images that somebody scored: pieces of them, mirrored, with empty ones between."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.network import standardised, with_conditions
from napari_sem_tools.training.focus.exposures import empty_frame
from napari_sem_tools.training.focus.plan import JudgedPicture
from napari_sem_tools.training.focus.truths import scored_truth

__all__ = ["ScoredSource", "centre", "scaled"]

Frame = NDArray[np.float32]
_WHITE = 255.0


class ScoredSource:
    """Draws batches of frames with the score that their image was given.

    Parameters
    ----------
    pictures : sequence of JudgedPicture
    conditions : callable
        From a picture to the numbers that come with it.
    shape : (int, int)
        Of a frame.
    batch : int
    unit : bool
        Grey values from 0 to 1, and the score alone as truth: the network of the paper.
    flips : bool
    empty : float
        Share of frames that show nothing.
    seed : int
    """

    def __init__(
        self,
        pictures: Sequence[JudgedPicture],
        conditions: Callable[[JudgedPicture], Frame],
        *,
        shape: tuple[int, int],
        batch: int,
        unit: bool = False,
        flips: bool = True,
        empty: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.pictures, self.conditions, self.shape = list(pictures), conditions, shape
        self.size, self.unit, self.flips, self.empty = batch, unit, flips, empty
        self.seed = seed

    @property
    def steps(self) -> int:
        """Steps until every image has been seen once."""
        return max(1, -(-len(self.pictures) // self.size))

    def batch(self, epoch: int, step: int) -> tuple[Frame, Frame]:
        """Draw a batch.

        Parameters
        ----------
        epoch, step : int
            Every image is seen once an epoch.

        Returns
        -------
        images : float32 array (N, 1 + conditions, Y, X)
        targets : float32 array
            (N, 1), or (N, planes, Y/16, X/16) as `truths.PLANES` names them.
        """
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.pictures))
        rng = np.random.default_rng((self.seed, epoch, step + 1))
        drawn = [
            self.pictures[order[(step * self.size + k) % len(order)]] for k in range(self.size)
        ]
        frames = [self._frame(picture, rng) for picture in drawn]
        return np.stack([frame for frame, _ in frames]), np.stack([truth for _, truth in frames])

    def _frame(self, picture: JudgedPicture, rng: np.random.Generator) -> tuple[Frame, Frame]:
        """Cut a frame somewhere, or draw one that shows nothing."""
        conditions, score = self.conditions(picture), picture.score or 0.0
        grey, depth = picture.grey, picture.depth
        if rng.random() < self.empty:
            grey, depth, score = empty_frame(self.shape, rng).astype(np.float32), _WHITE, 0.0
            informs = False
        else:
            informs = bool(grey.std() > 0)
        grey = _padded(grey, self.shape)
        first = [int(rng.integers(n - k + 1)) for n, k in zip(grey.shape, self.shape, strict=True)]
        grey = grey[first[0] : first[0] + self.shape[0], first[1] : first[1] + self.shape[1]]
        if self.flips:
            grey = grey[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
        frame = with_conditions(scaled(grey, depth, unit=self.unit), conditions)
        if self.unit:
            return frame, np.array([score], np.float32)
        return frame, scored_truth(score, self.shape, informs=informs)


def scaled(grey: Frame, depth: float, *, unit: bool) -> Frame:
    """Scale grey values as a network wants them.

    Parameters
    ----------
    grey : float32 array (Y, X)
    depth : float
        What becomes 1.
    unit : bool
        0 to 1, else zero mean and unit standard deviation.

    Returns
    -------
    float32 array (Y, X)
    """
    return np.asarray(grey / np.float32(depth)) if unit else standardised(grey)


def centre(grey: Frame, shape: tuple[int, int]) -> Frame:
    """Cut the middle of an image, mirrored where it is too small.

    Parameters
    ----------
    grey : float32 array (Y, X)
    shape : (int, int)

    Returns
    -------
    float32 array

    Examples
    --------
    >>> centre(np.eye(5, dtype=np.float32), (1, 1)).tolist()
    [[1.0]]
    """
    grey = _padded(grey, shape)
    first = [(n - k) // 2 for n, k in zip(grey.shape, shape, strict=True)]
    return grey[first[0] : first[0] + shape[0], first[1] : first[1] + shape[1]]


def _padded(grey: Frame, shape: tuple[int, int]) -> Frame:
    """Mirror an image that is smaller than a frame."""
    more = [(0, max(k - n, 0)) for n, k in zip(grey.shape, shape, strict=True)]
    return np.pad(grey, more, mode="symmetric") if any(m for _, m in more) else grey
