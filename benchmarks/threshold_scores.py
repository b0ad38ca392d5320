"""Scores of the classical method with default settings on the real sets with truth.

    OMP_NUM_THREADS=1 python benchmarks/threshold_scores.py DATA_DIR [--sets emps bam] [--every 1]

DATA_DIR holds `emps-train`, `bam`, `powder`, ... as folders of `images` and `masks`.  Every
figure is made with the settings of `ThresholdSettings()`; intervals are 95 % bootstrap over
images.  `emps-train` is shown as a whole and as the two halves that its articles fall into:
one half was looked at while the method was made, the other was not.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.evaluation import ImageCounts, Scores, count_image
from napari_sem_tools.reading import read
from napari_sem_tools.segmentation import ThresholdSession, ThresholdSettings

SHOWN = ("ap50", "ap75", "ap50_95", "pq", "aji", "fg_iou")
POOLED = ("count_err", "ecd_d50_err", "w1_px")
SETS: dict[str, tuple[str, int | None]] = {  # folder and rows that count
    "emps-train": ("emps-train", None),
    "bam": ("bam", 712),
    "powder": ("powder", None),
    "powder-extra": ("more/powder-extra", None),
    "msa-em-nanoparticles": ("msa-em-nanoparticles/train", None),
    "uhcs-spheroidite": ("more/uhcs-spheroidite", None),
    "nffa-particles": ("more/nffa-particles", 604),
    "perovskite-grains": ("more/perovskite-grains", None),
}


@dataclasses.dataclass(frozen=True)
class Result:
    """One image: its counts, also without crumbs, and whether the polarity is right."""

    name: str
    counts: ImageCounts
    no_crumbs: ImageCounts
    polarity_right: bool


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((a & b).sum() / max((a | b).sum(), 1))


def run_one(image: Path, mask: Path, rows: int | None) -> Result:
    """Segment one picture as a user would, and compare."""
    from skimage.io import imread

    truth = imread(mask)
    session = ThresholdSession(read(image))
    plan, labels = session.plan(), session.labels()[: truth.shape[0]]
    inside = truth[:rows] > 0
    found = {
        side: overlap(session.foreground(ThresholdSettings(polarity=side))[: len(inside)], inside)
        for side in ("bright", "dark")
    }
    other = "dark" if plan.polarity == "bright" else "bright"
    return Result(
        image.stem,
        count_image(truth, labels, rows=rows),
        count_image(truth, labels, rows=rows, min_area=30),
        found[plan.polarity] >= found[other],
    )


def half(doi: str) -> int:
    """Which half an article falls into, by the hash of its DOI: 0 was looked at, 1 not."""
    return int(hashlib.md5(doi.encode(), usedforsecurity=False).hexdigest(), 16) % 2


def show(title: str, results: list[Result], *, crumbs: bool = True) -> None:
    """Print one block."""
    if not results:
        return
    counts = [r.counts if crumbs else r.no_crumbs for r in results]
    summary = Scores(tuple(counts)).summary()
    n_true = sum(len(c.true_area) for c in counts)
    n_found = sum(len(c.found_area) for c in counts)
    right = sum(r.polarity_right for r in results)
    print(f"\n{title}: {len(results)} images, {n_true} true, {n_found} found")
    print("  " + "  ".join(f"{name} {summary['mean_' + name]}" for name in SHOWN[:3]))
    print("  " + "  ".join(f"{name} {summary['mean_' + name]}" for name in SHOWN[3:]))
    print("  " + "  ".join(f"{name} {summary['pooled_' + name]}" for name in POOLED))
    print(f"  polarity right in {right} of {len(results)} ({right / len(results):.1%})", flush=True)


def main() -> int:
    """Print the scores of every set that is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="names or their starts")
    parser.add_argument("--every", type=int, default=1, help="only every n-th picture")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    for name, (folder, rows) in SETS.items():
        root = args.data_dir / folder
        if not any(name.startswith(s) for s in args.sets) or not root.is_dir():
            continue
        masks = {p.stem: p for p in (root / "masks").iterdir()}
        images = sorted(p for p in (root / "images").iterdir() if p.stem in masks)[:: args.every]
        with ProcessPoolExecutor(args.jobs) as pool:
            tasks = [pool.submit(run_one, p, masks[p.stem], rows) for p in images]
            results = [task.result() for task in tasks]
        show(name if name != "bam" else "bam, rows 0 to 711, all instances", results)
        if name == "bam":
            show("bam, rows 0 to 711, without crumbs (30 px)", results, crumbs=False)
        if name == "emps-train":
            with (root / "metadata.csv").open(newline="") as file:
                side = {row["name"]: half(row["doi"]) for row in csv.DictReader(file)}
            show("  half looked at", [r for r in results if side[r.name] == 0])
            show("  other half", [r for r in results if side[r.name] == 1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
