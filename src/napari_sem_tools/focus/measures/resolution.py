"""Resolution estimates: widths of edges, where the signal meets the noise, SNR of two frames.

The first three follow the three methods that ISO/TS 24597:2011 names (derivative of edge
profiles, contrast to gradient, Fourier), as the literature tells of them.  They are like them
and not according to the standard, and give a resolution only where the specimen has sharp
edges.  Fourier ring correlation and decorrelation analysis tell where the signal meets the
noise: more dose raises them at the same focus.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.measures.measure import Measure
from napari_sem_tools.focus.measures.picture import Picture
from napari_sem_tools.focus.measures.scale import edge_widths
from napari_sem_tools.focus.measures.spectral import cut_off

__all__ = ["RESOLUTION_MEASURES", "ring_correlation", "two_frame_snr"]

Row = NDArray[np.float64]
Map = NDArray[np.float32]

_NAN: Final = float("nan")
_HEIGHT_OVER_STEEPNESS: Final = np.sqrt(2 * np.pi)  # of a Gaussian edge, in its own width
_WIDTH_25_75: Final = 1.349
_SEEN_AT_PX: Final = 2.0  # blur before edges are measured
_LINE: Final = 1 / 7
_RINGS: Final = 40
_HIGH_PASSES: Final = 10
_STEPS: Final = 100


def _blur_of_edges(picture: Picture, *, harmonic: bool) -> float:
    """Return the blur of the edges in px, the blur by which they were looked at taken out."""
    widths, steepness = edge_widths(picture)
    if widths.size == 0:
        return _NAN
    if harmonic:
        width = float(steepness.sum() / (steepness / np.maximum(widths, 1e-9)).sum())
    else:
        width = float(np.median(widths))
    return float(np.sqrt(max((width / _HEIGHT_OVER_STEEPNESS) ** 2 - _SEEN_AT_PX**2, 0.0)))


def _nm(picture: Picture, length_px: float) -> float:
    """Return a length in nm; NaN without a pixel size."""
    return _NAN if picture.pixel_size is None else length_px * picture.pixel_size


def _dr_like(picture: Picture) -> float:
    return _nm(picture, _WIDTH_25_75 * _blur_of_edges(picture, harmonic=False))


def _cg_like(picture: Picture) -> float:
    return _nm(picture, _WIDTH_25_75 * _blur_of_edges(picture, harmonic=True))


def _ft_like(picture: Picture) -> float:
    return _nm(picture, 1.0 / cut_off(picture))


def _rings(shape: tuple[int, int]) -> tuple[NDArray[np.intp], Row]:
    """Return the ring of each coefficient of a full transform and the middles of the rings."""
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    place = np.minimum((radius * 2 * _RINGS).astype(np.intp), _RINGS)
    return place.ravel(), (np.arange(_RINGS) + 0.5) / (2 * _RINGS)


def _correlated(first: Any, second: Any, shape: tuple[int, int]) -> tuple[Row, Row]:
    """Correlate two transforms ring by ring."""
    place, frequency = _rings(shape)
    cross, one, two = (
        np.bincount(place, values.ravel(), _RINGS + 1)[:_RINGS]
        for values in (
            (first * second.conj()).real,
            np.square(np.abs(first)),
            np.square(np.abs(second)),
        )
    )
    return frequency, cross / np.sqrt(np.maximum(one * two, 1e-30))


def _windowed(values: Map) -> Any:
    """Transform the values under a Hann window."""
    from scipy.fft import rfft2

    rows, columns = (np.hanning(n).astype(np.float32) for n in values.shape)
    return rfft2((values - values.mean()) * rows[:, None] * columns[None, :])


def _first_below(frequency: Row, correlation: Row, line: float) -> float:
    """Return where the correlation, averaged over three rings, falls below a line."""
    padded = np.concatenate([correlation[:1], correlation, correlation[-1:]])
    smooth = np.convolve(padded, np.ones(3) / 3, "valid")
    below = np.flatnonzero(smooth[1:] < line) + 1
    return float(frequency[below[0]]) if below.size else float(frequency[-1])


def ring_correlation(first: ArrayLike, second: ArrayLike) -> tuple[Row, Row]:
    """Correlate two frames of one field ring by ring (Fourier ring correlation).

    Parameters
    ----------
    first, second : array (Y, X)
        Registered, with independent noise.

    Returns
    -------
    frequency : float64 array (40,)
        Cycles/px, middle of each ring.
    correlation : float64 array (40,)
        1 where the frames agree, about 0 where noise alone is left.

    Raises
    ------
    InvalidSettings
        Frames of different shape.

    References
    ----------
    Saxton, Baumeister 1982, J. Microsc. 127, 127; the usual line is at 1/7.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.random.default_rng(0).normal(size=(64, 64))
    >>> bool(np.allclose(ring_correlation(frame, frame)[1], 1))
    True
    """
    one, two = (np.asarray(frame, np.float32) for frame in (first, second))
    if one.shape != two.shape or one.ndim != 2:
        raise InvalidSettings(
            f"Frames of {one.shape} and {two.shape} cannot be compared.",
            hint="Give two registered frames of one field.",
        )
    return _correlated(_windowed(one), _windowed(two), (one.shape[0], one.shape[1]))


def two_frame_snr(first: ArrayLike, second: ArrayLike) -> float:
    """Return the signal-to-noise ratio of two frames of one field.

    Parameters
    ----------
    first, second : array (Y, X)
        Registered, with independent noise.

    Returns
    -------
    float
        r / (1 - r) of their correlation r; 0 when they do not correlate.

    Raises
    ------
    InvalidSettings
        Frames of different shape.

    References
    ----------
    Frank, Al-Ali 1975, Nature 256, 376.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(0, 2, (200, 200))
    >>> round(two_frame_snr(*(signal + rng.normal(0, 1, signal.shape) for _ in range(2))))
    4
    """
    one, two = (np.asarray(frame, np.float64) for frame in (first, second))
    if one.shape != two.shape:
        raise InvalidSettings(f"Frames of {one.shape} and {two.shape} cannot be compared.")
    one, two = one - one.mean(), two - two.mean()
    power = float(np.sqrt(np.vdot(one, one) * np.vdot(two, two)))
    share = float(np.vdot(one, two)) / power if power > 0 else 0.0
    return max(share, 0.0) / max(1.0 - share, 1e-9)


def _one_image_correlation(picture: Picture) -> float:
    """Correlate the two pairs of half-images of a checkerboard; cut-off at 1/7, cycles/px."""
    grey = picture.grey
    rows, columns = (n // 2 * 2 for n in grey.shape)
    pairs = (
        (grey[:rows:2, :columns:2], grey[1:rows:2, 1:columns:2], 1.0),
        (grey[:rows:2, 1:columns:2], grey[1:rows:2, :columns:2], -1.0),
    )
    shape = (rows // 2, columns // 2)
    down = np.fft.fftfreq(shape[0])[:, None]
    right = np.fft.rfftfreq(shape[1])[None, :]
    found = []
    for one, two, sign in pairs:  # half a coarse pixel apart, which the phase makes good
        phase = np.exp(-1j * np.pi * (down + sign * right)).astype(np.complex64)
        frequency, share = _correlated(_windowed(one), _windowed(two) * phase, shape)
        found.append(share)
    return 0.5 * _first_below(frequency, np.mean(found, axis=0), _LINE)


def _decorrelation(picture: Picture) -> float:
    """Return the highest frequency at which a high-passed picture decorrelates most slowly."""
    spectrum = picture.spectrum
    radius = np.hypot(np.fft.fftfreq(spectrum.shape[0])[:, None],
                      np.fft.rfftfreq(spectrum.shape[1])[None, :])  # fmt: skip
    place = np.minimum((radius * 2 * _STEPS).astype(np.intp), _STEPS).ravel()
    size = np.abs(spectrum.transform).ravel().astype(np.float64)
    size[0] = 0.0
    sums, squares, counts = (
        np.bincount(place, values, _STEPS + 1)[:_STEPS]
        for values in (size, size**2, np.ones_like(size))
    )
    frequency = (np.arange(_STEPS) + 0.5) / (2 * _STEPS)
    reached = np.maximum(np.cumsum(counts), 1)
    widths = np.concatenate([[0.0], np.geomspace(0.15, 10.0, _HIGH_PASSES)])
    best = 0.0
    for sigma in widths:  # a high-pass is one minus a Gaussian of this width in px; 0: none
        passed = 1.0 if sigma == 0 else 1 - np.exp(-2 * (np.pi * sigma * frequency) ** 2)
        total = np.sqrt(max(float((squares * np.square(passed)).sum()), 1e-30))
        course = np.cumsum(sums * passed) / (total * np.sqrt(reached))
        top = int(np.argmax(course))
        stands_out = course[top] - course[top:].min() > 1e-3
        if stands_out and top < _STEPS - 1:
            best = max(best, float(frequency[top]))
    return best if best > 0 else _NAN


_ISHITANI = "Ishitani, Sato 2002, J. Electron Microsc. 51, 369"

RESOLUTION_MEASURES: Final = (
    Measure("dr_like", "25-75 % width of edges", "1.349 s, s from the median of height / steepness",
            _dr_like, "like DR of ISO/TS 24597:2011", unit="nm", larger_is_sharper=False,
            noise="medium"),
    Measure("cg_like", "contrast to gradient",
            "1.349 s, s from the weighted harmonic mean of height / steepness", _cg_like,
            f"like CG of ISO/TS 24597:2011; {_ISHITANI}", unit="nm", larger_is_sharper=False,
            noise="medium"),
    Measure("ft_like", "period at the cut-off", "1 / first f with P < 2n", _ft_like,
            "like FT of ISO/TS 24597:2011", unit="nm", larger_is_sharper=False, noise="limit"),
    Measure("FRC1", "one-image Fourier ring correlation",
            "first f below 1/7, half-images of a checkerboard", _one_image_correlation,
            "Koho et al. 2019, Nat. Commun. 10, 3103", unit="cycles/px", noise="limit"),
    Measure("DCOR", "decorrelation analysis",
            "highest peak of d(r) = S_r |F| / sqrt(S |F|² N_r), ten high-passes", _decorrelation,
            "Descloux, Grussmayer, Radenovic 2019, Nat. Methods 16, 918", unit="cycles/px",
            noise="limit"),
)  # fmt: skip
