"""One look of a network at an image: resample, predict, decode, describe."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.segmentation.candidates import Look, describe
from napari_sem_tools.segmentation.instances import Decoding, decode
from napari_sem_tools.segmentation.scales import on_grid, resampled
from napari_sem_tools.tasks import Cancel, Progress, stop_if_cancelled

__all__ = ["Looker", "fill_holes", "scaled_grey"]

Image = NDArray[np.float32]
Labels = NDArray[np.int32]

_LEAST_RANGE = 1e-3  # of the largest grey value: an even image is not blown up to noise
_TAIL_PERCENT = 0.02  # a few particles on a wide ground lie beyond the percentiles of a card ...
_MOST_ABOVE, _MOST_BELOW = 2.0, 1.25  # ... and are not to be seen as lamps or holes:
# all but the tails spans this at most, when the few are bright or dark


@dataclasses.dataclass(frozen=True, eq=False)
class Looker:
    """Look at one image at any scale.

    Attributes
    ----------
    network : LoadedModel
        Or whatever has its `predict`.
    grey : float32 array (Y, X)
        Scaled as the network wants it.
    field : bool array (Y, X)
    decoding : Decoding
    fill : bool
        Fill holes of particles.
    flips : bool
        Average over the mirrored images.
    notes : list of str
        What was done because memory was short is added here.
    """

    network: Any
    grey: Image
    field: NDArray[np.bool_]
    decoding: Decoding
    fill: bool = True
    flips: bool = False
    notes: list[str] = dataclasses.field(default_factory=list)

    def __call__(
        self, scale: float, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Look:
        """Predict, decode and describe.

        Parameters
        ----------
        scale : float
            Size of what the network sees over that of the image.
        progress, cancel : callable, optional

        Returns
        -------
        Look
            With labels on the grid of the image.

        Raises
        ------
        Cancelled
        """
        stop_if_cancelled(cancel)
        maps = self.network.predict(
            resampled(self.grey, scale),
            flips=self.flips,
            notes=self.notes,
            progress=progress,
            cancel=cancel,
        )
        field = on_grid(self.field, maps.shape[1:], 1 / scale)
        maps = maps * field
        labels, confidence = decode(maps, self.decoding, cancel=cancel)
        area = np.bincount(labels.ravel(), minlength=len(confidence) + 1)[1:]
        sure = float((area * confidence).sum() / area.sum()) if len(area) else 0.0
        decided = np.abs(2 * maps[0] - 1)[field]
        own = describe(labels, maps, confidence)
        labels = fill_holes(labels) if self.fill else labels
        return Look(
            scale,
            np.asarray(on_grid(labels, self.grey.shape, scale), np.int32),
            own,
            sure * float(decided.mean()) if decided.size else 0.0,
            float((maps[0] > 0.5)[field].mean()) if field.any() else 0.0,
        )


def scaled_grey(grey: NDArray[Any], field: NDArray[np.bool_], spec: Any) -> Image:
    """Scale grey values by the percentiles that a card asks for, inside the field alone.

    Parameters
    ----------
    grey : array (Y, X)
    field : bool array (Y, X)
    spec : InputSpec
        Of the card.

    Returns
    -------
    float32 array (Y, X)
        The clip limits are 0 and 1, or closer where a few particles on a wide ground lie
        far beyond; values beyond them are kept.  What is outside the field has the field's
        median.
    """
    values = np.asarray(grey, np.float32)
    inside = field & np.isfinite(values)
    if not inside.any():
        return np.zeros(values.shape, np.float32)
    seen = values[inside]
    limits = (spec.clip_low_percent, spec.clip_high_percent)
    tails = (_TAIL_PERCENT, 100 - _TAIL_PERCENT)
    low, middle, high, least, most = np.percentile(seen, [limits[0], 50, limits[1], *tails])
    dark = low - least > most - high
    span = max(high - low, (most - least) / (_MOST_BELOW if dark else _MOST_ABOVE))
    low = high - span if dark else low  # of a few dark ones the ground is what becomes 1
    span = max(span, _LEAST_RANGE * max(abs(low), abs(high)), 1e-12)
    return np.asarray((np.where(inside, values, middle) - low) / span, np.float32)


def fill_holes(labels: Labels) -> Labels:
    """Give every hole that lies in a single particle to that particle.

    Parameters
    ----------
    labels : int32 array (Y, X)

    Returns
    -------
    int32 array (Y, X)

    Examples
    --------
    >>> ring = np.pad(np.zeros((1, 1), np.int32), 1, constant_values=3)
    >>> fill_holes(np.pad(ring, 1)).max(axis=0).tolist()
    [0, 3, 3, 3, 0]
    """
    from scipy.ndimage import label

    holes, count = label(np.pad(labels == 0, 1, constant_values=True))
    holes = holes[1:-1, 1:-1]
    enclosed = np.ones(count + 1, bool)
    enclosed[0] = False
    for side in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        enclosed[side] = False
    y, x = np.nonzero(enclosed[holes])  # never at the border of the image
    number = holes[y, x]
    largest, smallest = np.zeros(count + 1, np.int64), np.full(count + 1, np.iinfo(np.int64).max)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = labels[y + down, x + right]
        touch = beside > 0
        np.maximum.at(largest, number[touch], beside[touch])
        np.minimum.at(smallest, number[touch], beside[touch])
    owner = np.where(largest == smallest, largest, 0)
    return np.asarray(np.where(labels > 0, labels, owner[holes]), np.int32)
