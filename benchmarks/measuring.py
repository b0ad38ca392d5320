"""Time `measure` beside `skimage.measure.regionprops_table`, in CPU seconds of one process.

    python benchmarks/measuring.py [--quick] [--cold]

Both engines measure three times: the quantities of the twelve properties of scikit-image
alone; sizes, shapes and grey values (these twelve and, beyond them, min, max and mean Feret
diameters with angles in two conventions, the smallest rectangle and all grey values), which is
the set to compare; and all columns of the default table.  scikit-image gives the twelve
properties named below.  Median of five runs, on the large image scikit-image one before ours and
one after; set OMP_NUM_THREADS=1 for one thread.  ``--quick`` leaves out the large
images; ``--cold`` prints what the first call costs in fresh processes, with an empty cache
and with a filled one; ``--million`` times a million particles of one pixel.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import skimage
from skimage.measure import regionprops_table

from napari_sem_tools.measurement import MeasureSettings, measure
from napari_sem_tools.measurement.columns import columns_for
from napari_sem_tools.measurement.engine import choose_engine
from napari_sem_tools.measurement.shape import Particles
from napari_sem_tools.measurement.table import _scene
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


FAIR_GROUPS = ("size", "shape", "intensity")
BEYOND = ("edge_contrast",)  # not among scikit-image's, and costs as much as the others
OWN_NAMES = (
    "area_px", "box_top_px", "box_left_px", "box_height_px", "box_width_px", "centroid_y_px",
    "centroid_x_px", "ecd_px", "perimeter_px", "feret_max_px", "axis_major_px", "axis_minor_px",
    "orientation_deg", "solidity", "ellipse_ratio", "intensity_mean_grey",
)  # fmt: skip
"""Our columns of the twelve properties; box and centroid are several."""


def some(labels: np.ndarray, image: Micrograph, settings: MeasureSettings, *, alone: bool) -> int:
    """Work out the twelve properties alone, or all sizes, shapes and grey values."""
    scene = _scene(labels, image, settings, labels)
    rows = columns_for(scene.nm_per_px, square=True, off=frozenset({"inscribed", "neighbours"}))
    if alone:
        used = [r for r in rows if r.name in OWN_NAMES]
    else:
        used = [r for r in rows if r.group in FAIR_GROUPS and r.name not in BEYOND]
        used += [r for r in rows if r.name in ("centroid_y_px", "centroid_x_px")]
    return len({row.name: row.value(scene) for row in used if row.value})


def steps(labels: np.ndarray, image: Micrograph, name: str) -> dict[str, float]:
    """Time the quantities one after the other; what a later one needs is there already."""
    engine = choose_engine(name, labels.size)
    particles, found = Particles(labels, 1.0, image.grey, image.field, engine), {}
    for part in (
        "runs", "sums", "outlines", "chains", "hulls", "ferets", "corner_hulls", "corner_ferets",
        "grey", "edge_contrast", "neighbour_distance",
    ):  # fmt: skip
        found[part] = cpu(lambda part=part: getattr(particles, part), 1)
    return found


def compare(title: str, labels: np.ndarray, image: Micrograph) -> None:
    """Print the times of all on one image, and ours step by step."""
    runs = 1 if "4096" in title else 5

    def peer() -> float:
        return cpu(lambda: regionprops_table(labels, image.pixels, properties=PROPERTIES), runs)

    print(f"\n{title}, {labels.astype(bool).mean():.0%} covered")
    before, found = peer(), {}
    for name in ("numba", "numpy"):
        settings = MeasureSettings(engine=name)
        works = {
            "the 12 alone": lambda s=settings: some(labels, image, s, alone=True),
            "sizes, shapes, grey values": lambda s=settings: some(labels, image, s, alone=False),
            "whole table": lambda s=settings: measure(labels, image, settings=s).shape[1],
        }
        for what, work in works.items():
            found[name, f"{what}, {work()} columns"] = cpu(work, 5)
    after = peer()
    theirs = (before + after) / 2
    print(f"  regionprops_table, {len(PROPERTIES)} properties: {theirs:.2f} s "
          f"({before:.2f} before, {after:.2f} after)")  # fmt: skip
    for (name, what), spent in found.items():
        print(f"  {name}, {what:40} {spent * 1e3:8.1f} ms {theirs / spent:6.1f} x")
    for name in ("numba", "numpy"):
        print(f"  {name}, step by step")
        for part_name, seconds in steps(labels, image, name).items():
            print(f"      {part_name:18} {seconds * 1e3:9.1f} ms")


def million() -> None:
    """Print the time of a million particles of one pixel."""
    labels = np.zeros((2000, 2000), np.int32)
    labels[::2, ::2] = np.arange(1, 10**6 + 1).reshape(1000, 1000)
    image = Micrograph(labels.astype(np.uint8), Calibration((2.0, 2.0), "typed"))
    print("\na million particles of one pixel")
    for name in ("numba", "numpy"):
        settings = MeasureSettings(engine=name)
        print(f"  {name} {cpu(lambda s=settings: measure(labels, image, settings=s), 1):6.2f} s")


_FIRST = """
import time
import numpy as np
from napari_sem_tools.measurement import MeasureSettings, measure
labels = np.pad(np.ones((9, 9), int), 5)
measure(labels, np.zeros(labels.shape, np.uint8), settings=MeasureSettings(engine="numpy"))
start = time.process_time()
measure(labels, np.zeros(labels.shape, np.uint8), settings=MeasureSettings(engine="numba"))
print(time.process_time() - start)
"""


def cold() -> None:
    """Print the CPU time of a first call: when it compiles, and when it loads what was kept."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder))}
        for what in ("compiles", "loads from the cache"):
            done = subprocess.run(
                [sys.executable, "-c", _FIRST], env=environment, capture_output=True, check=True
            )
            print(f"first call that {what}: {float(done.stdout):.1f} s of CPU time")


def main() -> int:
    """Print the table of times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the large images")
    parser.add_argument("--cold", action="store_true", help="only what the first call costs")
    parser.add_argument("--million", action="store_true", help="only a million tiny particles")
    asked = parser.parse_args()
    print(f"numpy {np.__version__}, scikit-image {skimage.__version__}, {platform.machine()}")
    measure(np.ones((8, 8), int), np.zeros((8, 8)))  # imports
    if asked.cold or asked.million:
        (cold if asked.cold else million)()
        return 0
    for title, recipe in SCENES.items():
        if not (asked.quick and "4096" in title):
            compare(title, *ellipses(*recipe))
    return 0


if __name__ == "__main__":
    sys.exit(main())
