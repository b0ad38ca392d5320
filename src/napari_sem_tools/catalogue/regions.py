"""A part of an image as an image of its own: what "more like this" is asked of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Micrograph

__all__ = ["box_round", "part_of_image"]

Box = tuple[tuple[int, int], tuple[int, int]]


def box_round(mask: NDArray[np.bool_], *, least_px: int = 64, around: float = 0.25) -> Box:
    """Return the box round a particle with some of what is beside it.

    Parameters
    ----------
    mask : bool array (Y, X)
        Where the particle is.
    least_px : int
        Least side of the box: a few pixels have no texture.
    around : float
        How much is added on each side, as a share of the longer side of the particle.

    Returns
    -------
    ((int, int), (int, int))
        Rows and columns, half open, within the image.

    Raises
    ------
    InvalidSettings
        The mask holds no pixel.

    Examples
    --------
    >>> mask = np.zeros((200, 300), bool)
    >>> mask[100:180, 10:50] = True
    >>> box_round(mask)
    ((80, 200), (0, 70))
    """
    edges = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if not len(edges[0]):
        raise InvalidSettings("The region holds no pixel.", hint="Mark what is looked for.")
    first = np.array([one[0] for one in edges], float)
    stop = np.array([one[-1] + 1 for one in edges], float)
    more = around * (stop - first).max()
    wide = np.maximum(stop - first + 2 * more, least_px)
    middle = (first + stop) / 2
    low = np.clip(np.floor(middle - wide / 2), 0, None).astype(int)
    high = np.clip(np.ceil(middle + wide / 2), None, mask.shape).astype(int)
    return (int(low[0]), int(high[0])), (int(low[1]), int(high[1]))


def part_of_image(image: Micrograph, region: Any) -> Micrograph:
    """Cut a box out of an image.

    Parameters
    ----------
    image : Micrograph
        ``(Y, X)`` or ``(Y, X, 3)``.
    region : ((int, int), (int, int)) or bool array (Y, X)
        Rows and columns, half open, or what is True, of which the box round it is taken; what
        leaves the image is cut off.

    Returns
    -------
    Micrograph
        With the field of the box, without a data bar of its own.

    Raises
    ------
    InvalidSettings
        The region is none of the two, or holds nothing of the image.

    Examples
    --------
    >>> image = Micrograph(np.arange(48).reshape(6, 8))
    >>> part_of_image(image, ((1, 3), (2, 99))).pixels.tolist()
    [[10, 11, 12, 13, 14, 15], [18, 19, 20, 21, 22, 23]]
    """
    found = np.asarray(region)
    if found.dtype == bool and found.shape == image.shape:
        rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
        if not len(rows):
            raise InvalidSettings("The region holds no pixel.", hint="Mark what is looked for.")
        box = np.array([[rows[0], rows[-1] + 1], [columns[0], columns[-1] + 1]])
    elif found.shape == (2, 2) and found.dtype.kind in "iuf":
        box = np.rint(found).astype(int)
    else:
        raise InvalidSettings(
            "The region is neither a box nor a mask of the image's size.",
            hint="Give ((first row, stop), (first column, stop)) in px, or True and False.",
        )
    box = np.clip(box, 0, np.array(image.shape)[:, None])
    if (box[:, 1] <= box[:, 0]).any():
        raise InvalidSettings("The region holds no pixel of the image.", hint="Check its corners.")
    window = tuple(slice(int(first), int(stop)) for first, stop in box)
    return Micrograph(
        np.asarray(image.pixels[window]),
        calibration=image.calibration,
        field=image.field[window],
        metadata=image.metadata,
        source=image.source,
        page=image.page,
        axes=image.axes,
        marks=None if image.marks is None else image.marks[window],
    )
