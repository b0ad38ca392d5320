"""A training of a network for focus in this process: frames, judging, the card."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools._version import __version__
from napari_sem_tools.focus.network import scores_of, with_conditions
from napari_sem_tools.models.card import ModelCard, Score, TrainingData, WeightsFile
from napari_sem_tools.models.store import Store
from napari_sem_tools.tasks import stop_if_cancelled
from napari_sem_tools.training.focus.frames import Drawing, FrameSource, SharpPicture
from napari_sem_tools.training.focus.losses import focus_loss, score_loss
from napari_sem_tools.training.focus.plan import FocusPlan, JudgedPicture
from napari_sem_tools.training.focus.scored import ScoredSource, centre, scaled
from napari_sem_tools.training.focus.truths import PLANES
from napari_sem_tools.training.running.course import Session
from napari_sem_tools.training.running.events import TrainingEvent
from napari_sem_tools.training.running.judging import Verdict
from napari_sem_tools.training.running.learner import Learner, Pace

__all__ = ["FocusSession", "learn", "score_errors"]

_JUDGED_FRAMES = 8  # a sharp picture that judges is blurred this often
_JUDGING_SEED = 10**6
_METRICS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "spearman": "Spearman",
    "rmse of a constant": "RMSE of a constant",
}


class FocusSession(Session):
    """A training of a focus score, from expert scores or from sharp pictures."""

    plan: FocusPlan

    def prepare(self) -> None:
        """Build the network and the source of frames."""
        plan = self.plan
        for note in plan.notes:
            self.tell(TrainingEvent("note", text=note))
        train, judges = (plan.chosen(side) for side in (plan.split.train, plan.split.validation))
        self.sampler = self._source(train, plan.settings.seed)
        self.judges = self._judging(judges)
        self.steps = plan.settings.steps_per_epoch or self.sampler.steps
        self.learner = self._learner()
        self.whole_start = plan.start is not None

    def judge(self) -> Verdict:
        """Score the frames that judge with the averaged weights."""
        found, truth = [], []
        torch, network = self.learner.torch, self.learner.averaged.eval()
        for images, scores in self.judges:
            stop_if_cancelled(self.cancel)
            with torch.inference_mode():
                made = network(torch.from_numpy(images).to(self.learner.device)).float().cpu()
            found.append(scores_of(made.numpy()))
            truth.append(scores)
        if not found:
            return Verdict({}, {}, {})
        return Verdict(score_errors(np.concatenate(truth), np.concatenate(found)), {}, {})

    def show(self, verdict: Verdict) -> tuple[str, ...]:
        """Show nothing: a score has no picture."""
        return ()

    def value(self, scores: dict[str, float]) -> float:
        """Return what the best epoch has most of: the smallest error, or the last epoch."""
        if self.criterion == "last":
            return float(self.course.epoch)
        return -scores[self.criterion]

    @property
    def criterion(self) -> str:
        """Name of the score that decides which epoch is the best."""
        return str(self.plan.settings.judge_by)

    def card(self, version: str, weights: WeightsFile, course: str = "") -> ModelCard:
        """Write the card."""
        plan, wish = self.plan, self.plan.settings
        own = f"{plan.path.resolve().name}: {len(plan.split.train)} images"
        begun = f"Fine-tuned from {plan.start.key}" if plan.start else "Trained from nothing"
        earlier = plan.start.training_data if plan.start else ()
        split = f"validation: {len(plan.split.validation)} of {len(plan.pictures)} images, by group"
        return ModelCard(
            name=self.name,
            version=version,
            task="focus",
            architecture=plan.architecture,
            arguments=plan.arguments,
            weights=weights,
            licence=self.licence,
            created=datetime.date.today().isoformat(),
            input=plan.input_spec,
            outputs=plan.outputs,
            training_data=(*earlier, TrainingData(own, self.licence)),
            scores=tuple(
                Score(_METRICS[name], round(value, 4), plan.path.resolve().name, split)
                for name, value in self.course.best_scores.items()
                if np.isfinite(value)
            ),
            description=f"{begun} on {own} (focus by {plan.truth}); {wish.optimiser} "
            f"{wish.learning_rate:g} {wish.schedule}, seed {wish.seed}. {course}",
            code_version=__version__,
        )

    def _source(self, pictures: Sequence[JudgedPicture], seed: int) -> Any:
        """Make what draws frames."""
        plan, wish = self.plan, self.plan.settings
        if plan.truth == "scores":
            return ScoredSource(
                pictures,
                plan.conditions,
                shape=(wish.rows, wish.columns),
                batch=wish.batch,
                unit=plan.papers,
                flips=wish.flips,
                empty=wish.empty,
                seed=seed,
            )
        return _Blurred(pictures, wish, seed)

    def _judging(self, pictures: Sequence[JudgedPicture]) -> list[tuple[Any, Any]]:
        """Make the frames that judge, always the same."""
        plan, wish = self.plan, self.plan.settings
        if not pictures:
            return []
        if plan.truth == "defocus":
            source = _Blurred(pictures, wish, _JUDGING_SEED + wish.seed)
            count = -(-_JUDGED_FRAMES * len(pictures) // wish.batch)
            drawn = [source.batch(0, step) for step in range(count)]
            return [_with_score(images, truth) for images, truth in drawn]
        made = []
        for picture in pictures:
            grey = centre(picture.grey, (wish.rows, wish.columns))
            frame = scaled(grey, picture.depth, unit=plan.papers)
            planes = with_conditions(frame, plan.conditions(picture))
            made.append((planes[None], np.array([picture.score or 0.0])))
        return made

    def _learner(self) -> Learner:
        """Make the network and what changes it."""
        from napari_sem_tools.models import devices
        from napari_sem_tools.models.architectures import build

        wish, torch = self.plan.settings, devices.torch()
        if wish.threads:
            torch.set_num_threads(wish.threads)
        torch.manual_seed(wish.seed)
        network = build(self.plan.architecture, self.plan.arguments)
        if self.plan.start is not None:
            _fill(network, self.plan.start, self.store)
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
        loss = score_loss if self.plan.papers else focus_loss
        return Learner(network, loss, pace, device=device, precision=precision)


class _Blurred:
    """Frames of sharp pictures, by epoch and step."""

    def __init__(self, pictures: Sequence[JudgedPicture], wish: Any, seed: int) -> None:
        sharp = [SharpPicture(p.name, p.grey, p.group, pixel_nm=p.pixel_nm) for p in pictures]
        drawing = Drawing(rows=wish.rows, columns=wish.columns, empty=wish.empty)
        self.source, self.size = FrameSource(sharp, drawing, seed=seed), wish.batch
        self.steps = max(1, -(-len(pictures) // self.size))

    def batch(self, epoch: int, step: int) -> tuple[Any, Any]:
        """Draw a batch."""
        return self.source.batch((epoch << 20) + step, self.size)


def score_errors(truth: NDArray[Any], found: NDArray[Any]) -> dict[str, float]:
    """Return how far scores are off, beside what a constant would have.

    Parameters
    ----------
    truth, found : float array (N,)

    Returns
    -------
    dict of str to float
        ``rmse``, ``mae``, ``spearman`` (NaN for less than three) and ``rmse of a constant``.

    Examples
    --------
    >>> score_errors(np.array([1.0, 3.0]), np.array([1.0, 3.0]))["rmse"]
    0.0
    """
    from scipy.stats import spearmanr

    error = found - truth
    ranked = len(truth) > 2 and np.ptp(truth) > 0 and np.ptp(found) > 0
    return {
        "rmse": float(np.sqrt(np.square(error).mean())),
        "mae": float(np.abs(error).mean()),
        "spearman": float(spearmanr(truth, found).statistic) if ranked else float("nan"),
        "rmse of a constant": float(truth.std()),
    }


def _with_score(images: Any, truth: Any) -> tuple[Any, Any]:
    """Keep the scores of a drawn batch: 0 where there is nothing to focus on."""
    score, informs = (
        truth[:, PLANES.index(name)].mean((1, 2)) for name in ("score", "information")
    )
    return images, score * informs


def _fill(network: Any, start: ModelCard, store: Store) -> None:
    """Give a network the weights that it goes on from."""
    from safetensors.torch import load

    from napari_sem_tools.models.weights import read_verified

    found = load(read_verified(store.weights(start.key), start.weights))
    own = network.state_dict()
    network.load_state_dict({name: value.to(own[name].dtype) for name, value in found.items()})


learn = FocusSession.learn
"""Train as planned: see `Session.learn`."""
