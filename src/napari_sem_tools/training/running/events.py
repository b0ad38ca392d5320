"""What a training tells while it runs: one record, one line of JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

__all__ = ["TrainingEvent"]

_KINDS = ("plan", "step", "epoch", "note", "done", "cancelled", "failed")


@dataclasses.dataclass(frozen=True)
class TrainingEvent:
    """One piece of news.

    Attributes
    ----------
    kind : str
        ``plan``: it begins, `text` says what will be done.  ``step``: now and then within
        an epoch.  ``epoch``: one is done, with `scores`.  ``note``: `text` wants to be
        read.  ``done`` and ``cancelled``: the end, with the `model` that was kept, if any.
        ``failed``: the end, `text` is the sentence, `hint` what to do, `error` the class.
    epoch, epochs : int
        Epoch that runs or is done, counted from 1, and how many there are.  0: the scores
        are those of the model that is gone on from.
    step, steps : int
        Step within the epoch.
    loss, learning_rate : float or None
        Mean loss since the last event of that kind, and the rate.
    seconds_left : float or None
        To the end of the training, from the pace so far.
    scores : dict of str to float
        Of the judging images, after an epoch.
    best : bool
        The epoch is the best so far.
    previews : tuple of str
        Pictures of judging images with what is found in them (paths); the same files are
        written anew after each epoch.
    model : str
        ``name@version`` in the registry.
    text, hint, error : str

    Examples
    --------
    >>> event = TrainingEvent("epoch", epoch=2, epochs=10, scores={"pq": 0.5})
    >>> TrainingEvent.from_json(event.to_json()) == event
    True
    """

    kind: str
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    learning_rate: float | None = None
    seconds_left: float | None = None
    scores: dict[str, float] = dataclasses.field(default_factory=dict)
    best: bool = False
    previews: tuple[str, ...] = ()
    model: str = ""
    text: str = ""
    hint: str = ""
    error: str = ""

    @property
    def last(self) -> bool:
        """True when nothing comes after it."""
        return self.kind in _KINDS[-3:]

    @property
    def share(self) -> float:
        """How much of the training is done, 0 to 1."""
        if not self.epochs:
            return 0.0
        within = self.step / self.steps if self.steps else 0.0
        return min((max(self.epoch - 1, 0) + within) / self.epochs, 1.0)

    def to_json(self) -> str:
        """Return the event in one line; what is not said is left out."""
        silent = TrainingEvent(self.kind)
        said: dict[str, Any] = {"kind": self.kind}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != getattr(silent, field.name):
                said[field.name] = value
        return json.dumps(said, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> TrainingEvent:
        """Read an event; what a newer version says beside it is left out."""
        values = json.loads(line)
        known = {field.name for field in dataclasses.fields(cls)}
        given = {name: value for name, value in values.items() if name in known}
        given["previews"] = tuple(given.get("previews", ()))
        return cls(**given)
