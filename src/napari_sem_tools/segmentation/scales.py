"""One image at several scales, and label images brought back to its own grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["on_grid", "resampled"]

Image = NDArray[np.float32]


def resampled(grey: Image, scale: float) -> Image:
    """Scale an image, averaging over what becomes one pixel.

    Parameters
    ----------
    grey : float32 array (Y, X)
    scale : float
        Size of the result over that of the image.

    Returns
    -------
    float32 array

    Examples
    --------
    >>> resampled(np.arange(8, dtype=np.float32).reshape(2, 4), 0.5).tolist()
    [[2.5, 4.5]]
    """
    from skimage.transform import rescale

    if scale == 1:
        return grey
    step = round(1 / scale)
    if step > 1 and scale * step == 1:
        rows, columns = (-(-n // step) * step for n in grey.shape)
        edges = [(0, rows - grey.shape[0]), (0, columns - grey.shape[1])]
        whole = np.pad(grey, edges, mode="edge")
        blocks = whole.reshape(rows // step, step, columns // step, step)
        return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
    scaled = rescale(grey, scale, order=1, mode="edge", anti_aliasing=scale < 1)
    return np.asarray(scaled, np.float32)


def on_grid(image: NDArray[Any], shape: tuple[int, ...], ratio: float) -> NDArray[Any]:
    """Bring an image to another grid of the same field by the nearest pixel.

    Parameters
    ----------
    image : array (Y, X)
    shape : (int, int)
        Of the result.
    ratio : float
        Pixels of the image per pixel of the result.

    Returns
    -------
    array

    Examples
    --------
    >>> on_grid(np.array([[1, 2]]), (2, 4), 0.5).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    if image.shape == tuple(shape) and ratio == 1:
        return image
    indices = [
        np.minimum(((np.arange(m) + 0.5) * ratio).astype(int), n - 1)
        for n, m in zip(image.shape, shape, strict=True)
    ]
    return np.asarray(image[np.ix_(*indices)])
