"""Check 2: every layer that the suite makes lies on the grid of its image."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_sem_tools.layers import image_arguments, same_grid
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.widgets import commands
from napari_sem_tools.widgets.measure import MeasureWidget
from napari_sem_tools.widgets.regions import region_of
from napari_sem_tools.widgets.segment import SegmentWidget
from napari_sem_tools.widgets.table.widget import TableWidget


@pytest.fixture
def skewed(model: Any, discs: Micrograph) -> Any:
    """An image layer moved, turned, sheared and with oblong pixels."""
    record = discs.replace(calibration=Calibration((7.3, 9.1), "typed", "oblong"))
    return model.add_image(
        discs.pixels,
        **image_arguments(record) | {"translate": (120.0, -40.0), "rotate": 20.0, "shear": [0.1]},
    )


def assert_on_grid(layer: Any, image: Any) -> None:
    assert np.allclose(layer.extent.world, image.extent.world, atol=1e-6)
    assert tuple(layer.units) == tuple(image.units)
    assert tuple(layer.axis_labels) == tuple(image.axis_labels)


def test_the_main_job_makes_layers_on_the_grid_of_the_image(
    model: Any, skewed: Any, open_widget: Callable[..., Any], finish: Any, qtbot: Any
) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        segment = open_widget(SegmentWidget, model)
        segment.live.setChecked(True)
        qtbot.waitUntil(lambda: segment.preview_layer is not None, timeout=60_000)
        assert_on_grid(segment.preview_layer, skewed)
        finish(segment)
        found = model.layers["discs particles"]
        assert_on_grid(found, skewed)
        measure = open_widget(MeasureWidget, model)
        measure.chooser.choose(found)
        finish(measure)
        table = open_widget(TableWidget, model)
        table.show_layer(found)
        table.marks.setChecked(True)
        table.select_particle(1)
        marks = next(one for one in model.layers if "marks (preview)" in one.name)
        assert_on_grid(marks, skewed)
    odd = [str(one.message) for one in said if "nconsistent units" in str(one.message)]
    print(f"{len(model.layers)} layers on one grid, {len(odd)} notices of inconsistent units")
    assert odd == []


def test_the_commands_make_layers_on_the_grid_of_the_image(
    model: Any, skewed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari

    monkeypatch.setattr(napari, "current_viewer", lambda: model)
    mask = commands.strip_as_mask()
    assert_on_grid(mask, skewed)
    assert np.array_equal(mask.data > 0, ~skewed.metadata["sem"].field)
    for command in (commands.new_region, commands.new_exclusion):
        model.layers.selection.active = skewed
        region = command()
        for name, value in same_grid(skewed).items():
            if name in ("units", "axis_labels"):
                assert tuple(getattr(region, name)) == tuple(value)
        corners = np.array([[0, 0], [10, 0], [10, 20]], float)
        for corner in corners:
            assert np.allclose(region.data_to_world(corner), skewed.data_to_world(corner))


def test_a_region_of_scale_one_selects_the_same_pixels_as_one_of_the_image(
    model: Any, skewed: Any
) -> None:
    pixels = (
        np.array([[20, 30], [20, 300], [200, 250], [180, 40]]) + 0.37
    )  # no corner or edge on a centre
    world = np.array([skewed.data_to_world(corner) for corner in pixels])
    alike = model.add_shapes([pixels], shape_type="polygon", **same_grid(skewed))
    plain = model.add_shapes(
        [world], shape_type="polygon", units=("nm", "nm"), axis_labels=("y", "x")
    )
    one, other = region_of(alike, skewed), region_of(plain, skewed)
    print(f"{int(one.sum())} and {int(other.sum())} px selected")
    assert one.sum() > 1000
    assert np.array_equal(one, other)


def test_a_plane_of_a_stack_gets_the_last_two_axes(model: Any) -> None:
    stack = Micrograph(np.zeros((3, 20, 30), np.uint8), Calibration((2.0, 3.0), "typed", "x"))
    image = model.add_image(stack.pixels, **image_arguments(stack))
    labels = model.add_labels(np.zeros((20, 30), np.uint16), **same_grid(image, ndim=2))
    assert tuple(labels.scale) == (2.0, 3.0)
    assert np.allclose(labels.extent.world, image.extent.world[:, 1:])
