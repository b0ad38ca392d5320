"""Means, widths, quantiles and the mode of weighted sizes."""

from __future__ import annotations

import math

import numpy as np

from napari_sem_tools.statistics.sample import Floats

__all__ = ["kish", "mode", "moment_mean", "quantile", "weighted_sd"]

_ONE_SIZE = 1e-9  # SD of ln d below which all sizes are the same but for rounding
_GRID = 512  # points of the density whose maximum is the mode


def quantile(sizes: Floats, weights: Floats, shares: Floats | float) -> Floats:
    """Return sizes below which given shares of the weight lie.

    The share at a particle counts half of its own weight; between particles it is linear
    in the size, beyond them flat.  For equal weights this is numpy's ``"hazen"``.

    Parameters
    ----------
    sizes, weights : float64 arrays (n,)
    shares : float array
        Between 0 and 1; NaN gives NaN.

    Returns
    -------
    float64 array

    Examples
    --------
    >>> float(quantile(np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4), 0.5))
    2.5
    """
    order = np.argsort(sizes, kind="stable")
    return quantile_of_sorted(sizes[order], weights[order], shares)


def quantile_of_sorted(sizes: Floats, weights: Floats, shares: Floats | float) -> Floats:
    """Return what `quantile` does, of sizes that ascend already."""
    cumulative = np.cumsum(weights)
    middle = (cumulative - weights / 2) / cumulative[-1]
    return np.asarray(np.interp(shares, middle, sizes))


def moment_mean(sizes: Floats, p: float, q: float, weights: Floats | None = None) -> float:
    """Return D[p,q] = (Σ w d^p / Σ w d^q)^(1/(p-q)), and its limit where p = q.

    Parameters
    ----------
    sizes : float64 array (n,)
    p, q : float
    weights : float64 array (n,), optional

    Returns
    -------
    float

    References
    ----------
    ISO 9276-2:2014, moment-ratio notation.

    Examples
    --------
    >>> moment_mean(np.array([1.0, 2.0]), 1, 0), round(moment_mean(np.array([1.0, 2.0]), 0, 0), 4)
    (1.5, 1.4142)
    """
    w = np.ones_like(sizes) if weights is None else weights
    unit = sizes.max()  # powers of sizes relative to the largest cannot overflow
    powered = w * (sizes / unit) ** p
    if p == q:
        return float(unit * np.exp(powered @ np.log(sizes / unit) / powered.sum()))
    ratio = np.sum(powered) / np.sum(w * (sizes / unit) ** q)
    return float(unit * ratio ** (1 / (p - q)))


def kish(weights: Floats) -> float:
    """Return the effective number of particles, (Σw)²/Σw².

    References
    ----------
    L. Kish, "Survey sampling", Wiley 1965.

    Examples
    --------
    >>> kish(np.array([2.0, 2.0, 2.0])), kish(np.array([1.0, 0.0]))
    (3.0, 1.0)
    """
    return float(weights.sum() ** 2 / np.sum(weights**2))


def weighted_sd(values: Floats, share: Floats) -> float:
    """Return the SD with the divisor V1 - V2/V1, which is n - 1 for equal weights.

    Parameters
    ----------
    values : float64 array (n,)
    share : float64 array (n,)
        Weights with the sum 1.

    Returns
    -------
    float
        NaN for less than two values.
    """
    divisor = 1 - np.sum(share**2)
    if len(values) < 2 or divisor <= 0:
        return math.nan
    return float(np.sqrt(share @ (values - share @ values) ** 2 / divisor))


def mode(logs: Floats, share: Floats, effective: float) -> tuple[float, float]:
    """Return the maximum of a kernel density on ln d, and its bandwidth in ln d.

    Parameters
    ----------
    logs, share : float64 arrays (n,)
        ln d, ascending, and weights with the sum 1.
    effective : float
        Effective number of particles, for the bandwidth.

    Returns
    -------
    (float, float)
        NaN where all sizes are the same.

    References
    ----------
    B. W. Silverman, "Density estimation", 1986, eq. 3.31.
    """
    sd = weighted_sd(logs, share)
    if not sd > _ONE_SIZE:
        return math.nan, math.nan
    q1, q3 = quantile_of_sorted(logs, share, np.array([0.25, 0.75]))
    spread = min(sd, (q3 - q1) / 1.349) or sd
    bandwidth = float(0.9 * spread * effective**-0.2)
    low, high = logs.min() - 3 * bandwidth, logs.max() + 3 * bandwidth
    bins = int(max(_GRID, min(16 * _GRID, math.ceil(8 * (high - low) / bandwidth))))
    counts, edges = np.histogram(logs, bins, (low, high), weights=share)
    step = edges[1] - edges[0]
    half = math.ceil(4 * bandwidth / step)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * step / bandwidth) ** 2)
    density = np.convolve(counts, kernel, "full")[half : half + bins]
    return float(np.exp(edges[np.argmax(density)] + step / 2)), bandwidth
