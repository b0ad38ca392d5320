"""Decisions about particles: they win over rules, can be taken back, and are kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.layers import attach_table
from napari_sem_tools.measurement import measure
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.widgets.table.export import clipboard_text, export_table
from napari_sem_tools.widgets.table.follow import carry_over, measured_again, touched_labels
from napari_sem_tools.widgets.table.state import BY_HAND, CLASS, TableState, scales_differ


class Layer(SimpleNamespace):
    """Stands for a labels layer; like napari's it is equal to itself alone."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def squares(count: int = 6, name: str = "grains", size: float | None = 2.0) -> tuple[Any, Any]:
    """Make a layer of squares of 6 to 20 px, measured, and its image."""
    labels = np.zeros((60, 40 * count), np.uint16)
    for number in range(count):
        side = 6 + 3 * number
        labels[20 : 20 + side, 40 * number + 8 : 40 * number + 8 + side] = number + 1
    scale = Calibration((size, size), "typed", "typed") if size else Calibration()
    image = Micrograph(np.where(labels, 150, 50).astype(np.uint8), scale)
    layer = Layer(data=labels, features=pd.DataFrame(), metadata={}, name=name)
    table = measure(labels, image)
    table["image"] = name
    table.attrs["image"] = name
    return attach_table(layer, table), image


def test_a_decision_by_hand_wins_over_the_rules_and_survives_other_thresholds() -> None:
    layer, _ = squares()
    state = TableState([layer])
    state.judge(state.settings.replace(min_ecd_px=10))
    small = state.table.index[state.table["doubtful"]]
    assert small.tolist() == [1]
    state.count(np.array([0]), True)
    state.count(np.array([5]), False)
    assert state.table["included"].tolist() == [True] * 5 + [False]
    state.judge(state.settings.replace(min_ecd_px=16))
    assert state.table["included"].tolist() == [True, False, False, True, True, False]
    assert state.table["doubtful"].tolist() == [True, True, True, False, False, False]


def test_decisions_are_taken_back_and_made_again_one_by_one() -> None:
    state = TableState([squares()[0]])
    start = state.table["included"].tolist()
    state.count(np.array([1, 2]), False)
    state.classify(np.array([3]), "rod")
    assert state.undo() == "class rod: 1 particle"
    assert state.column(CLASS)[3] == ""
    assert state.undo() == "left out: 2 particles"
    assert state.table["included"].tolist() == start
    assert not state.can_undo
    state.redo()
    state.redo()
    assert not state.can_redo
    assert state.classes() == ["rod"]
    assert state.table["included"].tolist() == [True, False, False, True, True, True]
    state.undo()
    state.count(np.array([0]), False)
    assert not state.can_redo, "a new decision ends what could be made again"


def test_a_decision_that_changes_nothing_is_no_step() -> None:
    state = TableState([squares()[0]])
    state.classify(np.array([0]), "")
    state.count(np.empty(0, int), False)
    assert not state.can_undo


def test_decisions_are_recorded_with_the_layer_and_load_again() -> None:
    layer, _ = squares()
    state = TableState([layer])
    state.count(np.array([1, 4]), False)
    state.classify(np.array([0]), "rod")
    state.write_back()
    (first, second) = layer.metadata["sem_choices"]
    assert first["done"] == "left out: 2 particles"
    assert (first["labels"], first["included"]) == ([2, 5], False)
    assert second["labels"] == [1]
    again = TableState([layer])
    assert again.table.loc[[2, 5], BY_HAND].tolist() == ["left out", "left out"]
    assert not again.table.loc[2, "included"]
    assert again.table.attrs["decisions"] == layer.metadata["sem_choices"]


def test_images_of_one_pixel_size_are_pooled_and_keep_their_particles_apart() -> None:
    first, second = squares(3, "a")[0], squares(4, "b")[0]
    state = TableState([first, second])
    assert len(state.table) == 7
    assert len(set(state.keys.tolist())) == 7
    assert state.positions_of(second, [1]).tolist() == [3]
    state.count(state.positions_of(second, [1]), False)
    state.write_back()
    assert first.features["included"].all()
    assert second.features["included"].tolist() == [False, True, True, True]
    assert state.record(first) == []


def test_images_of_other_pixel_size_are_pooled_only_when_agreed() -> None:
    layers = [squares(3, "a")[0], squares(3, "b", 5.0)[0]]
    with pytest.raises(InvalidSettings, match="from 2 to 5 nm") as caught:
        TableState(layers)
    assert caught.value.hint == "Pool them all the same?"
    assert len(TableState(layers, mixed=True).table) == 6


def test_nm_and_px_are_never_pooled() -> None:
    layers = [squares(3, "a")[0], squares(3, "b", None)[0]]
    for mixed in (False, True):
        with pytest.raises(InvalidSettings, match="some have none"):
            TableState(layers, mixed=mixed)
    assert scales_differ([one.features for one in ()]) == ""


def test_two_images_of_one_name_are_told_apart_by_their_layers() -> None:
    first, second = squares(2, "a")[0], squares(2, "a")[0]
    second.name = "a [1]"
    assert TableState([first, second]).table["image"].unique().tolist() == ["a", "a [1]"]


def test_a_table_of_somebody_else_is_taken_as_it_is() -> None:
    features = pd.DataFrame({"index": [1, 2], "brightness": [3.0, 4.0]})
    layer = Layer(features=features, metadata={}, name="x")
    state = TableState([layer])
    assert not state.can_judge
    state.count(np.array([1]), False)
    assert state.table["included"].tolist() == [True, False]
    state.undo()
    assert state.table["included"].tolist() == [True, True]


def test_an_edit_touches_the_labels_whose_pixels_came_or_went() -> None:
    before = np.zeros((9, 9), np.uint16)
    before[:3], before[3:6], before[6:] = 1, 2, 3
    after = before.copy()
    after[before == 2] = 3
    assert touched_labels(before, after).tolist() == [2, 3]
    assert touched_labels(before, before).size == 0


def test_merged_particles_are_measured_again_and_others_keep_what_is_known() -> None:
    layer, image = squares()
    state = TableState([layer])
    state.count(np.array([0, 1]), False)
    state.classify(np.array([5]), "rod")
    old = state.table.assign(confidence=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    labels = layer.data.copy()
    labels[labels == 2] = 3
    labels[labels == 1] = 0
    touched = touched_labels(layer.data, labels)
    new = measured_again(labels, image, old, state.settings, touched=touched)
    assert new.index.tolist() == [3, 4, 5, 6]
    assert new.loc[3, "area_px"] == old.loc[[2, 3], "area_px"].sum()
    assert np.isnan(new.loc[3, "confidence"])
    assert new.loc[[4, 5, 6], "confidence"].tolist() == [0.4, 0.5, 0.6]
    assert new.loc[6, CLASS] == "rod"


def test_a_decision_outlives_measuring_again() -> None:
    layer, image = squares()
    state = TableState([layer])
    state.count(np.array([3]), False)
    attach_table(layer, measure(layer.data, image))  # not yet written, and measured anew
    state.reload()
    assert not state.table.loc[4, "included"]
    state.undo()
    assert state.table.loc[4, "included"]


def test_carried_over_words_go_by_label_not_by_row() -> None:
    old = pd.DataFrame({CLASS: ["a", "b"]}, index=pd.Index([4, 9], name="label"))
    new = pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=pd.Index([2, 9, 4], name="label"))
    assert carry_over(new, old, np.empty(0, int))[CLASS].tolist() == ["", "b", "a"]


def test_the_clipboard_pastes_into_columns_and_runs_no_formula() -> None:
    layer, _ = squares(2, "=evil()")
    text = clipboard_text(TableState([layer]).table, np.array([1, 0]))
    header, *rows = [line.split("\t") for line in text.splitlines()]
    assert header[:2] == ["label", "image"]
    assert [row[0] for row in rows] == ["2", "1"]
    assert all(len(row) == len(header) for row in rows)
    assert rows[0][1] == "'=evil()"


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
def test_an_export_holds_every_particle_and_the_same_numbers(ending: str, tmp_path: Any) -> None:
    pytest.importorskip({".xlsx": "openpyxl", ".parquet": "pyarrow"}.get(ending, "csv"))
    state = TableState([squares()[0]])
    state.count(np.array([2]), False)
    path = export_table(state, tmp_path / f"particles{ending}")
    read = {".csv": pd.read_csv, ".xlsx": pd.read_excel, ".parquet": pd.read_parquet}[ending]
    back = read(path)
    title = "ecd [nm]" if ending == ".xlsx" else "ecd_nm"
    assert np.allclose(back[title], state.table["ecd_nm"], rtol=1e-12)
    if ending == ".xlsx":
        sheets = pd.read_excel(path, sheet_name=None)
        assert list(sheets) == ["particles", "images", "decided by hand"]
        assert sheets["images"]["counted"].tolist() == [5]


def test_an_unknown_ending_is_refused(tmp_path: Any) -> None:
    with pytest.raises(InvalidSettings, match="no format"):
        export_table(TableState([squares()[0]]), tmp_path / "particles.docx")


def test_the_figure_is_drawn_of_the_image_of_the_labels(tmp_path: Any) -> None:
    state = TableState([squares()[0]])
    with pytest.raises(InvalidSettings, match="no image for the figure"):
        export_table(state, tmp_path / "figure.png")
