"""A window that is closed while a network is trained: once the question is denied, then confirmed.

    python tests/gui/closing_training.py FOLDER

Prints what napari asked, how long the process took to end and the number of the training's
process; for `test_train_for_real`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from closing_job import click_the_cross
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QLabel
from training_parts import SMALL, toy_set

from napari_sem_tools.models import models
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store


def main() -> None:
    """Close, say no, close, say yes."""
    import napari

    folder = Path(sys.argv[1])
    models.__dict__["_store"] = Store([Place(folder / "models", "user")])
    viewer = napari.Viewer()
    widget: Any = viewer.window.add_plugin_dock_widget("napari-sem-tools", "Train")[1]
    widget.choices.show_settings(widget.choices.settings().replace(**SMALL | {"epochs": 5000}))
    widget.set.choose(toy_set(folder / "toys"))
    asked: list[str] = []
    closed: list[float] = []
    state = {"clicks": 0, "pid": 0}

    def answer() -> None:
        for one in QApplication.topLevelWidgets():
            if type(one).__name__ == "ConfirmCloseDialog" and one.isVisible():
                asked.append(" ".join(label.text() for label in one.findChildren(QLabel)))
                print("asked:", asked[-1].replace("\n", " "), flush=True)
                if len(asked) == 1:
                    one.reject()
                else:
                    closed.append(time.perf_counter())
                    one.accept()

    def go_on() -> None:
        if closed or state["clicks"] > len(asked):
            return  # the last click is not yet answered
        if not state["pid"] and widget.set.good and not widget.work.running:
            widget.run_button.click()
        elif len(widget.course.curves.rows) > state["clicks"]:
            state["pid"] = widget.watch.run.pid
            state["clicks"] += 1
            click_the_cross(int(viewer.window._qt_window.winId()))

    timers = [QTimer(), QTimer()]
    for timer, work, pause in zip(timers, (go_on, answer), (400, 50), strict=True):
        timer.timeout.connect(work)
        timer.start(pause)
    napari.run()
    print(f"training was {state['pid']}", flush=True)
    print(f"ended after {time.perf_counter() - closed[-1]:.2f} s", flush=True)


if __name__ == "__main__":
    main()
