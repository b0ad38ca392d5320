"""A user's own categories: what decides, how sure, and what is far from all of them."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.confidence import conformal_sets, softmax
from napari_sem_tools.classification.domain import nearest
from napari_sem_tools.classification.embedding import embedding_row
from napari_sem_tools.classification.examples import Examples
from napari_sem_tools.classification.heads import Head
from napari_sem_tools.errors import InvalidSettings, OutputExists, UnreadableFile
from napari_sem_tools.files import json_text, replace_folder, sweep, write_file, write_text

__all__ = ["Categories", "Judgement", "read_categories"]

Vectors = NDArray[np.float32]
Table = NDArray[np.float64]

_FORMAT: Final = 1
_TEXT, _ARRAYS = "categories.json", "vectors.npz"
_HELD: Final = ("labels", "vectors", "queries", "groups")


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """What is said of some images.

    Attributes
    ----------
    chance : float64 array (n, categories)
        Calibrated probability of each category, were the image of one of them.
    kept : bool array (n, categories)
        The conformal set: categories that cannot be ruled out.
    distance : float64 array (n,)
        To the examples.
    near : bool array (n,)
        Whether that is no more than between the examples themselves.
    example : int array (n,)
        The nearest example.
    """

    chance: Table
    kept: NDArray[np.bool_]
    distance: NDArray[np.float64]
    near: NDArray[np.bool_]
    example: NDArray[np.intp]


@dataclasses.dataclass(frozen=True, eq=False)
class Categories:
    """Categories that were taught from examples.

    Attributes
    ----------
    examples : Examples
    embedding : str
        Name of the embedding of the vectors.
    identity : str
        Its identity when they were made.
    head : Head
    head_name : str
        ``"prototypes"`` or ``"linear"``.
    temperature : float
        Divides the scores of the head before softmax.
    limits : float64 array (categories,)
        Of the conformal sets.
    far : float
        Distance beyond which an image is none of the categories.
    missed : float
        Share of images whose set may lack the right category.
    report : dict of str to float
        What left-out examples said: the accuracy of each head.
    """

    examples: Examples
    embedding: str
    identity: str
    head: Head
    head_name: str
    temperature: float
    limits: NDArray[np.float64]
    far: float
    missed: float = 0.1
    report: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the categories."""
        return self.examples.names

    def judge(self, queries: Vectors) -> Judgement:
        """Say of vectors which category they are of, how sure, and whether of any.

        Parameters
        ----------
        queries : float32 array (n, dimension)
            Of the same embedding.

        Returns
        -------
        Judgement
        """
        chance = softmax(self.head.scores(queries), self.temperature)
        known_by = embedding_row(self.embedding).known_by
        distance, example = nearest(known_by(queries), known_by(self.examples.vectors))
        kept = conformal_sets(chance, self.limits)
        return Judgement(chance, kept, distance, distance <= self.far, example)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the categories as a folder: a text for people and the vectors.

        Parameters
        ----------
        path : path-like
            The folder; it appears whole or not at all.
        overwrite : bool

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OutputExists
            It exists, and may not be replaced.
        SemError
            It cannot be written.
        """
        target = Path(path)
        sweep(target)
        if target.exists() and not overwrite:
            raise OutputExists(f"{target} exists.", hint="Choose another name, or overwrite=True.")
        built = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            arrays = self._arrays()
            write_file(built / _ARRAYS, arrays)
            digest = hashlib.sha256(arrays).hexdigest()
            write_text(built / _TEXT, json_text(self._text() | {"sha256": digest}) + "\n")
            return replace_folder(built, target)
        finally:
            shutil.rmtree(built, ignore_errors=True)

    def _arrays(self) -> bytes:
        """Pack the arrays."""
        content = io.BytesIO()
        held = {name: getattr(self.examples, name) for name in _HELD}
        np.savez_compressed(content, weights=self.head.weights, offsets=self.head.offsets, **held)
        return content.getvalue()

    def _text(self) -> dict[str, Any]:
        """Return what is no array."""
        return {
            "format": _FORMAT,
            "categories": self.examples.counts,
            "embedding": self.embedding,
            "identity": self.identity,
            "head": self.head_name,
            "temperature": self.temperature,
            "limits": self.limits,  # null is infinite: nothing can be ruled out yet
            "far": self.far,
            "missed": self.missed,
            "report": self.report,
            "sources": self.examples.sources,
        }


def read_categories(path: str | os.PathLike[str]) -> Categories:
    """Read categories that were saved.

    Parameters
    ----------
    path : path-like
        The folder.

    Returns
    -------
    Categories

    Raises
    ------
    UnreadableFile
        It holds no categories, or they were damaged.
    InvalidSettings
        They were made with another version of the embedding.
    """
    folder = Path(path)
    sweep(folder)
    try:
        text = json.loads((folder / _TEXT).read_text("utf-8"))
        packed = (folder / _ARRAYS).read_bytes()
        if hashlib.sha256(packed).hexdigest() != text["sha256"]:
            raise ValueError("the vectors are not those that were saved")
        with np.load(io.BytesIO(packed), allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        found = _unpacked(text, arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(
            f"{folder} holds no categories that can be read.",
            hint="Give the folder that Categories.save wrote.",
        ) from error
    if embedding_row(found.embedding).identity != found.identity:
        raise InvalidSettings(
            f"{folder.name} was made with {found.identity}, which this version does not have.",
            hint="Teach the categories again from their examples.",
        )
    return found


def _unpacked(text: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Categories:
    """Put text and arrays together."""
    examples = Examples(
        tuple(text["categories"]),
        sources=tuple(text["sources"]),
        **{name: arrays[name] for name in _HELD},
    )
    limits = [np.inf if one is None else float(one) for one in text["limits"]]
    return Categories(
        examples,
        str(text["embedding"]),
        str(text["identity"]),
        Head(arrays["weights"], arrays["offsets"]),
        str(text["head"]),
        float(text["temperature"]),
        np.asarray(limits),
        np.inf if text["far"] is None else float(text["far"]),
        float(text["missed"]),
        dict(text["report"]),
    )
