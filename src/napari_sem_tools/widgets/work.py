"""Work off the GUI thread: progress, cancel, and an outcome instead of an exception."""

from __future__ import annotations

import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sem_tools.errors import Cancelled, SemError
from napari_sem_tools.tasks import Cancel, Progress

__all__ = ["Outcome", "Work", "attempt"]

_log = logging.getLogger(__name__)
_PATIENCE_MS = 1000  # that a cancelled step gets to end by itself
_PAUSE_S = 0.03  # between two reports of progress; the eye needs no more

Job = Callable[[Progress, Cancel], Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a piece of work ended.

    Attributes
    ----------
    value : object
        What the function returned.
    error : SemError or None
        Why it failed.
    cancelled : bool
    seconds : float
        Wall time.
    """

    value: Any = None
    error: SemError | None = None
    cancelled: bool = False
    seconds: float = 0.0


def attempt(job: Job, progress: Progress, cancel: Cancel) -> Outcome:
    """Do the work and return how it ended, whatever happens.

    Parameters
    ----------
    job : callable
        Called as ``job(progress, cancel)``.
    progress, cancel : callable

    Returns
    -------
    Outcome

    Examples
    --------
    >>> attempt(lambda progress, cancel: 6 * 7, print, lambda: False).value
    42
    """
    start = time.perf_counter()
    try:
        return Outcome(job(progress, cancel), seconds=time.perf_counter() - start)
    except Cancelled:
        return Outcome(cancelled=True)
    except SemError as error:
        return Outcome(error=error)
    except MemoryError as error:
        _log.exception("out of memory")
        problem = SemError("There is too little memory for this.", hint="Use a smaller image.")
        problem.__cause__ = error
        return Outcome(error=problem)
    except Exception as error:  # noqa: BLE001  a task ends here; logged with its traceback
        _log.exception("a task failed")
        problem = SemError(
            f"Something went wrong: {type(error).__name__}: {error}",
            hint="This is a fault of the program; please report it with the log.",
        )
        problem.__cause__ = error
        return Outcome(error=problem)


class Work(QObject):
    """One piece of work at a time in a thread of napari's, seen from the GUI thread.

    Parameters
    ----------
    parent : QObject
        Whoever owns it.
    """

    progressed = Signal(int, int, str)
    finished = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: Any = None
        self._stop = threading.Event()
        self._drops = False  # what is still made: the user cancelled it
        self._bar: Any = None
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._let_go)
        self.progressed.connect(self._show_progress)

    @property
    def running(self) -> bool:
        """True from `start` until the outcome was delivered."""
        return self._worker is not None

    def start(self, job: Job, description: str = "") -> None:
        """Begin; `finished` brings the `Outcome`.

        Parameters
        ----------
        job : callable
            Called as ``job(progress, cancel)`` in the thread; it must not touch layers.
        description : str, optional
            Shown in napari's activity dock; without one there is no bar.
        """
        from napari.qt.threading import create_worker
        from napari.utils import progress as activity

        stop = self._stop = threading.Event()
        self._drops = False
        voice = _Voice()
        voice.progressed.connect(self.progressed)
        started: list[Any] = []

        def stopped() -> bool:
            return stop.is_set() or any(one.abort_requested for one in started)

        run = _Named(_run, job, _reporter(voice, stopped), stopped)
        run.description = description or "a preview"
        worker = create_worker(run)
        started.append(worker)  # napari asks it to abort when the window is closed
        if description:
            self._bar = activity(total=1000, desc=description)
        self._worker = worker
        worker.yielded.connect(self._deliver)
        worker.start()

    def cancel(self, *, let_go: bool = True) -> None:
        """Ask the work to stop; `finished` still brings an outcome.

        Parameters
        ----------
        let_go : bool
            Bring a cancelled outcome soon in any case: a step that does not look at `cancel`
            goes on in its thread to its end, and what it makes is dropped, as is a value that
            was made already.  False where the work leaves something behind, e.g. files.
        """
        self._stop.set()
        self._drops = let_go
        if self.running and let_go:
            self._patience.start()

    def abandon(self) -> None:
        """Stop and forget: nothing is delivered any more."""
        self._stop.set()
        if self._worker is not None:
            self._worker.yielded.disconnect(self._deliver)
            self._worker.quit()
        self._worker = None
        self._patience.stop()
        self._close_bar()

    def _let_go(self) -> None:
        """Wait no longer for a cancelled step."""
        if self.running:
            self.abandon()
            self.finished.emit(Outcome(cancelled=True))

    def _show_progress(self, done: int, total: int, what: str) -> None:
        """Move the bar in the activity dock, in the GUI thread."""
        if self._bar is not None and total:
            self._bar.update(max(0, round(1000 * done / total) - self._bar.n))

    def _deliver(self, outcome: Outcome) -> None:
        """Hand the outcome on, in the GUI thread."""
        self._worker = None
        self._patience.stop()
        self._close_bar()
        self.finished.emit(Outcome(cancelled=True) if self._drops else outcome)

    def _close_bar(self) -> None:
        """Take the bar out of the activity dock."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Voice(QObject):
    """Speaks from the thread; it outlives the window, whose widgets must not be touched then."""

    progressed = Signal(int, int, str)


class _Named(functools.partial[Iterator[Outcome]]):
    """The work as napari names it when the window is closed meanwhile."""

    description = ""

    def __str__(self) -> str:
        return self.description


def _reporter(voice: _Voice, stopped: Cancel) -> Progress:
    """Return a progress that may be called from any thread, as often as it likes."""
    last = 0.0

    def progress(done: int, total: int, what: str) -> None:
        nonlocal last
        now = time.perf_counter()
        if stopped():
            return  # another work may be shown by now
        if now - last >= _PAUSE_S or done >= total:
            last = now
            voice.progressed.emit(int(done), int(total), what)

    return progress


def _run(job: Job, progress: Progress, stopped: Cancel) -> Iterator[Outcome]:
    """Do the work in the thread and yield how it ended; only a yield reaches the GUI."""
    yield attempt(job, progress, stopped)
