"""The best position from a curve of sharpness: a parabola near the top, a bell over all of it."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NORMAL_90", "Bell", "Parabola", "fit_bells", "fit_parabola", "student", "vertex"]

NORMAL_90: Final = 1.6449
"""Half width of 90 % of the normal distribution in standard deviations."""

_CENTRES: Final = 97
_WIDTHS: Final = 32
_POWERS: Final = (1.0, 2.0)  # of the bell 1 / (1 + u^2)^p: the tails of detail and of its square

Row = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Parabola:
    """A parabola through the logarithms of a measure.

    Attributes
    ----------
    best : float
        Position of its top.
    half_width : float
        Of the 90 % interval of `best`.
    curvature : float
        Second derivative; negative.
    """

    best: float
    half_width: float
    curvature: float


@dataclasses.dataclass(frozen=True, eq=False)
class Bell:
    """Bells ``base + height / (1 + ((x - best) / width)^2)^power`` fitted to curves.

    Attributes
    ----------
    best : float64 array (m,)
        Position of the top of each curve; NaN where no bell fits better than a constant.
    width, power, height, base : float64 array (m,)
    residual : float64 array (m,)
        Sum of squared deviations.
    """

    best: Row
    width: Row
    power: Row
    height: Row
    base: Row
    residual: Row

    def at(self, positions: Row, curve: int = 0) -> Row:
        """Return the values of a bell."""
        u = (np.asarray(positions, float) - self.best[curve]) / self.width[curve]
        return np.asarray(self.base[curve] + self.height[curve] * (1 + u * u) ** -self.power[curve])


def student(freedom: int) -> float:
    """Return the half width of 90 % of Student's t in standard deviations."""
    from scipy.stats import t

    return float(t.ppf(0.95, freedom))


def vertex(x: Row, y: Row) -> float | None:
    """Return where the parabola through three points has its top.

    Parameters
    ----------
    x : float array (3,)
        Increasing; need not be even.
    y : float array (3,)

    Returns
    -------
    float or None
        None when the points do not curve downwards.

    Examples
    --------
    >>> import numpy as np
    >>> vertex(np.array([-1.0, 0.0, 3.0]), -np.array([-1.5, -0.5, 2.5]) ** 2)
    0.5
    """
    slope = np.diff(y) / np.diff(x)
    bend = (slope[1] - slope[0]) / (x[2] - x[0])
    if not bend < 0:
        return None
    return float(0.5 * (x[0] + x[1]) - 0.5 * slope[0] / bend)


def fit_parabola(x: Row, y: Row, error: Row, *, measured: bool = True) -> Parabola | None:
    """Fit a parabola through three or more points and tell where its top is.

    Parameters
    ----------
    x, y : float array (n,)
        Positions and logarithms of a measure.
    error : float array (n,)
        Standard errors of `y`.
    measured : bool
        False: the errors are guesses, and the scatter counts where there is one.

    Returns
    -------
    Parabola or None
        None with fewer than three positions or without a top.

    References
    ----------
    Propagation of the errors of a least-squares fit: Bevington, Robinson, Data Reduction and
    Error Analysis (2003), chapter 7; the scatter widens the errors when it is larger (Birge,
    Phys. Rev. 40 (1932) 207).
    """
    if len(x) < 3:
        return None
    centre, spread = float(np.mean(x)), float(np.ptp(x)) or 1.0
    u = (x - centre) / spread
    design = np.stack([np.ones_like(u), u, u * u], axis=1) / error[:, None]
    covariance = np.linalg.pinv(design.T @ design)
    _, linear, square = coefficients = covariance @ (design.T @ (y / error))
    if square >= 0:
        return None
    freedom = len(x) - 3
    top = -linear / (2 * square)
    gradient = np.array([0.0, -1 / (2 * square), linear / (2 * square**2)])
    sd = float(np.sqrt(gradient @ covariance @ gradient))
    scale, quantile = 1.0, NORMAL_90
    if freedom > 0:
        scatter = float(np.sum((design @ coefficients - y / error) ** 2) / freedom)
        scale = max(1.0, np.sqrt(scatter)) if measured else np.sqrt(scatter)
        if not measured:
            quantile = student(freedom)
    half = quantile * scale * sd * spread
    return Parabola(centre + spread * float(top), half, float(2 * square / spread**2))


def fit_bells(x: Row, curves: Row, *, beyond: float = 0.0) -> Bell:
    """Fit a bell to each of many curves over the same positions.

    All centres, widths and two shapes are tried; the heights follow by least squares.

    Parameters
    ----------
    x : float array (n,)
        Positions, increasing; at least five.
    curves : float array (m, n)
        Values of a measure, not their logarithms.
    beyond : float
        How far outside the positions a top is looked for.

    Returns
    -------
    Bell

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9.0)
    >>> float(fit_bells(x, 2 + 5 / (1 + (x[None] - 3.3) ** 2)).best.round(1)[0])
    3.3
    """
    centres = np.linspace(x[0] - beyond, x[-1] + beyond, _CENTRES)
    widths = np.geomspace(0.6 * float(np.median(np.diff(x))), float(np.ptp(x)), _WIDTHS)
    shapes = np.stack(
        [
            (1 + ((x[None, None, :] - centres[:, None, None]) / widths[None, :, None]) ** 2)
            ** -power
            for power in _POWERS
        ],
        axis=2,
    )  # centre, width, power, position
    rows = shapes.reshape(-1, len(x))
    means = rows.mean(axis=1)
    rows = rows - means[:, None]
    norms = np.maximum(np.sum(rows * rows, axis=1), 1e-12)
    levels = curves.mean(axis=1)
    products = (curves - levels[:, None]) @ (rows / np.sqrt(norms)[:, None]).T
    gains = np.square(np.maximum(products, 0.0))
    choice = products.argmax(axis=1)
    which = np.arange(len(curves))
    height = products[which, choice] / np.sqrt(norms[choice])
    place, form = np.divmod(choice, len(widths) * len(_POWERS))
    best = _between(centres, gains.reshape(len(curves), len(centres), -1), place, form)
    total = np.sum((curves - levels[:, None]) ** 2, axis=1)
    gain = gains[which, choice]
    return Bell(
        np.where(gain > 0, best, np.nan),
        widths[form // len(_POWERS)],
        np.array(_POWERS)[form % len(_POWERS)],
        height,
        levels - height * means[choice],
        np.maximum(total - gain, 0.0),
    )


def _between(centres: Row, gains: Row, place: NDArray[np.intp], form: NDArray[np.intp]) -> Row:
    """Refine the centre between those that were tried, by a parabola through three gains."""
    which = np.arange(len(gains))
    inner = np.clip(place, 1, len(centres) - 2)
    before, here, after = (gains[which, inner + k, form] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    refined = centres[inner] + np.clip(shift, -1, 1) * (centres[1] - centres[0])
    return np.where(place == inner, refined, centres[place])
