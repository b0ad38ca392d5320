"""The radial power spectrum of a picture and what is read from it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spectrum", "gauss_transfer", "noise_gain"]

Map = NDArray[np.float32]
Row = NDArray[np.float64]

NOISE_FROM: Final = 0.42  # cycles/px; above, little but noise is left in most micrographs
_BINS: Final = 128  # of radius, from 0 to 0.5 cycles/px


@functools.lru_cache(maxsize=64)
def gauss_transfer(shape: tuple[int, int], sigma: float) -> tuple[Map, Map]:
    """Return the transfer of a Gaussian along rows and columns in the cosine basis."""
    rows, columns = (
        np.exp(-2 * (np.pi * sigma * np.arange(n) / (2 * n)) ** 2).astype(np.float32) for n in shape
    )
    return rows, columns


@functools.lru_cache(maxsize=64)
def noise_gain(kind: str, sigma: float) -> float:
    """Return what white noise of variance 1 adds to a map of a picture blurred by a Gaussian.

    Of the mean squared gradient (``"gradient"``), of the variance of the Laplacian
    (``"laplace"``), of the variance (``"smooth"``); for the differences that `Picture` takes.
    """
    f = np.arange(256) / 512.0
    line = np.exp(-4 * (np.pi * sigma * f) ** 2)
    step = np.sin(2 * np.pi * f) ** 2
    second = 2 * np.cos(2 * np.pi * f) - 2
    plain = line.mean()
    if kind == "gradient":
        return float(2 * (line * step).mean() * plain)
    if kind == "smooth":
        return float(plain**2)
    return float(2 * (line * second**2).mean() * plain + 2 * (line * second).mean() ** 2)


@functools.lru_cache(maxsize=8)
def _hann(shape: tuple[int, int]) -> Map:
    """Return a Hann window with a mean square of 1."""
    rows, columns = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n) for n in shape)
    window = rows[:, None] * columns[None, :]
    return np.asarray(window / np.sqrt(np.mean(window**2)), np.float32)


@functools.lru_cache(maxsize=8)
def _radial(shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return bin and weight of each coefficient of a real transform, and counts."""
    down = np.fft.fftfreq(shape[0])[:, None]
    right = np.fft.rfftfreq(shape[1])[None, :]
    squared = down**2 + right**2
    place = np.minimum((np.sqrt(squared) * 2 * _BINS).astype(np.intp), _BINS)
    weight = np.full(squared.shape, 2.0, np.float32)
    weight[:, 0] = 1.0
    if shape[1] % 2 == 0:
        weight[:, -1] = 1.0
    counts = np.bincount(place.ravel(), weight.ravel(), _BINS + 1)
    return place.ravel(), weight.ravel(), counts


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """Power by radius; white noise of variance n has the power n at every frequency.

    Attributes
    ----------
    frequency : float64 array (128,)
        Middle of each ring, cycles/px, up to 0.5.
    power : float64 array (128,)
        Mean power in the ring; NaN where a small picture has no coefficient.
    counts : float64 array (128,)
        Coefficients in the ring.
    corner : float
        Mean power beyond 0.5 cycles/px, in the corners.
    noise : float
        Mean power above 0.42 cycles/px, corners left out.
    transform : complex64 array
        Of the windowed picture.
    shape : (int, int)
    """

    frequency: Row
    power: Row
    counts: Row
    corner: float
    noise: float
    transform: NDArray[np.complexfloating[Any, Any]]
    shape: tuple[int, int]

    @classmethod
    def of(cls, grey: Map, mean: float) -> Spectrum:
        """Work it out from grey values."""
        from scipy.fft import rfft2

        shape = (grey.shape[0], grey.shape[1])
        window = _hann(shape)
        level = (
            np.float32(np.mean(grey * window) / window.mean()) if grey.size else np.float32(mean)
        )
        transform = rfft2((grey - level) * window, norm="ortho")
        place, weight, counts = _radial(shape)
        squared = np.square(transform.real) + np.square(transform.imag)
        sums = np.bincount(place, (squared.ravel() * weight), _BINS + 1)
        with np.errstate(invalid="ignore"):
            power = sums / counts
        frequency = (np.arange(_BINS) + 0.5) / (2 * _BINS)
        high = frequency > NOISE_FROM
        noise = float(sums[:_BINS][high].sum() / max(counts[:_BINS][high].sum(), 1.0))
        return cls(frequency, power[:_BINS], counts[:_BINS], float(power[_BINS]), noise,
                   transform, shape)  # fmt: skip

    def band(self, low: float, high: float) -> float:
        """Return the mean power between two frequencies in cycles/px."""
        inside = (self.frequency >= low) & (self.frequency < high) & (self.counts > 0)
        total = self.counts[inside].sum()
        if total == 0:
            return 0.0
        return float((self.power[inside] * self.counts[inside]).sum() / total)

    def net_sum(self, low: float, high: float) -> float:
        """Return the power over the noise, summed over a band: its part of the variance."""
        inside = (self.frequency >= low) & (self.frequency < high) & (self.counts > 0)
        net = np.maximum(self.power[inside] - self.noise, 0.0) * self.counts[inside]
        return float(net.sum() / (self.shape[0] * self.shape[1]))

    @functools.cached_property
    def autocovariance(self) -> Map:
        """Autocovariance of the windowed picture, lag (0, 0) first."""
        from scipy.fft import irfft2

        squared = np.square(self.transform.real) + np.square(self.transform.imag)
        lags = irfft2(squared, s=self.shape, norm="ortho")
        return np.asarray(lags / np.sqrt(self.shape[0] * self.shape[1]))
