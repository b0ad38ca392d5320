"""The plots beside the particle table, drawn into matplotlib axes; no Qt here.

Histogram, cumulative share, log-probability plot and one quantity against another, each
with the chosen particles marked, so that plot, table and picture show the same choice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.widgets.plots.curves import draw_band, draw_fit

__all__ = [
    "CLASS_COLOURS",
    "KINDS",
    "PlotSpec",
    "PlotValues",
    "Style",
    "class_edges",
    "draw_plot",
    "group_numbers",
]

Floats = NDArray[np.float64]

CLASS_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
"""Colours of classes and groups after Okabe and Ito, apart for people who see no red."""

CHOSEN = "#ffd60a"  # as the outline in the picture
_BAR, _DOT = "#8d99ae", "#4da3d9"  # where there is one group
_MEAN, _MEDIAN = "#d1495b", "#2a9d8f"
_LEAST, _MOST = 8, 60  # classes
_LEGEND_ROWS = 6
_NARROW = 8.0  # ratio of the ends of a logarithmic axis under which it has evenly spaced numbers
_APART = 0.07  # share of the axis between two percentages written beside it
_PERCENT = (0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9)


@dataclasses.dataclass(frozen=True)
class PlotSpec:
    """What is plotted.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    x, y : str
        Titles of the quantities, with unit; `y` is for the bivariate plot alone.
    log_x, log_y : bool
        Logarithmic axes; `log_y` is that of the counts in a histogram.
    power : int
        Weight of a particle, its size to this power: 0 number, 2 area, 3 volume.
    limit : float or None
        A vertical line with the share below it, e.g. 100 nm.
    fit : bool
        Draw the distribution that fits best, where all particles are one group.
    band : bool
        Draw the 95 % interval of the cumulative distribution.
    """

    kind: str = "histogram"
    x: str = ""
    y: str = ""
    log_x: bool = False
    log_y: bool = False
    power: int = 0
    limit: float | None = None
    fit: bool = False
    band: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class PlotValues:
    """The values that are plotted, one a particle.

    Attributes
    ----------
    x, y : float arrays (n,)
    group : int array (n,)
        Number of the group of each particle.
    groups : tuple of str
        Names of the groups; one name: not grouped.
    images : int array (n,) or None
        Number of the image of each particle; None: all are of one.
    """

    x: Floats
    y: Floats
    group: NDArray[np.intp]
    groups: tuple[str, ...]
    images: NDArray[np.intp] | None = None

    def usable(self, spec: PlotSpec) -> NDArray[np.bool_]:
        """Say which particles can be drawn: a logarithm needs a value above 0."""
        fine = np.isfinite(self.x)
        if spec.log_x or spec.kind == "log-probability":
            fine &= self.x > 0
        if spec.kind == "bivariate":
            fine &= np.isfinite(self.y)
            if spec.log_y:
                fine &= self.y > 0
        return fine

    def part(self, rows: NDArray[np.bool_]) -> PlotValues:
        """Return some of the particles."""
        images = None if self.images is None else self.images[rows]
        return PlotValues(self.x[rows], self.y[rows], self.group[rows], self.groups, images)


@dataclasses.dataclass(frozen=True)
class Style:
    """Colours of the theme.

    Attributes
    ----------
    text, background : str
        ``#rrggbb``.
    """

    text: str = "#1d2733"
    background: str = "#ffffff"


Chosen = Callable[[NDArray[np.bool_]], list[Any]]


def class_edges(values: Floats, *, logarithmic: bool) -> Floats:
    """Choose the classes of a histogram of any quantity.

    Parameters
    ----------
    values : float array (n,)
        Finite; above 0 for logarithmic classes.
    logarithmic : bool
        Classes equal in ln x.

    Returns
    -------
    float array (classes + 1,)
        After Freedman and Diaconis, 8 to 60 classes, over all values.

    References
    ----------
    D. Freedman, P. Diaconis, Z. Wahrscheinlichkeitstheorie 57, 453 (1981).

    Examples
    --------
    >>> class_edges(np.array([-1.0, 0.0, 1.0]), logarithmic=False)[[0, -1]]
    array([-1.,  1.])
    """
    scaled = np.log(values) if logarithmic else values
    low, high = float(scaled.min()), float(scaled.max())
    if high - low <= 1e-9 * max(abs(high), 1e-300):
        half = 0.05 * (abs(high) or 1.0)
        edges = np.array([low - half, low + half])
    else:
        quarter, three_quarters = np.quantile(scaled, [0.25, 0.75])
        width = 2 * (three_quarters - quarter) * len(values) ** (-1 / 3)
        wanted = (high - low) / width if width > 0 else _MOST
        count = int(np.clip(np.ceil(min(wanted, _MOST)), _LEAST, _MOST))
        edges = np.linspace(low, high, count + 1)
    if not logarithmic:
        return edges
    edges = np.exp(edges)
    edges[0], edges[-1] = min(edges[0], values.min()), max(edges[-1], values.max())
    return edges


def draw_plot(axes: Any, values: PlotValues, spec: PlotSpec, style: Style) -> Chosen:
    """Draw a plot.

    Parameters
    ----------
    axes : matplotlib Axes
        Empty.
    values : PlotValues
    spec : PlotSpec
    style : Style

    Returns
    -------
    callable
        ``mark(chosen)`` draws the chosen particles, bool (n,), over it and returns the
        artists, so that a choice needs no new plot.
    """
    axes.set_facecolor(style.background)
    usable = values.usable(spec)
    axes.set_xlabel(spec.x, color=style.text, fontsize=9, parse_math=False)
    axes.tick_params(colors=style.text, labelsize=8, which="both")
    for name, spine in axes.spines.items():
        spine.set_color(style.text)
        spine.set_visible(name in ("left", "bottom"))
    if not usable.any():
        axes.text(0.5, 0.5, "no particle to show", ha="center", color=style.text,
                  transform=axes.transAxes)  # fmt: skip
        axes.set_yticks([])
        return lambda chosen: []
    mark = KINDS[spec.kind](axes, values.part(usable), spec, style)
    if spec.log_x:
        _plain_logarithms(axes.xaxis)
    hidden = len(usable) - int(usable.sum())
    if hidden:
        axes.set_title(f"{hidden} without a value here", fontsize=7, color=style.text, loc="right")
    return lambda chosen: mark(np.asarray(chosen, bool)[usable])


def _histogram(axes: Any, values: PlotValues, spec: PlotSpec, style: Style) -> Chosen:
    """Draw bars, stacked by group, with mean, median and SD where there is one group."""
    edges = class_edges(values.x, logarithmic=spec.log_x)
    weights = _shares(values.x, spec.power)
    if spec.log_x:
        axes.set_xscale("log")
    bottom = np.zeros(len(edges) - 1)
    grouped = len(values.groups) > 1
    for number, name in enumerate(values.groups):
        own = values.group == number
        counts, _ = np.histogram(values.x[own], edges, weights=weights[own])
        colour = _BAR if len(values.groups) == 1 else _colour(number, values)
        axes.bar(edges[:-1], counts, np.diff(edges), bottom, align="edge", color=colour,
                 edgecolor=style.background, lw=0.4,
                 label=_short(name, int(own.sum())) if grouped else None)  # fmt: skip
        bottom += counts
    axes.set_ylabel(_WEIGHTED[spec.power][0], color=style.text, fontsize=9)
    if spec.log_y:
        axes.set_yscale("log")
        low = bottom[bottom > 0].min()
        axes.set_ylim(0.5 * low, 2 * bottom.max())
    elif not spec.power:
        axes.yaxis.get_major_locator().set_params(integer=True)
    if len(values.groups) == 1:
        _statistics(axes, values.x, weights)
    _margins(axes, edges[0], edges[-1], spec.log_x)
    _share_below(axes, values.x, weights, spec, style)
    if not grouped:
        draw_fit(axes, values, spec, edges)
    if grouped:
        _legend(axes, style, f"n = {len(values.x)}")
    else:
        _legend_above(axes, style, len(values.x))

    def mark(chosen: NDArray[np.bool_]) -> list[Any]:
        """Draw the chosen ones as bars of their own in front."""
        if not chosen.any():
            return []
        counts, _ = np.histogram(values.x[chosen], edges, weights=weights[chosen])
        # one outline: sixty bars would take longer than the rest of a click
        return [axes.stairs(counts, edges, fill=True, color=CHOSEN, ec="#4d3f00", lw=0.5, zorder=3)]

    return mark


def _by_size(values: PlotValues) -> Iterator[tuple[int, str, NDArray[np.intp]]]:
    """Give number, name and rows of each group that has any, the smallest first."""
    for number, name in enumerate(values.groups):
        own = np.flatnonzero(values.group == number)
        if len(own):
            yield number, name, own[np.argsort(values.x[own], kind="stable")]


def _cumulative(axes: Any, values: PlotValues, spec: PlotSpec, style: Style) -> Chosen:
    """Draw the share of particles, of their area or of their volume, up to each size."""
    height = np.empty(len(values.x))
    if spec.log_x:
        axes.set_xscale("log")
    for number, name, order in _by_size(values):
        share = np.cumsum(_shares(values.x[order], spec.power))
        height[order] = 100 * share / max(share[-1], 1e-300)
        axes.plot(values.x[order], height[order], drawstyle="steps-post", lw=1.5,
                  color=_colour(number, values), label=_short(name, len(order)))  # fmt: skip
    axes.set_ylim(0, 101)
    axes.set_ylabel(_WEIGHTED[spec.power][1], color=style.text, fontsize=9)
    if len(values.groups) == 1:
        for percent in (10, 50, 90):
            size = float(values.x[height >= percent].min(initial=values.x.max()))
            axes.plot([size, size], [0, percent], ls=":", lw=1, color=style.text)
            axes.annotate(f"D{percent} {size:.4g}", (size, percent), fontsize=7.5,
                          color=style.text, xytext=(4, -9), textcoords="offset points")  # fmt: skip
    _margins(axes, values.x.min(), values.x.max(), spec.log_x)
    _share_below(axes, values.x, _shares(values.x, spec.power), spec, style)
    if len(values.groups) == 1:
        draw_band(axes, values, spec)
        draw_fit(axes, values, spec)
    _legend(axes, style)
    return _marker(axes, values.x, height)


def _log_probability(axes: Any, values: PlotValues, spec: PlotSpec, style: Style) -> Chosen:
    """Draw the normal quantile of the share against ln x: log-normal sizes lie on a line."""
    from scipy.special import ndtri

    height = np.empty(len(values.x))
    axes.set_xscale("log")
    for number, name, order in _by_size(values):
        height[order] = ndtri((np.arange(len(order)) + 0.5) / len(order))
        logs = np.log(values.x[order])
        spread = float(logs.std(ddof=1)) if len(order) > 1 else 0.0
        text = f"{_short(name, len(order))} GSD {np.exp(spread):.3g}".strip()
        axes.plot(
            values.x[order], height[order], ".", ms=3, color=_colour(number, values), label=text
        )
        if spread > 0:
            ends = height[order[[0, -1]]]
            axes.plot(np.exp(logs.mean() + spread * ends), ends, lw=1, color=style.text)
    if len(values.groups) == 1:
        draw_band(axes, values, spec)
        draw_fit(axes, values, spec)
    low, high = height.min() - 0.3, height.max() + 0.3
    ticks = [(float(ndtri(p / 100)), f"{p:g}") for p in _PERCENT]
    inside: list[tuple[float, str]] = []
    for place, text in ticks:
        if low <= place <= high and (not inside or place - inside[-1][0] > _APART * (high - low)):
            inside.append((place, text))
    axes.set_yticks([place for place, _ in inside], [text for _, text in inside])
    axes.set_ylim(low, high)
    axes.set_ylabel("share below [%]", color=style.text, fontsize=9)
    _margins(axes, values.x.min(), values.x.max(), True)
    _plain_logarithms(axes.xaxis)
    _legend(axes, style)
    return _marker(axes, values.x, height)


def _bivariate(axes: Any, values: PlotValues, spec: PlotSpec, style: Style) -> Chosen:
    """Draw one quantity against another."""
    size = 3.0 if len(values.x) > 2000 else 5.0
    for number, name in enumerate(values.groups):
        own = values.group == number
        axes.plot(values.x[own], values.y[own], ".", ms=size, alpha=0.6, mew=0,
                  color=_colour(number, values), label=_short(name, int(own.sum())))  # fmt: skip
    if spec.log_x:
        axes.set_xscale("log")
    if spec.log_y:
        axes.set_yscale("log")
        _plain_logarithms(axes.yaxis)
    axes.set_ylabel(spec.y, color=style.text, fontsize=9, parse_math=False)
    _margins(axes, values.x.min(), values.x.max(), spec.log_x)
    if len(values.groups) > 1:
        _legend(axes, style)
    else:
        _correlation(axes, values, spec, style)
    return _marker(axes, values.x, values.y)


KINDS: dict[str, Callable[[Any, PlotValues, PlotSpec, Style], Chosen]] = {
    "histogram": _histogram,
    "cumulative": _cumulative,
    "log-probability": _log_probability,
    "bivariate": _bivariate,
}
"""Name of a plot -> the function that draws it."""

_WEIGHTED = {
    0: ("particles", "share of particles [%]"),
    2: ("share of area [%]", "share of area [%]"),
    3: ("share of volume [%]", "share of volume [%]"),
}


def _marker(axes: Any, x: Floats, y: Floats) -> Chosen:
    """Return what marks chosen particles by dots."""

    def mark(chosen: NDArray[np.bool_]) -> list[Any]:
        """Draw the chosen ones in front."""
        if not chosen.any():
            return []
        return list(axes.plot(x[chosen], y[chosen], "o", ms=5, color=CHOSEN, mec="#4d3f00",
                              mew=0.5, zorder=4))  # fmt: skip

    return mark


def _shares(sizes: Floats, power: int) -> Floats:
    """Return what each particle weighs: 1, or percent of the summed power of the sizes."""
    if not power:
        return np.ones(len(sizes))
    weights = np.maximum(sizes, 0) ** power
    total = weights.sum()
    return 100 * weights / total if total > 0 else np.zeros(len(sizes))


def _statistics(axes: Any, values: Floats, weights: Floats) -> None:
    """Draw the lines of mean and median, and the band of mean ± SD."""
    total = weights.sum()
    if total <= 0:
        return
    mean = float((weights * values).sum() / total)
    order = np.argsort(values)
    half = np.searchsorted(np.cumsum(weights[order]), 0.5 * total)
    evenly = bool((weights == weights[0]).all())
    median = float(np.median(values)) if evenly else float(values[order[half]])
    axes.axvline(mean, color=_MEAN, lw=1.6, zorder=5, label=f"mean {mean:.4g}")
    axes.axvline(median, color=_MEDIAN, lw=1.6, ls="--", zorder=5, label=f"median {median:.4g}")
    if len(values) > 1:
        few = len(values) / (len(values) - 1)
        spread = float(np.sqrt((weights * (values - mean) ** 2).sum() / total * few))
        axes.axvspan(mean - spread, mean + spread, color=_MEAN, alpha=0.15, lw=0,
                     label=f"SD {spread:.3g}")  # fmt: skip


def _share_below(axes: Any, x: Floats, weights: Floats, spec: PlotSpec, style: Style) -> None:
    """Draw a limit, such as 100 nm, with the share below it."""
    low, high = axes.get_xlim()
    if spec.limit is None or not low < spec.limit < high:
        return
    share = 100 * weights[x < spec.limit].sum() / max(weights.sum(), 1e-300)
    axes.axvline(spec.limit, color=style.text, lw=1, ls=":",
                 label=f"{share:.3g} % below {spec.limit:g} nm")  # fmt: skip


def _correlation(axes: Any, values: PlotValues, spec: PlotSpec, style: Style) -> None:
    """Write how well the two quantities go together."""
    text = f"n = {len(values.x)}"
    if len(values.x) > 2 and np.ptp(values.x) > 0 and np.ptp(values.y) > 0:
        x = np.log(values.x) if spec.log_x else values.x
        y = np.log(values.y) if spec.log_y else values.y
        text += f", r = {np.corrcoef(x, y)[0, 1]:.2f}"
    axes.set_title(text, fontsize=8, color=style.text, loc="left")


def _colour(number: int, values: PlotValues) -> str:
    """Return the colour of a group; one group alone is light enough for a dark theme."""
    if len(values.groups) == 1:
        return _DOT
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def _short(name: str, count: int) -> str:
    """Write a group and its number of particles in little space."""
    text = name if len(name) <= 22 else f"{name[:10]}…{name[-10:]}"
    return f"{text} ({count})" if text else f"n = {count}"


def _margins(axes: Any, low: float, high: float, logarithmic: bool) -> None:
    """Leave a little room beside the smallest and the largest value."""
    if logarithmic:
        axes.set_xlim(low / 1.08, high * 1.08)
        return
    room = 0.03 * (high - low) or 0.5
    axes.set_xlim(low - room, high + room)


def _legend(axes: Any, style: Style, title: str | None = None) -> None:
    """Draw the legend; a long one is cut."""
    handles, names = axes.get_legend_handles_labels()
    if not handles:
        return
    if len(handles) > _LEGEND_ROWS:
        title = f"{len(handles) - _LEGEND_ROWS} more" if title is None else title
    legend = axes.legend(handles[:_LEGEND_ROWS], names[:_LEGEND_ROWS], fontsize=7.5,
                         facecolor=style.background, edgecolor="none", framealpha=0.7,
                         labelcolor=style.text, title=title, loc="best")  # fmt: skip
    legend.get_title().set(color=style.text, fontsize=7.5)


def _legend_above(axes: Any, style: Style, count: int) -> None:
    """Write the statistics above the axes, where they cover no bar."""
    from matplotlib.lines import Line2D

    handles, names = axes.get_legend_handles_labels()
    handles.append(Line2D([], [], alpha=0))
    axes.legend(
        handles,
        [*names, f"n = {count}"],
        fontsize=7.5,
        frameon=False,
        ncols=3,
        labelcolor=style.text,
        loc="lower left",
        bbox_to_anchor=(-0.06, 1.0),
        borderaxespad=0.1,
        handlelength=1.2,
        columnspacing=1.0,
        labelspacing=0.2,
    )


def _plain_logarithms(axis: Any) -> None:
    """Write the numbers of a logarithmic axis in full."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = axis.get_view_interval()
    ratio = high / max(low, 1e-300)
    subs = (1.0,) if ratio > 30 else (1.0, 2.0, 5.0)
    axis.set_major_locator(MaxNLocator(5) if ratio < _NARROW else LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def group_numbers(names: Sequence[Any]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Give the groups of particles numbers, in the order of their names.

    Examples
    --------
    >>> numbers, names = group_numbers(["rod", "", "rod"])
    >>> numbers.tolist(), names
    ([1, 0, 1], ('(none)', 'rod'))
    """
    found, numbers = np.unique(np.asarray(names, object).astype(str), return_inverse=True)
    return numbers.astype(np.intp), tuple(str(name) or "(none)" for name in found)
