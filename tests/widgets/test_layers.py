"""Records and layers: the bridge for scripts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from napari_sem_tools.errors import SemError
from napari_sem_tools.layers import (
    attach_table,
    calibration_of,
    compact_labels,
    from_layer,
    image_arguments,
    labels_arguments,
    layer_name,
    segmentation_of,
    show,
    table_of,
)
from napari_sem_tools.micrograph import Calibration, ImageIdentity, Micrograph, Segmentation
from napari_sem_tools.widgets.results import earlier_result, image_of, replace_result, result_name

layers = pytest.importorskip("napari.layers")
IMAGE = Micrograph(
    np.arange(48, dtype=np.uint8).reshape(6, 8),
    Calibration((2.0, 2.0), "tag", "x"),
    data_bar=(5, 6),
)
LABELS = np.zeros((6, 8), np.int32)
LABELS[1:3, 1:3] = 1
LABELS[3:5, 5:7] = 2
FOUND = Segmentation(LABELS, np.array([0.5, 0.9], np.float32), "threshold", {"a": 1})


@pytest.fixture
def viewer() -> object:
    from napari.components import ViewerModel

    return ViewerModel()


def test_an_image_comes_back_as_the_same_record() -> None:
    layer = layers.Image(IMAGE.pixels, **image_arguments(IMAGE))
    back = from_layer(layer)
    assert np.array_equal(back.pixels, IMAGE.pixels)
    for field in ("calibration", "data_bar", "metadata", "notes"):
        assert getattr(back, field) == getattr(IMAGE, field)
    assert np.array_equal(back.field, IMAGE.field)


def test_the_record_on_a_layer_holds_no_pixels() -> None:
    large = Micrograph(np.zeros((2000, 2000), np.uint16))
    kept = image_arguments(large)["metadata"]["sem"]
    assert kept.shape == (2000, 2000)
    assert sum(kept.pixels.strides) == 0


def test_a_scale_set_by_hand_counts() -> None:
    layer = layers.Image(IMAGE.pixels, **image_arguments(IMAGE))
    layer.scale = (5, 5)
    assert from_layer(layer).calibration.pixel_size == (5, 5)
    assert calibration_of(layer).origin == "typed"
    layer.units = ("um", "um")
    assert from_layer(layer).calibration.pixel_size == pytest.approx((5000, 5000))
    layer.units = ("pixel", "pixel")
    assert not from_layer(layer).calibration.is_calibrated


def test_an_uncalibrated_image_says_so_in_its_name() -> None:
    bare = Micrograph(IMAGE.pixels)
    assert layer_name(bare, "grains") == "grains (uncalibrated)"
    assert layer_name(bare, "grains (uncalibrated)") == "grains (uncalibrated)"
    assert layer_name(IMAGE, "grains (uncalibrated)") == "grains"
    pattern = Micrograph(IMAGE.pixels, Calibration(unit="1/nm", reciprocal=(0.1, 0.1)))
    assert layer_name(pattern, "spots") == "spots"
    assert image_arguments(pattern)["units"] == ("1/nm", "1/nm")


@pytest.mark.parametrize(
    ("largest", "dtype"), [(1, np.uint16), (65_535, np.uint16), (65_536, np.int32)]
)
def test_labels_are_uint16_while_the_ids_fit(largest: int, dtype: type) -> None:
    assert compact_labels(np.array([[0, largest]], np.int32)).dtype == dtype


def test_negative_labels_are_not_wrapped() -> None:
    assert compact_labels(np.array([[-1, 3]])).min() == -1


def test_particles_come_back_with_their_confidence_until_edited() -> None:
    layer = layers.Labels(**labels_arguments(FOUND))
    back = segmentation_of(layer)
    assert isinstance(back, Segmentation)
    assert back.settings == {"a": 1}
    assert np.array_equal(back.confidence, FOUND.confidence)
    layer.data[0, 0] = 5
    assert isinstance(segmentation_of(layer), np.ndarray)


def test_show_puts_each_record_where_it_belongs(viewer: object) -> None:
    image = show(dataclasses.replace(IMAGE, source=None), viewer)
    labels = show(FOUND, viewer)
    assert tuple(labels.scale) == (2, 2)
    table = pd.DataFrame({"ecd_nm": [1.0, 2.0]}, index=pd.Index([1, 2], name="label"))
    table.attrs["unit"] = "nm"
    assert show(table, viewer) is labels
    back = table_of(labels)
    assert back is not None
    pd.testing.assert_frame_equal(back, table)
    assert back.attrs == {"unit": "nm"}
    assert image.name == "image"


def test_show_refuses_what_cannot_be_shown(viewer: object) -> None:
    with pytest.raises(SemError, match="no labels layer"):
        show(pd.DataFrame({"label": [1]}), viewer)
    with pytest.raises(SemError, match="cannot be shown"):
        show(3, viewer)


def test_hover_finds_the_row_by_index_after_sorting() -> None:
    layer = layers.Labels(**labels_arguments(FOUND))
    table = pd.DataFrame({"ecd_nm": [20.0, 10.0]}, index=pd.Index([2, 1], name="label"))
    attach_table(layer, table)
    assert table_of(layer).loc[2, "ecd_nm"] == 20
    status = layer.get_status((2, 2), world=False)
    assert "ecd_nm: 10" in status["coordinates"]


def test_only_an_untouched_result_is_replaced() -> None:
    name = result_name("image")
    mine = layers.Labels(**labels_arguments(FOUND, name=name))
    assert earlier_result([mine], name, (6, 8)) is mine
    assert earlier_result([mine], name, (6, 9)) is None
    assert earlier_result([mine], "other particles", (6, 8)) is None
    painted = layers.Labels(LABELS.astype(np.uint16), name=name)
    assert earlier_result([painted], name, (6, 8)) is None
    mine.metadata["sem_choices"] = True
    assert earlier_result([mine], name, (6, 8)) is None


def test_a_replaced_result_forgets_history_and_table() -> None:
    mine = layers.Labels(**labels_arguments(FOUND))
    mine.data_setitem((np.array([0]), np.array([0])), 7)
    mine.undo()
    attach_table(mine, pd.DataFrame({"a": [1, 2]}, index=pd.Index([1, 2], name="label")))
    fewer = Segmentation(np.minimum(LABELS, 1), np.ones(1, np.float32), "threshold")
    image = layers.Image(IMAGE.pixels, **image_arguments(IMAGE))
    replace_result(mine, labels_arguments(fewer, image))
    assert mine.data.max() == 1
    assert table_of(mine) is None
    mine.redo()
    assert mine.data[0, 0] == 0


def test_labels_find_their_image() -> None:
    first = layers.Image(IMAGE.pixels, name="a (uncalibrated)")
    second = layers.Image(IMAGE.pixels, name="b")
    small = layers.Image(np.zeros((3, 3)), name="c")
    labels = layers.Labels(LABELS, name="a particles")
    assert image_of(labels, [first, second, small]) is first
    assert image_of(layers.Labels(LABELS, name="new"), [first, second, small]) is second
    assert image_of(labels, [small]) is None


def test_identity_chooses_the_image_of_a_segmentation(viewer: object, tmp_path: object) -> None:
    source = tmp_path / "x.tif"
    one = show(dataclasses.replace(IMAGE, source=source), viewer)
    show(Micrograph(IMAGE.pixels), viewer)
    found = dataclasses.replace(FOUND, image=ImageIdentity(source))
    assert tuple(show(found, viewer).scale) == tuple(one.scale)
