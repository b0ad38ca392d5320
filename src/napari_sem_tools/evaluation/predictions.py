"""Predictions of trainings of categories, read back and pooled: every image judged once."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from napari_sem_tools.errors import InvalidSettings, UnreadableFile
from napari_sem_tools.evaluation.classes_of_images import ImageClassScores, evaluate_images

__all__ = ["Predictions", "Suspect", "read_predictions"]

_CHANCE = "p "


@dataclasses.dataclass(frozen=True)
class Suspect:
    """An image whose label is probably wrong.

    Attributes
    ----------
    path : str
    category : str
        Its label.
    rather : str
        What the model is confident of.
    chance, rather_chance : float
        Probability of either.
    """

    path: str
    category: str
    rather: str
    chance: float
    rather_chance: float


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Images that were judged, with what was said of them.

    Attributes
    ----------
    paths : tuple of str
    scores : ImageClassScores
        In the same order.
    """

    paths: tuple[str, ...]
    scores: ImageClassScores

    def review(self) -> tuple[Suspect, ...]:
        """List images whose label is probably wrong, the surest first.

        Returns
        -------
        tuple of Suspect

        References
        ----------
        .. [1] C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty
           in dataset labels", J. Artif. Intell. Res. 70, 1373 (2021).
        """
        names, chance, true = self.scores.names, self.scores.chance, self.scores.true
        found = []
        for place in self.scores.suspects():
            others = np.where(np.arange(len(names)) == true[place], -1.0, chance[place])
            rather = int(others.argmax())
            own = float(chance[place, true[place]])
            found.append(
                Suspect(
                    self.paths[place],
                    names[true[place]],
                    names[rather],
                    own,
                    float(chance[place, rather]),
                )
            )
        return tuple(found)

    def named(self, true: str, named: str) -> tuple[str, ...]:
        """List the images behind a cell of the confusion matrix.

        Parameters
        ----------
        true, named : str
            Categories.

        Returns
        -------
        tuple of str
            Paths, the surest first.
        """
        order = np.argsort(-self.scores.chance.max(axis=1), kind="stable")
        names = self.scores.names
        pair = (names.index(true), names.index(named))
        held = zip(self.scores.true[order], self.scores.named[order], order, strict=True)
        return tuple(self.paths[place] for a, b, place in held if (a, b) == pair)


def read_predictions(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, part: str = ""
) -> Predictions:
    """Read what trainings said of images that they did not learn from.

    Parameters
    ----------
    paths : path-like, or iterable of these
        ``predictions.csv`` of a run, or of all folds of one set.
    part : str
        ``"validation"`` or ``"test"``: these images alone.

    Returns
    -------
    Predictions

    Raises
    ------
    UnreadableFile
        One of them is no table of predictions, or there is no image in it.
    InvalidSettings
        They know other categories, or the same image was judged twice.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    rows: list[dict[str, str]] = []
    heads: list[str] | None = None
    for one in given:
        found, names = _rows(Path(one))
        if heads is not None and names != heads:
            raise InvalidSettings(f"{one} knows other categories than {given[0]}.")
        heads = names
        rows += [row for row in found if not part or row["part"] == part]
    if not rows or heads is None:
        raise UnreadableFile("There is no image in the predictions.")
    listed = tuple(row["path"] for row in rows)
    if len(set(listed)) < len(listed):
        raise InvalidSettings(
            "The same image was judged twice.", hint="Give the folds of one set, each once."
        )
    chance = np.asarray([[float(row[_CHANCE + name]) for name in heads] for row in rows])
    groups = [row.get("group") or row["path"] for row in rows]
    scores = evaluate_images([row["category"] for row in rows], chance, heads, groups=groups)
    return Predictions(listed, scores)


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Read the rows of a table, and the names of its categories."""
    try:
        rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableFile(f"{path} cannot be read.", hint="Check the path.") from error
    heads = list(rows[0]) if rows else []
    names = [head.removeprefix(_CHANCE) for head in heads if head.startswith(_CHANCE)]
    if not {"path", "category", "part"} <= set(heads) or len(names) < 2:
        raise UnreadableFile(
            f"{path.name} holds no predictions.",
            hint="Give predictions.csv of a training of categories.",
        )
    return rows, names
