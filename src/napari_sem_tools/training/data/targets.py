"""What a separating network learns to say of every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLANES", "class_targets", "separation_targets"]

PLANES = ("foreground", "border", "distance", "weight")
"""Meaning of the planes, in order."""


def separation_targets(
    labels: NDArray[Any], ignore: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Encode a label image as foreground, border, distance and weight.

    Parameters
    ----------
    labels : integer array (Y, X)
        0 is ground.
    ignore : bool array (Y, X), optional
        Pixels that count for nothing.

    Returns
    -------
    uint8 array (4, Y, X)
        *foreground*: 255 in particles; *border*: 255 on both sides of every outline;
        *distance*: to the particle's own outline, divided by its largest value in that
        particle, so that every particle of any size has 255 in its middle; *weight*: 0
        where ignored, else 255.

    Notes
    -----
    The outline between two touching particles is an outline of both.  The representation
    is the one recommended by comparing what several lose on real agglomerates (see the
    validation page).

    Examples
    --------
    >>> import numpy as np
    >>> pair = np.repeat([[1, 1, 1, 2, 2, 2]], 5, axis=0)
    >>> separation_targets(pair)[1, 2].tolist()
    [0, 0, 255, 255, 0, 0]
    """
    from scipy.ndimage import distance_transform_edt

    numbers = np.asarray(labels).astype(np.int64)
    foreground = numbers > 0
    border = _outlines(numbers)
    inner = foreground & ~border
    depth = distance_transform_edt(inner) if not inner.all() else np.ones(inner.shape)
    depth = depth + 0.5 * foreground  # the outline's own pixels lie half a pixel inside
    deepest = np.zeros(int(numbers.max(initial=0)) + 1)
    np.maximum.at(deepest, numbers.ravel(), depth.ravel())
    relative = np.where(foreground, depth / np.maximum(deepest, 1e-6)[numbers], 0)
    weight = np.ones(numbers.shape) if ignore is None else ~ignore
    planes = np.stack([foreground, border, relative, weight])
    return np.asarray(np.rint(255 * planes), np.uint8)


def class_targets(
    classes: NDArray[Any], ignore: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Join the class of every pixel with its weight.

    Parameters
    ----------
    classes : integer array (Y, X)
        0 is background, 1 the first class.
    ignore : bool array (Y, X), optional
        Pixels that count for nothing.

    Returns
    -------
    uint8 array (2, Y, X)
        *class*, and *weight*: 0 where ignored, else 1.

    Examples
    --------
    >>> import numpy as np
    >>> class_targets(np.array([[0, 2]]), np.array([[True, False]])).tolist()
    [[[0, 2]], [[0, 1]]]
    """
    numbers = np.asarray(classes)
    weight = np.ones(numbers.shape, bool) if ignore is None else ~ignore
    return np.stack([numbers.astype(np.uint8), weight.astype(np.uint8)])


def _outlines(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark pixels that have a neighbour with another label."""
    found = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        change = np.diff(labels, axis=axis) != 0
        before = [slice(None), slice(None)]
        after = [slice(None), slice(None)]
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        found[tuple(before)] |= change
        found[tuple(after)] |= change
    return found
