"""Measures from the picture blurred by Gaussians: derivatives at a scale, edges."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.measures.measure import Measure
from napari_sem_tools.focus.measures.picture import Picture
from napari_sem_tools.focus.measures.spectrum import noise_gain

__all__ = ["SCALE_MEASURES", "edge_widths"]

Map = NDArray[np.float32]

_EDGE_SHARE: Final = 0.03  # strongest gradients that count as edges
_EDGE_RANGE_PX: Final = 21  # window in which the height of an edge is sought
_EDGE_SCALE_PX: Final = 2.0
_SMALL: Final = 1e-12


def log_variance(picture: Picture, sigma: float, *, net: bool = False) -> float:
    """Return the variance of the Laplacian of Gaussian, of white noise if asked."""
    value = float(picture.over_valid(picture.laplacian(sigma), _reach(sigma)).var())
    return value - picture.noise * noise_gain("laplace", sigma) * net


def gradient_energy(picture: Picture, sigma: float, *, net: bool = False) -> float:
    """Return the mean squared gradient of the picture blurred by a Gaussian."""
    value = float(picture.over_valid(picture.gradient_squared(sigma), _reach(sigma)).mean())
    return value - picture.noise * noise_gain("gradient", sigma) * net


def _reach(sigma: float) -> int:
    """Return how far a masked pixel is felt."""
    return int(np.ceil(2 * sigma)) + 1


def _log(a: float, b: float) -> float:
    """Return ln(a / b), NaN where there is none."""
    return float(np.log(a / b)) if a > _SMALL and b > _SMALL else float("nan")


def _over(a: float, b: float) -> float:
    """Return a / b, NaN where there is none."""
    return a / b if b > _SMALL else float("nan")


def edge_widths(picture: Picture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return height over steepness of the edges, and their steepness.

    Returns
    -------
    float64 arrays (n,)
        Width in px and gradient in grey/px at the strongest 3 % of the gradients of the
        picture blurred by 2 px.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    steep = np.sqrt(picture.gradient_squared(_EDGE_SCALE_PX))
    seen = picture.smooth(_EDGE_SCALE_PX)
    height = maximum_filter(seen, _EDGE_RANGE_PX) - minimum_filter(seen, _EDGE_RANGE_PX)
    steep, height = (
        picture.over_valid(m, _EDGE_RANGE_PX // 2) for m in (steep, height[1:-1, 1:-1])
    )
    if steep.size == 0:
        return np.zeros(0), np.zeros(0)
    least = np.partition(steep, int((1 - _EDGE_SHARE) * (steep.size - 1)))[
        int((1 - _EDGE_SHARE) * (steep.size - 1))
    ]
    edges = steep >= max(float(least), _SMALL)
    return height[edges].astype(float) / steep[edges], steep[edges].astype(float)


def _edge_width(picture: Picture) -> float:
    widths, _ = edge_widths(picture)
    return float(np.median(widths)) if widths.size else float("nan")


def _kurtosis(picture: Picture) -> float:
    squared = picture.over_valid(picture.gradient_squared(1.5), _reach(1.5))
    return _over(float(np.mean(squared * squared)), float(np.mean(squared)) ** 2)


def _blur_effect(picture: Picture) -> float:
    from skimage.measure import blur_effect

    if picture.variance == 0:
        return float("nan")
    return 1.0 - float(blur_effect(picture.grey, h_size=11))


_LOG = "Marr, Hildreth 1980; napari-sem-tools"
_GDER = "Geusebroek, Cornelissen, Smeulders, Geerts 2000, Cytometry 39, 1"


def _log_row(sigma: int) -> Measure:
    return Measure(f"LoG{sigma}", f"Laplacian of Gaussian, {sigma} px",
                   f"var Laplacian(G_{sigma} * I)", lambda p: log_variance(p, sigma), _LOG,
                   unit="grey²", gain="g²")  # fmt: skip


def _gder_row(sigma: int) -> Measure:
    return Measure(f"GDER{sigma}", f"Gaussian derivative, {sigma} px",
                   f"<(d_x G_{sigma} * I)² + (d_y G_{sigma} * I)²>",
                   lambda p: gradient_energy(p, sigma), _GDER, unit="grey²", gain="g²")  # fmt: skip


SCALE_MEASURES: Final = (
    Measure("LoG2/var", "Laplacian of Gaussian over variance", "var Laplacian(G_2 * I) / v",
            lambda p: _over(log_variance(p, 2.0), p.variance), _LOG, unit="px⁻⁴", noise="medium"),
    Measure("LoG2n/netvar", "the same without the noise",
            "(var Laplacian(G_2 * I) - noise) / (v - n)",
            lambda p: _over(log_variance(p, 2.0, net=True), p.net_variance), _LOG, unit="px⁻⁴",
            noise="corrected"),
    Measure("LoG2n/mean2", "Laplacian of Gaussian over the squared mean, without the noise",
            "(var Laplacian(G_2 * I) - noise) / m²",
            lambda p: _over(log_variance(p, 2.0, net=True), p.mean**2), _LOG, unit="px⁻⁴",
            offset_free=False, noise="corrected"),
    Measure("GDER2/mean2", "Gaussian derivative over the squared mean",
            "<(d_x G_2 * I)² + (d_y G_2 * I)²> / m²",
            lambda p: _over(gradient_energy(p, 2.0), p.mean**2), _GDER, unit="px⁻²",
            offset_free=False, noise="medium"),
    Measure("LoG4/mean2", "wide Laplacian of Gaussian over the squared mean",
            "var Laplacian(G_4 * I) / m²",
            lambda p: _over(log_variance(p, 4.0), p.mean**2), _LOG, unit="px⁻⁴",
            offset_free=False, noise="medium"),
    *(_log_row(s) for s in (1, 2, 4)),
    *(_gder_row(s) for s in (1, 2, 4)),
    Measure("GDR2/4", "ratio of Gaussian derivatives", "ln GDER2 / GDER4",
            lambda p: _log(gradient_energy(p, 2.0), gradient_energy(p, 4.0)), _GDER,
            noise="medium"),
    Measure("LoGR2/4", "ratio of Laplacians of Gaussian", "ln LoG2 / LoG4",
            lambda p: _log(log_variance(p, 2.0), log_variance(p, 4.0)), _LOG, noise="medium"),
    Measure("BEFF", "one minus the blur effect", "1 - loss of gradient after a blur of 11 px",
            _blur_effect, "Crété et al. 2007, SPIE 6492; skimage.measure.blur_effect",
            noise="strong"),
    Measure("EDGW", "width of edges", "median of local range / gradient, strongest 3 %, at 2 px",
            _edge_width, "Marziliano et al. 2002, ICIP; napari-sem-tools", unit="px",
            larger_is_sharper=False, noise="medium"),
    Measure("GRDK", "kurtosis of the gradient", "<g⁴> / <g²>², at 1.5 px", _kurtosis,
            "napari-sem-tools", noise="medium"),
)  # fmt: skip
