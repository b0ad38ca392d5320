"""How frames of one field lie on each other: a change of focus shifts, turns and rescales them.

The frames are cut into tiles, the shift of each tile is found by correlation, and one shift,
rotation and scale is put through all of them.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

__all__ = ["Similarity", "align", "register"]

_LOW_PX, _HIGH_PX = 1.5, 12.0  # detail that is compared: noise is finer, illumination coarser
_TILE_PX: Final = 128
_LEAST_TILES: Final = 6  # of which rotation and scale are found
_OUTLIER: Final = 3.0  # robust standard deviations
_LEAST_SCATTER_PX: Final = 0.05
_LARGEST_TURN: Final = 0.05  # of rotation (rad) and of scale; beyond, tiles were mistaken
_UPSAMPLING: Final = 20

Plane = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Similarity:
    """Where a point of the reference lies in another frame.

    A point at (y, x) from the centre of the reference lies at ``scale R (y, x) + shift`` from
    the centre of the frame, R a rotation.

    Attributes
    ----------
    shift : (float, float)
        Down and to the right, in px.
    rotation : float
        In rad, from y towards x.
    scale : float
        Above 1: the frame shows the field larger.
    scatter_px : float
        Median distance of the tiles' shifts from it; NaN with a single tile.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: float = 1.0
    scatter_px: float = float("nan")

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Rotation and scale as a matrix (2, 2) of (y, x)."""
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        return np.asarray(self.scale * np.array([[c, -s], [s, c]]))


def register(reference: NDArray[Any], moving: NDArray[Any]) -> Similarity:
    """Find how a frame lies on a reference of the same size.

    Parameters
    ----------
    reference, moving : array (Y, X)
        Grey values; they may differ in blur, gain and noise.

    Returns
    -------
    Similarity

    Raises
    ------
    InvalidSettings
        The frames have different sizes.

    References
    ----------
    Subpixel correlation: Guizar-Sicairos, Thurman, Fienup, Opt. Lett. 33 (2008) 156.
    Similarity through points: Umeyama, IEEE Trans. Pattern Anal. 13 (1991) 376.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> scene = gaussian_filter(np.random.default_rng(0).normal(size=(160, 160)), 2)
    >>> found = register(scene[16:-16, 16:-16], scene[12:-20, 19:-13])
    >>> np.round(found.shift).astype(int).tolist()
    [4, -3]
    """
    if reference.shape != moving.shape:
        raise InvalidSettings(
            f"Frames of {reference.shape} and {moving.shape} cannot be laid on each other.",
            hint="Take both with the same number of pixels.",
        )
    first, second = _band(reference), _band(moving)
    whole = _shift(first, second)
    centres, shifts = _tile_shifts(first, second, whole)
    if len(centres) < _LEAST_TILES:
        return Similarity((float(whole[0]), float(whole[1])))
    return _through(centres, shifts)


def align(
    moving: NDArray[Any], similarity: Similarity, *, order: Literal[1, 2, 3] = 3
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Lay a frame on the reference.

    Parameters
    ----------
    moving : array (Y, X)
    similarity : Similarity
        As from `register`.
    order : int
        Of the splines; 1 adds no overshoot but blurs.

    Returns
    -------
    float32 array (Y, X)
        The frame on the grid of the reference, mirrored where it has no pixels.
    bool array (Y, X)
        Where it has.
    """
    from scipy.ndimage import affine_transform

    centre = (np.array(moving.shape) - 1) / 2
    offset = centre + np.array(similarity.shift) - similarity.matrix @ centre
    laid = affine_transform(
        np.asarray(moving, np.float32), similarity.matrix, offset, order=order, mode="mirror"
    )
    rows, columns = np.mgrid[: moving.shape[0], : moving.shape[1]]
    places = np.tensordot(similarity.matrix, np.stack([rows, columns]), axes=1)
    places += offset[:, None, None]
    limits = np.array(moving.shape)[:, None, None] - 1
    return np.asarray(laid, np.float32), np.all((places >= 0) & (places <= limits), axis=0)


def _band(frame: NDArray[Any]) -> Plane:
    """Keep the detail that survives a change of focus, without the ends."""
    from scipy.ndimage import gaussian_filter

    plain = np.asarray(frame, np.float32)
    return np.asarray(gaussian_filter(plain, _LOW_PX) - gaussian_filter(plain, _HIGH_PX))


def _shift(first: Plane, second: Plane) -> NDArray[np.float64]:
    """Return how far `second` lies from `first` (y, x)."""
    from skimage.registration import phase_cross_correlation

    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in first.shape)).astype(np.float32)
    found = phase_cross_correlation(
        first * window, second * window, upsample_factor=_UPSAMPLING, normalization=None
    )
    return -np.asarray(found[0], float)


def _tile_shifts(
    first: Plane, second: Plane, whole: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres of tiles, from the centre of the frame, and their shifts; arrays (n, 2)."""
    step = np.rint(whole).astype(int)
    counts = [max(1, n // _TILE_PX) for n in first.shape]
    side = [n // count for n, count in zip(first.shape, counts, strict=True)]
    centres, shifts = [], []
    for row in range(counts[0]):
        for column in range(counts[1]):
            corner = np.array([row * side[0], column * side[1]])
            other = corner + step
            if np.any(other < 0) or np.any(other + side > first.shape):
                continue
            here = first[corner[0] : corner[0] + side[0], corner[1] : corner[1] + side[1]]
            there = second[other[0] : other[0] + side[0], other[1] : other[1] + side[1]]
            centres.append(corner + (np.array(side) - 1) / 2 - (np.array(first.shape) - 1) / 2)
            shifts.append(step + _shift(here, there))
    return np.array(centres).reshape(-1, 2), np.array(shifts).reshape(-1, 2)


def _through(centres: NDArray[np.float64], shifts: NDArray[np.float64]) -> Similarity:
    """Put a similarity through the shifts of tiles, without those that lie far off."""
    keep = np.ones(len(centres), bool)
    found, distance = Similarity(), np.zeros(len(centres))
    for _ in range(3):
        y, x = centres[keep].T
        zero, one = np.zeros_like(y), np.ones_like(y)
        rows_y, rows_x = np.stack([y, -x, one, zero], 1), np.stack([x, y, zero, one], 1)
        target = (centres + shifts)[keep]
        a, b, down, right = np.linalg.lstsq(
            np.concatenate([rows_y, rows_x]), np.concatenate([target[:, 0], target[:, 1]])
        )[0]
        if np.hypot(a - 1, b) > _LARGEST_TURN:
            median = np.median(shifts, axis=0)
            return Similarity((float(median[0]), float(median[1])))
        found = Similarity(
            (float(down), float(right)), float(np.arctan2(b, a)), float(np.hypot(a, b))
        )
        expected = centres @ found.matrix.T + np.array(found.shift)
        distance = np.hypot(*(centres + shifts - expected).T)
        limit = _OUTLIER * max(1.4826 * float(np.median(distance)), _LEAST_SCATTER_PX)
        keep = distance <= limit
    return dataclasses.replace(found, scatter_px=float(np.median(distance)))
