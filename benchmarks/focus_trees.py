"""What boosted trees reach with classical measures alone, and why: the first study again.

    OMP_NUM_THREADS=1 python benchmarks/focus_trees.py DATA CACHE      (needs scikit-learn)

CACHE is that of ``benchmarks/focus_network.py``; every fourth frame is taken, evenly over
positions, doses and probes.  Trees learn from frames of the 28 licence-clean pictures, with sign(x)
ln(1 + |x|) of measures as columns: all of them; those alone that know neither gain nor offset;
the latter and energies in grey levels.  Printed: each picture held out once (five grouped folds),
each of the four sources held out once, which is what should choose, then BAM and EMPS60, with
their mean error (bias).  The frames of the protocol all have their picture's grey values brought to
one range, so that energies in grey levels carry what a micrograph of unknown contrast would not.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import focus_network as judged
import focus_scores
from napari_sem_tools.evaluation.focus_protocol import DOSES
from napari_sem_tools.focus.measures.picture import Picture
from napari_sem_tools.focus.measures.table import MEASURES, measures_of

SLOW = ("BEFF", "HELM", "dr_like", "cg_like", "ft_like")  # left out
ROUNDS, RATE, LEAVES, LEAST, COLUMNS = 80, 0.12, 15, 15, 0.4
Rows = NDArray[np.float64]


def numbers(cache: Path, which: str, images: NDArray[np.uint8], names: list[str]) -> Rows:
    """Measure frames, or read what is kept of them."""
    path = cache / f"trees_{which}.npy"
    if not path.exists():
        pictures = (Picture(np.asarray(image, np.float32), depth=255.0) for image in images)
        rows = [list(measures_of(picture, names).values()) for picture in pictures]
        np.save(path, np.array(rows))
    values = np.load(path)
    return np.nan_to_num(np.sign(values) * np.log1p(np.abs(values)), nan=-9.0)


def taken(meta: Rows) -> NDArray[np.intp]:
    """Take every fourth frame, evenly."""
    dose = np.searchsorted(sorted(DOSES), meta[:, 6])
    return np.flatnonzero((2 * meta[:, 4] + meta[:, 5] + dose) % 4 == 0)


def model() -> object:
    """Make trees to be fitted."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=ROUNDS, learning_rate=RATE, max_leaf_nodes=LEAVES, min_samples_leaf=LEAST,
        max_features=COLUMNS, random_state=0, early_stopping=False,
    )  # fmt: skip


def said(score: Rows, meta: Rows) -> str:
    """Return error and bias."""
    weight = np.where(meta[:, 5] == 0, 1.0, 2.0)
    error = np.clip(score, 0, 10) - (10 - np.abs(meta[:, 5]))
    return f"{judged.rmse(error, weight):.2f} ({np.average(error, weights=weight):+.2f})"


def held_out(rows: Rows, meta: Rows, group: NDArray[np.generic]) -> Rows:
    """Score each group by trees that have not seen it."""
    score, truth = np.zeros(len(rows)), 10 - np.abs(meta[:, 5])
    for one in np.unique(group):
        out = group == one
        score[out] = model().fit(rows[~out], truth[~out]).predict(rows[out])  # type: ignore[attr-defined]
    return score


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = [name for name in MEASURES if name not in SLOW]
    sets = {}
    for which in ("clean", "bam", "emps60"):
        images, meta, lines = judged.frames(options.data, options.cache, which)
        own = taken(meta)
        groups = np.array([line.rsplit(" ", 1)[1] for line in lines])[meta[own, 0].astype(int)]
        sources = np.array([focus_scores.kind_of(group) for group in groups])
        sets[which] = (numbers(options.cache, which, images[own], names), meta[own], sources)
    free = {n for n in names if MEASURES[n].gain == "1" and MEASURES[n].offset_free}
    raw = {n for n in names if MEASURES[n].gain not in ("1",) and MEASURES[n].offset_free}
    groups = {
        "all measures": set(names),
        "free of gain and offset": free,
        "and energies": free | raw,
    }
    print(f"{'RMSE (bias)':26} {'folds':>14} {'sources':>14} {'BAM':>14} {'EMPS60':>14}")
    for title, chosen in groups.items():
        columns = [place for place, name in enumerate(names) if name in chosen]
        rows, meta, sources = sets["clean"]
        found = [said(held_out(rows[:, columns], meta, by), meta) for by in (meta[:, 1], sources)]
        whole = model().fit(rows[:, columns], 10 - np.abs(meta[:, 5]))  # type: ignore[attr-defined]
        for which in ("bam", "emps60"):
            other, places, _ = sets[which]
            found.append(said(whole.predict(other[:, columns]), places))
        print(f"{title:26} " + " ".join(f"{one:>14}" for one in found), flush=True)


if __name__ == "__main__":
    main()
