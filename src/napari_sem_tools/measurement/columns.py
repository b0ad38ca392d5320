"""The one table of columns: name, unit, formula, source and function of every quantity.

It makes the particle table, its header and tooltips, the CSV and the page of the
documentation.  A new quantity is a row here and a test; nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.shape import Particles, divided

__all__ = ["COLUMNS", "DECISIONS", "Column", "Scene", "column", "columns_for"]

Group = Literal["index", "size", "shape", "intensity", "neighbours"]

ISO_9276_6 = "ISO 9276-6:2008"
CROFTON = "Legland et al., Bioinformatics 32 (2016) 3532; skimage.measure.perimeter_crofton"
SHAMOS = "Rotating calipers: Shamos 1978"
IMAGEJ = "ImageJ, Analyze Particles"
CENTRE = "First moments, as skimage.measure.regionprops"
MOMENTS = "Second central moments, as skimage.measure.regionprops"
OURS = "napari-sem-tools"


_SIGNS = {"nm2": "nm²", "nm3": "nm³", "px3": "px³"}


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """All that a column is worked out from.

    Attributes
    ----------
    particles : Particles
        Geometry in widths of a pixel.
    image : str
        Name of the image.
    nm_per_px : (float, float) or None
        Height and width of a pixel in nm.
    edge, covered : bool arrays (n,)
        Cut by the boundary; touching burnt-in letters.
    confidence : float array (n,)
        Of the segmentation; NaN when unknown.
    shape_min_px : float
        ECD from which on shape columns are reliable.
    edge_weight : float array (n,)
        After Miles and Lantuejoul; NaN when cut.
    """

    particles: Particles
    image: str
    nm_per_px: tuple[float, float] | None
    edge: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    confidence: NDArray[np.floating]
    shape_min_px: float
    edge_weight: NDArray[np.floating]


Value = Callable[[Scene], NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of the particle table.

    Attributes
    ----------
    name : str
        With its unit: ``quantity_unit``; without a suffix when dimensionless.
    unit : str
        ``"nm"``, ``"px"``, ``"deg"``, ``"grey"``, ... or empty.
    formula : str
        What it is, in words and symbols; A area, P Crofton perimeter, F Feret diameter.
    source : str
        Standard, paper or program whose definition it is.
    group : {"index", "size", "shape", "intensity", "neighbours"}
    value : callable or None
        Works the column out for all particles of a `Scene`; None: `judge` fills it in.
    needs_calibration : bool
        Absent when the image has no pixel size.
    needs_square_pixels : bool
        A length in px, which means nothing when pixels are not square.
    switch : str
        Field of `MeasureSettings` that turns it on; empty: always there.
    """

    name: str
    unit: str
    formula: str
    source: str
    group: Group
    value: Value | None
    needs_calibration: bool = False
    needs_square_pixels: bool = False
    switch: str = ""

    @property
    def quantity(self) -> str:
        """The name without its unit, e.g. ``"feret_min"``."""
        return self.name.removesuffix(f"_{self.unit}") if self.unit else self.name

    @property
    def title(self) -> str:
        """Header for people, e.g. ``"feret min [nm]"``."""
        words = self.quantity.replace("_", " ")
        return f"{words} [{_SIGNS.get(self.unit, self.unit)}]" if self.unit else words

    @property
    def tooltip(self) -> str:
        """Formula and source in a line."""
        return f"{self.formula} ({self.source})"


def _length(
    name: str, formula: str, source: str, value: Value, *, switch: str = "", group: Group = "size"
) -> tuple[Column, Column]:
    """Make the columns in nm and px of a length given in widths of a pixel."""

    def in_nm(scene: Scene) -> NDArray[Any]:
        width = scene.nm_per_px[1] if scene.nm_per_px else np.nan
        return value(scene) * width

    return (
        Column(f"{name}_nm", "nm", formula, source, group, in_nm, True, False, switch),
        Column(f"{name}_px", "px", formula, source, group, value, False, True, switch),
    )


def _area(name: str, formula: str, source: str, value: Value) -> tuple[Column, Column]:
    """Make the columns in nm² and px of an area given in squared widths of a pixel."""

    def in_nm2(scene: Scene) -> NDArray[Any]:
        width = scene.nm_per_px[1] if scene.nm_per_px else np.nan
        return value(scene) * width**2

    def in_pixels(scene: Scene) -> NDArray[Any]:
        return value(scene) / scene.particles.ratio

    return (
        Column(f"{name}_nm2", "nm2", formula, source, "size", in_nm2, True),
        Column(f"{name}_px", "px", formula, source, "size", in_pixels),
    )


def _volume(name: str, formula: str, source: str, value: Value) -> tuple[Column, Column]:
    """Make the columns in nm³ and px³ of a volume given in cubed widths of a pixel."""

    def in_nm3(scene: Scene) -> NDArray[Any]:
        width = scene.nm_per_px[1] if scene.nm_per_px else np.nan
        return value(scene) * width**3

    return (
        Column(f"{name}_nm3", "nm3", formula, source, "size", in_nm3, True),
        Column(f"{name}_px3", "px3", formula, source, "size", value, False, True),
    )


def _shape(  # name, formula and source come first in every row
    name: str, formula: str, source: str, value: Value, unit: str = "", switch: str = ""
) -> Column:
    """Make a shape column."""
    return Column(name, unit, formula, source, "shape", value, switch=switch)


def _names(scene: Scene) -> NDArray[Any]:
    """Repeat the name of the image."""
    return np.full(scene.particles.count, scene.image, dtype=object)


_INDEX = (
    Column("image", "", "name of the image", OURS, "index", _names),
    Column(
        "centroid_y_px",
        "px",
        "mean row of the pixels; the centre of the first pixel is 0",
        CENTRE,
        "index",
        lambda s: s.particles.moments.y,
    ),
    Column(
        "centroid_x_px",
        "px",
        "mean column of the pixels; the centre of the first pixel is 0",
        CENTRE,
        "index",
        lambda s: s.particles.moments.x,
    ),
    Column(
        "edge",
        "",
        "the outline, grown by the margin, leaves the field anywhere but at burnt-in letters",
        OURS,
        "index",
        lambda s: s.edge,
    ),
    Column(
        "edge_weight",
        "",
        "free pixels of the field over the places where its box would be whole; empty when cut, "
        "0 when whole though its box is not",
        "Miles 1974, Lantuejoul 1978; ISO 13322-1:2014",
        "index",
        lambda s: s.edge_weight,
    ),
    Column("doubtful", "", "a rule for doubtful particles holds", OURS, "index", None),
    Column(
        "doubt_reason",
        "",
        "why it is doubtful or left out: edge, too small, covered, fragment, merged, "
        "low contrast, low confidence",
        OURS,
        "index",
        None,
    ),
    Column(
        "doubt_score",
        "",
        "0 to 1: the largest of the rules, 0.5 where one is at its setting",
        OURS,
        "index",
        None,
    ),
    Column("included", "", "False: in the table, but not in the statistics", OURS, "index", None),
    Column(
        "confidence",
        "",
        "how sure the segmentation is, 0 to 1; empty when it does not say",
        OURS,
        "index",
        lambda s: s.confidence,
    ),
)

_SIZE = (
    *_area("area", "A: number of pixels times the area of one; holes count as outside",
           "ISO 13322-1:2014", lambda s: s.particles.area),
    *_area("area_filled", "area with its holes; what lies in a hole counts, whatever it is",
           "scipy.ndimage.binary_fill_holes", lambda s: s.particles.area_filled),
    *_length("ecd", "√(4A/π): diameter of the disc of equal area", ISO_9276_6,
             lambda s: s.particles.ecd),
    *_volume("volume_sphere", "π/6 ECD³: the volume, were the particle a sphere", "Model: sphere",
             lambda s: np.pi / 6 * s.particles.ecd**3),
    *_length("feret_min", "smallest distance of two parallel tangents to the hull of the "
             "midpoints of the pixels' edges", SHAMOS, lambda s: s.particles.ferets.minimum),
    *_length("feret_max", "largest distance of two points of the hull of the midpoints of the "
             "pixels' edges", SHAMOS, lambda s: s.particles.ferets.maximum),
    *_length("feret_mean", "length of the hull over π, the mean over all directions",
             "Cauchy 1832", lambda s: s.particles.hull_perimeter / np.pi),
    *_length("feret_90", "width of the hull at right angles to feret_min", ISO_9276_6,
             lambda s: s.particles.ferets.across),
    *_length("feret_corner_min", "feret_min on the hull of the pixels' corners", IMAGEJ,
             lambda s: s.particles.corner_ferets.minimum, switch="corner_ferets"),
    *_length("feret_corner_max", "feret_max on the hull of the pixels' corners", IMAGEJ,
             lambda s: s.particles.corner_ferets.maximum, switch="corner_ferets"),
    *_length("feret_corner_mean", "feret_mean on the hull of the pixels' corners", IMAGEJ,
             lambda s: s.particles.corner_hull_perimeter / np.pi,
             switch="corner_ferets"),
    *_length("perimeter", "P: Crofton formula with 4 directions (or 2 or 8, a setting); edges of "
             "holes count, touching particles are taken as if alone", CROFTON,
             lambda s: s.particles.perimeter),
    *_length("perimeter_hull", "length of the hull of the midpoints of the pixels' edges",
             ISO_9276_6, lambda s: s.particles.hull_perimeter),
    *_length("axis_major", "4√λ₁, λ₁ the larger eigenvalue of the second central moments",
             MOMENTS, lambda s: s.particles.axes[0]),
    *_length("axis_minor", "4√λ₂, λ₂ the smaller eigenvalue of the second central moments; "
             "0 for lines one pixel wide", MOMENTS, lambda s: s.particles.axes[1]),
    *_length("rect_length", "longer side of the rectangle of smallest area around the hull",
             SHAMOS, lambda s: s.particles.ferets.rectangle_length),
    *_length("rect_width", "shorter side of the rectangle of smallest area around the hull",
             SHAMOS, lambda s: s.particles.ferets.rectangle_width),
    *_length("inscribed", "2 × the largest distance of a pixel's centre to the nearest centre "
             "outside the particle", ISO_9276_6, lambda s: s.particles.inscribed,
             switch="inscribed"),
    *_length("enclosing", "diameter of the smallest circle around the hull of the midpoints of "
             "the pixels' edges", f"{ISO_9276_6}; Chrystal 1885",
             lambda s: s.particles.enclosing, switch="inscribed"),
    Column("box_top_px", "px", "first row", OURS, "size", lambda s: s.particles.box.top),
    Column("box_left_px", "px", "first column", OURS, "size", lambda s: s.particles.box.left),
    Column("box_height_px", "px", "rows that it occupies", OURS, "size",
           lambda s: s.particles.box.bottom - s.particles.box.top),
    Column("box_width_px", "px", "columns that it occupies", OURS, "size",
           lambda s: s.particles.box.right - s.particles.box.left),
)  # fmt: skip

_SHAPE = (
    _shape("circularity", "4πA/P² with the Crofton P, not clipped: above 1 marks a small "
           "particle", f"{IMAGEJ}; {ISO_9276_6}: form factor",
           lambda s: divided(4 * np.pi * s.particles.area, s.particles.perimeter**2)),
    _shape("circularity_iso", "√(4πA/P²) with the Crofton P, not clipped", ISO_9276_6,
           lambda s: divided(np.sqrt(4 * np.pi * s.particles.area), s.particles.perimeter)),
    _shape("aspect_ratio", "F_max/F_min, at least 1", f"inverse of {ISO_9276_6}",
           lambda s: divided(s.particles.ferets.maximum, s.particles.ferets.minimum)),
    _shape("ellipse_ratio", "axis_major/axis_minor; empty for lines one pixel wide", ISO_9276_6,
           lambda s: s.particles.ellipse_ratio),
    _shape("elongation", "1 - F_min/F_max", OURS,
           lambda s: 1 - divided(s.particles.ferets.minimum, s.particles.ferets.maximum)),
    _shape("solidity", "A over the area of the hull of the midpoints of the pixels' edges; "
           "0.98 for a perfect disc of 20 px", ISO_9276_6,
           lambda s: divided(s.particles.area, s.particles.hull_area)),
    _shape("convexity", "length of the hull over the Crofton P, not clipped", ISO_9276_6,
           lambda s: divided(s.particles.hull_perimeter, s.particles.perimeter)),
    _shape("roundness", "4A/(π F_max²)", ISO_9276_6,
           lambda s: divided(s.particles.ecd, s.particles.ferets.maximum) ** 2),
    _shape("compactness", "√(4A/π)/F_max, the root of roundness", ISO_9276_6,
           lambda s: divided(s.particles.ecd, s.particles.ferets.maximum)),
    _shape("extent", "A/(F_max F_min)", ISO_9276_6,
           lambda s: divided(s.particles.area,
                             s.particles.ferets.maximum * s.particles.ferets.minimum)),
    _shape("extent_box", "A over the area of the box along rows and columns",
           "skimage.measure.regionprops: extent",
           lambda s: s.particles.pixels / ((s.particles.box.bottom - s.particles.box.top)
                                           * (s.particles.box.right - s.particles.box.left))),
    _shape("box_ratio", "A over the area of the smallest rectangle", OURS,
           lambda s: divided(s.particles.area, s.particles.ferets.rectangle_length
                             * s.particles.ferets.rectangle_width)),
    _shape("feret_min_angle_deg", "direction feret_min is measured along, from +x, "
           "counter-clockwise on the screen", SHAMOS,
           lambda s: s.particles.ferets.minimum_angle, "deg"),
    _shape("feret_max_angle_deg", "direction of feret_max, from +x, counter-clockwise on the "
           "screen", SHAMOS, lambda s: s.particles.ferets.maximum_angle, "deg"),
    _shape("feret_corner_min_angle_deg", "direction feret_corner_min is measured along, from +x, "
           "counter-clockwise on the screen", SHAMOS,
           lambda s: s.particles.corner_ferets.minimum_angle, "deg", "corner_ferets"),
    _shape("feret_corner_max_angle_deg", "direction of feret_corner_max, from +x, "
           "counter-clockwise on the screen", SHAMOS,
           lambda s: s.particles.corner_ferets.maximum_angle, "deg", "corner_ferets"),
    _shape("irregularity", "inscribed over enclosing diameter", f"{ISO_9276_6}: modification ratio",
           lambda s: divided(s.particles.inscribed, s.particles.enclosing), "", "inscribed"),
    _shape("orientation_deg", "direction of the major axis, from +x, counter-clockwise on the "
           "screen; empty for an ellipse ratio below 1.05", MOMENTS,
           lambda s: s.particles.orientation, "deg"),
    _shape("shape_reliable", "False for an equivalent diameter under 8 px (a setting), where "
           "shape columns mean little", OURS,
           lambda s: np.sqrt(4 / np.pi * s.particles.pixels) >= s.shape_min_px),
)  # fmt: skip


def _intensity(name: str, formula: str, value: Value, unit: str = "grey") -> Column:
    """Make an intensity column."""
    return Column(name, unit, formula, OURS, "intensity", value, switch="intensity")


_INTENSITY = (
    _intensity("intensity_mean_grey", "mean of the stored grey values",
               lambda s: s.particles.grey.mean),
    _intensity("intensity_sd_grey", "standard deviation of the stored grey values",
               lambda s: s.particles.grey.sd),
    _intensity("intensity_min_grey", "smallest stored grey value",
               lambda s: s.particles.grey.minimum),
    _intensity("intensity_max_grey", "largest stored grey value",
               lambda s: s.particles.grey.maximum),
    _intensity("edge_contrast", "mean inside less mean of the ring outside (background up to "
               "3 px away from centre to centre, other particles left out), over their pooled SD",
               lambda s: s.particles.edge_contrast, ""),
)  # fmt: skip

_NEIGHBOURS = (
    Column("covered", "", "burnt-in letters or a drawn bar touch it", OURS, "neighbours",
           lambda s: s.covered),
    Column("touching", "", "number of other particles that it touches, also by a corner", OURS,
           "neighbours", lambda s: s.particles.touching, switch="neighbours"),
    Column("touching_ratio", "", "A over that of the largest particle touched; empty when it "
           "touches none", OURS, "neighbours", lambda s: s.particles.touching_ratio,
           switch="neighbours"),
    Column("agglomerate", "", "number of the group of particles that touch each other, also by a "
           "corner or through others; from 1 on in each image", OURS, "neighbours",
           lambda s: s.particles.agglomerate, switch="neighbours"),
    Column("agglomerate_primaries", "", "number of particles in that group; 1: it stands alone",
           OURS, "neighbours",
           lambda s: np.bincount(s.particles.agglomerate)[s.particles.agglomerate],
           switch="neighbours"),
    *_length("neighbour_distance", "distance from centroid to nearest other centroid", OURS,
             lambda s: s.particles.neighbour_distance, switch="neighbours", group="neighbours"),
)  # fmt: skip

COLUMNS: tuple[Column, ...] = _INDEX + _SIZE + _SHAPE + _INTENSITY + _NEIGHBOURS
"""Every column of the particle table, in order; the index of the table is ``label``."""


DECISIONS: tuple[Column, ...] = (
    Column(
        "by_hand",
        "",
        "counted or left out, as a person decided; it wins over the rules",
        OURS,
        "index",
        None,
    ),
    Column("particle_class", "", "class that a person gave the particle", OURS, "index", None),
)
"""Columns that a table gets with the first decision by hand, and not before."""


def column(name: str) -> Column:
    """Return the row of a column; KeyError when there is none of this name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Column

    Examples
    --------
    >>> column("ecd_nm").title
    'ecd [nm]'
    """
    return _BY_NAME[name]


def columns_for(
    nm_per_px: tuple[float, float] | None, *, square: bool, off: frozenset[str] = frozenset()
) -> tuple[Column, ...]:
    """List the columns of a table.

    Parameters
    ----------
    nm_per_px : (float, float) or None
        None: uncalibrated, columns in nm are absent.
    square : bool
        False: lengths in px are absent.
    off : set of str
        Switches that are off.

    Returns
    -------
    tuple of Column
    """
    return tuple(
        row
        for row in COLUMNS
        if (nm_per_px is not None or not row.needs_calibration)
        and (square or not row.needs_square_pixels)
        and row.switch not in off
    )


_BY_NAME = {row.name: row for row in COLUMNS + DECISIONS}
if len(_BY_NAME) != len(COLUMNS) + len(DECISIONS):
    raise RuntimeError("Two columns have the same name.")
