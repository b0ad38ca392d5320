"""The records of a catalogue: what was added, what failed, what makes vectors."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Micrograph

__all__ = ["Added", "Counts", "Failure", "VectorSource", "vector_source"]


@dataclasses.dataclass(frozen=True)
class Added:
    """What became of the files that were to be added.

    Attributes
    ----------
    new : int
        Images that were not in the catalogue.
    known : int
        Files that had not changed since they were looked at.
    moved : int
        Files whose content was known at a place where it no longer is.
    copies : int
        Files whose content is also at another place.
    failed : int
        Files that could not be catalogued, those of earlier runs included.
    gone : int
        Files that were marked because they are no longer there.
    """

    new: int = 0
    known: int = 0
    moved: int = 0
    copies: int = 0
    failed: int = 0
    gone: int = 0


@dataclasses.dataclass(frozen=True)
class Counts:
    """How much a catalogue holds.

    Attributes
    ----------
    images : int
        Images by content, copies counted once.
    gone : int
        Of them those whose file is no longer where it was.
    failed : int
        Files that could not be catalogued.
    vectors : int
        Images that can be found by likeness.
    journal : str
        ``"wal"``, or ``"delete"`` for the rollback journal of network shares.
    """

    images: int
    gone: int
    failed: int
    vectors: int
    journal: str


@dataclasses.dataclass(frozen=True)
class Failure:
    """A file that could not be catalogued, and why.

    Attributes
    ----------
    path : Path
    message, hint : str
        What is wrong, in a sentence, and what to do.
    """

    path: Path
    message: str
    hint: str = ""


@dataclasses.dataclass(frozen=True)
class VectorSource:
    """What turns an image into a vector, with the identity that is kept beside each vector.

    Attributes
    ----------
    identity : str
        Vectors of two identities are never compared.
    function : callable
        From a `Micrograph` to a float array ``(d,)``; its length does not matter.

    Examples
    --------
    >>> import numpy as np
    >>> source = VectorSource("mean-1", lambda image: np.array([image.grey.mean(), 1.0]))
    >>> source.vector(Micrograph(np.zeros((4, 4), np.uint8))).tolist()
    [0.0, 1.0]
    """

    identity: str
    function: Callable[[Micrograph], NDArray[Any]]

    def vector(self, image: Micrograph) -> NDArray[np.float32]:
        """Return the vector of an image, brought to length 1.

        Raises
        ------
        InvalidSettings
            It is no vector of finite numbers, or of length 0.
        """
        found = np.asarray(self.function(image), np.float32)
        length = float(np.linalg.norm(found)) if found.ndim == 1 else 0.0
        if not np.isfinite(length) or length <= 0:
            raise InvalidSettings(
                f"{image.name} has no vector of {self.identity} that can be compared.",
                hint="The image may be blank or hold numbers that are none.",
            )
        return found / np.float32(length)


def vector_source(embedding: str | VectorSource | None) -> VectorSource | None:
    """Return what makes vectors by the name of an embedding.

    Parameters
    ----------
    embedding : str, VectorSource or None
        A name of `napari_sem_tools.classification.EMBEDDINGS`, or ``"auto"``: the learned one
        where PyTorch is there; None: no vectors are made.

    Returns
    -------
    VectorSource or None

    Raises
    ------
    ModelNotFound
        There is no embedding of that name.
    """
    if not isinstance(embedding, str):
        return embedding
    from napari_sem_tools.classification import embed, embedding_row

    row = embedding_row(embedding)
    return VectorSource(row.identity, functools.partial(embed, model=row.name))
