"""Calibrate: typed lengths, the drawn bar, an offered pixel size, and all layers together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_sem_tools.layers import from_layer, image_arguments
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.widgets.calibrate import CalibrateWidget


@pytest.fixture
def bare(model: Any, discs: Micrograph) -> Any:
    record = discs.replace(calibration=Calibration(), source=None)
    return model.add_image(record.pixels, **image_arguments(record, "bare"))


@pytest.fixture
def widget(model: Any, bare: Any, open_widget: Callable[..., Any]) -> Any:
    return open_widget(CalibrateWidget, model)


def test_a_typed_width_gives_the_scale(bare: Any, widget: Any) -> None:
    widget.width_text.setText("0.8 µm")
    widget.set_width()
    assert bare.scale == pytest.approx([2, 2])
    assert bare.name == "bare"
    assert from_layer(bare).calibration.origin == "typed"
    assert widget.calibration_line.property("calibrated")
    widget.undo_button.click()
    assert bare.name == "bare (uncalibrated)"
    assert bare.scale == pytest.approx([1, 1])


def test_a_typed_pixel_size_moves_everything_on_the_grid_along(
    model: Any, bare: Any, widget: Any
) -> None:
    labels = model.add_labels(np.zeros((300, 400), np.uint8))
    shapes = model.add_shapes([[[0, 0], [0, 9], [9, 9]]], shape_type="polygon")
    stranger = model.add_image(np.zeros((5, 5), np.uint8))
    for layer in (bare, labels, shapes):
        layer.translate = (10, 20)
    widget.chooser.choose(bare)
    widget.pixel_size.setText("3 nm")
    widget.set_pixel_size()
    for layer in (bare, labels, shapes):
        assert layer.scale == pytest.approx([3, 3])
        assert layer.translate == pytest.approx([30, 60])
        assert {str(unit) for unit in layer.units} == {"nanometer"}
    assert stranger.scale == pytest.approx([1, 1])
    assert stranger.name in widget.unit_label.text()


def test_the_drawn_bar_gives_the_scale(bare: Any, widget: Any) -> None:
    widget.bar_px.setValue(100)
    widget.bar_text.setText("200 nm")
    widget.set_bar()
    assert bare.scale == pytest.approx([2, 2])
    assert from_layer(bare).calibration.origin == "scale bar"


@pytest.mark.parametrize("text", ["", "long", "-3 nm", "0"])
def test_what_is_no_length_changes_nothing(bare: Any, widget: Any, text: str) -> None:
    widget.pixel_size.setText(text)
    widget.set_pixel_size()
    assert "⚠" in widget.status_line.text()
    assert bare.scale == pytest.approx([1, 1])


def test_an_offered_pixel_size_is_taken_only_when_confirmed(
    model: Any, discs: Micrograph, open_widget: Callable[..., Any]
) -> None:
    record = discs.replace(calibration=Calibration(offered=(4.0, 4.0)), notes=("Resized.",))
    image = model.add_image(record.pixels, **image_arguments(record))
    widget = open_widget(CalibrateWidget, model)
    assert image.scale == pytest.approx([1, 1])
    assert "Resized." in widget.warning_label.text()
    assert not widget.offer_button.isHidden()
    widget.offer_button.click()
    assert image.scale == pytest.approx([4, 4])
    assert widget.offer_button.isHidden()


def test_the_reader_is_remembered_only_when_asked(widget: Any) -> None:
    from napari.settings import get_settings

    plugins = get_settings().plugins
    assert "*.tif" not in plugins.extension2reader
    widget.remember.setChecked(True)
    assert plugins.extension2reader["*.tif"] == "napari-sem-tools"
    widget.remember.setChecked(False)
    assert "*.tif" not in plugins.extension2reader


def test_a_layer_without_a_file_says_so(widget: Any) -> None:
    assert not widget.run_button.isEnabled()
