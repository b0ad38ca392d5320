"""The ring that the edge contrast compares with: background within 3 px, each pixel once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import binary_dilation

from napari_sem_tools.measurement import ring
from napari_sem_tools.measurement.engine import NUMPY, choose_engine

pytest.importorskip("numba")

Y, X = np.mgrid[-3:4, -3:4]
WITHIN_3_PX = X**2 + Y**2 <= 3**2
NUMBA = choose_engine("numba", 1)

labels_of_all_kinds = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24),
    elements=st.sampled_from([0, 0, 0, 0, 1, 2, 3]),
)


@settings(max_examples=80, deadline=None)
@given(labels_of_all_kinds, st.sampled_from([1, 3, 5]), st.sampled_from([0.0, 0.2]))
def test_the_ring_is_the_background_within_three_pixels_of_a_particle(
    drawn: np.ndarray, grown: int, left_out: float
) -> None:
    """Brute force: dilate each particle by a disc, whatever its form, parts and holes."""
    labels = np.kron(drawn, np.ones((grown, grown), np.int32))
    rng = np.random.default_rng(0)
    usable = rng.random(labels.shape) >= left_out
    grey = rng.integers(0, 4000, labels.shape).astype(np.uint16)
    expected = []
    for number in np.unique(labels[labels > 0]):
        around = binary_dilation(labels == number, WITHIN_3_PX) & (labels == 0) & usable
        values = grey[around] - 100.0
        expected.append((around.sum(), values.sum(), (values**2).sum()))
    for engine in (NUMPY, NUMBA):
        for image in (grey, grey.astype(np.float32)):
            runs = engine.find_runs(labels)
            found = engine.surrounding_sums(runs, usable, image, 100.0)
            np.testing.assert_array_equal(found.T, np.reshape(expected, (-1, 3)))


def test_a_ring_reaches_as_far_as_its_width_along_rows_and_columns() -> None:
    assert (ring.RING_PX, ring.RING_REACH) == (3, (3, 2, 2, 0))
    labels = np.zeros((9, 9), np.int32)
    labels[4, 4] = 1
    for engine in (NUMPY, NUMBA):
        sums = engine.surrounding_sums(
            engine.find_runs(labels), np.ones((9, 9), bool), np.ones((9, 9), np.uint8), 0.0
        )
        assert sums[0].tolist() == [WITHIN_3_PX.sum() - 1]


def test_odd_grey_values_outside_the_field_are_in_no_ring() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[4, 4] = 1
    image = np.ones((9, 9), np.float32)
    image[:3] = np.nan
    for engine in (NUMPY, NUMBA):
        sums = engine.surrounding_sums(engine.find_runs(labels), image == 1, image, 0.0)
        assert np.isfinite(sums).all()
