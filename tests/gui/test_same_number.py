"""A measured number in the window is that of the files that an analysis writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import napari_sem_tools as sem
from napari_sem_tools.layers import attach_table, image_arguments, labels_arguments, table_of
from napari_sem_tools.measurement import measure
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.segmentation import segment
from napari_sem_tools.widgets.table.widget import TableWidget


def test_window_csv_report_and_summary_say_the_same(
    model: Any, discs: Micrograph, open_widget: Callable[..., Any], tmp_path: Path
) -> None:
    image = model.add_image(discs.pixels, **image_arguments(discs))
    found = segment(discs, "threshold")
    layer = model.add_labels(**labels_arguments(found, image))
    attach_table(layer, measure(found, discs))
    widget = open_widget(TableWidget, model)

    sem.analyze(discs.replace(source=None), tmp_path / "out", method="threshold")
    written = pd.read_csv(
        tmp_path / "out" / "particles.csv", index_col="label", float_precision="round_trip"
    )
    shown = table_of(layer)
    exported = pd.read_csv(
        widget.export(tmp_path / "t.csv"), index_col="label", float_precision="round_trip"
    )
    hovered = layer.features.set_index("index")
    names = [name for name in shown if shown[name].dtype.kind == "f" and name in written]
    assert len(names) > 30
    for name in names:
        values = written[name].to_numpy()
        for place, table in (("window", shown), ("export", exported), ("hover", hovered)):
            np.testing.assert_array_equal(table[name].to_numpy(float), values, f"{name}, {place}")

    told = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["statistics"]["nm"]
    assert told["mean"] == sem.summarize(shown).mean
    assert f"<b>{told['mean']:.3g} nm</b>" in (tmp_path / "out" / "report.html").read_text("utf-8")
