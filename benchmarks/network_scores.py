"""Scores of a model of the registry with default settings on the real sets with truth.

    python benchmarks/network_scores.py DATA_DIR [--model particles] [--sets emps bam] [--json FILE]

Definitions, sets and rows are those of `threshold_scores.py`; the settings are those of
`NetworkSettings()`, the same for all pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from napari_sem_tools.evaluation import ImageCounts, Scores, count_image
from napari_sem_tools.reading import read
from napari_sem_tools.segmentation import segment
from threshold_scores import SETS

SHOWN = ("mean_ap50", "mean_ap75", "mean_pq", "mean_aji", "pooled_count_err", "pooled_ecd_d50_err")
CRUMB_PX = 30


def run_one(model: str, image: Path, mask: Path, rows: int | None) -> tuple[ImageCounts, ...]:
    """Segment one picture as a user would; counts of all objects, and without crumbs."""
    from skimage.io import imread

    truth = imread(mask)
    found = segment(read(image), model).labels[: truth.shape[0]]
    return tuple(count_image(truth, found, rows=rows, min_area=least) for least in (1, CRUMB_PX))


def show(title: str, counts: list[ImageCounts]) -> dict[str, list[float]]:
    """Print one block; return value and interval of each score."""
    summary = Scores(tuple(counts)).summary()
    print(f"\n{title}: {len(counts)} images")
    for name in SHOWN:
        print(f"  {name:20} {summary[name]}")
    sys.stdout.flush()
    return {n: [float(getattr(summary[n], k)) for k in ("value", "low", "high")] for n in SHOWN}


def main() -> int:
    """Print the scores of every set that is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--model", default="particles")
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="names or their starts")
    parser.add_argument("--every", type=int, default=1, help="only every n-th picture")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="keep all scores")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    kept, started = {}, time.monotonic()
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        for name, (folder, rows) in SETS.items():
            root = args.data_dir / folder
            if not any(name.startswith(s) for s in args.sets) or not root.is_dir():
                continue
            masks = {p.stem: p for p in (root / "masks").iterdir()}
            images = sorted(p for p in (root / "images").iterdir() if p.stem in masks)
            tasks = [
                pool.submit(run_one, args.model, p, masks[p.stem], rows)
                for p in images[:: args.every]
            ]
            both = [task.result() for task in tasks]
            kept[name] = show(name, [pair[0] for pair in both])
            if name == "bam":
                kept[f"{name}, 30 px"] = show("bam without crumbs", [pair[1] for pair in both])
    print(f"\n{time.monotonic() - started:.0f} s")
    if args.json:
        args.json.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
