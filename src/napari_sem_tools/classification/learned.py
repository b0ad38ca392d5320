"""The learned embedding: features of a packaged network beside the numbers of the texture.

The network (`EmbeddingFCN`) gives mean and spread of its features at four levels, and a vector of
its own.  The former and the 90 numbers of `napari_sem_tools.classification.texture` are brought to
128 numbers by a linear map that was fitted so that pictures of one specimen lie together and
specimens of one source apart; the vector of the network stands behind them.
"""

from __future__ import annotations

import functools
from importlib.resources import files
from importlib.util import find_spec
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.texture import describe

__all__ = ["FITTED", "MODEL", "embed_learned", "has_network", "joined_numbers", "projected"]

Map = NDArray[np.float32]
Vector = NDArray[np.float32]

MODEL: Final = "embedding@1.0.0"
"""Model of the package; its version is fixed, since the linear map belongs to it."""

FITTED: Final = "learned.npz"
"""Packaged file with middle and spread of the numbers and the linear map."""

_MULTIPLE: Final = 32  # px, of the sides that the network takes
_FARTHEST: Final = 4.0  # spreads from the middle; more says no more
_SHARE: Final = 0.7  # length of the network's own vector beside that of the mapped numbers


def has_network() -> bool:
    """Tell whether the network of the package can be used: PyTorch is installed.

    Returns
    -------
    bool
    """
    from napari_sem_tools.models import models

    return find_spec("torch") is not None and MODEL in models


def embed_learned(field: Map) -> Vector:
    """Turn a field into the vector of the learned embedding.

    Parameters
    ----------
    field : float32 array (Y, X)
        Ranks between 0 and 1, as `texture_field` gives them.

    Returns
    -------
    float32 array (256,)
        Of length 1.

    Raises
    ------
    MissingExtra
        PyTorch is not installed.

    References
    ----------
    .. [1] R. A. Fisher, "The use of multiple measurements in taxonomic problems", Ann. Eugen.
       7, 179 (1936): the linear map, with shrinkage of the covariance within specimens.
    .. [2] O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance
       matrices", J. Multivar. Anal. 88, 365 (2004).
    """
    return projected(joined_numbers(field))


def joined_numbers(field: Map) -> NDArray[np.float32]:
    """Return the numbers of the texture and the features of the network, not scaled.

    Parameters
    ----------
    field : float32 array (Y, X)

    Returns
    -------
    float32 array (n,)
    """
    from napari_sem_tools.models import models

    with models.lease(MODEL, device="cpu", precision="fp32") as lent:
        features = lent.tiles(_fitting(field)[None, None])[0]
    return np.concatenate([describe(field).astype(np.float32), features])


def projected(numbers: NDArray[np.float32]) -> Vector:
    """Bring joined numbers to vectors of length 1.

    Parameters
    ----------
    numbers : float32 array (..., n)

    Returns
    -------
    float32 array (..., 256)
    """
    middle, spread, turned, centre = _fitted()
    count = len(middle)
    scaled = np.clip((numbers[..., :count] - middle) / spread, -_FARTHEST, _FARTHEST)
    own = _unit(_unit(numbers[..., count:]) - centre)
    return _unit(np.concatenate([_unit(scaled @ turned), np.float32(_SHARE) * own], -1))


def _unit(table: NDArray[np.float32]) -> Vector:
    """Bring vectors to length 1."""
    length = np.linalg.norm(table, axis=-1, keepdims=True)
    return np.asarray(table / np.maximum(length, 1e-12), np.float32)


def _fitting(field: Map) -> Map:
    """Cut a field to sides that the network takes; a small one is continued as its mirror."""
    sides = [max(side // _MULTIPLE, 2) * _MULTIPLE for side in field.shape]
    more = [(0, max(wanted - side, 0)) for wanted, side in zip(sides, field.shape, strict=True)]
    if any(after for _, after in more):
        field = np.pad(field, more, mode="symmetric")
    return np.ascontiguousarray(field[: sides[0], : sides[1]], np.float32)


@functools.cache
def _fitted() -> tuple[NDArray[np.float32], ...]:
    """Read middle, spread and the linear map, and the middle of the network's own vectors."""
    place = files("napari_sem_tools.classification").joinpath(FITTED)
    with place.open("rb") as file, np.load(file, allow_pickle=False) as held:
        return tuple(
            held[name].astype(np.float32) for name in ("middle", "spread", "map", "centre")
        )
