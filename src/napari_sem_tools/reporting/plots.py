"""Plots of a size distribution: cumulative, log-probability, image by image, Feret diameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.reporting.histogram import (
    bin_edges,
    draw_histogram,
    mostly_right,
    plain_numbers,
)
from napari_sem_tools.reporting.records import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Distribution",
    "distribution_figure",
    "draw_cumulative",
    "draw_ferets",
    "draw_images",
    "draw_log_probability",
]

Floats = NDArray[np.float64]

NANO_NM = 100.0
"""Below it a dimension is that of a nanomaterial, Recommendation 2022/C 229/01."""
_BLUE, _ORANGE, _RED, _GREY, _INK = "#3b6ea8", "#c9761a", "#b3261e", "#8a94a0", "#1d2733"
_MOST_POINTS = 2000  # of a curve; more cannot be told apart on a page
_MOST_DOTS = 400  # of an image in the strip plot
_MOST_NAMES = 24  # images whose names are written out
_PROBABILITIES = np.array([0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9])  # in %
_ASPECTS = (1.0, 1.5, 2.0, 3.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Distribution:
    """What the plots of a size distribution show.

    Attributes
    ----------
    sizes : mapping of str to float64 array
        Counted sizes of each image.
    unit : str
        ``"nm"`` or ``"px"``.
    pixel : float
        Side of the largest pixel in `unit`.
    feret_min, feret_max : float64 array
        Of all counted particles; empty when they are not known.
    band : (float64 array, float64 array, float64 array) or None
        Sizes, and the ends of the interval of the cumulative distribution by number there.
    fit : (str, callable) or None
        Name of a fitted distribution, and its share by number below given sizes.
    """

    sizes: Mapping[str, Floats]
    unit: str
    pixel: float = 0.0
    feret_min: Floats = dataclasses.field(default_factory=lambda: np.empty(0))
    feret_max: Floats = dataclasses.field(default_factory=lambda: np.empty(0))
    band: tuple[Floats, Floats, Floats] | None = None
    fit: tuple[str, Callable[[Floats], Floats]] | None = None

    def __post_init__(self) -> None:
        """Check that the Feret diameters come in pairs."""
        if len(self.feret_min) != len(self.feret_max):
            raise InvalidSettings("Smallest and largest Feret diameters do not belong together.")

    @property
    def pooled(self) -> Floats:
        """All sizes above 0, rising."""
        joined = np.concatenate([np.empty(0), *self.sizes.values()])
        return np.sort(joined[np.isfinite(joined) & (joined > 0)])

    @property
    def unit_text(self) -> str:
        """The unit as an axis says it."""
        return self.unit if self.unit != "px" else "px, uncalibrated"


def distribution_figure(found: Distribution) -> Figure:
    """Draw histogram, cumulative, log-probability, and images side by side.

    Parameters
    ----------
    found : Distribution

    Returns
    -------
    matplotlib.figure.Figure
        The last panel has an image a column, or the Feret diameters where there is one image.
    """
    from napari_sem_tools.reporting.figures import new_figure

    figure = new_figure(12.0, 8.2)
    panels = figure.subplots(2, 2)
    last = draw_images if len(found.sizes) > 1 or not len(found.feret_min) else draw_ferets
    rows = (
        (_histogram, "Size distribution by number"),
        (draw_cumulative, "Cumulative distribution"),
        (draw_log_probability, "Log-probability: a straight line is log-normal"),
        (last, "Image by image" if last is draw_images else "Feret diameters"),
    )
    for axes, (draw, title) in zip(panels.flat, rows, strict=True):
        if found.pooled.size:
            draw(axes, found)
        else:
            _empty(axes)
        axes.set_title(title, loc="left", fontsize=11, color=_INK)
    return figure


def draw_cumulative(axes: Any, found: Distribution) -> None:
    """Draw the share of particles, and of their volume, below each size.

    Parameters
    ----------
    axes : matplotlib Axes
    found : Distribution
        With sizes.

    References
    ----------
    ISO 9276-1: cumulative distributions Q0 by number and Q3 by volume.
    """
    sizes = found.pooled
    shares = (np.arange(sizes.size) + 0.5) / sizes.size
    volumes = np.cumsum(sizes**3)
    if found.band is not None:
        at, low, high = found.band
        axes.fill_between(
            at, 100 * low, 100 * high, color=_BLUE, alpha=0.2, lw=0, label="95 % interval of Q0"
        )
    keep = _spread(sizes.size)
    axes.plot(sizes[keep], 100 * shares[keep], color=_BLUE, lw=1.6, label="by number, Q0")
    by_volume = (volumes - 0.5 * sizes**3) / volumes[-1]
    axes.plot(
        sizes[keep], 100 * by_volume[keep], color=_ORANGE, lw=1.2, ls="--",
        label="by volume of spheres, Q3",
    )  # fmt: skip
    _mark_100_nm(axes, found)
    axes.set_ylim(0, 100)
    axes.set_ylabel("share below the size (%)")
    _size_axis(axes, found, logarithmic=sizes[-1] > 8 * sizes[0])
    axes.legend(loc="upper left", frameon=False, fontsize=8.5)


def draw_log_probability(axes: Any, found: Distribution) -> None:
    """Draw the quantiles of the normal distribution against ln d, with the line of the moments.

    Parameters
    ----------
    axes : matplotlib Axes
    found : Distribution
        With sizes.
    """
    from scipy.special import ndtri

    sizes = found.pooled
    shares = (np.arange(sizes.size) + 0.5) / sizes.size
    keep = _spread(sizes.size)
    axes.plot(sizes[keep], ndtri(shares[keep]), ".", ms=3.2, color=_BLUE, label="particles")
    logs = np.log(sizes)
    spread = float(np.std(logs, ddof=1)) if sizes.size > 1 else 0.0
    ends = ndtri(shares[[0, -1]])
    if spread > 1e-9:
        middle = float(np.mean(logs))
        text = (
            f"log-normal, median {short(np.exp(middle))} {found.unit}, GSD {short(np.exp(spread))}"
        )
        axes.plot(np.exp(middle + spread * ends), ends, color=_RED, lw=1.1, label=text)
    shown = _PROBABILITIES[
        (ndtri(_PROBABILITIES / 100) > ends[0] - 0.7)
        & (ndtri(_PROBABILITIES / 100) < ends[1] + 0.7)
    ]
    axes.set_yticks(ndtri(shown / 100), [f"{share:g}" for share in shown])
    axes.set_ylabel("share below the size (%)")
    axes.grid(axis="y", color="#e6eaef", lw=0.7)
    _size_axis(axes, found, logarithmic=True)
    axes.legend(loc="upper left", frameon=False, fontsize=8.5)


def draw_images(axes: Any, found: Distribution) -> None:
    """Draw the sizes of each image beside the others, with their medians.

    Parameters
    ----------
    axes : matplotlib Axes
    found : Distribution
        With sizes.
    """
    random = np.random.default_rng(0)
    width = 0.32
    for place, sizes in enumerate(found.sizes.values()):
        if not sizes.size:
            continue
        chosen = sizes[_spread(sizes.size, _MOST_DOTS)]
        beside = place + random.uniform(-width, width, chosen.size)
        axes.plot(beside, chosen, ".", ms=3.0, color=_GREY, alpha=0.6)
        axes.plot([place - width, place + width], [np.median(sizes)] * 2, color=_INK, lw=1.8)
    axes.axhline(float(np.median(found.pooled)), color=_RED, lw=1.1, ls="--")
    names = list(found.sizes)
    few = len(names) <= _MOST_NAMES
    axes.set_xticks(range(len(names)) if few else [])
    if few:
        labels = [_short_name(name) for name in names]
        tilt = len(names) > 4 or max(map(len, labels)) > 12
        axes.set_xticklabels(
            labels, rotation=35 if tilt else 0, ha="right" if tilt else "center", fontsize=8,
            parse_math=False,
        )  # fmt: skip
    axes.set_xlabel(f"{len(names)} images; bars: median of each; dashed: of all")
    axes.set_ylabel(f"ECD ({found.unit_text})")
    sizes = found.pooled
    if sizes[-1] > 8 * sizes[0]:
        axes.set_yscale("log")
        plain_numbers(axes.yaxis, sizes[0], sizes[-1])
    axes.spines[["top", "right"]].set_visible(False)


def draw_ferets(axes: Any, found: Distribution) -> None:
    """Draw the smallest against the largest Feret diameter, with lines of equal aspect ratio.

    Parameters
    ----------
    axes : matplotlib Axes
    found : Distribution
        With Feret diameters.
    """
    keep = _spread(len(found.feret_min))
    axes.plot(found.feret_max[keep], found.feret_min[keep], ".", ms=3.2, color=_BLUE, alpha=0.7)
    reach = 1.06 * float(np.max(found.feret_max))
    for aspect in _ASPECTS:
        axes.plot([0, reach], [0, reach / aspect], color=_GREY, lw=0.8, ls=":")
        axes.annotate(
            f"{aspect:g}", (reach, reach / aspect), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=8, color=_GREY, annotation_clip=False,
        )  # fmt: skip
    axes.set_xlim(0, reach)
    axes.set_ylim(0, reach)
    axes.set_xlabel(f"largest Feret diameter ({found.unit_text}); dotted: aspect ratio")
    axes.set_ylabel(f"smallest Feret diameter ({found.unit_text})")
    axes.spines[["top", "right"]].set_visible(False)


def _histogram(axes: Any, found: Distribution) -> None:
    """Draw the histogram, what the fit expects in each class, and 100 nm."""
    draw_histogram(axes, found.pooled, unit=found.unit, min_width=found.pixel)
    if found.fit is not None:
        name, below = found.fit
        edges = bin_edges(found.pooled, min_width=found.pixel)
        expected = found.pooled.size * np.diff(below(edges))
        middle = 0.5 * (edges[1:] + edges[:-1])
        axes.plot(middle, expected, color=_ORANGE, lw=1.6, label=f"{name} fit")
        logarithmic = axes.get_xscale() == "log"
        right = mostly_right(float(np.median(found.pooled)), edges, logarithmic=logarithmic)
        axes.legend(loc="center left" if right else "center right", frameon=False, fontsize=8.5)
    _mark_100_nm(axes, found, height=0.25)


def _mark_100_nm(axes: Any, found: Distribution, *, height: float = 0.5) -> None:
    """Draw a line at 100 nm where it lies among the sizes."""
    sizes = found.pooled
    if found.unit == "nm" and sizes[0] < NANO_NM < sizes[-1]:
        axes.axvline(NANO_NM, color=_GREY, lw=1.0, ls=":")
        axes.annotate(
            "100 nm", (NANO_NM, height), xycoords=("data", "axes fraction"), xytext=(3, 0),
            textcoords="offset points", va="center", fontsize=8, color=_GREY, rotation=90,
        )  # fmt: skip


def _size_axis(axes: Any, found: Distribution, *, logarithmic: bool) -> None:
    """Label the axis of sizes."""
    axes.set_xlabel(f"equivalent circular diameter ({found.unit_text})")
    axes.spines[["top", "right"]].set_visible(False)
    if logarithmic and found.pooled.size > 1 and found.pooled[-1] > found.pooled[0]:
        axes.set_xscale("log")
        plain_numbers(axes.xaxis, found.pooled[0], found.pooled[-1])


def _spread(count: int, most: int = _MOST_POINTS) -> NDArray[np.int64]:
    """Choose at most so many places, the first and the last among them."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(np.int64)


def _short_name(name: str) -> str:
    """Cut a long name in the middle."""
    from napari_sem_tools.reporting.figures import plain

    shown = plain(name)
    return shown if len(shown) <= 18 else f"{shown[:9]}…{shown[-8:]}"


def _empty(axes: Any) -> None:
    """Say that there is nothing to draw."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no particle to count", ha="center", va="center", transform=axes.transAxes)
