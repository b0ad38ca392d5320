"""Fit what the texture embedding is held against: ``python tools/fit_texture_scale.py DATA``.

DATA is the folder of data sets.  Middle and spread of every number are taken over crops of
licence-clean pictures and of simulated scenes, each source with the same weight.  The specimens
that ``benchmarks/classification_tasks.py`` tests are not among them.
"""

from __future__ import annotations

import argparse
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.field import ranked, texture_field
from napari_sem_tools.classification.texture import describe
from napari_sem_tools.files import write_file
from napari_sem_tools.simulation.training_scene import training_scene

ROOM = Path(__file__).resolve().parents[1] / "src/napari_sem_tools/classification"
SCALE = ROOM / "texture.npz"
SETS = {  # none of them is a tested specimen
    "nffa": "nffa/*/*.*",
    "nffa particles": "more/nffa-particles/images/*",
    "catalysts": "more/stem-catalysts/images/*",
    "steel": "more/uhcs-spheroidite/images/*",
    "axons": "more/axons-sem/images/*",
    "defects": "more/am-steel-defects/images/*",
    "graphene": "more/graphene-contamination/images/*",
    "raw": "more/raw-sem/images/*",
    "nanoparticles": "msa-em-nanoparticles/*/images/*",
}
SCENES, SCENE_PX, CROPS = 60, 384, 4
SHARES = (0.45, 1.0)  # side of a crop, of the side of the field
LEAST_SPREAD = 1e-3

Rows = NDArray[np.float64]


def fields(data: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the source and the field of every reference picture."""
    for name, pattern in SETS.items():
        for path in sorted(data.glob(pattern)):
            yield name, texture_field(path)
    for number in range(SCENES):
        scene = training_scene((41, number), size_px=SCENE_PX, diameters_px=(6.0, 150.0))
        yield "simulated", texture_field(scene.image)


def crops(field: NDArray[np.float32], seed: int) -> Iterator[NDArray[np.float32]]:
    """Yield the field and parts of it, ranked anew."""
    yield field
    rng = np.random.default_rng(seed)
    for share in rng.uniform(*SHARES, CROPS - 1):
        size = [max(24, int(share * side)) for side in field.shape]
        row, column = (
            int(rng.integers(side - cut + 1)) for side, cut in zip(field.shape, size, strict=True)
        )
        yield ranked(field[row : row + size[0], column : column + size[1]])


def main() -> None:
    """Fit and write the packaged file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    numbers: dict[str, list[Rows]] = {}
    for count, (name, field) in enumerate(fields(parser.parse_args().data)):
        seed = zlib.crc32(f"{name}|{count}".encode())
        numbers.setdefault(name, []).extend(describe(crop) for crop in crops(field, seed))
    weight = np.concatenate([np.full(len(rows), 1 / len(rows)) for rows in numbers.values()])
    table = np.concatenate([np.asarray(rows) for rows in numbers.values()])
    middle = np.average(table, axis=0, weights=weight)
    spread = np.sqrt(np.average(np.square(table - middle), axis=0, weights=weight))
    write(
        SCALE,
        middle=middle.astype(np.float32),
        spread=np.maximum(spread, LEAST_SPREAD).astype(np.float32),
    )


def write(path: Path, **arrays: NDArray[Any]) -> None:
    """Write a packaged file."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_file(path, content.getvalue())


if __name__ == "__main__":
    main()
