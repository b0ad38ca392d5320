"""Few-example tasks within one source, retrieval, and what is no micrograph.

    OMP_NUM_THREADS=1 python benchmarks/classification_tasks.py DATA CACHE [--turned] [--only PART]

DATA is the folder of the shared data sets, CACHE a folder for crops and vectors.  Compared are the
embeddings of the package, networks that were never trained (`classification_rivals`), and, where
the publications carry the claim (T5 and R), a small network of two convolutions that learns from
the same examples.  Vectors of the package are taken as they are; untrained ones are centred and
scaled over the crops of the source, which favours them.  All get the same linear head; its
strength is the one that left-out examples of the first draws like best.  50 draws by specimen, 5
and 20 examples of each category, the same for all.  Intervals resample specimens; beside a
difference stands the p of the exact sign-flip test.
``--turned`` flips and turns every crop by chance: the two conditions of T1 differ in the side from
which edges are shaded, which tells the session and not the specimen.  The last part asks the small
network for the *source* of crops of all tasks.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classification_pictures import equal, not_micrographs
from classification_rivals import RIVALS, Crops, all_crops, small_network, vectors_of
from napari_sem_tools.classification import EMBEDDINGS, embed
from napari_sem_tools.classification.domain import far_limit, left_out_distances, nearest
from napari_sem_tools.classification.heads import HEADS, fit_linear, left_out, parts_of
from napari_sem_tools.classification.signs import seen_signs

OURS, SMALL = "learned", "small network"
DRAWS, SIZES, HELD_OUT = 50, (5, 20), 1 / 3
CHOOSING, SMALL_DRAWS, MOST_TESTED = 3, {5: 6, 20: 3}, 120
LEAST_CROPS = 10  # of a category; of coating two alone hold a crack
BOOTSTRAP, EACH_SOURCE = 2000, 40
FEW = ("T1 condition", "T2 coating", "T3 powder", "T4 coverage", "T5 kind", "T5 shape")
FOUND = ("T1 condition", "T2 coating", "R articles")

Vectors = NDArray[np.float32]
Numbers = NDArray[np.intp]
Row = NDArray[np.float64]


class Tasks:
    """Crops, and the vectors of every rival."""

    def __init__(self, data: Path, cache: Path, turned: bool) -> None:
        self.few: Sequence[str] = FEW
        self.crops: Crops = all_crops(data, cache, turned)
        self.vectors = {one: vectors_of(one, self.crops, cache) for one in RIVALS}

    def of(self, rival: str, which: NDArray[np.bool_] | Numbers) -> Vectors:
        """Return vectors of length 1: untrained ones centred and scaled over these crops."""
        table = self.vectors[rival][which]
        if rival in EMBEDDINGS:
            return table
        table = (table - table.mean(0)) / np.maximum(table.std(0), 1e-6)
        return np.asarray(table / np.linalg.norm(table, axis=1, keepdims=True), np.float32)


def draws(groups: NDArray[np.str_], labels: Numbers, size: int) -> list[tuple[Numbers, Numbers]]:
    """Draw specimens to test and examples of the others; every category occurs among these."""
    rng = np.random.default_rng((11, size))
    return [_draw(groups, labels, size, rng) for _ in range(DRAWS)]


def _draw(
    groups: NDArray[np.str_], labels: Numbers, size: int, rng: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Draw once."""
    names = np.unique(groups)
    count = max(1, round(HELD_OUT * len(names)))
    for _ in range(1000):
        tested = np.isin(groups, rng.permutation(names)[:count])
        if len(np.unique(labels[~tested])) == len(np.unique(labels)):
            break
    chosen = [
        rng.permutation(np.flatnonzero(~tested & (labels == label)))[:size]
        for label in np.unique(labels)
    ]
    return np.concatenate(chosen), np.flatnonzero(tested)


def strength(vectors: Vectors, labels: Numbers, drawn: list[tuple[Numbers, Numbers]]) -> float:
    """Return the strength of the head that left-out examples of the first draws like best."""
    row, right = HEADS["linear"], []
    for tried in row.strengths:
        hits = []
        for chosen, _ in drawn[:CHOOSING]:
            known, own = vectors[chosen], labels[chosen]
            parts = parts_of(np.arange(max(len(chosen), 21))[: len(chosen)])
            hits.append((left_out(row, tried, known, known, own, parts).argmax(1) == own).mean())
        right.append(np.mean(hits))
    return row.strengths[int(np.argmax(right))]


def few_examples(tasks: Tasks, task: str, size: int) -> None:
    """Print how the rivals name what they saw few examples of."""
    crops = tasks.crops
    mine = crops.task == task
    kinds, count = np.unique(crops.category[mine], return_counts=True)
    mine &= np.isin(crops.category, kinds[count >= LEAST_CROPS])
    names, labels = np.unique(crops.category[mine], return_inverse=True)
    groups = crops.group[mine]
    drawn = draws(groups, labels, size)
    named: dict[str, list[Numbers]] = {}
    for one in RIVALS:
        vectors = tasks.of(one, mine)
        tuned = strength(vectors, labels, drawn)
        named[one] = [
            fit_linear(vectors[chosen], labels[chosen], len(names), tuned)
            .scores(vectors[tested])
            .argmax(1)
            for chosen, tested in drawn
        ]
    if task.startswith("T5"):
        named[SMALL] = small_names(crops.small(np.flatnonzero(mine)), labels, drawn, size)
    for one, said in named.items():
        kept = [mine[: len(s)] for mine, s in zip(named[OURS], said, strict=False)]
        right = by_group(said, labels, groups, drawn)
        apart = by_group(kept, labels, groups, drawn) - right  # the same draws and crops
        macro = np.mean(
            [macro_f1(labels[t[: len(s)]], s) for s, (_, t) in zip(said, drawn, strict=False)]
        )
        right, apart = right[np.isfinite(right)], apart[np.isfinite(apart)]
        cells = [task, str(size), one, str(len(right)), interval(right), f"{macro:.3f}"]
        cells += ["", ""] if one == OURS else [interval(apart), f"{sign_flip(apart):.3f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def small_names(
    pictures: Vectors, labels: Numbers, drawn: list[tuple[Numbers, Numbers]], size: int
) -> list[Numbers]:
    """Return what the small network says in the first draws, of the first tested crops."""
    count = int(labels.max()) + 1
    return [
        small_network(
            pictures[chosen], labels[chosen], count, pictures[tested[:MOST_TESTED]], seed=number
        ).argmax(1)
        for number, (chosen, tested) in enumerate(drawn[: SMALL_DRAWS[size]])
    ]


def by_group(
    said: list[Numbers],
    labels: Numbers,
    groups: NDArray[np.str_],
    drawn: list[tuple[Numbers, Numbers]],
) -> Row:
    """Return the share of right names of each specimen; NaN where it was never tested."""
    _, place = np.unique(groups, return_inverse=True)
    hits, tries = np.zeros(place.max() + 1), np.zeros(place.max() + 1)
    for named, (_, tested) in zip(said, drawn, strict=False):
        tested = tested[: len(named)]
        np.add.at(tries, place[tested], 1)
        np.add.at(hits, place[tested], named == labels[tested])
    return np.where(tries > 0, hits / np.maximum(tries, 1), np.nan)


def macro_f1(truth: Numbers, named: Numbers) -> float:
    """Return the mean F1 of the categories that occur."""
    scores = [
        2 * np.sum((truth == k) & (named == k)) / max(np.sum(truth == k) + np.sum(named == k), 1)
        for k in np.unique(truth)
    ]
    return float(np.mean(scores))


def interval(values: Row) -> str:
    """Write a mean over specimens with its 95 % interval."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (BOOTSTRAP, len(values))).mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def sign_flip(apart: Row) -> float:
    """Return the two-sided p of the mean difference under flipped signs."""
    count = len(apart)
    if count <= 14:
        signs = np.array(list(itertools.product((-1, 1), repeat=count)))
    else:
        signs = np.random.default_rng(0).choice((-1, 1), (20000, count))
    return float((np.abs(signs @ apart) >= abs(apart.sum()) - 1e-12).mean())


def retrieval(tasks: Tasks, task: str) -> None:
    """Print how often crops of the same specimen in another picture come first."""
    crops = tasks.crops
    mine = crops.task == task
    groups, pictures = crops.group[mine], crops.picture[mine]
    alike = {}
    for one in RIVALS:
        vectors = tasks.of(one, mine)
        alike[one] = np.asarray(vectors @ vectors.T, np.float64)
    shown = {one: ranked_by(table, groups, pictures) for one, table in alike.items()}
    if task == "R articles":
        small = small_likeness(crops.small(np.flatnonzero(mine)), groups, pictures)
        shown[SMALL] = ranked_by(small, groups, pictures)
    for one, numbers in shown.items():
        apart = shown[OURS][0] - numbers[0]
        cells = [task, one, str(len(apart)), *map(interval, numbers)]
        cells += ["", ""] if one == OURS else [interval(apart), f"{sign_flip(apart):.3f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def ranked_by(
    alike: Row, groups: NDArray[np.str_], pictures: NDArray[np.str_]
) -> tuple[Row, Row, Row]:
    """Return recall@1, recall@5 and mean average precision of every specimen."""
    alike = np.where(np.equal.outer(pictures, pictures), -np.inf, alike)
    order = np.argsort(-alike, axis=1, kind="stable")
    same = groups[order] == groups[:, None]
    same &= np.isfinite(np.take_along_axis(alike, order, axis=1))
    asked = same.any(1)
    rank = np.cumsum(same, axis=1)
    precision = np.where(same, rank / np.arange(1, same.shape[1] + 1), 0).sum(1)
    numbers = (same[:, 0], same[:, :5].any(1), precision / np.maximum(same.sum(1), 1))
    _, place = np.unique(groups[asked], return_inverse=True)
    count = np.bincount(place)
    one, five, mean = (np.bincount(place, n[asked].astype(float)) / count for n in numbers)
    return one, five, mean


def small_likeness(pictures: Vectors, groups: NDArray[np.str_], names: NDArray[np.str_]) -> Row:
    """Let the small network learn the articles from half of their pictures and name the others.

    The likeness of two crops is the probability of the article of the second, so that the
    pictures that it did not learn from are its queries; done twice.
    """
    _, labels = np.unique(groups, return_inverse=True)
    half = np.zeros(len(names), np.intp)
    for group in np.unique(groups):
        own = np.unique(names[groups == group])
        half[np.isin(names, own[1::2])] = 1
    told = np.zeros((len(names), labels.max() + 1))
    for part in (0, 1):
        learnt = np.flatnonzero(half != part)
        asked = np.flatnonzero(half == part)
        told[asked] = small_network(
            pictures[learnt], labels[learnt], labels.max() + 1, pictures[asked], seed=part
        )
    return told[:, labels]


def out_of_domain(tasks: Tasks, task: str, others: Vectors, signs: NDArray[np.bool_]) -> str:
    """Tell other pictures from held-out crops of the source, by distance and by signs."""
    mine = tasks.crops.task == task
    known_by = EMBEDDINGS[OURS].known_by
    vectors, others = known_by(tasks.vectors[OURS][mine]), known_by(others)
    _, groups = np.unique(tasks.crops.group[mine], return_inverse=True)
    own = left_out_distances(vectors, vectors, groups)
    limit = far_limit(own, 95.0)
    far, _ = nearest(others, vectors)
    both = np.where(signs, np.inf, far)
    cells = [task, f"{auroc(far, own):.3f}", f"{auroc(both, own):.3f}"]
    cells += [f"{(far > limit).mean():.2f}", f"{(both > limit).mean():.2f}"]
    return "| " + " | ".join(cells) + " |"


def auroc(others: Row, own: Row) -> float:
    """Return the chance that another picture lies further than one of the source."""
    above = np.greater.outer(others, own).mean() + 0.5 * np.equal.outer(others, own).mean()
    return float(above)


def print_few(tasks: Tasks) -> None:
    """Print the tasks of few examples."""
    print("| task | examples | by | specimens | accuracy | F1 | learned less this one | p |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for task in tasks.few:
        for size in SIZES:
            few_examples(tasks, task, size)


def print_found(tasks: Tasks) -> None:
    """Print the retrieval."""
    print("| found again | by | specimens | recall@1 | recall@5 | mAP | difference at 1 | p |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for task in FOUND:
        retrieval(tasks, task)


def print_domain(tasks: Tasks) -> None:
    """Print what is no micrograph."""
    strange = list(not_micrographs())
    as_grey = [one if one.ndim == 2 else np.uint8(one.mean(-1)) for _, one in strange]
    others = np.asarray([embed(equal(one), model=OURS) for one in as_grey])
    for title, pictures in (("in colour", [one for _, one in strange]), ("grey", as_grey)):
        signs = np.asarray([bool(seen_signs(one)) for one in pictures])
        print(f"\n{len(signs)} pictures that are no micrographs, {title}: {signs.sum()} with signs")
        print("| source | AUROC distance | with signs | flagged by distance | with signs |")
        print("| --- | --- | --- | --- | --- |")
        for task in FEW[:4]:
            print(out_of_domain(tasks, task, others, signs), flush=True)


def print_source(tasks: Tasks) -> None:
    """Print how often the small network names the source of a crop of a new specimen."""
    crops = tasks.crops
    sources = np.asarray([one for one in dict.fromkeys(crops.task.tolist()) if one != "T5 shape"
                          and one != "R articles"])  # fmt: skip
    rng = np.random.default_rng(12)
    learnt, tested = [], []
    for source in sources:
        own = np.flatnonzero(crops.task == source)
        names = rng.permutation(np.unique(crops.group[own]))
        new = np.isin(crops.group[own], names[: max(1, round(HELD_OUT * len(names)))])
        learnt.append(rng.permutation(own[~new])[:EACH_SOURCE])
        tested.append(rng.permutation(own[new])[:EACH_SOURCE])
    known, asked = np.concatenate(learnt), np.concatenate(tested)
    _, labels = np.unique(crops.task, return_inverse=True)
    told = small_network(
        crops.small(known), labels[known], labels.max() + 1, crops.small(asked), seed=0
    )
    right = (told.argmax(1) == labels[asked]).astype(float)
    print(f"\nconfounded: the small network names the source of {len(asked)} crops of new "
          f"specimens of {len(sources)} sources right in {interval(right)}")  # fmt: skip


PARTS: dict[str, Callable[[Tasks], None]] = {
    "few": print_few, "found": print_found, "domain": print_domain, "source": print_source,
}  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--turned", action="store_true", help="flip and turn each crop by chance")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--tasks", nargs="+", default=FEW, help="those of few examples")
    args = parser.parse_args()
    tasks = Tasks(args.data, args.cache, args.turned)
    tasks.few = args.tasks
    for name, part in PARTS.items():
        if args.only in (None, name):
            part(tasks)


if __name__ == "__main__":
    main()
