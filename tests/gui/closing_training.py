"""A window that is closed while a network is trained: once the question is denied, then confirmed.

    python tests/gui/closing_training.py FOLDER

Prints what napari asked, how long the process took to end and the number of the training's
process; for `test_train_for_real`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from closing_job import Closing
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
    pids: list[int] = []

    def go_on() -> None:
        if not pids and widget.set.good and not widget.work.running:
            widget.run_button.click()
        elif len(widget.course.curves.rows) > closing.clicks:
            pids.append(widget.watch.run.pid)
            closing.click()

    closing = Closing(viewer, go_on)
    closing.run()
    print(f"training was {pids[-1]}", flush=True)


if __name__ == "__main__":
    main()
