"""The Train widget teaches categories of images from a folder of folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from training_parts import PlayedRun, toy_set, until

from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training import CLASSIFICATION_TRAININGS, ClassificationTraining
from napari_sem_tools.widgets.train.widget import TrainWidget

pytestmark = pytest.mark.gui


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    place = tmp_path / "Two kinds"
    for name in ("wires", "films"):
        for number in range(3):
            write_tiff(place / name / f"{number}.tif", np.full((40, 40), number, np.uint8))
    return place


@pytest.fixture
def widget(model: Any, open_widget: Callable[..., Any], qtbot: Any, folders: Path) -> Any:
    made = open_widget(TrainWidget, model)
    made.set.choose(folders)
    until(qtbot, lambda: not made.set.checking)
    return made


def test_a_folder_of_folders_is_taken_for_categories(
    widget: Any, tmp_path: Path, qtbot: Any
) -> None:
    assert widget.kind.currentText() == "Categories of images"
    assert "2 categories: films 3, wires 3" in widget.set.line.text()
    assert not widget.set.add.isVisible()
    assert widget.can_run()
    assert "sem.train_classifier(" in widget.python()
    widget.kind.setCurrentIndex(0)
    until(qtbot, lambda: not widget.set.checking)
    assert not widget.can_run()  # there are no masks
    widget.set.choose(toy_set(tmp_path / "particles"))
    until(qtbot, lambda: not widget.set.checking)
    assert widget.can_run()


def test_every_training_of_categories_keeps_its_settings_in_the_form(widget: Any) -> None:
    page = widget.choices
    for name, row in CLASSIFICATION_TRAININGS.items():
        page.training.setCurrentText(name)
        assert page.settings() == row.settings


def test_what_is_shown_is_trained_and_the_course_is_followed(
    widget: Any, played: list[PlayedRun], qtbot: Any
) -> None:
    widget.choices.name.setText("kinds")
    widget.choices.form.show(ClassificationTraining(epochs=3))
    widget.run_button.click()
    until(qtbot, lambda: widget.watch is not None and widget.watch.run is not None)
    run = played[-1]
    assert run.kind == "classification"
    assert isinstance(run.settings, ClassificationTraining)
    assert run.settings.epochs == 3
    run.tell("epoch", epoch=1, epochs=3, loss=0.5, scores={"macro_f1": 0.7}, best=True)
    run.end(SimpleNamespace(name="kinds", version="1.0.0", scores=()))
    until(qtbot, lambda: not widget.work.running)
    assert "Done: model kinds" in widget.status_line.text()
