"""What the augmentation recipes of the TEM paper gain on maps of classes.

    python benchmarks/semantic_recipes.py DATA_DIR [--sets superalloy coating] [--seeds 0 1 2]
    python benchmarks/semantic_recipes.py DATA_DIR --sets msa-em-nanoparticles \
        --network tem-unet --recipes none --steps 600

Pictures of the published training column learn, those of the validation column are scored; none
of these chooses anything: a fixed number of steps, the last weights.  Every recipe sees the same
number of crops of 256 px.  `small` is a folded U-Net of 0.32 million parameters with AdamW, one
cycle and the loss bce + dice; `tem-unet` is the training of that name (31 million parameters,
cross-entropy, Adam 1e-4, one crop a step) with crops of 256 px and no picture kept back.  IoU and
Dice are those of `sem.evaluate_classes`, background among the classes; "range" is over pictures,
[ ] the 95 % bootstrap over pictures, 2000 draws, seed 0.  `--keep FILE` writes a line per
finished run and goes on from it.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kept_runs import KeptRuns, own_registry
from napari_sem_tools.evaluation import ClassScores, evaluate_classes
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.models import models
from napari_sem_tools.reading import read
from napari_sem_tools.segmentation import SemanticSettings, segment
from napari_sem_tools.training.running.plan import resolve
from napari_sem_tools.training.running.session import learn
from napari_sem_tools.training.settings import TrainingSettings
from napari_sem_tools.training.trainings import TRAININGS

RECIPES = ("none", "R", "D", "Z", "RDZ", "sem")
STEPS_PER_EPOCH = 50
N_BOOT, BOOT_SEED = 2000, 0
Classes = NDArray[np.integer]


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Where a set is, who learns and who is scored."""

    train: str
    judges: str
    column: str  # of splits.csv; empty: two folders
    targets: str
    classes: tuple[str, ...]


SETS = {
    "superalloy": DataSet(
        "nasa/superalloy", "nasa/superalloy", "Super1", "classes",
        ("matrix", "secondary", "tertiary"),
    ),
    "coating": DataSet(
        "nasa/coating", "nasa/coating", "EBC1", "classes", ("background", "oxide", "crack")
    ),
    "msa-em-nanoparticles": DataSet(
        "msa-em-nanoparticles/train", "msa-em-nanoparticles/test", "", "foreground",
        ("ground", "particle"),
    ),
}  # fmt: skip
COMMON: dict[str, Any] = {
    "validation_share": 0.0, "split": "once", "steps_per_epoch": STEPS_PER_EPOCH,
    "crop_px": 256, "threads": 1, "average": 0.0,
}  # fmt: skip
NETWORKS = {
    "small": TrainingSettings(
        start="none", arguments='{"widths": [16, 32, 56, 88]}', batch=4, loss="bce+dice"
    ).replace(**COMMON | {"average": 0.99}),
    "tem-unet": TRAININGS["tem-unet"].settings.replace(**COMMON),
}


def names_of(root: Path, column: str, word: str) -> list[str]:
    """List the pictures of one side of the published split."""
    if not column:
        return sorted(path.stem for path in (root / "masks").iterdir())
    with (root / "splits.csv").open(newline="") as file:
        return [row["name"] for row in csv.DictReader(file) if row[column] == word]


def load(root: Path, name: str, of: DataSet) -> tuple[NDArray[Any], Classes]:
    """Read a picture and its classes."""
    from skimage.io import imread

    mask = imread(next((root / "masks").glob(f"{name}.*")))
    grey = np.asarray(read(next((root / "images").glob(f"{name}.*"))).grey)
    return grey, mask > 0 if of.targets == "foreground" else mask


def train(root: Path, of: DataSet, settings: TrainingSettings) -> str:
    """Learn from the training pictures; return the model's name."""
    from skimage.io import imsave

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for part in ("images", "masks"):
            (folder / part).mkdir()
        for name in names_of(root, of.column, "train"):
            image, truth = load(root, name, of)
            for part, plane in (("images", image), ("masks", truth.astype(np.uint8))):
                imsave(folder / part / f"{name}.png", plane, check_contrast=False)
        store = models.on_disk
        return learn(resolve(folder, settings, store), folder / "run", "classes", store).key


def run_one(data: Path, name: str, settings: TrainingSettings) -> dict[str, Any]:
    """Train once; return the confusion of every picture that is scored."""
    of, begun = SETS[name], time.monotonic()
    model = train(data / of.train, of, settings)
    root, trained = data / of.judges, time.monotonic() - begun
    judges = names_of(root, of.column, "val")
    pairs = [load(root, each, of) for each in judges]
    how = SemanticSettings(result="classes")
    found = [segment(Micrograph(grey), model, settings=how).labels for grey, _ in pairs]
    scores = evaluate_classes(
        [truth.astype(np.int32) for _, truth in pairs], found, classes=range(len(of.classes))
    )
    return {"confusion": scores.confusion.tolist(), "names": judges, "seconds": trained}


def show(name: str, recipe: str, runs: Sequence[dict[str, Any]]) -> None:
    """Print the row of a recipe: pictures of all seeds are averaged first."""
    of = SETS[name]
    classes = tuple(range(len(of.classes)))
    each = [ClassScores(classes, np.array(run["confusion"])) for run in runs]
    # the seeds of one picture are one draw of the bootstrap
    whole = ClassScores(classes, sum(scores.confusion for scores in each), tuple(runs[0]["names"]))
    summary = whole.summary(n_boot=N_BOOT, seed=BOOT_SEED)
    low, high = whole.ranges()["mean_iou"]
    cells = [recipe, str(summary["image_mean_iou"]), f"{low:.3f} to {high:.3f}"]
    cells += [f"{summary[f'pooled_iou_{number}'].value:.3f}" for number in classes]
    dice = np.nanmean([scores.dice[:, 1:].mean(1) for scores in each], 0)
    cells += [f"{dice.mean():.3f}, {dice.min():.3f} to {dice.max():.3f}"]
    by_seed = [float(s.summary(n_boot=0)["image_mean_iou"].value) for s in each]
    cells += [" ".join(f"{value:.3f}" for value in by_seed)]
    print("| " + " | ".join(cells) + f" | {np.mean([r['seconds'] for r in runs]):.0f} s |")


def main() -> int:
    """Print a table per set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--sets", nargs="*", default=["superalloy", "coating"], choices=SETS)
    parser.add_argument("--recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--network", choices=NETWORKS, default="small")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--keep", type=Path, help="file of finished runs, to go on from")
    args = parser.parse_args()
    kept = KeptRuns(args.keep)
    with own_registry():
        for name in args.sets:
            runs: dict[str, list[dict[str, Any]]] = {recipe: [] for recipe in args.recipes}
            for seed in args.seeds:
                for recipe in args.recipes:
                    settings = NETWORKS[args.network].replace(
                        targets=SETS[name].targets, augmentation=recipe, seed=seed,
                        epochs=max(1, args.steps // STEPS_PER_EPOCH),
                    )  # fmt: skip
                    key = f"{name} {args.network} {recipe} {args.steps} {seed}"
                    run = kept.get(key, lambda n=name, s=settings: run_one(args.data_dir, n, s))
                    runs[recipe].append(run)
            of = SETS[name]
            print(f"\n{name}, {args.network}, {args.steps} steps, seeds {args.seeds}\n")
            heads = ["recipe", "mean IoU", "range", *(f"IoU {c}" for c in of.classes)]
            heads += ["Dice without background: mean, range", "mean IoU by seed", "training"]
            print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
            for recipe in args.recipes:
                show(name, recipe, runs[recipe])
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
