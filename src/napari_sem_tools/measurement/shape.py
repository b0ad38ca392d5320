"""Geometry and grey values of all particles of a label image, without a loop over them.

`Particles` works out each quantity when it is first asked for, on the whole label image,
and keeps it; the columns are read off it.  Lengths are in widths of a pixel.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.circle import find_circles
from napari_sem_tools.measurement.engine import NUMPY, Engine
from napari_sem_tools.measurement.grey import positions
from napari_sem_tools.measurement.holes import pixels_in_holes
from napari_sem_tools.measurement.hull import Chains, Ferets, Hulls
from napari_sem_tools.measurement.outline import Outlines, knight_entries, outlines_of
from napari_sem_tools.measurement.runs import Floats, Ints, Runs, RunSums

__all__ = ["Box", "Grey", "Moments", "Particles"]

ROUND = 1.05
"""Ratio of the ellipse's axes below which a particle has no orientation."""


@dataclasses.dataclass(frozen=True, eq=False)
class Box:
    """Rows and columns that particles occupy, half open; int64 arrays (n,)."""

    top: Ints
    left: Ints
    bottom: Ints
    right: Ints


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Centres (px, from the image's first pixel) and central second moments; arrays (n,)."""

    y: Floats
    x: Floats
    yy: Floats
    xx: Floats
    xy: Floats


@dataclasses.dataclass(frozen=True, eq=False)
class Grey:
    """Grey values inside particles; float64 arrays (n,).  The SD is that of the pixels."""

    mean: Floats
    sd: Floats
    minimum: Floats
    maximum: Floats


@dataclasses.dataclass(frozen=True, eq=False)
class Particles:
    """All particles of a label image.

    Attributes
    ----------
    labels : integer array (Y, X)
    ratio : float
        Height of a pixel over its width.
    image : array (Y, X) or None
        Grey values.
    usable : bool array (Y, X) or None
        Where there is specimen; None: everywhere.
    engine : Engine
        What works through pixels and runs.
    directions : {2, 4, 8}
        Of the Crofton perimeter.
    """

    labels: NDArray[np.integer]
    ratio: float = 1.0
    image: NDArray[np.generic] | None = None
    usable: NDArray[np.bool_] | None = None
    engine: Engine = NUMPY
    directions: int = 4

    @property
    def count(self) -> int:
        """Number of particles."""
        return self.runs.count

    @property
    def scale(self) -> tuple[float, float]:
        """Size of a pixel (y, x) in widths of a pixel."""
        return self.ratio, 1.0

    @functools.cached_property
    def runs(self) -> Runs:
        """Runs of equal labels."""
        return self.engine.find_runs(self.labels)

    @functools.cached_property
    def sums(self) -> RunSums:
        """Whole numbers that area, box and moments follow from."""
        return self.engine.run_sums(self.runs)

    @functools.cached_property
    def outlines(self) -> Outlines:
        """Entries along four directions and contacts."""
        return outlines_of(*self.engine.find_outlines(self.runs))

    @property
    def pixels(self) -> Ints:
        """Number of pixels of each particle."""
        return self.sums.pixels

    @functools.cached_property
    def area(self) -> Floats:
        """Area in squared widths of a pixel."""
        return self.pixels.astype(np.float64) * self.ratio

    @functools.cached_property
    def area_filled(self) -> Floats:
        """Area with holes, in squared widths of a pixel."""
        return (self.pixels + pixels_in_holes(self.runs)).astype(np.float64) * self.ratio

    @functools.cached_property
    def ecd(self) -> Floats:
        """Diameter of the disc of equal area."""
        return np.sqrt(4 / np.pi * self.area)

    @property
    def box(self) -> Box:
        """Bounding boxes in rows and columns."""
        return Box(self.sums.top, self.sums.left, self.sums.bottom, self.sums.right)

    @functools.cached_property
    def moments(self) -> Moments:
        """Centroids and central second moments."""
        sums, n = self.sums, self.pixels.astype(np.float64)
        y, x = sums.y / n, sums.x / n
        return Moments(
            y + sums.top,
            x + sums.left,
            (sums.yy / n - y * y) * self.ratio**2,
            sums.xx / n - x * x,
            (sums.xy / n - y * x) * self.ratio,
        )

    @functools.cached_property
    def axes(self) -> tuple[Floats, Floats]:
        """Major and minor axis of the ellipse of equal second moments."""
        m = self.moments
        half = (m.yy + m.xx) / 2
        spread = np.hypot((m.yy - m.xx) / 2, m.xy)
        small = np.maximum(half - spread, 0)
        small[small < 1e-12 * half] = 0  # a line one pixel wide has no width at its centres
        return 4 * np.sqrt(half + spread), 4 * np.sqrt(small)

    @functools.cached_property
    def ellipse_ratio(self) -> Floats:
        """Major over minor axis; NaN for lines one pixel wide."""
        major, minor = self.axes
        return divided(major, minor)

    @functools.cached_property
    def orientation(self) -> Floats:
        """Direction of the major axis in degrees, 0 to 180; NaN for round particles."""
        m = self.moments
        angle = np.degrees(0.5 * np.arctan2(-2 * m.xy, m.xx - m.yy)) % 180
        major, minor = self.axes
        return np.where(major >= ROUND * minor, angle, np.nan) * np.where(major > 0, 1, np.nan)

    @functools.cached_property
    def chains(self) -> Chains:
        """Convex hulls of the pixel centres."""
        return self.engine.find_chains(self.runs)

    @functools.cached_property
    def hulls(self) -> Hulls:
        """Convex hulls of the midpoints of pixel edges."""
        return self.engine.find_hulls(self.chains)

    @functools.cached_property
    def hull_perimeter(self) -> Floats:
        """Length of the hull."""
        return self.hulls.perimeter(self.scale)

    @functools.cached_property
    def hull_area(self) -> Floats:
        """Area of the hull."""
        return self.hulls.area(self.scale)

    @functools.cached_property
    def ferets(self) -> Ferets:
        """Feret diameters of the midpoint hull."""
        return self.engine.find_jaws(self.hulls, self.scale).ferets(self.scale)

    @functools.cached_property
    def corner_hulls(self) -> Hulls:
        """Convex hulls of the pixel corners."""
        return self.engine.find_hulls(self.chains, corners=True)

    @functools.cached_property
    def corner_ferets(self) -> Ferets:
        """Feret diameters of the corner hull."""
        return self.engine.find_jaws(self.corner_hulls, self.scale).ferets(self.scale)

    @functools.cached_property
    def corner_hull_perimeter(self) -> Floats:
        """Length of the corner hull."""
        return self.corner_hulls.perimeter(self.scale)

    @functools.cached_property
    def neighbour_distance(self) -> Floats:
        """Distance from each centroid to the nearest other one; NaN for a single particle."""
        if self.count < 2:
            return np.full(self.count, np.nan)
        return self.engine.nearest(self.moments.y * self.ratio, self.moments.x)

    @functools.cached_property
    def perimeter(self) -> Floats:
        """Crofton perimeter."""
        if self.directions == 8:
            return self.outlines.crofton_8(knight_entries(self.runs))
        return self.outlines.crofton(self.ratio, directions=self.directions)

    @functools.cached_property
    def grey(self) -> Grey:
        """Grey values inside each particle; NaN and infinity among them make NaN."""
        with np.errstate(invalid="ignore", over="ignore"):
            return self._grey()

    def _grey(self) -> Grey:
        """Work out mean and SD from sums of values and squares."""
        if self.image is None or not self.count:
            return Grey(*np.full((4, self.count), np.nan))
        total, square, low, high = self.engine.grey_sums(self.runs, self.image, self._base)
        mean = total / self.pixels
        return Grey(
            mean + self._base,
            np.sqrt(np.maximum(square / self.pixels - mean * mean, 0)),
            low,
            high,
        )

    @functools.cached_property
    def _base(self) -> float:
        """A grey value that sums are counted from, so that squares keep their digits."""
        first = self.runs.row[0], self.runs.first[0]
        return 0.0 if self.image is None else float(np.asarray(self.image[first], np.float64))

    @functools.cached_property
    def edge_contrast(self) -> Floats:
        """Mean inside less that of the ring outside, over their pooled SD; NaN without a ring."""
        with np.errstate(invalid="ignore", over="ignore"):
            return self._edge_contrast()

    def _edge_contrast(self) -> Floats:
        """Compare the pixels inside with those of the ring outside."""
        if self.image is None or not self.count:
            return np.full(self.count, np.nan)
        usable = np.ones(self.labels.shape, bool) if self.usable is None else self.usable
        sums = self.engine.surrounding_sums(self.runs, usable, self.image, self._base)
        count, total, square = sums
        mean = divided(total, count)
        variance = np.maximum(divided(square, count) - mean**2, 0)
        pooled = divided(self.pixels * self.grey.sd**2 + count * variance, self.pixels + count)
        return divided(self.grey.mean - self._base - mean, np.sqrt(pooled))

    @functools.cached_property
    def inscribed(self) -> Floats:
        """Twice the largest distance of a pixel's centre to the nearest one outside.

        Touching particles get different colours and each colour its own distance map:
        the pixel nearest to a particle but outside it is never one of its own colour.
        """
        from scipy.ndimage import distance_transform_edt

        runs = self.runs
        result = np.zeros(self.count)
        if not self.count:
            return result
        colours = coloured(self.count, self.outlines.pairs)
        for colour in range(int(colours.max()) + 1):
            mine = colours[runs.particle] == colour
            length = runs.length[mine]
            places = positions(runs.start[mine], length)
            mask = np.zeros(self.labels.size, bool)
            mask[places] = True
            padded = np.pad(mask.reshape(self.labels.shape), 1)  # beyond the image is outside
            distance = distance_transform_edt(padded, sampling=self.scale)[1:-1, 1:-1]
            largest = np.maximum.reduceat(distance.ravel()[places], np.cumsum(length) - length)
            np.maximum.at(result, runs.particle[mine], 2 * largest)
        return result

    @functools.cached_property
    def enclosing(self) -> Floats:
        """Diameter of the smallest circle around the hull of midpoints."""
        return find_circles(self.hulls, self.scale)

    @functools.cached_property
    def agglomerate(self) -> Ints:
        """Number of the group of touching particles that each one belongs to, from 1 on."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        one, two = self.outlines.pairs.T
        edges = coo_array((np.ones(len(one), bool), (one, two)), shape=(self.count, self.count))
        groups = connected_components(edges, directed=False)[1]
        return groups.astype(np.int64) + 1

    @functools.cached_property
    def touching(self) -> Ints:
        """Number of other particles that each one touches, also by a corner."""
        return np.bincount(self.outlines.pairs.ravel(), minlength=self.count)

    @functools.cached_property
    def touching_ratio(self) -> Floats:
        """Area over that of the largest particle touched; NaN for particles that touch none."""
        largest = np.zeros(self.count)
        one, two = self.outlines.pairs.T
        np.maximum.at(largest, one, self.area[two])
        np.maximum.at(largest, two, self.area[one])
        return divided(self.area, largest)


def divided(above: NDArray[np.generic], below: NDArray[np.generic]) -> Floats:
    """Divide; NaN where there is nothing to divide by."""
    result = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=result, where=np.asarray(below) != 0)
    return result


def coloured(count: int, pairs: Ints) -> Ints:
    """Give particles colours so that no two that touch have the same one.

    In each round those particles whose number is below that of all neighbours still
    waiting take the colour together (M. Luby, SIAM J. Comput. 15 (1986) 1036, with the
    numbers in place of random ones).

    Parameters
    ----------
    count : int
    pairs : int64 array (m, 2)
        Particles that touch, the smaller number first.

    Returns
    -------
    int64 array (n,)
        Colours from 0 on.
    """
    colours = np.full(count, -1, np.int64)
    colour = 0
    while (colours < 0).any():
        waiting = colours < 0
        while waiting.any():
            open_ = pairs[waiting[pairs].all(axis=1)]
            taken = waiting.copy()
            taken[open_[:, 1]] = False
            colours[taken] = colour
            near = pairs[taken[pairs].any(axis=1)]
            waiting &= ~taken
            waiting[near.ravel()] = False
        colour += 1
    return colours
