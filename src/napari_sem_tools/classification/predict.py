"""Which category an image is of, how sure, and three ways of saying that it is none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.categories import Categories
from napari_sem_tools.classification.judges import Judge, TaughtJudge, opened
from napari_sem_tools.classification.ledger import Ledger, opened_ledger
from napari_sem_tools.classification.look import PARTS
from napari_sem_tools.classification.signs import seen_signs
from napari_sem_tools.errors import Cancelled, SemError
from napari_sem_tools.reading.inputs import as_micrograph, list_files
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ANSWERS", "PARTS", "classify", "classify_one"]

ANSWERS: Final = (
    "category", "two of these", "patches disagree", "none of these", "no micrograph",
)  # fmt: skip
"""What can be said of an image; all but the first are reasons to look at it."""

_SURE: Final = 0.8  # probability from which the vote of a part counts
_OTHERS: Final = 2  # parts that must be sure of another category


def classify(
    images: Any,
    model: Categories | str | os.PathLike[str],
    *,
    parts: bool = True,
    ledger: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> pd.DataFrame:
    """Say of images which category they are of, how sure, and whether of any.

    Parameters
    ----------
    images : path-like, Micrograph, layer, array, or an iterable of these
        Files, folders, patterns or a CSV of paths; one is read at a time.
    model : Categories, path-like or str
        Categories that were taught, the folder that they were saved in, or the name of a
        trained model of the registry.
    parts : bool
        Whether six parts of each image vote too; without them it takes a seventh of the time
        of a network, and *patches disagree* is never said.
    ledger : path-like, optional
        File beside which every row is kept as soon as it is there; the same call goes on
        after a stop or a crash, and asks only what is new, changed, or of another model.
    progress, cancel : callable, optional

    Returns
    -------
    DataFrame
        A row an image: ``image``, ``category``, ``confidence``, ``answer`` (one of `ANSWERS`),
        ``reason`` (why it is no micrograph), ``possible`` (the conformal set, likeliest
        first), ``in_domain``, ``distance``, ``nearest`` (the example that is most alike), the
        probability of every category as ``p <category>``, and ``error`` for what could not be
        read.  A trained model has no name of the nearest example.

    Raises
    ------
    UnreadableFile
        There is no image, or `model` holds no categories.
    ModelNotFound, InvalidSettings
        There is no such model, or it is not for categories.
    MissingExtra
        A trained model needs PyTorch, which is not installed.
    Cancelled

    Examples
    --------
    >>> from napari_sem_tools.classification import teach
    >>> rng = np.random.default_rng(0)
    >>> fine = [rng.integers(99, 180, (64, 64)) // 2 * 2 for _ in range(3)]
    >>> coarse = [np.kron(one[:16, :16], np.ones((4, 4))) for one in fine]
    >>> mine = teach({"fine": fine, "coarse": coarse})
    >>> named = classify([fine[0], np.zeros((64, 64))], mine)
    >>> named["reason"].tolist()[1]
    'most of it is flat, like a page, a plot or nothing'
    """
    import pandas as pd

    listed = _listed(images)
    rows = []
    with opened(model) as judge, _kept_by(ledger, judge, parts) as kept:
        for number, one in enumerate(listed):
            stop_if_cancelled(cancel)
            report(progress, number, len(listed), f"looking at {_name(one, number)}")
            row = None if kept is None else kept.find(one)
            if row is None:
                row = _row(one, judge, parts)
                if kept is not None:
                    kept.keep(one, row)
            rows.append({"image": _name(one, number)} | row)
        chances = [f"p {name}" for name in judge.names]
    report(progress, len(listed), len(listed), "classified")
    return pd.DataFrame(rows, columns=["image", *_COLUMNS, *chances, "error"])


_COLUMNS: Final = (
    "category", "confidence", "answer", "reason", "possible", "in_domain", "distance", "nearest",
)  # fmt: skip


def _kept_by(
    ledger: str | os.PathLike[str] | None, judge: Judge, parts: bool
) -> contextlib.AbstractContextManager[Ledger | None]:
    """Open the rows of an earlier run where some are to be kept."""
    if ledger is None:
        return contextlib.nullcontext()
    return opened_ledger(ledger, judge.identity if parts else f"{judge.identity} whole")


def _listed(images: Any) -> list[Any]:
    """List single images; paths are expanded."""
    if isinstance(images, str | os.PathLike):
        return list(list_files(images))
    if isinstance(images, np.ndarray) or not isinstance(images, Iterable):
        return [images]
    if hasattr(images, "pixels") or hasattr(images, "metadata"):
        return [images]
    found: list[Any] = []
    for one in images:
        found += list_files(one) if isinstance(one, str | os.PathLike) else [one]
    return found


def _name(image: Any, number: int) -> str:
    """Name an image for the table."""
    if isinstance(image, str | os.PathLike):
        return str(image)
    source = getattr(image, "source", None)
    if isinstance(source, Path):
        return str(source)
    return str(getattr(image, "name", "") or f"image {number + 1}")


def _row(image: Any, judge: Judge, parts: bool) -> dict[str, Any]:
    """Classify one image; what cannot be read has its reason."""
    try:
        return classify_one(image, judge, parts=parts)
    except Cancelled:
        raise
    except SemError as error:
        return {"error": error.message}


def classify_one(image: Any, model: Categories | Judge, *, parts: bool = True) -> dict[str, Any]:
    """Classify one image.

    Parameters
    ----------
    image : path-like, Micrograph, layer or array
    model : Categories or Judge
        Categories, or what `judges.opened` gives for any model.
    parts : bool
        Whether six parts of it vote too.

    Returns
    -------
    dict of str to object
        By the columns of `classify`.

    Raises
    ------
    SemError
        It cannot be read, or it is too small.
    """
    judge = TaughtJudge(model) if isinstance(model, Categories) else model
    record = as_micrograph(image).plane()
    signs = seen_signs(record)
    found = judge.judge(record, parts=parts)
    chance, first = found.chance[0], int(found.chance[0].argmax())
    possible = [n for n in np.argsort(-chance, kind="stable") if found.kept[0, n]]
    known = bool(found.near[0])
    doubt = len(possible) > 1 and judge.conclusive
    answer = _answer(bool(signs), known, _disagree(found.chance), doubt)
    names, sources = judge.names, judge.sources
    return {
        "category": names[first] if answer not in ANSWERS[3:] else "",
        "confidence": float(chance[first]),
        "answer": answer,
        "reason": "; ".join(signs),
        "possible": tuple(names[n] for n in possible),
        "in_domain": known,
        "distance": float(found.distance[0]),
        "nearest": sources[found.example[0]] if sources else "",
        **{f"p {name}": float(one) for name, one in zip(names, chance, strict=True)},
        "error": "",
    }


def _disagree(chance: NDArray[np.float64]) -> bool:
    """Tell whether parts are sure of another category than the whole, and of it alone."""
    parts = chance[1:]
    sure = parts.max(axis=1) >= _SURE
    votes = np.bincount(parts.argmax(axis=1)[sure], minlength=chance.shape[1])
    return bool((np.sort(votes)[-2:] >= _OTHERS).all())


def _answer(alien: bool, known: bool, mixed: bool, doubt: bool) -> str:
    """Choose what is said; the gravest doubt comes first."""
    said = ((alien, 4), (not known, 3), (mixed, 2), (doubt, 1))
    return ANSWERS[next((place for holds, place in said if holds), 0)]
