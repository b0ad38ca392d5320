"""Parts of the acceptance checks of the engine: particles, heartbeat, state, memory."""

from __future__ import annotations

import gc
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QObject, Qt, QThreadPool, QTimer
from qtpy.QtWidgets import QApplication

from napari_sem_tools.micrograph import Calibration, Micrograph

__all__ = ["Heartbeat", "choose", "particles", "resident_mib", "state", "threads_end", "wait"]


MIB = 1024**2


def particles(shape: tuple[int, int], *, step: int = 60, name: str = "large") -> Micrograph:
    """Discs in rows, with noise."""
    rng = np.random.default_rng(0)
    tile = rng.normal(60, 6, (step, step))
    y, x = np.ogrid[:step, :step]
    tile[(y - step / 2) ** 2 + (x - step / 2) ** 2 < (step / 4) ** 2] += 120
    repeats = [-(-n // step) for n in shape]
    pixels = np.tile(tile.clip(0, 255).astype(np.uint8), repeats)[: shape[0], : shape[1]]
    calibration = Calibration((2.0, 2.0), "tag", "test = 2 nm", 0.01)
    return Micrograph(pixels, calibration, source=Path(f"{name}.tif"))


class Heartbeat(QObject):
    """Gaps of a 10 ms timer in the GUI thread, and what the workers did in long ones."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[float] = []
        self.culprits: Counter[str] = Counter()
        self.last = time.perf_counter()
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.beat)
        self.timer.start(10)

    def beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self.last)
        if self.gaps[-1] > 0.08:
            for thread, frame in sys._current_frames().items():
                stack = traceback.extract_stack(frame)
                ours = [f for f in stack if "napari_sem_tools" in f.filename]
                if thread != _main() and ours:
                    self.culprits[f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"] += 1
        self.last = time.perf_counter()

    def percentile(self, percent: float) -> float:
        """Milliseconds."""
        return 1e3 * float(np.percentile(self.gaps, percent))

    def __str__(self) -> str:
        return (
            f"{len(self.gaps)} beats, p50 {self.percentile(50):.0f}, p99 "
            f"{self.percentile(99):.0f}, longest {self.percentile(100):.0f} ms; "
            f"in long gaps: {dict(self.culprits.most_common(6))}"
        )


def _main() -> int:
    import threading

    return threading.main_thread().ident or 0


def wait(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Let the event loop turn as it does in napari: sleeping between events."""
    from qtpy.QtCore import QEventLoop

    end = time.perf_counter() + seconds
    while not condition() and time.perf_counter() < end:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    assert condition()


def choose(widget: Any, method: str) -> None:
    widget.method.setCurrentText(method)
    assert widget.method.currentText() == method


def state(viewer: Any) -> tuple[Any, ...]:
    """What a run that came to nothing leaves as it was."""
    from napari.utils.progress import progress

    from napari_sem_tools.models import models

    loaded = tuple((one.key, one.device, one.leases) for one in models.in_memory())
    return tuple(viewer.layers), loaded, len(progress._all_instances)


def resident_mib() -> float:
    """Memory that this process holds, without what the allocator of Linux keeps for later."""
    import ctypes
    import os

    if sys.platform != "linux":
        pytest.skip("memory is read from /proc")
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def threads_end(seconds: float = 60) -> None:
    """Wait until no worker runs any more, let go or not."""
    pool = QThreadPool.globalInstance()
    wait(lambda: pool.activeThreadCount() == 0, seconds)
