"""What all statistics are worked out from: sizes, their weights and their images."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EDGE_WEIGHT", "POWERS", "Floats", "Ints", "Sample", "Weight", "power_of", "sample_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Weight = Literal["number", "length", "area", "volume"]

POWERS: dict[str, int] = {"number": 0, "length": 1, "area": 2, "volume": 3}
"""Power of the diameter that a weighting counts a particle with (the r of ISO 9276-1)."""

EDGE_WEIGHT = "edge_weight"
"""Column of the Miles-Lantuejoul weights."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Sizes of the counted particles, with the image that each comes from.

    Attributes
    ----------
    sizes : float64 array (n,)
    weights : float64 array (n,)
        How many particles each stands for: 1, or its Miles-Lantuejoul weight.
    clusters : int64 array (n,)
        Number of its image (or slice), 0 to ``n_images`` - 1.
    n_images : int
    quantity, unit : str
        Column and its unit.

    Examples
    --------
    >>> Sample.of(np.array([1.0, 2.0, 4.0]), np.array([0, 0, 1])).n_images
    2
    """

    sizes: Floats
    weights: Floats
    clusters: Ints
    n_images: int
    quantity: str = ""
    unit: str = ""

    @classmethod
    def of(
        cls, sizes: Floats, clusters: Ints | None = None, weights: Floats | None = None
    ) -> Sample:
        """Make a sample of plain arrays; without clusters all are of one image."""
        n = len(sizes)
        codes = np.zeros(n, np.int64) if clusters is None else np.asarray(clusters, np.int64)
        ones = np.ones(n) if weights is None else np.asarray(weights, np.float64)
        return cls(np.asarray(sizes, np.float64), ones, codes, int(codes.max(initial=-1)) + 1)

    @property
    def n(self) -> int:
        """Number of particles."""
        return len(self.sizes)

    def ascending(self) -> Sample:
        """Return the same particles in the order of their sizes."""
        if bool((self.sizes[1:] >= self.sizes[:-1]).all()):
            return self
        order = np.argsort(self.sizes, kind="stable")
        return dataclasses.replace(
            self,
            sizes=self.sizes[order],
            weights=self.weights[order],
            clusters=self.clusters[order],
        )

    def weighted(self, power: int) -> Floats:
        """Return the weights times a power of the sizes, relative to the largest."""
        return np.asarray(self.weights * (self.sizes / self.sizes.max()) ** power)

    def images(self, chosen: NDArray[np.integer]) -> Sample:
        """Return the particles of some images, which are numbered anew in this order."""
        number = np.full(self.n_images, -1, np.int64)
        number[chosen] = np.arange(len(chosen))
        codes = number[self.clusters]
        keep = codes >= 0
        return dataclasses.replace(
            self,
            sizes=self.sizes[keep],
            weights=self.weights[keep],
            clusters=codes[keep],
            n_images=len(chosen),
        )


def power_of(weight: str) -> int:
    """Return the power of the diameter that a weighting counts with, or refuse the word."""
    if weight not in POWERS:
        raise InvalidSettings(
            f"weight = {weight!r} is unknown.", hint=f"Choose one of {', '.join(POWERS)}."
        )
    return POWERS[weight]


def sample_of(
    table: pd.DataFrame, *, quantity: str | None = None, edge_weights: bool = False
) -> Sample:
    """Take the included particles of a table.

    Parameters
    ----------
    table : DataFrame
        As `measure` or `pool` return it.
    quantity : str, optional
        A column of sizes; by default ``ecd_nm``, and ``ecd_px`` without a calibration.
    edge_weights : bool
        Weigh every particle by its column ``edge_weight``.

    Returns
    -------
    Sample

    Raises
    ------
    InvalidSettings
        The column is not there, or sizes or weights are missing for a part of the images.
    """
    name = quantity or _size_column(table)
    if name not in table.columns:
        raise InvalidSettings(
            f"The table has no column {name}.", hint="Columns in nm need a calibrated image."
        )
    counted = included(table)
    if edge_weights:
        counted = _weighable(counted)
    sizes = counted[name].to_numpy(np.float64)
    if not np.isfinite(sizes).all() or (sizes <= 0).any():
        raise InvalidSettings(
            f"{name} is not given or not above 0 for some particles.",
            hint="Pool only images that are all calibrated or all uncalibrated.",
        )
    weights = counted[EDGE_WEIGHT].to_numpy(np.float64) if edge_weights else np.ones(len(sizes))
    clusters, n_images = _clusters(counted)
    unit = name.rpartition("_")[2] if "_" in name else ""
    return Sample(sizes, weights, clusters, n_images, name, unit)


def included(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that count."""
    return table.loc[table["included"].to_numpy(bool)]


def _weighable(counted: pd.DataFrame) -> pd.DataFrame:
    """Return the particles that have a Miles-Lantuejoul weight."""
    if EDGE_WEIGHT not in counted.columns:
        raise InvalidSettings(
            f"The table has no column {EDGE_WEIGHT}.", hint="Measure the labels again."
        )
    weights = counted[EDGE_WEIGHT].to_numpy(np.float64)
    if not np.isfinite(weights).all():
        raise InvalidSettings(
            "Some of the counted particles are cut by the edge and have no edge weight.",
            hint="Leave cut particles out: leave_out_edge=True.",
        )
    return counted.loc[weights > 0]


def _size_column(table: pd.DataFrame) -> str:
    """Choose the equivalent diameter in the best unit there is."""
    for name in ("ecd_nm", "ecd_px"):
        if name in table.columns:
            return name
    return "ecd_px"


def _clusters(counted: pd.DataFrame) -> tuple[Ints, int]:
    """Give numbers to the images (and slices) that the counted particles come from."""
    keys = [key for key in ("image", "slice") if key in counted.columns]
    if not keys or not len(counted):
        return np.zeros(len(counted), np.int64), int(len(counted) > 0)
    groups = counted.groupby(keys, sort=False, observed=True)
    codes = groups.ngroup().to_numpy().astype(np.int64)
    return codes, int(codes.max()) + 1
