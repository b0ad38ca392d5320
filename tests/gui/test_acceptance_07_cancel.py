"""Check 7: cancelling, closing and killing leave the window as it was."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_parts import choose, particles, resident_mib, state, threads_end, wait
from small_models import add_model
from window_parts import run_closing

from napari_sem_tools.layers import image_arguments
from napari_sem_tools.models.store import Store
from napari_sem_tools.widgets.models import ModelsWidget
from napari_sem_tools.widgets.segment import SegmentWidget


@pytest.mark.torch
@pytest.mark.slow
def test_7_cancel_answers_at_any_moment_and_leaves_nothing(
    model: Any, seer: str, open_widget: Callable[..., Any]
) -> None:
    image = particles((6000, 4000))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    far: list[float] = [0.0]
    widget.work.progressed.connect(lambda done, total, what: far.append(done / total))
    memory = 0.0
    chance, answers, moments, most = random.Random(1), [], [], 0.0
    while len(answers) < 20:
        share, later = 0.8 * chance.random() ** 2, 0.3 * chance.random()
        far[:] = [0.0]
        widget.run_button.click()
        wait(lambda share=share: far[-1] >= share or not widget.work.running)
        moment = time.perf_counter() + later
        wait(lambda moment=moment: time.perf_counter() > moment or not widget.work.running)
        if not widget.work.running:
            model.layers.pop()  # it was faster this time
            continue
        asked = time.perf_counter()
        widget.run_button.click()
        wait(lambda: not widget.work.running)
        took = time.perf_counter() - asked
        assert widget.run_button.text() == "Find particles"
        assert "Cancelled" in widget.status_line.text()
        assert not widget.progress_bar.isVisible()
        threads_end(300)
        if not memory:  # the first one loaded the model
            before, memory = state(model), resident_mib()
            assert len(model.layers) == 1
            continue
        assert state(model) == before
        answers.append(took)
        moments.append(far[-1])
        most = max(most, resident_mib())
    print(
        f"6000 x 4000: 20 cancels between {min(moments):.0%} and {max(moments):.0%} answered in "
        f"at most {max(answers):.2f} s; memory {memory:.0f} MiB before, at most {most:.0f} after"
    )
    assert max(answers) < 2
    assert most < 1.05 * memory


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the cross is clicked by way of X11")
def test_7_closing_the_window_while_it_runs_asks_and_then_ends_the_process(tmp_path: Path) -> None:
    asked, ended, done = run_closing("closing_job.py", tmp_path)
    named = ["Finding particles" in line for line in asked]
    assert named[:2] == [True, True], "denied once, then confirmed"
    assert not any(named[2:]), "napari may ask again because there are layers"
    assert float(ended.split()[0]) < 5
    assert "Error" not in done.stderr


def test_7_a_step_that_does_not_listen_is_let_go(
    model: Any, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from napari_sem_tools.widgets import segment as module

    release, ended = threading.Event(), threading.Event()

    def deaf(record: Any, method: str, *, progress: Any, **_: Any) -> Any:
        release.wait(60)
        progress(9, 10, "too late")
        ended.set()
        raise ValueError("nobody hears this")

    monkeypatch.setattr(module, "segment", deaf)
    image = particles((60, 60))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, "threshold")
    before = state(model)
    widget.run_button.click()
    wait(lambda: widget.work.running)
    asked = time.perf_counter()
    widget.run_button.click()
    wait(lambda: not widget.work.running, 10)
    print(f"let go after {time.perf_counter() - asked:.2f} s")
    assert time.perf_counter() - asked < 2
    assert widget.run_button.text() == "Find particles"
    release.set()
    wait(ended.is_set, 10)
    threads_end()
    assert "Cancelled" in widget.status_line.text()
    assert state(model) == before


def test_7_a_result_that_was_ready_when_cancel_was_clicked_is_dropped(
    model: Any, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from napari_sem_tools.widgets import segment as module

    ready, real = threading.Event(), module.segment

    def marked(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        ready.set()
        return found

    monkeypatch.setattr(module, "segment", marked)
    image = particles((120, 120))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, "threshold")
    widget.run_button.click()
    ready.wait(60)  # the GUI thread has not heard of it yet
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert "Cancelled" in widget.status_line.text()
    assert len(model.layers) == 1


@pytest.mark.torch
def test_7_closing_a_widget_ends_its_work(
    model: Any, seer: str, open_widget: Callable[..., Any], capfd: Any
) -> None:
    image = particles((1500, 1500))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    before = state(model)
    widget.run_button.click()
    wait(lambda: "network" in widget.status_line.text())
    widget.close()
    threads_end()
    assert state(model)[0] == before[0]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.torch
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_7_a_network_that_is_killed_in_its_process_leaves_the_window_as_it_was(
    model: Any, store: Store, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    from napari_sem_tools.models import models, remote

    for name, value in {"DEVICE": "subprocess", "TILE": "256"}.items():
        monkeypatch.setenv(f"NAPARI_SEM_TOOLS_{name}", value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    add_model(store, "small")
    image = particles((1200, 1500))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, "small")
    before = state(model)
    widget.run_button.click()
    wait(lambda: "network" in widget.status_line.text())
    os.kill(remote._children["auto"].process.pid, signal.SIGKILL)
    wait(lambda: not widget.work.running)
    text = widget.status_line.text()
    print(text)
    assert "has ended before its work was done (signal 9)" in text
    assert "Run it again" in text
    assert widget.run_button.text() == "Find particles"
    assert not widget.progress_bar.isVisible()
    assert state(model) == before
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert "particles in" in widget.status_line.text()
    overview = open_widget(ModelsWidget, model)
    overview.show_memory()
    assert "small@1.0.0 on cpu, own process" in overview.memory_line.text()

    def nothing_is_left() -> bool:
        models.unload()  # the thread of the run may give its lease back a moment later
        return remote._children == {}

    wait(nothing_is_left)
