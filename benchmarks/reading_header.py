"""Cost of a vendor's header over tifffile alone, and of reading the whole picture, in CPU time.

Run ``OMP_NUM_THREADS=1 python benchmarks/reading_header.py FILE...`` on TIFF files.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import tifffile

import napari_sem_tools as sem
from napari_sem_tools.reading.formats import choose
from napari_sem_tools.reading.source import Source

REPEATS = 15


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median CPU time of a call in ms, after one call to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * statistics.median(times)


def open_with_tifffile(path: Path) -> None:
    """Parse the first directory and its tags with tifffile."""
    with tifffile.TiffFile(path) as file:
        file.pages.first  # noqa: B018  parsing is what is timed


def read_header(path: Path) -> None:
    """Recognise the vendor and read metadata and pixel size, without pixels."""
    with Source(path) as source:
        choose(source).load().read(source)


def main() -> None:
    """Print a line a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    print(
        "file                                        tifffile  header  over  whole read   (ms CPU)"
    )
    for path in parser.parse_args().files:
        plain = milliseconds(lambda p=path: open_with_tifffile(p))
        header = milliseconds(lambda p=path: read_header(p))
        whole = milliseconds(lambda p=path: sem.read(p))
        print(f"{path.name:42s} {plain:9.2f} {header:7.2f} {header - plain:5.2f} {whole:10.2f}")


if __name__ == "__main__":
    main()
