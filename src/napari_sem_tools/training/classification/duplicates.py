"""Near-duplicates: images that show the same field, shifted or recorded again.

Candidates are those that are most alike as small pictures (a perceptual hash that was not
rounded) or by their texture vector; what decides is the correlation of the part that both
show, at the best shift.  Texture alone would join all fields of one material.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.tasks import Cancel, stop_if_cancelled

__all__ = ["THUMB", "Duplicates", "find_duplicates", "joined_groups", "thumb_of"]

Thumb = NDArray[np.float32]
Numbers = NDArray[np.intp]

THUMB: Final = (48, 64)
"""Rows and columns of the small pictures that are compared."""

_SMOOTH: Final = 6.0  # px of a small picture: shading beyond is taken away
_LEAST_SPREAD: Final = 1.0  # grey values of 255: below, there is nothing to compare
_OVERLAP: Final = 0.5  # of the field must be shared
_NEIGHBOURS: Final = 10
_ROWS_AT_ONCE: Final = 1024
_PAIRS_AT_ONCE: Final = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Duplicates:
    """Pairs of images that show the same field.

    Attributes
    ----------
    pairs : int array (P, 2)
    correlation : float64 array (P,)
        Of the part that both show.
    count : int
        Of all images.
    """

    pairs: Numbers
    correlation: NDArray[np.float64]
    count: int

    def leak(self, part: NDArray[np.intp]) -> tuple[int, float]:
        """Say how much of what judges has been seen in training.

        Parameters
        ----------
        part : int array (count,)
            0: learned from; more: judges; negative: left out.

        Returns
        -------
        pairs : int
            With one image on either side.
        share : float
            Of the judging images that have a near-duplicate in training.

        Examples
        --------
        >>> two = Duplicates(np.array([[0, 2]]), np.array([0.9]), 3)
        >>> two.leak(np.array([0, 1, 1]))
        (1, 0.5)
        """
        sides = part[self.pairs].reshape(-1, 2)
        across = (sides.min(axis=1) == 0) & (sides.max(axis=1) > 0)
        seen = self.pairs[across][sides[across] > 0]
        judging = int((part > 0).sum())
        return int(across.sum()), len(np.unique(seen)) / judging if judging else 0.0


def thumb_of(picture: NDArray[np.uint8]) -> Thumb:
    """Make the small picture by which images are compared: without shading, of length 1.

    Parameters
    ----------
    picture : uint8 array (rows, columns)
        Of size `THUMB`.

    Returns
    -------
    float32 array (rows, columns)
        Zeros where nothing is to be seen.
    """
    from scipy.ndimage import gaussian_filter

    grey = picture.astype(np.float32)
    fine = grey - gaussian_filter(grey, _SMOOTH)
    fine -= fine.mean()
    if fine.std() < _LEAST_SPREAD:
        return np.zeros_like(fine)
    return np.asarray(fine / np.linalg.norm(fine), np.float32)


def find_duplicates(
    thumbs: Thumb,
    vectors: NDArray[np.float32],
    digests: list[str],
    *,
    least: float,
    cancel: Cancel | None = None,
) -> Duplicates:
    """Find the pairs of images that show the same field.

    Parameters
    ----------
    thumbs : float32 array (N, rows, columns)
        As `thumb_of` makes them.
    vectors : float32 array (N, dimension)
        Texture vectors of length 1.
    digests : list of str (N,)
        Equal for images of equal pixels.
    least : float
        Correlation from which a pair counts.
    cancel : callable, optional

    Returns
    -------
    Duplicates

    Raises
    ------
    Cancelled

    References
    ----------
    .. [1] J. P. Lewis, "Fast normalized cross-correlation", Vision Interface (1995).
    """
    count = len(thumbs)
    flat = thumbs.reshape(count, -1)
    candidates = [_neighbours(one, cancel) for one in (flat, vectors)]
    equal = _equal(digests)
    pairs = np.unique(np.sort(np.concatenate([*candidates, equal]), axis=1), axis=0)
    found = np.zeros(len(pairs))
    for first in range(0, len(pairs), _PAIRS_AT_ONCE):
        stop_if_cancelled(cancel)
        some = pairs[first : first + _PAIRS_AT_ONCE]
        found[first : first + _PAIRS_AT_ONCE] = _correlated(thumbs[some[:, 0]], thumbs[some[:, 1]])
    same = np.array([digests[a] == digests[b] for a, b in pairs], bool)
    found[same] = 1.0
    enough = found >= least
    return Duplicates(pairs[enough].astype(np.intp), found[enough], count)


def joined_groups(duplicates: Duplicates, given: list[str]) -> Numbers:
    """Join near-duplicates, and what is known to belong together, to groups.

    Parameters
    ----------
    duplicates : Duplicates
    given : list of str
        Group of each image as the user said; empty: by itself.

    Returns
    -------
    int array (count,)
        Number of the group of each image.

    Examples
    --------
    >>> pairs = Duplicates(np.array([[0, 1]]), np.array([1.0]), 4)
    >>> joined_groups(pairs, ["", "a", "a", ""]).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    firsts: dict[str, int] = {}
    named = [(firsts.setdefault(one, n), n) for n, one in enumerate(given) if one]
    edges = np.concatenate([duplicates.pairs, np.asarray(named, np.intp).reshape(-1, 2)])
    size = (duplicates.count,) * 2
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=size)
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)


def _neighbours(vectors: NDArray[np.float32], cancel: Cancel | None) -> Numbers:
    """List each image with those that are most alike."""
    count = len(vectors)
    most = min(_NEIGHBOURS, count - 1)
    if most < 1:
        return np.zeros((0, 2), np.intp)
    found = []
    for first in range(0, count, _ROWS_AT_ONCE):
        stop_if_cancelled(cancel)
        likeness = vectors[first : first + _ROWS_AT_ONCE] @ vectors.T
        rows = np.arange(len(likeness))
        likeness[rows, first + rows] = -np.inf
        near = np.argpartition(-likeness, most - 1, axis=1)[:, :most]
        found.append(np.stack([np.repeat(first + rows, most), near.ravel()], axis=1))
    return np.concatenate(found).astype(np.intp)


def _equal(digests: list[str]) -> Numbers:
    """Pair images of equal pixels with the first of them."""
    firsts: dict[str, int] = {}
    pairs = [(firsts.setdefault(one, n), n) for n, one in enumerate(digests)]
    return np.asarray([pair for pair in pairs if pair[0] != pair[1]], np.intp).reshape(-1, 2)


def _correlated(first: Thumb, second: Thumb) -> NDArray[np.float64]:
    """Return the correlation of what both show at the best shift, (pairs,)."""
    from scipy import fft

    rows, columns = first.shape[1:]
    size = (2 * rows, 2 * columns)

    def spectrum(part: Any) -> Any:
        return fft.rfft2(part, size)

    def shifted(a: Any, b: Any) -> Any:
        return fft.irfft2(a * np.conj(b), size)

    ones = spectrum(np.ones((rows, columns), np.float32))
    product = shifted(spectrum(first), spectrum(second))
    energy = shifted(spectrum(first**2), ones) * shifted(ones[None], spectrum(second**2))
    overlap = shifted(ones, ones)
    shared = overlap >= _OVERLAP * rows * columns
    good = shared & (energy > 1e-6)
    found = np.where(good, product / np.sqrt(np.maximum(energy, 1e-6)), 0.0)
    return np.asarray(found.max(axis=(1, 2)), np.float64)
