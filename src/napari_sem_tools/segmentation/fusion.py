"""Particles of several looks made one picture: each is taken where it is seen best."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.segmentation.candidates import (
    FEATURES,
    Look,
    Overlaps,
    Table,
    features_of,
)

__all__ = ["Judge", "fuse"]

Labels = NDArray[np.int32]

_LEAST_FREE = 0.6  # a particle is taken when this much of it is not yet taken
_LIMIT = 5.0  # standard deviations beyond which a feature says no more


@dataclass(frozen=True, eq=False)
class Judge:
    """A small network that tells how probably a particle is right.

    Attributes
    ----------
    mean, spread : float array (28,)
        Of `FEATURES` where it was fitted.
    hidden : float array (28, h)
    hidden_offset : float array (h,)
    out : float array (h,)
    out_offset : float

    Notes
    -----
    It is fitted on simulated pictures that no network learned from (``tools/fit_judge.py``);
    right means an intersection over union above one half with a true particle.
    """

    mean: Table
    spread: Table
    hidden: Table
    hidden_offset: Table
    out: Table
    out_offset: float

    @classmethod
    @functools.cache
    def packaged(cls) -> Judge:
        """Load the judge that comes with the package.

        Returns
        -------
        Judge
        """
        text = (files("napari_sem_tools.segmentation") / "judge.json").read_text("utf-8")
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, kept: dict[str, object]) -> Judge:
        """Read plain lists.

        Parameters
        ----------
        kept : dict

        Returns
        -------
        Judge

        Raises
        ------
        ValueError
            It was fitted to other features.
        """
        if tuple(kept["features"]) != FEATURES:  # type: ignore[arg-type]
            raise ValueError("the judge was fitted to other features: run tools/fit_judge.py")
        names = ("mean", "spread", "hidden", "hidden_offset", "out")
        arrays = {name: np.array(kept[name], float) for name in names}
        return cls(**arrays, out_offset=float(kept["out_offset"]))  # type: ignore[arg-type]

    def probability(self, features: Table) -> Table:
        """Judge particles.

        Parameters
        ----------
        features : float array (n, 28)

        Returns
        -------
        float array (n,)
            0 to 1.
        """
        scaled = np.clip((features - self.mean) / self.spread, -_LIMIT, _LIMIT)
        hidden = np.tanh(scaled @ self.hidden + self.hidden_offset)
        return np.asarray(1 / (1 + np.exp(-(hidden @ self.out + self.out_offset))))


def fuse(
    looks: Sequence[Look], *, least: float, judge: Judge | None = None
) -> tuple[Labels, Table, Table]:
    """Take the best particles of all looks that do not lie over one another.

    Parameters
    ----------
    looks : sequence of Look
        From the finest scale to the coarsest, on one grid.
    least : float
        Probability below which a particle is dropped.
    judge : Judge, optional
        None: the packaged one.

    Returns
    -------
    labels : int32 array (Y, X)
        Consecutive from 1.
    probability : float array (n,)
    scale : float array (n,)
        At which each particle was seen.

    Notes
    -----
    Greedy suppression of what is not the best: the most probable particle is taken, then
    the next most probable of which enough is still free, and so on.  All particles that are
    better than everything they lie over are taken at once, which gives the same result.
    """
    overlaps = Overlaps([look.labels for look in looks])
    tables = features_of(looks, overlaps)
    who = judge or Judge.packaged()
    probability = np.concatenate([who.probability(table) for table in tables])
    counts = np.array([look.count for look in looks])
    first = np.concatenate([[0], np.cumsum(counts)])
    area = np.concatenate([sizes[1:] for sizes in overlaps.areas])
    better, worse, shared = _conflicts(overlaps, first, probability)
    taken = _suppress(probability >= least, better, worse, shared / area[worse])
    rank = np.zeros(len(probability) + 1, np.int64)
    order = np.flatnonzero(taken)[np.argsort(probability[taken], kind="stable")]
    rank[order + 1] = np.arange(1, len(order) + 1)
    winner = np.zeros(looks[0].labels.shape, np.int32)
    for place, look in enumerate(looks):
        own = np.concatenate([[0], rank[1:][first[place] : first[place + 1]]])
        np.maximum(winner, own.astype(np.int32)[look.labels], out=winner)
    scales = np.repeat([look.scale for look in looks], counts)
    return winner, probability[order], scales[order]


def _conflicts(
    overlaps: Overlaps, first: NDArray[np.int64], probability: Table
) -> tuple[NDArray[np.int64], NDArray[np.int64], Table]:
    """List all pairs that overlap, the better one first, numbered over all looks."""
    parts = []
    for b in range(len(overlaps.codes)):
        for a in range(b):
            one, other, shared = overlaps.pairs(a, b)
            parts.append((one - 1 + first[a], other - 1 + first[b], shared))
    if not parts:
        empty = np.zeros(0, np.int64)
        return empty, empty, np.zeros(0)
    one, other, shared = (np.concatenate(column) for column in zip(*parts, strict=True))
    swap = (probability[other] > probability[one]) | (
        (probability[other] == probability[one]) & (other < one)
    )
    return np.where(swap, other, one), np.where(swap, one, other), shared


def _suppress(
    wanted: NDArray[np.bool_],
    better: NDArray[np.int64],
    worse: NDArray[np.int64],
    share: Table,
) -> NDArray[np.bool_]:
    """Take in rounds what no undecided better one lies over; drop what is covered too much."""
    taken = np.zeros(len(wanted), bool)
    undecided = wanted.copy()
    while undecided.any():
        waits = np.zeros(len(wanted), bool)
        waits[worse[undecided[better] & undecided[worse]]] = True
        ready = undecided & ~waits
        covered = np.bincount(worse, share * taken[better], len(wanted))
        taken |= ready & (covered <= 1 - _LEAST_FREE)
        undecided &= ~ready
    return taken
