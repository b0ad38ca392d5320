"""Examples that a user collects for categories of their own, with undo; no Qt here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification import (
    Categories,
    Examples,
    TeachSettings,
    embedding_row,
    resolved_embedding,
    teach_vectors,
)
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.widgets.history import Undoable

__all__ = ["Example", "Lesson"]

Vector = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """An image that shows what a category is.

    Attributes
    ----------
    source : str
        File, or the name of a layer.
    vector : float32 array (dimension,)
        Mean over several views.
    query : float32 array (dimension,)
        Of the whole image alone.
    group : object
        Equal for examples that shall not judge each other; by default the image itself.
    """

    source: str
    vector: Vector
    query: Vector
    group: Any = None

    @property
    def identity(self) -> Any:
        """What tells groups apart."""
        return self.query.tobytes() if self.group is None else self.group


State = dict[str, tuple[Example, ...]]


class Lesson(Undoable[State]):
    """Categories with their examples, all looked at by one embedding.

    Parameters
    ----------
    embedding : str
        A name of `napari_sem_tools.classification.EMBEDDINGS`.

    Examples
    --------
    >>> lesson = Lesson()
    >>> lesson.add_category("wires")
    >>> lesson.names, lesson.counts
    (['wires'], {'wires': 0})
    >>> lesson.undo()
    >>> lesson.names
    []
    """

    def __init__(self, embedding: str = "auto") -> None:
        super().__init__({})
        self.embedding = resolved_embedding(embedding)

    # --- what there is ---------------------------------------------------------------------

    @property
    def examples(self) -> State:
        """The examples by category."""
        return self.state

    @property
    def names(self) -> list[str]:
        """Names of the categories."""
        return list(self.examples)

    @property
    def counts(self) -> dict[str, int]:
        """Number of examples of each category."""
        return {name: len(held) for name, held in self.examples.items()}

    @property
    def missing(self) -> str:
        """What is still missing before anything can be taught, in a sentence; else empty."""
        if len(self.examples) < 2:
            return "Add at least two categories."
        empty = [name for name, held in self.examples.items() if not held]
        return f"Add an example of {empty[0]}; five or more are better." if empty else ""

    # --- changing --------------------------------------------------------------------------

    def add_category(self, name: str) -> None:
        """Add a category without examples.

        Raises
        ------
        InvalidSettings
            The name is empty, or is there.
        """
        name = name.strip()
        if not name:
            raise InvalidSettings("A category needs a name.", hint="Type one.")
        if name in self.examples:
            raise InvalidSettings(f"There is a category {name} already.", hint="Choose it.")
        self.step_to({**self.examples, name: ()})

    def rename(self, name: str, new: str) -> None:
        """Give a category another name; its place stays.

        Raises
        ------
        InvalidSettings
            The new name is empty, or is there.
        """
        new = new.strip()
        if new == name:
            return
        if not new or new in self.examples:
            raise InvalidSettings(
                f"A category cannot be called {new!r}.", hint="Choose a name of its own."
            )
        self.step_to({new if one == name else one: held for one, held in self.examples.items()})

    def add(self, found: dict[str, Sequence[Example]]) -> int:
        """Add examples; one that is there already moves to its new category.

        Parameters
        ----------
        found : dict of str to sequence of Example
            Categories that are not there yet are made.

        Returns
        -------
        int
            How many were added or moved.
        """
        came = {one.identity: name for name, held in found.items() for one in held}
        state = {
            name: tuple(one for one in held if one.identity not in came)
            for name, held in self.examples.items()
        }
        for name, held in found.items():
            single = {one.identity: one for one in held if came[one.identity] == name}
            state[name] = (*state.get(name, ()), *single.values())
        self.step_to(state)
        return len(came)

    def remove(self, examples: Iterable[Example], categories: Iterable[str] = ()) -> None:
        """Take examples away, and whole categories."""
        gone, names = {id(one) for one in examples}, set(categories)
        self.step_to(
            {
                name: tuple(one for one in held if id(one) not in gone)
                for name, held in self.examples.items()
                if name not in names
            }
        )

    def take(self, categories: Categories) -> None:
        """Take over the examples of categories that were taught before."""
        held = categories.examples
        sources = held.sources or ("",) * len(held.labels)
        state: dict[str, list[Example]] = {name: [] for name in held.names}
        for number, label in enumerate(held.labels):
            state[held.names[label]].append(
                Example(
                    sources[number],
                    held.vectors[number],
                    held.queries[number],
                    (id(held), int(held.groups[number])),
                )
            )
        self.embedding = categories.embedding
        self.forget_steps()
        self.state = {name: tuple(found) for name, found in state.items()}

    # --- teaching --------------------------------------------------------------------------

    def record(self) -> Examples:
        """Return the examples as the core has them.

        Raises
        ------
        InvalidTrainingSet
            There are too few.
        """
        listed = [(label, one) for label, held in enumerate(self.examples.values()) for one in held]
        groups: dict[Any, int] = {}
        size = embedding_row(self.embedding).dimension

        def stacked(vectors: list[Vector]) -> Vector:
            return np.asarray(vectors, np.float32).reshape(-1, size)

        return Examples(
            tuple(self.examples),
            np.asarray([label for label, _ in listed], np.intp),
            stacked([one.vector for _, one in listed]),
            stacked([one.query for _, one in listed]),
            np.asarray([groups.setdefault(one.identity, len(groups)) for _, one in listed], int),
            tuple(one.source for _, one in listed),
        )

    def taught(self, settings: TeachSettings | None = None) -> Categories:
        """Teach the categories; takes a second or so, and may be called in a thread."""
        return teach_vectors(self.record(), model=self.embedding, settings=settings)
