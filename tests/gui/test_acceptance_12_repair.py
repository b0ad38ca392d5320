"""Check 12: a layer that napari's own reader opened gets its scale by one click."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sem_tools.micrograph import Calibration
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.widgets.calibrate import CalibrateWidget


def repair(path: Path, model: Any, widget_of: Callable[..., Any], finish: Any) -> tuple[Any, Any]:
    """Open without scale, paint a label, repair, and check that undo returns the old scale."""
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    image = model.open(path, plugin="napari")[0]
    assert np.allclose(image.scale, 1)
    labels = model.add_labels(np.ones(image.data.shape, np.uint16), name="mine")
    model.layers.selection.active = image
    widget = widget_of(CalibrateWidget, model)
    finish(widget)
    repaired = np.array(image.scale)
    assert np.allclose(labels.extent.world, image.extent.world, atol=1e-9)
    assert tuple(labels.units) == tuple(image.units)
    assert {str(unit) for unit in image.units} == {"nanometer"}
    assert tuple(image.axis_labels) == ("y", "x")
    assert image.metadata["sem"].calibration.pixel_size == tuple(repaired)
    widget.undo_button.click()
    for layer in (image, labels):
        assert np.allclose(layer.scale, 1)
        assert {str(unit) for unit in layer.units} == {"pixel"}
    assert "sem" not in image.metadata
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    print(f"{path.name}: {repaired} nm after one click, file untouched")
    return image, repaired


def test_an_imagej_tiff_is_repaired_by_one_click(
    tmp_path: Path, model: Any, open_widget: Callable[..., Any], finish: Any
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)
    path = write_tiff(tmp_path / "a.tif", pixels, calibration=Calibration((7.5, 5.0), "tag", "x"))
    _, scale = repair(path, model, open_widget, finish)
    assert scale == pytest.approx([7.5, 5.0], rel=1e-6)


@pytest.mark.data
def test_a_zeiss_tiff_is_repaired_by_one_click(
    shared_data: Path, model: Any, open_widget: Callable[..., Any], finish: Any
) -> None:
    path = shared_data / "vendor" / "zeiss_ultra55_512.tif"
    _, scale = repair(path, model, open_widget, finish)
    assert scale == pytest.approx([11.64998, 11.64998], rel=1e-3)
