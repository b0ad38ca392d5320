"""Plots tell the truth about the particles, and marks lie on what was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sem_tools.widgets.plots.drawing import (
    KINDS,
    PlotSpec,
    PlotValues,
    Style,
    class_edges,
    draw_plot,
    group_numbers,
)
from napari_sem_tools.widgets.table.colouring import column_colours


def axes() -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3))
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def values(x: Any, y: Any = None, groups: list[str] | None = None) -> PlotValues:
    x = np.asarray(x, float)
    y = x if y is None else np.asarray(y, float)
    number, names = group_numbers(groups) if groups else (np.zeros(len(x), np.intp), ("",))
    return PlotValues(x, y, number, names)


LOGNORMAL = np.exp(np.random.default_rng(3).normal(4, 0.4, 500))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "x",
    [LOGNORMAL, [5.0], [5.0, 5.0], [], [np.nan, -1.0, 0.0], [np.nan, -1.0, 3.0, 4.0]],
    ids=["many", "one", "alike", "none", "unusable", "some unusable"],
)
def test_every_plot_draws_whatever_the_values(kind: str, log: bool, x: Any) -> None:
    place = axes()
    mark = draw_plot(place, values(x), PlotSpec(kind, "ecd [nm]", "y", log, log, 3, 60.0), Style())
    mark(np.ones(len(x), bool))
    place.figure.canvas.draw()


@given(arrays(float, st.integers(1, 50), elements=st.floats(0.01, 1e6)), st.booleans())
def test_classes_hold_every_value(x: Any, logarithmic: bool) -> None:
    edges = class_edges(x, logarithmic=logarithmic)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(x, edges)[0].sum() == len(x)


def test_bars_sum_to_the_particles_and_the_chosen_ones_to_theirs() -> None:
    place = axes()
    mark = draw_plot(place, values(LOGNORMAL), PlotSpec(x="ecd [nm]"), Style())
    assert sum(bar.get_height() for bar in place.containers[0]) == 500
    chosen = LOGNORMAL > 60
    (artist,) = mark(chosen)
    assert artist.get_data().values.sum() == chosen.sum()


def test_the_cumulative_curve_passes_the_median_and_ends_at_all() -> None:
    place = axes()
    draw_plot(place, values(LOGNORMAL), PlotSpec("cumulative", "ecd [nm]"), Style())
    x, share = place.lines[0].get_data()
    assert share[-1] == pytest.approx(100)
    assert np.interp(50, share, x) == pytest.approx(np.median(LOGNORMAL), rel=0.01)


def test_volume_weighting_moves_the_curve_to_large_particles() -> None:
    medians = []
    for power in (0, 3):
        place = axes()
        draw_plot(place, values(LOGNORMAL), PlotSpec("cumulative", "ecd", power=power), Style())
        x, share = place.lines[0].get_data()
        medians.append(float(np.interp(50, share, x)))
    # Hatch and Choate: ln of the ratio is 3 s^2
    assert np.log(medians[1] / medians[0]) == pytest.approx(3 * 0.4**2, rel=0.2)


def test_lognormal_sizes_lie_on_the_line_of_the_probability_plot() -> None:
    place = axes()
    draw_plot(place, values(LOGNORMAL), PlotSpec("log-probability", "ecd"), Style())
    points, line = (np.array(one.get_data()) for one in place.lines[:2])
    on_line = np.interp(np.log(points[0]), np.log(line[0]), line[1])
    middle = np.abs(points[1]) < 2
    assert np.abs(points[1] - on_line)[middle].max() < 0.25


def test_the_share_below_a_limit_is_written() -> None:
    place = axes()
    draw_plot(place, values([10, 20, 30, 40]), PlotSpec(x="ecd [nm]", limit=25.0), Style())
    texts = [text.get_text() for text in place.get_legend().get_texts()]
    assert "50 % below 25 nm" in texts


def test_groups_are_counted_apart() -> None:
    place = axes()
    three = values([1.0, 2.0, 3.0], groups=["rod", "", "rod"])
    draw_plot(place, three, PlotSpec("bivariate", "a", "b"), Style())
    texts = {text.get_text() for text in place.get_legend().get_texts()}
    assert texts == {"rod (2)", "(none) (1)"}


def test_colours_follow_a_number_from_end_to_end() -> None:
    colours, legend = column_colours(np.linspace(0, 100, 201), "ecd [nm]")
    assert (legend.low, legend.high) == (2.0, 98.0)
    assert legend.clipped == (True, True)
    brightness = colours[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) >= -1e-3).all()


def test_a_particle_without_a_value_is_grey_and_alike_ones_are_alike() -> None:
    colours, _ = column_colours(np.array([np.nan, 4.0, 4.0]), "x")
    assert np.allclose(colours[0, :3], 0.5)
    assert (colours[1] == colours[2]).all()


def test_the_fit_has_the_area_of_the_bars() -> None:
    for log in (False, True):
        place = axes()
        spec = PlotSpec("histogram", "ecd [nm]", log_x=log, fit=True)
        draw_plot(place, values(LOGNORMAL), spec, Style())
        (curve,) = [line for line in place.lines if "fit" in str(line.get_label())]
        assert curve.get_label() == "lognormal fit"
        sizes, heights = curve.get_xdata(), curve.get_ydata()
        edges = class_edges(LOGNORMAL, logarithmic=log)
        step = np.log(edges[1] / edges[0]) if log else edges[1] - edges[0]
        area = np.trapezoid(heights, np.log(sizes) if log else sizes) / step
        assert area == pytest.approx(500, rel=0.02)


def test_the_fit_and_the_interval_follow_the_cumulative_share() -> None:
    place = axes()
    spec = PlotSpec("cumulative", "ecd [nm]", fit=True, band=True)
    draw_plot(place, values(LOGNORMAL), spec, Style())
    (curve,) = [line for line in place.lines if "fit" in str(line.get_label())]
    true = np.searchsorted(np.sort(LOGNORMAL), curve.get_xdata()) / 5
    assert np.abs(true - curve.get_ydata()).max() < 5
    (band,) = place.collections
    low, high = band.get_datalim(place.transData).intervaly
    assert low >= 0
    assert high <= 100


def test_images_that_differ_widen_the_interval() -> None:
    heights = []
    for images in (None, (np.log(LOGNORMAL) > 4).astype(np.intp)):
        place = axes()
        number = np.zeros(500, np.intp)
        drawn = PlotValues(LOGNORMAL, LOGNORMAL, number, ("",), images)
        draw_plot(place, drawn, PlotSpec("cumulative", "ecd [nm]", band=True), Style())
        path = place.collections[0].get_paths()[0].vertices
        heights.append(np.ptp(path[np.abs(path[:, 0] - np.median(LOGNORMAL)) < 3, 1]))
    assert heights[1] > 2 * heights[0]


@pytest.mark.parametrize("x", [[5.0], [5.0, 5.0, 5.0, 5.0, 5.0, 5.0], [-1.0, 2, 3, 4, 5, 6]])
def test_what_cannot_be_fitted_is_said(x: list[float]) -> None:
    place = axes()
    draw_plot(place, values(x), PlotSpec("cumulative", "ecd [nm]", fit=True, band=True), Style())
    place.figure.canvas.draw()
    assert any(str(line.get_label()).startswith("no fit: ") for line in place.lines)
