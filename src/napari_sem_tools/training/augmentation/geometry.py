"""Rotation, elastic distortion, zoom and mirror images, of image and mask together.

A step draws where every pixel of its result comes from.  A chain of steps is one map, so
that the image is interpolated once, and the mask, by nearest neighbour, from the same places.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COMPAT", "Places", "distort", "rotate", "sample", "symmetry", "turn_crop", "zoom"]

Places = NDArray[np.float64]
"""Rows and columns (2, Y, X) in the image before a step."""

COMPAT = "augmentor"
_Shape = tuple[int, int]
Step = Callable[..., Callable[[Places], Places]]


def rotate(
    shape: _Shape, rng: np.random.Generator, *, degrees: float = 25.0, compat: str = ""
) -> Callable[[Places], Places]:
    """Turn about the centre and enlarge until no corner is empty.

    Parameters
    ----------
    shape : (int, int)
    rng : numpy.random.Generator
    degrees : float
        Largest angle, to either side.
    compat : str
        ``"augmentor"``: whole degrees, and the too small, squeezed rectangle that the library
        cuts out; else the largest inscribed rectangle of the image's own shape.

    Returns
    -------
    callable
        From places in the result to places in the image.

    Notes
    -----
    The library magnifies up to 1.50 x 2.51 at 25 degrees; ours by cos + r sin (1.33 for a
    square; r is the longer side over the shorter one).

    References
    ----------
    .. [1] M. D. Bloice, C. Stocker, A. Holzinger, "Augmentor", arXiv 1708.04680 (2017).
    """
    if compat == COMPAT:
        angle = float(rng.integers(0, round(degrees) + 1)) * float(rng.choice([-1, 1]))
        magnified = tuple(
            n / cut for n, cut in zip(shape, turn_crop(shape, abs(angle)), strict=True)
        )
    else:
        angle = float(rng.uniform(-degrees, degrees))
        ratio = max(shape) / min(shape)
        turned = math.radians(abs(angle))
        magnified = (math.cos(turned) + ratio * math.sin(turned),) * 2
    radians = math.radians(angle)
    cosine, sine = math.cos(radians), math.sin(radians)
    centre = _centre(shape)
    scale = np.array(magnified).reshape(2, 1, 1)

    def back(places: Places) -> Places:
        y, x = (places - centre) / scale
        return np.stack([cosine * y - sine * x, sine * y + cosine * x]) + centre

    return back


def turn_crop(shape: _Shape, degrees: float) -> tuple[int, int]:
    """Return height and width of what Augmentor cuts out of a turned image.

    Parameters
    ----------
    shape : (int, int)
    degrees : float
        0 to below 90.

    Returns
    -------
    (int, int)

    Notes
    -----
    Its formula divides the inset by ``1`` and subtracts tan² where it should divide by
    ``1 - tan²``, so that the rectangle is too small.

    Examples
    --------
    >>> [turn_crop((512, 512), angle) for angle in (5, 25)]
    [(466, 468), (204, 342)]
    """
    angle = math.radians(degrees)
    sine, cosine = math.sin(angle), math.cos(angle)
    height, width = shape
    wide = 2 * math.ceil((width * cosine + height * sine) / 2 - 1e-9)
    tall = 2 * math.ceil((height * cosine + width * sine) / 2 - 1e-9)
    slope = sine / cosine
    inset = slope * (tall - wide * slope) - slope**2
    top = slope * (wide - inset)
    return (round(tall - top) - round(top), round(wide - inset) - round(inset))


def distort(
    shape: _Shape,
    rng: np.random.Generator,
    *,
    grid: int = 8,
    magnitude: float = 2.0,
    compat: str = "",
) -> Callable[[Places], Places]:
    """Move the inner nodes of a grid; what lies between follows.

    Parameters
    ----------
    shape : (int, int)
    rng : numpy.random.Generator
    grid : int
        Cells along each side.
    magnitude : float
        Farthest way of a node in px, in y and in x.
    compat : str
        ``"augmentor"``: whole pixels.

    Returns
    -------
    callable
        From places in the result to places in the image.

    References
    ----------
    .. [1] M. D. Bloice, C. Stocker, A. Holzinger, "Augmentor", arXiv 1708.04680 (2017).
    """
    inner = (2, grid - 1, grid - 1)
    if compat == COMPAT:
        most = round(magnitude)
        moves = rng.integers(-most, most + 1, inner).astype(float)
    else:
        moves = rng.uniform(-magnitude, magnitude, inner)
    nodes = np.pad(moves, ((0, 0), (1, 1), (1, 1)))
    cells = grid / np.maximum(np.array(shape, float) - 1, 1).reshape(2, 1, 1)

    def back(places: Places) -> Places:
        from scipy.ndimage import map_coordinates

        at = places * cells
        moved = [map_coordinates(part, at, order=1, mode="nearest") for part in nodes]
        return np.asarray(places + np.stack(moved), float)

    return back


def zoom(
    shape: _Shape,
    rng: np.random.Generator,
    *,
    least: float = 1.1,
    most: float = 1.6,
    compat: str = "",
) -> Callable[[Places], Places]:
    """Enlarge, or reduce, about the centre.

    Parameters
    ----------
    shape : (int, int)
    rng : numpy.random.Generator
    least, most : float
        Magnification; below 1 the border is mirrored.
    compat : str
        ``"augmentor"``: rounded to 0.01.

    Returns
    -------
    callable
        From places in the result to places in the image.
    """
    factor = float(rng.uniform(least, most))
    factor = round(factor, 2) if compat == COMPAT else factor
    centre = _centre(shape)

    def back(places: Places) -> Places:
        return (places - centre) / factor + centre

    return back


def symmetry(
    shape: _Shape, rng: np.random.Generator, *, compat: str = ""
) -> Callable[[Places], Places]:
    """Take one of the mirror images; of a square also one of its quarter turns.

    Parameters
    ----------
    shape : (int, int)
    rng : numpy.random.Generator
    compat : str
        Nothing changes.

    Returns
    -------
    callable
        From places in the result to places in the image; exact, nothing is interpolated.
    """
    upside_down, mirrored, transposed = rng.random(3) < 0.5
    last = np.array(shape, float).reshape(2, 1, 1) - 1
    swapped = transposed and shape[0] == shape[1]
    flips = np.array([upside_down, mirrored]).reshape(2, 1, 1)

    def back(places: Places) -> Places:
        turned = places[::-1] if swapped else places
        return np.where(flips, last - turned, turned)

    return back


def sample(
    image: NDArray[np.float32], mask: NDArray[Any], places: Places, *, order: int = 1
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Take image and mask from the same places.

    Parameters
    ----------
    image : float32 array (Y, X)
    mask : array (..., Y, X)
    places : float array (2, Y, X)
        Beyond the border both are mirrored.
    order : int
        Of the spline for the image; the mask is that of the nearest pixel.

    Returns
    -------
    image : float32 array (Y, X)
    mask : array (..., Y, X)
        In its own type.
    """
    from scipy.ndimage import map_coordinates

    shape = np.array(image.shape).reshape(2, 1, 1)
    nearest = np.floor(places + 0.5).astype(np.intp) % (2 * shape)
    nearest = np.where(nearest < shape, nearest, 2 * shape - 1 - nearest)
    if np.array_equal(places, np.round(places)):  # mirror images and quarter turns are exact
        return image[nearest[0], nearest[1]], mask[..., nearest[0], nearest[1]]
    exactly: Any = {"order": order, "mode": "reflect", "output": np.float32}
    taken = np.asarray(map_coordinates(image, places, **exactly), np.float32)
    return taken, mask[..., nearest[0], nearest[1]]


def _centre(shape: _Shape) -> NDArray[np.float64]:
    """Return the centre of an image, in px."""
    return (np.array(shape, float).reshape(2, 1, 1) - 1) / 2
