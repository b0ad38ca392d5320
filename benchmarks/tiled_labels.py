"""Labels of a packaged network tiled against whole, and in half precision against full.

    OMP_NUM_THREADS=1 python benchmarks/tiled_labels.py [--model particles] [--size 2048]

Prints AP@0.5 of the one taken as truth for the other, on a simulated image.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

import napari_sem_tools as sem
from napari_sem_tools.segmentation.instances import decode
from napari_sem_tools.segmentation.network import fill_holes, scaled_grey


def labels_of(model: str, image: sem.Micrograph, **wish: object) -> np.ndarray:
    """Segment at full size with an engine set up as wished."""
    with sem.models.lease(model, device="cpu", **wish) as loaded:
        grey = scaled_grey(image.grey, image.field, loaded.card.input)
        labels, _ = decode(loaded.predict(grey))
    return fill_holes(labels)


def main() -> int:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="particles")
    parser.add_argument("--size", type=int, default=2048)
    options = parser.parse_args()
    wish = sem.SimulationSettings(
        width_px=options.size,
        height_px=options.size,
        particles=options.size**2 // 3000,
        agglomeration=0.8,
    )
    image = sem.simulate(wish, seed=3).image
    whole = labels_of(options.model, image, precision="fp32", tile=4096)
    for name, other in {
        "tiles of 512 px": {"precision": "fp32", "tile": 512},
        "tiles of 1024 px": {"precision": "fp32", "tile": 1024},
        "bf16, whole": {"precision": "bf16", "tile": 4096},
    }.items():
        found = labels_of(options.model, image, **other)
        scores = sem.evaluate(whole, found)
        print(f"{name}: AP@0.5 {scores['ap50']:.4f} of {whole.max()} particles", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
