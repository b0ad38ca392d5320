"""A window that is closed while a network runs: once the question is denied, then confirmed.

    python tests/gui/closing_job.py FOLDER

Prints what napari asked and how long the process took to end; for `test_acceptance_07_cancel`.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QLabel

sys.path.insert(0, str(Path(__file__).parent))

from small_models import add_model

CLIENT_MESSAGE = 33  # of X11


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent, with room for the largest event."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 20),
    )


def click_the_cross(window: int) -> None:
    """Ask a window to close as a window manager does; Qt tells it from a call of `close`."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    event = ClientMessage(type=CLIENT_MESSAGE, window=window, format=32)
    event.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
    event.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    x11.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
    x11.XFlush(display)


def open_window(folder: Path) -> tuple[Any, Any]:
    """Make a viewer whose Segment widget is about to run a slow network over 6000 x 4000."""
    import napari
    import torch

    from napari_sem_tools.layers import image_arguments
    from napari_sem_tools.micrograph import Calibration, Micrograph
    from napari_sem_tools.models import models
    from napari_sem_tools.models.locations import Place
    from napari_sem_tools.models.store import Store

    torch.set_num_threads(1)
    store = Store([Place(folder, "user")])
    add_model(store, "slow", widths=(64, 128))
    models.__dict__["_store"] = store
    viewer = napari.Viewer()
    widget = viewer.window.add_plugin_dock_widget("napari-sem-tools", "Segment particles")[1]
    pixels = np.random.default_rng(0).integers(0, 255, (4000, 6000), np.uint8)
    image = Micrograph(pixels, Calibration((2.0, 2.0), "tag", "test = 2 nm", 0.01))
    viewer.add_image(image.pixels, **image_arguments(image))
    widget.method.setCurrentText("slow")
    return viewer, widget


class Closing:
    """Closes a viewer; napari's question is denied once, then confirmed."""

    def __init__(self, viewer: Any, step: Callable[[], None]) -> None:
        self.viewer, self.step = viewer, step
        self.asked: list[str] = []
        self.closed: list[float] = []
        self.clicks = 0

    def click(self) -> None:
        """Click the cross of the window."""
        self.clicks += 1
        click_the_cross(int(self.viewer.window._qt_window.winId()))

    def run(self) -> None:
        """Let things happen, and say how long the end took."""
        import napari

        timers = [QTimer(), QTimer()]
        works = (self._go_on, self._answer)
        for timer, work, pause in zip(timers, works, (400, 50), strict=True):
            timer.timeout.connect(work)
            timer.start(pause)
        napari.run()
        print(f"ended after {time.perf_counter() - self.closed[-1]:.2f} s", flush=True)

    def _go_on(self) -> None:
        """Do the next step, unless the last click is not yet answered."""
        if not self.closed and self.clicks <= len(self.asked):
            self.step()

    def _answer(self) -> None:
        """Answer the question."""
        for one in QApplication.topLevelWidgets():
            if type(one).__name__ == "ConfirmCloseDialog" and one.isVisible():
                self.asked.append(" ".join(label.text() for label in one.findChildren(QLabel)))
                print("asked:", self.asked[-1].replace("\n", " "), flush=True)
                if len(self.asked) == 1:
                    one.reject()
                else:
                    self.closed.append(time.perf_counter())
                    one.accept()


def main() -> None:
    """Close, say no, close, say yes."""
    viewer, widget = open_window(Path(sys.argv[1]))

    def close() -> None:
        if "network" in widget.status_line.text():
            assert widget.work.running
            closing.click()

    closing = Closing(viewer, close)
    widget.run_button.click()
    closing.run()


if __name__ == "__main__":
    main()
