"""How the scale is chosen: one for all, the surest of a picture, each particle by itself.

    python benchmarks/scale_choice.py DATA_DIR [--model particles] [--sets simulated powder]

Means over pictures of AP@0.5 / PQ, settings of `NetworkSettings()`.  "surest": the scale of a
picture at which confidence weighted by area times certainty of the foreground is largest;
"fused": what `segment` does; "told": the best scale of each picture, told by the truth.  No set
here is one that the report of a released model is judged by: scales may be chosen on them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.evaluation import evaluate
from napari_sem_tools.models import models
from napari_sem_tools.reading import read
from napari_sem_tools.segmentation.fusion import fuse
from napari_sem_tools.segmentation.instances import Decoding
from napari_sem_tools.segmentation.looking import Looker, scaled_grey
from napari_sem_tools.simulation.distractors import burn_in
from napari_sem_tools.simulation.training_scene import training_scene

SETS: dict[str, tuple[str, int | None]] = {  # folder and rows that count
    "powder": ("powder", None),
    "powder-extra": ("more/powder-extra", None),
    "msa-em-nanoparticles": ("msa-em-nanoparticles/train", None),
    "uhcs-spheroidite": ("more/uhcs-spheroidite", None),
    "nffa-particles": ("more/nffa-particles", 604),
    "axons-sem": ("more/axons-sem", None),
}
SCALES = (1.0, 0.5, 0.25, 0.125)
SEED, PICTURES, SIZE_PX, DIAMETERS_PX = 777, 60, 640, (8.0, 260.0)
Picture = tuple[NDArray[np.uint8], NDArray[np.integer], NDArray[np.bool_]]


def simulated(number: int) -> Picture:
    """Draw a picture that nothing was learned or chosen on; letters on every second."""
    scene = training_scene((SEED, number), size_px=SIZE_PX, diameters_px=DIAMETERS_PX)
    image, truth = scene.image.copy(), scene.labels.astype(np.int32)
    rng = np.random.default_rng((SEED + 1, number))
    if rng.random() < 0.5:
        truth[burn_in(image, rng)] = 0
    return image, truth, scene.ignore


def real(paths: tuple[Path, Path], rows: int | None) -> Picture:
    """Read a picture and its truth."""
    from skimage.io import imread

    truth = imread(paths[1])[:rows].astype(np.int32)
    image = read(paths[0]).grey[: truth.shape[0]]
    return image, truth, np.zeros(truth.shape, bool)


def score(truth: NDArray[np.integer], found: NDArray[np.integer], ignore: NDArray[np.bool_]):
    """AP@0.5 and PQ; what lies mostly where nothing counts is left out."""
    count = int(found.max(initial=0))
    area = np.bincount(found.ravel(), minlength=count + 1)
    kept = np.bincount(found.ravel(), ignore.ravel(), count + 1) <= 0.5 * area
    kept[0] = False
    left = np.where(kept, np.cumsum(kept), 0)[found]
    mean = evaluate(truth, left.astype(np.int32)).mean
    return float(mean["ap50"]), float(mean["pq"])


def run_one(model: str, draw: partial[Picture]) -> dict[str, tuple[float, float]]:
    """Look at one picture at all scales and score every choice."""
    image, truth, ignore = draw()
    everywhere = np.ones(image.shape, bool)
    with models.lease(model, device="cpu") as network:
        looker = Looker(
            network, scaled_grey(image, everywhere, network.card.input), everywhere, Decoding()
        )
        looks = [looker(scale) for scale in SCALES]
    each = [score(truth, look.labels, ignore) for look in looks]
    rows = {f"{look.scale:g}": pair for look, pair in zip(looks, each, strict=True)}
    rows["surest"] = each[int(np.argmax([look.certainty for look in looks]))]
    rows["fused"] = score(truth, fuse(looks, least=0.4)[0], ignore)
    rows["told"] = max(each)
    return rows


def pictures(data: Path, wanted: list[str]) -> Iterator[tuple[str, list[partial[Picture]]]]:
    """List the sets that are there."""
    if not wanted or "simulated" in wanted:
        yield "simulated", [partial(simulated, number) for number in range(PICTURES)]
    for name, (folder, rows) in SETS.items():
        root = data / folder
        if (not wanted or name in wanted) and root.is_dir():
            masks = {p.stem: p for p in (root / "masks").iterdir()}
            files = sorted(p for p in (root / "images").iterdir() if p.stem in masks)
            yield name, [partial(real, (p, masks[p.stem]), rows) for p in files]


def main() -> int:
    """Print a line a set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--model", default="particles")
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        for name, draws in pictures(args.data_dir, args.sets):
            found = list(pool.map(partial(run_one, args.model), draws))
            shown = []
            for choice in found[0]:
                ap, pq = np.mean([rows[choice] for rows in found], axis=0)
                shown.append(f"{choice} {ap:.3f}/{pq:.3f}")
            print(f"{name} ({len(found)}):  " + "  ".join(shown), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
