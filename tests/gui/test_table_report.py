"""The report from the table: the window's numbers and decisions, asked before it replaces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QMessageBox

import napari_sem_tools as sem
from napari_sem_tools.statistics.settings import StatisticsSettings
from napari_sem_tools.widgets.table import report as table_report
from napari_sem_tools.widgets.table.report import ReportDialog
from napari_sem_tools.widgets.table.widget import TableWidget


@pytest.fixture
def widget(model: Any, labels: Any, open_widget: Callable[..., Any]) -> Any:
    return open_widget(TableWidget, model)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    pages: list[Path] = []
    monkeypatch.setattr(table_report, "open_page", pages.append)
    return pages


def test_the_report_says_what_the_window_says(
    widget: Any, opened: list[Path], tmp_path: Path, qtbot: Any
) -> None:
    widget.choose(np.isin(widget.table.index, [3, 4]))
    widget.count(False)
    widget.report_button.write(tmp_path / "out")
    qtbot.waitUntil(lambda: bool(opened), timeout=120_000)
    assert opened == [tmp_path / "out" / "report.html"]
    written = pd.read_csv(tmp_path / "out" / "particles.csv", index_col="label")
    shown = widget.table
    assert not written.loc[[3, 4], "included"].any()
    assert list(written.loc[[3, 4], "by_hand"]) == ["left out", "left out"]
    for name in shown:
        if shown[name].dtype.kind in "fb":
            np.testing.assert_array_equal(written[name], shown[name], name)
    told = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert told["statistics"]["nm"]["mean"] == sem.summarize(shown).mean
    assert "2 left out (column by_hand)" in opened[0].read_text("utf-8")
    assert "particles written to" in widget.status_line.text()


def test_painted_particles_are_reported_as_edited(widget: Any, labels: Any, model: Any) -> None:
    labels.data[5:9, 5:9] = 21
    images = [layer for layer in model.layers if type(layer).__name__ == "Image"]
    (one,) = table_report.measured_of(widget.state, images, model)
    assert one.found.method == "threshold, edited by hand"
    assert one.found.labels is not labels.data


def test_without_its_image_there_is_a_sentence(widget: Any, model: Any, tmp_path: Path) -> None:
    image = next(layer for layer in model.layers if type(layer).__name__ == "Image")
    model.layers.remove(image)
    widget.report_button.write(tmp_path / "out")
    assert "not open" in widget.status_line.text()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("agrees", [True, False])
def test_an_earlier_report_is_replaced_only_when_agreed(
    widget: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    buttons = QMessageBox.StandardButton
    answer = buttons.Yes if agrees else buttons.No
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answer)
    (tmp_path / "out").mkdir()
    dialog = ReportDialog(widget, tmp_path / "out")
    dialog.exports["pdf"].setChecked(True)
    dialog.accept()
    assert bool(dialog.result()) is agrees
    assert dialog.wished() == ("pdf",)


def test_the_statistics_of_a_report_are_chosen_in_its_dialog(
    widget: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, handed = [], []

    def fill(dialog: ReportDialog) -> int:
        asked.append(dialog.statistics())
        dialog.form.rows["edge_weights"].value = True
        dialog.form.rows["particle_type"].value = "plate"
        dialog.form.rows["calibration_uncertainty_percent"].automatic.value = False
        dialog.form.rows["calibration_uncertainty_percent"].number.value = 1.5
        return int(ReportDialog.DialogCode.Accepted)

    def written(measured: object, out: Path, **keywords: Any) -> None:
        handed.append(keywords["statistics_settings"])

    monkeypatch.setattr(ReportDialog, "exec", fill)
    monkeypatch.setattr(table_report, "write_report", written)
    monkeypatch.setattr(widget, "start", lambda job, then, what: job(None, None))
    widget.report_button.ask()
    widget.report_button.ask()
    wished = {
        "edge_weights": True, "particle_type": "plate", "calibration_uncertainty_percent": 1.5,
    }  # fmt: skip
    assert handed[0] == StatisticsSettings(**wished)
    assert asked == [StatisticsSettings(), handed[0]], "the next report begins with the last choice"


def test_what_is_there_is_not_replaced_unasked(widget: Any, tmp_path: Path, qtbot: Any) -> None:
    (tmp_path / "out").mkdir()
    widget.report_button.write(tmp_path / "out")
    qtbot.waitUntil(lambda: "exists" in widget.status_line.text(), timeout=60_000)
