"""A training of a segmentation network in this process: crops, judging, the card."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.models.card import ModelCard, WeightsFile
from napari_sem_tools.tasks import stop_if_cancelled
from napari_sem_tools.training.data.sampler import Sampler
from napari_sem_tools.training.data.scaled import Scene, diameters, prepare
from napari_sem_tools.training.data.splits import Split, split_by_group
from napari_sem_tools.training.network import build_network, loss_of
from napari_sem_tools.training.running.course import Session
from napari_sem_tools.training.running.events import TrainingEvent
from napari_sem_tools.training.running.finish import card_of
from napari_sem_tools.training.running.judging import Verdict, judge
from napari_sem_tools.training.running.learner import Learner, Pace
from napari_sem_tools.training.running.plan import TrainingPlan
from napari_sem_tools.training.running.previews import write_previews

__all__ = ["SegmentationSession", "learn"]

_UNKNOWN = WeightsFile("weights.safetensors", "0" * 64, 1)


class SegmentationSession(Session):
    """A training of maps: particles, or classes."""

    plan: TrainingPlan

    def prepare(self) -> None:
        """Build the network and load the images."""
        plan = self.plan
        built = build_network(plan, self.store)
        self.arguments, self.multiple = built.arguments, built.multiple
        if plan.settings.crop_px % self.multiple:
            raise InvalidSettings(
                f"crop_px = {plan.settings.crop_px} is not a multiple of {self.multiple}, as "
                f"the network {plan.architecture} wants."
            )
        for note in (*plan.notes, *built.notes):
            self.tell(TrainingEvent("note", text=note))
        self.scenes = self._load()
        self.draw(plan.split)
        self.steps = plan.settings.steps_per_epoch or self.sampler.steps
        self.learner = self._learner(built, self.steps)
        self.whole_start = plan.start is not None and not built.notes

    def judge(self) -> Verdict:
        """Segment the judging images and score what is found."""
        return judge(self._model(), self.judges, instances=self.plan.instances, cancel=self.cancel)

    def show(self, verdict: Verdict) -> tuple[str, ...]:
        """Write pictures of the judging images; return their paths."""
        return write_previews(self.folder / "previews", self.judges, verdict.found)

    def redraw(self, epoch: int) -> None:
        """Draw anew who judges, where the settings ask for it."""
        wish = self.plan.settings
        if wish.split == "each epoch":
            samples, share = self.plan.folder.samples, wish.validation_share
            seed = wish.seed + 1000 * (epoch - 1)
            self.draw(split_by_group(samples, share=share, seed=seed))

    def value(self, scores: dict[str, float]) -> float:
        """Return what the best epoch has most of."""
        if self.criterion not in scores:
            raise InvalidSettings(
                f"judge_by = {self.criterion!r} is no score of {self.plan.settings.targets}.",
                hint=f"There are {', '.join(scores)}.",
            )
        return scores[self.criterion]

    @property
    def criterion(self) -> str:
        """Name of the score that decides which epoch is the best."""
        chosen, auto = self.plan.settings.judge_by, "pq" if self.plan.instances else "mean_iou"
        return auto if chosen == "auto" else chosen

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
        from napari_sem_tools.training.data.folder import read_pair

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

    def _model(self) -> Any:
        """Make a model of the averaged weights, to run over whole images."""
        from napari_sem_tools.models.loaded import LoadedModel

        card = self.card("1.0.0", _UNKNOWN)
        network = self.learner.averaged.eval()
        return LoadedModel(card, network, self.learner.device, self.precision, 0)

    def card(self, version: str, weights: WeightsFile, course: str = "") -> ModelCard:
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


learn = SegmentationSession.learn
"""Train as planned: see `Session.learn`."""
