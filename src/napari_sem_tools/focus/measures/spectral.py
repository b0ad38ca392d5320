"""Measures from the spectrum, the autocovariance and transforms of blocks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.measures.measure import Measure
from napari_sem_tools.focus.measures.picture import Picture

__all__ = ["SPECTRAL_MEASURES", "cut_off", "gaussian_blur"]

Map = NDArray[np.float32]

_NAN: Final = float("nan")
_HIGH: Final = 0.25  # cycles/px
_SLOPE_BAND: Final = (0.02, 0.4)  # cycles/px
_NET_BAND: Final = (0.05, 0.15)
_LOW_BAND: Final = (0.01, 0.05)
_CUT_OVER_NOISE: Final = 2.0
_FALL: Final = 2.5  # of the power of an in-focus micrograph with frequency
_FIT_FROM: Final = 0.012
_FIT_UP_TO: Final = 0.4
_LEAST_RINGS: Final = 5
_BLOCK: Final = 8
_LEAST_NOISE: Final = 1e-6  # of the variance; with less noise the ratio says nothing


def _high_share(picture: Picture) -> float:
    spectrum = picture.spectrum
    rings = spectrum.counts > 0
    power = (spectrum.power * spectrum.counts)[rings]
    high = power[spectrum.frequency[rings] >= _HIGH].sum()
    return float(high / power.sum()) if power.sum() > 0 else _NAN


def _slope(picture: Picture) -> float:
    spectrum = picture.spectrum
    low, high = _SLOPE_BAND
    use = (spectrum.frequency > low) & (spectrum.frequency < high) & (spectrum.counts > 0)
    use[use] = spectrum.power[use] > 0
    if use.sum() < _LEAST_RINGS:
        return _NAN
    return float(np.polyfit(np.log(spectrum.frequency[use]), np.log(spectrum.power[use]), 1)[0])


def _net_band(picture: Picture) -> float:
    return picture.spectrum.net_sum(*_NET_BAND)


def _band_ratio(picture: Picture) -> float:
    low = picture.spectrum.net_sum(*_LOW_BAND)
    return _net_band(picture) / low if low > 0 else _NAN


def cut_off(picture: Picture) -> float:
    """Return the first frequency in cycles/px at which the power is below twice the noise."""
    spectrum = picture.spectrum
    rings = (spectrum.counts > 0) & (spectrum.frequency > _FIT_FROM)
    below = spectrum.power[rings] < _CUT_OVER_NOISE * spectrum.noise
    frequency = spectrum.frequency[rings]
    if not below.any():
        return 0.5
    return float(frequency[np.argmax(below)])


def gaussian_blur(picture: Picture) -> float:
    """Return the blur in px of a Gaussian fitted to the spectrum over the noise.

    The power of a sharp micrograph is taken to fall as f^-2.5; negative slopes give 0.
    """
    spectrum = picture.spectrum
    f = spectrum.frequency
    use = (f > _FIT_FROM) & (f < _FIT_UP_TO) & (spectrum.counts > 0)
    use[use] = spectrum.power[use] > 1.5 * spectrum.noise
    if use.sum() < _LEAST_RINGS:
        return _NAN
    net = spectrum.power[use] - spectrum.noise
    weight = np.sqrt(spectrum.counts[use]) * net / spectrum.power[use]
    slope = np.polyfit(f[use] ** 2, np.log(net * f[use] ** _FALL), 1, w=weight)[0]
    return float(np.sqrt(max(-slope, 0.0)) / (2 * np.pi))


def _lags(picture: Picture, *lags: int) -> NDArray[np.float64]:
    """Return the autocovariance at some lags, mean of both axes."""
    table = picture.spectrum.autocovariance
    return np.array([0.5 * (float(table[d, 0]) + float(table[0, d])) for d in lags])


def _acf_ratio(picture: Picture, a: int, b: int, over: int) -> float:
    at_a, at_b, below = _lags(picture, a, b, over)
    return float((at_a - at_b) / below) if below > 0 else _NAN


def _acf_width(picture: Picture) -> float:
    """Return the lag at which the autocovariance, without lag 0, has fallen to a half."""
    reach = min(picture.grey.shape) // 2
    row = _lags(picture, *range(reach))
    peak = 2 * row[1] - row[2]
    below = np.flatnonzero(row[1:] < 0.5 * peak)
    if peak <= 0 or below.size == 0:
        return _NAN
    after = int(below[0]) + 1
    if after == 1:
        return 1.0
    before = row[after - 1]
    return float(after - 1 + (before - 0.5 * peak) / max(before - row[after], 1e-12))


def _snr_acf(picture: Picture) -> float:
    """Return the SNR from the autocovariance on the slow axis, extrapolated to lag 0."""
    table = picture.spectrum.autocovariance
    zero, one, two = (float(table[d, 0]) for d in range(3))
    peak = 2 * one - two
    return peak / max(zero - peak, _LEAST_NOISE * zero) if peak > 0 else 0.0


def _haar(values: Map) -> tuple[Map, tuple[Map, Map, Map]]:
    """Return the means and the three details of a level of Haar's transform, orthonormal."""
    rows, columns = (n // 2 * 2 for n in values.shape)
    a, b = values[:rows:2, :columns:2], values[:rows:2, 1:columns:2]
    c, d = values[1:rows:2, :columns:2], values[1:rows:2, 1:columns:2]
    half = np.float32(0.5)
    return (a + b + c + d) * half, (
        (a - b + c - d) * half,
        (a + b - c - d) * half,
        (a - b - c + d) * half,
    )


def _wavelet_sum(picture: Picture) -> float:
    _, details = _haar(picture.grey)
    return float(sum(np.abs(m).mean(dtype=np.float64) for m in details))


def _wavelet_ratio(picture: Picture) -> float:
    coarse, fine = _haar(picture.grey)
    _, next_level = _haar(coarse)
    first, second = (
        sum(float(np.square(m).mean(dtype=np.float64)) for m in details)
        for details in (fine, next_level)
    )
    return float(np.log(first / second)) if first > 0 and second > 0 else _NAN


def _block_cosines(picture: Picture) -> NDArray[np.float64]:
    """Return the mean squared coefficients of blocks of 8 x 8 px."""
    from scipy.fft import dctn

    rows, columns = (n // _BLOCK for n in picture.grey.shape)
    cut: Any = picture.grey[: rows * _BLOCK, : columns * _BLOCK]
    blocks = cut.reshape(rows, _BLOCK, columns, _BLOCK).transpose(0, 2, 1, 3)
    found = np.square(dctn(blocks, axes=(2, 3), norm="ortho"))
    return np.asarray(found.reshape(-1, _BLOCK, _BLOCK).mean(axis=0, dtype=np.float64))


def _cosine_ratio(picture: Picture) -> float:
    power = _block_cosines(picture)
    return float((power.sum() - power[0, 0]) / power[0, 0]) if power[0, 0] > 0 else _NAN


def _cosine_share(picture: Picture) -> float:
    power = _block_cosines(picture)
    order = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK))
    changing = power[order > 0].sum()
    return float(power[(order >= 3) & (order <= 6)].sum() / changing) if changing > 0 else _NAN


_SPECTRUM = "napari-sem-tools"
_ACF = "Thong, Sim, Phang 2001, Scanning 23, 328"

SPECTRAL_MEASURES: Final = (
    Measure("BAND", "net band-power ratio",
            "sum of max(P - n, 0) over 0.05-0.15 over that of 0.01-0.05 cycles/px", _band_ratio,
            _SPECTRUM, noise="corrected"),
    Measure("NETP", "net band power", "sum of max(P - n, 0), 0.05-0.15 cycles/px", _net_band,
            _SPECTRUM, unit="grey²", gain="g²", noise="corrected"),
    Measure("SIGM", "Gaussian fitted to the spectrum",
            "slope of ln((P - n) f^2.5) over f² is -4 pi² s²", gaussian_blur, _SPECTRUM, unit="px",
            larger_is_sharper=False, noise="corrected"),
    Measure("FCUT", "cut-off frequency", "first f with P < 2n", cut_off, _SPECTRUM,
            unit="cycles/px", noise="limit"),
    Measure("HFRA", "share of high frequencies", "power above 0.25 cycles/px over all",
            _high_share, "Firestone et al. 1991, Cytometry 12, 195", noise="strong"),
    Measure("SLOP", "slope of the spectrum", "slope of ln P over ln f, 0.02-0.4 cycles/px",
            _slope, _SPECTRUM, noise="strong"),
    Measure("ACFW", "half width of the autocovariance", "lag of half the height, lag 0 left out",
            _acf_width, _ACF, unit="px", larger_is_sharper=False, noise="none"),
    Measure("ACFR", "fall of the autocovariance", "(r2 - r4) / r2",
            lambda p: _acf_ratio(p, 2, 4, 2), _ACF, noise="none"),
    Measure("ACF8", "wide fall of the autocovariance", "(r4 - r8) / r4",
            lambda p: _acf_ratio(p, 4, 8, 4), _ACF, noise="none"),
    Measure("WAVS", "sum of wavelet details", "sum of <|d|>, first level of Haar", _wavelet_sum,
            "Yang, Nelson 2003, ICIP; Pertuz 2013", unit="grey", gain="g"),
    Measure("WAVR", "ratio of wavelet energies", "ln E1 / E2, levels of Haar", _wavelet_ratio,
            "Kautsky et al. 2002, Pattern Recognit. Lett. 23, 1785", noise="strong"),
    Measure("DCTR", "cosine energy ratio", "AC / DC of blocks of 8 x 8 px", _cosine_ratio,
            "Shen, Chen 2006, ICME", offset_free=False),
    Measure("DCTM", "middle cosine band", "orders 3 to 6 over all but 0, blocks of 8 x 8 px",
            _cosine_share, "Lee et al. 2008, IEEE Trans. Consum. Electron. 54, 320"),
    Measure("SNRA", "signal to noise by the autocovariance",
            "p / (r0 - p), p = 2 r1 - r2 on the slow axis", _snr_acf, _ACF, noise="is the noise",
            larger_is_sharper=None),
    Measure("SNRP", "signal to noise by the spectrum", "(v - n) / n", lambda p: p.snr, _SPECTRUM,
            noise="is the noise", larger_is_sharper=None),
)  # fmt: skip
