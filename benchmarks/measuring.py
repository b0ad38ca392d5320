"""Time `measure` beside `skimage.measure.regionprops_table`, in CPU seconds of one process.

    python benchmarks/measuring.py [--quick]

Ours gives every column of the table; scikit-image gives the twelve properties named below.
``--quick`` leaves out the large image.  Median of five runs, scikit-image one run on the
large image; set OMP_NUM_THREADS=1 for one thread.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import skimage
from skimage.measure import regionprops_table

from napari_sem_tools.measurement import measure
from napari_sem_tools.measurement.shape import Particles
from napari_sem_tools.micrograph import Calibration, Micrograph

PROPERTIES = (
    "area",
    "bbox",
    "centroid",
    "equivalent_diameter_area",
    "perimeter_crofton",
    "feret_diameter_max",
    "axis_major_length",
    "axis_minor_length",
    "orientation",
    "solidity",
    "eccentricity",
    "intensity_mean",
)
SCENES = {
    "1024 x 768, 300 particles": ((768, 1024), 300, 25.0, 1.35),
    "4096 x 4096, 10,000 particles": ((4096, 4096), 10_000, 24.0, 1.35),
    "4096 x 4096, 50,000 particles": ((4096, 4096), 50_000, 10.0, 1.3),
}


def ellipses(
    shape: tuple[int, int], count: int, size_px: float, gsd: float
) -> tuple[np.ndarray, Micrograph]:
    """Draw ellipses of axis ratio 1.4 on a jittered grid, and a noisy image of them."""
    rng = np.random.default_rng(20260101)
    columns = int(np.ceil(np.sqrt(count * shape[1] / shape[0])))
    rows = int(np.ceil(count / columns))
    labels = np.zeros(shape, np.int32)
    for number in range(count):
        pitch = min(shape[0] / rows, shape[1] / columns)
        d = min(size_px * np.exp(rng.normal(0, np.log(gsd))), 0.75 * pitch)
        a, b, angle = d * np.sqrt(1.4) / 2, d / np.sqrt(1.4) / 2, rng.uniform(0, np.pi)
        jitter = rng.uniform(-0.05, 0.05, 2) * pitch
        cy = (number // columns + 0.5) * shape[0] / rows + jitter[0]
        cx = (number % columns + 0.5) * shape[1] / columns + jitter[1]
        y, x = np.ogrid[
            max(int(cy - a) - 1, 0) : int(cy + a) + 2, max(int(cx - a) - 1, 0) : int(cx + a) + 2
        ]
        along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        window = labels[y.min() : y.max() + 1, x.min() : x.max() + 1]
        window[((along / a) ** 2 + (across / b) ** 2 <= 1)[: len(window), : window.shape[1]]] = (
            number + 1
        )
    grey = rng.normal(60, 10, shape) + 100 * (labels > 0)
    return labels, Micrograph(grey.clip(0, 255).astype(np.uint8), Calibration((2.0, 2.0), "typed"))


def cpu(work: Callable[[], object], runs: int) -> float:
    """Return the median CPU time of some runs in seconds."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def steps(labels: np.ndarray, image: Micrograph) -> dict[str, float]:
    """Time the quantities one after the other; what a later one needs is there already."""
    particles, found = Particles(labels, 1.0, image.grey, image.field), {}
    for name in (
        "runs",
        "outlines",
        "moments",
        "hulls",
        "ferets",
        "corner_hulls",
        "corner_ferets",
        "grey",
        "edge_contrast",
    ):
        found[name] = cpu(lambda name=name: getattr(particles, name), 1)
    return found


def compare(title: str, labels: np.ndarray, image: Micrograph) -> None:
    """Print the times of both on one image, and ours step by step."""
    runs = 1 if "4096" in title else 5
    ours = cpu(lambda: measure(labels, image), 5)
    theirs = cpu(lambda: regionprops_table(labels, image.pixels, properties=PROPERTIES), runs)
    columns = measure(labels, image).shape[1]
    print(f"\n{title}, {labels.astype(bool).mean():.0%} covered")
    print(f"  measure, {columns} columns         {ours * 1e3:9.1f} ms")
    print(f"  regionprops_table, {len(PROPERTIES)} properties {theirs * 1e3:8.1f} ms")
    print(f"  ratio {theirs / ours:.1f}")
    for name, seconds in steps(labels, image).items():
        print(f"    {name:15} {seconds * 1e3:9.1f} ms")


def main() -> int:
    """Print the table of times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the large images")
    quick = parser.parse_args().quick
    print(f"numpy {np.__version__}, scikit-image {skimage.__version__}, {platform.machine()}")
    measure(np.ones((8, 8), int), np.zeros((8, 8)))  # imports
    for title, recipe in SCENES.items():
        if quick and "4096" in title:
            continue
        compare(title, *ellipses(*recipe))
    return 0


if __name__ == "__main__":
    sys.exit(main())
