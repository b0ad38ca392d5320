"""Time from an image to labels with a network, beside the peer's network alone.

    OMP_NUM_THREADS=1 python benchmarks/network_speed.py [--model particles] [--repeat 5]

Processor time in one thread on a simulated 1024 x 768 image, best of the repeats, bf16 and
channels-last for both; beside it the time of an image of smaller particles.  The peer is one
forward pass of ``smp.Unet("resnet18")`` on the same image, without anything that makes
particles of it (skipped, by name, where segmentation-models-pytorch is absent).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.models import models
from napari_sem_tools.segmentation import segment
from napari_sem_tools.segmentation.fusion import fuse
from napari_sem_tools.segmentation.instances import decode
from napari_sem_tools.segmentation.looking import Looker, scaled_grey
from napari_sem_tools.segmentation.network import NetworkSettings
from napari_sem_tools.segmentation.scales import resampled
from napari_sem_tools.simulation.training_scene import training_scene

SHAPE, SEED = (768, 1024), (4, 5)
SCALES = (1.0, 0.5, 0.25, 0.125)
SMALL_PX = (18.0, 20.0)  # of which an enlarged picture is looked at, too


def image(diameters_px: tuple[float, float] = (36.0, 38.0)) -> np.ndarray:
    """Draw a field of some hundred particles."""
    return training_scene(SEED, size_px=1024, diameters_px=diameters_px).image[: SHAPE[0]]


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Return the least processor time of some runs; one goes before."""
    work()
    spent = []
    for _ in range(repeat):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent)


def peer(picture: np.ndarray, repeat: int) -> float | None:
    """Time the forward pass of the peer's network."""
    try:
        import segmentation_models_pytorch as smp
    except ImportError:
        return None
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=3).eval()
    network = network.to(memory_format=torch.channels_last)
    batch = torch.from_numpy(picture.astype(np.float32) / 255)[None, None]
    batch = batch.contiguous(memory_format=torch.channels_last)

    def forward() -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return network(batch)

    return seconds(forward, repeat)


def main() -> int:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="particles")
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    record = Micrograph(image())
    settings = NetworkSettings(device="cpu")
    found = segment(record, args.model, settings=settings)
    print(f"{args.model}: 1024 x 768, {found.count} particles, one thread, processor seconds")
    rows = {}
    with models.lease(args.model, device="cpu") as loaded:
        grey = scaled_grey(record.grey, record.field, loaded.card.input)
        seen = [resampled(grey, scale) for scale in SCALES]
        rows["network at four scales"] = seconds(
            lambda: [loaded.predict(each) for each in seen], args.repeat
        )
        maps = loaded.predict(grey)
        rows["maps to particles, full size"] = seconds(lambda: decode(maps), args.repeat)
        looker = Looker(loaded, grey, record.field, settings.decoding())
        looks = [looker(scale) for scale in SCALES]
        rows["judge and fuse four looks"] = seconds(lambda: fuse(looks, least=0.5), args.repeat)
        rows["image to labels"] = seconds(
            lambda: segment(record, args.model, settings=settings), args.repeat
        )
    small = Micrograph(image(SMALL_PX))
    count = segment(small, args.model, settings=settings).count
    rows[f"{count} small ones, doubled too"] = seconds(
        lambda: segment(small, args.model, settings=settings), args.repeat
    )
    for name, spent in rows.items():
        print(f"  {name:30} {spent:.3f} s")
    other = peer(record.grey, args.repeat)
    if other is None:
        print("  smp.Unet('resnet18') skipped: segmentation-models-pytorch is not installed")
    else:
        print(f"  {'smp.Unet resnet18, forward':30} {other:.3f} s")
        print(f"  ratio, image to labels: {rows['image to labels'] / other:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
