"""One training in this process: epochs, judging, checkpoints, the best kept."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem_tools.errors import Cancelled, InvalidSettings, OutputExists
from napari_sem_tools.files import growing_file, write_file, write_text
from napari_sem_tools.models.card import ModelCard, WeightsFile
from napari_sem_tools.models.store import Store
from napari_sem_tools.tasks import Cancel, stop_if_cancelled
from napari_sem_tools.training.events import TrainingEvent
from napari_sem_tools.training.finish import card_of, next_version, register
from napari_sem_tools.training.judging import Verdict, judge
from napari_sem_tools.training.learner import Learner, Pace, load_checkpoint, save_checkpoint
from napari_sem_tools.training.logs import LOG, Curves, write_log
from napari_sem_tools.training.network import build_network, loss_of
from napari_sem_tools.training.plan import TrainingPlan
from napari_sem_tools.training.previews import write_previews
from napari_sem_tools.training.sampler import Sampler
from napari_sem_tools.training.scaled import Scene, diameters, prepare
from napari_sem_tools.training.splits import Split, split_by_group

__all__ = ["learn"]

CHECKPOINT, BEST, CARD, RUN = "checkpoint.pt", "best.safetensors", "card.json", "run.json"
_TELL_EVERY_S = 0.5
_DRAWERS = 6  # threads that draw crops for a GPU; on the CPU the network needs the cores
_UNKNOWN = WeightsFile("weights.safetensors", "0" * 64, 1)

Tell = Callable[[TrainingEvent], None]


@dataclasses.dataclass
class _Course:
    """What has happened so far; it is part of the checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = -np.inf
    best_scores: dict[str, float] = dataclasses.field(default_factory=dict)
    best_intervals: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    before: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0


def learn(
    plan: TrainingPlan,
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
    plan : TrainingPlan
    folder : Path
        For ``checkpoint.pt``, ``best.safetensors``, ``log.csv``, ``previews`` and
        ``card.json``.
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
        session = _Session(plan, folder, name, store, licence, tell or _nobody, cancel=cancel)
        return session.run()


class _Session:
    """A training under way."""

    def __init__(
        self,
        plan: TrainingPlan,
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
        built = build_network(plan, store)
        self.arguments, self.multiple = built.arguments, built.multiple
        if plan.settings.crop_px % self.multiple:
            raise InvalidSettings(
                f"crop_px = {plan.settings.crop_px} is not a multiple of {self.multiple}, as "
                f"the network {plan.architecture} wants."
            )
        for note in (*plan.notes, *built.notes):
            tell(TrainingEvent("note", text=note))
        self.scenes = self._load()
        self.draw(plan.split)
        steps = plan.settings.steps_per_epoch or self.sampler.steps
        self.steps = steps
        self.learner = self._learner(built, steps)
        self.course = _Course()
        self.whole_start = plan.start is not None and not built.notes

    def run(self) -> ModelCard:
        """Go through the epochs that are not done; keep the best."""
        self._resume()
        wish = self.plan.settings
        start = TrainingEvent("plan", self.course.epoch, wish.epochs, text=str(self.plan))
        self.tell(dataclasses.replace(start, scores=dict(self.course.best_scores)))
        stopped = False
        if self.whole_start and self.judges and not self.course.epoch:
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

    def draw(self, split: Split) -> None:
        """Put the scenes on the two sides."""
        wish = self.plan.settings
        self.judges = [self.scenes[name] for name in split.validation]
        self.sampler = Sampler(
            [self.scenes[name] for name in split.train],
            crop_px=wish.crop_px,
            batch=wish.batch,
            instances=self.plan.instances,
            augmentation=wish.augmentation,
            foreground=wish.foreground,
            seed=wish.seed,
        )

    def _load(self) -> dict[str, Scene]:
        """Read all images."""
        from napari_sem_tools.training.folder import read_pair

        spec = self.plan.input_spec(self.multiple)
        names = set(self.plan.split.train) | set(self.plan.split.validation)
        loaded = {}
        for sample in self.plan.folder.samples:
            stop_if_cancelled(self.cancel)
            if sample.name in names:
                loaded[sample.name] = prepare(
                    sample.name,
                    read_pair(sample),
                    spec,
                    targets=self.plan.settings.targets,
                    classes=self.plan.classes,
                    binary=self.plan.folder.binary,
                    object_size_px=self.plan.object_size_px,
                )
        return loaded

    def _learner(self, built: Any, steps: int) -> Learner:
        """Make what learns."""
        from napari_sem_tools.models import devices

        wish = self.plan.settings
        device, reason = devices.choose_device(wish.device)
        precision = devices.choose_precision(device, wish.precision)
        self.tell(TrainingEvent("note", text=f"Training on {device} in {precision} ({reason})."))
        pace = Pace(
            rate=wish.learning_rate,
            steps=wish.epochs * steps,
            steps_per_epoch=steps,
            schedule=wish.schedule,
            optimiser=wish.optimiser,
            weight_decay=wish.weight_decay,
            average=wish.average,
            clip_norm=wish.clip_norm,
        )
        self.precision = precision
        loss = loss_of(self.plan, [scene.mask for scene in self.scenes.values()])
        return Learner(
            built.network, loss, pace, device=device, precision=precision, frozen=built.frozen
        )

    def _resume(self) -> None:
        """Go on from the checkpoint if there is one."""
        parts = load_checkpoint(self.folder / CHECKPOINT)
        if parts is None:
            return
        self.learner.load(parts["learner"])
        self.course = _Course(**json.loads(parts["course"]))
        text = f"Going on after epoch {self.course.epoch} of {self.plan.settings.epochs}."
        self.tell(TrainingEvent("note", text=text))

    def _exhausted(self) -> bool:
        """Tell whether nothing was gained for too long."""
        patience = self.plan.settings.patience
        return bool(patience) and self.course.epoch - self.course.best_epoch >= patience

    def _judge_start(self) -> None:
        """Score the model that is gone on from, so that the gain can be seen."""
        verdict = judge(
            self._model(), self.judges, instances=self.plan.instances, cancel=self.cancel
        )
        self.course.before = dict(verdict.scores)
        previews = write_previews(self.folder / "previews", self.judges, verdict.found)
        epochs = self.plan.settings.epochs
        self.tell(TrainingEvent("epoch", 0, epochs, scores=verdict.scores, previews=previews))

    def _criterion(self) -> str:
        """Name the score that decides which epoch is the best."""
        chosen, auto = self.plan.settings.judge_by, "pq" if self.plan.instances else "mean_iou"
        return auto if chosen == "auto" else chosen

    def _epoch(self, epoch: int, curves: Curves) -> None:
        """Learn, judge, keep the best, save and tell."""
        begun = time.monotonic()
        wish = self.plan.settings
        if wish.split == "each epoch":
            samples, share = self.plan.folder.samples, wish.validation_share
            seed = wish.seed + 1000 * (epoch - 1)
            self.draw(split_by_group(samples, share=share, seed=seed))
        loss = self._steps(epoch)
        verdict = judge(
            self._model(), self.judges, instances=self.plan.instances, cancel=self.cancel
        )
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
        previews = write_previews(self.folder / "previews", self.judges, verdict.found)
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
        criterion, course = self._criterion(), self.course
        if not verdict.scores:
            value = float(course.epoch)
        elif criterion not in verdict.scores:
            raise InvalidSettings(
                f"judge_by = {criterion!r} is no score of {self.plan.settings.targets}.",
                hint=f"There are {', '.join(verdict.scores)}.",
            )
        else:
            value = verdict.scores[criterion]
        if course.best_epoch and not value > course.best_value:
            return False
        course.best_epoch, course.best_value = course.epoch, value
        course.best_scores = dict(verdict.scores)
        course.best_intervals = {k: list(v) for k, v in verdict.intervals.items()}
        return True

    def _model(self) -> Any:
        """Make a model of the averaged weights, to run over whole images."""
        from napari_sem_tools.models.loaded import LoadedModel

        card = self._card("1.0.0", _UNKNOWN)
        network = self.learner.averaged.eval()
        return LoadedModel(card, network, self.learner.device, self.precision, 0)

    def _card(self, version: str, weights: WeightsFile, course: str = "") -> ModelCard:
        """Write the card."""
        sizes = [diameters(scene.mask) for scene in self.scenes.values()]
        medians = [float(np.median(d)) for d in sizes if d.size]
        size = self.plan.object_size_px or (float(np.median(medians)) if medians else None)
        return card_of(
            self.plan,
            self.name,
            version,
            weights,
            arguments=self.arguments,
            input_spec=self.plan.input_spec(self.multiple, size if self.plan.instances else None),
            licence=self.licence,
            scores=self.course.best_scores,
            intervals={k: (v[0], v[1]) for k, v in self.course.best_intervals.items()},
            course=course,
        )

    def _register(self, *, stopped: bool) -> ModelCard:
        """Put the best so far into the registry."""
        raw = (self.folder / BEST).read_bytes()
        course, wish = self.course, self.plan.settings
        text = f"Epoch {course.best_epoch} of {course.epoch} was the best."
        name = self._criterion()
        if name in course.before and name in course.best_scores:
            text += f" Its {name} is {course.best_scores[name]:.3f}, at the start it was "
            text += f"{course.before[name]:.3f}."
        if stopped:
            text += f" Stopped by the user; {wish.epochs} were planned."
        version = next_version(self.store, self.name)
        card = self._card(version, _UNKNOWN, text)
        return register(self.store, card, raw)

    def _save(self) -> None:
        """Write the checkpoint."""
        parts = {
            "learner": self.learner.state(),
            "course": json.dumps(dataclasses.asdict(self.course)),
        }
        save_checkpoint(self.folder / CHECKPOINT, parts)


def _nobody(event: TrainingEvent) -> None:
    """Listen to nothing."""


def _ahead(sampler: Sampler, epoch: int, steps: int, drawers: int) -> Iterator[Any]:
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


def _claim(plan: TrainingPlan, folder: Path, *, overwrite: bool) -> None:
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
