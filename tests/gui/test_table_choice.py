"""Table, plot and picture show one choice; decisions and edits reach the layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from window_parts import add_particles

from napari_sem_tools.layers import (
    table_of,
)
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.widgets.ruler import _Reader, readings_of
from napari_sem_tools.widgets.table.widget import TableWidget


@pytest.fixture
def widget(model: Any, labels: Any, open_widget: Callable[..., Any], qtbot: Any) -> Any:
    widget = open_widget(TableWidget, model)
    qtbot.waitUntil(lambda: widget.plot.ready, timeout=20_000)
    return widget


def marks(model: Any) -> Any:
    return next(one for one in model.layers if "marks (preview)" in one.name)


def chosen_labels(widget: Any) -> list[int]:
    return sorted(widget.state.table.index[widget.chosen].tolist())


def test_brushing_the_plot_chooses_rows_and_particles(model: Any, widget: Any) -> None:
    table = widget.state.table
    wanted = sorted(table.index[table["included"] & table["ecd_nm"].between(50, 70)].tolist())
    assert 1 < len(wanted) < 20
    widget.plot.brush(50, 70, 0, 0)
    assert chosen_labels(widget) == wanted
    selected = {i.row() for i in widget.view.selectionModel().selectedRows()}
    assert sorted(widget.model.label_at(row) for row in selected) == wanted
    outlined = marks(model).data == 3
    for label in table.index:
        y, x = (round(v) for v in table.loc[label, ["centroid_y_px", "centroid_x_px"]])
        near = outlined[max(0, y - 30) : y + 30, max(0, x - 30) : x + 30]
        assert near.any() == (label in wanted)
    assert "chosen" in widget.summary_line.text()


def test_a_drag_over_the_plot_brushes_and_a_click_chooses_nothing(widget: Any, qtbot: Any) -> None:
    from matplotlib.backend_bases import MouseButton, MouseEvent

    plot = widget.plot

    def mouse(kind: str, x: float) -> None:
        place = plot.axes.transData.transform((x, 1.0))
        event = MouseEvent(kind, plot.canvas, *place, button=MouseButton.LEFT)
        plot.canvas.callbacks.process(kind, event)

    mouse("button_press_event", 45)
    mouse("motion_notify_event", 60)
    mouse("button_release_event", 75)
    sizes = widget.state.table.loc[chosen_labels(widget), "ecd_nm"]
    assert len(sizes) > 0
    assert sizes.between(44.5, 75.5).all()
    mouse("button_press_event", 60)
    mouse("button_release_event", 60)
    assert chosen_labels(widget) == []


def test_a_second_brush_with_shift_adds(widget: Any) -> None:
    widget.plot.brush(40, 50, 0, 0)
    first = chosen_labels(widget)
    widget.plot.brush(60, 70, 0, 0, add=True)
    assert set(first) < set(chosen_labels(widget))


def test_a_bivariate_plot_brushes_a_rectangle(widget: Any, qtbot: Any) -> None:
    widget.plot.kind.setCurrentText("bivariate")
    qtbot.waitUntil(lambda: widget.plot.ready, timeout=20_000)
    x, y = widget.plot.x.currentData(), widget.plot.y.currentData()
    table = widget.state.table[widget.state.table["included"]]
    low, high = table[y].quantile([0.2, 0.6])
    widget.plot.brush(45, 75, low, high)
    wanted = table.index[table[x].between(45, 75) & table[y].between(low, high)]
    assert chosen_labels(widget) == sorted(wanted.tolist())


def test_the_choice_stays_on_its_particles_when_the_table_is_sorted(widget: Any) -> None:
    widget.select_particle(7)
    for order in (Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder):
        widget.view.sortByColumn(widget.model.names.index("ecd_nm"), order)
        rows = [i.row() for i in widget.view.selectionModel().selectedRows()]
        assert [widget.model.label_at(row) for row in rows] == [7]


def test_rows_are_filtered_by_expression_and_slider(widget: Any, qtbot: Any) -> None:
    sizes = widget.state.table["ecd_nm"]
    widget.filters.expression.setText("ecd_nm > 50")
    qtbot.waitUntil(lambda: widget.model.rowCount() == int((sizes > 50).sum()), timeout=5000)
    widget.filters.slider.setValue((0, 600))
    _, high = widget.filters.range()
    both = (sizes > 50) & (sizes <= high)
    assert widget.model.rowCount() == int(both.sum())
    widget.filters.keep.click()
    assert widget.filters.range() == (-np.inf, np.inf)
    assert widget.model.rowCount() == int(both.sum())
    widget.filters.expression.setText("ecd_mn > 50")
    widget.filters._at_once()
    assert widget.model.rowCount() == 20
    assert "Do you mean ecd_nm" in widget.filters.problem.text()


def test_a_threshold_acts_at_once_and_decisions_by_hand_stay(
    widget: Any, labels: Any, qtbot: Any
) -> None:
    counted = int(widget.state.table["included"].sum())
    widget.select_particle(1)
    widget.count(True)
    slider = widget.doubt.sliders["min_ecd_px"]
    slider.setValue(slider.maximum())
    table = widget.state.table
    assert table["doubtful"].all()
    assert table.index[table["included"]].tolist() == [1]
    assert widget.summary_line.text().startswith("1 of 20")
    qtbot.waitUntil(lambda: int(labels.features["included"].sum()) == 1, timeout=5000)
    assert table_of(labels).attrs["settings"]["min_ecd_px"] == 50
    slider.setValue(20)
    assert int(widget.state.table["included"].sum()) >= counted


def test_leaving_out_is_undone_and_done_again_by_its_buttons(widget: Any) -> None:
    widget.plot.brush(50, 70, 0, 0)
    before = widget.state.table["included"].tolist()
    widget.actions.buttons["leave out"].click()
    without = widget.state.table["included"].tolist()
    assert sum(without) < sum(before)
    widget.actions.buttons["undo"].click()
    assert widget.state.table["included"].tolist() == before
    widget.actions.buttons["redo"].click()
    assert widget.state.table["included"].tolist() == without
    assert not widget.actions.buttons["redo"].isEnabled()


def test_a_class_is_shown_coloured_and_written(widget: Any, labels: Any, qtbot: Any) -> None:
    widget.classify([2, 3], "rod")
    assert "particle_class" in widget.model.names
    cell = widget.model.index(5, widget.model.names.index("particle_class"))
    assert widget.model.setData(cell, "sphere", Qt.ItemDataRole.EditRole)
    colours = widget.colours
    colours.quantity.setCurrentIndex(colours.quantity.findData("particle_class"))
    shown = labels.colormap.map(np.arange(21, dtype=labels.data.dtype))
    assert np.allclose(shown[3], shown[4])
    assert not np.allclose(shown[3], shown[6])
    assert [name for name, _ in colours.legend._legend.entries] == ["rod", "sphere", "(none)"]
    written = "particle_class"
    qtbot.waitUntil(lambda: written in labels.features, timeout=5000)
    assert labels.features.set_index("index").loc[[3, 4, 6], written].tolist() == [
        "rod",
        "rod",
        "sphere",
    ]


def test_colours_are_given_back(widget: Any, labels: Any) -> None:
    before = labels.colormap
    colours = widget.colours
    colours.quantity.setCurrentIndex(colours.quantity.findData("ecd_nm"))
    shown = labels.colormap.map(labels.data)
    assert labels.colormap is not before
    sizes = widget.state.table["ecd_nm"]
    small, large = sizes.idxmin(), sizes.idxmax()
    bright = shown[..., :3].sum(axis=-1)
    assert bright[labels.data == small].mean() < bright[labels.data == large].mean()
    assert (shown[labels.data == 0] == 0).all()
    colours.quantity.setCurrentIndex(0)
    assert labels.colormap is before


def test_deleted_and_merged_particles_leave_the_table_true(
    widget: Any, labels: Any, qtbot: Any
) -> None:
    old = widget.state.table
    widget.select_particle(9)
    widget.count(False)
    labels.data_setitem(np.nonzero(labels.data == 4), 0)
    labels.data_setitem(np.nonzero(labels.data == 5), 6)
    qtbot.waitUntil(lambda: len(widget.state.table) == 18, timeout=20_000)
    table = widget.state.table
    assert not {4, 5} & set(table.index)
    assert table.loc[6, "area_px"] == old.loc[[5, 6], "area_px"].sum()
    assert not table.loc[9, "included"]
    assert labels.features["index"].tolist() == table.index.tolist()
    labels.undo()
    qtbot.waitUntil(lambda: len(widget.state.table) == 19, timeout=20_000)
    assert widget.state.table.loc[6, "area_px"] == old.loc[6, "area_px"]
    qtbot.waitUntil(lambda: not widget.follower.running, timeout=20_000)


def test_images_are_pooled_and_a_row_leads_to_its_own_image(
    model: Any, widget: Any, labels: Any, discs: Micrograph, qtbot: Any
) -> None:
    other = add_particles(model, discs.replace(source=None), "more")
    widget.pool_button.tick([labels, other])
    assert len(widget.state.table) == 40
    assert "image" in widget.model.names
    row = widget.model.row_at(int(widget.state.positions_of(other, [3])[0]))
    widget.view.selectRow(row)
    assert other.selected_label == 3
    assert sum("marks (preview)" in one.name for one in model.layers) >= 1
    widget.count(False)
    qtbot.waitUntil(lambda: "by_hand" in other.features, timeout=5000)
    assert (labels.features["by_hand"] == "").all()
    assert (other.features["by_hand"] != "").sum() == 1


def test_other_pixel_sizes_are_asked_about_and_px_is_refused(
    model: Any, widget: Any, labels: Any, discs: Micrograph
) -> None:
    finer = Calibration((1.0, 1.0), "typed", "typed")
    other = add_particles(model, discs.replace(calibration=finer, source=None), "finer")
    widget.pool_button.tick([labels, other])
    assert "pixel sizes differ" in widget.question.text()
    assert len(widget.state.table) == 20
    widget.agree.click()
    assert len(widget.state.table) == 40
    assert widget.question.isHidden()
    bare = add_particles(model, discs.replace(calibration=Calibration(), source=None), "bare")
    widget.pool_button.tick([labels, bare])
    assert "some have none" in widget.question.text()
    assert widget.agree.isHidden()


def test_copied_rows_paste_into_a_spreadsheet(widget: Any) -> None:
    from io import StringIO

    widget.plot.brush(50, 70, 0, 0)
    widget.actions.buttons["copy"].click()
    pasted = pd.read_csv(StringIO(QApplication.clipboard().text()), sep="\t")
    assert sorted(pasted["label"]) == chosen_labels(widget)
    assert np.allclose(
        pasted["ecd_nm"], widget.state.table.loc[pasted["label"], "ecd_nm"], rtol=1e-12
    )


def test_the_ruler_reads_nm_by_the_layers_scale(model: Any, discs: Micrograph) -> None:
    layer = model.add_shapes(ndim=2, scale=(2, 2), units=("nm", "nm"))
    layer.add_lines(np.array([[0.0, 0.0], [30.0, 40.0]]))
    assert readings_of(layer) == ["100 nm, 143.1°"]
    bare = model.add_shapes(ndim=2)
    bare.add_lines(np.array([[0.0, 0.0], [0.0, 40.0]]))
    assert readings_of(bare) == ["40 px, 0.0°"]


def test_the_ruler_writes_while_it_is_drawn_and_when_the_scale_changes(model: Any) -> None:
    layer = model.add_shapes(
        ndim=2,
        scale=(2, 2),
        units=("nm", "nm"),
        features={"reading": np.empty(0, object)},
        text={"string": "{reading}"},
    )
    _Reader(layer)
    layer.add_lines(np.array([[0.0, 0.0], [0.0, 40.0]]))
    assert layer.features["reading"].tolist() == ["80 nm, 0.0°"]
    layer.scale = (3, 3)
    assert layer.features["reading"].tolist() == ["120 nm, 0.0°"]
