"""Cut the foreground into pieces that are no larger than a particle.

Pieces are basins of the distance to the background, lowered where grey values change: so
necks *and* valleys, rims and steps between touching particles become limits of pieces.
Which pieces belong together is decided in `merging`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sem_tools.segmentation.filters import Bool, Map, smoothed
from napari_sem_tools.segmentation.object_scale import distance_inside

__all__ = ["Cues", "Pieces", "cut_into_pieces", "grey_cues"]

_CUE_SIGMA_PX = 1.5
_CUE_DEPTH = 0.3  # a full cue lowers the distance by this share of the usual diameter
_SEED_DISTANCE_PX = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Cues:
    """Where grey values hint at a limit; float32 (Y, X), in units of the contrast.

    Attributes
    ----------
    step : gradient magnitude times sigma
    valley, ridge : positive and negative principal curvature times sigma squared
    """

    step: Map
    valley: Map
    ridge: Map

    @property
    def maps(self) -> tuple[Map, Map, Map]:
        """All three."""
        return self.step, self.valley, self.ridge


@dataclasses.dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of the foreground.

    Attributes
    ----------
    labels : int32 array (Y, X)
        0: background; pieces from 1.
    count : int
    distance : float32 array (Y, X)
        To the background, px.
    """

    labels: NDArray[np.int32]
    count: int
    distance: Map


def grey_cues(values: Map, contrast: float) -> Cues:
    """Compute the cues of an image with bright particles.

    Parameters
    ----------
    values : float32 array (Y, X)
    contrast : float
        Grey difference of particle and background; cues are given in units of it.

    Returns
    -------
    Cues
    """
    soft = smoothed(values * np.float32(1 / max(contrast, 1e-3)), _CUE_SIGMA_PX)
    padded = np.pad(soft, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    up, down = padded[:-2, 1:-1], padded[2:, 1:-1]
    left, right = padded[1:-1, :-2], padded[1:-1, 2:]
    hyy, hxx = up + down - 2 * middle, left + right - 2 * middle
    hxy = (padded[2:, 2:] + padded[:-2, :-2] - padded[2:, :-2] - padded[:-2, 2:]) * 0.25
    mean = 0.5 * (hyy + hxx)
    spread = np.sqrt((0.5 * (hyy - hxx)) ** 2 + hxy**2)
    area = np.float32(_CUE_SIGMA_PX**2)
    return Cues(
        step=np.hypot(down - up, right - left) * np.float32(0.5 * _CUE_SIGMA_PX),
        valley=np.maximum(mean + spread, 0) * area,
        ridge=np.maximum(spread - mean, 0) * area,
    )


def cut_into_pieces(foreground: Bool, cues: Cues, *, diameter: float) -> Pieces:
    """Cut the foreground by a watershed with a seed in every component.

    Parameters
    ----------
    foreground : bool array (Y, X)
    cues : Cues
    diameter : float
        Of a usual particle, px.

    Returns
    -------
    Pieces
    """
    from skimage.segmentation import watershed

    distance = distance_inside(foreground)
    hint = np.minimum(cues.step + cues.valley + cues.ridge, 1)
    height = smoothed(distance - np.float32(_CUE_DEPTH * diameter) * hint, 1.0)
    seeds, count = _seeds(height, foreground)
    labels = watershed(-height, seeds, mask=foreground) if count else seeds
    return Pieces(np.asarray(labels, np.int32), count, distance)


def _seeds(height: Map, foreground: Bool) -> tuple[NDArray[np.int32], int]:
    """Label the local maxima; a maximum is outdone only from inside its own component."""
    masked = np.where(foreground, height, np.float32(-np.inf))
    window = 2 * _SEED_DISTANCE_PX + 1
    top = foreground & (height >= ndimage.maximum_filter(masked, window))
    components, count = ndimage.label(foreground)
    seeded = np.zeros(count + 1, bool)
    seeded[components[top]] = True
    bare = np.flatnonzero(~seeded[1:]) + 1
    if bare.size:  # a higher neighbour across a gap had outdone their only maximum
        highest = np.full(count + 1, -np.inf, np.float32)
        rest = np.isin(components, bare)
        np.maximum.at(highest, components[rest], height[rest])
        top |= rest & (height >= highest[components])
    seeds, found = ndimage.label(top)  # not across corners, where components meet
    return np.asarray(seeds, np.int32), int(found)
