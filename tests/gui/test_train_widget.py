"""The Train widget: what can be trained, how it goes, how it ends, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_parts import threads_end
from qtpy.QtWidgets import QApplication
from small_models import add_model
from training_parts import PlayedRun, toy_set, until
from window_parts import drop

from napari_sem_tools.errors import Cancelled, SemError
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training import RECIPES, TRAININGS, TrainingSettings
from napari_sem_tools.training.running.logs import write_log
from napari_sem_tools.widgets.segment import SegmentWidget
from napari_sem_tools.widgets.train import use as train_use
from napari_sem_tools.widgets.train.widget import TrainWidget


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    return toy_set(tmp_path / "Toy set (2)")


@pytest.fixture
def show(model: Any, open_widget: Callable[..., Any], qtbot: Any) -> Callable[..., Any]:
    """Open the widget over a training set and wait until its files were looked at."""

    def make(folder: Path | None = None) -> Any:
        widget = open_widget(TrainWidget, model)
        if folder is not None:
            widget.set.choose(folder)
            until(qtbot, lambda: not widget.set.checking)
        return widget

    return make


def begin(widget: Any, played: list[PlayedRun], qtbot: Any) -> PlayedRun:
    """Click the button and wait for the process."""
    widget.run_button.click()
    until(qtbot, lambda: widget.watch is not None and widget.watch.run is not None)
    return played[-1]


def stopped_run(folder: Path, name: str, settings: TrainingSettings, epochs: int) -> Path:
    """Leave what a stopped training leaves."""
    place = folder / "training" / name
    place.mkdir(parents=True)
    (place / "run.json").write_text(json.dumps({"settings": settings.to_dict()}))
    rows = [{"epoch": n, "loss": 1 / n, "pq": 0.1 * n} for n in range(1, epochs + 1)]
    write_log(place / "log.csv", rows)
    return place


# --- the training set ----------------------------------------------------------------------


def test_every_bad_file_is_listed_with_its_reason(show: Callable[..., Any], toys: Path) -> None:
    write_tiff(toys / "masks" / "field_1.tif", np.ones((5, 5), np.uint8))
    (toys / "images" / "alone.tif").write_bytes(b"")
    widget = show(toys)
    rows = [widget.set.faults.topLevelItem(n) for n in range(2)]
    assert {row.text(0): row.text(1) for row in rows} == {
        "images/alone.tif": "there is no mask of this name",
        "masks/field_1.tif": "it is 5 x 5 px, the image 192 x 160 px",
    }
    assert widget.set.faults.topLevelItemCount() == 2
    assert widget.set.faults.isVisible()
    assert "2 files cannot be used" in widget.set.line.text()
    assert not widget.run_button.isEnabled()
    assert not widget.set.good


def test_a_folder_that_is_no_training_set_is_said_so(
    show: Callable[..., Any], tmp_path: Path
) -> None:
    widget = show(tmp_path)
    assert "has no folder 'images'" in widget.set.line.text()
    assert not widget.run_button.isEnabled()


def test_mended_files_are_looked_at_again(show: Callable[..., Any], toys: Path, qtbot: Any) -> None:
    (toys / "images" / "alone.tif").write_bytes(b"")
    widget = show(toys)
    assert not widget.run_button.isEnabled()
    (toys / "images" / "alone.tif").unlink()
    widget.set.again.click()
    until(qtbot, lambda: not widget.set.checking)
    assert widget.set.line.text() == "✓ 3 images; every file can be used."
    assert not widget.set.faults.isVisible()
    assert widget.run_button.isEnabled()


def test_a_folder_can_be_dropped_a_file_cannot(
    show: Callable[..., Any], toys: Path, qtbot: Any
) -> None:
    widget = show()
    for path, taken in ((toys / "images" / "field_0.tif", False), (toys, True)):
        assert drop(widget, path).isAccepted() is taken
    assert widget.set.folder == toys
    until(qtbot, lambda: not widget.set.checking)
    assert widget.choices.name.text() == "toy-set-2"


# --- how it is trained ---------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_by_name_gives_exactly_its_settings(name: str, show: Callable[..., Any]) -> None:
    widget = show()
    widget.choices.training.setCurrentText(name)
    assert widget.choices.settings() == TRAININGS[name].settings
    assert TRAININGS[name].help[1:] in widget.choices.training_line.text()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_chosen_and_says_what_it_does(
    name: str, show: Callable[..., Any]
) -> None:
    widget = show()
    widget.choices.augmentation.setCurrentText(name)
    assert widget.choices.settings().augmentation == name
    assert RECIPES[name].help[1:] in widget.choices.augmentation_line.text()


def test_every_setting_is_in_a_form(show: Callable[..., Any]) -> None:
    widget = show()
    rows = {*widget.choices.form.rows, *widget.choices.more.rows}
    boxes = {"start", "freeze", "augmentation"}
    assert rows | boxes == {field.name for field in TrainingSettings.fields()}
    assert not widget.choices.more.native.isVisible()
    widget.choices.fold.click()
    assert widget.choices.more.native.isVisible()


def test_a_rate_that_is_no_number_is_refused_with_its_range(
    show: Callable[..., Any], toys: Path
) -> None:
    widget = show(toys)
    widget.choices.form.rows["learning_rate"].value = "much"
    widget.run_button.click()
    assert "learning_rate = 'much' is not a number from 1e-07 to 1" in widget.status_line.text()
    assert not widget.work.running


@pytest.mark.torch
def test_layers_can_be_frozen_only_in_a_model_that_is_there(
    show: Callable[..., Any], store: Any
) -> None:
    add_model(store, "mine")
    widget = show()
    widget.choices.start.refill()
    widget.choices.start.setCurrentIndex(widget.choices.start.findData("mine"))
    widget.choices.freeze.setCurrentText("encoder")
    assert (widget.choices.settings().start, widget.choices.settings().freeze) == (
        "mine",
        "encoder",
    )
    widget.choices.start.setCurrentIndex(widget.choices.start.findData("none"))
    assert widget.choices.settings().freeze == "nothing"
    assert not widget.choices.freeze.isEnabled()


def test_it_copies_the_same_training_as_python(show: Callable[..., Any], toys: Path) -> None:
    widget = show(toys)
    widget.choices.training.setCurrentText("tem-unet")
    widget.copy_button.click()
    text = QApplication.clipboard().text()
    assert "sem.train_segmentation(" in text
    assert repr(str(toys)) in text
    named: dict[str, Any] = {}
    call = text[text.index("sem.TrainingSettings") : text.rindex("\n)")]
    exec(f"import napari_sem_tools as sem\nmade = {call}", named)  # our own text
    assert named["made"] == TRAININGS["tem-unet"].settings


# --- earlier runs --------------------------------------------------------------------------


def test_an_unfinished_training_is_found_and_gone_on_with(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any
) -> None:
    settings = TrainingSettings(epochs=7, start="none", seed=3)
    stopped_run(toys, "second-try", settings, 2)
    widget = show(toys)
    assert widget.choices.name.text() == "second-try"
    assert "stopped after 2 of 7 epochs" in widget.earlier.line.text()
    assert widget.run_button.text() == "Resume training"
    assert len(widget.course.curves.rows) == 2
    run = begin(widget, played, qtbot)
    assert run.settings == settings
    assert not run.overwrite
    run.tell("plan", epoch=2, epochs=7, scores={"pq": 0.2})
    until(qtbot, lambda: widget.course.curves.best == 2)
    assert len(widget.course.curves.rows) == 2, "the curves go on"


def test_other_settings_do_not_mix_with_an_unfinished_training(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any
) -> None:
    stopped_run(toys, "mine", TrainingSettings(epochs=7), 2)
    widget = show(toys)
    widget.choices.form.rows["epochs"].value = 9
    assert "with other settings" in widget.earlier.line.text()
    assert not widget.run_button.isEnabled()
    widget.earlier.restore.click()
    assert widget.run_button.text() == "Resume training"
    widget.choices.form.rows["epochs"].value = 9
    widget.earlier.anew.click()
    assert widget.run_button.text() == "Start training"
    assert begin(widget, played, qtbot).overwrite


def test_a_finished_training_is_not_begun_again_by_accident(
    show: Callable[..., Any], toys: Path
) -> None:
    place = stopped_run(toys, "toy-set-2", TrainingSettings(epochs=2), 2)
    (place / "card.json").write_text(json.dumps({"name": "toy-set-2", "version": "1.0.0"}))
    widget = show(toys)
    assert widget.choices.name.text() == "toy-set-2-2", "a name that is free"
    assert widget.run_button.isEnabled()
    widget.choices.name.setText("toy-set-2")
    assert "is done: toy-set-2@1.0.0" in widget.earlier.line.text()
    assert not widget.run_button.isEnabled()


# --- while it runs -------------------------------------------------------------------------


def test_curves_previews_notes_and_time_left_follow_the_training(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any, tmp_path: Path
) -> None:
    from PIL import Image

    pictures = [str(tmp_path / f"field_{n}.png") for n in range(2)]
    for number, path in enumerate(pictures):
        Image.fromarray(np.full((40, 60), 90 * number, np.uint8)).save(path)
    widget = show(toys)
    told: list[int] = []
    widget.work.progressed.connect(lambda done, total, what: told.append(done))
    run = begin(widget, played, qtbot)
    assert widget.tabs.currentWidget() is widget.course
    assert not widget.choices.isEnabled()
    run.tell("note", text="Training on cpu in fp32 (no GPU).")
    run.tell("plan", epochs=4)
    run.tell("step", epoch=1, epochs=4, step=5, steps=10, loss=2.0, seconds_left=250)
    until(qtbot, lambda: "4 min left" in widget.status_line.text())
    assert widget.course.note_line.text() == "Training on cpu in fp32 (no GPU)."
    assert widget.course.curves.now == (0.5, 2.0)
    scores = {"pq": 0.5, "ap50": 0.6, "ap75": 0.2}
    for epoch in (1, 2):
        news = {"epoch": epoch, "epochs": 4, "step": 10, "steps": 10, "loss": 1 / epoch}
        run.tell("epoch", **news, scores=scores, best=epoch == 1, previews=tuple(pictures))
    until(qtbot, lambda: len(widget.course.curves.rows) == 2)
    until(qtbot, lambda: widget.course.curves.canvas is not None)
    until(qtbot, lambda: not widget.course.curves._late.isActive())
    assert widget.course.curves.best == 1
    upper, lower = widget.course.curves.figure.axes
    assert list(upper.lines[0].get_ydata()) == [1, 0.5]
    assert [line.get_label() for line in lower.lines[:2]] == ["PQ", "AP@0.5"]
    assert "PQ 0.500" in widget.status_line.text()
    assert told == sorted(told)
    assert told[-1] == 500
    view = widget.course.previews
    assert view.slider.isVisible()
    view.slider.setValue(1)
    assert view.line.text() == "field_1 (2 of 2)"
    assert view.picture.pixmap.width() == 60
    assert view.picture.pixmap.toImage().pixelColor(9, 9).red() == 90
    Image.fromarray(np.full((40, 60), 200, np.uint8)).save(pictures[1])
    run.tell("epoch", epoch=3, epochs=4, loss=0.1, previews=tuple(pictures))
    until(qtbot, lambda: view.picture.pixmap.toImage().pixelColor(9, 9).red() == 200)
    assert view.slider.value() == 1, "the picture that was looked at stays"


def test_a_training_holds_no_thread_that_other_work_needs(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any
) -> None:
    from qtpy.QtCore import QThreadPool

    pool = QThreadPool.globalInstance()
    least, before = pool.maxThreadCount(), pool.activeThreadCount()
    pool.setMaxThreadCount(1)
    try:
        widget = show(toys)
        begin(widget, played, qtbot)
        assert pool.activeThreadCount() == before
        played[-1].end(Cancelled("Nothing was kept."))
        until(qtbot, lambda: not widget.work.running)
    finally:
        pool.setMaxThreadCount(least)
    threads_end()
    assert pool.activeThreadCount() == before


# --- how it ends ---------------------------------------------------------------------------


@pytest.mark.torch
def test_the_new_model_is_offered_without_a_restart(
    show: Callable[..., Any],
    toys: Path,
    played: list[PlayedRun],
    qtbot: Any,
    store: Any,
    open_widget: Callable[..., Any],
    model: Any,
) -> None:
    segment = open_widget(SegmentWidget, model)
    widget = show(toys)
    run = begin(widget, played, qtbot)
    assert segment.method.findText("toy-set-2") < 0
    add_model(store, "toy-set-2")
    run.end(store.find("toy-set-2").card)
    until(qtbot, lambda: not widget.work.running)
    assert "Done: model toy-set-2 1.0.0. AP@0.5 0.810" in widget.status_line.text()
    assert segment.method.findText("toy-set-2") >= 0, "before anybody opens the list"
    assert segment.method.currentText() == "threshold"
    widget.course.use_button.click()
    assert segment.method.currentText() == "toy-set-2"


@pytest.mark.torch
def test_cancel_keeps_the_best_epoch_so_far(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any, store: Any
) -> None:
    widget = show(toys)
    run = begin(widget, played, qtbot)
    widget.run_button.click()
    until(qtbot, lambda: run.asked == ["cancel"])
    run.tell("step", epoch=1, epochs=4, step=5, steps=10, loss=2.0)
    add_model(store, "toy-set-2")
    run.end(store.find("toy-set-2").card)
    until(qtbot, lambda: not widget.work.running)
    assert "Stopped; the best epoch is model toy-set-2" in widget.status_line.text()
    assert widget.course.use_button.isVisible()
    assert run.asked == ["cancel"]


def test_cancel_before_there_is_anything_to_keep_says_so(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any
) -> None:
    widget = show(toys)
    run = begin(widget, played, qtbot)
    widget.run_button.click()
    until(qtbot, lambda: run.asked)
    run.end(Cancelled("Cancelled before the first epoch was done; nothing was kept."))
    until(qtbot, lambda: not widget.work.running)
    assert "nothing was kept" in widget.status_line.text()
    assert not widget.course.use_button.isVisible()
    assert widget.choices.isEnabled()


def test_a_training_that_does_not_stop_is_ended_by_a_second_click(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any
) -> None:
    widget = show(toys)
    run = begin(widget, played, qtbot)
    widget.run_button.click()
    until(qtbot, lambda: run.asked == ["cancel"])
    assert widget.run_button.text() == "End at once"
    widget.run_button.click()
    until(qtbot, lambda: not widget.work.running)
    assert run.asked == ["cancel", "kill"]
    assert "ended at once" in widget.status_line.text()


def test_a_crash_there_is_one_sentence_here(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any
) -> None:
    widget = show(toys)
    run = begin(widget, played, qtbot)
    run.end(SemError("The process of the training ended by itself (signal 11).", hint="Again."))
    until(qtbot, lambda: not widget.work.running)
    assert widget.status_line.text() == (
        "⚠ The process of the training ended by itself (signal 11). Again."
    )
    assert widget.run_button.text() == "Start training"
    assert widget.run_button.isEnabled()
    assert not widget.clock.isActive()


def test_closing_the_widget_ends_the_training_so_that_it_can_be_resumed(
    show: Callable[..., Any], toys: Path, played: list[PlayedRun], qtbot: Any
) -> None:
    widget = show(toys)
    run = begin(widget, played, qtbot)
    widget.close()
    until(qtbot, lambda: run.asked)
    assert run.asked == ["kill"], "every whole epoch lies in its folder"
    assert not widget.clock.isActive()


def test_without_torch_it_says_how_to_get_it(
    show: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_use.importlib.util, "find_spec", lambda name: None)
    widget = show()
    assert "napari-sem-tools[torch]" in widget.status_line.text()
