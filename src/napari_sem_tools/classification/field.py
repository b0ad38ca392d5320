"""What is looked at: the field of an image, without strip and letters, at one size and histogram.

Size, grey levels and lettering tell instruments apart, not specimens.  So the field is reduced
to one height and its grey values are replaced by their ranks before anything is computed.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.reading.inputs import as_micrograph

__all__ = ["FIELD_PX", "LEAST_PX", "field_box", "ranked", "texture_field"]

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

FIELD_PX: Final = 320  # of the shorter side; smaller fields are never enlarged
LEAST_PX: Final = 24  # below there is no texture to speak of
_FILL_PX: Final = 6.0  # pixels that do not count take the mean of what lies this near
_HALF: Final = 0.5  # of a reduced pixel must be field


def texture_field(image: Any) -> Map:
    """Take out of an image what a description of its texture may look at.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X) or (Y, X, 3)
        Of a Micrograph the field is used: neither data bar nor burnt-in letters.  Of a stack
        the first page is taken.

    Returns
    -------
    float32 array (Y, X)
        Ranks of the grey values between 0 and 1, all equally often; equal values share the
        middle of their ranks.  The shorter side has at most 320 px, by area means; the aspect
        stays.

    Raises
    ------
    InvalidSettings
        The field is smaller than 24 x 24 px.
    UnreadableFile, UnknownFormat, MissingExtra
        As `napari_sem_tools.read`.

    Examples
    --------
    >>> import numpy as np
    >>> texture_field(np.tile(np.arange(640, dtype=np.uint16), (960, 1))).shape
    (480, 320)
    """
    record = as_micrograph(image).plane()
    counts = record.field if record.marks is None else record.field & ~record.marks
    box = field_box(counts)
    grey = np.asarray(record.grey[box], np.float32)
    inside = counts[box]
    if inside.all():
        return ranked(_reduced(grey))
    return _ranked_within(*_reduced_within(grey, inside))


def ranked(grey: NDArray[Any]) -> Map:
    """Replace grey values by their ranks between 0 and 1; equal values share one.

    Parameters
    ----------
    grey : array (Y, X)

    Returns
    -------
    float32 array (Y, X)

    Examples
    --------
    >>> ranked(np.array([[7, 9], [7, 200]])).tolist()
    [[0.25, 0.625], [0.25, 0.875]]
    """
    _, place, count = np.unique(grey, return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - 0.5 * count) / max(grey.size, 1)
    return middle.astype(np.float32)[place].reshape(grey.shape)


def field_box(counts: Mask) -> tuple[slice, slice]:
    """Return the box of the rows and columns of which more than half counts.

    Parameters
    ----------
    counts : bool array (Y, X)

    Returns
    -------
    (slice, slice)

    Raises
    ------
    InvalidSettings
        It is smaller than 24 x 24 px.

    Examples
    --------
    >>> field_box(np.ones((30, 40), bool))
    (slice(0, 30, None), slice(0, 40, None))
    """
    rows = np.flatnonzero(counts.mean(axis=1) > _HALF * counts.any(axis=0).mean())
    columns = np.flatnonzero(counts.any(axis=0))
    if len(rows) < LEAST_PX or len(columns) < LEAST_PX:
        raise InvalidSettings(
            f"A field of {len(rows)} x {len(columns)} px is too small to be classified.",
            hint=f"Give at least {LEAST_PX} x {LEAST_PX} px.",
        )
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _reduced(values: Map) -> Map:
    """Reduce to the standard size by area means; smaller pictures stay as they are."""
    shorter = min(values.shape)
    if shorter <= FIELD_PX:
        return values
    from skimage.transform import resize_local_mean

    size = tuple(max(FIELD_PX, round(side * FIELD_PX / shorter)) for side in values.shape)
    small = resize_local_mean(values, size, preserve_range=True)
    return np.asarray(small, np.float32)


def _reduced_within(grey: Map, inside: Mask) -> tuple[Map, Mask]:
    """Reduce a picture of which some pixels do not count; fill those from nearby."""
    from scipy.ndimage import gaussian_filter

    share = _reduced(inside.astype(np.float32))
    small = _reduced(np.where(inside, grey, np.float32(0)))
    known = share > _HALF
    mean = np.float32(grey[inside].mean(dtype=np.float64))
    own = np.where(known, small / np.maximum(share, 1e-3), np.float32(0))
    weight = gaussian_filter(known.astype(np.float32), _FILL_PX)
    near = np.where(weight > 1e-2, gaussian_filter(own, _FILL_PX) / np.maximum(weight, 1e-2), mean)
    return np.where(known, own, near).astype(np.float32), known


def _ranked_within(grey: Map, known: Mask) -> Map:
    """Rank among the pixels that count; the filled ones take their place between them."""
    values = np.sort(grey[known])
    below = np.searchsorted(values, grey, side="left")
    upto = np.searchsorted(values, grey, side="right")
    return np.asarray((below + upto) / (2.0 * len(values)), np.float32)
