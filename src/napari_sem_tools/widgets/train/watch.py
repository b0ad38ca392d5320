"""The side of a training that needs no window: what was there before, and who waits for its end."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qtpy.QtCore import QThreadPool

from napari_sem_tools.errors import Cancelled, SemError
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.settings import Settings
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.training import TrainingRun, read_log
from napari_sem_tools.training.running.kinds import KINDS

__all__ = ["Earlier", "End", "Order", "Watch", "earlier_run", "free_name", "newest_unfinished"]

RUNS = "training"  # folder of the runs within a training set
_LOOK_EVERY_S = 0.05
_FREELY = ("device", "threads", "precision")  # may differ when a training goes on


@dataclasses.dataclass(frozen=True)
class Order:
    """What is to be trained, taken from the window once."""

    folder: Path
    name: str
    settings: Settings
    anew: bool = False

    @property
    def kind(self) -> str:
        """Row of `KINDS` that the settings are of."""
        own = type(self.settings)
        return next(name for name, row in KINDS.items() if row.load("settings") is own)

    @property
    def out(self) -> Path:
        """Folder of the run."""
        return self.place(self.folder, self.name)

    @staticmethod
    def place(folder: Path, name: str) -> Path:
        """Return where the run of a name lies."""
        return folder / RUNS / name


@dataclasses.dataclass(frozen=True)
class End:
    """How a training ended without an error.

    Attributes
    ----------
    card : ModelCard or None
        The model that is in the registry now.
    cancelled : bool
        The user asked for it.
    text : str
        Why there is no model.
    """

    card: ModelCard | None
    cancelled: bool = False
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What an earlier run left in its folder.

    Attributes
    ----------
    there : bool
        Whether the folder holds a run at all.
    epochs_done : int
    settings : Settings or None
        None where there is no run, or one of another version.
    rows : list of dict
        Its course, as `read_log` gives it.
    model : str
        ``name@version`` when it is done.
    """

    there: bool = False
    epochs_done: int = 0
    settings: Settings | None = None
    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    model: str = ""

    @property
    def unfinished(self) -> bool:
        """Whether it can be gone on with."""
        return self.settings is not None and not self.model

    def goes_on_with(self, settings: Settings) -> bool:
        """Say whether a training with these settings would go on with it."""
        return self.settings is not None and _decisive(self.settings) == _decisive(settings)


class Watch:
    """One training as the thread that waits for it sees it; the window reads its events.

    Attributes
    ----------
    run : TrainingRun or None
        Once the process is started; its events are the window's to poll.
    keep : threading.Event
        Stop and keep the best epoch so far.
    at_once : threading.Event
        End the process now; it can be resumed.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.run: TrainingRun | None = None
        self.keep, self.at_once = threading.Event(), threading.Event()

    def job(self, progress: Progress, cancel: Cancel) -> End:
        """Start the training and wait for its end; runs in a thread.

        Cancelled without a wish to keep anything, as when the window is closed, it is ended
        at once: every whole epoch lies in its folder.

        Raises
        ------
        SemError
            What failed there, as one sentence.
        """
        order = self.order
        with _waiting():
            run = TrainingRun.start(
                order.folder,
                order.name,
                settings=order.settings,
                kind=order.kind,
                overwrite=order.anew,
            )
            self.run = run
            importlib.import_module("matplotlib.backends.backend_qtagg")  # for the curves
            asked = False
            while run.running:
                if self.at_once.is_set() or (cancel() and not self.keep.is_set()):
                    run.kill()
                    return End(None, True, "It was ended at once; Resume goes on with it.")
                if self.keep.is_set() and not asked:
                    run.cancel()
                    asked = True
                time.sleep(_LOOK_EVERY_S)
            try:
                return End(run.wait(), cancelled=asked)
            except Cancelled as error:
                return End(None, True, error.message)


def earlier_run(folder: Path) -> Earlier:
    """Read what lies in the folder of a run; an empty record where there is nothing.

    Parameters
    ----------
    folder : Path
    """
    told = _json(folder / "run.json")
    if told is None:
        return Earlier()
    settings = _settings_of(told.get("settings", {}))
    rows: list[dict[str, float]] = []
    with contextlib.suppress(OSError, ValueError):
        rows = read_log(folder)
    card = _json(folder / "card.json")
    model = f"{card.get('name')}@{card.get('version')}" if card else ""
    return Earlier(True, len(rows), settings, rows, model)


def _settings_of(told: dict[str, Any]) -> Settings | None:
    """Read settings of whatever kind; None where they are of another version."""
    for row in KINDS.values():
        with contextlib.suppress(SemError, TypeError):
            found: Settings = row.load("settings").from_dict(told)
            return found
    return None


def newest_unfinished(folder: Path) -> str | None:
    """Return the name of the run of a training set that was stopped last, None without one."""
    runs = [path.parent for path in (folder / RUNS).glob("*/run.json")]
    stopped = [run for run in runs if not (run / "card.json").exists()]
    return max(stopped, key=lambda run: run.stat().st_mtime).name if stopped else None


def free_name(folder: Path, name: str) -> str:
    """Return a name that no run of a training set has, with a number behind it if need be.

    Examples
    --------
    >>> free_name(Path("no-such-folder"), "grains")
    'grains'
    """
    number, found = 1, name
    while (folder / RUNS / found).exists():
        number += 1
        found = f"{name}-{number}"
    return found


def _decisive(settings: Settings) -> dict[str, Any]:
    """Return what decides what is learned."""
    return {k: v for k, v in settings.to_dict().items() if k not in _FREELY}


def _json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object that may be absent or broken."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None


@contextlib.contextmanager
def _waiting() -> Iterator[None]:
    """Lend this thread's place to other work: it sleeps for hours."""
    pool = QThreadPool.globalInstance()
    pool.releaseThread()
    try:
        yield
    finally:
        pool.reserveThread()
