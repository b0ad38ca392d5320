"""A number with its interval."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Estimate", "image_weights", "ratio"]

Values = NDArray[np.float64]

_INTERVAL = (2.5, 97.5)  # percent


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A score with its 95 % bootstrap interval over images (NaN without draws)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write value and interval."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @classmethod
    def of(cls, series: Values) -> Estimate:
        """Split (value, draws) into value and percentile interval."""
        draws = series[1:][np.isfinite(series[1:])]
        low, high = np.percentile(draws, _INTERVAL) if draws.size else (np.nan, np.nan)
        return cls(float(series[0]), float(low), float(high))


def image_weights(images: int, n_boot: int, seed: int) -> Values:
    """Draw how often each image counts: once in the first row, then at random.

    Parameters
    ----------
    images, n_boot : int
        Number of images, and of draws of as many images with replacement.
    seed : int

    Returns
    -------
    float array (1 + n_boot, images)
    """
    draws = np.random.default_rng(seed).multinomial(
        images, np.full(images, 1 / images), size=n_boot
    )
    return np.vstack([np.ones(images), draws])


def ratio(part: ArrayLike, whole: ArrayLike, *, empty: float = 1.0) -> Values:
    """Divide; 0 / 0 is `empty`."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    out: Values = np.divide(part, whole, out=np.full(whole.shape, empty), where=whole != 0)
    return out
