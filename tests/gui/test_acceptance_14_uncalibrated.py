"""Check 14: an image without a pixel size says so wherever it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

from napari_sem_tools.layers import image_arguments, table_of
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.calibrate import CalibrateWidget
from napari_sem_tools.widgets.measure import MeasureWidget
from napari_sem_tools.widgets.segment import SegmentWidget
from napari_sem_tools.widgets.table.widget import TableWidget

WIDGETS = (CalibrateWidget, SegmentWidget, MeasureWidget, TableWidget)


def test_a_png_is_visibly_uncalibrated(
    tmp_path: Path, model: Any, discs: Micrograph, open_widget: Callable[..., Any], finish: Any
) -> None:
    path = tmp_path / "discs.png"
    iio.imwrite(path, discs.pixels[:260])
    image = model.open(path, plugin="napari-sem-tools")[0]
    assert image.name == "discs (uncalibrated)"
    assert {str(unit) for unit in image.units} == {"pixel"}

    widgets = {kind: open_widget(kind, model) for kind in WIDGETS}
    finish(widgets[SegmentWidget])
    labels = model.layers["discs particles"]
    model.layers.selection.active = labels
    finish(widgets[MeasureWidget])
    for widget in widgets.values():
        assert not widget.calibration_line.property("calibrated")
        assert "ncalibrated" in widget.calibration_line.text()
        assert "#e5484d" in widget.calibration_line.styleSheet()
    table = table_of(labels)
    with_nm = [name for name in table.columns if "nm" in name.split("_")[-1]]
    print(f"{len(table)} particles, {len(with_nm)} columns in nm")
    assert with_nm == []
    assert "Uncalibrated: px." in widgets[TableWidget].summary_line.text()
    texts = [
        widgets[CalibrateWidget].facts_label.text(),
        widgets[TableWidget].plot.x.currentText(),
    ]
    assert not any(" nm" in text or "[nm" in text for text in texts)


def test_calibrate_names_the_layer_that_takes_the_unit_from_the_scale_bar(
    model: Any, discs: Micrograph, open_widget: Callable[..., Any]
) -> None:
    model.add_image(discs.pixels, **image_arguments(discs))
    widget = open_widget(CalibrateWidget, model)
    assert widget.unit_label.isHidden()
    bare = Micrograph(np.zeros((30, 40), np.uint8))
    other = model.add_image(bare.pixels, **image_arguments(bare, "stranger"))
    assert "stranger (uncalibrated)" in widget.unit_label.text()
    assert not widget.unit_label.isHidden()
    model.layers.remove(other)
    assert widget.unit_label.isHidden()
