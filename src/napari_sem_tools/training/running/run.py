"""A training in a process of its own, as who started it sees it: events, cancel, wait."""

from __future__ import annotations

import collections
import contextlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from napari_sem_tools import errors
from napari_sem_tools.errors import Cancelled, InvalidSettings, SemError
from napari_sem_tools.models.card import ModelCard, check_name
from napari_sem_tools.models.store import Store
from napari_sem_tools.settings import Settings
from napari_sem_tools.training.running.events import TrainingEvent
from napari_sem_tools.training.running.kinds import KINDS

__all__ = ["LICENCE", "TrainingRun"]

LICENCE = "LicenseRef-own"
"""Licence of a model, unless it is said: that of whoever trained it."""

_MODULE = "napari_sem_tools.training.running.child"
_LINES = 40  # of the last words that are kept of stderr


class TrainingRun:
    """A training that runs in a process of its own; make it with `start`.

    Whatever happens there, a crash or too little memory, comes back as an event.  When the
    process that started it ends, it stops as well, and the same `start` resumes it.

    Parameters
    ----------
    process : subprocess.Popen
        Started by `start`, its task already written.
    folder : Path
        For ``checkpoint.pt``, ``log.csv`` (see `logs.read_log`) and ``previews``.
    name : str
        Of the model.
    store : Store
        That the model goes to.

    Examples
    --------
    >>> run = TrainingRun.start("my set", "my-model", epochs=5)  # doctest: +SKIP
    >>> while run.running:  # doctest: +SKIP
    ...     for event in run.poll():
    ...         print(event.kind, event.epoch, event.loss, event.scores)
    >>> card = run.wait()  # doctest: +SKIP
    >>> TrainingRun.start("my set", "A B")
    Traceback (most recent call last):
        ...
    napari_sem_tools.errors.UntrustedModel: The model is called 'A B', which is not a plain name.
    """

    def __init__(
        self, process: subprocess.Popen[str], folder: Path, name: str, store: Store
    ) -> None:
        self.folder, self.name = folder, name
        self._process, self._store = process, store
        self._events: queue.SimpleQueue[TrainingEvent] = queue.SimpleQueue()
        self._words: collections.deque[str] = collections.deque(maxlen=_LINES)
        self._end: TrainingEvent | None = None
        self._cancelled = False
        self._errors = threading.Thread(target=self._read_errors, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._errors.start()
        self._reader.start()

    @classmethod
    def start(
        cls,
        folder: str | Path,
        name: str,
        *,
        recipe: str = "particles",
        settings: Settings | None = None,
        kind: str = "segmentation",
        out: str | Path | None = None,
        licence: str = LICENCE,
        overwrite: bool = False,
        **changes: Any,
    ) -> TrainingRun:
        """Start a training, or go on with one that was stopped.

        Parameters
        ----------
        folder : path-like
            A training-set folder.
        name : str
            Of the model in the registry.
        recipe : str
            Row of `trainings.TRAININGS`, or of the table of its kind, that the settings are
            from.
        settings : Settings, optional
            Of that kind, instead of those of the recipe.
        kind : str
            Row of `kinds.KINDS`: what is trained.
        out : path-like, optional
            Folder of the run; by default ``FOLDER/training/NAME``.
        licence : str
            Of images and weights, for the card.
        overwrite : bool
            Begin anew, whatever is in the folder of the run.
        **changes
            Fields of the settings.

        Returns
        -------
        TrainingRun
            At once; bad files and the like come as the event ``failed``.

        Raises
        ------
        InvalidSettings
            A setting is out of its range, or the name is that of a model of the package.
        UntrustedModel
            The name is no plain one.
        """
        from napari_sem_tools.models import models

        check_name(name)
        store = models.on_disk
        _refuse_packaged(store, name)
        row = KINDS[kind]
        wish = row.load("recipe")(recipe).settings if settings is None else settings
        wish = row.load("settings").from_dict(wish.to_dict() | changes)
        place = Path(out) if out is not None else Path(folder) / "training" / name
        task = {
            "kind": kind,
            "folder": str(Path(folder).absolute()),
            "out": str(place.absolute()),
            "name": name,
            "settings": wish.to_dict(),
            "licence": licence,
            "overwrite": overwrite,
            "places": [(str(p.folder), p.origin) for p in store.places],
        }
        process = _spawned()
        with contextlib.suppress(OSError):  # it died at once: the reader says why
            _pipe(process.stdin).write(json.dumps(task) + "\n")
            _pipe(process.stdin).flush()
        return cls(process, place, name, store)

    @property
    def running(self) -> bool:
        """True until the last event has come."""
        return self._end is None

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def poll(self) -> list[TrainingEvent]:
        """Return the events that came since the last time; never waits."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._events.get_nowait())
        return found

    def cancel(self) -> None:
        """Ask it to stop; the best epoch so far is kept in the registry."""
        self._cancelled = True
        with contextlib.suppress(OSError, ValueError):
            _pipe(self._process.stdin).write("cancel\n")
            _pipe(self._process.stdin).flush()

    def kill(self) -> None:
        """End the process at once; `start` resumes after the last whole epoch."""
        self._process.kill()
        self._reader.join()

    def wait(self, timeout: float | None = None) -> ModelCard:
        """Wait for the end.

        Parameters
        ----------
        timeout : float, optional
            Seconds.

        Returns
        -------
        ModelCard
            Also after `cancel`, when an epoch was done.

        Raises
        ------
        TimeoutError
            It still runs.
        Cancelled
            Before there was anything to keep.
        SemError
            What failed, as the class that it was in the process.
        """
        self._reader.join(timeout)
        if self._end is None:
            raise TimeoutError(f"The training of {self.name} still runs.")
        end = self._end
        if end.model:
            return self._store.find(end.model).card
        if end.kind == "cancelled":
            raise Cancelled(end.text)
        kind = getattr(errors, end.error, SemError)
        raise (kind if issubclass(kind, SemError) else SemError)(end.text, hint=end.hint)

    def _read(self) -> None:
        """Collect events until the process ends; runs in a thread."""
        last = None
        for line in _pipe(self._process.stdout):
            with contextlib.suppress(ValueError, TypeError):
                last = TrainingEvent.from_json(line)
                if not last.last:
                    self._events.put(last)
        status = self._process.wait()
        self._errors.join()
        end = last if last is not None and last.last else self._died(status)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                _pipe(pipe).close()
        self._events.put(end)
        self._end = end

    def _read_errors(self) -> None:
        """Keep the last words of the process; runs in a thread."""
        self._words.extend(_pipe(self._process.stderr))

    def _died(self, status: int) -> TrainingEvent:
        """Make the event of a process that said nothing at its end."""
        by = f"signal {-status}" if status < 0 else f"status {status}"
        words = "".join(self._words).strip().splitlines()
        last = f" Its last words: {words[-1][:300]}" if words else ""
        return TrainingEvent(
            "failed",
            text=f"The process of the training ended by itself ({by}).{last}",
            hint="Memory may have been short: start it again to go on after the last whole "
            "epoch, or with fewer or smaller crops (batch, crop_px).",
            error="SemError",
        )


def _spawned() -> subprocess.Popen[str]:
    """Start the process; Ctrl-C in a terminal reaches only this one."""
    apart: dict[str, Any] = {"process_group": 0}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        apart = {"creationflags": flags}
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        **apart,
    )


def _pipe(pipe: IO[str] | None) -> IO[str]:
    """Return a pipe that is there."""
    if pipe is None:
        raise OSError("no pipe")
    return pipe


def _refuse_packaged(store: Store, name: str) -> None:
    """Refuse the name of a model that comes with the package or a shared folder."""
    for entry in store.entries():
        if entry.card.name == name and entry.origin != "user":
            raise InvalidSettings(
                f"{name} is a model that is not yours: it lies in {entry.folder}.",
                hint=f"Choose another name, such as my-{name}.",
            )
