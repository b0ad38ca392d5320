"""A training in a process of its own: ``python -m napari_sem_tools.training.running.child``.

The first line on stdin is the task as JSON; events go to stdout, a line each.  ``cancel`` on
stdin stops the training and keeps the best so far; the end of stdin (whoever started it is
gone) stops it where it is, to be resumed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, TextIO

from napari_sem_tools.errors import Cancelled, DeviceOutOfMemory, SemError, SemWarning
from napari_sem_tools.training.running.events import TrainingEvent

__all__ = ["main"]

_log = logging.getLogger(__name__)
_NICER = 5  # the viewer and the user's other programs come first
_CANCEL = "cancel"


class _AloneError(Exception):
    """Whoever started the training is gone."""


class _Line:
    """The way to and from whoever started the training."""

    def __init__(self, given: TextIO, told: TextIO) -> None:
        self.given, self.told = given, told
        self.cancelled, self.alone = threading.Event(), threading.Event()
        self._lock = threading.Lock()

    def listen(self) -> None:
        """Wait for words; runs in a thread."""
        for line in self.given:
            if line.strip() == _CANCEL:
                self.cancelled.set()
        self.alone.set()

    def cancel(self) -> bool:
        """Tell whether to stop; raise when nobody is there any more."""
        if self.alone.is_set() and not self.cancelled.is_set():
            raise _AloneError
        return self.cancelled.is_set()

    def tell(self, event: TrainingEvent) -> None:
        """Send an event."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self.told.write(event.to_json() + "\n")
            self.told.flush()


def main() -> int:
    """Train as the first line says.

    Returns
    -------
    int
        0 when a model was kept, else 1.
    """
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries that print must not be read
    line = _Line(sys.stdin, told)
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=line.listen, daemon=True).start()
    with contextlib.suppress(AttributeError, OSError):
        os.nice(_NICER)
    end = _ended(task, line)
    line.tell(end)
    return 0 if end.model else 1


def _ended(task: dict[str, Any], line: _Line) -> TrainingEvent:
    """Run the task and return its last event, whatever happens."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", SemWarning)
            warnings.showwarning = lambda message, kind, *_: _warn(line, message, kind)
            card = _run(task, line)
    except _AloneError:
        return TrainingEvent("failed", text="Nobody listens any more; it can be resumed.")
    except Cancelled as error:
        return TrainingEvent("cancelled", text=error.message)
    except SemError as error:
        kind = type(error).__name__
        return TrainingEvent("failed", text=error.message, hint=error.hint, error=kind)
    except Exception as error:  # noqa: BLE001  the task ends here; whatever it was is told
        _log.exception("the training failed")  # to stderr, whose last lines are kept
        return _failed(error)
    return TrainingEvent("cancelled" if line.cancelled.is_set() else "done", model=card.key)


def _run(task: dict[str, Any], line: _Line) -> Any:
    """Resolve the plan and train."""
    from napari_sem_tools.models.locations import Place
    from napari_sem_tools.models.store import Store
    from napari_sem_tools.training.running.kinds import KINDS

    kind = KINDS[task["kind"]]
    store = Store([Place(Path(folder), origin) for folder, origin in task["places"]])
    settings = kind.load("settings").from_dict(task["settings"])

    def checking(done: int, total: int, what: str) -> None:
        line.cancel()

    resolve, learn = kind.load("resolve"), kind.load("learn")
    plan = resolve(task["folder"], settings, store, progress=checking, cancel=line.cancel)
    return learn(
        plan,
        Path(task["out"]),
        task["name"],
        store,
        licence=task["licence"],
        overwrite=task["overwrite"],
        tell=line.tell,
        cancel=line.cancel,
    )


def _failed(error: Exception) -> TrainingEvent:
    """Say what went wrong in a sentence."""
    from napari_sem_tools.models.devices import is_out_of_memory

    if is_out_of_memory(error):
        return TrainingEvent(
            "failed",
            text="The memory does not suffice for this training.",
            hint="Take fewer crops a step (batch) or smaller ones (crop_px); it goes on from "
            "the last epoch only with the same ones, else choose overwrite.",
            error=DeviceOutOfMemory.__name__,
        )
    words = " ".join(str(error).split())[:300].rstrip(".")
    return TrainingEvent(
        "failed", text=f"The training failed: {type(error).__name__}: {words}.", error="SemError"
    )


def _warn(line: _Line, message: Warning | str, kind: type[Warning]) -> None:
    """Pass our own warnings on."""
    if issubclass(kind, SemWarning):
        line.tell(TrainingEvent("note", text=str(message)))


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # an orderly end would wait for the thread that waits for words
