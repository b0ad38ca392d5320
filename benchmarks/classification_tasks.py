"""Few-example tasks within one source, retrieval, and what is no micrograph.

    OMP_NUM_THREADS=1 python benchmarks/classification_tasks.py DATA CACHE [--turned]

DATA is the folder of the shared data sets, CACHE a file for the vectors of the crops.  Rivals:
the texture vector of the package, and the mean activations of an untrained network (its vectors
are centred and scaled over all crops of the source, which favours it).  Both get the same heads,
the same 50 draws by specimen, 5 and 20 examples of each category.  Intervals resample specimens;
beside a difference stands the p of the exact sign-flip test over specimens.  Task T5 needs labels
by eye and is not here.  ``--turned`` flips and turns every crop by chance: the two conditions of T1
differ in the side from which edges are shaded, which tells the session and not the specimen.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import dataclasses
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classification_pictures import TASKS, Crop, equal, not_micrographs
from napari_sem_tools.classification import Examples, TeachSettings, embed, teach_vectors
from napari_sem_tools.classification.domain import far_limit, left_out_distances, nearest
from napari_sem_tools.classification.signs import seen_signs

DRAWS, SIZES, HELD_OUT = 50, (5, 20), 1 / 3
RIVALS = ("texture", "untrained network")
NET_PX, NET_CHANNELS = 160, (32, 64, 128, 256)
LEAST_CROPS = 10  # of a category; of coating two alone hold a crack
BOOTSTRAP = 2000

Vectors = NDArray[np.float32]
Text = NDArray[np.str_]


def untrained(crops: list[Crop]) -> Vectors:
    """Return mean and spread of the activations of every stage of a random network."""
    import torch
    from skimage.transform import resize

    torch.manual_seed(0)
    torch.set_num_threads(1)
    sides = (1, *NET_CHANNELS)
    stages = [torch.nn.Conv2d(a, b, 3, stride=2) for a, b in itertools.pairwise(sides)]
    rows = []
    with torch.inference_mode():
        for crop in crops:
            small = resize(crop.pixels / 255.0, (NET_PX, NET_PX), anti_aliasing=True)
            signal = torch.from_numpy((small - 0.5).astype(np.float32))[None, None]
            parts = []
            for stage in stages:
                signal = torch.relu(stage(signal))
                signal = signal / signal.std()
                parts += [signal.mean((0, 2, 3)), signal.std((0, 2, 3))]
            rows.append(torch.cat(parts).numpy())
    return np.asarray(rows, np.float32)


def centred(vectors: Vectors) -> Vectors:
    """Centre and scale over the crops of a source, then to length 1."""
    table = (vectors - vectors.mean(0)) / np.maximum(vectors.std(0), 1e-6)
    return np.asarray(table / np.linalg.norm(table, axis=1, keepdims=True), np.float32)


def measured(data: Path, cache: Path, turned: bool) -> dict[str, NDArray[np.generic]]:
    """Return the vectors and truths of all crops, from the cache where it is there."""
    if cache.exists():
        with np.load(cache) as held:
            return dict(held)
    crops = [crop for task in TASKS for crop in task(data)]
    if turned:
        crops = [dataclasses.replace(one, pixels=equal(one.pixels, turned=True)) for one in crops]
    found: dict[str, NDArray[np.generic]] = {
        name: np.asarray([getattr(crop, name) for crop in crops])
        for name in ("task", "category", "group", "picture")
    }
    found["texture"] = np.asarray([embed(crop.pixels) for crop in crops])
    found["untrained network"] = untrained(crops)
    np.savez(cache, **found)
    return found


def draw(
    groups: Text, labels: NDArray[np.intp], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw specimens to test and examples of the others; every category occurs among these."""
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


def few_examples(found: dict[str, NDArray[np.generic]], task: str, size: int) -> str:
    """Compare the rivals on a task."""
    mine = found["task"] == task
    kinds, count = np.unique(found["category"][mine], return_counts=True)
    mine &= np.isin(found["category"], kinds[count >= LEAST_CROPS])
    names, labels = np.unique(found["category"][mine], return_inverse=True)
    groups = found["group"][mine]
    _, place = np.unique(groups, return_inverse=True)
    vectors = {one: found[one][mine] for one in RIVALS}
    vectors["untrained network"] = centred(vectors["untrained network"])
    hits = {one: np.zeros(place.max() + 1) for one in RIVALS}
    tries = np.zeros(place.max() + 1)
    macro: dict[str, list[float]] = {one: [] for one in RIVALS}
    rng = np.random.default_rng((11, size))
    for _ in range(DRAWS):
        chosen, tested = draw(groups, labels, size, rng)
        np.add.at(tries, place[tested], 1)
        for one in RIVALS:
            known = vectors[one][chosen]
            kept = Examples(tuple(names), labels[chosen], known, known, np.arange(len(chosen)))
            head = teach_vectors(kept, settings=TeachSettings(head="linear")).head
            named = head.scores(vectors[one][tested]).argmax(1)
            np.add.at(hits[one], place[tested], named == labels[tested])
            macro[one].append(macro_f1(labels[tested], named))
    used = tries > 0
    right = {one: hits[one][used] / tries[used] for one in RIVALS}
    apart = right[RIVALS[0]] - right[RIVALS[1]]
    cells = [f"{task} | {len(apart)} | {size}"]
    cells += [f"{interval(right[one])} | {np.mean(macro[one]):.3f}" for one in RIVALS]
    cells += [interval(apart), f"{sign_flip(apart):.3f}"]
    return "| " + " | ".join(cells) + " |"


def macro_f1(truth: NDArray[np.intp], named: NDArray[np.intp]) -> float:
    """Return the mean F1 of the categories that occur."""
    scores = [
        2 * np.sum((truth == k) & (named == k)) / max(np.sum(truth == k) + np.sum(named == k), 1)
        for k in np.unique(truth)
    ]
    return float(np.mean(scores))


def interval(values: NDArray[np.float64]) -> str:
    """Write a mean over specimens with its 95 % interval."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (BOOTSTRAP, len(values))).mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def sign_flip(apart: NDArray[np.float64]) -> float:
    """Return the two-sided p of the mean difference under flipped signs."""
    count = len(apart)
    if count <= 14:
        signs = np.array(list(itertools.product((-1, 1), repeat=count)))
    else:
        signs = np.random.default_rng(0).choice((-1, 1), (20000, count))
    return float((np.abs(signs @ apart) >= abs(apart.sum()) - 1e-12).mean())


def retrieval(found: dict[str, NDArray[np.generic]], task: str) -> str:
    """Find crops of the same specimen in another picture, among all of the source."""
    mine = found["task"] == task
    groups, pictures = found["group"][mine], found["picture"][mine]
    shown = {}
    for one in RIVALS:
        vectors = found[one][mine]
        vectors = centred(vectors) if one != "texture" else vectors
        alike = np.asarray(vectors @ vectors.T, np.float64)
        alike[np.equal.outer(pictures, pictures)] = -np.inf
        order = np.argsort(-alike, axis=1)
        same = groups[order] == groups[:, None]
        same &= np.isfinite(np.take_along_axis(alike, order, axis=1))
        asked = same.any(1)
        rank = np.cumsum(same, axis=1)
        precision = np.where(same, rank / np.arange(1, same.shape[1] + 1), 0).sum(1)
        numbers = (same[:, 0], same[:, :5].any(1), precision / np.maximum(same.sum(1), 1))
        _, place = np.unique(groups[asked], return_inverse=True)
        count = np.bincount(place)
        shown[one] = [np.bincount(place, n[asked].astype(float)) / count for n in numbers]
    cells = [f"{task} | {len(count)} | {int(asked.sum())}"]
    cells += [" | ".join(interval(n) for n in shown[one]) for one in RIVALS]
    apart = shown[RIVALS[0]][0] - shown[RIVALS[1]][0]
    return "| " + " | ".join([*cells, interval(apart), f"{sign_flip(apart):.3f}"]) + " |"


def out_of_domain(found: dict[str, NDArray[np.generic]], task: str, others: Vectors,
                  signs: NDArray[np.bool_]) -> str:  # fmt: skip
    """Tell other pictures from held-out crops of the source, by distance and by signs."""
    mine = found["task"] == task
    vectors = found["texture"][mine]
    _, groups = np.unique(found["group"][mine], return_inverse=True)
    own = left_out_distances(vectors, vectors, groups)
    limit = far_limit(own, 95.0)
    far, _ = nearest(others, vectors)
    both = np.where(signs, np.inf, far)
    cells = [task, f"{auroc(far, own):.3f}", f"{auroc(both, own):.3f}"]
    cells += [f"{(far > limit).mean():.2f}", f"{(both > limit).mean():.2f}"]
    return "| " + " | ".join(cells) + " |"


def auroc(others: NDArray[np.float64], own: NDArray[np.float64]) -> float:
    """Return the chance that another picture lies further than one of the source."""
    above = np.greater.outer(others, own).mean() + 0.5 * np.equal.outer(others, own).mean()
    return float(above)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--turned", action="store_true", help="flip and turn each crop by chance")
    args = parser.parse_args()
    found = measured(args.data, args.cache, args.turned)
    tasks = [str(one) for one in dict.fromkeys(found["task"].tolist())]
    print("| task | specimens | examples | texture | F1 | untrained | F1 | difference | p |")
    for task in tasks[:4]:
        for size in SIZES:
            print(few_examples(found, task, size), flush=True)
    print("\n| retrieval | specimens | queries | recall@1, @5, mAP: texture | untrained | "
          "difference at 1 | p |")  # fmt: skip
    for task in ("T1 condition", "T2 coating", "R articles"):
        print(retrieval(found, task), flush=True)
    strange = list(not_micrographs())
    as_grey = [one if one.ndim == 2 else np.uint8(one.mean(-1)) for _, one in strange]
    others = np.asarray([embed(equal(one)) for one in as_grey])
    for title, pictures in (("in colour", [one for _, one in strange]), ("grey", as_grey)):
        signs = np.asarray([bool(seen_signs(one)) for one in pictures])
        print(f"\n{len(signs)} pictures that are no micrographs, {title}: {signs.sum()} with signs")
        print("| source | AUROC distance | with signs | flagged by distance | with signs |")
        for task in tasks[:4]:
            print(out_of_domain(found, task, others, signs), flush=True)


if __name__ == "__main__":
    main()
