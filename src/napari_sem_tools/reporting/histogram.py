"""The size histogram: classes after Freedman and Diaconis, weighted by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.reporting.records import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bin_edges", "draw_histogram", "histogram_figure", "mostly_right", "plain_numbers"]

MIN_BINS, MAX_BINS = 8, 60
_GSD_OF_LOGARITHMIC_CLASSES = 1.5  # above it, classes equal in ln d
_BAR = "#3b6ea8"
_MEDIAN = "#b3261e"


def bin_edges(sizes: ArrayLike, *, min_width: float = 0.0) -> NDArray[np.float64]:
    """Choose the classes of a size histogram.

    Classes of width ``2 IQR n**(-1/3)``, 8 to 60 of them, none narrower than a pixel;
    equal in ``ln d`` when the geometric standard deviation exceeds 1.5.

    Parameters
    ----------
    sizes : array-like (n,)
        Sizes above 0, in any unit; values that are no numbers are left out.
    min_width : float
        Width of a pixel in the same unit; narrower classes would comb.

    Returns
    -------
    float64 array (classes + 1,)
        Rising edges that hold every size; empty when there is none.

    References
    ----------
    D. Freedman, P. Diaconis, Z. Wahrscheinlichkeitstheorie 57, 453 (1981).

    Examples
    --------
    >>> edges = bin_edges([10.0, 11.0, 12.0, 13.0, 14.0])
    >>> len(edges) - 1, float(edges[0]), float(edges[-1])
    (8, 10.0, 14.0)
    """
    values = np.asarray(sizes, float).ravel()
    values = np.sort(values[np.isfinite(values) & (values > 0)])
    if values.size == 0:
        return np.empty(0)
    low, high = float(values[0]), float(values[-1])
    if high - low <= 1e-9 * high:  # all alike: one class, a pixel wide if that is known
        half = 0.5 * (min_width or 0.1 * high)
        return np.array([max(low - half, 0.0), high + half])
    logarithmic = np.std(np.log(values)) > np.log(_GSD_OF_LOGARITHMIC_CLASSES)
    scaled = np.log(values) if logarithmic else values
    count = _class_count(scaled)
    if logarithmic:
        return _within(np.geomspace(low, high, count + 1), low, high)
    if min_width > 0:
        count = max(1, min(count, int((high - low) / min_width)))
    return _within(np.linspace(low, high, count + 1), low, high)


def draw_histogram(axes: Any, sizes: ArrayLike, *, unit: str, min_width: float = 0.0) -> None:
    """Draw a number-weighted size histogram into matplotlib axes.

    Parameters
    ----------
    axes : matplotlib Axes
    sizes : array-like (n,)
        Equivalent circular diameters.
    unit : str
        ``"nm"`` or ``"px"``.
    min_width : float
        Width of a pixel in `unit`.
    """
    values = np.asarray(sizes, float)
    values = values[np.isfinite(values) & (values > 0)]
    edges = bin_edges(values, min_width=min_width)
    says = unit if unit != "px" else "px, uncalibrated"
    axes.set_xlabel(f"equivalent circular diameter ({says})")
    axes.spines[["top", "right"]].set_visible(False)
    if edges.size == 0:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "no particle to count", ha="center", va="center", transform=axes.transAxes
        )
        return
    counts, _ = np.histogram(values, edges)
    axes.bar(
        edges[:-1], counts, np.diff(edges), align="edge", color=_BAR, edgecolor="white", lw=0.6
    )
    ratio = edges[1:] / np.maximum(edges[:-1], 1e-12)
    logarithmic = len(edges) > 3 and np.allclose(ratio[1:-1], ratio[1])
    if logarithmic:
        _logarithmic_axis(axes, edges)
    axes.set_ylabel("particles per class (number-weighted)")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(0, max(1.0, 1.2 * counts.max()))
    _write_statistics(axes, values, unit, edges, logarithmic=logarithmic)


def histogram_figure(
    sizes: ArrayLike, *, unit: str, min_width: float = 0.0, title: str = ""
) -> Figure:
    """Make the histogram as a figure of its own.

    Returns
    -------
    matplotlib.figure.Figure
        To be written with `write_figure`; it never touches pyplot.
    """
    from napari_sem_tools.reporting.figures import new_figure, plain

    figure = new_figure(7.2, 4.6)
    axes = figure.add_subplot()
    draw_histogram(axes, sizes, unit=unit, min_width=min_width)
    if title:
        axes.set_title(plain(title), loc="left", fontsize=11, parse_math=False)
    return figure


def _class_count(values: NDArray[np.float64]) -> int:
    """Count classes after Freedman and Diaconis, 8 to 60."""
    quarter, three_quarters = np.quantile(values, [0.25, 0.75])
    width = 2.0 * (three_quarters - quarter) * values.size ** (-1 / 3)
    wanted = (values[-1] - values[0]) / width if width > 0 else MAX_BINS
    return int(np.clip(np.ceil(min(wanted, MAX_BINS)), MIN_BINS, MAX_BINS))


def _within(edges: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Undo rounding at both ends, so that every size lies in a class."""
    edges[0], edges[-1] = low, high
    return edges


def _logarithmic_axis(axes: Any, edges: NDArray[np.float64]) -> None:
    """Use a logarithmic size axis with plain numbers."""
    axes.set_xscale("log")
    axes.set_xlim(edges[0] / 1.05, edges[-1] * 1.05)
    plain_numbers(axes.xaxis, float(edges[0]), float(edges[-1]))


def plain_numbers(axis: Any, low: float, high: float) -> None:
    """Write 20, 50, 100 on a logarithmic axis instead of powers of ten.

    Parameters
    ----------
    axis : matplotlib Axis
    low, high : float
        What it shows; a short axis has more numbers a decade.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    steps = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0) if high < 8 * low else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def mostly_right(median: float, edges: NDArray[np.float64], *, logarithmic: bool) -> bool:
    """Tell whether the bars stand in the right half, so that texts belong into the left one.

    Parameters
    ----------
    median : float
    edges : float64 array
        Of the classes.
    logarithmic : bool
        Of the axis.

    Returns
    -------
    bool
    """
    low, high = float(edges[0]), float(edges[-1])
    middle = np.sqrt(max(low, 1e-12) * high) if logarithmic else 0.5 * (low + high)
    return bool(median > middle)


def _write_statistics(
    axes: Any,
    values: NDArray[np.float64],
    unit: str,
    edges: NDArray[np.float64],
    *,
    logarithmic: bool,
) -> None:
    """Mark the median and write count, mean, median and SD into the corner."""
    median = float(np.median(values))
    axes.axvline(median, color=_MEDIAN, lw=1.3, ls="--")
    deviation = float(np.std(values, ddof=1)) if values.size > 1 else float("nan")
    classes = f"{len(edges) - 1} classes" + (", equal in ln d" if logarithmic else "")
    lines = (
        f"n = {values.size}",
        f"mean {short(float(values.mean()))} {unit}",
        f"median {short(median)} {unit} (dashed)",
        f"SD {short(deviation)} {unit}",
        classes,
    )
    left = mostly_right(median, edges, logarithmic=logarithmic)
    axes.text(
        0.03 if left else 0.97,
        0.97,
        "\n".join(lines),
        ha="left" if left else "right",
        va="top",
        fontsize=8.5,
        linespacing=1.4,
        transform=axes.transAxes,
        parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 3},
    )
