"""Sizes of several populations: a mixture of lognormals and how many it has."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.fits import check
from napari_sem_tools.statistics.moments import kish, quantile
from napari_sem_tools.statistics.sample import Floats, Sample

__all__ = ["Mixture", "fit_mixture"]

FLOOR = 0.02
"""Smallest SD of ln d of a component: no population of particles is narrower than 2 %."""

Parts = tuple[Floats, Floats, Floats]

_RESTARTS = 20
_FEW_ENOUGH = 4_000  # particles on which starting points are compared
_FIRST_STEPS = 30  # after which only the best restarts go on
_KEPT = 4
_STEPS = 500
_STILL = 1e-8  # change of the log-likelihood per particle that ends the search
_PER_COMPONENT = 10  # effective particles that a component needs


@dataclasses.dataclass(frozen=True)
class Mixture:
    """A mixture of lognormals.

    Attributes
    ----------
    shares : tuple of float
        By number, of the components in the order of their medians.
    medians, gsds : tuple of float
        Medians in the unit of the sizes.
    log_likelihood, aic, bic : float
    tried : dict of int to float
        BIC of every number of components that was tried.
    n_effective : float
    """

    shares: tuple[float, ...]
    medians: tuple[float, ...]
    gsds: tuple[float, ...]
    log_likelihood: float
    aic: float
    bic: float
    tried: dict[int, float]
    n_effective: float

    @property
    def n_components(self) -> int:
        """Number of lognormals."""
        return len(self.shares)

    def density(self, sizes: Floats) -> Floats:
        """Return the density by number at some sizes."""
        d = np.asarray(sizes, np.float64)[..., None]
        sigma = np.log(self.gsds)
        z = np.log(d / np.array(self.medians)) / sigma
        parts = np.exp(-(z**2) / 2) / (d * sigma * math.sqrt(2 * math.pi))
        return np.asarray(parts @ np.array(self.shares))


def fit_mixture(sample: Sample, *, max_components: int = 3, seed: int = 0) -> Mixture:
    """Fit one to several lognormals and keep the number with the lowest BIC.

    Parameters
    ----------
    sample : Sample
    max_components : int
    seed : int
        Of the starting points.

    Returns
    -------
    Mixture

    Raises
    ------
    InvalidSettings
        Less than five sizes, all sizes the same, or no component asked for.

    Notes
    -----
    Expectation maximisation on ln d from 20 starting points; no component is narrower
    than 2 % (SD of ln d), as a single size repeated would be.

    References
    ----------
    G. McLachlan, D. Peel, "Finite mixture models", 2000.  G. Schwarz, Ann. Stat. 6 (1978)
    461, for BIC.

    Examples
    --------
    >>> random = np.random.default_rng(3)
    >>> sizes = np.concatenate([20 * np.exp(random.normal(0, 0.1, 300)),
    ...     80 * np.exp(random.normal(0, 0.1, 100))])
    >>> found = fit_mixture(Sample.of(sizes))
    >>> found.n_components, [round(m) for m in found.medians], [round(s, 2) for s in found.shares]
    (2, [20, 80], [0.75, 0.25])
    """
    check(sample)
    if max_components < 1:
        raise InvalidSettings("A mixture has one component or more.")
    logs, effective = np.log(sample.sizes), kish(sample.weights)
    share = sample.weights / sample.weights.sum()
    random = np.random.default_rng(seed)
    most = min(max_components, max(int(effective) // _PER_COMPONENT, 1))
    found, tried = [], {}
    for k in range(1, most + 1):
        parts = _search(logs, share, k, random)
        likelihood = effective * float(_evidence(logs, *parts)[0] @ share - share @ logs)
        tried[k] = (3 * k - 1) * math.log(effective) - 2 * likelihood
        found.append((tried[k], likelihood, parts))
    bic, likelihood, (amounts, means, widths) = min(found, key=lambda one: one[0])
    order = np.argsort(means[0])
    return Mixture(
        tuple(amounts[0][order].tolist()),
        tuple(np.exp(means[0][order]).tolist()),
        tuple(np.exp(widths[0][order]).tolist()),
        likelihood,
        2 * (3 * len(order) - 1) - 2 * likelihood,
        bic,
        tried,
        effective,
    )


def _search(logs: Floats, share: Floats, k: int, random: np.random.Generator) -> Parts:
    """Return shares, means and SDs (1, k) of the most likely mixture that was found."""
    spread = math.sqrt(float(share @ (logs - share @ logs) ** 2))
    starts = 1 if k == 1 else _RESTARTS
    some, held = logs, share
    if len(logs) > _FEW_ENOUGH:  # starting points are compared on a part of the particles
        chosen = random.choice(len(logs), _FEW_ENOUGH, replace=False)
        some, held = logs[chosen], share[chosen] / share[chosen].sum()
    found = (
        np.full((starts, k), 1 / k),
        quantile(logs, share, random.random((starts, k))),
        np.full((starts, k), max(spread / k, FLOOR)),
    )
    for steps, kept in ((_FIRST_STEPS, _KEPT), (_STEPS, 1)):
        found, likelihood = _climb(some, held, found, spread, steps)
        best = np.argsort(likelihood)[-kept:]
        found = (found[0][best], found[1][best], found[2][best])
    return _climb(logs, share, found, spread, _STEPS)[0]


def _climb(
    logs: Floats, share: Floats, found: Parts, spread: float, steps: int
) -> tuple[Parts, Floats]:
    """Improve mixtures until nothing is gained; return them and their log-likelihoods."""
    before = np.full(len(found[0]), -np.inf)
    for _ in range(steps):
        evidence, parts = _evidence_of_all(logs, *found)
        likelihood = evidence @ share
        if np.all(likelihood - before < _STILL):
            break
        before = likelihood
        found = _improved(logs, share, parts, spread)
    return found, np.asarray(_evidence(logs, *found) @ share)


def _evidence(logs: Floats, amounts: Floats, means: Floats, widths: Floats) -> Floats:
    """Return ln of the density of ln d for each start, (starts, n)."""
    return _evidence_of_all(logs, amounts, means, widths)[0]


def _evidence_of_all(
    logs: Floats, amounts: Floats, means: Floats, widths: Floats
) -> tuple[Floats, Floats]:
    """Return ln of the density (starts, n), and what belongs to each component (starts, k, n)."""
    z = (logs - means[..., None]) / widths[..., None]
    with np.errstate(divide="ignore"):
        height = np.log(amounts) - np.log(widths) - 0.5 * math.log(2 * math.pi)
    parts = height[..., None] - 0.5 * z**2
    top = parts.max(axis=1, keepdims=True)
    parts = np.exp(parts - top)
    total = parts.sum(axis=1, keepdims=True)
    return (np.log(total) + top)[:, 0], parts / total


def _improved(logs: Floats, share: Floats, parts: Floats, spread: float) -> Parts:
    """Return the parameters that are most likely for given parts."""
    amounts = parts @ share
    held = np.maximum(amounts, 1e-12)
    means = (parts @ (share * logs)) / held
    variance = ((logs - means[..., None]) ** 2 * parts) @ share / held
    return amounts, means, np.clip(np.sqrt(variance), FLOOR, 2 * spread + FLOOR)
