"""Who says what an image shows: categories that were taught, or a trained network."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from napari_sem_tools.classification.categories import Categories, Judgement, read_categories
from napari_sem_tools.classification.embedding import embed_parts
from napari_sem_tools.classification.field import texture_field
from napari_sem_tools.classification.look import PARTS, WHOLE
from napari_sem_tools.errors import InvalidSettings, UnreadableFile
from napari_sem_tools.micrograph import Micrograph

__all__ = ["Judge", "TaughtJudge", "opened"]


class Judge(Protocol):
    """Whoever knows categories."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the categories."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Where each known example came from; empty where that is not kept."""

    @property
    def conclusive(self) -> bool:
        """Whether enough examples were left out for any category to be ruled out."""

    @property
    def identity(self) -> str:
        """What changes whenever the answers may change."""

    def judge(self, record: Micrograph, *, parts: bool = True) -> Judgement:
        """Judge an image: its whole field first, then, where wanted, each of `PARTS`."""


class TaughtJudge:
    """Categories that were taught from examples, by their embedding.

    Parameters
    ----------
    categories : Categories
    """

    def __init__(self, categories: Categories) -> None:
        self.categories = categories

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the categories."""
        return self.categories.names

    @property
    def sources(self) -> tuple[str, ...]:
        """Where each example came from."""
        return self.categories.examples.sources

    @property
    def conclusive(self) -> bool:
        """Whether any category can be ruled out."""
        return bool(np.isfinite(self.categories.limits).all())

    @property
    def identity(self) -> str:
        """Hash of the vectors and the head."""
        digest = hashlib.sha256(self.categories.identity.encode())
        for part in (self.categories.head.weights, self.categories.examples.vectors):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def judge(self, record: Micrograph, *, parts: bool = True) -> Judgement:
        """Judge an image: its whole field first, then, where wanted, each of `PARTS`.

        Parameters
        ----------
        record : Micrograph
        parts : bool

        Returns
        -------
        Judgement
            A row for each look.
        """
        chosen = (WHOLE, *PARTS) if parts else (WHOLE,)
        looks = embed_parts(texture_field(record), chosen, model=self.categories.embedding)
        return self.categories.judge(looks)


@contextlib.contextmanager
def opened(model: Categories | Judge | str | os.PathLike[str]) -> Iterator[Judge]:
    """Make a judge of whatever was given as a model; a network is borrowed meanwhile.

    Parameters
    ----------
    model : Categories, Judge, path-like or str
        Categories, the folder that they were saved in, or the name of a model of the registry.

    Yields
    ------
    Judge

    Raises
    ------
    UnreadableFile
        It is neither a folder of categories nor the name of a model.
    InvalidSettings
        The model is not for categories.
    """
    if isinstance(model, Categories):
        yield TaughtJudge(model)
    elif not isinstance(model, str | os.PathLike):
        yield model
    elif _is_network(model):
        from napari_sem_tools.classification.network import lent_judge

        with lent_judge(str(model)) as judge:
            yield judge
    else:
        yield TaughtJudge(_read(model))


def _is_network(model: str | os.PathLike[str]) -> bool:
    """Tell whether a model of the registry is meant; a folder of that name comes first."""
    if not isinstance(model, str) or Path(model).is_dir():
        return False
    from napari_sem_tools.models import models

    card = models.get(model)
    if card is None:
        return False
    if card.task != "classification":
        raise InvalidSettings(f"{card.key} is a model for {card.task}, not for categories.")
    return True


def _read(model: str | os.PathLike[str]) -> Categories:
    """Read categories; say that a name of a model would do as well."""
    try:
        return read_categories(model)
    except UnreadableFile as error:
        if Path(model).exists():
            raise
        raise UnreadableFile(
            error.message,
            hint="Give the folder that Categories.save wrote, or the name of a trained model.",
        ) from error
