"""Distributions of sizes: maximum likelihood, densities and draws for many samples at once.

Every function takes samples along the last axis and parameters that broadcast against it,
so that a bootstrap of a thousand samples is one call.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from napari_sem_tools.statistics.sample import Floats

__all__ = ["FAMILIES", "Family"]

Parameters = tuple[Floats, Floats]

_STEPS = 30  # of Newton; it ends when nothing moves
_STILL = 1e-10  # relative step


@dataclasses.dataclass(frozen=True)
class Family:
    """One distribution with two parameters.

    Attributes
    ----------
    name : str
    parameters : (str, str)
        Names, as in the report.
    estimate : callable
        ``estimate(sizes, share)`` returns the maximum-likelihood parameters (..., 1) of
        samples (..., n) whose particles have the given shares of the weight.
    log_density, log_below, log_above : callable
        ``f(sizes, parameters)``: ln of density, of the share below and of that above.
    draw : callable
        ``draw(random, parameters, shape)``.
    fixed_null : bool
        True: the null distribution of a goodness-of-fit statistic with estimated
        parameters does not depend on them.
    """

    name: str
    parameters: tuple[str, str]
    estimate: Callable[[Floats, Floats], Parameters]
    log_density: Callable[[Floats, Parameters], Floats]
    log_below: Callable[[Floats, Parameters], Floats]
    log_above: Callable[[Floats, Parameters], Floats]
    draw: Callable[[np.random.Generator, Parameters, tuple[int, ...]], Floats]
    fixed_null: bool


def _mean(values: Floats, share: Floats) -> Floats:
    """Return weighted means of samples along the last axis, which is kept."""
    return np.asarray((values @ share)[..., None])


def _location_and_width(values: Floats, share: Floats) -> Parameters:
    """Return mean and SD of maximum likelihood, whose divisor is n."""
    mean = _mean(values, share)
    return mean, np.sqrt(_mean((values - mean) ** 2, share))


def _normal_density(values: Floats, parameters: Parameters) -> Floats:
    """Return ln of the normal density."""
    mean, sd = parameters
    return -0.5 * ((values - mean) / sd) ** 2 - np.log(sd) - 0.5 * math.log(2 * math.pi)


def _normal_below(values: Floats, parameters: Parameters) -> Floats:
    """Return ln of the normal distribution function."""
    from scipy.special import log_ndtr

    return np.asarray(log_ndtr((values - parameters[0]) / parameters[1]))


def _normal_above(values: Floats, parameters: Parameters) -> Floats:
    """Return ln of what the normal distribution has above."""
    from scipy.special import log_ndtr

    return np.asarray(log_ndtr((parameters[0] - values) / parameters[1]))


def _normal_draw(
    random: np.random.Generator, parameters: Parameters, shape: tuple[int, ...]
) -> Floats:
    """Draw from a normal distribution."""
    return parameters[0] + parameters[1] * random.standard_normal(shape)


def _weibull_estimate(sizes: Floats, share: Floats) -> Parameters:
    """Return shape and scale, by Newton on the equation of the shape."""
    logs = np.log(sizes)
    centre = _mean(logs, share)
    y = logs - centre
    sd = np.sqrt(_mean(y**2, share))
    k = 1.2825 / np.maximum(sd, 1e-12)  # π/√6 over the SD of ln d
    for _ in range(_STEPS):
        power = np.exp(k * (y - y.max(axis=-1, keepdims=True)))
        total = _mean(power, share)
        first = _mean(power * y, share) / total
        second = _mean(power * y**2, share) / total
        step = (first - 1 / k) / (second - first**2 + 1 / k**2)
        k = np.clip(k - step, k / 2, 2 * k)
        if np.all(np.abs(step) < _STILL * k):
            break
    top = y.max(axis=-1, keepdims=True)
    scale = np.log(_mean(np.exp(k * (y - top)), share)) / k + top + centre
    return k, np.exp(scale)


def _weibull_power(sizes: Floats, parameters: Parameters) -> Floats:
    """Return (d/λ)^k without overflow."""
    k, scale = parameters
    return np.exp(np.minimum(k * np.log(sizes / scale), 700.0))


def _weibull_density(sizes: Floats, parameters: Parameters) -> Floats:
    """Return ln of the Weibull density."""
    k, scale = parameters
    ratio = np.log(sizes / scale)
    return np.log(k / scale) + (k - 1) * ratio - _weibull_power(sizes, parameters)


def _weibull_below(sizes: Floats, parameters: Parameters) -> Floats:
    """Return ln of the Weibull distribution function."""
    return np.log(-np.expm1(-_weibull_power(sizes, parameters)))


def _weibull_draw(
    random: np.random.Generator, parameters: Parameters, shape: tuple[int, ...]
) -> Floats:
    """Draw from a Weibull distribution."""
    return np.asarray(parameters[1] * random.standard_exponential(shape) ** (1 / parameters[0]))


def _gamma_estimate(sizes: Floats, share: Floats) -> Parameters:
    """Return shape and scale, by Newton on the equation of the shape."""
    from scipy.special import polygamma, psi

    mean = _mean(sizes, share)
    s = np.maximum(np.log(mean) - _mean(np.log(sizes), share), 1e-12)
    k = (3 - s + np.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)
    for _ in range(_STEPS):
        step = (np.log(k) - psi(k) - s) / (1 / k - polygamma(1, k))
        k = np.clip(k - step, k / 2, 2 * k)
        if np.all(np.abs(step) < _STILL * k):
            break
    return k, mean / k


def _gamma_density(sizes: Floats, parameters: Parameters) -> Floats:
    """Return ln of the gamma density."""
    from scipy.special import gammaln

    k, scale = parameters
    ratio = sizes / scale
    return np.asarray((k - 1) * np.log(ratio) - ratio - gammaln(k) - np.log(scale))


def _gamma_below(sizes: Floats, parameters: Parameters) -> Floats:
    """Return ln of the gamma distribution function."""
    from scipy.special import gammainc

    return np.asarray(np.log(np.maximum(gammainc(parameters[0], sizes / parameters[1]), 1e-300)))


def _gamma_above(sizes: Floats, parameters: Parameters) -> Floats:
    """Return ln of what the gamma distribution has above."""
    from scipy.special import gammaincc

    return np.asarray(np.log(np.maximum(gammaincc(parameters[0], sizes / parameters[1]), 1e-300)))


def _gamma_draw(
    random: np.random.Generator, parameters: Parameters, shape: tuple[int, ...]
) -> Floats:
    """Draw from a gamma distribution."""
    return np.asarray(random.gamma(parameters[0], parameters[1], shape))


FAMILIES: dict[str, Family] = {
    row.name: row
    for row in (
        Family(
            "normal", ("mean", "sd"), _location_and_width,
            _normal_density, _normal_below, _normal_above, _normal_draw, True,
        ),
        Family(
            "lognormal", ("mu", "sigma"), lambda d, w: _location_and_width(np.log(d), w),
            lambda d, p: _normal_density(np.log(d), p) - np.log(d),
            lambda d, p: _normal_below(np.log(d), p), lambda d, p: _normal_above(np.log(d), p),
            lambda random, p, shape: np.exp(_normal_draw(random, p, shape)), True,
        ),
        Family(
            "Weibull", ("shape", "scale"), _weibull_estimate,
            _weibull_density, _weibull_below, lambda d, p: -_weibull_power(d, p),
            _weibull_draw, True,
        ),
        Family(
            "gamma", ("shape", "scale"), _gamma_estimate,
            _gamma_density, _gamma_below, _gamma_above, _gamma_draw, False,
        ),
    )
}  # fmt: skip
"""Name to distribution; all but the normal start at 0."""
