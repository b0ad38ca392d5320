"""A network that learns: weights, their average, optimiser and schedule, saved as one."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_sem_tools.errors import SemError
from napari_sem_tools.files import write_file
from napari_sem_tools.training.running.freezing import hold_still

__all__ = ["Learner", "Pace", "load_checkpoint", "save_checkpoint"]

_WARM_UP = 0.1  # share of the steps until the rate is at its largest
_RISE_STEPS, _FALL_SHARE = 300, 0.25  # of a plateau
_START = 1 / 25  # of the largest rate, at the first step
_END = _START / 1e4  # at the last one
_BETAS = (0.95, 0.85)  # the momentum is low where the rate is high
_HALF_EVERY = 10  # epochs
_ADAM_EPS = 1e-7  # as the TEM paper says
_MOMENTUM = 0.9  # of SGD
_KERAS_DECAY = 0.9  # of RMSprop, as Keras has it


@dataclasses.dataclass(frozen=True)
class Pace:
    """How fast a network learns.

    Attributes
    ----------
    rate : float
        The largest learning rate.
    steps, steps_per_epoch : int
        Of the whole training, and of an epoch.
    schedule : {"one-cycle", "cosine", "plateau", "constant", "halving"}
    optimiser : {"adamw", "adam", "sgd", "rmsprop"}
        SGD has a momentum of 0.9 and no decay; RMSprop is that of Keras.
    weight_decay : float
    average : float
        Decay of the averaged weights; 0: none.
    clip_norm : float
        Largest norm of the gradient; 0: any.

    References
    ----------
    .. [1] L. N. Smith, N. Topin, "Super-convergence", arXiv 1708.07120 (2017): one cycle.
    .. [2] S. Hu et al., "MiniCPM", arXiv 2404.06395 (2024): warm up, stay, decay (plateau).
    """

    rate: float
    steps: int
    steps_per_epoch: int = 1
    schedule: str = "one-cycle"
    optimiser: str = "adamw"
    weight_decay: float = 0.02
    average: float = 0.998
    clip_norm: float = 1.0

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0.

        Examples
        --------
        >>> pace = Pace(rate=1.0, steps=109)
        >>> [round(pace.rate_at(step), 4) for step in (0, 10, 109)]
        [0.04, 1.0, 0.0]
        """
        return self.rate * _SCHEDULES[self.schedule](self, step)

    def momentum_at(self, step: int) -> float | None:
        """Return the first beta of a step; None where the schedule does not change it."""
        if self.schedule != "one-cycle":
            return None
        high, low = _BETAS
        return _up_and_down(self, step, high, low, high)


def _cosine_between(first: float, last: float, share: float) -> float:
    """Go from one value to another along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * min(max(share, 0), 1))) / 2


def _up_and_down(pace: Pace, step: int, first: float, middle: float, last: float) -> float:
    """Go to the middle value quickly, then to the last slowly."""
    turn = _WARM_UP * (pace.steps + 1) - 1
    if step <= turn:
        return _cosine_between(first, middle, step / turn if turn > 0 else 1)
    return _cosine_between(middle, last, (step - turn) / max(pace.steps - turn, 1))


def _plateau(pace: Pace, step: int) -> float:
    """Rise, stay, and fall to nothing in the last quarter: the end can be chosen late."""
    rise = min(_RISE_STEPS, 0.1 * pace.steps)
    fall = (1 - _FALL_SHARE) * pace.steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return min(1.0, max(pace.steps - step, 0) / max(pace.steps - fall, 1))


_SCHEDULES: dict[str, Callable[[Pace, int], float]] = {
    "one-cycle": lambda pace, step: _up_and_down(pace, step, _START, 1, _END),
    "cosine": lambda pace, step: _cosine_between(1, 0, step / max(pace.steps, 1)),
    "plateau": _plateau,
    "constant": lambda pace, step: 1.0,
    "halving": lambda pace, step: 0.5 ** (step // pace.steps_per_epoch // _HALF_EVERY),
}


class Learner:
    """A network, the average of its weights, and what changes them.

    Parameters
    ----------
    network : torch.nn.Module
        On its device, in float32.
    loss : callable
        ``loss(logits, targets)`` of tensors.
    pace : Pace
    device : str
    precision : {"fp32", "bf16", "fp16"}
    frozen : list of torch.nn.Module
        From `freezing.freeze`.
    groups : list of dict, optional
        Weights of the network in groups, each with ``params`` and its ``share`` of the rate.
    """

    def __init__(
        self,
        network: Any,
        loss: Callable[[Any, Any], Any],
        pace: Pace,
        *,
        device: str = "cpu",
        precision: str = "fp32",
        frozen: list[Any] | None = None,
        groups: list[dict[str, Any]] | None = None,
    ) -> None:
        import torch

        self.torch, self.loss, self.pace = torch, loss, pace
        self.device, self.frozen = device, frozen or []
        self.network = network.to(device, memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.network).eval() if pace.average else self.network
        moving = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimiser = _optimiser(torch, pace, groups or moving)
        self.kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        self.scaler = torch.amp.GradScaler(device, enabled=precision == "fp16")
        self.done = 0
        self.model = self.network  # what is called: the network, or it shared by processes

    @property
    def on_cpu(self) -> bool:
        """True when it learns on the processor."""
        return bool(self.device == "cpu")

    def train(self) -> None:
        """Set the network to learn; frozen layers stay still."""
        self.network.train()
        hold_still(self.frozen)

    def step(self, images: Any, targets: Any) -> float:
        """Learn one batch.

        Parameters
        ----------
        images, targets : float32 arrays (N, ..., Y, X)

        Returns
        -------
        float
            The loss before the step.

        Raises
        ------
        SemError
            The loss is no number any more.
        """
        torch = self.torch
        self._set_pace()
        given = torch.from_numpy(images).to(self.device, memory_format=torch.channels_last)
        truth = torch.from_numpy(targets).to(self.device)
        half = contextlib.nullcontext() if self.kind is None else self._autocast()
        with half:
            logits = self.model(given)
        loss = self.loss(logits, truth)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise SemError(
                f"The training diverged at step {self.done + 1}: the loss is no number.",
                hint="Lower learning_rate, or set precision to fp32.",
            )
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.pace.clip_norm:
            self.scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.pace.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.done += 1
        self._follow()
        return value

    def _set_pace(self) -> None:
        """Set rate and momentum of the coming step."""
        momentum = self.pace.momentum_at(self.done)
        for group in self.optimiser.param_groups:
            group["lr"] = self.pace.rate_at(self.done) * group.get("share", 1.0)
            if momentum is not None and "betas" in group:
                group["betas"] = (momentum, group["betas"][1])

    def _autocast(self) -> Any:
        """Compute in half precision."""
        return self.torch.autocast(self.device, self.kind)

    def _follow(self) -> None:
        """Move the averaged weights: the mean of late weights generalises better."""
        if self.averaged is self.network:
            return
        keep = min(self.pace.average, 1 - 1 / (self.done / 5 + 1))
        slow, fast = self.averaged.state_dict(), self.network.state_dict()
        with self.torch.no_grad():
            for name, value in slow.items():
                if value.dtype.is_floating_point:
                    value.lerp_(fast[name], 1 - keep)
                else:
                    value.copy_(fast[name])

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on, random numbers included."""
        cuda = self.torch.cuda.get_rng_state_all() if self.device == "cuda" else []
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict() if self.pace.average else {},
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": [self.torch.get_rng_state(), *cuda],
            "done": self.done,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state.

        Parameters
        ----------
        state : dict
            As `state` gave it.

        Raises
        ------
        SemError
            It is that of another network, or of another version of this program.
        """
        try:
            self._load(state)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise SemError(
                "The checkpoint is that of another network or another version.",
                hint="Begin anew, in another folder or with overwrite.",
            ) from error

    def _load(self, state: dict[str, Any]) -> None:
        """Set weights, optimiser and random numbers."""
        self.network.load_state_dict(state["network"])
        if self.pace.average:
            self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        first, *cuda = state["random"]
        self.torch.set_rng_state(first)
        if cuda and self.device == "cuda":
            self.torch.cuda.set_rng_state_all(cuda)
        self.done = int(state["done"])

    def weights(self) -> bytes:
        """Return the averaged weights as a safetensors file."""
        from safetensors.torch import save

        state = self.averaged.state_dict()
        return bytes(save({name: value.cpu().contiguous() for name, value in state.items()}))


def save_checkpoint(path: Path, parts: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all.

    Parameters
    ----------
    path : Path
    parts : dict
        Tensors, numbers, texts, and lists and dicts of them.
    """
    import torch

    write_file(path, lambda file: torch.save(parts, file))


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint; None where there is none.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict or None

    Raises
    ------
    SemError
        The file is damaged.
    """
    import torch

    if not path.exists():
        return None
    try:
        return dict(torch.load(path, weights_only=True, map_location="cpu"))
    except Exception as error:  # pickle and zip fail in many ways
        raise SemError(
            f"The checkpoint {path} cannot be read.", hint="Begin anew with overwrite."
        ) from error


def _optimiser(torch: Any, pace: Pace, weights: list[Any]) -> Any:
    """Make the optimiser by name."""
    if pace.optimiser == "adam":
        return torch.optim.Adam(
            weights, lr=pace.rate, betas=(0.9, 0.999), eps=_ADAM_EPS, weight_decay=0
        )
    if pace.optimiser == "rmsprop":
        return torch.optim.RMSprop(weights, lr=pace.rate, alpha=_KERAS_DECAY, eps=_ADAM_EPS)
    if pace.optimiser == "sgd":
        return torch.optim.SGD(weights, lr=pace.rate, momentum=_MOMENTUM)
    return torch.optim.AdamW(weights, lr=pace.rate, weight_decay=pace.weight_decay)
