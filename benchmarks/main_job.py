"""A 1024 x 768 file to tables, step by step: read, strip, threshold, measure, tables.

    OMP_NUM_THREADS=1 python benchmarks/main_job.py [FILE]

CPU seconds of the process after import, median of seven runs; plots and HTML apart.  Without
a file the sample with a data bar is used.  The target is 0.6 s.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from napari_sem_tools import measure, read, segment, summarize
from napari_sem_tools.calibration import find_data_bar
from napari_sem_tools.reporting import csv_text, sizes_text
from napari_sem_tools.simulation import write_sample

TARGET_S = 0.6
RUNS = 7


def timed(work: Callable[[], Any], times: list[float]) -> Any:
    """Run a step and note its CPU seconds."""
    begin = time.process_time()
    result = work()
    times.append(time.process_time() - begin)
    return result


def main() -> int:
    """Time the steps and print them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else write_sample(folder, "data bar")
        steps: dict[str, list[float]] = {
            name: []
            for name in ("read, strip included", "(strip alone)", "threshold", "measure", "tables")
        }
        for _ in range(RUNS + 1):
            image = timed(lambda: read(path), steps["read, strip included"]).plane()
            timed(lambda image=image: find_data_bar(image.grey), steps["(strip alone)"])
            found = timed(lambda image=image: segment(image, "threshold"), steps["threshold"])
            table = timed(lambda found=found, image=image: measure(found, image), steps["measure"])
            timed(
                lambda table=table: (
                    summarize(table), csv_text(table, index=True), sizes_text(table)
                ),
                steps["tables"],
            )  # fmt: skip
    print(f"{path.name}: {image.shape[1]} x {image.shape[0]} px, {len(table)} particles")
    medians = {name: statistics.median(times[1:]) for name, times in steps.items()}
    for name, seconds in medians.items():
        print(f"{name:22} {1000 * seconds:7.1f} ms CPU")
    total = sum(seconds for name, seconds in medians.items() if not name.startswith("("))
    first = sum(times[0] for name, times in steps.items() if not name.startswith("("))
    print(f"{'sum':22} {1000 * total:7.1f} ms CPU; target {1000 * TARGET_S:.0f} ms")
    print(f"{'first run':22} {1000 * first:7.1f} ms CPU, lazy imports and compilation included")
    return 0 if total <= TARGET_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
