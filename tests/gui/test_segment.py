"""Segment particles: late answers are dropped, edits are kept, work can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_sem_tools.layers import image_arguments, segmentation_of, was_edited
from napari_sem_tools.micrograph import Micrograph, Segmentation
from napari_sem_tools.tasks import stop_if_cancelled
from napari_sem_tools.widgets import segment as segment_module
from napari_sem_tools.widgets.segment import SegmentWidget


@pytest.fixture
def image(model: Any, discs: Micrograph) -> Any:
    return model.add_image(discs.pixels, **image_arguments(discs))


@pytest.fixture
def widget(model: Any, image: Any, open_widget: Callable[..., Any]) -> Any:
    return open_widget(SegmentWidget, model)


def test_a_second_run_replaces_its_own_result(model: Any, widget: Any, finish: Any) -> None:
    finish(widget)
    first = model.layers["discs particles"]
    widget.form.rows["min_size_px"].automatic.value = False
    widget.form.rows["min_size_px"].number.value = 25
    finish(widget)
    found = [layer for layer in model.layers if "particles" in layer.name]
    assert found == [first]
    assert 0 < len(np.unique(first.data)) - 1 < 20


def test_a_second_run_never_replaces_an_edited_result(model: Any, widget: Any, finish: Any) -> None:
    finish(widget)
    first = model.layers["discs particles"]
    assert not was_edited(first)
    assert isinstance(segmentation_of(first), Segmentation)
    first.data_setitem((np.array([1]), np.array([1])), 99)
    assert was_edited(first)
    assert isinstance(segmentation_of(first), np.ndarray)
    finish(widget)
    assert first.data[1, 1] == 99
    assert len([layer for layer in model.layers if "particles" in layer.name]) == 2


def test_a_region_limits_where_particles_are_found(
    model: Any, image: Any, widget: Any, finish: Any
) -> None:
    square = np.array([[0, 0], [0, 160], [120, 160], [120, 0]], float) * 2  # nm
    inside = model.add_shapes([square], shape_type="polygon", units=("nm", "nm"), name="in")
    outside = model.add_shapes([square / 2], shape_type="polygon", units=("nm", "nm"), name="out")
    widget.region.choose(inside)
    widget.exclusion.choose(outside)
    finish(widget)
    labels = model.layers["discs particles"].data
    assert labels[:121, :161].any()
    assert not labels[125:].any()
    assert not labels[:59, :79].any()


def test_the_label_strip_holds_no_particle(model: Any, widget: Any, finish: Any) -> None:
    finish(widget)
    assert not model.layers["discs particles"].data[260:].any()


def test_only_the_last_wish_of_a_moved_slider_is_shown(model: Any, widget: Any, qtbot: Any) -> None:
    widget.live.setChecked(True)
    for value in np.linspace(0, 1, 21):
        widget.form.rows["split_strength"].value = float(value)
    asked = widget._generation
    qtbot.waitUntil(lambda: widget._shown == asked, timeout=60_000)
    assert not widget.preview_work.running
    assert "preview" in widget.status_line.text()
    assert "split strength 1" in widget.status_line.toolTip()
    diameter = widget.form.rows["diameter_px"]
    assert diameter.automatic.value
    assert 15 < diameter.number.value < 50, "the diameter that was found is shown"
    assert widget.form.value().diameter_px is None
    print(f"preview of 400 x 300 px in {1e3 * widget.preview_seconds:.0f} ms")
    widget.live.setChecked(False)
    assert not [layer for layer in model.layers if "preview" in layer.name]


def test_taking_the_preview_layer_away_ends_the_preview(
    model: Any, widget: Any, qtbot: Any
) -> None:
    widget.live.setChecked(True)
    qtbot.waitUntil(lambda: widget.preview_layer is not None, timeout=60_000)
    model.layers.remove(widget.preview_layer)
    assert not widget.live.isChecked()


def test_cancel_brings_run_back_and_adds_nothing(
    model: Any, widget: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def endless(image: Any, method: str, *, progress: Any, cancel: Any, **_: Any) -> Any:
        started.append(True)
        while True:
            progress(1, 10, "waiting")
            stop_if_cancelled(cancel)

    monkeypatch.setattr(segment_module, "segment", endless)
    widget.run_button.click()
    qtbot.waitUntil(lambda: bool(started), timeout=10_000)
    assert widget.run_button.text() == "Cancel"
    widget.run_button.click()
    qtbot.waitUntil(lambda: not widget.work.running, timeout=2_000)
    assert widget.run_button.text() == "Find particles"
    assert "Cancelled" in widget.status_line.text()
    assert len(model.layers) == 1


def test_a_failure_is_one_sentence_in_the_window(
    widget: Any, finish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(segment_module, "segment", broken)
    finish(widget)
    assert "ZeroDivisionError" in widget.status_line.text()
    assert widget.run_button.isEnabled()


def test_a_result_for_an_image_removed_meanwhile_is_dropped(
    model: Any, image: Any, widget: Any, qtbot: Any
) -> None:
    widget.run_button.click()
    model.layers.remove(image)
    qtbot.waitUntil(lambda: not widget.work.running, timeout=60_000)
    assert len(model.layers) == 0


def test_a_page_of_a_stack_is_segmented_on_its_own(
    model: Any, discs: Micrograph, open_widget: Callable[..., Any], finish: Any
) -> None:
    pixels = np.stack([np.zeros_like(discs.pixels), discs.pixels])
    stack = Micrograph(pixels, discs.calibration, source=discs.source)
    model.add_image(stack.pixels, **image_arguments(stack))
    model.dims.set_current_step(0, 1)
    widget = open_widget(SegmentWidget, model)
    finish(widget)
    labels = model.layers["discs [1] particles"]
    assert labels.data.shape == (300, 400)
    assert labels.data.max() >= 20


def test_python_is_copied(widget: Any) -> None:
    from qtpy.QtWidgets import QApplication

    widget.form.rows["split_strength"].value = 0.25
    widget.copy_button.click()
    text = QApplication.clipboard().text()
    assert "sem.segment(image, 'threshold', settings=sem.ThresholdSettings(split_strength=" in text
    compile(text, "copied", "exec")
