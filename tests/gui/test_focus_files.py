"""Focus, pages Folder and Watch: each file once, marks with undo, nothing moved unasked."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from focus_parts import BLURS, add, series, use_edge_score, write_series
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from window_parts import drop, idle

from napari_sem_tools.focus.files import folder as folder_module
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.widgets.focus import files as focus_files
from napari_sem_tools.widgets.focus.state import KEEP, REJECT
from napari_sem_tools.widgets.focus.widget import FocusWatchWidget, FocusWidget
from napari_sem_tools.widgets.gallery import files as listed_files

SHARPEST = f"frame{BLURS.index(min(BLURS)) + 1}.tif"


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_edge_score(monkeypatch, tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "session"
    write_series(folder)
    (folder / "torn.tif").write_bytes(b"II*\0 torn")
    return folder


@pytest.fixture
def widget(model: Any, open_widget: Callable[..., Any]) -> Any:
    return open_widget(FocusWidget, model)


@pytest.fixture
def scored(widget: Any, files: Path, qtbot: Any) -> Any:
    """The page after the folder was scored."""
    widget.tabs.setCurrentWidget(widget.folder)
    widget.folder.line.choose(files)
    idle(widget, qtbot)
    return widget.folder.box


def names(box: Any) -> list[str]:
    return [row.file.name for row in box.model.rows()]


def choose(box: Any, *wanted: str) -> None:
    box.view.clearSelection()
    shown = names(box)
    for name in wanted:
        index = box.model.index(shown.index(name), 0)
        box.view.selectionModel().select(
            index,
            box.view.selectionModel().SelectionFlag.Select
            | box.view.selectionModel().SelectionFlag.Rows,
        )


def test_a_folder_becomes_a_table(scored: Any, widget: Any) -> None:
    assert len(names(scored)) == len(BLURS) + 1
    row = names(scored).index("torn.tif")
    texts = [scored.model.index(row, column).data() for column in range(7)]
    assert any("torn.tif" in str(text) for text in texts if text != "torn.tif")
    picture = scored.model.index(0, 0).data(Qt.ItemDataRole.DecorationRole)
    assert 0 < picture.width() <= 64
    assert "not readable: torn.tif" in widget.status_line.text()
    assert "nm" in scored.model.index(0, 5).data()
    scored.view.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    assert names(scored)[0] == SHARPEST
    assert names(scored)[-1] == "torn.tif", "what has no score comes last, either way"
    scored.view.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    assert names(scored)[-1] == "torn.tif"


def test_marks_by_key_and_by_limit_can_be_undone(scored: Any, qtbot: Any) -> None:
    choose(scored, "frame1.tif")
    qtbot.keyClick(scored.view, Qt.Key.Key_R)
    assert scored.view.chosen()[0].name == "frame2.tif", "the next one is chosen"
    qtbot.keyClick(scored.view, Qt.Key.Key_K)
    scored.limit.setValue(7.0)
    scored.below.click()
    marks = {path.name: mark for path, mark in scored.files.marks.items()}
    assert marks["frame2.tif"] == KEEP, "what was kept by hand stays"
    assert marks["torn.tif"] == REJECT
    assert marks.get(SHARPEST, "") == ""
    assert "1 kept" in scored.line.text()
    for _ in range(3):
        qtbot.keyClick(scored.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not any(scored.files.marks.values())
    scored.do("redo")
    assert scored.files.marked(REJECT)[0].name == "frame1.tif"
    scored.which.setCurrentText("rejected")
    assert names(scored) == ["frame1.tif"]


def test_a_filter_takes_words_or_an_expression(scored: Any, widget: Any) -> None:
    for text, check in (
        ("frame3", lambda shown: shown == ["frame3.tif"]),
        ("score > 8", lambda shown: SHARPEST in shown and "frame1.tif" not in shown),
        ("blur_px < 1 and snr > 2", lambda shown: 0 < len(shown) < len(BLURS)),
    ):
        scored.filter.setText(text)
        scored._on_filter()
        assert check(names(scored)), text
    before = names(scored)
    scored.filter.setText("score >")
    scored._on_filter()
    assert names(scored) == before, "half an expression changes nothing"
    assert widget.status_line.text().startswith("⚠")


def test_the_table_as_shown_is_exported(
    scored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(scored, "frame1.tif")
    scored.do("reject")
    scored.filter.setText("frame")
    scored._on_filter()
    out = tmp_path / "scores.csv"
    monkeypatch.setattr(listed_files, "asked_csv", lambda *_: out)
    scored.do("export")
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(BLURS)
    assert rows[0]["mark"] == "reject"
    assert float(rows[0]["LoG2/var"]) > 0, "the measures chosen on the page Score come along"
    assert float(rows[0]["blur_nm"]) == pytest.approx(2 * float(rows[0]["blur_px"]))
    choose(scored, "frame2.tif")
    scored.do("copy")
    assert "frame2.tif" in QApplication.clipboard().text()


def test_files_are_moved_only_after_a_yes_and_can_be_moved_back(
    scored: Any, widget: Any, files: Path, tmp_path: Path, qtbot: Any, monkeypatch: Any
) -> None:
    (files / "frame1.txt").write_text("a side-car", encoding="utf-8")
    choose(scored, "frame1.tif", "frame7.tif")
    scored.do("reject")
    away, asked = tmp_path / "poor", []
    monkeypatch.setattr(focus_files, "asked_folder", lambda *_: away)

    def answer(parent: Any, text: str) -> bool:
        asked.append(text)
        return len(asked) > 1

    monkeypatch.setattr(focus_files, "agrees", answer)
    before = sorted(path.name for path in files.iterdir())
    scored.do("move rejected")
    idle(widget, qtbot)
    assert sorted(path.name for path in files.iterdir()) == before
    assert "2 files and 1 side-cars" in asked[0]
    scored.do("move rejected")
    idle(widget, qtbot)
    assert sorted(path.name for path in away.iterdir()) == [
        "frame1.tif",
        "frame1.txt",
        "frame7.tif",
    ]
    assert "frame1.tif" not in names(scored)
    scored.do("move back")
    assert sorted(path.name for path in files.iterdir()) == before
    choose(scored, "frame2.tif")
    scored.do("keep")
    scored.do("copy kept")
    idle(widget, qtbot)
    assert (away / "frame2.tif").exists()
    assert (files / "frame2.tif").exists()


def test_a_double_click_opens_a_file_once(scored: Any, model: Any, qtbot: Any) -> None:
    index = scored.model.index(names(scored).index("frame2.tif"), 3)
    for _ in range(2):
        scored.view.doubleClicked.emit(index)
    assert [layer.name for layer in model.layers] == ["frame2"]
    assert tuple(model.layers[0].scale) == (2.0, 2.0)


def test_cancel_keeps_what_was_scored(
    widget: Any, files: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget.tabs.setCurrentWidget(widget.folder)
    gate = threading.Semaphore(3)  # three files may be scored, then it waits for the user
    real = folder_module.score_file

    def slow(path: Path, **options: Any) -> Any:
        gate.acquire(timeout=20)
        return real(path, **options)

    monkeypatch.setattr(folder_module, "score_file", slow)
    widget.folder.line.choose(files)
    qtbot.waitUntil(lambda: len(widget.folder.box.files.rows) == 3, timeout=20_000)
    widget.run_button.click()
    gate.release()
    idle(widget, qtbot)
    assert names(widget.folder.box)[:3] == ["frame1.tif", "frame2.tif", "frame3.tif"]
    assert len(names(widget.folder.box)) < 5
    assert "files scored so far stay" in widget.status_line.text()
    assert widget.run_button.text() == "Score the folder"


def test_files_and_folders_can_be_dropped(widget: Any, files: Path, model: Any, qtbot: Any) -> None:
    drop(widget, files)
    idle(widget, qtbot)
    assert widget.page is widget.folder
    assert len(names(widget.folder.box)) == len(BLURS) + 1
    drop(widget, files / "frame1.tif", files / "frame2.tif")
    idle(widget, qtbot)
    assert names(widget.folder.box) == ["frame1.tif", "frame2.tif"]
    widget.tabs.setCurrentWidget(widget.score)
    drop(widget, files / "frame5.tif")
    assert [layer.name for layer in model.layers] == ["frame5"]


# --- watch -------------------------------------------------------------------------------------


@pytest.fixture
def watching(model: Any, open_widget: Callable[..., Any], tmp_path: Path) -> Any:
    """The widget as File > Acquire opens it, watching an empty folder."""
    widget = open_widget(FocusWatchWidget, model)
    page = widget.watching
    page.clock.setInterval(20)
    folder = tmp_path / "live"
    folder.mkdir()
    drop(widget, folder)
    widget.run_button.click()
    assert widget.run_button.text() == "Stop watching"
    return page


def rows(page: Any) -> list[str]:
    return [row.file.name for row in page.box.files.rows if row.score is not None]


def test_new_files_are_scored_once_however_they_come(
    watching: Any, tmp_path: Path, qtbot: Any
) -> None:
    stack, folder = series(), tmp_path / "live"
    calls: list[str] = []
    real = watching._score

    def counted(image: Any) -> Any:
        calls.append(image.source.name)
        return real(image)

    watching.watch._score = counted
    for number in range(3):
        write_tiff(folder / f"shot{number}.tif", stack.plane(number).pixels)
    whole = (folder / "shot0.tif").read_bytes()
    half = folder / "half.tif"
    half.write_bytes(whole[: len(whole) // 2])
    qtbot.waitUntil(lambda: len(rows(watching)) == 3, timeout=20_000)
    os.rename(folder / "shot1.tif", folder / "renamed.tif")
    late = write_tiff(folder / "later.tif", stack.plane(3).pixels).read_bytes()
    half.write_bytes(late + b"\0")
    qtbot.waitUntil(lambda: len(rows(watching)) == 5, timeout=20_000)
    (folder / "shot0.tif").unlink()
    before = watching.work
    qtbot.wait(300)
    assert watching.work is before
    print(f"scored: {calls}")
    assert sorted(calls) == ["half.tif", "later.tif", "shot0.tif", "shot1.tif", "shot2.tif"]
    assert len(watching.spark.values) == 5
    assert watching.gauge.score is not None
    assert watching.newest.text() in rows(watching)
    watching.box.refresh()
    assert names(watching.box) == rows(watching)[::-1], "the newest is on top"


def test_it_stops_and_goes_on_without_scoring_twice(
    watching: Any, tmp_path: Path, qtbot: Any
) -> None:
    stack, folder = series(), tmp_path / "live"
    write_tiff(folder / "a.tif", stack.plane(0).pixels)
    qtbot.waitUntil(lambda: rows(watching) == ["a.tif"], timeout=20_000)
    button = watching.panel.run_button
    button.click()
    assert button.text() == "Start watching"
    assert not watching.clock.isActive()
    write_tiff(folder / "b.tif", stack.plane(1).pixels)
    qtbot.wait(200)
    assert rows(watching) == ["a.tif"]
    button.click()
    qtbot.waitUntil(lambda: rows(watching) == ["a.tif", "b.tif"], timeout=20_000)


def test_it_goes_on_behind_another_page_and_ends_with_the_widget(
    watching: Any, tmp_path: Path, qtbot: Any, model: Any
) -> None:
    panel, folder = watching.panel, tmp_path / "live"
    watching.follow.setChecked(True)
    panel.tabs.setCurrentWidget(panel.score)
    stack = series()
    write_tiff(folder / "a.tif", stack.plane(0).pixels)
    qtbot.waitUntil(lambda: [one.name for one in model.layers] == ["a (uncalibrated)"],
                    timeout=20_000)  # fmt: skip
    write_tiff(folder / "b.tif", stack.plane(1).pixels)
    qtbot.waitUntil(lambda: [one.name for one in model.layers] == ["b (uncalibrated)"],
                    timeout=20_000)  # fmt: skip
    panel.close()
    assert not watching.watching
    assert not watching.clock.isActive()
    write_tiff(folder / "c.tif", stack.plane(2).pixels)
    qtbot.wait(200)
    assert rows(watching) == ["a.tif", "b.tif"]


def test_a_file_that_cannot_be_read_is_named(watching: Any, tmp_path: Path, qtbot: Any) -> None:
    (tmp_path / "live" / "torn.tif").write_bytes(b"II*\0 torn")
    box = watching.box
    qtbot.waitUntil(lambda: any(row.error for row in box.files.rows), timeout=20_000)
    assert "1 not readable" in box.line.text() or box._late.isActive()
    write_tiff(tmp_path / "live" / "torn.tif", np.full((64, 80), 7, np.uint8))
    qtbot.waitUntil(lambda: rows(watching) == ["torn.tif"], timeout=20_000)


def test_an_image_is_not_needed_for_a_folder(widget: Any, model: Any) -> None:
    widget.tabs.setCurrentWidget(widget.folder)
    assert not widget.run_button.isEnabled()
    widget.tabs.setCurrentWidget(widget.series)
    add(model, series())
    assert widget.run_button.isEnabled()
    assert widget.run_button.text() == "Find best focus"
