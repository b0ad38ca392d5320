"""Time the strip detector in one thread, and count what it finds where the real images are.

Usage: ``python benchmarks/strip_detector.py [folder of the shared data]``; by default
``../shared/data`` beside the repository.  CPU time is `time.process_time` of this process.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import csv
import hashlib
import importlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from napari_sem_tools.calibration import find_burnt_in, find_data_bar, find_scale_bar

SEEN = Path(__file__).resolve().parents[1] / "tests" / "calibration" / "strips_seen.txt"


def per_megapixel(function: object, images: Iterable[np.ndarray]) -> float:
    """Return the CPU time of a function in ms a megapixel."""
    pixels, start = 0, time.process_time()
    for image in images:
        function(image)  # type: ignore[operator]
        pixels += image.shape[0] * image.shape[1]
    return (time.process_time() - start) * 1e9 / pixels


def synthetic() -> list[np.ndarray]:
    """Return noise without a strip, the slowest case: both passes run."""
    rng = np.random.default_rng(0)
    return [rng.normal(90, 12, (768, 1024)).clip(0, 255).astype(np.uint8) for _ in range(10)]


def bam(shared: Path) -> list[np.ndarray]:
    """Return the BAM pictures in grey."""
    return [np.asarray(Image.open(p).convert("L")) for p in sorted(shared.glob("bam/images/*.tif"))]


def report_emps(shared: Path) -> list[np.ndarray]:
    """Print recall and false finds on both halves of the published figures, split by article."""
    folder = shared / "emps-train"
    strips = set(SEEN.read_text("utf-8").split("\n")[1:-1])
    counts = {half: [0, 0, 0, 0] for half in ("first half by article", "second half by article")}
    images, false = [], []
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    for row in rows:
        image = np.asarray(Image.open(folder / "images" / f"{row['name']}.png"))
        images.append(image)
        odd = hashlib.md5(row["doi"].encode(), usedforsecurity=False).digest()[0] % 2
        count = counts[list(counts)[odd]]
        found, real = find_data_bar(image) is not None, row["name"] in strips
        count[0] += 1
        count[1] += real
        count[2] += found and real
        count[3] += found and not real
        if found and not real:
            false.append(row["name"])
    for half, (total, real, hits, wrong) in counts.items():
        print(f"  {half}: {total} pictures, {hits} of {real} strips found, {wrong} false")
    totals = np.sum(list(counts.values()), axis=0)
    print(
        f"  all: {totals[2]} of {totals[1]} found ({totals[2] / totals[1]:.1%}), "
        f"{totals[3]} false of {totals[0]} ({totals[3] / totals[0]:.2%}): {', '.join(false)}"
    )
    return images


def main() -> None:
    """Print the tables."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    shared = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    sets = {"noise without a strip": synthetic()}
    for module in ("scipy.ndimage", "scipy.sparse.csgraph"):
        importlib.import_module(module)  # imported lazily by the detectors: not their time
    if shared.is_dir():
        sets["BAM"] = bam(shared)
        sets["BAM, specimen only"] = [image[:712] for image in sets["BAM"]]
        exact = sum(find_data_bar(image) == (712, 766) for image in sets["BAM"])
        print(f"BAM: {exact} of {len(sets['BAM'])} strips exactly (712, 766)")
        print("EMPS, 366 crops of published figures:")
        sets["EMPS"] = report_emps(shared)
    else:
        print(f"the real images are not at {shared}: synthetic ones only")
    print("CPU time in ms a megapixel, one thread:")
    for name, images in sets.items():
        bars = {id(image): find_data_bar(image) for image in images}
        functions = {
            "find_data_bar": find_data_bar,
            "find_burnt_in": lambda image, bars=bars: find_burnt_in(
                image, data_bar=bars[id(image)]
            ),
            "find_scale_bar": find_scale_bar,
        }
        times = [f"{title} {per_megapixel(f, images):.1f}" for title, f in functions.items()]
        print(f"  {name}: {', '.join(times)}")


if __name__ == "__main__":
    main()
