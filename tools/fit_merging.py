"""Fit the log-odds of ``segmentation/merging.py``: ``python tools/fit_merging.py DATA_DIR``.

Reads simulated scenes and, of DATA_DIR, only sets from which shipped weights may be learnt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import coo_array, csgraph
from scipy.special import expit
from skimage.io import imread

from napari_sem_tools.evaluation import evaluate
from napari_sem_tools.reading import read
from napari_sem_tools.segmentation import ThresholdSession, ThresholdSettings, merging
from napari_sem_tools.simulation.training_scene import training_scene

CLEAN: dict[str, int | None] = {  # folder and rows that count; MIT, Apache-2.0 or CC BY 4.0
    **dict.fromkeys(["powder", "more/powder-extra", "more/uhcs-spheroidite"]),
    **{"more/nffa-particles": 600, "msa-em-nanoparticles/train": None},
}
SCENES, FIT_SEED, TRIAL_SEED = 80, 2027, 2028
SURE, FOUND = 0.6, 0.3  # least share of a piece in its particle, overlap of foreground and truth
JOINED = 0.5  # share of the pairs of one particle that are joined before pairs are listed again
RIDGE = 1e-3  # penalty on squared weights of the standardized quantities
SHIFTS = np.arange(-2, 2.01, 0.5)  # of the offset, tried around the fitted one

Floats, Bools = NDArray[np.float64], NDArray[np.bool_]


class Picture(NamedTuple):
    """What is learnt from: a session, its truth, and the pixels that say something."""

    session: ThresholdSession
    truth: NDArray[np.integer]
    counts: Bools
    kind: str  # arrangement of a simulated scene, else "clean"


def simulated(seed: int) -> Iterator[Picture]:
    """Draw scenes."""
    for number in range(SCENES):
        new = training_scene((seed, number), size_px=512)
        yield Picture(ThresholdSession(new.image), new.labels, ~new.ignore, new.recipe.arrangement)


def clean(data: Path) -> Iterator[Picture]:
    """Read the openly licensed sets."""
    for folder, rows in CLEAN.items():
        for mask in sorted((data / folder / "masks").iterdir()):
            truth = imread(mask)
            image = read(next((data / folder / "images").glob(f"{mask.stem}.*")))
            counts = np.arange(image.shape[0])[:, None] < (rows or len(truth))
            session, seen = ThresholdSession(image, field=counts), counts[: len(truth)]
            yield Picture(session, truth * seen, seen, "clean")


def owners(picture: Picture) -> NDArray[np.int64]:
    """Return the particle that each piece is of, 0 if of none or unsure."""
    cut, step = picture.session._cut(ThresholdSettings()), picture.session.plan().factor
    truth = picture.truth[step // 2 :: step, step // 2 :: step].astype(np.int64)
    labels, size = cut.pieces.labels[: truth.shape[0], : truth.shape[1]], int(truth.max()) + 1
    pairs, counts = np.unique(labels * size + truth, return_counts=True)
    sure = (counts >= SURE * cut.adjacency.sums[0, pairs // size]) & (pairs >= size)
    owner = np.zeros(cut.pieces.count + 1, np.int64)
    owner[pairs[sure] // size] = pairs[sure] % size
    return owner


def examples(picture: Picture, rng: np.random.Generator) -> tuple[Floats, Bools]:
    """List quantities and truth of pairs, also of particles that are joined in part."""
    adjacency, owner = picture.session._cut(ThresholdSettings()).adjacency, owners(picture)
    rows, answers = [np.zeros((0, len(merging._ODDS)))], [np.zeros(0, bool)]
    while adjacency.first.size:
        a, b = owner[adjacency.first], owner[adjacency.second]
        known, same = (a > 0) & (b > 0), (a > 0) & (a == b)
        rows.append(np.stack(list(adjacency.quantities().values()), axis=1)[known])
        answers.append(same[known])
        if not same.any():
            break
        now = same & (rng.random(same.size) < JOINED)
        ends = adjacency.first[now], adjacency.second[now]
        graph = coo_array((np.ones(now.sum()), ends), shape=(owner.size,) * 2)
        new = csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
        _, first = np.unique(new, return_index=True)
        adjacency, owner = adjacency.joined(new), owner[first]
    return np.concatenate(rows), np.concatenate(answers)


def fit(pictures: Iterable[Picture]) -> float:
    """Fit weights into `merging`; pictures count the same, as do both kinds of pair in each."""
    rng, parts = np.random.default_rng(FIT_SEED), []
    for picture in pictures:
        inside, found = picture.truth > 0, picture.session.foreground()[: len(picture.truth)]
        x, y = examples(picture, rng)
        if (inside & found).sum() >= FOUND * (inside | found).sum() and 0 < y.sum() < len(y):
            parts.append((x, y, np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum())))
    x, y, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    low, high = np.round(np.quantile(x, (0.01, 0.99), axis=0), 1) + 0.0
    held, sign, weight = np.clip(x, low, high), np.where(y, 1.0, -1.0), weight / len(parts)
    scaled = np.column_stack([(held - held.mean(0)) / held.std(0), np.ones(len(y))])

    def loss(beta: Floats) -> tuple[float, Floats]:
        margin, shrink = sign * (scaled @ beta), RIDGE * np.append(beta[:-1], 0)
        slope = shrink - (weight * sign * expit(-margin)) @ scaled
        return float(weight @ np.logaddexp(0, -margin) + 0.5 * shrink @ beta), slope

    beta = minimize(loss, np.zeros(scaled.shape[1]), jac=True).x
    print(f"{len(parts)} pictures, {len(y)} pairs, {weight @ (scaled @ beta * sign > 0):.0%} right")
    factors = np.round(2 * beta[:-1] / held.std(0)) / 2
    rows = np.column_stack([factors, low, high]).tolist()
    merging._ODDS.update(zip(merging._ODDS, map(tuple, rows), strict=True))
    return float(beta[-1] - held.mean(0) @ factors)


def precision(picture: Picture, shift: float) -> float:
    """AP@0.5 with the offset shifted, which is a likelihood that is asked for."""
    labels = picture.session.labels(ThresholdSettings(split_strength=float(expit(-shift))))
    return float(evaluate(picture.truth, labels[: len(picture.truth)] * picture.counts)["ap50"])


def main() -> None:
    """Fit, choose the offset by the mean of simulated and real pictures, print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    data = parser.parse_args().data_dir
    merging._ODDS_OFFSET = 0.0  # what is shipped now has no say in what is fitted
    merging._ODDS.update(dict.fromkeys(merging._ODDS, (0.0, 0.0, 0.0)))
    merging._ODDS_OFFSET = fit(chain(simulated(FIT_SEED), clean(data)))
    trial = chain(simulated(TRIAL_SEED), clean(data))
    table = [(p.kind, [precision(p, shift) for shift in SHIFTS]) for p in trial]
    kinds, ap = np.array([row[0] for row in table]), np.array([row[1] for row in table])
    mean = 0.5 * (ap[kinds == "clean"].mean(0) + ap[kinds != "clean"].mean(0))
    rows = {"offset": merging._ODDS_OFFSET + SHIFTS, "AP, both": mean}
    rows |= {f"{n}, {sum(kinds == n)}": ap[kinds == n].mean(0) for n in np.unique(kinds)}
    print(*(f"{name:15} {np.round(row, 3)}" for name, row in rows.items()), sep="\n")
    print(*(f'"{name}": {row},' for name, row in merging._ODDS.items()), sep="\n")
    print(f"_ODDS_OFFSET = {merging._ODDS_OFFSET + SHIFTS[mean.argmax()]:.2f}")


if __name__ == "__main__":
    main()
