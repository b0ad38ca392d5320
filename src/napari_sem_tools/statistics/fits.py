"""Which distribution sizes follow: maximum likelihood, AIC, and a test that is honest.

The test draws from the fitted distribution and fits every draw again.  Tabulated p values
of Kolmogorov-Smirnov are for parameters known beforehand, and never reject.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.families import FAMILIES, Family, Parameters
from napari_sem_tools.statistics.moments import kish
from napari_sem_tools.statistics.sample import Floats, Sample

__all__ = ["Fit", "Goodness", "fit_distributions", "goodness_of_fit"]

_AT_ONCE = 2_000_000  # numbers drawn in one piece
_ENOUGH = 1_000  # sizes from which on the null distribution does not change any more
_FEWEST = 5  # sizes that two parameters need to leave anything over

StatisticName = Literal["anderson-darling", "kolmogorov-smirnov"]


@dataclasses.dataclass(frozen=True)
class Fit:
    """One distribution fitted to the sizes.

    Attributes
    ----------
    family : str
        ``"normal"``, ``"lognormal"``, ``"Weibull"`` or ``"gamma"``.
    parameters : dict of str to float
        Sizes in the unit of the sample; ``mu`` and ``sigma`` of ln d.
    log_likelihood : float
    aic, bic : float
    delta_aic : float
        AIC over the best of the fits compared.
    akaike_weight : float
        Between 0 and 1, over the fits compared.
    n_effective : float
        What the weights add up to in the likelihood; n without edge weights.
    """

    family: str
    parameters: dict[str, float]
    log_likelihood: float
    aic: float
    bic: float
    delta_aic: float
    akaike_weight: float
    n_effective: float

    def density(self, sizes: Floats) -> Floats:
        """Return the density by number at some sizes."""
        return np.exp(FAMILIES[self.family].log_density(np.asarray(sizes, float), self._values))

    def below(self, sizes: Floats) -> Floats:
        """Return the share of the number below some sizes."""
        return np.exp(FAMILIES[self.family].log_below(np.asarray(sizes, float), self._values))

    @property
    def _values(self) -> Parameters:
        """The parameters as the family takes them."""
        first, second = (np.array([value]) for value in self.parameters.values())
        return first, second


@dataclasses.dataclass(frozen=True)
class Goodness:
    """Whether sizes may come from a distribution.

    Attributes
    ----------
    family : str
    statistic : {"anderson-darling", "kolmogorov-smirnov"}
    value : float
    p_value : float
        Share of samples drawn from the fit that deviate as much from their own fit.
    repeats, seed : int
    n : int
    """

    family: str
    statistic: str
    value: float
    p_value: float
    repeats: int
    seed: int
    n: int

    @property
    def text(self) -> str:
        """The result in a sentence; not rejected is no proof."""
        said = "is rejected" if self.p_value < 0.05 else "is not rejected"
        return (
            f"A {self.family} distribution {said} ({self.statistic}, p = {self.p_value:.2g}, "
            f"{self.repeats} samples drawn from the fit, n = {self.n})."
        )


def fit_distributions(sample: Sample, families: Sequence[str] = tuple(FAMILIES)) -> tuple[Fit, ...]:
    """Fit distributions to the sizes by maximum likelihood, best first.

    Parameters
    ----------
    sample : Sample
        With edge weights the likelihood is weighted, and the weights add up to Kish's
        effective number.
    families : sequence of str

    Returns
    -------
    tuple of Fit
        In the order of AIC.

    Raises
    ------
    InvalidSettings
        An unknown family, less than five sizes, or all sizes the same.

    References
    ----------
    H. Akaike, IEEE Trans. Autom. Control 19 (1974) 716.  K. P. Burnham, D. R. Anderson,
    "Model selection and multimodel inference", 2002, for the weights.  ISO 9276-3.

    Examples
    --------
    >>> sizes = np.exp(np.random.default_rng(1).normal(3.0, 0.4, 400))
    >>> best = fit_distributions(Sample.of(sizes))[0]
    >>> best.family, round(best.parameters["sigma"], 2)
    ('lognormal', 0.36)
    """
    check(sample)
    effective, share = kish(sample.weights), sample.weights / sample.weights.sum()
    rows = []
    for family in (family_of(name) for name in families):
        parameters = family.estimate(sample.sizes, share)
        likelihood = effective * float(share @ family.log_density(sample.sizes, parameters))
        rows.append((family, parameters, likelihood))
    aic = np.array([4 - 2 * likelihood for _, _, likelihood in rows])
    delta = aic - aic.min()
    weight = np.exp(-delta / 2) / np.exp(-delta / 2).sum()
    fits = [
        Fit(
            family.name,
            {k: float(v[0]) for k, v in zip(family.parameters, parameters, strict=True)},
            likelihood,
            float(aic[i]),
            2 * math.log(effective) - 2 * likelihood,
            float(delta[i]),
            float(weight[i]),
            effective,
        )
        for i, (family, parameters, likelihood) in enumerate(rows)
    ]
    return tuple(sorted(fits, key=lambda fit: fit.aic))


def goodness_of_fit(
    sample: Sample,
    family: str = "lognormal",
    *,
    statistic: StatisticName = "anderson-darling",
    repeats: int = 999,
    seed: int = 0,
) -> Goodness:
    """Test whether sizes may come from a distribution whose parameters are fitted to them.

    Parameters
    ----------
    sample : Sample
    family : str
    statistic : {"anderson-darling", "kolmogorov-smirnov"}
    repeats : int
        Samples drawn from the fit; each is fitted again.
    seed : int

    Returns
    -------
    Goodness

    Raises
    ------
    InvalidSettings
        An unknown family or statistic, less than five sizes, or all sizes the same.

    Notes
    -----
    Particles are taken as independent; where images differ (design effect above 2) the
    test rejects too often; so it does, a little, with the edge weights of particles that
    are large against the field.  From 1,000 sizes on, samples of 1,000 are drawn: the null
    distribution does not change any more.  `scipy.stats.goodness_of_fit` gives the same
    for the normal; it knows no weights and fits other families one sample at a time.

    References
    ----------
    H. W. Lilliefors, J. Am. Stat. Assoc. 62 (1967) 399.  W. Stute et al., Metrika 40
    (1993) 243, for the parametric bootstrap.  M. A. Stephens, J. Am. Stat. Assoc. 69
    (1974) 730.

    Examples
    --------
    >>> sizes = np.exp(np.random.default_rng(1).normal(3.0, 0.4, 400))
    >>> goodness_of_fit(Sample.of(sizes)).p_value > 0.05
    True
    >>> goodness_of_fit(Sample.of(sizes), "normal").p_value < 0.05
    True
    """
    check(sample)
    row = family_of(family)
    if statistic not in _DEVIATIONS:
        raise InvalidSettings(
            f"There is no statistic {statistic}.", hint=f"Known: {', '.join(_DEVIATIONS)}."
        )
    effective = kish(sample.weights)
    order = np.argsort(sample.sizes, kind="stable")
    sizes, share = sample.sizes[order], (sample.weights / sample.weights.sum())[order]
    parameters = row.estimate(sizes, share)
    value = float(_DEVIATIONS[statistic](row, sizes, share, parameters, effective))
    drawn = min(max(round(effective), _FEWEST), _ENOUGH)
    known = (0.0, 1.0) if row.name in ("normal", "lognormal") else (1.0, 1.0)
    if not row.fixed_null:
        known = float(parameters[0][0]), 1.0
    null = _null(family, statistic, drawn, repeats, seed, known)
    p = (1 + int(np.count_nonzero(null >= value))) / (repeats + 1)
    return Goodness(family, statistic, value, p, repeats, seed, sample.n)


def check(sample: Sample) -> None:
    """Refuse sizes that no distribution can be fitted to."""
    if sample.n < _FEWEST:
        raise InvalidSettings(
            f"{sample.n} sizes are too few to fit.", hint=f"Count {_FEWEST} or more."
        )
    if not has_width(sample):
        raise InvalidSettings("All sizes are the same: there is no distribution to fit.")


def has_width(sample: Sample) -> bool:
    """Tell whether there are different sizes, but for rounding."""
    return bool(np.ptp(np.log(sample.sizes)) > 1e-9)


def family_of(name: str) -> Family:
    """Return a family by its name, or refuse it."""
    if name not in FAMILIES:
        raise InvalidSettings(
            f"There is no distribution {name}.", hint=f"Known: {', '.join(FAMILIES)}."
        )
    return FAMILIES[name]


@functools.lru_cache(maxsize=64)
def _null(
    family: str,
    statistic: str,
    n: int,
    repeats: int,
    seed: int,
    parameters: tuple[float, float],
) -> Floats:
    """Return the statistic of samples drawn from a distribution and fitted again."""
    row, random = FAMILIES[family], np.random.default_rng(seed)
    share = np.full(n, 1 / n)
    known = (np.array([parameters[0]]), np.array([parameters[1]]))
    values = []
    for start in range(0, repeats, max(_AT_ONCE // n, 1)):
        count = min(max(_AT_ONCE // n, 1), repeats - start)
        sizes = np.sort(row.draw(random, known, (count, n)), axis=-1)
        fitted = row.estimate(sizes, share)
        values.append(_DEVIATIONS[statistic](row, sizes, share, fitted, float(n)))
    return np.concatenate(values)


def _anderson_darling(
    family: Family, sizes: Floats, share: Floats, parameters: Parameters, n: float
) -> Floats:
    """Return A² of ascending sizes; for equal weights this is the usual sum."""
    above = np.cumsum(share)
    below = above - share
    up = family.log_below(sizes, parameters) @ (below**2 - above**2)
    down = family.log_above(sizes, parameters) @ ((1 - above) ** 2 - (1 - below) ** 2)
    return np.asarray(n * (up + down - 1))


def _kolmogorov_smirnov(
    family: Family, sizes: Floats, share: Floats, parameters: Parameters, n: float
) -> Floats:
    """Return D √n of ascending sizes."""
    fitted = np.exp(family.log_below(sizes, parameters))
    above = np.cumsum(share)
    largest = np.maximum(above - fitted, fitted - (above - share)).max(axis=-1)
    return np.asarray(math.sqrt(n) * largest)


_DEVIATIONS = {
    "anderson-darling": _anderson_darling,
    "kolmogorov-smirnov": _kolmogorov_smirnov,
}
