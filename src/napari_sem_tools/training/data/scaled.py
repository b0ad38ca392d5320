"""Images and masks in memory, at the size and with the grey values that the network sees."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.models.card import InputSpec
from napari_sem_tools.segmentation.looking import scaled_grey
from napari_sem_tools.training.data.folder import Pair
from napari_sem_tools.training.data.tables import ClassRow

__all__ = ["Scene", "diameters", "nearest", "prepare"]

_SAME = 1.4  # sizes this near are not worth a resampling: the recipes cover them
_MOST_ENLARGED = 4.0
_MOST_REDUCED = 32.0
_LEAST_AREA_PX = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """An image as the network sees it, and its truth.

    Attributes
    ----------
    name : str
    grey : float32 array (Y, X)
        0 and 1 at the clip limits.
    mask : int32 array (Y, X)
        Labels, or the number of the class (1 is the first).
    ignore : bool array (Y, X)
    truth : int32 array
        The mask on the grid of the file.
    ignored : bool array
        On the grid of the file.
    ratio : float
        Size of the scene over that of the file.
    """

    name: str
    grey: NDArray[np.float32]
    mask: NDArray[np.int32]
    ignore: NDArray[np.bool_]
    truth: NDArray[np.int32]
    ignored: NDArray[np.bool_]
    ratio: float


def prepare(
    name: str,
    pair: Pair,
    spec: InputSpec,
    *,
    targets: str,
    classes: tuple[ClassRow, ...] = (),
    binary: bool = False,
    object_size_px: float = 0.0,
) -> Scene:
    """Scale grey values and size of an image, and number its mask.

    Parameters
    ----------
    name : str
    pair : Pair
    spec : InputSpec
        Says at which percentiles grey values are clipped.
    targets : str
        ``instances``, ``foreground`` or ``classes``.
    classes : tuple of ClassRow
        For ``classes``.
    binary : bool
        Pieces of an instance mask are to be told apart.
    object_size_px : float
        Median diameter that particles shall have; 0: the size stays.

    Returns
    -------
    Scene
    """
    truth = _numbered(pair.mask, targets, classes, binary=binary)
    grey = scaled_grey(np.asarray(pair.image.grey), pair.image.field, spec)
    ratio = _ratio(np.where(pair.ignore, 0, truth), object_size_px) if targets != "classes" else 1.0
    if ratio == 1.0:
        return Scene(name, grey, truth, pair.ignore, truth, pair.ignore, 1.0)
    from skimage.transform import resize

    shape = tuple(max(1, round(n * ratio)) for n in grey.shape)
    smaller = resize(grey, shape, order=1, mode="edge", anti_aliasing=ratio < 1)
    mask, ignore = nearest(truth, shape), nearest(pair.ignore, shape)
    return Scene(name, np.asarray(smaller, np.float32), mask, ignore, truth, pair.ignore, ratio)


def diameters(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the equivalent circle diameters of particles, in px, without crumbs.

    Parameters
    ----------
    labels : int array (Y, X)

    Returns
    -------
    float array (n,)

    Examples
    --------
    >>> diameters(np.ones((4, 4), int)).round(2).tolist()
    [4.51]
    """
    area = np.unique(labels[labels > 0], return_counts=True)[1]
    return np.asarray(np.sqrt(4 / np.pi * area[area >= _LEAST_AREA_PX]), float)


def nearest(mask: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Bring a mask to another grid of the same field, by nearest neighbour."""
    if mask.shape == tuple(shape):
        return mask
    rows, columns = (
        np.minimum(((np.arange(m) + 0.5) * n / m).astype(int), n - 1)
        for n, m in zip(mask.shape, shape, strict=True)
    )
    return np.asarray(mask[np.ix_(rows, columns)])


def _numbered(
    mask: NDArray[np.int64], targets: str, classes: tuple[ClassRow, ...], *, binary: bool
) -> NDArray[np.int32]:
    """Give particles or classes the numbers from 1 on."""
    if targets == "foreground":
        return np.asarray(mask > 0, np.int32)
    if targets == "classes":
        numbered = np.zeros(mask.shape, np.int32)
        for number, row in enumerate(classes, start=1):
            numbered[mask == row.value] = number
        return numbered
    if binary:  # by edges, not by corners: masks are drawn with one pixel between particles
        from scipy.ndimage import label

        return np.asarray(label(mask > 0)[0], np.int32)
    unique = np.unique(mask, return_inverse=True)[1].reshape(mask.shape)
    return np.asarray(unique + int(mask.min() > 0), np.int32)


def _ratio(labels: NDArray[np.int32], wanted_px: float) -> float:
    """Return by how much an image is to be resampled; 1 when it is near enough."""
    sizes = diameters(labels)
    if not wanted_px or not sizes.size:
        return 1.0
    ratio = wanted_px / float(np.median(sizes))
    if 1 / _SAME <= ratio <= _SAME:
        return 1.0
    return float(np.clip(ratio, 1 / _MOST_REDUCED, _MOST_ENLARGED))
