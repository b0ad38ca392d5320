"""Scores of models of the registry with default settings on the real sets with truth.

    python benchmarks/network_scores.py DATA_DIR [--model particles ... threshold]
        [--sets emps bam] [--every 1] [--flips] [--pages FOLDER] [--json FILE]

Definitions, sets and rows are those of `threshold_scores.py`; every method runs with its own
default settings, the same for all pictures.  Several methods stand in one table, `threshold`
among them; `--flips` scores every network a second time, with mirrored images averaged.
Printed are the scores, the errors of number and sizes, the kinds of error and recall by size,
each with its 95 % bootstrap interval over images.  `--json` keeps what
`tools/package_model.py` puts on a card; of several models that of the first one.  `--pages`
writes a page with pictures for every model and set.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from napari_sem_tools.evaluation import (
    SCORES,
    Estimate,
    ImageCounts,
    Protocol,
    Scene,
    Scores,
    count_image,
    write_page,
)
from napari_sem_tools.reading import read
from napari_sem_tools.segmentation import segment
from napari_sem_tools.segmentation.network import NetworkSettings
from threshold_scores import SETS as COMMON_SETS

SETS = COMMON_SETS | {
    "stem-catalysts": ("more/stem-catalysts", None),
    "axons-sem": ("more/axons-sem", None),
    "am-steel-defects": ("more/am-steel-defects", None),
}
FOUND_AND_FALSE = ("stem-catalysts",)  # drawn from boxes: outlines and sizes are not judged
FLIPS = ", flips"  # what the second row of a model is called
KEPT = ("mean_ap50", "mean_ap75", "mean_pq", "mean_aji", "pooled_count_err", "pooled_ecd_d50_err")
COLUMNS = ("ap50", "ap75", "ap50_95", "pq", "sq", "aji", "fg_iou", "fg_dice", "boundary_f1")
PUBLISHED = ("img_iou", "inst_iou", "youden")
SIZES = ("count_err", "ecd_mean_err", "ecd_d10_err", "ecd_d50_err", "ecd_d90_err", "w1_px", "w1_nm")
LOSSES = ("recall", "missed", "merged", "split", "outline", "false_ground", "false_piece")
CRUMB_PX = 30
PIXEL_NM = {"bam": 7.34375}
WITH_CRUMBS = ("bam",)  # sets that are shown without crumbs too
SPLITS = {
    "emps-train": "the published training split",
    "bam": "34 fields of one specimen",
    "msa-em-nanoparticles": "train, frames of one video",
}
N_BOOT, BOOT_SEED = 2000, 0


@dataclasses.dataclass(frozen=True)
class Task:
    """One picture to be segmented by one model."""

    model: str
    image: Path
    mask: Path
    rows: int | None
    keeps_labels: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Done:
    """Counts of all objects and without crumbs, the labels for pictures, CPU seconds."""

    counts: ImageCounts
    no_crumbs: ImageCounts
    labels: np.ndarray | None
    seconds: float


def run_one(task: Task) -> Done:
    """Segment one picture as a user would, and compare."""
    from skimage.io import imread

    truth = imread(task.mask)
    image = read(task.image)
    started = time.process_time()
    wish = NetworkSettings(average_flips=True) if task.model.endswith(FLIPS) else None
    found = segment(image, task.model.removesuffix(FLIPS), settings=wish).labels
    seconds = time.process_time() - started
    found = found[: truth.shape[0]]
    both = (
        count_image(truth, found, rows=task.rows, min_area=least, name=task.image.stem)
        for least in (1, CRUMB_PX)
    )
    return Done(*both, found if task.keeps_labels else None, seconds)


def tasks_of(name: str, model: str, args: argparse.Namespace) -> list[Task]:
    """List the pictures of a set."""
    folder, rows = SETS[name]
    root = args.data_dir / folder
    if not root.is_dir():
        return []
    masks = {p.stem: p for p in (root / "masks").iterdir()}
    images = sorted(p for p in (root / "images").iterdir() if p.stem in masks)
    chosen = images[:: args.every][: args.limit]
    return [Task(model, p, masks[p.stem], rows, args.pages is not None) for p in chosen]


def said_of(model: str) -> str:
    """Name a model with version, hash and what it was trained on, with its seed."""
    from napari_sem_tools.models import models

    name, flips, _ = model.partition(FLIPS)
    if name not in models:
        return f"{model}, without training"
    card = models[name]
    data = "; ".join(part.name for part in card.training_data) or "not stated"
    key = f"{card.name} {card.version}{flips}"
    return f"{key} (SHA-256 {card.weights.sha256[:12]}), trained on: {data}"


def split_of(name: str, args: argparse.Namespace) -> str:
    """Say which pictures of a set were scored."""
    text = SPLITS.get(name, "all")
    text += f", every {args.every}th picture" if args.every > 1 else ""
    return text + (f", the first {args.limit} of them" if args.limit else "")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(heads) + " |")
    print("| " + " | ".join("---" for _ in heads) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def text_of(one: Estimate | None) -> str:
    """Write value and interval."""
    return "–" if one is None or not np.isfinite(one.value) else str(one)


def show(title: str, by_model: dict[str, Scores], seconds: dict[str, float]) -> dict[str, dict]:
    """Print the tables of a set; return the summary of each model."""
    summaries = {m: s.summary(n_boot=N_BOOT, seed=BOOT_SEED) for m, s in by_model.items()}
    first = next(iter(by_model.values()))
    n_true = sum(len(c.true_area) for c in first.images)
    print(f"## {title}: {len(first.images)} images, {n_true} true particles\n")
    if title not in FOUND_AND_FALSE:
        print("Mean over images [95 %].\n")
        block(summaries, COLUMNS, "mean", seconds)
        print("The three scores of Rühle et al., mean over images [95 %].\n")
        block(summaries, PUBLISHED, "mean")
        print("Number and sizes, all particles together [95 %].\n")
        block(summaries, SIZES, "pooled")
    print("Found and kinds of error, shares of the true particles [95 %].\n")
    block(summaries, LOSSES, "pooled")
    show_recall(by_model)
    show_differences(by_model)
    return summaries


def block(
    summaries: dict[str, dict[str, Estimate]],
    names: Sequence[str],
    kind: str,
    seconds: dict[str, float] | None = None,
) -> None:
    """Print some scores, a row a model."""
    there = [n for n in names if f"{kind}_{n}" in next(iter(summaries.values()))]
    heads = ["model", *(SCORES[n].title for n in there)]
    rows = [[m, *(text_of(s[f"{kind}_{n}"]) for n in there)] for m, s in summaries.items()]
    if seconds is not None:
        heads.append("CPU s per image")
        rows = [[*row, f"{seconds[row[0]]:.2f}"] for row in rows]
    table(heads, rows)


def show_recall(by_model: dict[str, Scores]) -> None:
    """Print recall by size, a column a model."""
    classes = {m: s.recall_by_size(n_boot=N_BOOT, seed=BOOT_SEED) for m, s in by_model.items()}
    first = next(iter(classes.values()))
    if not first:
        return
    print(f"Recall by size, ECD in {first[0].unit} [95 %].\n")
    rows = [
        [
            f"{one.low:.4g} to {one.high:.4g}",
            str(one.true),
            *(str(of[i].recall) for of in classes.values()),
        ]
        for i, one in enumerate(first)
    ]
    table(["size", "true", *classes], rows)


def show_differences(by_model: dict[str, Scores]) -> None:
    """Print how much better the first model is than each of the others, image by image."""
    (name, first), *others = by_model.items()
    if not others:
        return
    print(f"{name} less the other, same images [95 %, the images drawn together].\n")
    names = ("ap50", "ap75", "pq", "aji", "recall")
    rows = []
    for other, scores in others:
        off = first.difference(scores, n_boot=N_BOOT, seed=BOOT_SEED)
        rows.append([other, *(text_of(off[f"mean_{n}"]) for n in names)])
    table(["other", *(SCORES[n].title for n in names)], rows)


def write_pages(
    title: str, by_model: dict[str, Scores], tasks: dict[str, list[Task]],
    done: dict[str, list[Done]], args: argparse.Namespace,
) -> None:  # fmt: skip
    """Write a page for every model."""
    from skimage.io import imread

    name = title.partition(",")[0]
    for model, scores in by_model.items():

        def look(number: int, model: str = model) -> Scene:
            task = tasks[model][number]
            return Scene(imread(task.mask), done[model][number].labels, read(task.image))

        protocol = Protocol(
            data_set=title, split=split_of(name, args), model=said_of(model),
            n_boot=N_BOOT, seed=BOOT_SEED, settings={"settings": "defaults"},
        )  # fmt: skip
        place = args.pages / f"{model} on {title}.html"
        write_page(place, scores, scenes=look, protocol=protocol, title=f"{model} on {title}")
        print(f"{place}\n")


def score_set(name: str, args: argparse.Namespace, pool: Executor) -> dict[str, dict]:
    """Score all models on one set; summaries by title, of the first model."""
    rows = SETS[name][1]
    tasks = {model: tasks_of(name, model, args) for model in args.model}
    if not tasks[args.model[0]]:
        return {}
    done = {model: list(pool.map(run_one, of)) for model, of in tasks.items()}
    seconds = {m: float(np.mean([d.seconds for d in of])) for m, of in done.items()}
    kept = {}
    views = [(name, "counts", 1)]
    if name in WITH_CRUMBS:
        views.append((f"{name}, {CRUMB_PX} px", "no_crumbs", CRUMB_PX))
    for title, field, least in views:
        by_model = {
            m: Scores(tuple(getattr(d, field) for d in of), PIXEL_NM.get(name), rows, least)
            for m, of in done.items()
        }
        print(
            f"Split: {split_of(name, args)}; rows: {rows or 'all'}; smallest object {least} px.\n"
        )
        summaries = show(title, by_model, seconds)
        if args.pages:
            write_pages(title, by_model, tasks, done, args)
        if name in FOUND_AND_FALSE:
            continue
        first = summaries[args.model[0]]
        kept[title] = {
            n: [float(getattr(first[n], k)) for k in ("value", "low", "high")] for n in KEPT
        }
    return kept


def main() -> int:
    """Print the scores of every set that is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--model", nargs="+", default=["particles"], help="names, or threshold")
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="names or their starts")
    parser.add_argument("--every", type=int, default=1, help="only every n-th picture")
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="keep what goes on a card")
    parser.add_argument("--pages", type=Path, help="folder for a page per model and set")
    parser.add_argument("--flips", action="store_true", help="networks with mirrored images too")
    args = parser.parse_args()
    if args.flips:
        args.model += [m + FLIPS for m in args.model if m != "threshold"]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"Intervals: percentile bootstrap over images, {N_BOOT} draws, seed {BOOT_SEED}.")
    for model in args.model:
        print(f"Model: {said_of(model)}; else default settings.")
    print()
    kept: dict[str, dict] = {}
    started = time.monotonic()
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        for name in SETS:
            if any(name.startswith(start) for start in args.sets):
                kept |= score_set(name, args, pool)
    print(f"{time.monotonic() - started:.0f} s")
    if args.json:
        args.json.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
