"""A training of categories in this process: pictures, judging, calibration, the card."""

from __future__ import annotations

import datetime
import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools._version import __version__
from napari_sem_tools.classification.confidence import softmax
from napari_sem_tools.evaluation.classes_of_images import ImageClassScores
from napari_sem_tools.files import json_text, write_text
from napari_sem_tools.models.card import ModelCard, Score, TrainingData, WeightsFile
from napari_sem_tools.models.licences import is_free
from napari_sem_tools.training.classification.finishing import (
    cross_tempered,
    finish,
    known_ones,
    scores_of,
    tensors_with,
)
from napari_sem_tools.training.classification.network import (
    ARCHITECTURE,
    BESIDE,
    build_classifier,
    predicted,
    soft_loss,
)
from napari_sem_tools.training.classification.parts import PARTS
from napari_sem_tools.training.classification.pictures import PictureSource
from napari_sem_tools.training.classification.plan import ClassificationPlan, weights_licence
from napari_sem_tools.training.classification.records import write_records
from napari_sem_tools.training.classification.unfreezing import Layers
from napari_sem_tools.training.running.course import Session
from napari_sem_tools.training.running.events import TrainingEvent
from napari_sem_tools.training.running.judging import Verdict
from napari_sem_tools.training.running.learner import Learner, Pace

__all__ = ["ClassificationSession", "learn"]

Table = NDArray[np.float64]

_METRICS: Final = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy",
    "top_2": "top-2 accuracy",
    "top_3": "top-3 accuracy",
    "ece": "ECE",
    "ece_before": "ECE before the temperature",
    "covered": "coverage at 99 % accuracy",
    "temperature": "temperature",
}
_SCORES: Final = "scores.json"
_MOST_TEXT: Final = 3500


class ClassificationSession(Session):
    """A training of categories."""

    plan: ClassificationPlan

    def prepare(self) -> None:
        """Build the network and what draws pictures."""
        plan = self.plan
        network, self.arguments, said = build_classifier(plan, self.store, cancel=self.cancel)
        for note in (*plan.notes, str(plan.leak), *said):
            self.tell(TrainingEvent("note", text=note))
        self.layers = Layers(network, plan.settings, plan.network.name)
        self.sampler = PictureSource(
            plan.seen.pictures, plan.labels, len(plan.names), plan.of_part(0), plan.settings
        )
        self.steps = plan.settings.steps_per_epoch or self.sampler.steps
        self.learner = self._learner(network)
        self.whole_start = plan.start is not None
        self.found: dict[str, Any] = {}

    def redraw(self, epoch: int) -> None:
        """Let the layers of this epoch learn."""
        self.learner.frozen = self.layers.apply(epoch)

    def judge(self) -> Verdict:
        """Score the images that judge with the averaged weights."""
        numbers = self.plan.of_part(1)
        if not len(numbers):
            return Verdict({}, {}, {})
        logits, _ = self._run(numbers)
        scored = self._scored(softmax(logits), numbers)
        own = np.maximum(scored.chance[np.arange(len(numbers)), scored.true], 1e-12)
        values = {
            "macro_f1": scored.macro_f1,
            "accuracy": scored.accuracy,
            "loss_judged": float(-np.log(own).mean()),
            "ece": scored.ece(),
        }
        return Verdict(values, {}, {})

    def show(self, verdict: Verdict) -> tuple[str, ...]:
        """Show nothing: what was named wrongly is written when the training is done."""
        return ()

    def value(self, scores: dict[str, float]) -> float:
        """Return what the best epoch has most of."""
        if self.criterion == "last":
            return float(self.course.epoch)
        if self.criterion == "loss_judged":
            return -scores[self.criterion]
        return scores[self.criterion]

    @property
    def criterion(self) -> str:
        """Name of the score that decides which epoch is the best."""
        chosen = str(self.plan.settings.judge_by)
        return "loss_judged" if chosen == "loss" else chosen

    def finished(self, weights: bytes) -> bytes:
        """Learn temperature, sets and distances of the best weights, and write the records."""
        from safetensors.torch import load, save

        plan, wish, network = self.plan, self.plan.settings, self.learner.averaged
        state = {name: value for name, value in load(weights).items() if name not in BESIDE}
        network.load_state_dict(state, strict=False)
        train, judges, test = (plan.of_part(part) for part in range(len(PARTS)))
        kept = known_ones(plan.labels, train, seed=wish.seed)
        _, known = self._run(kept)
        logits, vectors = self._run(judges)
        found = finish(
            logits,
            vectors,
            plan.labels[judges],
            known,
            missed=wish.missed,
            near_percent=wish.near_percent,
        )
        raw = {1: (judges, logits), 2: (test, self._run(test)[0])}
        self._record(found.temperature, raw)
        self.arguments = self.arguments | {"known": len(kept)}
        return bytes(save(tensors_with(state, found, known, plan.labels[kept])))

    def _record(self, temperature: float, raw: dict[int, tuple[Any, Table]]) -> None:
        """Score the images that were kept back, and write down all that a reader may ask."""
        plan = self.plan
        numbers, logits = raw[plan.judged_by]
        chances = {part: softmax(made, temperature) for part, (_, made) in raw.items()}
        if len(numbers):
            honest = chances[plan.judged_by]
            if plan.judged_by == 1:  # the temperature is fitted on these images
                honest = cross_tempered(logits, plan.labels[numbers], plan.groups[numbers])
            before, after = (self._scored(one, numbers) for one in (softmax(logits), honest))
            self.found = scores_of(before, after)
            self.found["values"]["temperature"] = temperature
            write_text(self.folder / _SCORES, json_text(self.found) + "\n")
        write_records(self.folder, plan, {part: raw[part][0] for part in raw}, chances)

    def card(self, version: str, weights: WeightsFile, course: str = "") -> ModelCard:
        """Write the card."""
        plan, wish = self.plan, self.plan.settings
        own = f"{plan.path.resolve().name}: {len(plan.of_part(0))} images"
        begun = f"Fine-tuned from {plan.start.key}" if plan.start else "Trained"
        licence = weights_licence(wish, plan.network)
        earlier = plan.start.training_data if plan.start else ()
        if licence:
            earlier = (TrainingData(f"weights of {plan.network.name}", licence, wish.weights),)
        text = (
            f"{begun} on {own}, {len(plan.names)} categories; {plan.leak}; {wish.optimiser} "
            f"{wish.learning_rate:g} {wish.schedule}, frozen: {wish.freeze}, seed {wish.seed}. "
            f"{course}"
        )
        return ModelCard(
            name=self.name,
            version=version,
            task="classification",
            architecture=ARCHITECTURE,
            arguments=json.loads(json.dumps(self.arguments)),
            weights=weights,
            licence=self._licence(),
            created=datetime.date.today().isoformat(),
            input=plan.input_spec,
            outputs=plan.outputs,
            classes=plan.classes,
            training_data=(*earlier, TrainingData(own, self.licence)),
            scores=self._scores(),
            description=text[:_MOST_TEXT],
            code_version=__version__,
        )

    def _licence(self) -> str:
        """Return the user's licence, unless what it begins with is bound by one of its own."""
        plan = self.plan
        earlier = plan.start.licence if plan.start else weights_licence(plan.settings, plan.network)
        return self.licence if not earlier or is_free(earlier) else earlier

    def _scores(self) -> tuple[Score, ...]:
        """List the scores with what they were measured on."""
        plan, wish = self.plan, self.plan.settings
        judged = plan.of_part(plan.judged_by)
        apart = "near-duplicates together" if wish.duplicates else "by image"
        split = f"{PARTS[plan.judged_by]}: {len(judged)} of {len(plan.labels)} images, {apart}"
        listed = []
        for name, value in self.found.get("values", {}).items():
            low, high = self.found["limits"].get(name, (None, None))
            if not np.isfinite(value):
                continue
            if low is not None and not np.isfinite([low, high]).all():
                low, high = None, None
            bounds = (
                (None, None)
                if low is None
                else (round(min(low, value), 4), round(max(high, value), 4))
            )
            listed.append(
                Score(_METRICS[name], round(value, 4), plan.path.resolve().name, split, *bounds)
            )
        return tuple(listed)

    def _scored(self, chance: Table, numbers: Any) -> ImageClassScores:
        """Hold probabilities of some images against their categories."""
        plan = self.plan
        _, groups = np.unique(plan.groups[numbers], return_inverse=True)
        return ImageClassScores(plan.names, plan.labels[numbers], chance, groups)

    def _run(self, numbers: Any) -> tuple[Table, NDArray[np.float32]]:
        """Run the averaged network over some images."""
        learner = self.learner
        return predicted(
            learner.averaged.eval(),
            self.plan.seen.pictures,
            numbers,
            device=learner.device,
            cancel=None,
        )

    def _learner(self, network: Any) -> Learner:
        """Make what changes the network."""
        from napari_sem_tools.models import devices

        wish = self.plan.settings
        device, reason = devices.choose_device(wish.device)
        precision = devices.choose_precision(device, wish.precision)
        self.tell(TrainingEvent("note", text=f"Training on {device} in {precision} ({reason})."))
        pace = Pace(
            rate=wish.learning_rate,
            steps=wish.epochs * self.steps,
            steps_per_epoch=self.steps,
            schedule=wish.schedule,
            optimiser=wish.optimiser,
            weight_decay=wish.weight_decay,
            average=wish.average,
            clip_norm=wish.clip_norm,
        )
        return Learner(
            network,
            soft_loss,
            pace,
            device=device,
            precision=precision,
            groups=self.layers.groups(),
        )


learn = ClassificationSession.learn
"""Train as planned: see `Session.learn`."""
