"""Miles-Lantuejoul weights: large particles are cut more often, so whole ones count more.

Cut particles cannot be sized.  Leaving them out favours the small ones; weighing each
whole particle by one over the number of places where it would be whole takes that back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.sample import Floats, Ints

__all__ = ["counting_frame", "edge_weights", "weights_of_boxes", "whole_positions"]

Bands = tuple[Ints, Ints]  # heights and widths of rectangles


def counting_frame(shape: tuple[int, int], margin_px: int = 1) -> NDArray[np.bool_]:
    """Return where whole particles may lie in a rectangular field.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the field, without the data bar.
    margin_px : int
        Strip along the border that a whole particle leaves free.

    Returns
    -------
    bool array (Y, X)

    Examples
    --------
    >>> int(counting_frame((5, 6)).sum())
    12
    """
    frame = np.zeros(shape, bool)
    frame[margin_px : shape[0] - margin_px, margin_px : shape[1] - margin_px] = True
    return frame


def edge_weights(
    free: NDArray[np.bool_], heights: NDArray[np.integer], widths: NDArray[np.integer]
) -> Floats:
    """Return the weights of whole particles: free pixels over places where each is whole.

    The weight of a particle of one pixel is 1, and grows with its box.  Particles of
    images with different fields can be pooled: each stands for the part of its own field.

    Parameters
    ----------
    free : bool array (Y, X)
        Where whole particles may lie, the margin taken off: `counting_frame` for a
        rectangular field.
    heights, widths : integer arrays (n,)
        Rows and columns that each particle occupies.

    Returns
    -------
    float64 array (n,)
        Infinite for a box that fits nowhere.

    Notes
    -----
    The sum of the weights over the number of free pixels estimates the number of
    particles per pixel.  What is larger than the field is unseen, and no weight brings it
    back.

    References
    ----------
    R. E. Miles, in "Stochastic Geometry", 1974.  C. Lantuejoul, "Computation of the
    histograms of the number of edges and neighbours of cells in a tessellation", 1978.
    ISO 13322-1:2014 writes it with Feret diameters; on a grid, box sides make it exact.

    Examples
    --------
    >>> edge_weights(counting_frame((12, 12)), np.array([1, 6]), np.array([1, 6]))
    array([1., 4.])
    """
    positions = whole_positions(free, heights, widths)
    with np.errstate(divide="ignore"):
        return np.count_nonzero(free) / positions.astype(np.float64)


def weights_of_boxes(
    free: NDArray[np.bool_], top: Ints, left: Ints, bottom: Ints, right: Ints
) -> Floats:
    """Return `edge_weights` of boxes where they lie; 0 for a box that is not wholly free.

    In a field that is no rectangle a particle can be whole while its box is not.  Its
    places cannot be counted, and it is left out.

    Parameters
    ----------
    free : bool array (Y, X)
    top, left, bottom, right : int64 arrays (n,)
        First and stop of rows and columns.

    Returns
    -------
    float64 array (n,)
    """
    weights = np.zeros(len(top))
    bands = _bands(free)
    fits = _inside(free, bands, top, left, bottom, right)
    places = _places(free, bands, (bottom - top)[fits], (right - left)[fits])
    weights[fits] = np.count_nonzero(free) / places
    return weights


def whole_positions(
    free: NDArray[np.bool_], heights: NDArray[np.integer], widths: NDArray[np.integer]
) -> Ints:
    """Count the places at which boxes lie wholly in a field of any outline.

    Parameters
    ----------
    free : bool array (Y, X)
    heights, widths : integer arrays (n,)
        From 1 on.

    Returns
    -------
    int64 array (n,)

    Raises
    ------
    InvalidSettings
        The field is not a plane, or a box has no rows or columns.

    Examples
    --------
    >>> field = np.ones((4, 5), bool)
    >>> field[0, 0] = False
    >>> whole_positions(field, np.array([1, 2, 4]), np.array([1, 2, 5]))
    array([19, 11,  0])
    """
    if free.ndim != 2:
        raise InvalidSettings(f"A field has rows and columns, not {free.ndim} axes.")
    h, w = np.asarray(heights, np.int64), np.asarray(widths, np.int64)
    if h.shape != w.shape or (len(h) and min(h.min(), w.min()) < 1):
        raise InvalidSettings(
            "Every box needs a height and a width of at least 1 px.",
            hint="Pass the columns box_height_px and box_width_px.",
        )
    return _places(free, _bands(free), h, w)


def _places(free: NDArray[np.bool_], bands: Bands | None, heights: Ints, widths: Ints) -> Ints:
    """Count places, in closed form where the field is of rectangles above each other."""
    if bands is None:
        return _in_any_field(free, heights, widths)
    rows, columns = bands
    down = np.maximum(rows - heights[:, None] + 1, 0)
    return np.asarray((down * np.maximum(columns - widths[:, None] + 1, 0)).sum(axis=1))


def _inside(
    free: NDArray[np.bool_], bands: Bands | None, top: Ints, left: Ints, bottom: Ints, right: Ints
) -> NDArray[np.bool_]:
    """Tell which boxes are wholly free; a table of sums is made for odd fields alone."""
    if bands is not None and len(bands[0]) == 1:
        n_rows, n_columns = (int(side[0]) for side in bands)
        row, column = (int(axis[0]) for axis in np.unravel_index([free.argmax()], free.shape))
        down = (top >= row) & (bottom <= row + n_rows)
        return np.asarray(down & (left >= column) & (right <= column + n_columns))
    sums = np.zeros((free.shape[0] + 1, free.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(free, axis=0, dtype=np.int32), axis=1, out=sums[1:, 1:])
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return np.asarray(inside == (bottom - top) * (right - left))


def _bands(free: NDArray[np.bool_]) -> Bands | None:
    """Return heights and widths of rectangles one above the other; None: not of this form."""
    rows = _eight_at_once(free)
    starts, stops = _runs(np.asarray(rows.max(axis=1, initial=0) > 0))
    widths = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        left, right = _runs(free[start : start + 1].ravel())
        if len(left) != 1 or not (rows[start:stop] == rows[start]).all():
            return None
        widths.append(int(right[0] - left[0]))
    return (stops - starts).astype(np.int64), np.array(widths, np.int64)


def _eight_at_once(free: NDArray[np.bool_]) -> NDArray[np.unsignedinteger]:
    """Look at eight pixels as one number, where rows are so long; comparing is then quick."""
    wide = free.flags.c_contiguous and free.shape[1] % 8 == 0 and free.shape[1] > 0
    return free.view(np.uint64 if wide else np.uint8)


def _runs(line: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return first and stop of the runs of True."""
    steps = np.diff(line.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _in_any_field(free: NDArray[np.bool_], heights: Ints, widths: Ints) -> Ints:
    """Count places by the runs that are left where a box of each height may begin."""
    n_rows, n_columns = free.shape
    row = np.arange(n_rows)[:, None]
    blocked = np.where(free, n_rows, row)
    depth = np.minimum.accumulate(blocked[::-1], axis=0)[::-1] - row
    padded = np.zeros((n_rows, n_columns + 1), bool)  # a column that ends the runs of a row
    counts = np.zeros(len(heights), np.int64)
    for height in np.unique(heights):
        padded[:, :-1] = depth >= height
        starts, stops = _runs(padded.ravel())
        lengths = np.bincount(stops - starts, minlength=n_columns + 2)
        longer = np.cumsum(lengths[::-1])[::-1]  # runs at least this long ...
        places = np.append(np.cumsum(longer[::-1])[::-1], 0)  # ... and places in them
        here = heights == height
        counts[here] = places[np.minimum(widths[here], n_columns + 2)]
    return counts
