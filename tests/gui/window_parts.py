"""Parts of the tests of all widgets: drops, work that ends, measured particles, closed windows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_sem_tools.layers import attach_table, image_arguments, labels_arguments
from napari_sem_tools.measurement import measure
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.segmentation import segment

__all__ = ["add_particles", "drop", "idle", "run_closing"]


def drop(widget: Any, *paths: Path) -> QDropEvent:
    """Drop files and folders on a widget, as a file manager would."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    button, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, button, no_key)
    event.setAccepted(False)
    widget.dropEvent(event)
    return event


def idle(widget: Any, qtbot: Any) -> None:
    """Wait until a widget has done its work."""
    qtbot.waitUntil(lambda: not widget.work.running, timeout=60_000)


def add_particles(model: Any, image: Micrograph, name: str = "discs") -> Any:
    """Segment and measure an image into a viewer."""
    layer = model.add_image(image.pixels, **image_arguments(image, name))
    found = segment(image, "threshold")
    labels = model.add_labels(**labels_arguments(found, layer))
    return attach_table(labels, measure(found, image))


def run_closing(job: str, folder: Path) -> tuple[list[str], str, Any]:
    """Run a window that is closed while it works; its questions, how long it took, all it said."""
    script = Path(__file__).with_name(job)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", str(script), str(folder)],
        env=os.environ | {"NAPARI_SEM_TOOLS_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    asked = [line for line in done.stdout.splitlines() if line.startswith("asked")]
    ended = done.stdout.rpartition("ended after ")[2]
    print(*asked, f"ended after {ended}", sep="\n")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return asked, ended, done
