"""What scoring costs, beside going through the particles one by one.

    OMP_NUM_THREADS=1 python benchmarks/scoring.py

A thousand true and a thousand found particles that touch, in 1024 x 768 px.  CPU seconds, the
best of three; the ratios are of one run.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.evaluation import Scores, count_image
from napari_sem_tools.evaluation.counts import IOU_LEVELS
from napari_sem_tools.evaluation.kinds import found_kinds, true_kinds
from napari_sem_tools.evaluation.outlines import boundary_counts, mask_counts
from napari_sem_tools.evaluation.overlaps import matches, numbered, overlaps

SHAPE, COUNT, RADIUS = (768, 1024), 1000, 14
LOOPED = 40  # particles that the loop is timed on
IMAGES = 34
Labels = NDArray[np.int64]


def particles(seed: int) -> Labels:
    """Discs that push each other flat where they meet."""
    from scipy.spatial import cKDTree

    centres = np.random.default_rng(seed).uniform((0, 0), SHAPE, (COUNT, 2))
    away, nearest = cKDTree(centres).query(np.argwhere(np.ones(SHAPE)))
    return np.where(away <= RADIUS, nearest + 1, 0).reshape(SHAPE)


def seconds(run: Callable[[], object], times: int = 3) -> float:
    """CPU seconds, the best of some runs."""
    best = np.inf
    for _ in range(times):
        started = time.process_time()
        run()
        best = min(best, time.process_time() - started)
    return best


def one_by_one(truth: Labels, found: Labels, *, some: int) -> None:
    """Compare masks particle by particle, as is often done."""
    for label in range(1, some + 1):
        mine = truth == label
        for other in np.unique(found[mine]):
            if other:
                theirs = found == other
                (mine & theirs).sum() / (mine | theirs).sum()


def main() -> None:
    """Print the table."""
    truth, found = particles(1), np.roll(particles(1), (2, 1), (0, 1))
    one, other = numbered(truth), numbered(found)
    pairs = overlaps(one[0], other[0], one[1], other[1])
    hits = matches(pairs, 0.5)
    counts = count_image(truth, found)
    whole = seconds(lambda: count_image(truth, found))
    matching = seconds(
        lambda: [matches(overlaps(one[0], other[0], one[1], other[1]), t) for t in IOU_LEVELS[:1]]
    )
    loop = seconds(lambda: one_by_one(truth, found, some=LOOPED), 1) * COUNT / LOOPED
    steps = {
        "all scores of one image": whole,
        "  of which overlaps and pairs at IoU 0.5": matching,
        "  of which pairs at the ten levels": seconds(
            lambda: [matches(pairs, t) for t in IOU_LEVELS]
        ),
        "  of which kinds of error": seconds(
            lambda: (true_kinds(pairs, hits), found_kinds(pairs, hits))
        ),
        "  of which boundary F1": seconds(lambda: boundary_counts(one[0], other[0], 2.0)),
        "  of which the three published scores": seconds(lambda: mask_counts(one[0], other[0])),
        f"intervals of {IMAGES} such images, 2000 draws": seconds(
            Scores((counts,) * IMAGES).summary, 1
        ),
    }
    print(f"{len(one[1])} true, {len(other[1])} found, {len(pairs.true)} overlaps\n")
    for name, value in steps.items():
        print(f"{name:48} {value:8.4f} s")
    print(f"{f'a loop over the particles ({LOOPED} timed)':48} {loop:8.1f} s")
    print(
        f"loop / overlaps and pairs: {loop / matching:.0f}; loop / all scores: {loop / whole:.0f}"
    )


if __name__ == "__main__":
    main()
