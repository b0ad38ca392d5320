"""Looking at examples off the GUI thread; what cannot be read is named.  No Qt here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_sem_tools.classification.examples import looked_at
from napari_sem_tools.errors import Cancelled, SemError
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled
from napari_sem_tools.widgets.classify.lesson import Example
from napari_sem_tools.widgets.focus.sight import Sight

__all__ = ["Found", "look_at_examples"]


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """Examples that were looked at.

    Attributes
    ----------
    examples : dict of str to list of Example
        By category; categories none of whose images could be read are left out.
    problems : tuple of str
        What could not be read, and why.
    """

    examples: dict[str, list[Example]]
    problems: tuple[str, ...] = ()


def look_at_examples(
    images: Mapping[str, Sequence[Path | Sight]],
    *,
    model: str,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Found:
    """Look at images as examples of categories.

    Parameters
    ----------
    images : mapping of str to sequence of Path or Sight
        By category.
    model : str
        Name of the embedding.
    progress, cancel : callable, optional

    Returns
    -------
    Found

    Raises
    ------
    SemError
        None of them could be read.
    Cancelled
    """
    listed = [(name, one) for name, held in images.items() for one in held]
    examples: dict[str, list[Example]] = {}
    problems: list[SemError] = []
    for number, (name, one) in enumerate(listed):
        stop_if_cancelled(cancel)
        report(progress, number, len(listed), f"looking at {_source(one)}")
        try:
            vector, query = looked_at(_image(one), model=model)
        except Cancelled:
            raise
        except SemError as error:
            problems.append(error)
            continue
        examples.setdefault(name, []).append(Example(str(_full(one)), vector, query))
    report(progress, len(listed), len(listed), "looked at all")
    if problems and not examples:
        raise problems[0]
    return Found(examples, tuple(one.message for one in problems))


def _image(one: Path | Sight) -> Any:
    """Return what is looked at."""
    return one.image() if isinstance(one, Sight) else one


def _full(one: Path | Sight) -> Any:
    """Return the file of an image where it has one, else the name of its layer."""
    if isinstance(one, Sight):
        source = one.whole.source
        return source if source is not None and one.page is None else one.name
    return one


def _source(one: Path | Sight) -> str:
    """Return the short name of an image."""
    return one.name
