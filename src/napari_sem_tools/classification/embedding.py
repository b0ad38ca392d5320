"""Images as vectors: a table of embeddings, each with an identity.

Vectors of one embedding are compared by their scalar product (they have length 1); vectors
of two embeddings are never compared, which is what `Embedding.identity` is for.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import ModelNotFound

__all__ = ["EMBEDDINGS", "Embedding", "embed", "embedding_row"]

Vector = NDArray[np.float32]

_FARTHEST: Final = 4.0  # spreads from the middle; more says no more


@dataclasses.dataclass(frozen=True)
class Embedding:
    """A way to turn an image into a vector.

    Attributes
    ----------
    name : str
    dimension : int
        Length of the vectors.
    function : str
        Dotted name of the function of an image, ``module:function``.
    fitted : str
        Packaged file with fitted numbers; part of the identity.
    version : int
        Counted up whenever the vectors change.
    needs : str
        Optional extra that must be installed; empty for none.
    """

    name: str
    dimension: int
    function: str
    fitted: str = ""
    version: int = 1
    needs: str = ""

    @functools.cached_property
    def identity(self) -> str:
        """Name, version and hash of the fitted numbers; equal for vectors that may be compared."""
        digest = ""
        if self.fitted:
            content = files("napari_sem_tools.classification").joinpath(self.fitted).read_bytes()
            digest = f"-{hashlib.sha256(content).hexdigest()[:12]}"
        return f"{self.name}-{self.version}{digest}"

    def load(self) -> Callable[[Any], Vector]:
        """Return the function that turns an image into a vector."""
        module, _, name = self.function.partition(":")
        found: Callable[[Any], Vector] = getattr(import_module(module), name)
        return found


EMBEDDINGS: Final[Mapping[str, Embedding]] = {
    row.name: row
    for row in (
        Embedding(
            "texture",
            90,
            "napari_sem_tools.classification.embedding:embed_texture",
            fitted="texture.npz",
        ),
    )
}
"""The embeddings by name."""


def embedding_row(model: str) -> Embedding:
    """Return an embedding by name.

    Raises
    ------
    ModelNotFound
        There is none of that name.

    Examples
    --------
    >>> embedding_row("texture").dimension
    90
    """
    if model not in EMBEDDINGS:
        raise ModelNotFound(
            f"There is no embedding {model!r}.", hint=f"Known: {', '.join(EMBEDDINGS)}."
        )
    return EMBEDDINGS[model]


def embed(image: Any, *, model: str = "texture") -> Vector:
    """Turn an image into a vector; images that look alike have a scalar product near 1.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X) or (Y, X, 3)
        Data bar and burnt-in letters are left out where the record says where they are.
    model : str
        A name of `EMBEDDINGS`.

    Returns
    -------
    float32 array (dimension,)
        Of length 1.

    Raises
    ------
    ModelNotFound
        There is no such embedding.
    InvalidSettings
        The field is smaller than 24 x 24 px.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).random((64, 64))
    >>> vector = embed(noise)
    >>> vector.shape, bool(vector @ embed(noise[::-1]) > 0.999)
    ((90,), True)
    """
    return embedding_row(model).load()(image)


def embed_texture(image: Any) -> Vector:
    """Turn an image into the vector of its texture.

    Parameters
    ----------
    image : as for `embed`

    Returns
    -------
    float32 array (90,)
        Of length 1.  Each number is given in spreads from its middle over reference pictures,
        and each block of numbers weighs the same.
    """
    from napari_sem_tools.classification.field import texture_field
    from napari_sem_tools.classification.texture import describe

    return scaled_texture(describe(texture_field(image)))


def scaled_texture(numbers: NDArray[np.float64]) -> Vector:
    """Scale the numbers of a texture to a vector of length 1.

    Parameters
    ----------
    numbers : float64 array (..., 90)

    Returns
    -------
    float32 array (..., 90)
    """
    middle, spread, weight = _texture_scale()
    vector = np.clip((numbers - middle) / spread, -_FARTHEST, _FARTHEST) * weight
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.asarray(vector / np.maximum(length, 1e-12), np.float32)


@functools.cache
def _texture_scale() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Read middle and spread of each number, and the weight that makes blocks equal."""
    from napari_sem_tools.classification.texture import BLOCKS

    place = files("napari_sem_tools.classification").joinpath(EMBEDDINGS["texture"].fitted)
    with place.open("rb") as file, np.load(file, allow_pickle=False) as held:
        middle, spread = held["middle"].astype(float), held["spread"].astype(float)
    weight = np.concatenate([np.full(size, size**-0.5) for _, size in BLOCKS.values()])
    return middle, spread, weight
