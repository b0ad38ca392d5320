"""What was scored and how: the lines without which a score means nothing."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Protocol"]


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What a table of scores has to say beside the numbers.

    Attributes
    ----------
    data_set : str
        Name of the images, with their licence where it matters.
    split : str
        Which of them: ``"test, by article"``, ``"fold 3 of 5"``, ``"all"``.
    model : str
        What found the particles: name, version and hash.
    training_seed : int or None
        Seed of the training that made the model.
    n_boot, seed : int
        Draws of the bootstrap over images, and their seed.
    settings : dict
        Of the method, the same for all images.
    notes : tuple of str
        What a reader must know before comparing.

    Examples
    --------
    >>> Protocol(data_set="made", split="all").rows()["split"]
    'all'
    """

    data_set: str = ""
    split: str = ""
    model: str = ""
    training_seed: int | None = None
    n_boot: int = 2000
    seed: int = 0
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def rows(self) -> dict[str, str]:
        """Name to text, for a table; what is not known says so."""
        unknown = "not stated"
        return {
            "data set": self.data_set or unknown,
            "split": self.split or unknown,
            "model": self.model or unknown,
            "seed of the training": unknown
            if self.training_seed is None
            else str(self.training_seed),
            "intervals": f"95 %, percentile bootstrap over images, {self.n_boot} draws, "
            f"seed {self.seed}",
        }

    def with_results(self, folder: str | os.PathLike[str]) -> Protocol:
        """Take model and settings from the ``summary.json`` of a folder of results.

        Parameters
        ----------
        folder : path
            As ``sem-tools analyze`` writes it; without a summary nothing changes.

        Returns
        -------
        Protocol
            What is stated already stays.
        """
        try:
            said = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
            method, model, settings = said["method"], said["model"], dict(said["settings"])
        except (OSError, ValueError, KeyError, TypeError):
            return self
        return dataclasses.replace(
            self, model=self.model or str(model or method), settings=self.settings or settings
        )
