"""How well the confidence of a network joins the score of doubt, on simulated images.

    python benchmarks/doubt_confidence.py [METHOD]

METHOD is by default the one that `segment` takes.  Segments simulated images of crowded
particles; a particle is right when it and one of the truth overlap by more than half of their
union.  Prints the area under the ROC curve (AUROC: how often a wrong one scores higher than a
right one) of the score of doubt, and the shares flagged, for some settings of the rule on
confidence; 0 switches it off.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import napari_sem_tools as sem
from napari_sem_tools.measurement import judge

SHAPES = ("ellipsoids", "mixed", "rods", "spheres")
LIMITS = (0.0, 0.2, 0.5, 0.6)


def best_overlap(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the largest intersection over union of every label with any true particle."""
    n, m = int(labels.max()) + 1, int(truth.max()) + 1
    shared = np.bincount(labels.ravel().astype(np.int64) * m + truth.ravel(), minlength=n * m)
    shared = shared.reshape(n, m)
    union = shared.sum(1)[:, None] + shared.sum(0)[None] - shared
    return (shared / np.maximum(union, 1))[1:, 1:].max(axis=1)


def auroc(score: np.ndarray, wrong: np.ndarray) -> float:
    """Return how often a wrong one scores higher than a right one."""
    high, low = score[wrong][:, None], score[~wrong][None]
    return float(np.mean((high > low) + 0.5 * (high == low)))


def measured(method: str | None) -> pd.DataFrame:
    """Measure the whole particles that a method finds, with a column that says which are wrong."""
    tables = []
    for seed, shape in enumerate(SHAPES, 50):
        wish = sem.SimulationSettings(agglomeration=0.8, particles=250, shape=shape)
        simulated = sem.simulate(wish, seed=seed)
        found = sem.segment(simulated.image, method)
        table = sem.measure(found, simulated.image)
        overlap = best_overlap(found.labels, np.asarray(simulated.labels))
        table["wrong"] = overlap[table.index.to_numpy() - 1] <= 0.5
        tables.append(table[~table["edge"]])
    return pd.concat(tables)


def main() -> None:
    """Print the table."""
    table = measured(sys.argv[1] if len(sys.argv) > 1 else "particles")
    wrong = table["wrong"].to_numpy()
    print(f"{(~wrong).sum()} right and {wrong.sum()} wrong particles")
    print("min_confidence   AUROC   right flagged   wrong flagged")
    for limit in LIMITS:
        judged = judge(table, sem.MeasureSettings(min_confidence=limit))
        score, doubtful = judged["doubt_score"].to_numpy(), judged["doubtful"].to_numpy()
        shares = f"{doubtful[~wrong].mean():12.1%} {doubtful[wrong].mean():15.1%}"
        print(f"{limit:14.1f} {auroc(score, wrong):7.3f} {shares}")


if __name__ == "__main__":
    main()
