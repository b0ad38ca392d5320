"""Categories by a trained network of the registry."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.categories import Judgement
from napari_sem_tools.classification.confidence import conformal_sets
from napari_sem_tools.classification.domain import nearest
from napari_sem_tools.classification.look import PARTS, WHOLE, Look, picture_of
from napari_sem_tools.micrograph import Micrograph

__all__ = ["TrainedJudge", "as_input", "lent_judge"]

_WHITE: Final = np.float32(255)
_LIMITS: Final = ("limits", "far", "known")


@contextlib.contextmanager
def lent_judge(name: str, **wish: Any) -> Iterator[TrainedJudge]:
    """Borrow a trained network from the registry.

    Parameters
    ----------
    name : str
        Name, or name and version.
    **wish
        Device and the like, as for a lease.

    Yields
    ------
    TrainedJudge

    Raises
    ------
    ModelNotFound, MissingExtra, UntrustedModel
    """
    from napari_sem_tools.models import models

    with models.lease(name, **wish) as lent:
        yield TrainedJudge(lent, _beside(name))


class TrainedJudge:
    """A trained network, as whoever knows categories.

    Parameters
    ----------
    lent : LoadedModel
    beside : dict of str to array
        ``limits``, ``far`` and ``known``, as its weights hold them.
    """

    sources: tuple[str, ...] = ()

    def __init__(self, lent: Any, beside: dict[str, NDArray[Any]]) -> None:
        self.lent, self.beside = lent, beside
        self.look = Look.of(lent.card.arguments)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the categories."""
        return tuple(one.name for one in self.lent.card.classes)

    @property
    def conclusive(self) -> bool:
        """Whether any category can be ruled out."""
        return bool(np.isfinite(self.beside["limits"]).all())

    @property
    def identity(self) -> str:
        """Name, version and hash of the weights."""
        return str(self.lent.card.identity)

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
        return self.judge_pictures(
            picture_of(record, self.look, (WHOLE, *PARTS) if parts else (WHOLE,))
        )

    def judge_pictures(self, pictures: NDArray[np.uint8]) -> Judgement:
        """Judge pictures that were made already.

        Parameters
        ----------
        pictures : uint8 array (N, rows, columns) or (N, rows, columns, 3)
            As `picture_of` makes them.

        Returns
        -------
        Judgement
        """
        made = self.lent.tiles(as_input(pictures))
        count = len(self.lent.card.outputs)
        chance, vectors = made[:, :count].astype(np.float64), made[:, count:]
        distance, example = nearest(vectors, self.beside["known"])
        kept = conformal_sets(chance, self.beside["limits"])
        return Judgement(chance, kept, distance, distance <= self.beside["far"][0], example)


def as_input(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale pictures for a network.

    Parameters
    ----------
    pictures : uint8 array (N, Y, X) or (N, Y, X, 3)

    Returns
    -------
    float32 array (N, 1 or 3, Y, X)
        0 black, 1 white.

    Examples
    --------
    >>> as_input(np.full((1, 2, 2), 255, np.uint8)).tolist()
    [[[[1.0, 1.0], [1.0, 1.0]]]]
    """
    channels = pictures[:, None] if pictures.ndim == 3 else np.moveaxis(pictures, -1, 1)
    return np.ascontiguousarray(channels, np.float32) / _WHITE


def _beside(name: str) -> dict[str, NDArray[Any]]:
    """Read what the weights hold beside the network; that also works in another process."""
    from safetensors.numpy import load

    from napari_sem_tools.models import models
    from napari_sem_tools.models.weights import read_verified

    store = models.on_disk
    card = store.find(name).card
    held = load(read_verified(store.weights(card.key), card.weights))
    return {key: np.asarray(held[key], np.float32) for key in _LIMITS}
