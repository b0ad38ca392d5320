"""Whole particles weigh one over the number of places where they would be whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.measurement import measure, pool
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.statistics import (
    counting_frame,
    edge_weights,
    sample_of,
    summarize,
    whole_positions,
)


def counted_one_by_one(free: np.ndarray, height: int, width: int) -> int:
    """Try every place."""
    rows, columns = free.shape
    return sum(
        bool(free[r : r + height, c : c + width].all())
        for r in range(rows - height + 1)
        for c in range(columns - width + 1)
    )


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.sampled_from([0.5, 0.8, 0.95, 1.0]),
)
def test_places_are_those_of_trying_every_one(
    seed: int, shape: tuple[int, int], share: float
) -> None:
    rng = np.random.default_rng(seed)
    free = rng.random(shape) < share
    heights, widths = rng.integers(1, 8, 6), rng.integers(1, 18, 6)
    expected = [counted_one_by_one(free, h, w) for h, w in zip(heights, widths, strict=True)]
    assert whole_positions(free, heights, widths).tolist() == expected


def test_a_rectangular_field_has_the_closed_form_of_iso_13322() -> None:
    h, w = np.array([1, 30, 120]), np.array([4, 50, 7])
    places = whole_positions(counting_frame((384, 512), 1), h, w)
    assert places.tolist() == ((512 - 1 - w) * (384 - 1 - h)).tolist()


def test_rows_below_a_floating_data_bar_add_their_places() -> None:
    free = np.ones((20, 12), bool)
    free[8:11] = False
    assert whole_positions(free, np.array([5]), np.array([4])).tolist() == [(4 + 5) * 9]
    assert whole_positions(free, np.array([9]), np.array([4])).tolist() == [1 * 9]
    assert np.isinf(edge_weights(free, np.array([10]), np.array([1]))).all()


def test_boxes_without_extent_are_refused() -> None:
    with pytest.raises(InvalidSettings, match="at least 1 px"):
        whole_positions(np.ones((4, 4), bool), np.array([0]), np.array([1]))
    with pytest.raises(InvalidSettings, match="axes"):
        whole_positions(np.ones((4, 4, 4), bool), np.array([1]), np.array([1]))


def image_of(labels: np.ndarray, **known: object) -> Micrograph:
    return Micrograph((100 * (labels > 0)).astype(np.uint8), Calibration((2.0, 2.0)), **known)


def test_the_table_weighs_whole_particles_and_leaves_cut_ones_empty() -> None:
    labels = np.zeros((40, 60), int)
    labels[0:9, 5:12] = 1
    labels[15:25, 20:40] = 2
    table = measure(labels, image_of(labels))
    assert np.isnan(table.loc[1, "edge_weight"])
    assert table.loc[2, "edge_weight"] == pytest.approx(38 * 58 / ((40 - 1 - 10) * (60 - 1 - 20)))


def test_the_data_bar_is_no_place_for_particles() -> None:
    labels = np.zeros((50, 60), int)
    labels[15:25, 20:40] = 2
    table = measure(labels, image_of(labels, data_bar=(40, 50)))
    assert table.loc[2, "edge_weight"] == pytest.approx(38 * 58 / ((40 - 1 - 10) * (60 - 1 - 20)))


def test_where_the_field_has_a_corner_a_particle_counts_with_its_whole_box() -> None:
    field = np.ones((60, 60), bool)
    field[:30, 30:] = False  # the field is an L
    labels = np.zeros((60, 60), int)
    labels[10:50, 10:14] = 1  # and so is this particle, whose box is cut
    labels[46:50, 10:50] = 1
    labels[20:24, 20:24] = 2
    table = measure(labels, image_of(labels, field=field))
    assert not table["edge"].any()
    assert table.loc[1, "edge_weight"] == 0 and table.loc[2, "edge_weight"] > 1
    assert summarize(table.assign(included=True), edge_weights=True).n == 1


def test_weights_enter_means_and_quantiles() -> None:
    table = pd.DataFrame(
        {"ecd_nm": [10.0, 20.0], "image": "a", "included": True, "edge_weight": [1.0, 3.0]}
    )
    summary = summarize(table, edge_weights=True)
    assert summary.mean == pytest.approx(17.5) and summary.edge_weights
    assert summary.n_effective == pytest.approx(16 / 10)
    assert summary.d_3_2 == pytest.approx((1000 + 3 * 8000) / (100 + 3 * 400))
    assert summarize(table).mean == pytest.approx(15)
    table.loc[1, "edge_weight"] = 0.0
    left = summarize(table, edge_weights=True)
    assert (left.n, left.excluded) == (1, {"box leaves the field": 1})


def test_cut_particles_cannot_be_weighed() -> None:
    table = pd.DataFrame(
        {"ecd_nm": [10.0, 20.0], "image": "a", "included": True, "edge_weight": [1.0, np.nan]}
    )
    with pytest.raises(InvalidSettings, match="cut by the edge"):
        sample_of(table, edge_weights=True)
    with pytest.raises(InvalidSettings, match="no column edge_weight"):
        sample_of(table.drop(columns="edge_weight"), edge_weights=True)


def test_images_with_different_fields_are_pooled_by_the_part_of_their_own() -> None:
    tables = []
    for side in (30, 60):
        labels = np.zeros((side, side), int)
        labels[10:14, 10:14] = 1
        tables.append(measure(labels, image_of(labels)))
    weights = pool(tables)["edge_weight"].to_numpy()
    assert weights == pytest.approx([28**2 / 25**2, 58**2 / 55**2])
