"""The probe out of focus: what defocus and astigmatism do to spatial frequencies."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

__all__ = ["Probe", "defocused", "probe_of", "transfer"]

Field = NDArray[np.float32]

_TAIL = 3.0  # width of the tail of a chromatic probe over that of its core


@dataclasses.dataclass(frozen=True)
class Probe:
    """The blur of an image, as standard deviations in pixels.

    Attributes
    ----------
    blur_px : float
        Square root of the mean variance of the two axes.
    astigmatism : (float, float)
        (Sxx - Syy, 2 Sxy) / (Sxx + Syy) of the covariance S of the blur; (0, 0): round.
    shape : {"gauss", "disc"}
        A Gaussian, or the uniform disc (here an ellipse) of geometrical optics with the same
        covariance: its radius is twice `blur_px`.
    tail : float
        Share of the electrons in a Gaussian three times as wide.

    Examples
    --------
    >>> Probe(1.5).covariance.tolist()
    [[2.25, 0.0], [0.0, 2.25]]
    """

    blur_px: float
    astigmatism: tuple[float, float] = (0.0, 0.0)
    shape: str = "gauss"
    tail: float = 0.0

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the blur, x before y, in px squared."""
        first, second = self.astigmatism
        half = np.array([[1 + first, second], [second, 1 - first]])
        return np.asarray(self.blur_px**2 * half)


def probe_of(
    defocus_nm: float,
    *,
    half_angle_mrad: float,
    pixel_nm: float,
    focused_nm: float = 0.0,
    astigmatism_nm: float = 0.0,
    astigmatism_angle: float = 0.0,
) -> Probe:
    """Return the probe at a distance from focus.

    Parameters
    ----------
    defocus_nm : float
        Distance from focus, either sign.
    half_angle_mrad : float
        Convergence half-angle of the beam.
    pixel_nm : float
    focused_nm : float
        Standard deviation of the probe in focus (source size, diffraction).
    astigmatism_nm : float
        Half the distance between the two line foci.
    astigmatism_angle : float
        Direction of the first one, in radians.

    Returns
    -------
    Probe

    Notes
    -----
    ``S(z) = s0^2 1 + (a/2)^2 (z 1 + A Q)^2`` with ``Q = [[cos 2t, sin 2t], [sin 2t, -cos 2t]]``:
    a disc of radius a z has the standard deviation a z / 2 along each axis.

    References
    ----------
    .. [1] L. Reimer, "Scanning Electron Microscopy", 2nd ed., Springer (1998), section 2.3.

    Examples
    --------
    >>> round(probe_of(10_000, half_angle_mrad=5, pixel_nm=10).blur_px, 3)
    2.5
    """
    turn = np.array(
        [
            [np.cos(2 * astigmatism_angle), np.sin(2 * astigmatism_angle)],
            [np.sin(2 * astigmatism_angle), -np.cos(2 * astigmatism_angle)],
        ]
    )
    bent = defocus_nm * np.eye(2) + astigmatism_nm * turn
    spread = (half_angle_mrad * 1e-3 / 2) ** 2 * bent @ bent + focused_nm**2 * np.eye(2)
    total = float(np.trace(spread))
    if total <= 0:
        return Probe(0.0)
    vector = (float(spread[0, 0] - spread[1, 1]) / total, 2 * float(spread[0, 1]) / total)
    return Probe(float(np.sqrt(total / 2)) / pixel_nm, vector, "disc")


def transfer(shape: tuple[int, int], probe: Probe) -> Field:
    """Return the factor of every spatial frequency, for `scipy.fft.rfft2`.

    Parameters
    ----------
    shape : (int, int)
        Of the image.
    probe : Probe

    Returns
    -------
    float32 array (Y, X // 2 + 1)
        1 at zero frequency.

    Examples
    --------
    >>> float(transfer((8, 8), Probe(2.0))[0, 0])
    1.0
    """
    y = np.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    x = np.fft.rfftfreq(shape[1]).astype(np.float32)[None]
    (xx, xy), (_, yy) = probe.covariance.astype(np.float32)
    spread = np.maximum(xx * x * x + 2 * xy * x * y + yy * y * y, 0)
    core = _PROFILES[probe.shape](spread)
    if probe.tail:
        core = (1 - probe.tail) * core + probe.tail * _gauss(_TAIL**2 * spread)
    return np.asarray(core, np.float32)


def defocused(image: NDArray[np.floating], probe: Probe, *, border: int | None = None) -> Field:
    """Blur an image as a probe does, without truncation; it is mirrored at the border.

    Parameters
    ----------
    image : array (Y, X)
    probe : Probe
    border : int, optional
        Mirrored pixels; None: five standard deviations.

    Returns
    -------
    float32 array (Y, X)

    Examples
    --------
    >>> flat = np.full((16, 16), 0.5, np.float32)
    >>> bool(np.allclose(defocused(flat, Probe(3.0)), 0.5))
    True
    """
    from scipy import fft

    if not probe.blur_px:
        return np.array(image, np.float32)
    wide = min(int(np.ceil(5 * probe.blur_px)), *image.shape) if border is None else border
    padded = np.pad(np.asarray(image, np.float32), wide, mode="symmetric")
    spectrum = fft.rfft2(padded) * transfer((padded.shape[0], padded.shape[1]), probe)
    blurred = fft.irfft2(spectrum, padded.shape)
    rows, columns = image.shape
    return np.asarray(blurred[wide : wide + rows, wide : wide + columns], np.float32)


def _gauss(spread: Field) -> Field:
    """Return the transfer of a Gaussian; `spread` is f' S f."""
    return np.asarray(np.exp(-2 * np.pi**2 * spread))


def _disc(spread: Field) -> Field:
    """Return the transfer of a uniform disc or ellipse."""
    from scipy.special import j1

    u = (4 * np.pi) * np.sqrt(spread)
    safe = np.maximum(u, 1e-3)
    return np.where(u < 1e-3, 1.0, 2 * j1(safe) / safe)


_PROFILES = {"gauss": _gauss, "disc": _disc}
