"""What the instrument changes: gain, grey curve, spot, counting, charging, scan, lettering.

Each step takes and returns grey values where 0 is black and 1 is white (values beyond are
kept), and leaves the mask alone but for what a strip or a box hides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "blur",
    "charging",
    "counting",
    "gain",
    "gamma",
    "jitter",
    "letters",
    "polarity",
    "shading",
]

Grey = NDArray[np.float32]
Rng = np.random.Generator


def gain(grey: Grey, rng: Rng, *, contrast: float = 0.3, brightness: float = 0.15) -> Grey:
    """Turn the knobs of contrast and brightness.

    Parameters
    ----------
    grey : float32 array (Y, X)
    rng : numpy.random.Generator
    contrast, brightness : float
        Largest change of either.

    Returns
    -------
    float32 array (Y, X)
    """
    factor = np.exp(rng.uniform(-contrast, contrast))
    return np.asarray(
        factor * (grey - 0.5) + 0.5 + rng.uniform(-brightness, brightness), np.float32
    )


def gamma(grey: Grey, rng: Rng, *, strength: float = 0.4) -> Grey:
    """Bend the grey curve.

    Parameters
    ----------
    grey : float32 array (Y, X)
    rng : numpy.random.Generator
    strength : float
        Largest natural logarithm of the exponent.

    Returns
    -------
    float32 array (Y, X)
    """
    return np.asarray(np.clip(grey, 0, 1.5) ** np.exp(rng.uniform(-strength, strength)), np.float32)


def shading(grey: Grey, rng: Rng, *, strength: float = 0.2) -> Grey:
    """Let the brightness change slowly over the image.

    Parameters
    ----------
    grey : float32 array (Y, X)
    rng : numpy.random.Generator
    strength : float
        Largest change from the centre to an edge.

    Returns
    -------
    float32 array (Y, X)
    """
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in grey.shape)
    slope = rng.uniform(-strength, strength, 2)
    return np.asarray(grey * (1 + slope[0] * y[:, None] + slope[1] * x[None]), np.float32)


def blur(grey: Grey, rng: Rng, *, most_px: float = 1.6, astigmatism: float = 0.5) -> Grey:
    """Widen the spot, more along one direction than across it.

    Parameters
    ----------
    grey : float32 array (Y, X)
    rng : numpy.random.Generator
    most_px : float
        Largest standard deviation of the spot.
    astigmatism : float
        Largest share by which the narrow side is narrower.

    Returns
    -------
    float32 array (Y, X)

    Notes
    -----
    A Gaussian with a tilted ellipse as its section, applied as a filter of the spatial
    frequencies, mirrored at the border.
    """
    from scipy import fft

    wide = rng.uniform(0.3, most_px)
    narrow = wide * (1 - rng.uniform(0, astigmatism))
    angle = rng.uniform(0, np.pi)
    border = int(np.ceil(3 * wide))
    padded = np.pad(grey, border, mode="symmetric")
    y = np.fft.fftfreq(padded.shape[0])[:, None]
    x = np.fft.rfftfreq(padded.shape[1])[None]
    along, across = (
        np.cos(angle) * x + np.sin(angle) * y,
        np.cos(angle) * y - np.sin(angle) * x,
    )
    passed = np.exp(-2 * np.pi**2 * ((along * wide) ** 2 + (across * narrow) ** 2))
    spread = fft.irfft2(fft.rfft2(padded) * passed.astype(np.float32), padded.shape)
    inner = spread[border : border + grey.shape[0], border : border + grey.shape[1]]
    return np.asarray(inner, np.float32)


def counting(grey: Grey, rng: Rng, *, dose: tuple[float, float] = (30, 1000)) -> Grey:
    """Count electrons, and add the noise of reading.

    Parameters
    ----------
    grey : float32 array (Y, X)
    rng : numpy.random.Generator
    dose : (float, float)
        Electrons in a white pixel, from and to; drawn evenly in its logarithm.

    Returns
    -------
    float32 array (Y, X)
    """
    electrons = float(np.exp(rng.uniform(*np.log(dose))))
    dark = 0.15  # a black pixel counts too: the detector's offset and back-scattered electrons
    counted = rng.poisson(np.clip(grey + dark, 0, 4) * electrons) / electrons - dark
    read = rng.uniform(0, 0.03) * rng.standard_normal(grey.shape, np.float32)
    return np.asarray(counted + read, np.float32)


def charging(grey: Grey, rng: Rng, *, strength: float = 0.8) -> Grey:
    """Drag light or shadow behind bright places, along the scan lines.

    Parameters
    ----------
    grey : float32 array (Y, X)
    rng : numpy.random.Generator
    strength : float
        Largest share of the excess that is dragged.

    Returns
    -------
    float32 array (Y, X)
    """
    from scipy.signal import lfilter

    decay = np.exp(-1 / rng.uniform(10, 80))
    excess = np.maximum(grey - 0.6, 0)
    drag = lfilter([1 - decay], [1, -decay], excess, axis=1)
    factor = rng.choice([-1, 1]) * rng.uniform(0.2, strength)
    return np.asarray(grey + factor * drag, np.float32)


def jitter(grey: Grey, rng: Rng, *, strength: float = 0.03) -> Grey:
    """Make whole scan lines a little brighter or darker.

    Parameters
    ----------
    grey : float32 array (Y, X)
    rng : numpy.random.Generator
    strength : float
        Largest standard deviation of a line.

    Returns
    -------
    float32 array (Y, X)
    """
    lines = rng.standard_normal((grey.shape[0], 1), np.float32)
    return np.asarray(grey + rng.uniform(0, strength) * lines, np.float32)


def polarity(grey: Grey, rng: Rng) -> Grey:
    """Make bright particles dark.

    Parameters
    ----------
    grey : float32 array (Y, X)
    rng : numpy.random.Generator
        Not needed.

    Returns
    -------
    float32 array (Y, X)
    """
    return np.asarray(1 - grey, np.float32)


def letters(grey: Grey, mask: NDArray[Any], rng: Rng) -> tuple[Grey, NDArray[Any]]:
    """Burn letters, bars, boxes and a strip into an image.

    Parameters
    ----------
    grey : float32 array (Y, X)
    mask : array (..., Y, X)
    rng : numpy.random.Generator

    Returns
    -------
    grey : float32 array (Y, X)
    mask : array (..., Y, X)
        0 where a strip or a box hides the specimen; below bare letters it goes on.
    """
    from napari_sem_tools.simulation.distractors import burn_in

    before = np.asarray(np.clip(np.rint(255 * grey), 0, 255), np.uint8)
    after = before.copy()
    hidden = burn_in(after, rng)
    written = (after != before) | hidden
    return (
        np.where(written, after.astype(np.float32) / np.float32(255), grey),
        np.where(hidden, mask.dtype.type(0), mask),
    )
