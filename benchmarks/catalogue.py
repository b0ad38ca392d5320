"""A catalogue at size: time of exact queries, memory while adding, and what filters cost.

    OMP_NUM_THREADS=1 python benchmarks/catalogue.py queries [--counts 10000 100000]
    OMP_NUM_THREADS=1 python benchmarks/catalogue.py adding [--count 10000] [--focus] [--texture]

``queries`` fills a catalogue with random vectors of 384 numbers and prints the processor time of
one thread for a query: the search alone, `Catalogue.similar` as a user calls it, the same with a
filter, and beside them a plain NumPy product with the vectors in memory as float32.  ``adding``
writes small images, one after the other, catalogues them in steps and prints memory (resident
set) and time of each step; the last line is the growth after the first step.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_sem_tools.catalogue import Catalogue, VectorSource
from napari_sem_tools.catalogue.database import reader, writer
from napari_sem_tools.catalogue.vectors import Vectors, find_model

DIMENSION = 384
WANTED_MS = {10_000: 20.0, 100_000: 200.0}
STEPS = 10
GRID = 8
GROWTH_MB = 20.0  # of the allocator's own; an image kept would be more


def coarse(image: Any) -> np.ndarray:
    """Return grey means on a coarse grid."""
    grey = np.asarray(image.grey, np.float32)
    side = grey.shape[0] // GRID
    return grey[: side * GRID, : side * GRID].reshape(GRID, side, GRID, side).mean((1, 3)).ravel()


SOURCE = VectorSource("coarse-1", coarse)


def fill(place: Path, vectors: np.ndarray) -> None:
    """Put vectors into a catalogue as if images had been added."""
    with writer(place) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO models VALUES (1, ?, ?)", (SOURCE.identity, vectors.shape[1]))
        for number, vector in enumerate(vectors, 1):
            db.execute(
                "INSERT INTO images (id, sha256, size_bytes, rows, columns, pages, calibration, "
                "metadata, magnification, instrument) VALUES (?, ?, 1, 8, 8, 1, '', '{}', ?, ?)",
                (number, number.to_bytes(32, "big"), 100.0 * (number % 100), f"SEM {number % 7}"),
            )
            db.execute(
                "INSERT INTO files (path, size_bytes, mtime_ns, image) VALUES (?, 1, 1, ?)",
                (f"/images/{number:07}.tif", number),
            )
            db.execute(
                "INSERT INTO vectors (model, image, vector) VALUES (1, ?, ?)",
                (number, vector.astype("<f2").tobytes()),
            )
        db.execute("COMMIT")


def spent(run: Callable[[], Any], repeat: int) -> tuple[float, float]:
    """Return the median processor and wall time of a call in ms, after a first one."""
    run()
    processor, wall = [], []
    for _ in range(repeat):
        begun, at = time.process_time(), time.perf_counter()
        run()
        processor.append(time.process_time() - begun)
        wall.append(time.perf_counter() - at)
    return 1e3 * float(np.median(processor)), 1e3 * float(np.median(wall))


def queries(counts: list[int], repeat: int) -> int:
    """Print the time of queries; 1 when `Catalogue.similar` is too slow."""
    slow = 0
    for count in counts:
        random = np.random.default_rng(0)
        vectors = random.normal(size=(count, DIMENSION)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "index"
            fill(place, vectors)
            db = reader(place)
            model = find_model(db, SOURCE.identity)
            assert model is not None
            held = Vectors(db, place, model)
            with Catalogue(place, embedding=SOURCE) as catalogue:
                rows = {
                    "search alone": lambda held=held, q=vectors[7]: held.search(q, 10),
                    "Catalogue.similar": lambda c=catalogue: c.similar(8),
                    "similar, magnification 1000 to 2000": lambda c=catalogue: c.similar(
                        8, magnification_min=1000, magnification_max=2000
                    ),
                    "similar, one instrument of seven": lambda c=catalogue: c.similar(
                        8, instrument="SEM 3"
                    ),
                    "NumPy, float32 in memory": lambda v=vectors: np.argsort(-(v @ v[7]))[:10],
                }
                print(f"{count} vectors of {DIMENSION}{'':<18}processor ms   wall ms")
                for name, run in rows.items():
                    processor, wall = spent(run, repeat)
                    print(f"  {name:<38}{processor:>11.1f}{wall:>10.1f}")
                    if name == "Catalogue.similar":
                        slow += processor > WANTED_MS.get(count, np.inf)
                ids, _ = held.search(vectors[7], 10)
                half = vectors.astype(np.float16).astype(np.float32)
                best = np.argsort(-(half @ vectors[7]), kind="stable")[:10] + 1
                print(f"  the ten best are the exact ones: {ids.tolist() == best.tolist()}")
            db.close()
    return int(slow > 0)


def resident_mb() -> float:
    """Return the resident set of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def adding(count: int, *, focus: bool, texture: bool) -> int:
    """Print memory and time while images are added; 1 when the memory grows."""
    sizes = []
    embedding: Any = "texture" if texture else SOURCE
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        with Catalogue(Path(folder) / "index", embedding=embedding, focus=focus) as catalogue:
            for step in range(STEPS):
                part = images / f"{step:02}"
                part.mkdir(parents=True)
                for number in range(step * count // STEPS, (step + 1) * count // STEPS):
                    random = np.random.default_rng(number)
                    blocks = random.integers(0, 255, (8, 8), dtype=np.uint8)
                    pixels = np.kron(blocks, np.ones((8, 8), np.uint8))
                    content = io.BytesIO()
                    Image.fromarray(pixels).save(content, "PNG")
                    (part / f"{number:06}.png").write_bytes(content.getvalue())
                begun = time.process_time()
                new = catalogue.add(part).new
                seconds = time.process_time() - begun
                sizes.append(resident_mb())
                print(
                    f"{len(catalogue):>7} images  {sizes[-1]:>7.1f} MB  "
                    f"{1e3 * seconds / max(new, 1):>6.1f} ms an image",
                    flush=True,
                )
            begun = time.process_time()
            known = catalogue.add(images).known
            seconds = time.process_time() - begun
            print(f"{known} known files looked over in {seconds:.2f} s of a core")
    growth = sizes[-1] - sizes[0]
    print(f"growth from {count // STEPS} to {count} images: {growth:.1f} MB")
    return int(growth > GROWTH_MB)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    asking = actions.add_parser("queries")
    asking.add_argument("--counts", type=int, nargs="+", default=list(WANTED_MS))
    asking.add_argument("--repeat", type=int, default=9)
    filling = actions.add_parser("adding")
    filling.add_argument("--count", type=int, default=10_000)
    filling.add_argument("--focus", action="store_true")
    filling.add_argument("--texture", action="store_true")
    given = parser.parse_args()
    if given.action == "queries":
        return queries(given.counts, given.repeat)
    return adding(given.count, focus=given.focus, texture=given.texture)


if __name__ == "__main__":
    sys.exit(main())
