"""Fit the trees of the mix: ``python tools/fit_focus_trees.py DATA CACHE FRAMES``; scikit-learn.

CACHE is that of ``fit_focus_mix.py``, which was run before; FRAMES that of
``benchmarks/focus_network.py`` and ``focus_scores.py`` (``features_clean.npz``).  The trees look
at the numbers of the perceptrons and at `levels`.  They learn from frames of the protocol and from
plain frames of pictures of other specimens.  Each fold is held out once, each source of the
judging pictures once (``source-NAME.npz``: how good the trees are on a source never seen), and all
are used for what ships.  Written: the trees of ``fold-0.npz`` ... in CACHE, and of the mix of the
package.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fit_focus_mix as mixing
import focus_pictures
from napari_sem_tools.evaluation.focus_protocol import seed_of
from napari_sem_tools.files import write_file
from napari_sem_tools.focus.features import features
from napari_sem_tools.focus.levels import levels
from napari_sem_tools.focus.measures.picture import Picture
from napari_sem_tools.focus.mix import mix_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import focus_scores

SEEDS, ROUNDS, RATE, LEAVES, LEAST, COLUMNS = (0,), 150, 0.1, 20, 25, 0.25
DRAWING = mixing.Drawing((1.0, 1.8), 1, 5, spoilt=False)  # of the other pictures
OTHERS_SHARE = 0.5  # of the weight: frames of other specimens than those that judge
Rows = NDArray[np.float32]


def numbers(picture: Picture) -> dict[str, float]:
    """Return all that the trees look at."""
    return features(picture) | levels(picture)


@dataclasses.dataclass(frozen=True, eq=False)
class Frames:
    """Frames by what the trees look at.

    Attributes
    ----------
    rows, truth, weight, group : arrays
        By frame.
    names : list of str
        Columns of `rows`.
    fold : int array
    """

    rows: Rows
    truth: Rows
    weight: NDArray[np.float64]
    group: NDArray[np.str_]
    names: list[str]
    fold: NDArray[np.intp]

    @property
    def source(self) -> NDArray[np.str_]:
        """Source of each frame."""
        return np.array([focus_scores.kind_of(group) for group in self.group])

    @property
    def snr(self) -> Rows:
        """Logarithm of the signal-to-noise ratio of each frame."""
        return self.rows[:, self.names.index("snr")]


def wide(data: Path, cache: Path) -> Frames:
    """Draw plain frames of other pictures, or read what is kept of them."""
    parts: list[tuple[Rows, Rows, str]] = []
    names: list[str] = []
    for picture in (*focus_pictures.kin(data), *focus_pictures.others(data)):
        rng = np.random.default_rng(seed_of(picture.name, "trees"))
        drawn = mixing.drawn(picture.grey, DRAWING, rng)
        rows, truth, found = mixing.kept(cache / f"trees-{picture.name}.npz", drawn, numbers)
        if len(rows):
            parts.append((rows, truth, picture.group))
            names = found
    truth = np.concatenate([truth for _, truth, _ in parts])
    group = np.concatenate([np.full(len(rows), group) for rows, _, group in parts])
    return Frames(np.concatenate([rows for rows, _, _ in parts]), truth, np.ones(len(truth)),
                  group, names, np.full(len(truth), -1))  # fmt: skip


def arrays_of(models: list[Any]) -> dict[str, NDArray[Any]]:
    """Turn fitted trees into plain arrays; a forest of several is their mean."""
    nodes = [tree[0].nodes for model in models for tree in model._predictors]
    size = max(len(one) for one in nodes)

    def filled(name: str, kind: str) -> NDArray[Any]:
        found = np.zeros((len(nodes), size), kind)
        for row, one in zip(found, nodes, strict=True):
            row[: len(one)] = one[name]
        return found

    leaf = filled("is_leaf", "?")
    feature = np.where(leaf, -1, filled("feature_idx", "i4")).astype(np.int16)
    feature[:, 1:][filled("depth", "i4")[:, 1:] == 0] = -1  # beyond the last node
    threshold = rounded_down(filled("num_threshold", "f8"))
    base = float(np.mean([model._baseline_prediction.ravel()[0] for model in models]))
    depth = int(max(one["depth"].max() for one in nodes))
    return {
        "tree_feature": feature,
        "tree_threshold": np.where(leaf, 0, threshold).astype(np.float32),
        "tree_low": np.where(leaf, 0, filled("left", "i4")).astype(np.int16),
        "tree_high": np.where(leaf, 0, filled("right", "i4")).astype(np.int16),
        "tree_value": (filled("value", "f8") * leaf / len(models)).astype(np.float32),
        "tree_base": np.array([base, depth]),
    }


def rounded_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round to single precision, never up: rows are single numbers, so no answer changes."""
    single = values.astype(np.float32)
    return np.where(single > values, np.nextafter(single, np.float32(-np.inf)), single)


def fitted(
    frames: Frames, others: Frames, own: NDArray[np.bool_], beside: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """Fit trees to some of the frames that judge and to some of the others."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    shares = ((own, 1 - OTHERS_SHARE), (beside, OTHERS_SHARE))
    weight = np.concatenate([np.full(k.sum(), share / max(k.sum(), 1)) for k, share in shares])
    rows = np.concatenate([frames.rows[own], others.rows[beside]])
    truth = np.concatenate([frames.truth[own], others.truth[beside]])
    models = [
        HistGradientBoostingRegressor(
            max_iter=ROUNDS, learning_rate=RATE, max_leaf_nodes=LEAVES, min_samples_leaf=LEAST,
            max_features=COLUMNS, random_state=seed, early_stopping=False,
        ).fit(rows, truth, weight / weight.mean())
        for seed in SEEDS
    ]  # fmt: skip
    return arrays_of(models) | {"names": np.array(frames.names)}


def put(path: Path, arrays: dict[str, NDArray[Any]]) -> int:
    """Write arrays into the file of a mix; return its bytes."""
    with np.load(path) as part:
        kept = {name: part[name] for name in part.files}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **(kept | arrays))
    write_file(path, buffer.getvalue())
    return len(buffer.getvalue())


def judging(folder: Path) -> Frames:
    """Return every other of the frames that judge: disc and Gaussian in turn."""
    parts = [np.load(folder / f"{kind}_clean.npz") for kind in ("features", "levels")]
    meta = np.load(folder / "meta_clean.npy")
    lines = (folder / "names_clean.txt").read_text().split("\n")
    groups = np.array([line.rsplit(" ", 1)[1] for line in lines])[meta[:, 0].astype(int)]
    own = np.flatnonzero((meta[:, 4] + meta[:, 5]) % 2 == 0)
    return Frames(
        np.concatenate([part["rows"] for part in parts], 1)[own],
        (10 - np.abs(meta[own, 5])).astype(np.float32),
        np.where(meta[own, 5] == 0, 1.0, 2.0),
        groups[own],
        [str(name) for part in parts for name in part["names"]],
        meta[own, 1].astype(int),
    )


def coverage(
    path: Path, frames: Frames, parts: dict[str, NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Score the frames that mixes have not seen: what they miss, expect, and the noise."""
    missed, expected = np.zeros(len(frames.truth)), np.ones(len(frames.truth))
    for name, own in parts.items():
        with np.load(path / f"{name}.npz") as part:
            mix = mix_of(dict(part))
        score, expected[own] = mix.expected(frames.rows[own])
        missed[own] = np.abs(score - frames.truth[own])
    rmse = float(np.sqrt(np.average(missed**2, weights=frames.weight)))
    print(f"{next(iter(parts)).split('-')[0]} held out: RMSE {rmse:.3f}")
    return missed / expected


def main() -> None:
    """Fit all folds, all sources and the whole; set the intervals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("data", "cache", "frames"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    frames = judging(options.frames)
    others = wide(options.data, options.cache)
    folds = {f"fold-{k}": frames.fold == k for k in range(mixing.FOLDS)}
    sources = {f"source-{k}": frames.source == k for k in sorted(set(frames.source))}
    for name, out in (folds | sources).items():
        path = options.cache / f"{name}.npz"
        with np.load(path) as part:
            done = "tree_feature" in part.files
        if not done:
            known = set(frames.group[out]) | mixing.groups_of(options.data, name)
            put(path, fitted(frames, others, ~out, ~np.isin(others.group, list(known))))
            print(name, flush=True)
    every = [np.ones(len(one.truth), bool) for one in (frames, others)]
    ratio = coverage(options.cache, frames, folds)
    limits, factors = mixing.conformal(frames.snr, ratio, frames.weight)
    place = np.searchsorted(limits, frames.snr)
    wider = coverage(options.cache, frames, sources) / factors[place]
    needed = float(np.quantile(wider, mixing.COVERED, weights=frames.weight, method="inverted_cdf"))
    inside = float(np.average(wider <= 1, weights=frames.weight))
    learned = fitted(frames, others, *every) | {"limits": limits, "factors": factors}
    size = put(mixing.KEPT, learned)
    print(f"{len(frames.truth) + len(others.truth)} frames, {size / 1e3:.0f} kB; factors "
          f"{factors.round(2).tolist()}; of sources never seen {100 * inside:.1f} % lie inside, "
          f"90 % with intervals {needed:.2f} times as wide")  # fmt: skip


if __name__ == "__main__":
    main()
