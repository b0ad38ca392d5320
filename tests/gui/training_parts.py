"""Parts of the tests of the Train widget: a small set, and a training that only plays one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari_sem_tools as sem
from napari_sem_tools.errors import Cancelled, SemError
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training.running.events import TrainingEvent

__all__ = ["SMALL", "PlayedRun", "toy_set"]

SCENE = sem.SimulationSettings(
    width_px=192, height_px=160, particles=14, diameter_nm=44, agglomeration=0.3
)
SMALL = {
    "start": "none",
    "arguments": '{"widths": [16, 32, 48]}',
    "epochs": 8,
    "steps_per_epoch": 10,
    "batch": 4,
    "crop_px": 96,
    "learning_rate": 1e-2,
    "average": 0.9,
    "augmentation": "flips",
    "threads": 1,
    "device": "cpu",
}


def toy_set(folder: Path, count: int = 3) -> Path:
    """Write a training set of simulated images."""
    for seed in range(count):
        made = sem.simulate(SCENE, seed)
        write_tiff(folder / "images" / f"field_{seed}.tif", made.image.pixels)
        write_tiff(folder / "masks" / f"field_{seed}.tif", made.labels)
    return folder


class PlayedRun:
    """Stands for a `TrainingRun`: the test says what happens there.

    `tell` sends an event, `end` ends it; what the widget asked for is in `asked`.
    """

    started: list[PlayedRun] = []  # noqa: RUF012  the runs of one test, emptied by it

    def __init__(self, folder: Path, name: str, settings: Any, overwrite: bool) -> None:
        self.set, self.name, self.settings, self.overwrite = folder, name, settings, overwrite
        self.events: list[TrainingEvent] = []
        self.asked: list[str] = []
        self.outcome: Any = None
        self.running = True

    @classmethod
    def start(
        cls, folder: Path, name: str, *, settings: Any, kind: str, overwrite: bool = False
    ) -> PlayedRun:
        """Begin, as the real one does, at once."""
        run = cls(folder, name, settings, overwrite)
        run.kind = kind
        cls.started.append(run)
        return run

    def tell(self, kind: str, **values: Any) -> None:
        """Send a piece of news."""
        self.events.append(TrainingEvent(kind, **values))

    def end(self, outcome: Any) -> None:
        """End with a card or an error."""
        self.outcome = outcome
        self.running = False

    def poll(self) -> list[TrainingEvent]:
        """Return the news since the last time."""
        news, self.events = self.events, []
        return news

    def cancel(self) -> None:
        """Keep the wish; the test decides what comes of it."""
        self.asked.append("cancel")

    def kill(self) -> None:
        """End at once."""
        self.asked.append("kill")
        self.end(SemError("The process of the training ended by itself (signal 9)."))

    def wait(self) -> Any:
        """Return or raise how it ended."""
        if isinstance(self.outcome, (SemError, Cancelled)):
            raise self.outcome
        return self.outcome


def until(qtbot: Any, condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for a condition."""
    qtbot.waitUntil(lambda: bool(condition()), timeout=int(1000 * seconds))
