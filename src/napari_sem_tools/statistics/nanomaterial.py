"""The verdict of the European recommendation on nanomaterials, as far as images carry it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sem_tools.errors import InvalidSettings, NotCalibrated
from napari_sem_tools.statistics.fractions import Fraction, fraction_below, wilson
from napari_sem_tools.statistics.intervals import student
from napari_sem_tools.statistics.moments import kish
from napari_sem_tools.statistics.sample import Sample, sample_of
from napari_sem_tools.statistics.scale import Scale, scale_of
from napari_sem_tools.statistics.settings import StatisticsSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NanomaterialVerdict", "nanomaterial_verdict"]

LIMIT_NM = 100.0
"""Upper end of the nanoscale in the recommendation."""

THRESHOLD = 0.5
"""Share of the particles, by number, from which on a material is a nanomaterial."""

QUANTITY = "feret_min_nm"
_BESIDE = ("feret_corner_min_nm", "ecd_nm")
_DETECTION_PX = 5.0  # equivalent diameter below which particles are not counted reliably
_NEAR = 1.5  # factor above it within which some may be missing
_MOST_IMAGES = 10_000  # more would not be taken

Outcome = Literal["nanomaterial", "not by this measurement", "undecided", "not decidable"]


@dataclasses.dataclass(frozen=True)
class NanomaterialVerdict:
    """What the images say about the European definition of a nanomaterial.

    Attributes
    ----------
    outcome : {"nanomaterial", "not by this measurement", "undecided", "not decidable"}
    text : str
        The verdict in words, with what it rests on.
    fraction : Fraction
        Share of particles with the smallest Feret diameter below 100 nm, and its interval.
    low, high : float
        The interval with calibration and boundary: the union of those at limits shifted
        by twice their standard uncertainty.
    images_needed : int or None
        Images that would decide if the share stays; None when decided or out of reach.
    beside : tuple of Fraction
        The same for other measures of size.
    relative_calibration, boundary_nm : float
        Standard uncertainties of the pixel size and of a diameter by its outline.
    near_detection : float
        Share of particles within a factor of 1.5 of the smallest that are counted.
    reasons : tuple of str
        Why it is undecided, and what was assumed.

    References
    ----------
    Commission Recommendation of 10 June 2022 on the definition of nanomaterial,
    2022/C 229/01.
    """

    outcome: Outcome
    text: str
    fraction: Fraction
    low: float
    high: float
    images_needed: int | None
    beside: tuple[Fraction, ...]
    relative_calibration: float
    boundary_nm: float
    near_detection: float
    reasons: tuple[str, ...]


def nanomaterial_verdict(
    table: pd.DataFrame, *, settings: StatisticsSettings | None = None
) -> NanomaterialVerdict:
    """Judge whether half of the particles or more are below 100 nm.

    Parameters
    ----------
    table : DataFrame
        As `measure` or `pool` return it, of calibrated images.
    settings : StatisticsSettings, optional
        What the user knows: particle type, separated constituents, certificate.

    Returns
    -------
    NanomaterialVerdict

    Raises
    ------
    NotCalibrated
        The images have no pixel size.
    InvalidSettings
        There is no particle.

    Notes
    -----
    The smallest width of a projection is never below the smallest dimension of the
    particle.  A "nanomaterial" therefore survives the loss of the third dimension; its
    contrary does not for plates, and is withheld unless the particles are known to be
    none.  That particles are under 1 nm thick, specific surface and the exemption above
    100 µm are not measured.

    Examples
    --------
    >>> import pandas as pd
    >>> sizes = [40.0, 50.0, 60.0, 70.0] * 20
    >>> table = pd.DataFrame({"feret_min_nm": sizes, "area_nm2": 900.0, "area_px": 900.0,
    ...     "image": list("abcdefgh") * 10, "included": True})
    >>> nanomaterial_verdict(table).outcome
    'nanomaterial'
    """
    settings = settings or StatisticsSettings()
    if QUANTITY not in table.columns:
        raise NotCalibrated(
            "The share below 100 nm needs sizes in nm, and the images have no pixel size.",
            hint="Calibrate the images first.",
        )
    weighted = settings.edge_weights
    sample = sample_of(table, quantity=QUANTITY, edge_weights=weighted)
    if not sample.n:
        raise InvalidSettings("There is no particle to judge by.")
    scale = scale_of(table, settings)
    boundary = 2 * settings.boundary_px / math.sqrt(3) * scale.pixel
    fraction = fraction_below(sample, LIMIT_NM)
    shift = 2 * (LIMIT_NM * scale.relative_uncertainty + boundary)
    lower, upper = (fraction_below(sample, LIMIT_NM + d) for d in (-shift, shift))
    low = min(f.low for f in (fraction, lower, upper))
    high = max(f.high for f in (fraction, lower, upper))
    outcome, reasons = _decide(low, high, sample, settings)
    others = (name for name in _BESIDE if name in table.columns)
    samples = (sample_of(table, quantity=name, edge_weights=weighted) for name in others)
    images = _images_needed(sample, lower, upper) if outcome == "undecided" else None
    if not low < THRESHOLD <= high:
        images = None
    near = _near_detection(table)
    return NanomaterialVerdict(
        outcome=outcome,
        text=_text(
            outcome,
            fraction,
            (low, high),
            relative=scale.relative_uncertainty,
            images=images,
            reasons=reasons,
        ),
        fraction=fraction,
        low=low,
        high=high,
        images_needed=images,
        beside=tuple(fraction_below(one, LIMIT_NM) for one in samples),
        relative_calibration=scale.relative_uncertainty,
        boundary_nm=boundary,
        near_detection=near,
        reasons=(*reasons, *_assumed(settings, scale, near)),
    )


def _decide(
    low: float, high: float, sample: Sample, settings: StatisticsSettings
) -> tuple[Outcome, tuple[str, ...]]:
    """Compare the interval with 50 %; a negative needs the third dimension."""
    within: tuple[str, ...] = ()
    if sample.n_images == 1:
        within = ("One image: the interval holds within this image.",)
    if settings.constituents == "not separated":
        return "not decidable", ("Constituent particles are not separated.", *within)
    if low >= THRESHOLD:
        return "nanomaterial", within
    if high >= THRESHOLD:
        return "undecided", ("The interval of the share includes 50 %.", *within)
    if settings.particle_type == "plate":
        return "undecided", (
            "The share is below 50 %, but plates that lie flat hide their smallest dimension.",
            *within,
        )
    if settings.particle_type == "unknown":
        return "undecided", (
            "The share is below 50 %, but the particles may be plates that hide their smallest "
            "dimension; state the particle type.",
            *within,
        )
    return "not by this measurement", within


def _images_needed(sample: Sample, lower: Fraction, upper: Fraction) -> int | None:
    """Return how many images would decide if shares and design effect stay."""
    m = sample.n_images
    if m < 2 or (lower.share < THRESHOLD <= upper.share):
        return None  # calibration and boundary alone leave it open, or nothing is known
    worst = lower if lower.share >= THRESHOLD else upper
    effective = kish(sample.weights) / max(worst.design_effect, 1.0)
    for images in np.unique(np.geomspace(m, _MOST_IMAGES, 2000).astype(int)):
        low, high = wilson(worst.share, effective * images / m, student(images - 1))
        if low >= THRESHOLD or high < THRESHOLD:
            return int(images)
    return None


def _near_detection(table: pd.DataFrame) -> float:
    """Return the share of particles hardly above the smallest that are counted."""
    counted = table.loc[table["included"].to_numpy(bool)]
    diameters = np.sqrt(4 / np.pi * counted["area_px"].to_numpy(np.float64))
    return float(np.mean(diameters < _NEAR * _DETECTION_PX))


def _assumed(settings: StatisticsSettings, scale: Scale, near: float) -> tuple[str, ...]:
    """Say what the verdict takes for granted."""
    said = [
        f"Pixel size ± {scale.relative_uncertainty:.1%} (standard, {scale.basis}); outline within "
        f"± {settings.boundary_px:g} px.",
        "Thickness below 1 nm, specific surface and the exemption above 100 µm are not measured.",
    ]
    if settings.constituents == "separated":
        said.append("Every label is taken as one constituent particle.")
    if near > 0:
        said.append(
            f"{near:.1%} of the particles are within a factor {_NEAR:g} of {_DETECTION_PX:g} px, "
            "below which they are missed: the share may be too low."
        )
    return tuple(said)


def _text(
    outcome: Outcome,
    fraction: Fraction,
    ends: tuple[float, float],
    *,
    relative: float,
    images: int | None,
    reasons: tuple[str, ...],
) -> str:
    """Write the verdict as it may stand in a report."""
    start = {
        "nanomaterial": "The measurement supports classification as a nanomaterial",
        "not by this measurement": "The measurement does not support classification as a "
        "nanomaterial",
        "undecided": "Undecided",
        "not decidable": "Not decidable",
    }[outcome]
    of = "1 image" if fraction.n_images == 1 else f"{fraction.n_images} images"
    text = (
        f"{start} (2022/C 229/01): {fraction.share:.1%} of {fraction.n} particles in {of} have a "
        f"smallest Feret diameter below 100 nm; 95 % interval {ends[0]:.1%} to {ends[1]:.1%}, "
        f"calibration (± {relative:.1%}) and boundary included."
    )
    if outcome in ("undecided", "not decidable"):
        text += f" {reasons[0]}"
    if images is not None:
        text += f" About {images} images of this kind would decide if the share stays."
    return text
