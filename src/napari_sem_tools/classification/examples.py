"""Examples of categories, as vectors."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.embedding import AUTO, embed_parts
from napari_sem_tools.classification.field import texture_field
from napari_sem_tools.errors import InvalidTrainingSet, UnreadableFile
from napari_sem_tools.reading.inputs import list_files

__all__ = ["VIEWS", "Examples", "examples_in", "looked_at"]

Vectors = NDArray[np.float32]
Numbers = NDArray[np.intp]

VIEWS: Final = ((1.0, 0.0, 0.0), (0.7, 0.0, 0.0), (0.7, 0.0, 1.0), (0.7, 1.0, 0.0),
                (0.7, 1.0, 1.0), (0.7, 0.5, 0.5))  # fmt: skip
"""The parts of an example that are averaged: the whole, and five crops of 0.7 of its side."""


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Examples of categories as vectors of one embedding.

    Attributes
    ----------
    names : tuple of str
        Of the categories.
    labels : int array (n,)
        Number of the category of each example.
    vectors : float32 array (n, dimension)
        Mean of the views of each, of length 1.
    queries : float32 array (n, dimension)
        Each as a single view, which is how images are looked at later.
    groups : int array (n,)
        Examples of one group (a specimen, a session) never judge each other.
    sources : tuple of str
        Where each came from; empty when nobody said.

    Raises
    ------
    InvalidTrainingSet
        Fewer than two categories, one without examples, or all examples of one group.
    """

    names: tuple[str, ...]
    labels: Numbers
    vectors: Vectors
    queries: Vectors
    groups: Numbers
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what nothing can be learnt from."""
        if len(self.names) < 2:
            raise InvalidTrainingSet(
                f"There is one category, {self.names[0]!r}." if self.names
                else "There is no category.",
                hint="Give examples of at least two.",
            )  # fmt: skip
        empty = np.bincount(self.labels, minlength=len(self.names)) == 0
        if empty.any():
            raise InvalidTrainingSet(
                f"The category {self.names[int(empty.argmax())]!r} has no example.",
                hint="Give at least one; five or more are better.",
            )
        if len(np.unique(self.groups)) < 2:
            raise InvalidTrainingSet(
                "All examples are of one group.",
                hint="Groups are specimens or sessions; leave them out if there is only one.",
            )

    @property
    def counts(self) -> dict[str, int]:
        """Number of examples of each category."""
        found = np.bincount(self.labels, minlength=len(self.names))
        return dict(zip(self.names, found.tolist(), strict=True))


def looked_at(image: Any, *, model: str = AUTO) -> tuple[Vectors, Vectors]:
    """Look at an example from several sides.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array
    model : str
        Name of the embedding.

    Returns
    -------
    vector : float32 array (dimension,)
        Mean over `VIEWS`, of length 1.
    query : float32 array (dimension,)
        Of the whole field alone.
    """
    views = embed_parts(texture_field(image), VIEWS, model=model)
    mean = views.mean(axis=0, dtype=np.float64)
    return np.asarray(mean / max(np.linalg.norm(mean), 1e-12), np.float32), views[0]


def examples_in(folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """List the examples in a folder that has a folder for every category.

    Parameters
    ----------
    folder : path-like
        Hidden folders, and those without an image, are no categories.

    Returns
    -------
    dict of str to list of Path
        In the order of the names.

    Raises
    ------
    UnreadableFile
        There is no such folder.
    """
    place = Path(folder)
    if not place.is_dir():
        raise UnreadableFile(f"There is no folder {place}.", hint="Check the path.")
    found = {}
    for one in sorted(place.iterdir()):
        if one.is_dir() and not one.name.startswith("."):
            images = _images(one)
            if images:
                found[one.name] = images
    return found


def _images(folder: Path) -> list[Path]:
    """List the images of a folder; none is no error."""
    try:
        return list_files(folder)
    except UnreadableFile:
        return []
