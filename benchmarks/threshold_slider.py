"""CPU seconds of the classical method at 1024 x 768, and of each slider when it is moved.

    OMP_NUM_THREADS=1 python benchmarks/threshold_slider.py [IMAGE]

Without a file the picture is made here: 260 discs of 12 to 28 px, some touching, with noise
and a trend.  Every line is the median of five runs; each slider is moved to a new place
every time, as while a user drags.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.segmentation import ThresholdSession, ThresholdSettings

RUNS = 5
LIMIT_S = 0.2  # of a slider
WISH = ThresholdSettings()


def picture(seed: int = 0) -> Micrograph:
    """Make discs on a slope, 1024 x 768, with a data bar as high as usual."""
    rng = np.random.default_rng(seed)
    grey = np.full((768, 1024), 60.0) + np.linspace(0, 20, 1024)
    yy, xx = np.mgrid[:768, :1024]
    for y, x, r in rng.uniform((0, 0, 6), (712, 1024, 14), (260, 3)):
        near = np.s_[max(0, int(y - 16)) : int(y + 16), max(0, int(x - 16)) : int(x + 16)]
        grey[near][np.hypot(yy[near] - y, xx[near] - x) < r] = 150
    grey += rng.normal(0, 8, grey.shape)
    return Micrograph(np.clip(grey, 0, 255).astype(np.uint8), data_bar=(712, 766))


def cpu(step: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    step()
    return time.process_time() - start


def main() -> int:
    """Print every figure; 1 when a slider is slower than its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("image", nargs="?", type=Path)
    path = parser.parse_args().image
    image = picture()
    if path is not None:
        from napari_sem_tools.reading import read

        image = read(path)
    session = ThresholdSession(image)
    found = session.segmentation(WISH)
    rows, columns = image.shape
    print(f"{rows} x {columns} px, {found.count} particles, CPU seconds, median of {RUNS}")
    whole = [cpu(lambda: ThresholdSession(image).segmentation(WISH)) for _ in range(RUNS)]
    print(f"  whole first run    {statistics.median(whole):.3f}")
    moves = {
        "threshold (offset)": (WISH.replace(offset=0.02 * k) for k in itertools.count(-3)),
        "split strength": (WISH.replace(split_strength=0.3 + 0.05 * k) for k in range(RUNS + 1)),
        "smallest size": (WISH.replace(min_size_px=4.0 + k) for k in itertools.count()),
    }
    slowest = 0.0
    for name, places in moves.items():
        session.labels(next(places))  # what the slider before it left is made anew here
        times = [cpu(lambda p=place: session.labels(p)) for place in itertools.islice(places, RUNS)]
        slowest = max(slowest, statistics.median(times))
        print(f"  {name:18} {statistics.median(times):.3f}   limit {LIMIT_S}")
    return int(slowest > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
