"""The published route beside the shipped model: MultiRes U-Net, then a distance watershed.

    python benchmarks/published_route.py DATA_DIR FOLDER [--steps 600] [--sets emps bam]

Renders 300 scenes of 384 px (seed 2621) into FOLDER, trains the training `multires` on them
(Rühle et al. 2021: weighted cross-entropy, Adam 1e-3, flips; here four crops of 128 px a step,
particle or not) and scores it as `network_scores.py` does: default settings, which for such a
network means the watershed of the distance to the ground.  No real image trains.  The published
workflow learns from images that a CycleGAN made look real; the simulated ones stand for them.
Stopped and called again it goes on from the last epoch.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import network_scores
from kept_runs import own_registry
from napari_sem_tools.models import models
from napari_sem_tools.simulation.training_scene import training_scene
from napari_sem_tools.training.running.plan import resolve
from napari_sem_tools.training.running.session import learn
from napari_sem_tools.training.trainings import TRAININGS

SCENES, SIZE_PX, SEED = 300, 384, 2621
STEPS_PER_EPOCH = 50
NAME = "multires-simulated"


def draw(folder: Path) -> None:
    """Write the scenes as a set of images and masks, unless they are there."""
    from skimage.io import imsave

    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(SCENES):
        name = f"{number:03d}.png"
        if not (folder / "masks" / name).exists():
            scene = training_scene((SEED, number), size_px=SIZE_PX)
            if not scene.labels.any():  # the trainer asks for something in every mask
                scene = training_scene((SEED, number + SCENES), size_px=SIZE_PX)
            imsave(folder / "images" / name, scene.image, check_contrast=False)
            imsave(folder / "masks" / name, scene.labels, check_contrast=False)


def main() -> int:
    """Render, train, score."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--sets", nargs="*", default=[])
    args = parser.parse_args()
    draw(args.folder / "pictures")
    settings = TRAININGS["multires"].settings.replace(
        crop_px=128, batch=4, steps_per_epoch=STEPS_PER_EPOCH, threads=1,
        epochs=max(1, args.steps // STEPS_PER_EPOCH), validation_share=0.05,
    )  # fmt: skip
    with own_registry(args.folder / "home"):
        if NAME not in models:
            plan = resolve(args.folder / "pictures", settings, models.on_disk)
            learn(plan, args.folder / "run", NAME, models.on_disk)
        sys.argv = ["network_scores.py", str(args.data_dir), "--model", NAME]
        sys.argv += ["--sets", *args.sets] if args.sets else []
        return network_scores.main()


if __name__ == "__main__":
    sys.exit(main())
