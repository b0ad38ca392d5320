"""Images as vectors: a table of embeddings, each with an identity.

Vectors of one embedding are compared by their scalar product (they have length 1); vectors
of two embeddings are never compared, which is what `Embedding.identity` is for.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.field import LEAST_PX, ranked, texture_field
from napari_sem_tools.errors import ModelNotFound

__all__ = [
    "AUTO",
    "EMBEDDINGS",
    "Embedding",
    "embed",
    "embed_parts",
    "embedding_row",
    "resolved_embedding",
]

Vector = NDArray[np.float32]
Map = NDArray[np.float32]

AUTO: Final = "auto"
"""Name of no embedding: the learned one where PyTorch is there, else that of the texture."""

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
        Dotted name of the function of a field, ``module:function``; fields are those of
        `texture_field`, so that all embeddings look at the same.
    fitted : str
        Packaged file with fitted numbers; part of the identity.
    version : int
        Counted up whenever the vectors change.
    needs : str
        Optional extra that must be installed; empty for none.
    network : str
        Packaged model whose features are used, ``name/version``; part of the identity.
    telling : int
        How many numbers, from the first, tell what is like nothing known; 0: all.  Numbers that
        were trained to tell a few things apart do not notice what they were never asked.
    """

    name: str
    dimension: int
    function: str
    fitted: str = ""
    version: int = 1
    needs: str = ""
    network: str = ""
    telling: int = 0

    @functools.cached_property
    def identity(self) -> str:
        """Name, version and hash of the fitted numbers; equal for vectors that may be compared."""
        content = b""
        if self.fitted:
            content += files("napari_sem_tools.classification").joinpath(self.fitted).read_bytes()
        if self.network:
            card = files("napari_sem_tools").joinpath("weights", self.network, "card.json")
            content += json.loads(card.read_bytes())["weights"]["sha256"].encode()
        digest = f"-{hashlib.sha256(content).hexdigest()[:12]}" if content else ""
        return f"{self.name}-{self.version}{digest}"

    def known_by(self, vectors: Vector) -> Vector:
        """Return the part of vectors by which it is told whether they are like what is known.

        Parameters
        ----------
        vectors : float32 array (n, dimension)

        Returns
        -------
        float32 array (n, telling)
            Of length 1.
        """
        if not self.telling:
            return vectors
        part = vectors[:, : self.telling]
        length = np.linalg.norm(part, axis=1, keepdims=True)
        return np.asarray(part / np.maximum(length, 1e-12), np.float32)

    def load(self) -> Callable[[Map], Vector]:
        """Return the function that turns a field into a vector."""
        module, _, name = self.function.partition(":")
        found: Callable[[Map], Vector] = getattr(import_module(module), name)
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
        Embedding(
            "learned",
            256,
            "napari_sem_tools.classification.learned:embed_learned",
            fitted="learned.npz",
            needs="torch",
            network="embedding/1.0.0",
            telling=128,
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
    model = resolved_embedding(model)
    if model not in EMBEDDINGS:
        raise ModelNotFound(
            f"There is no embedding {model!r}.", hint=f"Known: {', '.join(EMBEDDINGS)}."
        )
    return EMBEDDINGS[model]


def resolved_embedding(model: str) -> str:
    """Return the name of the embedding that is used.

    Parameters
    ----------
    model : str
        A name, or ``"auto"``: the learned one where PyTorch and its network are there, else
        that of the texture.

    Returns
    -------
    str

    Examples
    --------
    >>> resolved_embedding("texture")
    'texture'
    """
    if model != AUTO:
        return model
    from napari_sem_tools.classification.learned import has_network

    return "learned" if has_network() else "texture"


def embed(image: Any, *, model: str = AUTO) -> Vector:
    """Turn an image into a vector; images that look alike have a scalar product near 1.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X) or (Y, X, 3)
        Data bar and burnt-in letters are left out where the record says where they are.
    model : str
        A name of `EMBEDDINGS`, or ``"auto"``: the learned one where PyTorch is there.  Vectors
        of two embeddings cannot be compared.

    Returns
    -------
    float32 array (dimension,)
        Of length 1.

    Raises
    ------
    ModelNotFound
        There is no such embedding.
    MissingExtra
        The learned one was asked for without PyTorch.
    InvalidSettings
        The field is smaller than 24 x 24 px.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).random((64, 64))
    >>> vector = embed(noise, model="texture")
    >>> vector.shape, bool(vector @ embed(noise[::-1], model="texture") > 0.999)
    ((90,), True)
    """
    return embedding_row(model).load()(texture_field(image))


def embed_parts(
    field: Map, parts: Iterable[tuple[float, float, float]], *, model: str = AUTO
) -> Vector:
    """Turn parts of a field into vectors.

    Parameters
    ----------
    field : float32 array (Y, X)
        As `texture_field` gives it.
    parts : iterable of (float, float, float)
        Side of a part as a share of that of the field, and where it lies: 0 is the upper or
        left border, 1 the lower or right one.
    model : str
        A name of `EMBEDDINGS`.

    Returns
    -------
    float32 array (parts, dimension)
        Each of length 1.  The grey values of every part are ranked anew.

    Examples
    --------
    >>> import numpy as np
    >>> field = np.random.default_rng(0).random((80, 80), np.float32)
    >>> embed_parts(field, [(1.0, 0, 0), (0.5, 1.0, 1.0)], model="texture").shape
    (2, 90)
    """
    function = embedding_row(model).load()
    return np.stack([function(ranked(_part(field, *place))) for place in parts])


def _part(field: Map, share: float, down: float, right: float) -> Map:
    """Cut a part out of a field, at least as large as can be described."""
    sizes = [min(side, max(LEAST_PX, round(share * side))) for side in field.shape]
    first = [
        round(place * (side - size))
        for place, side, size in zip((down, right), field.shape, sizes, strict=True)
    ]
    return field[first[0] : first[0] + sizes[0], first[1] : first[1] + sizes[1]]


def embed_texture(field: Map) -> Vector:
    """Turn a field into the vector of its texture.

    Parameters
    ----------
    field : float32 array (Y, X)

    Returns
    -------
    float32 array (90,)
        Of length 1.  Each number is given in spreads from its middle over reference pictures,
        and each block of numbers weighs the same.
    """
    from napari_sem_tools.classification.texture import describe

    return scaled_texture(describe(field))


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
