"""Exact outlines: filled again they give the labels back, whatever the labels look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import points_in_poly

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.reporting.outlines import Outlines, label_outlines

MASKS = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.integers(0, 3),
)


def filled(outlines: Outlines, shape: tuple[int, int]) -> np.ndarray:
    """Fill the parts of every label, less their holes."""
    centres = np.stack(np.indices(shape), axis=-1).reshape(-1, 2) + 0.5
    again = np.zeros(shape, int)
    for label, parts in outlines.polygons():
        for outer, *holes in parts:
            inside = points_in_poly(centres, outer)
            for hole in holes:
                inside &= ~points_in_poly(centres, hole)
            assert not again.ravel()[inside].any()
            again.ravel()[inside] = label
    return again


@settings(max_examples=300)
@given(MASKS)
def test_filled_outlines_are_the_labels(labels: np.ndarray) -> None:
    np.testing.assert_array_equal(filled(label_outlines(labels), labels.shape), labels)


@settings(max_examples=300)
@given(MASKS)
def test_no_ring_meets_a_corner_twice_or_has_one_that_is_not_needed(labels: np.ndarray) -> None:
    outlines = label_outlines(labels)
    for number in range(len(outlines.labels)):
        ring = outlines.ring(number)
        assert len(np.unique(ring, axis=0)) == len(ring) >= 4
        steps = np.diff(ring, axis=0, append=ring[:1])
        assert ((steps == 0).sum(axis=1) == 1).all()
        turned = np.sign(steps)
        assert ((turned * np.roll(turned, 1, axis=0)).sum(axis=1) == 0).all()


@given(MASKS)
def test_outer_rings_less_holes_have_the_area_of_the_pixels(labels: np.ndarray) -> None:
    outlines = label_outlines(labels)
    area = np.zeros(4)
    for number, label in enumerate(outlines.labels):
        y, x = outlines.ring(number).T
        signed = 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
        assert (signed < 0) == outlines.holes[number]
        area[label] += signed
    np.testing.assert_allclose(area[1:], np.bincount(labels.ravel(), minlength=4)[1:])


@pytest.mark.parametrize(
    ("rows", "rings"),
    [
        (["1"], [(1, False)]),
        (["10", "01"], [(1, False), (1, False)]),  # two parts that share a corner
        (["111", "101", "111"], [(1, False), (1, True)]),
        (["1111", "1011", "1101", "1111"], [(1, False), (1, True), (1, True)]),
        (["0110", "1010", "1110"], [(1, False), (1, True)]),  # a C whose ends meet at a corner
        (["12", "21"], [(1, False), (1, False), (2, False), (2, False)]),
    ],
)
def test_rings_of_shapes_that_meet_at_a_corner(
    rows: list[str], rings: list[tuple[int, bool]]
) -> None:
    outlines = label_outlines([[int(c) for c in row] for row in rows])
    assert list(zip(outlines.labels.tolist(), outlines.holes.tolist(), strict=True)) == rings


def test_no_label_gives_no_ring() -> None:
    outlines = label_outlines(np.zeros((4, 5), int))
    assert not len(outlines.labels)
    assert not list(outlines.polygons())
    assert not len(label_outlines(np.zeros((0, 5), int)).labels)


@pytest.mark.parametrize(
    "labels", [np.ones((2, 3, 3), int), np.ones((3, 3)), -np.ones((3, 3), int)]
)
def test_what_is_no_plane_of_labels_is_refused(labels: np.ndarray) -> None:
    with pytest.raises(InvalidSettings) as caught:
        label_outlines(labels)
    assert str(caught.value).endswith(".")


def test_masks_are_one_label_and_numbers_may_be_large() -> None:
    assert label_outlines(np.ones((2, 2), bool)).labels.tolist() == [1]
    assert label_outlines(np.array([[2**31 + 5, 0]], np.uint64)).labels.tolist() == [2**31 + 5]
