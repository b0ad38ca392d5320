"""Teach categories from a handful of examples: no training, no network, seconds."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.categories import Categories
from napari_sem_tools.classification.confidence import conformal_limits, fit_temperature, softmax
from napari_sem_tools.classification.domain import far_limit, left_out_distances
from napari_sem_tools.classification.embedding import AUTO, embedding_row, resolved_embedding
from napari_sem_tools.classification.examples import Examples, examples_in, looked_at
from napari_sem_tools.classification.heads import HEADS, left_out, parts_of
from napari_sem_tools.classification.settings import TeachSettings
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["teach", "teach_vectors"]

Numbers = NDArray[np.intp]
Scores = NDArray[np.float64]


def teach(
    examples: Mapping[str, Iterable[Any]] | str | os.PathLike[str],
    *,
    group: Callable[[Any], Hashable] | None = None,
    model: str = AUTO,
    settings: TeachSettings | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Categories:
    """Teach categories from 1 to 50 examples of each.

    Parameters
    ----------
    examples : mapping of str to images, or path-like
        Examples by category, or a folder that has a folder of images for every category.
    group : callable, optional
        Gives of an example its specimen or session; examples of one group never judge each
        other.  By default every example is a group, and equal images are one.
    model : str
        Name of the embedding; ``"auto"``: the learned one where PyTorch is there.
    settings : TeachSettings, optional
    progress, cancel : callable, optional

    Returns
    -------
    Categories

    Raises
    ------
    InvalidTrainingSet
        Fewer than two categories, or one without examples.
    UnreadableFile
        An example cannot be read.
    Cancelled

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> fine = [rng.random((64, 64)) for _ in range(3)]
    >>> coarse = [np.kron(rng.random((16, 16)), np.ones((4, 4))) for _ in range(3)]
    >>> mine = teach({"fine": fine, "coarse": coarse})
    >>> mine.names, mine.report["accuracy"]
    (('fine', 'coarse'), 1.0)
    """
    given = examples_in(examples) if isinstance(examples, str | os.PathLike) else examples
    listed = [(name, one) for name, images in given.items() for one in images]
    names, model = tuple(given), resolved_embedding(model)
    found, groups = [], []
    for number, (name, one) in enumerate(listed):
        stop_if_cancelled(cancel)
        report(progress, number, len(listed), f"looking at {name}")
        found.append(looked_at(one, model=model))
        groups.append(group(one) if group is not None else found[-1][1].tobytes())
    size = embedding_row(model).dimension
    vectors, queries = (
        np.asarray([pair[k] for pair in found], np.float32).reshape(-1, size) for k in (0, 1)
    )
    kept = Examples(
        names,
        np.asarray([names.index(name) for name, _ in listed], np.intp),
        vectors,
        queries,
        _numbers(groups),
        tuple(_source(one) for _, one in listed),
    )
    report(progress, len(listed), len(listed), "comparing the examples")
    return teach_vectors(kept, model=model, settings=settings)


def _numbers(groups: list[Hashable]) -> Numbers:
    """Count groups in the order in which they appear."""
    place: dict[Hashable, int] = {}
    return np.asarray([place.setdefault(one, len(place)) for one in groups], np.intp)


def _source(example: Any) -> str:
    """Say where an example came from."""
    if isinstance(example, Micrograph):
        return "" if example.source is None else str(example.source)
    return str(Path(example)) if isinstance(example, str | os.PathLike) else ""


def teach_vectors(
    examples: Examples, *, model: str = "texture", settings: TeachSettings | None = None
) -> Categories:
    """Teach categories from examples whose vectors are at hand.

    Parameters
    ----------
    examples : Examples
    model : str
        Name of the embedding of their vectors.
    settings : TeachSettings, optional

    Returns
    -------
    Categories
        Of the kinds and strengths of heads, the one that names most left-out examples right
        (their categories weigh the same; with a tie, the less surprised one).
    """
    settings = settings or TeachSettings()
    parts = parts_of(examples.groups)
    wanted = HEADS if settings.head == "best" else {settings.head: HEADS[settings.head]}
    tried: list[tuple[float, float, str, float, Scores, float]] = []
    for name, row in wanted.items():
        for strength in row.strengths:
            scores = left_out(
                row, strength, examples.vectors, examples.queries, examples.labels, parts
            )
            temperature = fit_temperature(scores, examples.labels)
            right, surprise = _judged(scores, temperature, examples.labels)
            tried.append((right, -surprise, name, strength, scores, temperature))
    best = max(tried, key=lambda one: one[:2])
    _, _, name, strength, scores, temperature = best
    chance = softmax(scores, temperature)
    count = len(examples.names)
    known_by = embedding_row(model).known_by
    apart = left_out_distances(
        known_by(examples.queries), known_by(examples.vectors), examples.groups
    )
    return Categories(
        examples,
        model,
        embedding_row(model).identity,
        HEADS[name].fit(examples.vectors, examples.labels, count, strength),
        name,
        temperature,
        conformal_limits(chance, examples.labels, settings.missed),
        far_limit(apart, settings.near_percent),
        settings.missed,
        _report(tried, chance, examples.labels),
    )


def _judged(scores: Scores, temperature: float, labels: Numbers) -> tuple[float, float]:
    """Return accuracy and surprise, each the mean over categories."""
    chance = softmax(scores, temperature)
    share = np.bincount(labels)[labels] * len(np.unique(labels))
    right = float(((scores.argmax(1) == labels) / share).sum())
    own = np.maximum(chance[np.arange(len(labels)), labels], 1e-12)
    return round(right, 12), float((-np.log(own) / share).sum())


def _report(
    tried: list[tuple[float, float, str, float, Scores, float]], chance: Scores, labels: Numbers
) -> dict[str, float]:
    """Say how often left-out examples were named right, and how sure the head was of it."""
    found = {"accuracy": float((chance.argmax(1) == labels).mean())}
    found["confidence"] = float(chance.max(1).mean())
    for right, _, name, *_ in tried:
        key = f"balanced accuracy, {name}"
        found[key] = max(right, found.get(key, 0.0))
    return found
