"""Numbers that describe a texture: local patterns, co-occurrence, granulometry, spectrum.

=============  ======  =====================================================================
block          length  what it tells
=============  ======  =====================================================================
patterns           30  edges, corners, spots of a few pixels, at three scales
pairs              20  how alike two pixels at a distance of 1 to 16 px are, by direction
sizes              16  how much bright and dark detail of 3 to 40 px there is
spectrum           21  power by spatial frequency; two-, four- and sixfold directions
evenness            3  whether all parts of the picture look alike
=============  ======  =====================================================================

All are unchanged when the picture is flipped or turned by 90 degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCKS", "describe", "feature_names"]

Map = NDArray[np.float32]
Row = NDArray[np.float64]

_LEVELS: Final = 32  # grey levels of the co-occurrence matrix
_DISTANCES: Final = (1, 2, 4, 8, 16)  # px
_SCALES: Final = 4  # of the pyramid of the granulometry, each half the one before
_SQUARES: Final = (3, 5)  # px, sides of the structuring elements at each scale
_BANDS: Final = 12  # of spatial frequency, equally wide in its logarithm
_LOWEST: Final = 1 / 160  # cycles/px
_FLOOR: Final = 1e-7  # below all powers and shares of a picture that shows something
_FOLDS: Final = (2, 4, 6)
_PARTS: Final = 4  # of the height and of the width


def describe(field: Map) -> Row:
    """Describe the texture of a field.

    Parameters
    ----------
    field : float32 array (Y, X)
        Ranks between 0 and 1, as `texture_field` gives them; at least 24 x 24 px.

    Returns
    -------
    float64 array (90,)
        The blocks of `BLOCKS` one after the other, none of them scaled.

    References
    ----------
    .. [1] T. Ojala, M. Pietikäinen, T. Mäenpää, "Multiresolution gray-scale and rotation
       invariant texture classification with local binary patterns", IEEE Trans. Pattern Anal.
       Mach. Intell. 24, 971 (2002).
    .. [2] R. M. Haralick, K. Shanmugam, I. Dinstein, "Textural features for image
       classification", IEEE Trans. Syst. Man Cybern. 3, 610 (1973).
    .. [3] G. Matheron, *Random sets and integral geometry*, Wiley, 1975 (granulometry).

    Examples
    --------
    >>> import numpy as np
    >>> len(describe(np.random.default_rng(0).random((64, 64), np.float32)))
    90
    """
    return np.concatenate([block(field) for block, _ in BLOCKS.values()])


def feature_names() -> tuple[str, ...]:
    """Name the numbers that `describe` gives, in order: block and place in it.

    Returns
    -------
    tuple of str
    """
    return tuple(f"{name} {k}" for name, (_, size) in BLOCKS.items() for k in range(size))


def _bytes(field: Map) -> NDArray[np.uint8]:
    """Return the field as 8-bit grey."""
    return np.asarray(np.clip(field * np.float32(256), 0, 255), np.uint8)


def _halved(field: Map) -> Map:
    """Return the means of 2 x 2 pixels."""
    rows, columns = (side - side % 2 for side in field.shape)
    cut = field[:rows, :columns]
    return np.asarray(
        (cut[::2, ::2] + cut[1::2, ::2] + cut[::2, 1::2] + cut[1::2, 1::2]) * np.float32(0.25)
    )


def _patterns(field: Map) -> Row:
    """Return shares of the ten uniform patterns of eight neighbours at three scales, as roots."""
    from skimage.feature import local_binary_pattern

    found = []
    for _ in range(3):
        code = local_binary_pattern(_bytes(field), 8, 1, "uniform")
        inner = code[1:-1, 1:-1].astype(np.intp)
        found.append(np.sqrt(np.bincount(inner.ravel(), minlength=10) / inner.size))
        field = _halved(field)
    return np.concatenate(found)


def _pairs(field: Map) -> Row:
    """Return contrast, homogeneity, entropy and directionality of the co-occurrence matrices."""
    from skimage.feature import graycomatrix

    grey = np.asarray(np.clip(field * _LEVELS, 0, _LEVELS - 1), np.uint8)
    angles = np.arange(4) * (np.pi / 4)
    joint = graycomatrix(grey, _DISTANCES, angles, levels=_LEVELS, symmetric=True, normed=True)
    gap = np.subtract.outer(np.arange(_LEVELS), np.arange(_LEVELS)) / _LEVELS
    squared = np.square(gap)[:, :, None, None]
    contrast = (joint * squared).sum((0, 1))  # (distances, angles)
    alike = (joint / (1 + _LEVELS**2 * squared)).sum((0, 1))
    entropy = -(joint * np.log(np.maximum(joint, _FLOOR))).sum((0, 1))
    logs = np.log(contrast + _FLOOR)
    return np.concatenate(
        [logs.mean(1), alike.mean(1), entropy.mean(1), np.ptp(logs[:, ::2], axis=1)]
    )


def _sizes(field: Map) -> Row:
    """Return what openings and closings by squares take away, in logarithms."""
    from scipy.ndimage import grey_closing, grey_opening

    found = []
    for _ in range(_SCALES):
        grey = _bytes(field)
        mean = grey.mean(dtype=np.float64)
        for side in _SQUARES:
            size = (min(side, grey.shape[0]), min(side, grey.shape[1]))
            found.append(mean - grey_opening(grey, size=size).mean(dtype=np.float64))
            found.append(grey_closing(grey, size=size).mean(dtype=np.float64) - mean)
        field = _halved(field)
    return np.log(np.asarray(found) / 256 + 1e-3)


def _spectrum(field: Map) -> Row:
    """Return ln of the power by frequency, and how much it prefers directions."""
    power, radius, angle = _power(field)
    twice = np.full(power.shape, 2.0)  # for the other half plane, which mirrors this one
    twice[:, 0] = 1
    if field.shape[1] % 2 == 0:
        twice[:, -1] = 1
    limits = np.geomspace(_LOWEST, 0.5, _BANDS + 1)
    band = np.digitize(radius, limits) - 1
    inside = (band >= 0) & (band < _BANDS)
    band, angle, twice = band[inside], angle[inside], twice[inside]
    power = power[inside] * twice
    total = np.bincount(band, power, _BANDS)
    cells = np.bincount(band, twice, _BANDS)
    radial = np.log(total / np.maximum(cells, 1) + _FLOOR)
    third = band // (_BANDS // 3)
    weight = power / (np.bincount(third, power, 3)[third] + _FLOOR)
    folds = [_fold(weight, angle, third, fold) for fold in _FOLDS]
    return np.concatenate([radial, *folds])


def _power(field: Map) -> tuple[Map, Map, Map]:
    """Return power, frequency in cycles/px and direction of the half plane of a spectrum."""
    from scipy.fft import rfft2

    rows, columns = field.shape
    window = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1])
    weighted = (field - field.mean(dtype=np.float64)) * window
    power = np.square(np.abs(rfft2(weighted))) / np.square(window).sum()
    down = np.fft.fftfreq(rows)[:, None]
    right = np.fft.rfftfreq(columns)[None, :]
    return power, np.hypot(down, right), np.arctan2(down, np.broadcast_to(right, power.shape))


def _fold(weight: Any, angle: Any, third: NDArray[np.intp], fold: int) -> Row:
    """Return how strongly each third of the frequencies prefers `fold` directions."""
    cosine = np.bincount(third, weight * np.cos(fold * angle), 3)
    sine = np.bincount(third, weight * np.sin(fold * angle), 3)
    return np.hypot(cosine, sine)


def _evenness(field: Map) -> Row:
    """Return how mean, contrast and fine detail differ between the parts of the picture."""
    rows, columns = (side // _PARTS for side in field.shape)
    cut = field[: rows * _PARTS, : columns * _PARTS]
    tiles = cut.reshape(_PARTS, rows, _PARTS, columns)
    right = np.abs(tiles[:, :, :, 1:] - tiles[:, :, :, :-1]).mean((1, 3))
    down = np.abs(tiles[:, 1:] - tiles[:, :-1]).mean((1, 3))
    numbers: tuple[Any, ...] = (
        tiles.mean((1, 3)).std(),
        np.log(tiles.std((1, 3)) + 1e-2).std(),
        np.log(right + down + 1e-3).std(),
    )
    return np.asarray(numbers, np.float64)


BLOCKS: Final[Mapping[str, tuple[Callable[[Map], Row], int]]] = {
    "patterns": (_patterns, 30),
    "pairs": (_pairs, 20),
    "sizes": (_sizes, 16),
    "spectrum": (_spectrum, 21),
    "evenness": (_evenness, 3),
}
"""The blocks by name: function of the field, and how many numbers it gives."""
