"""The Train widget with a process that really learns: killed, resumed, used, closed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_parts import Heartbeat, threads_end
from training_parts import SCENE, SMALL, toy_set, until
from window_parts import run_closing

import napari_sem_tools as sem
from napari_sem_tools.layers import image_arguments
from napari_sem_tools.training import read_log
from napari_sem_tools.widgets.segment import SegmentWidget
from napari_sem_tools.widgets.train.widget import TrainWidget

pytestmark = [pytest.mark.torch, pytest.mark.slow]


def test_killed_resumed_and_used_while_the_window_beats(
    model: Any,
    open_widget: Callable[..., Any],
    qtbot: Any,
    store: Any,
    tmp_path: Path,
    finish: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    segment = open_widget(SegmentWidget, model)
    widget = open_widget(TrainWidget, model)
    widget.choices.show_settings(widget.choices.settings().replace(**SMALL))
    widget.set.choose(toy_set(tmp_path / "toys"))
    until(qtbot, lambda: not widget.set.checking)
    heart = Heartbeat()
    widget.run_button.click()
    until(qtbot, lambda: len(widget.course.curves.rows) >= 2, 200)
    os.kill(widget.watch.run.pid, signal.SIGKILL)
    until(qtbot, lambda: not widget.work.running)
    assert "ended by itself" in widget.status_line.text()
    assert widget.run_button.text() == "Resume training"
    done = len(widget.course.curves.rows)
    widget.run_button.click()
    until(qtbot, lambda: not widget.work.running, 300)
    heart.timer.stop()
    print(f"{SMALL['epochs']} epochs, killed after {done}: {heart}")
    assert "Done: model toys 1.0.0" in widget.status_line.text()
    epochs = [row["epoch"] for row in read_log(tmp_path / "toys" / "training" / "toys")]
    assert epochs == [row["epoch"] for row in widget.course.curves.rows] == list(range(1, 9))
    assert not widget.course.previews.picture.pixmap.isNull()
    assert segment.method.findText("toys") >= 0
    assert heart.percentile(99) < 100
    new = sem.simulate(SCENE, seed=77)
    model.add_image(new.image.pixels, **image_arguments(new.image))
    widget.course.use_button.click()
    finish(segment)
    found = model.layers[-1].data
    scores = sem.evaluate(new.labels, np.asarray(found, np.int32))
    print(f"AP@0.5 on an image that it has not seen: {scores['ap50']:.2f}")
    assert int(found.max()) > 3
    threads_end()


@pytest.mark.skipif(sys.platform != "linux", reason="the cross is clicked by way of X11")
def test_closing_the_window_asks_and_leaves_a_run_that_can_be_resumed(tmp_path: Path) -> None:
    asked, ended, done = run_closing("closing_training.py", tmp_path)
    assert all("Training toys" in line for line in asked[:2])
    assert len(asked) >= 2, "denied once, then confirmed"
    assert float(ended.split()[0]) < 5
    pid = int(done.stdout.rpartition("training was ")[2].split()[0])
    assert not Path(f"/proc/{pid}").exists(), "no process is left behind"
    place = tmp_path / "toys" / "training" / "toys"
    assert read_log(place)
    assert not (place / "card.json").exists()
