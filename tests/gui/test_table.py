"""Particle table: rows and particles find each other, ticks count, the layer may go."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_sem_tools.layers import (
    attach_table,
    camera_of,
    table_of,
)
from napari_sem_tools.widgets.table.model import ParticleModel
from napari_sem_tools.widgets.table.widget import TableWidget


@pytest.fixture
def widget(model: Any, labels: Any, open_widget: Callable[..., Any]) -> Any:
    return open_widget(TableWidget, model)


def test_the_features_are_joined_by_index(labels: Any) -> None:
    assert list(labels.features["index"]) == list(range(1, 21))
    table = table_of(labels)
    assert table.index.name == "label"
    assert table.attrs["unit"] == "nm"


def test_a_row_moves_to_its_particle_and_outlines_it(model: Any, widget: Any, labels: Any) -> None:
    widget.view.sortByColumn(widget.model.names.index("ecd_nm"), Qt.SortOrder.DescendingOrder)
    widget.view.selectRow(3)
    label = widget.model.label_at(3)
    place = table_of(labels).loc[label, ["centroid_y_px", "centroid_x_px"]].to_numpy(float)
    assert np.allclose(camera_of(model).center[-2:], place * 2, atol=1e-6)
    marks = next(one for one in model.layers if "marks (preview)" in one.name)
    outlined = np.argwhere(marks.data == 3)
    assert np.allclose(outlined.mean(axis=0), place, atol=1)
    assert labels.selected_label == label


def test_a_clicked_particle_selects_its_row(model: Any, widget: Any, labels: Any) -> None:
    place = table_of(labels).loc[7, ["centroid_y_px", "centroid_x_px"]].to_numpy(float) * 2
    model.layers.selection.active = labels
    event = SimpleNamespace(type="mouse_press", position=tuple(place))
    drag = widget._on_mouse(model, event)
    next(drag)
    event.type = "mouse_release"
    assert next(drag, None) is None
    assert widget.model.label_at(widget.view.currentIndex().row()) == 7


def test_dragging_or_painting_selects_nothing(model: Any, widget: Any, labels: Any) -> None:
    place = tuple(table_of(labels).loc[7, ["centroid_y_px", "centroid_x_px"]] * 2)
    for kind, mode in (("mouse_move", "pan_zoom"), ("mouse_release", "paint")):
        model.layers.selection.active = labels
        labels.mode = mode
        event = SimpleNamespace(type="mouse_press", position=place)
        drag = widget._on_mouse(model, event)
        next(drag)
        event.type = kind
        if kind == "mouse_move":
            next(drag)
            event.type = "mouse_release"
        next(drag, None)
        assert not widget.view.selectionModel().hasSelection()


def test_a_tick_takes_a_particle_out_of_the_statistics(
    widget: Any, labels: Any, qtbot: Any
) -> None:
    counted = int(table_of(labels)["included"].sum())
    row = widget.model.row_of(int(table_of(labels).query("included").index[0]))
    index = widget.model.index(row, widget.model.names.index("included"))
    assert widget.model.setData(index, Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    assert widget.summary_line.text().startswith(f"{counted - 1} of 20")
    qtbot.waitUntil(lambda: int(labels.features["included"].sum()) == counted - 1, timeout=5000)
    assert labels.metadata["sem_choices"]


def test_doubtful_rows_are_red_and_hatched(model: Any, widget: Any, labels: Any) -> None:
    table = table_of(labels)
    table["doubtful"] = table.index == 4
    attach_table(labels, table)
    row = widget.model.row_of(4)
    cell = widget.model.index(row, widget.model.names.index("label"))
    brush = widget.model.data(cell, Qt.ItemDataRole.BackgroundRole)
    assert brush.style() == Qt.BrushStyle.BDiagPattern
    warn = widget.model.index(row, widget.model.names.index("doubtful"))
    assert widget.model.data(warn) == "⚠"
    widget.marks.setChecked(True)
    marks = next(one for one in model.layers if "marks (preview)" in one.name)
    hatched = marks.data[labels.data == 4]
    assert set(np.unique(hatched)) == {0, 1}
    widget.marks.setChecked(False)
    assert not (marks.data == 1).any()


def test_filters_show_a_part(widget: Any) -> None:
    widget.filters.preset.setCurrentText("left out")
    left_out = widget.model.rowCount()
    widget.filters.preset.setCurrentText("counted")
    assert widget.model.rowCount() + left_out == 20


def test_the_table_outlives_its_layer(model: Any, widget: Any, labels: Any, tmp_path: Path) -> None:
    model.layers.remove(labels)
    assert widget.model.rowCount() == 20
    widget.view.selectRow(2)
    widget.copy()
    path = widget.export(tmp_path / "particles.csv")
    assert len(pd.read_csv(path)) == 20
    assert "removed" not in str(path)


def test_every_column_has_a_title_and_a_tooltip(widget: Any) -> None:
    for column, name in enumerate(widget.model.names):
        title = widget.model.headerData(column, Qt.Orientation.Horizontal)
        tip = widget.model.headerData(
            column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
        )
        assert title, name
        assert tip, name


def test_closing_takes_the_marks_away(model: Any, widget: Any) -> None:
    assert widget._on_mouse in model.mouse_drag_callbacks
    widget.marks.setChecked(True)
    widget.close()
    assert not [one for one in model.layers if "preview" in one.name]
    assert widget._on_mouse not in model.mouse_drag_callbacks


def test_twenty_thousand_rows_sort_with_missing_values_last() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"q{i}": rng.random(20_000) for i in range(30)})
    table.index = pd.RangeIndex(1, 20_001, name="label")
    table.loc[5, "q3"] = np.nan
    started = time.perf_counter()
    model = ParticleModel()
    model.set_table(table)
    filled = time.perf_counter()
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        model.sort(model.names.index("q3"), order)
        shown = [model.label_at(row) for row in range(20_000)]
        values = table.loc[shown, "q3"].to_numpy()
        assert np.isnan(values[-1])
        step = np.diff(values[:-1])
        assert (step >= 0).all() if order == Qt.SortOrder.AscendingOrder else (step <= 0).all()
        assert model.row_of(shown[77]) == 77
    started_sort = time.perf_counter()
    model.sort(model.names.index("q4"))
    seconds = filled - started, time.perf_counter() - started_sort
    print(f"20,000 x 30: filled in {1e3 * seconds[0]:.0f} ms, sorted in {1e3 * seconds[1]:.0f} ms")


def test_the_mouse_over_a_tick_says_why_a_particle_is_not_counted(widget: Any) -> None:
    position = int(np.flatnonzero(widget.table.index == 7)[0])
    model = widget.model

    def said() -> Any:
        cell = model.index(model.row_at(position), 0)
        return model.data(cell, Qt.ItemDataRole.ToolTipRole)

    assert said() is None
    widget.choose(widget.table.index == 7)
    widget.count(False)
    assert said() == "by hand: left out"
    slider = widget.doubt.sliders["min_ecd_px"]
    slider.setValue(slider.maximum())
    assert said() == "by hand: left out; by the rules: too small"
