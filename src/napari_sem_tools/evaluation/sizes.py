"""Errors of the size distribution, for any weights of the images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.evaluation.estimates import Estimate, ratio

__all__ = ["SIZE_EDGES_PX", "SizeClass", "SizePair", "ecd"]

Values = NDArray[np.float64]

_QUANTILES = {"d10": 0.1, "d50": 0.5, "d90": 0.9}
_CELLS = 2**21  # draws times sizes worked on at once: 16 MiB a table
SIZE_EDGES_PX: tuple[float, ...] = (0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 192, np.inf)


@dataclasses.dataclass(frozen=True)
class SizeClass:
    """How many of the true particles of a size were found.

    Attributes
    ----------
    low, high : float
        ECD from `low` to below `high`.
    unit : str
        ``"px"`` or ``"nm"``.
    true, found : int
        True particles of the class, and those of them that were found (IoU of 0.5).
    recall : Estimate
        Share found, with its 95 % bootstrap interval over images.
    """

    low: float
    high: float
    unit: str
    true: int
    found: int
    recall: Estimate


def ecd(area: ArrayLike) -> Values:
    """Equivalent circle diameter of areas, in px."""
    diameter: Values = np.sqrt(4 / np.pi * np.asarray(area, float))
    return diameter


class SizePair:
    """True and found sizes of a set of images, whose images can be given weights.

    Areas are whole numbers of pixels, so that many particles share a size: a table of how
    often each image has each size takes the place of the lists.

    Parameters
    ----------
    true, found : sequence of int array
        Areas of the particles of each image, px.
    """

    def __init__(
        self, true: Sequence[NDArray[np.int64]], found: Sequence[NDArray[np.int64]]
    ) -> None:
        areas = np.unique(np.concatenate([np.zeros(0, np.int64), *true, *found]))
        self._size = ecd(areas)
        self._true, self._found = _table(true, areas), _table(found, areas)

    def errors(self, weight: Values) -> dict[str, Values]:
        """Relative errors of the size distribution, and W1 in px.

        Parameters
        ----------
        weight : float array (draws, images)

        Returns
        -------
        dict of str to float array (draws,)
            ``ecd_mean_err``, ``ecd_d10_err``, ... (found - true) / true, and ``w1_px``.
        """
        rows = max(1, _CELLS // max(len(self._size), 1))
        parts = [self._errors(weight[i : i + rows]) for i in range(0, len(weight), rows)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def values(self, weight: Values) -> dict[str, tuple[Values, Values]]:
        """Mean, D10, D50 and D90 of the true and of the found sizes, px, for each draw."""
        t, f = self._moments(weight @ self._true), self._moments(weight @ self._found)
        return {name: (t[name], f[name]) for name in t}

    def _errors(self, weight: Values) -> dict[str, Values]:
        """As `errors`, for a few draws."""
        true, found = weight @ self._true, weight @ self._found
        t, f = self._moments(true), self._moments(found)
        errors = {f"ecd_{name}_err": (f[name] - t[name]) / t[name] for name in t}
        return errors | {"w1_px": self._wasserstein(true, found)}

    def _moments(self, count: Values) -> dict[str, Values]:
        """Mean and quantiles (interpolated as ``np.quantile`` does) of each row of counts."""
        total = np.cumsum(count, axis=1)
        number = total[:, -1] if count.shape[1] else np.zeros(len(count))
        some = number > 0
        out = {name: np.full(len(count), np.nan) for name in ("mean", *_QUANTILES)}
        if not some.any():
            return out
        total, number = total[some], number[some]
        out["mean"][some] = count[some] @ self._size / number
        for name, share in _QUANTILES.items():
            place = share * (number - 1)
            low, high = (
                self._size[(total <= rank[:, None]).sum(axis=1)]
                for rank in (np.floor(place), np.ceil(place))
            )
            out[name][some] = low + (high - low) * (place % 1)
        return out

    def _wasserstein(self, true: Values, found: Values) -> Values:
        """Area between the two cumulative distributions of each row, px."""
        n_true, n_found = true.sum(axis=1), found.sum(axis=1)
        gap = ratio(true, n_true[:, None], empty=0.0) - ratio(found, n_found[:, None], empty=0.0)
        area: Values = np.abs(np.cumsum(gap, axis=1)[:, :-1]) @ np.diff(self._size)
        none = (n_true == 0) | (n_found == 0)
        return np.where(none, np.where(n_true == n_found, 0.0, np.nan), area)


def _table(areas: Sequence[NDArray[np.int64]], distinct: NDArray[np.int64]) -> Any:
    """Count how often each image has each area, as a sparse array (images, areas)."""
    from scipy import sparse

    image = np.repeat(np.arange(len(areas)), [len(a) for a in areas])
    column = np.searchsorted(distinct, np.concatenate([np.zeros(0, np.int64), *areas]))
    shape = (len(areas), len(distinct))
    return sparse.csr_array((np.ones(len(image)), (image, column)), shape=shape)
