"""The share of particles below a size, with an interval that knows of images."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.statistics.intervals import student
from napari_sem_tools.statistics.moments import kish
from napari_sem_tools.statistics.sample import Floats, Sample

__all__ = ["Fraction", "distribution_band", "fraction_below", "wilson"]

_BAND_FROM = 10  # particles from which on a band says anything
_SEVERAL = "Wilson with the design effect of the images and Student's t"
_ONE = "within this image: Wilson"


@dataclasses.dataclass(frozen=True)
class Fraction:
    """Share of particles below a limit, by number.

    Attributes
    ----------
    quantity : str
    limit : float
        In the unit of the quantity.
    share, low, high : float
        Between 0 and 1, with the ends of the 95 % interval.
    n, n_images : int
    design_effect : float
        Variance over that of particles drawn one by one; 1 where images do not differ.
    method : str
    """

    quantity: str
    limit: float
    share: float
    low: float
    high: float
    n: int
    n_images: int
    design_effect: float
    method: str


def wilson(share: float, n: float, t: float) -> tuple[float, float]:
    """Return Wilson's interval of a share.

    Parameters
    ----------
    share : float
    n : float
        Effective number of particles.
    t : float
        Quantile of the normal or of Student's distribution.

    Returns
    -------
    (float, float)

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.

    Examples
    --------
    >>> [round(end, 4) for end in wilson(0.5, 100, 1.96)]
    [0.4038, 0.5962]
    """
    scale = 1 + t**2 / n
    centre = (share + t**2 / (2 * n)) / scale
    half = t / scale * math.sqrt(share * (1 - share) / n + t**2 / (4 * n**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def fraction_below(sample: Sample, limit: float) -> Fraction:
    """Return the share of particles below a limit with its 95 % interval.

    Particles of one image are alike, so that n of them tell as much as n over the design
    effect drawn one by one; with m images the quantile is Student's with m - 1 degrees.

    Parameters
    ----------
    sample : Sample
    limit : float

    Returns
    -------
    Fraction

    Raises
    ------
    InvalidSettings
        There is no particle.

    Notes
    -----
    The design effect is not taken below 1.  In simulation the interval covers 94 to 97 %.

    References
    ----------
    L. Kish, "Survey sampling", Wiley 1965, for the design effect; `wilson`.

    Examples
    --------
    >>> sizes = Sample.of(np.arange(1.0, 41.0), np.arange(40) % 4)
    >>> found = fraction_below(sizes, 20.5)
    >>> found.share, round(found.low, 2), round(found.high, 2)
    (0.5, 0.28, 0.72)
    """
    if not sample.n:
        raise InvalidSettings("There is no particle to take a share of.")
    below = sample.weights * (sample.sizes < limit)
    total = float(sample.weights.sum())
    share = float(below.sum()) / total
    effective, m = kish(sample.weights), sample.n_images
    design, t, method = 1.0, student(math.inf), _ONE
    if m > 1:
        counts = np.bincount(sample.clusters, below, m)
        sizes = np.bincount(sample.clusters, sample.weights, m)
        variance = m / (m - 1) * float(np.sum((counts - share * sizes) ** 2)) / total**2
        single = share * (1 - share) / effective
        design = variance / single if single > 0 else 1.0
        t, method = student(m - 1), _SEVERAL
    low, high = wilson(share, effective / max(design, 1.0), t)
    return Fraction(sample.quantity, limit, share, low, high, sample.n, m, design, method)


def distribution_band(sample: Sample, points: int = 60) -> tuple[Floats, Floats, Floats] | None:
    """Return the 95 % interval of the cumulative distribution by number, point by point.

    Parameters
    ----------
    sample : Sample
    points : int
        Sizes at which the interval is worked out, equally many particles apart.

    Returns
    -------
    (float64 array, float64 array, float64 array) or None
        Sizes, lower and upper ends; None with fewer than ten particles.  Each interval holds
        by itself, not all of them together.

    References
    ----------
    `fraction_below`.

    Examples
    --------
    >>> sizes, low, high = distribution_band(Sample.of(np.arange(1.0, 41.0)))
    >>> bool((low <= high).all()), float(sizes[-1])
    (True, 40.0)
    """
    if sample.n < _BAND_FROM:
        return None
    at = np.unique(np.quantile(sample.sizes, np.linspace(0, 1, points)))
    found = [fraction_below(sample, float(size)) for size in at]
    return at, np.array([one.low for one in found]), np.array([one.high for one in found])
