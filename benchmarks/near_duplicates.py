"""How far near-duplicates lie from other fields of the same material.

    OMP_NUM_THREADS=1 python benchmarks/near_duplicates.py FOLDER [FOLDER ...]

Each FOLDER holds images of one source.  Printed are the largest correlation between two different
images, and that of two crops of one image that share 75 or 55 % of the field, the second exposed
anew with a tenth of the dose of an 8-bit image: what `sem-tools train classification` calls
near-duplicates are pairs of at least 0.6 (`--duplicates`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_sem_tools as sem
from napari_sem_tools.classification.look import Look, picture_of
from napari_sem_tools.training.classification.duplicates import (
    THUMB,
    find_duplicates,
    thumb_of,
)

LOOK = Look(rows=THUMB[0], columns=THUMB[1])
LEAST = 0.6
SHARED = (0.75, 0.55)


def thumb(grey: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the small picture of a field."""
    return thumb_of(picture_of(sem.Micrograph(np.ascontiguousarray(grey)), LOOK)[0])


def correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the correlation of two small pictures at the best shift."""
    vectors = np.ones((2, 1), np.float32)
    found = find_duplicates(np.stack([first, second]), vectors, ["a", "b"], least=0.0)
    return float(found.correlation[0]) if len(found.correlation) else 0.0


def crops(grey: NDArray[np.uint8], shared: float, rng: np.random.Generator) -> float:
    """Correlate two crops of an image that share a part of the field."""
    width = grey.shape[1]
    size = round(width / (2 - shared))
    again = rng.poisson(grey[:, width - size :] / 10.0) * 10.0
    second = np.clip(again, 0, 255).astype(np.uint8)
    return correlation(thumb(grey[:, :size]), thumb(second))


def main() -> None:
    """Print a row a source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    rng = np.random.default_rng(0)
    print("source | images | largest of two images | " + " | ".join(
        f"{share:.0%} shared: least, median, found" for share in SHARED
    ))  # fmt: skip
    for folder in parser.parse_args().folders:
        fields = []
        for path in sorted(one for one in folder.iterdir() if one.is_file()):
            record = sem.read(path).plane()
            grey = picture_of(record, Look(rows=600, columns=800, fit="whole"))[0]
            fields.append(grey)
        thumbs = np.stack([thumb(grey) for grey in fields])
        flat = thumbs.reshape(len(thumbs), -1)
        digests = [str(number) for number in range(len(fields))]
        apart = find_duplicates(thumbs, flat, digests, least=0.0).correlation
        cells = []
        for share in SHARED:
            own = np.array([crops(grey, share, rng) for grey in fields])
            found = (own >= LEAST).mean()
            cells.append(f"{own.min():.2f}, {np.median(own):.2f}, {found:.0%}")
        largest = f"{apart.max():.2f}" if len(apart) else "-"
        print(
            f"{folder.parent.name}/{folder.name} | {len(fields)} | {largest} | {' | '.join(cells)}"
        )


if __name__ == "__main__":
    main()
