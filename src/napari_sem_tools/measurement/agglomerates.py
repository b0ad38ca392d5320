"""Groups of touching particles: how many primary ones, how large, and their fractal dimension."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from napari_sem_tools.errors import InvalidSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FractalDimension", "agglomerates", "fractal_dimension"]

_FEWEST = 20  # agglomerates that a line is fitted through, at least
_RANGE = 10.0  # of the largest to the smallest number of primaries, at least


@dataclasses.dataclass(frozen=True)
class FractalDimension:
    """Slope of ln N on ln(R_g / r_p) over agglomerates, from their projections.

    Attributes
    ----------
    value, low, high : float
        Slope and its 95 % interval (least squares, Student's t).
    prefactor : float
        k_f in N = k_f (R_g / r_p)^D_f.
    n : int
        Number of agglomerates.
    """

    value: float
    low: float
    high: float
    prefactor: float
    n: int


def agglomerates(table: pd.DataFrame) -> pd.DataFrame:
    """Make one row of every group of two and more particles that touch.

    Parameters
    ----------
    table : DataFrame
        As `measure` or `pool` returns it, with the columns of neighbours.

    Returns
    -------
    DataFrame
        ``image``, ``agglomerate``, ``primaries`` (their number), ``primary_radius``
        (root mean square of half their ECD), ``gyration_radius`` (of the projection), both in
        nm or px, ``edge`` (one of them is cut).

    Raises
    ------
    InvalidSettings
        The table has no columns of neighbours, or no lengths in px or nm.
    """
    unit = next((u for u in ("nm", "px") if f"ecd_{u}" in table), "")
    if "agglomerate" not in table or not unit:
        raise InvalidSettings(
            "The table does not say which particles touch.",
            hint="Measure with the setting neighbours switched on.",
        )
    groups = table[table["agglomerate_primaries"] > 1]
    groups.attrs = table.attrs
    keys = ["image", *(["slice"] if "slice" in table else []), "agglomerate"]
    height, width = _pixel(groups, unit)
    area = groups["area_px"] * (height * width)
    own = (groups[f"axis_major_{unit}"] ** 2 + groups[f"axis_minor_{unit}"] ** 2) / 16
    parts = groups[keys].assign(
        mass=area,
        y=area * groups["centroid_y_px"] * height,
        x=area * groups["centroid_x_px"] * width,
        square=area
        * (own + (groups["centroid_y_px"] * height) ** 2 + (groups["centroid_x_px"] * width) ** 2),
        radius=groups[f"ecd_{unit}"] ** 2 / 4,
        edge=groups["edge"],
    )
    found = parts.groupby(keys, observed=True)
    sums = found[["mass", "y", "x", "square"]].sum()
    spread = sums["square"] / sums["mass"] - (sums["y"] ** 2 + sums["x"] ** 2) / sums["mass"] ** 2
    rows = sums.assign(
        primaries=found.size(),
        primary_radius=np.sqrt(found["radius"].mean()),
        gyration_radius=np.sqrt(np.maximum(spread, 0)),
        edge=found["edge"].any(),
    )
    return rows.drop(columns=["mass", "y", "x", "square"]).reset_index()


def _pixel(table: pd.DataFrame, unit: str) -> tuple[pd.Series[float], pd.Series[float]]:
    """Return height and width of a pixel of every row."""
    area = table[f"area_{'nm2' if unit == 'nm' else 'px'}"] / table["area_px"]
    ratio = {}
    for attributes in table.attrs.get("images", [table.attrs]):
        size = attributes.get("calibration", {}).get("pixel_size")
        ratio[attributes.get("image")] = size[0] / size[1] if size else 1.0
    ratios = table["image"].map(ratio).astype(float)
    return np.sqrt(area * ratios), np.sqrt(area / ratios)


def fractal_dimension(table: pd.DataFrame) -> FractalDimension:
    """Fit the fractal dimension of agglomerates whose primary particles are labelled.

    Parameters
    ----------
    table : DataFrame
        As `measure` or `pool` returns it.

    Returns
    -------
    FractalDimension

    Raises
    ------
    InvalidSettings
        Fewer than 20 whole agglomerates, or less than a decade of primary particles: one
        agglomerate has no fractal dimension.

    Notes
    -----
    The radius of gyration of a projection is below that in space, and hidden primary
    particles are not counted; diffusion-limited clusters have 1.78 in space.

    References
    ----------
    C. M. Sorensen, Aerosol Sci. Technol. 45 (2011) 765.
    """
    from scipy.stats import linregress, t

    rows = agglomerates(table)
    rows = rows[~rows["edge"]]
    count = rows["primaries"].to_numpy(float)
    if len(rows) < _FEWEST or count.max() < _RANGE * count.min():
        raise InvalidSettings(
            f"{len(rows)} whole agglomerates are too few, or too alike, for a fractal dimension.",
            hint="Pool images until there are 20, from a few to ten times as many particles each.",
        )
    line = linregress(np.log(rows["gyration_radius"] / rows["primary_radius"]), np.log(count))
    half = float(t.ppf(0.975, len(rows) - 2)) * float(line.stderr)
    slope = float(line.slope)
    prefactor = math.exp(float(line.intercept))
    return FractalDimension(slope, slope - half, slope + half, prefactor, len(rows))
