"""Uncertainty budget of a mean size after the GUM: every contribution by name."""

from __future__ import annotations

import dataclasses
import math
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.intervals import relative_error, student
from napari_sem_tools.statistics.moments import kish, weighted_sd
from napari_sem_tools.statistics.sample import Sample
from napari_sem_tools.statistics.scale import Scale
from napari_sem_tools.statistics.settings import StatisticsSettings

__all__ = ["Budget", "Contribution", "combine", "mean_budget", "rounded"]

_SIZES_PX = (3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0, 100.0)
_BIAS = {
    "ecd": (0.0028, 0.0007, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "feret_min": (0.0846, 0.0439, 0.0368, 0.0329, 0.0257, 0.0203, 0.0139, 0.0078),
    "feret_max": (0.0751, 0.0761, 0.0693, 0.0528, 0.0346, 0.0260, 0.0160, 0.0089),
    "feret_mean": (0.0235, 0.0370, 0.0342, 0.0282, 0.0207, 0.0155, 0.0105, 0.0059),
}
"""Largest mean bias of digitised discs and ellipses of aspect up to 2, as a fraction, at
`_SIZES_PX`; tests/measurement repeats it."""

_PREPARATION = "preparation of the specimen and choice of the fields"
_BETWEEN = "differences between images (there is one)"


@dataclasses.dataclass(frozen=True)
class Contribution:
    """One line of a budget.

    Attributes
    ----------
    name : str
    standard_uncertainty : float
        In the unit of the budget, with the sensitivity applied.
    kind : {"A", "B"}
        From repeated observation, or from other knowledge.
    freedom : float
        Degrees of freedom; infinite where the uncertainty itself is taken as known.
    basis : str
        Where the number is from.
    """

    name: str
    standard_uncertainty: float
    kind: Literal["A", "B"]
    freedom: float
    basis: str


@dataclasses.dataclass(frozen=True)
class Budget:
    """A value with its expanded uncertainty and all that it is made of.

    Attributes
    ----------
    quantity : str
    unit : str
    value : float
    contributions : tuple of Contribution
    combined : float
        Combined standard uncertainty, the root of the sum of squares.
    freedom : float
        Effective degrees of freedom after Welch and Satterthwaite.
    coverage_factor : float
        k of 95 % from Student's t.
    expanded : float
        k times `combined`.
    not_included : tuple of str
        What the images cannot tell.

    References
    ----------
    JCGM 100:2008 (GUM), 5.1.2, 6.2, 7.2.6 and annex G.4.
    """

    quantity: str
    unit: str
    value: float
    contributions: tuple[Contribution, ...]
    combined: float
    freedom: float
    coverage_factor: float
    expanded: float
    not_included: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The result as it may be reported: two digits of uncertainty."""
        if not self.expanded > 0:
            return f"{self.value:.6g} {self.unit}"
        value, expanded = rounded(self.value, self.expanded)
        return f"({value} ± {expanded}) {self.unit} (k = {self.coverage_factor:.2f}, 95 %)"


def combine(
    value: float,
    contributions: tuple[Contribution, ...],
    *,
    quantity: str = "",
    unit: str = "",
    not_included: tuple[str, ...] = (),
) -> Budget:
    """Combine contributions that do not depend on each other.

    Parameters
    ----------
    value : float
    contributions : tuple of Contribution
    quantity, unit : str
    not_included : tuple of str

    Returns
    -------
    Budget

    Examples
    --------
    >>> lines = (Contribution("a", 3.0, "B", math.inf, ""), Contribution("b", 4.0, "A", 9, ""))
    >>> budget = combine(100.0, lines, unit="nm")
    >>> budget.combined, round(budget.freedom, 1), budget.text
    (5.0, 22.0, '(100 ± 10) nm (k = 2.07, 95 %)')
    """
    parts = np.array([c.standard_uncertainty for c in contributions], float)
    freedoms = np.array([c.freedom for c in contributions], float)
    combined = float(np.sqrt(np.sum(parts**2)))
    scatter = float(np.sum(parts**4 / freedoms)) if len(parts) else 0.0
    freedom = combined**4 / scatter if scatter > 0 else math.inf
    k = student(freedom)
    return Budget(
        quantity, unit, value, contributions, combined, freedom, k, k * combined, not_included
    )


def mean_budget(
    sample: Sample, scale: Scale, *, settings: StatisticsSettings | None = None
) -> Budget:
    """Return the budget of the mean size by number.

    Parameters
    ----------
    sample : Sample
        Two particles or more.
    scale : Scale
        As `scale_of` returns it; in px there is no line for the calibration.
    settings : StatisticsSettings, optional
        Boundary, certificate, operator, instrument.

    Returns
    -------
    Budget

    Raises
    ------
    InvalidSettings
        There are less than two particles.

    Notes
    -----
    Calibration and boundary have the same sign for all particles and are not divided by
    √n.  The scatter of the particles and that between images come together from leaving
    out one image at a time; SD/√n alone would leave out the second.

    Examples
    --------
    >>> sizes = Sample.of(np.array([50.0, 55.0, 52.0, 57.0]), np.array([0, 0, 1, 1]))
    >>> budget = mean_budget(sizes, Scale(1.0, "nm", 0.01, "certificate"))
    >>> [line.name for line in budget.contributions][:3]
    ['calibration', 'boundary placement', 'sampling and differences between images']
    """
    settings = settings or StatisticsSettings()
    if sample.n < 2:
        raise InvalidSettings(
            f"A budget needs two particles, not {sample.n}.", hint="Count further particles."
        )
    share = sample.weights / sample.weights.sum()
    mean = float(share @ sample.sizes)
    lines = [
        *_calibration(mean, scale),
        _boundary(scale, settings),
        _sampling(sample, mean),
        *_digitisation(sample.quantity, mean, scale),
        *_stated(mean, settings),
    ]
    missing = [_PREPARATION] + ([_BETWEEN] if sample.n_images == 1 else [])
    return combine(
        mean,
        tuple(lines),
        quantity=f"mean {sample.quantity}".strip(),
        unit=scale.unit,
        not_included=tuple(missing),
    )


def rounded(value: float, expanded: float) -> tuple[str, str]:
    """Round an uncertainty to two significant digits and its value to the same place.

    Halves go to the even digit.

    Parameters
    ----------
    value : float
    expanded : float
        Above 0.

    Returns
    -------
    (str, str)

    References
    ----------
    JCGM 100:2008, 7.2.6; ISO 80000-1:2009, annex B.

    Examples
    --------
    >>> rounded(52.3456, 2.4712), rounded(1234.5, 151.0), rounded(0.99999, 0.0996)
    (('52.3', '2.5'), ('1230', '150'), ('1.00', '0.10'))
    """
    place = math.floor(math.log10(expanded)) - 1
    error = _at(expanded, place)
    if len(error.scaleb(-place).to_integral_value().as_tuple().digits) > 2:  # 0.0996 -> 0.100
        place += 1
        error = _at(expanded, place)
    return f"{_at(value, place):f}", f"{error:f}"


def _at(number: float, place: int) -> Decimal:
    """Round to a power of ten, halves to even, and write what is left in full."""
    cut = Decimal(repr(number)).quantize(Decimal(1).scaleb(place), rounding=ROUND_HALF_EVEN)
    return cut.quantize(Decimal(1)) if place > 0 else cut


def _calibration(mean: float, scale: Scale) -> tuple[Contribution, ...]:
    """Return the line of the pixel size."""
    if scale.unit == "px":
        return ()
    u = mean * scale.relative_uncertainty
    basis = f"± {scale.relative_uncertainty:.2%} of the pixel size, {scale.basis}"
    return (Contribution("calibration", u, "B", math.inf, basis),)


def _boundary(scale: Scale, settings: StatisticsSettings) -> Contribution:
    """Return the line of where the outline lies; a diameter has it at both ends."""
    u = 2 * settings.boundary_px / math.sqrt(3) * scale.pixel
    basis = f"outline within ± {settings.boundary_px:g} px, rectangular"
    return Contribution("boundary placement", u, "B", math.inf, basis)


def _sampling(sample: Sample, mean: float) -> Contribution:
    """Return the line of the particles counted and of the images that they lie in."""
    u = mean * relative_error(sample)
    share = sample.weights / sample.weights.sum()
    single = weighted_sd(sample.sizes, share) / math.sqrt(kish(sample.weights))
    if sample.n_images == 1:
        basis = f"{sample.n} particles of one image, one left out at a time"
        return Contribution("sampling", u, "A", sample.n - 1, basis)
    between = math.sqrt(max(u**2 - single**2, 0.0))
    basis = (
        f"{sample.n} particles in {sample.n_images} images, one image left out at a time; of it "
        f"SD/√n {min(single, u):.2g} and between images {between:.2g}"
    )
    name = "sampling and differences between images"
    return Contribution(name, u, "A", sample.n_images - 1, basis)


def _digitisation(quantity: str, mean: float, scale: Scale) -> tuple[Contribution, ...]:
    """Return the line of the bias by pixels, which is not corrected."""
    known = _BIAS.get(quantity.removesuffix(f"_{scale.unit}"))
    if known is None:
        return ()
    bias = float(np.interp(mean / scale.pixel, _SIZES_PX, known))
    if not bias:
        return ()
    basis = f"bias of digitised ellipses up to {bias:.1%} at this size, rectangular"
    return (Contribution("digitisation", mean * bias / math.sqrt(3), "B", math.inf, basis),)


def _stated(mean: float, settings: StatisticsSettings) -> tuple[Contribution, ...]:
    """Return the lines that only the user knows."""
    lines = []
    if settings.operator_percent is not None:
        u = mean * settings.operator_percent / 100
        basis = f"SD of {settings.operator_repeats} segmentations"
        freedom = settings.operator_repeats - 1
        lines.append(Contribution("operator and settings", u, "A", freedom, basis))
    if settings.instrument_percent is not None:
        u = mean * settings.instrument_percent / 100
        basis = "instrument records, as stated by the user"
        lines.append(Contribution("drift, tilt and distortion", u, "B", math.inf, basis))
    return tuple(lines)
