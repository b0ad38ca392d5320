"""The course of a training in this process: epochs, judging, checkpoints, the best kept.

What is learned, from what and how it is judged is said by a session of one kind, such as
`session.SegmentationSession` or `focus.session.FocusSession`.
"""

from __future__ import annotations

import abc
import collections
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from napari_sem_tools.errors import Cancelled, OutputExists
from napari_sem_tools.files import growing_file, write_file, write_text
from napari_sem_tools.models.card import ModelCard, WeightsFile
from napari_sem_tools.models.store import Store
from napari_sem_tools.tasks import Cancel, stop_if_cancelled
from napari_sem_tools.training.running.events import TrainingEvent
from napari_sem_tools.training.running.finish import next_version, register
from napari_sem_tools.training.running.judging import Verdict
from napari_sem_tools.training.running.learner import Learner, load_checkpoint, save_checkpoint
from napari_sem_tools.training.running.logs import LOG, Curves, write_log

__all__ = ["Batches", "Course", "Plan", "Session", "Tell"]

CHECKPOINT, BEST, CARD, RUN = "checkpoint.pt", "best.safetensors", "card.json", "run.json"
_TELL_EVERY_S = 0.5
_DRAWERS = 6  # threads that draw crops for a GPU; on the CPU the network needs the cores
_UNKNOWN = WeightsFile("weights.safetensors", "0" * 64, 1)

Tell = Callable[[TrainingEvent], None]


class Plan(Protocol):
    """What every plan of a training says."""

    settings: Any
    start: ModelCard | None
    notes: tuple[str, ...]

    @property
    def identity(self) -> str:
        """Hash of all that decides what is learned."""


class Batches(Protocol):
    """Where batches come from."""

    @property
    def steps(self) -> int:
        """Steps until all has been seen once."""

    def batch(self, epoch: int, step: int) -> tuple[Any, Any]:
        """Draw a batch, which depends on the two numbers and a seed alone."""


@dataclasses.dataclass
class Course:
    """What has happened so far; it is part of the checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = -np.inf
    best_scores: dict[str, float] = dataclasses.field(default_factory=dict)
    best_intervals: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    before: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0


class Session(abc.ABC):
    """A training under way; its kind says what is learned.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Of the run.
    name : str
        Of the model.
    store : Store
    licence : str
    tell : callable
    cancel : callable, optional
    """

    learner: Learner
    sampler: Batches
    steps: int
    whole_start: bool

    def __init__(
        self,
        plan: Any,
        folder: Path,
        name: str,
        store: Store,
        licence: str,
        tell: Tell,
        *,
        cancel: Cancel | None = None,
    ) -> None:
        self.cancel = cancel
        self.plan, self.folder, self.tell = plan, folder, tell
        self.name, self.store, self.licence = name, store, licence
        self.course = Course()
        self.prepare()

    @classmethod
    def learn(
        cls,
        plan: Any,
        folder: Path,
        name: str,
        store: Store,
        *,
        licence: str = "LicenseRef-own",
        overwrite: bool = False,
        tell: Tell | None = None,
        cancel: Cancel | None = None,
    ) -> ModelCard:
        """Train as planned, in this process; go on where an earlier run in the folder stopped.

        Parameters
        ----------
        plan : Plan
            Of the kind that the session is for.
        folder : Path
            For ``checkpoint.pt``, ``best.safetensors``, ``log.csv``, ``card.json`` and what
            the kind writes besides.
        name : str
            Of the model.
        store : Store
            That the model goes to.
        licence : str
            Of the weights and the images.
        overwrite : bool
            Begin anew, whatever is in the folder.
        tell : callable, optional
            Is given every `TrainingEvent`.
        cancel : callable, optional
            When it returns True the best so far is kept in the registry.

        Returns
        -------
        ModelCard

        Raises
        ------
        Cancelled
            Before the first epoch was done, so that there is nothing to keep.
        OutputExists
            The folder holds another training.
        SemError
            Another program is training there, or memory is short.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with growing_file(folder / ".training.partial"):  # a second training here is refused
            _claim(plan, folder, overwrite=overwrite)
            done = _finished(folder, store)
            if done is not None:
                return done
            return cls(plan, folder, name, store, licence, tell or _nobody, cancel=cancel).run()

    @abc.abstractmethod
    def prepare(self) -> None:
        """Load what is needed: `learner`, `sampler`, `steps` and `whole_start`."""

    @abc.abstractmethod
    def judge(self) -> Verdict:
        """Score the averaged weights on the images that judge."""

    @abc.abstractmethod
    def show(self, verdict: Verdict) -> tuple[str, ...]:
        """Write pictures of the judging images; return their paths."""

    @abc.abstractmethod
    def value(self, scores: dict[str, float]) -> float:
        """Return what the best epoch has most of."""

    @abc.abstractmethod
    def card(self, version: str, weights: WeightsFile, course: str = "") -> ModelCard:
        """Write the card."""

    @property
    @abc.abstractmethod
    def criterion(self) -> str:
        """Name of the score that decides which epoch is the best."""

    def finished(self, weights: bytes) -> bytes:
        """Return the best weights with what is learned after the last epoch, e.g. a temperature.

        Parameters
        ----------
        weights : bytes
            A safetensors file; it may be one that was finished already.

        Returns
        -------
        bytes
        """
        return weights

    def redraw(self, epoch: int) -> None:  # noqa: B027  few kinds have something to draw
        """Draw anew who judges, where the settings ask for it."""

    def run(self) -> ModelCard:
        """Go through the epochs that are not done; keep the best."""
        self._resume()
        wish = self.plan.settings
        start = TrainingEvent("plan", self.course.epoch, wish.epochs, text=str(self.plan))
        self.tell(dataclasses.replace(start, scores=dict(self.course.best_scores)))
        stopped = False
        if self.whole_start and not self.course.epoch:
            self._judge_start()
        with Curves.opened(self.folder / "tensorboard", self.course.epoch + 1) as curves:
            while self.course.epoch < wish.epochs and not self._exhausted():
                try:
                    self._epoch(self.course.epoch + 1, curves)
                except Cancelled:
                    stopped = True
                    break
        if stopped and not self.course.best_epoch:
            raise Cancelled("Cancelled before the first epoch was done; nothing was kept.")
        card = self._register(stopped=stopped)
        if not stopped:
            write_text(self.folder / CARD, card.to_json())
        return card

    def _resume(self) -> None:
        """Go on from the checkpoint if there is one."""
        parts = load_checkpoint(self.folder / CHECKPOINT)
        if parts is None:
            return
        self.learner.load(parts["learner"])
        self.course = Course(**json.loads(parts["course"]))
        text = f"Going on after epoch {self.course.epoch} of {self.plan.settings.epochs}."
        self.tell(TrainingEvent("note", text=text))

    def _exhausted(self) -> bool:
        """Tell whether nothing was gained for too long."""
        patience = self.plan.settings.patience
        return bool(patience) and self.course.epoch - self.course.best_epoch >= patience

    def _judge_start(self) -> None:
        """Score the model that is gone on from, so that the gain can be seen."""
        verdict = self.judge()
        if not verdict.scores:
            return
        self.course.before = dict(verdict.scores)
        epochs, previews = self.plan.settings.epochs, self.show(verdict)
        self.tell(TrainingEvent("epoch", 0, epochs, scores=verdict.scores, previews=previews))

    def _epoch(self, epoch: int, curves: Curves) -> None:
        """Learn, judge, keep the best, save and tell."""
        begun = time.monotonic()
        wish = self.plan.settings
        self.redraw(epoch)
        loss = self._steps(epoch)
        verdict = self.judge()
        course = self.course
        course.epoch = epoch
        course.seconds += time.monotonic() - begun
        best = self._judged(verdict, loss)
        rate = self.learner.pace.rate_at(self.learner.done - 1)
        row = {"epoch": epoch, "step": self.learner.done, "loss": loss, "learning_rate": rate}
        course.rows.append({**row, "seconds": course.seconds, **verdict.scores})
        if best:
            write_file(self.folder / BEST, self.learner.weights())
        self._save()
        write_log(self.folder / LOG, course.rows)
        curves.add(epoch, course.rows[-1])
        previews = self.show(verdict)
        self.tell(
            TrainingEvent(
                "epoch",
                epoch=epoch,
                epochs=wish.epochs,
                step=self.steps,
                steps=self.steps,
                loss=loss,
                learning_rate=rate,
                seconds_left=course.seconds / epoch * (wish.epochs - epoch),
                scores=verdict.scores,
                best=best,
                previews=previews,
            )
        )

    def _steps(self, epoch: int) -> float:
        """Learn all batches of an epoch; return the mean loss."""
        self.learner.train()
        losses: list[float] = []
        told, begun = time.monotonic(), time.monotonic()
        wish = self.plan.settings
        crops = _ahead(self.sampler, epoch, self.steps, 1 if self.learner.on_cpu else _DRAWERS)
        for step, batch in enumerate(crops, start=1):
            stop_if_cancelled(self.cancel)
            losses.append(self.learner.step(*batch))
            now = time.monotonic()
            if now - told >= _TELL_EVERY_S:
                left = (wish.epochs - epoch + 1) * self.steps - step
                self.tell(
                    TrainingEvent(
                        "step",
                        epoch=epoch,
                        epochs=wish.epochs,
                        step=step,
                        steps=self.steps,
                        loss=float(np.mean(losses)),
                        learning_rate=self.learner.pace.rate_at(self.learner.done - 1),
                        seconds_left=(now - begun) / step * left,
                    )
                )
                told = now
        return float(np.mean(losses))

    def _judged(self, verdict: Verdict, loss: float) -> bool:
        """Compare with the best epoch so far; without judges the last one is the best."""
        course = self.course
        value = self.value(verdict.scores) if verdict.scores else float(course.epoch)
        if course.best_epoch and not value > course.best_value:
            return False
        course.best_epoch, course.best_value = course.epoch, value
        course.best_scores = dict(verdict.scores)
        course.best_intervals = {k: list(v) for k, v in verdict.intervals.items()}
        return True

    def _register(self, *, stopped: bool) -> ModelCard:
        """Put the best so far into the registry."""
        found = (self.folder / BEST).read_bytes()
        raw = self.finished(found)
        if raw != found:
            write_file(self.folder / BEST, raw)
        course, wish = self.course, self.plan.settings
        text = f"Epoch {course.best_epoch} of {course.epoch} was the best."
        name = self.criterion
        if name in course.before and name in course.best_scores:
            text += f" Its {name} is {course.best_scores[name]:.3f}, at the start it was "
            text += f"{course.before[name]:.3f}."
        if stopped:
            text += f" Stopped by the user; {wish.epochs} were planned."
        version = next_version(self.store, self.name)
        card = self.card(version, _UNKNOWN, text)
        return register(self.store, card, raw)

    def _save(self) -> None:
        """Write the checkpoint."""
        parts = {
            "learner": self.learner.state(),
            "course": json.dumps(dataclasses.asdict(self.course)),
        }
        save_checkpoint(self.folder / CHECKPOINT, parts)


def _ahead(sampler: Batches, epoch: int, steps: int, drawers: int) -> Iterator[Any]:
    """Draw the next batches while one is learned."""
    with ThreadPoolExecutor(drawers) as pool:
        first = min(drawers + 1, steps)
        coming = collections.deque(pool.submit(sampler.batch, epoch, k) for k in range(first))
        try:
            for step in range(first, steps + first):
                batch = coming.popleft().result()
                if step < steps:
                    coming.append(pool.submit(sampler.batch, epoch, step))
                yield batch
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _claim(plan: Any, folder: Path, *, overwrite: bool) -> None:
    """Make the folder that of this training, or refuse to mix it with another one."""
    path = folder / RUN
    known = None
    if path.exists():
        with contextlib.suppress(ValueError):
            known = json.loads(path.read_text(encoding="utf-8")).get("identity")
    if known == plan.identity and not overwrite:
        return
    if path.exists() and not overwrite:
        raise OutputExists(
            f"{folder} holds a training with other settings or other images.",
            hint="Choose another name or folder, or begin anew with overwrite.",
        )
    for name in (CHECKPOINT, BEST, CARD, LOG):
        (folder / name).unlink(missing_ok=True)
    wish = {"identity": plan.identity, "plan": str(plan), "settings": plan.settings.to_dict()}
    write_text(path, json.dumps(wish, indent=2) + "\n")


def _finished(folder: Path, store: Store) -> ModelCard | None:
    """Return the model of a training that is done, and register it again if it was removed."""
    if not (folder / CARD).exists():
        return None
    card = ModelCard.from_json((folder / CARD).read_bytes())
    return register(store, card, (folder / BEST).read_bytes())


def _nobody(event: TrainingEvent) -> None:
    """Listen to nothing."""
