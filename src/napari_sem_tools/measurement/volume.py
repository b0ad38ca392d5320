"""Particles of a stack as bodies: labels with three axes, one row a body.

Runs of the stack, its slices put under each other, are those of a tall plane; only the
neighbours in the next slice need a second look.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.columns import Column
from napari_sem_tools.measurement.engine import Engine
from napari_sem_tools.measurement.outline import overlaps
from napari_sem_tools.measurement.runs import Floats, Ints, Runs
from napari_sem_tools.measurement.shape import divided

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VOLUME_COLUMNS", "Bodies", "volume_table"]


@dataclasses.dataclass(frozen=True, eq=False)
class Bodies:
    """All bodies of a stack of labels.

    Attributes
    ----------
    labels : integer array (N, Y, X)
    voxel : (float, float, float)
        Distance of slices, height and width of a pixel; nm, or px without calibration.
    grey : array (N, Y, X) or None
    engine : Engine
    """

    labels: NDArray[np.integer]
    voxel: tuple[float, float, float]
    grey: NDArray[Any] | None
    engine: Engine

    @functools.cached_property
    def runs(self) -> Runs:
        """Runs of equal labels, the slices under each other."""
        n, rows, columns = self.labels.shape
        return self.engine.find_runs(self.labels.reshape(n * rows, columns))

    @property
    def count(self) -> int:
        """Number of bodies."""
        return self.runs.count

    @functools.cached_property
    def voxels(self) -> Ints:
        """Number of voxels of each body."""
        return self.runs.total(self.runs.length)

    @functools.cached_property
    def volume(self) -> Floats:
        """Volume of each body."""
        return np.asarray(self.voxels * math.prod(self.voxel), np.float64)

    @functools.cached_property
    def box(self) -> tuple[tuple[Ints, Ints], ...]:
        """First and stop of slices, rows and columns."""
        runs, rows = self.runs, self.labels.shape[1]
        sides = ((runs.row // rows,) * 2, (runs.row % rows,) * 2, (runs.first, runs.last))
        return tuple((runs.smallest(low), runs.largest(high) + 1) for low, high in sides)

    @functools.cached_property
    def _moments(self) -> tuple[Floats, Floats]:
        """Centroids (3, n) in voxels, and central second moments (n, 3, 3) in true lengths."""
        runs, rows = self.runs, self.labels.shape[1]
        low = np.stack([side[0] for side in self.box])[:, runs.particle]
        z, y, a = np.stack([runs.row // rows, runs.row % rows, runs.first]) - low
        n = runs.length
        x = n * a + n * (n - 1) // 2
        xx = n * a * a + a * n * (n - 1) + n * (n - 1) * (2 * n - 1) // 6
        total = runs.total
        mean = np.stack([total(n * z), total(n * y), total(x)]) / self.voxels
        products = {
            (0, 0): n * z * z, (0, 1): n * z * y, (0, 2): x * z,
            (1, 1): n * y * y, (1, 2): x * y, (2, 2): xx,
        }  # fmt: skip
        spread = np.empty((self.count, 3, 3))
        for (i, k), values in products.items():
            part = total(values) / self.voxels - mean[i] * mean[k]
            spread[:, i, k] = spread[:, k, i] = part * self.voxel[i] * self.voxel[k]
        return mean + np.stack([side[0] for side in self.box]), spread

    @property
    def centroid(self) -> Floats:
        """Centroids in slices, rows and columns, (3, n)."""
        return self._moments[0]

    @functools.cached_property
    def axes(self) -> Floats:
        """Axes of the ellipsoid of equal second moments, the longest first, (n, 3)."""
        values = np.linalg.eigvalsh(self._moments[1])[:, ::-1]
        largest = values[:, :1] if self.count else values
        return np.asarray(2 * np.sqrt(5 * np.where(values > 1e-12 * largest, values, 0)))

    @functools.cached_property
    def surface(self) -> Floats:
        """Surface by the Crofton formula with the three directions of the grid."""
        runs, (dz, dy, dx) = self.runs, self.voxel
        rows = self.labels.shape[1]
        along_x = np.bincount(runs.particle, minlength=self.count)
        first_row = runs.raster_rows % rows == 0
        along_y = self.voxels - overlaps(runs, 1, skip=first_row)
        along_z = self.voxels - overlaps(runs, rows)
        total: Floats = 4 / 3 * (along_x * (dz * dy) + along_y * (dz * dx) + along_z * (dy * dx))
        return total

    @functools.cached_property
    def grey_values(self) -> Floats:
        """Mean, SD, smallest and largest grey value, (4, n)."""
        if self.grey is None or not self.count:
            return np.full((4, self.count), np.nan)
        plane = self.grey.reshape(-1, self.labels.shape[2])
        base = float(np.asarray(plane[self.runs.row[0], self.runs.first[0]], np.float64))
        with np.errstate(invalid="ignore", over="ignore"):
            total, square, low, high = self.engine.grey_sums(self.runs, plane, base)
            mean = total / self.voxels
            sd = np.sqrt(np.maximum(square / self.voxels - mean * mean, 0))
        return np.stack([mean + base, sd, low, high])

    def edge(self, margin: int) -> NDArray[np.bool_]:
        """Tell which bodies come nearer to a side of the stack than a margin in voxels."""
        cut = np.zeros(self.count, bool)
        for (low, stop), size in zip(self.box, self.labels.shape, strict=True):
            cut |= (low < margin) | (stop > size - margin)
        return cut


Value = Callable[[Bodies], NDArray[Any]]

_CROFTON = "Crofton formula; Legland et al., Image Anal. Stereol. 26 (2007) 83"
_ROWS: tuple[tuple[str, str, str, str, Value], ...] = (
    ("centroid_z_px", "px", "mean slice", "First moments", lambda b: b.centroid[0]),
    ("centroid_y_px", "px", "mean row", "First moments", lambda b: b.centroid[1]),
    ("centroid_x_px", "px", "mean column", "First moments", lambda b: b.centroid[2]),
    ("volume_px", "px", "number of voxels", "ISO 9276-6:2008", lambda b: b.voxels),
    ("volume", "3", "V: number of voxels times the volume of one", "ISO 9276-6:2008",
     lambda b: b.volume),
    ("esd", "1", "(6V/π)^(1/3): diameter of the sphere of equal volume", "ISO 9276-6:2008",
     lambda b: np.cbrt(6 / np.pi * b.volume)),
    ("surface", "2", "S: Crofton formula with the 3 directions of the grid", _CROFTON,
     lambda b: b.surface),
    ("axis_1", "1", "longest axis of the ellipsoid of equal second moments, 2√(5λ)",
     "Second central moments", lambda b: b.axes[:, 0]),
    ("axis_2", "1", "middle axis of that ellipsoid", "Second central moments",
     lambda b: b.axes[:, 1]),
    ("axis_3", "1", "shortest axis of that ellipsoid", "Second central moments",
     lambda b: b.axes[:, 2]),
    ("sphericity", "", "π^(1/3) (6V)^(2/3) / S", "Wadell 1935",
     lambda b: divided(np.cbrt(np.pi) * np.cbrt(6 * b.volume) ** 2, b.surface)),
    ("ellipsoid_ratio", "", "axis_1 over axis_3", "ISO 9276-6:2008",
     lambda b: divided(b.axes[:, 0], b.axes[:, 2])),
    ("intensity_mean_grey", "grey", "mean grey value", "napari-sem-tools",
     lambda b: b.grey_values[0]),
    ("intensity_sd_grey", "grey", "standard deviation of the grey values", "napari-sem-tools",
     lambda b: b.grey_values[1]),
    ("intensity_min_grey", "grey", "smallest grey value", "napari-sem-tools",
     lambda b: b.grey_values[2]),
    ("intensity_max_grey", "grey", "largest grey value", "napari-sem-tools",
     lambda b: b.grey_values[3]),
)  # fmt: skip
_POWERS = {"1": "nm", "2": "nm2", "3": "nm3"}


def _columns() -> tuple[tuple[Column, Value], ...]:
    """Make the columns of bodies, those with lengths in nm."""
    found = []
    for name, unit, formula, source, value in _ROWS:
        length = _POWERS.get(unit)
        column = f"{name}_{length}" if length else name
        row = Column(
            column, length or unit, formula, source, "size", None, needs_calibration=bool(length)
        )
        found.append((row, value))
    return tuple(found)


VOLUME_COLUMNS: tuple[tuple[Column, Value], ...] = _columns()
"""Every column of the table of bodies, in order, and how it is worked out."""


def volume_table(
    bodies: Bodies, *, calibrated: bool, image: str, margin: int, confidence: Floats
) -> pd.DataFrame:
    """Measure every body of a stack.

    Parameters
    ----------
    bodies : Bodies
    calibrated : bool
        False: columns in nm are absent.
    image : str
        Name of the stack.
    margin : int
        A body nearer than this to a side of the stack is cut.
    confidence : float64 array (n,)
        Of the segmentation; NaN when unknown.

    Returns
    -------
    DataFrame
        Index ``label``.
    """
    import pandas as pd

    values: dict[str, Any] = {"image": np.full(bodies.count, image, object)}
    known = [pair for pair in VOLUME_COLUMNS if calibrated or not pair[0].needs_calibration]
    values |= {row.name: value(bodies) for row, value in known if row.name.startswith("centroid")}
    values |= {"edge": bodies.edge(margin), "confidence": confidence}
    values |= {row.name: value(bodies) for row, value in known if row.name not in values}
    return pd.DataFrame(values, index=pd.Index(bodies.runs.labels, name="label"))
