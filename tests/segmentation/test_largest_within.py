"""Filters of segmentation beside those of SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import maximum_filter

from napari_sem_tools.segmentation.filters import largest_within


@given(
    hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)),
    st.integers(0, 3),
)
def test_the_largest_value_of_a_window_is_that_of_scipy(values, reach):
    kept = values.copy()
    expected = maximum_filter(values, 2 * reach + 1)
    assert np.array_equal(largest_within(values, reach), expected)
    assert np.array_equal(values, kept)


@pytest.mark.parametrize("kind", [np.float32, np.uint8, bool])
def test_the_type_of_the_values_stays(kind):
    assert largest_within(np.eye(4).astype(kind)).dtype == kind
