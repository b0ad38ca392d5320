"""Join pieces to particles: the pair that looks most like one particle first.

For every two neighbouring pieces the odds that both are of one particle are computed from
what the pair looks like.  Pairs that are each other's best are joined, the sums that
describe pieces and common faces are added up, and the odds are taken again, until no
pair is likelier than asked for.  A round is a few array operations on all pairs.
"""

from __future__ import annotations

import dataclasses
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.segmentation.filters import Map
from napari_sem_tools.segmentation.pieces import Cues, Pieces

__all__ = ["Adjacency", "describe", "join", "log_ellipse"]

Values = NDArray[np.float64]
Index = NDArray[np.int64]

_MAX_ROUNDS = 100

# Log-odds that two pieces are of one particle: weight and the range the quantity is held in.
# Printed by tools/fit_merging.py, which learns from simulated scenes and the openly licensed sets
# powder, powder-extra, uhcs-spheroidite, nffa-particles and msa-em-nanoparticles (train).
_ODDS: dict[str, tuple[float, float, float]] = {
    "pass": (5.0, 0.1, 1.0),  # distance on the common face / that of the lower peak
    "ellipse": (-9.0, -0.6, 0.0),  # log of area of the pair / area of its ellipse of inertia
    "gain": (15.5, -0.4, 0.1),  # the same, less the mean of the two pieces
    "step": (-11.5, -0.1, 0.5),  # cues on the common face, less those inside the pieces
    "valley": (-11.0, 0.0, 0.6),
    "ridge": (-1.0, -0.1, 0.3),
}
_ODDS_OFFSET = -1.8


@dataclasses.dataclass(frozen=True, eq=False)
class Adjacency:
    """Pieces and their common faces as sums that can be added when pieces are joined.

    Attributes
    ----------
    first, second : int array (m,)
        Pieces of a pair, ``first < second``.
    face : float array (m,)
        Pixel pairs of the common face.
    on_face : float array (4, m)
        Distance and three cues summed over the face.
    sums : float array (9, n)
        Area, y, x, yy, xx, xy and three cues summed over each piece.
    peak : float array (n,)
        Largest distance in each piece.
    """

    first: Index
    second: Index
    face: Values
    on_face: Values
    sums: Values
    peak: Values

    def joined(self, owner: Index) -> Self:
        """Add up what belongs together; `owner` is the new number of each piece."""
        count = int(owner.max()) + 1
        peak = np.full(count, -np.inf)
        np.maximum.at(peak, owner, self.peak)
        a, b = owner[self.first], owner[self.second]
        apart = a != b
        key = np.minimum(a, b)[apart] * count + np.maximum(a, b)[apart]
        pairs, which = np.unique(key, return_inverse=True)
        return dataclasses.replace(
            self,
            first=pairs // count,
            second=pairs % count,
            face=_summed(self.face[None, apart], which, pairs.size)[0],
            on_face=_summed(self.on_face[:, apart], which, pairs.size),
            sums=_summed(self.sums, owner, count),
            peak=peak,
        )

    def quantities(self) -> dict[str, Values]:
        """Describe each pair by what tells one particle from two, by name; float (m,) each."""
        a, b = self.first, self.second
        area_a, area_b = self.sums[0, a], self.sums[0, b]
        whole = log_ellipse(self.sums[:, a] + self.sums[:, b])
        each = log_ellipse(self.sums)
        weight = area_a / (area_a + area_b)
        inside = (self.sums[6:, a] + self.sums[6:, b]) / (area_a + area_b)
        step, valley, ridge = self.on_face[1:] / self.face - inside
        return {
            "pass": self.on_face[0] / self.face / np.minimum(self.peak[a], self.peak[b]),
            "ellipse": whole,
            "gain": whole - np.log(weight * np.exp(each[a]) + (1 - weight) * np.exp(each[b])),
            "step": step,
            "valley": valley,
            "ridge": ridge,
        }

    def log_odds(self) -> Values:
        """Log-odds that the two pieces of each pair are of one particle; float (m,)."""
        quantities = self.quantities()
        odds = np.full(self.first.size, _ODDS_OFFSET)
        for name, (factor, low, high) in _ODDS.items():
            odds += factor * np.clip(quantities[name], low, high)
        return odds


def _summed(values: Values, which: Index, count: int) -> Values:
    """Sum rows of values by index."""
    return np.array([np.bincount(which, row, count) for row in values])


def log_ellipse(sums: Values) -> Values:
    """Compare shapes with ellipses.

    Parameters
    ----------
    sums : float array (6 or more, n)
        Area and the sums of y, x, yy, xx and xy of each shape.

    Returns
    -------
    float array (n,)
        Log of the area over that of the ellipse with the same second moments: 0 for
        ellipses, below 0 for what is bent, branched or in pieces.
    """
    area = np.maximum(sums[0], 1)
    y, x = sums[1] / area, sums[2] / area
    yy = sums[3] / area - y * y + 1 / 12  # a pixel is a square, not a point
    xx = sums[4] / area - x * x + 1 / 12
    xy = sums[5] / area - x * y
    out: Values = np.log(area / (4 * np.pi * np.sqrt(np.maximum(yy * xx - xy * xy, 1e-3))))
    return out


def describe(pieces: Pieces, cues: Cues) -> Adjacency:
    """Sum up pieces and their common faces.

    Parameters
    ----------
    pieces : Pieces
    cues : Cues
        On the grid of the pieces.

    Returns
    -------
    Adjacency
        Of pieces 0 (background, empty) to ``pieces.count``.
    """
    labels, count = pieces.labels, pieces.count + 1
    rows, columns = np.nonzero(labels)
    which = labels[rows, columns]
    y, x = rows.astype(np.float64), columns.astype(np.float64)
    parts = [np.ones_like(y), y, x, y * y, x * x, y * x]
    parts += [cue[rows, columns].astype(np.float64) for cue in cues.maps]
    sums = np.array([np.bincount(which, part, count) for part in parts])
    peak = np.zeros(count, np.float32)
    np.maximum.at(peak, which, pieces.distance[rows, columns])
    pair, faces = _faces(labels, count, (pieces.distance, *cues.maps))
    pairs, where = np.unique(pair, return_inverse=True)
    on_face = _summed(faces, where, pairs.size)
    return Adjacency(
        first=pairs // count,
        second=pairs % count,
        face=np.bincount(where, minlength=pairs.size).astype(np.float64),
        on_face=on_face,
        sums=sums,
        peak=peak.astype(np.float64),
    )


def _faces(labels: NDArray[np.int32], count: int, maps: tuple[Map, ...]) -> tuple[Index, Values]:
    """List neighbouring pixels of two pieces: number of the pair, larger value of each map."""
    keys, values = [], []
    for here, there in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        a, b = labels[here], labels[there]
        where = np.nonzero((a != b) & (a > 0) & (b > 0))
        low, high = np.minimum(a[where], b[where]), np.maximum(a[where], b[where])
        keys.append(low.astype(np.int64) * count + high)
        values.append([np.maximum(m[here][where], m[there][where]) for m in maps])
    return np.concatenate(keys), np.concatenate(values, axis=1).astype(np.float64)


def join(adjacency: Adjacency, likelihood: float) -> Index:
    """Join pieces that are of one particle with more than this likelihood.

    Parameters
    ----------
    adjacency : Adjacency
    likelihood : float
        0 joins all that touch, 1 nothing.

    Returns
    -------
    int array (n,)
        New number of each piece; the background keeps 0.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = adjacency.peak.size
    owner = np.arange(count)
    if likelihood >= 1 or not adjacency.first.size:
        return owner
    least = np.log(likelihood / (1 - likelihood)) if likelihood > 0 else -np.inf
    for _ in range(_MAX_ROUNDS):
        odds = adjacency.log_odds()
        best = np.full(adjacency.peak.size, -np.inf)
        np.maximum.at(best, adjacency.first, odds)
        np.maximum.at(best, adjacency.second, odds)
        a, b = adjacency.first, adjacency.second
        both = (odds >= best[a]) & (odds >= best[b]) & (odds > least)
        if not both.any():
            break
        graph = coo_array((np.ones(int(both.sum())), (a[both], b[both])), shape=(best.size,) * 2)
        new = connected_components(graph, directed=False)[1].astype(np.int64)
        adjacency = adjacency.joined(new)
        owner = new[owner]
        if not adjacency.first.size:
            break
    return owner
