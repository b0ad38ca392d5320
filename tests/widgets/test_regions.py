"""Drawn shapes select pixels through world coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.widgets.regions import outline_of, polygons_in_pixels, region_of

layers = pytest.importorskip("napari.layers")
PIXELS = np.zeros((60, 80), np.uint8)


@settings(max_examples=10, deadline=None)
@given(
    st.floats(0.01, 100),
    st.floats(0.2, 5),
    st.floats(-180, 180),
    st.floats(-100, 100),
    st.sampled_from([("nm", 1.0), ("um", 1e-3)]),
)
def test_a_polygon_over_any_image_comes_back_in_its_pixels(
    size: float, ratio: float, angle: float, moved: float, unit: tuple[str, float]
) -> None:
    image = layers.Image(
        PIXELS,
        scale=(size, size * ratio),
        rotate=angle,
        translate=(moved * size, 0),
        units=("nm", "nm"),
    )
    corners = np.array([[5, 6], [5, 60], [40, 30]], float)
    world = np.array([image.data_to_world(corner) for corner in corners])
    shapes = layers.Shapes([world * unit[1]], shape_type="polygon", units=(unit[0], unit[0]))
    assert np.allclose(polygons_in_pixels(shapes, image)[0], corners, atol=1e-3)


def test_an_ellipse_has_the_area_of_an_ellipse() -> None:
    box = np.array([[10, 10], [10, 70], [50, 70], [50, 10]], float)
    corners = outline_of(box, "ellipse")
    y, x = corners.T
    area = 0.5 * abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1)))
    assert area == pytest.approx(np.pi * 20 * 30, rel=2e-3)


def test_lines_and_paths_enclose_nothing() -> None:
    image = layers.Image(PIXELS)
    shapes = layers.Shapes([[[0, 0], [9, 9]]], shape_type="line")
    shapes.add_paths([[0, 0], [9, 9], [0, 9]])
    assert polygons_in_pixels(shapes, image) == []
    assert region_of(shapes, image) is None
    assert region_of(None, image) is None


def test_a_region_drawn_in_a_viewer_with_a_stack_has_an_axis_more() -> None:
    image = layers.Image(np.zeros((4, 60, 80), np.uint8), scale=(1, 2, 2))
    shapes = layers.Shapes([[[2, 10, 10], [2, 10, 50], [2, 90, 50], [2, 90, 10]]])
    mask = region_of(shapes, image)
    assert mask is not None
    assert mask.shape == (60, 80)
    assert mask[30, 15]
    assert not mask[30, 40]


def test_a_colour_image_has_rows_and_columns_first() -> None:
    image = layers.Image(np.zeros((60, 80, 3), np.uint8), rgb=True)
    shapes = layers.Shapes([[[0, 0], [0, 70], [50, 70], [50, 0]]])
    mask = region_of(shapes, image)
    assert mask is not None
    assert mask.shape == (60, 80)
