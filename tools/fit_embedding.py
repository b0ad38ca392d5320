"""Fit the linear map of the learned embedding: ``python tools/fit_embedding.py FOLDER DATA``.

FOLDER is that of `train_embedding.py`, DATA the folder of the shared data sets.  Numbers of
texture and features of the packaged network are taken of views of simulated specimens and of
licence-clean pictures; the map is the linear discriminant of specimens *within* their source, so
that nothing is gained by telling sources apart.  What the benchmark of classification tests is
not among them.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.learned import FITTED, joined_numbers
from napari_sem_tools.files import write_file
from train_embedding import Picture, real, simulated, view

PLACE = Path(__file__).resolve().parents[1] / "src/napari_sem_tools/classification" / FITTED
VIEW_PX, VIEWS = 224, 8  # of a real picture; one of each simulated one
FARTHEST, SHRINKAGE, DIMENSION, OWN = 4.0, 0.2, 128, 128
CHOOSING = {  # judged the choices of the map, and may fit it once these are made
    "uhcs": "more/uhcs-spheroidite/images/*",
    "stem": "more/stem-catalysts/images/*",
}

Table = NDArray[np.float64]


def gathered(folder: Path, data: Path) -> tuple[Table, NDArray[np.str_], NDArray[np.str_]]:
    """Return the numbers of all views, their sources and specimens; kept once they are made."""
    kept = folder / "numbers.npz"
    if not kept.exists():
        rng = np.random.default_rng(3)
        specimens = simulated(folder, scenes=False)[0]
        clean = real(data) + real(data, CHOOSING)
        shown = [(one, 1) for one in specimens] + [(one, VIEWS) for one in clean]
        rows, sources, names = [], [], []
        for picture, count in shown:
            for _ in range(count):
                rows.append(joined_numbers(view(picture, rng, VIEW_PX)[0]))
                sources.append(picture.source)
                names.append(specimen_of(picture))
        np.savez(kept, rows=rows, sources=sources, names=names)
    with np.load(kept) as held:
        return held["rows"].astype(float), held["sources"], held["names"]


def specimen_of(picture: Picture) -> str:
    """Name the specimen: heat treatment of steel, metal of catalysts, else the picture."""
    if picture.source == "uhcs":
        return picture.specimen.rpartition("-Q")[0]
    if picture.source == "stem":
        metal = picture.specimen.split("_")[0].rstrip("0123456789")
        return "Pt" if metal == "PtC" else metal
    return picture.specimen


def discriminant(
    rows: Table, sources: NDArray[np.str_], names: NDArray[np.str_]
) -> dict[str, Table]:
    """Return middle and spread of the numbers, their map, the middle of the network's vectors."""
    own = rows[:, -OWN:]
    centre = (own / np.linalg.norm(own, axis=1, keepdims=True)).mean(0)
    rows = rows[:, :-OWN]
    middle, spread = rows.mean(0), rows.std(0) + 1e-6
    scaled = np.clip((rows - middle) / spread, -FARTHEST, FARTHEST)
    keys = np.char.add(np.char.add(sources, "/"), names)
    _, first, place, count = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    means = np.zeros((len(count), rows.shape[1]))
    np.add.at(means, place, scaled)
    means /= count[:, None]
    apart = (scaled - means[place]) / np.sqrt(np.maximum(count - 1, 1))[place][:, None]
    within = apart.T @ apart / len(count)
    kinds = sources[first]
    between = means - np.stack([means[kinds == one].mean(0) for one in kinds])
    among = between.T @ between / len(count)
    within *= 1 - SHRINKAGE
    within += SHRINKAGE / (1 - SHRINKAGE) * np.trace(within) / len(within) * np.eye(len(within))
    values, axes = np.linalg.eigh(within)
    whitened = axes / np.sqrt(values)
    turned = np.linalg.eigh(whitened.T @ among @ whitened)[1][:, ::-1][:, :DIMENSION]
    return {"middle": middle, "spread": spread, "map": whitened @ turned, "centre": centre}


def main() -> None:
    """Write the map into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = discriminant(*gathered(options.folder, options.data))
    packed = io.BytesIO()
    kinds = {"middle": np.float32, "spread": np.float32, "map": np.float16, "centre": np.float32}
    np.savez_compressed(packed, **{name: found[name].astype(kind) for name, kind in kinds.items()})
    write_file(PLACE, packed.getvalue())
    print(f"{PLACE}: {len(packed.getvalue())} bytes, {found['map'].shape}")


if __name__ == "__main__":
    main()
