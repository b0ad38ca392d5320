"""Measures from grey values and their differences between neighbours."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.measures.measure import Measure
from napari_sem_tools.focus.measures.picture import Picture

__all__ = ["GREY_MEASURES"]

Map = NDArray[np.float32]

_WINDOW_PX: Final = 15  # of local means and variances
_LEVELS: Final = 256
_BLACK: Final = np.float32(1.0)  # added to ratios, so that a black pixel is no pole


def _mean(picture: Picture, values: Map, reach: int = 1) -> float:
    """Average a map over the pixels that count."""
    return float(picture.over_valid(values, reach).mean(dtype=np.float64))


def _absolute_variance(picture: Picture) -> float:
    return float(np.abs(picture.counted - np.float32(picture.mean)).mean(dtype=np.float64))


def _entropy(picture: Picture) -> float:
    values = picture.counted
    low, high = (0.0, 256.0) if picture.depth == 255 else (values.min(), values.max())
    if high <= low:
        return 0.0
    level = ((values - low) * (_LEVELS / (high - low))).astype(np.intp)
    share = np.bincount(np.minimum(level, _LEVELS - 1), minlength=_LEVELS) / values.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def _range(picture: Picture) -> float:
    low, high = np.percentile(picture.counted, [1, 99])
    return float(high - low)


def _brenner(picture: Picture) -> float:
    grey = picture.grey
    down = grey[4:, 2:-2] - grey[2:-2, 2:-2]
    right = grey[2:-2, 4:] - grey[2:-2, 2:-2]
    return _mean(picture, down * down + right * right, 2)


def _steps(picture: Picture) -> tuple[Map, Map]:
    """Return the differences to the next pixel below and to the right."""
    grey = picture.grey
    middle = grey[1:-1, 1:-1]
    return grey[2:, 1:-1] - middle, grey[1:-1, 2:] - middle


def _gradient_energy(picture: Picture) -> float:
    down, right = _steps(picture)
    return _mean(picture, down * down + right * right)


def _absolute_gradient(picture: Picture) -> float:
    down, right = _steps(picture)
    return _mean(picture, np.abs(down) + np.abs(right))


def _sobel(picture: Picture) -> Map:
    """Return the squared gradient by Sobel's kernels over 8."""
    grey = picture.grey
    across = grey[:, 2:] - grey[:, :-2]
    along = grey[2:] - grey[:-2]
    right = across[:-2] + np.float32(2) * across[1:-1] + across[2:]
    down = along[:, :-2] + np.float32(2) * along[:, 1:-1] + along[:, 2:]
    return np.asarray((right * right + down * down) * np.float32(1 / 64))


def _tenengrad_variance(picture: Picture) -> float:
    return float(picture.over_valid(np.sqrt(_sobel(picture))).var(dtype=np.float64))


def _laplacian(picture: Picture) -> Map:
    grey = picture.grey
    rim = grey[2:, 1:-1] + grey[:-2, 1:-1] + grey[1:-1, 2:] + grey[1:-1, :-2]
    return np.asarray(rim - np.float32(4) * grey[1:-1, 1:-1])


def _modified_laplacian(picture: Picture) -> float:
    grey = picture.grey
    middle = np.float32(2) * grey[1:-1, 1:-1]
    down = np.abs(grey[2:, 1:-1] + grey[:-2, 1:-1] - middle)
    right = np.abs(grey[1:-1, 2:] + grey[1:-1, :-2] - middle)
    return _mean(picture, down + right)


def _local_variance(picture: Picture) -> float:
    from scipy.ndimage import uniform_filter

    grey = picture.grey - np.float32(picture.mean)
    local = uniform_filter(grey, _WINDOW_PX)
    variance = uniform_filter(grey * grey, _WINDOW_PX) - local * local
    return float(picture.over_valid(variance, _WINDOW_PX // 2).var(dtype=np.float64))


def _helmli(picture: Picture) -> float:
    from scipy.ndimage import uniform_filter

    local = np.maximum(uniform_filter(picture.grey, _WINDOW_PX), 0) + _BLACK
    ratio = (np.maximum(picture.grey, 0) + _BLACK) / local
    return _mean(picture, np.maximum(ratio, 1 / ratio), _WINDOW_PX // 2)


def _vollath4(picture: Picture) -> float:
    grey = picture.grey - np.float32(picture.mean)
    return _mean(picture, (grey[:, 2:-2] * (grey[:, 3:-1] - grey[:, 4:]))[2:-2], 2)


def _vollath5(picture: Picture) -> float:
    grey = picture.grey - np.float32(picture.mean)
    return _mean(picture, (grey[:, 1:-1] * grey[:, 2:])[1:-1])


def _immerkaer(picture: Picture) -> float:
    grey = picture.grey
    rows = grey[2:] + grey[:-2] - np.float32(2) * grey[1:-1]
    both = rows[:, 2:] + rows[:, :-2] - np.float32(2) * rows[:, 1:-1]
    return float(np.sqrt(np.pi / 2) / 6 * _mean(picture, np.abs(both)))


def _net_contrast(picture: Picture) -> float:
    return float(np.sqrt(picture.net_variance) / picture.mean) if picture.mean > 0 else np.nan


_GROEN = "Groen, Young, Ligthart 1985, Cytometry 6, 81"
_PERTUZ = "Pertuz, Puig, Garcia 2013, Pattern Recognit. 46, 1415"
_VOLLATH = "Vollath 1987, J. Microsc. 147, 279"

GREY_MEASURES: Final = (
    Measure("VABS", "absolute variance", "<|I - m|>", _absolute_variance, _GROEN,
            unit="grey", gain="g"),
    Measure("GLVA", "variance", "v", lambda p: p.variance, _GROEN, unit="grey²", gain="g²"),
    Measure("GLVN", "normalised variance", "v / m",
            lambda p: p.variance / p.mean if p.mean > 0 else float("nan"), _GROEN,
            unit="grey", gain="g", offset_free=False),
    Measure("HISE", "entropy of the histogram", "-sum p log2 p, 256 levels", _entropy, _PERTUZ,
            unit="bit", larger_is_sharper=None, gain="weak"),
    Measure("HISR", "range of the histogram", "P99 - P1", _range, _PERTUZ, unit="grey", gain="g"),
    Measure("BREN", "Brenner gradient", "<(I(x + 2) - I(x))²>, both axes", _brenner,
            "Brenner et al. 1976, J. Histochem. Cytochem. 24, 100", unit="grey²", gain="g²"),
    Measure("GRAE", "energy of the gradient", "<dx² + dy²>", _gradient_energy, _PERTUZ,
            unit="grey²", gain="g²"),
    Measure("SMD", "absolute gradient", "<|dx| + |dy|>", _absolute_gradient, _PERTUZ,
            unit="grey", gain="g"),
    Measure("TENG", "Tenengrad", "<Sx² + Sy²>, Sobel over 8",
            lambda p: _mean(p, _sobel(p)), "Tenenbaum 1970; Krotkov 1988, IJCV 1, 223",
            unit="grey²", gain="g²"),
    Measure("TENV", "variance of Tenengrad", "var sqrt(Sx² + Sy²)", _tenengrad_variance,
            "Pech-Pacheco et al. 2000, ICPR 3, 314", unit="grey²", gain="g²"),
    Measure("LAPE", "energy of the Laplacian", "<L²>, five points",
            lambda p: _mean(p, np.square(_laplacian(p))),
            "Subbarao et al. 1993, Opt. Eng. 32, 2824", unit="grey²", gain="g²", noise="strong"),
    Measure("LAPV", "variance of the Laplacian", "var L, five points",
            lambda p: float(p.over_valid(_laplacian(p)).var(dtype=np.float64)),
            "Pech-Pacheco et al. 2000, ICPR 3, 314", unit="grey²", gain="g²", noise="strong"),
    Measure("LAPM", "modified Laplacian", "<|Ixx| + |Iyy|>", _modified_laplacian,
            "Nayar, Nakagawa 1994, PAMI 16, 824", unit="grey", gain="g", noise="strong"),
    Measure("GLVM", "variance of the local variance", "var of variances of 15 x 15 px",
            _local_variance, "Pech-Pacheco et al. 2000, ICPR 3, 314", unit="grey⁴", gain="g⁴"),
    Measure("HELM", "Helmli's mean", "<max(I / u, u / I)>, of I + 1, u mean of 15 x 15 px", _helmli,
            "Helmli, Scherer 2001, ISPA, 188", offset_free=False),
    Measure("VOL4", "Vollath F4", "<I(x) I(x + 1) - I(x) I(x + 2)>, about the mean", _vollath4,
            _VOLLATH, unit="grey²", gain="g²", noise="none"),
    Measure("VOL5", "Vollath F5", "<I(x) I(x + 1)> - m²", _vollath5, _VOLLATH,
            unit="grey²", gain="g²", noise="none"),
    Measure("VOL4/var", "Vollath F4 over the net variance", "F4 / (v - n)",
            lambda p: _vollath4(p) / p.net_variance, _VOLLATH, noise="corrected"),
    Measure("CONT", "contrast", "sqrt(v - n) / m", _net_contrast, "napari-sem-tools",
            offset_free=False, noise="corrected", larger_is_sharper=None),
    Measure("NOIS", "noise after Immerkaer", "sqrt(pi / 2) / 6 <|I * N|>", _immerkaer,
            "Immerkaer 1996, Comput. Vis. Image Underst. 64, 300", unit="grey", gain="g",
            noise="is the noise", larger_is_sharper=None),
)  # fmt: skip
