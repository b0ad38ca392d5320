"""What a model gains by learning from a set itself, on pictures of it that it has not seen.

    python benchmarks/fine_tuning.py DATA_DIR --set bam [--folds 5] [--images 0] [--steps 600]
    python benchmarks/fine_tuning.py DATA_DIR --set bam --images 1 3 10 [--start particles none]

Pictures are dealt to the folds by a seeded shuffle of their groups (`doi` for EMPS, else each by
itself).  Of each fold the others train, for a fixed number of steps and without choosing an epoch
by its score, with the settings of `train_segmentation`; the fold is segmented with the settings
of `NetworkSettings()`, sizes unknown.  `--images n` learns from the first n of the training
pictures alone (0: from all).  Scores are those of `sem.evaluate`, means over all pictures, 95 %
bootstrap over pictures; BAM without crumbs of less than 30 px.  Models stay in a folder that is
removed.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_sem_tools.evaluation import ImageCounts, Scores, count_image
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.models import models
from napari_sem_tools.reading import read
from napari_sem_tools.segmentation import segment
from napari_sem_tools.training.plan import resolve
from napari_sem_tools.training.session import learn
from napari_sem_tools.training.settings import TrainingSettings

SETS = {"bam": ("bam", 712, 30), "emps-train": ("emps-train", None, 1)}  # folder, rows, crumbs
SHOWN = (
    "mean_ap50", "mean_pq", "mean_aji", "pooled_ecd_d50_err", "pooled_ecd_d10_err",
    "pooled_ecd_d90_err", "pooled_w1_px",
)  # fmt: skip
STEPS_PER_EPOCH = 50


def groups_of(root: Path, names: list[str]) -> dict[str, str]:
    """Say which pictures belong together."""
    table = root / "metadata.csv"
    if not table.exists():
        return {name: name for name in names}
    with table.open(newline="") as file:
        return {row["name"]: row["doi"] for row in csv.DictReader(file)}


def deal(root: Path, names: list[str], folds: int, seed: int) -> list[list[str]]:
    """Deal pictures to folds by their groups."""
    group = groups_of(root, names)
    order = np.random.default_rng(seed).permutation(sorted({group[name] for name in names}))
    place = {each: number % folds for number, each in enumerate(order)}
    return [[name for name in names if place[group[name]] == fold] for fold in range(folds)]


def load(root: Path, name: str, rows: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Read the rows of a picture that count, and their truth."""
    from skimage.io import imread

    path = next((root / "images").glob(f"{name}.*"))
    truth = imread(root / "masks" / f"{name}.png")[:rows]
    return read(path).grey[: truth.shape[0]].astype(np.uint8), truth


def train(root: Path, names: list[str], rows: int | None, start: str, steps: int) -> str:
    """Learn from pictures; return the model's name."""
    from skimage.io import imsave

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for part in ("images", "masks"):
            (folder / part).mkdir()
        for name in names:
            image, truth = load(root, name, rows)
            imsave(folder / "images" / f"{name}.png", image, check_contrast=False)
            imsave(folder / "masks" / f"{name}.png", truth, check_contrast=False)
        settings = TrainingSettings(
            start=start,
            arguments="" if start != "none" else '{"widths": [32, 64, 112, 176, 224, 256]}',
            epochs=max(1, steps // STEPS_PER_EPOCH),
            steps_per_epoch=STEPS_PER_EPOCH,
            validation_share=0.0,
            threads=1,
        )
        store = models.on_disk
        card = learn(resolve(folder, settings, store), folder / "run", "fold", store)
    return card.key


def main() -> int:
    """Read the options, and keep the models of this run apart."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--set", choices=SETS, default="bam")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="*", help="only these folds")
    parser.add_argument("--images", type=int, nargs="*", default=[0])
    parser.add_argument("--start", nargs="*", default=["particles"], help="models, or none")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:  # where models are kept on Linux
        os.environ["XDG_DATA_HOME"] = home
        return run(args)


def run(args: argparse.Namespace) -> int:
    """Print one block per start and number of training pictures."""
    folder, rows, crumbs = SETS[args.set]
    root = args.data_dir / folder
    names = sorted(p.stem for p in (root / "masks").iterdir())
    folds = deal(root, names, args.folds, args.seed)
    print(f"{args.set}: {len(names)} pictures, {args.folds} folds, seed {args.seed}", flush=True)
    for start in args.start:
        for images in args.images:
            counts: list[ImageCounts] = []
            begun = time.monotonic()
            for number in args.only or range(args.folds):
                others = [n for k, fold in enumerate(folds) if k != number for n in fold]
                model = train(root, others[:images] if images else others, rows, start, args.steps)
                for name in folds[number]:
                    image, truth = load(root, name, rows)
                    found = segment(Micrograph(image), model).labels
                    counts.append(count_image(truth, found, min_area=crumbs))
            summary = Scores(tuple(counts)).summary()
            many = images or "all"
            print(f"\nfrom {start}, {many} pictures, {args.steps} steps, {len(counts)} scored")
            for score in SHOWN:
                print(f"  {score:20} {summary[score]}")
            print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
