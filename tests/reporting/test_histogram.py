"""Classes of the size histogram."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.reporting import bin_edges, histogram_figure

sizes = st.lists(st.floats(0.1, 1e6), min_size=1, max_size=300)


@given(sizes)
def test_every_size_lies_in_a_class(values: list[float]) -> None:
    edges = bin_edges(values)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(values, edges)[0].sum() == len(values)
    assert len(edges) - 1 <= 60


@given(st.integers(0, 1000), st.floats(1.05, 1.45))
def test_classes_are_those_of_freedman_and_diaconis(seed: int, gsd: float) -> None:
    values = np.random.default_rng(seed).lognormal(np.log(50), np.log(gsd), 400)
    if values.std() / values.mean() > 0.38:
        return
    edges = bin_edges(values)
    width = 2 * np.subtract(*np.quantile(values, [0.75, 0.25])) / 400 ** (1 / 3)
    wanted = np.clip(np.ceil(np.ptp(values) / width), 8, 60)
    if np.std(np.log(values)) <= np.log(1.5):
        assert len(edges) - 1 == wanted


def test_a_wide_distribution_has_classes_equal_in_the_logarithm() -> None:
    edges = bin_edges(np.random.default_rng(0).lognormal(3, 0.7, 500))
    assert np.diff(np.log(edges)) == pytest.approx(np.log(edges[-1] / edges[0]) / (len(edges) - 1))


def test_no_class_is_narrower_than_a_pixel() -> None:
    edges = bin_edges(np.linspace(10, 13, 5000), min_width=1.0)
    assert np.diff(edges).min() >= 1.0


@pytest.mark.parametrize("values", [[], [np.nan], [5.0], [5.0, 5.0], [0.0, -1.0]])
def test_few_or_no_sizes_make_a_histogram_too(values: list[float]) -> None:
    figure = histogram_figure(values, unit="nm")
    figure.canvas.draw()


def test_the_axis_says_what_is_counted_and_in_which_unit() -> None:
    axes = histogram_figure([10.0, 12.0, 15.0], unit="nm").axes[0]
    assert "number-weighted" in axes.get_ylabel()
    assert axes.get_xlabel() == "equivalent circular diameter (nm)"
    assert "uncalibrated" in histogram_figure([10.0], unit="px").axes[0].get_xlabel()
