"""A part of an image as an image of its own: what "more like this" is asked of."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Micrograph

__all__ = ["part_of_image"]


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
