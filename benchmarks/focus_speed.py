"""Time of a focus score on a live image: measures and network, beside three peers.

    OMP_NUM_THREADS=1 python benchmarks/focus_speed.py [--model focus] [--repeat 20]

Processor time of one thread for the live measures, for the network, and for both, on a
simulated image of 320 x 240 and of 1024 x 768 px; the median of the repeats, all rows in turn,
so that a busy machine slows all alike.  The last column is what two cores do, each with a frame
of its own.  Peers: ``skimage.measure.blur_effect``, the variance of OpenCV's Laplacian (or
SciPy's, where OpenCV is absent), and one forward pass of the paper's ResNet-18.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skimage.measure import blur_effect

from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.measures.table import LIVE_MEASURES, measures_of
from napari_sem_tools.focus.mix import read_mix
from napari_sem_tools.focus.network import read_picture
from napari_sem_tools.models.architectures import build
from napari_sem_tools.simulation.training_scene import training_scene

SHAPES = ((240, 320), (768, 1024))
WANTED = {(240, 320): 60, (768, 1024): 10}
SEED = (4, 5)


def laplacian(image: np.ndarray) -> Callable[[], Any]:
    """Return OpenCV's Laplacian variance, or SciPy's."""
    try:
        import cv2
    except ImportError:
        from scipy.ndimage import laplace

        return lambda: laplace(image.astype(np.float32)).var()
    cv2.setNumThreads(1)
    return lambda: cv2.Laplacian(image, cv2.CV_64F).var()


def paper(image: np.ndarray) -> Callable[[], Any]:
    """Return a forward pass of the paper's network."""
    network = build("resnet18-focus").eval().to(memory_format=torch.channels_last)
    frame = torch.from_numpy(image.astype(np.float32) / 255)[None, None]

    def run() -> Any:
        with torch.inference_mode():
            return network(frame)

    return run


def rows(image: np.ndarray, model: str) -> dict[str, Callable[[], Any]]:
    """Return what is timed."""

    def measures() -> Any:
        return measures_of(picture_of(image), LIVE_MEASURES)

    def network() -> Any:
        return read_picture(picture_of(image), "cpu", model=model)

    def both() -> Any:
        picture = picture_of(image)
        return measures_of(picture, LIVE_MEASURES), read_picture(picture, "cpu", model=model)

    return {
        "live measures": measures,
        f"network {model}": network,
        "measures and network": both,
        "mix (not live)": lambda: read_mix().of_picture(picture_of(image)),
        "blur_effect (scikit-image)": lambda: blur_effect(image),
        "Laplacian variance": laplacian(image),
        "ResNet-18 of the paper": paper(image),
    }


def spent(work: dict[str, Callable[[], Any]], repeat: int) -> dict[str, float]:
    """Return the median processor time of each row in seconds."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeat + 1):
        for name, run in work.items():
            begun = time.process_time()
            run()
            times[name].append(time.process_time() - begun)
    return {name: float(np.median(found[1:])) for name, found in times.items()}


def main() -> int:
    """Print a table for each size; 1 when the measures and the network are too slow."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="focus")
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    slow = 0
    for shape in SHAPES:
        image = training_scene(SEED, size_px=1024, diameters_px=(36.0, 38.0)).image
        image = np.ascontiguousarray(image[: shape[0], : shape[1]])
        found = spent(rows(image, options.model), options.repeat)
        print(f"{shape[1]} x {shape[0]} px{'':<22}ms of a core   frames/s on two cores")
        for name, seconds in found.items():
            print(f"  {name:<30}{1e3 * seconds:>10.1f}{2 / seconds:>20.0f}")
        slow += 2 / found["measures and network"] < WANTED[shape]
        print(f"  wanted of both: {WANTED[shape]} frames/s")
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
