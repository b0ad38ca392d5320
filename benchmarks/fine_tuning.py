"""What a model gains by learning from a set itself, on pictures of it that it has not seen.

    python benchmarks/fine_tuning.py DATA_DIR --set bam [--folds 5] [--images 0] [--steps 600]
    python benchmarks/fine_tuning.py DATA_DIR --set bam --images 1 3 10 [--start particles none]

`--keep FILE` writes a line per finished fold and goes on from it.

Pictures are dealt to the folds by a seeded shuffle of their groups (`doi` for EMPS, else each by
itself).  Of each fold the others train, for a fixed number of steps and without choosing an epoch
by its score, with the settings of `train_segmentation`.  The fold is segmented three times: with
the settings of `NetworkSettings()` ("sizes unknown"); with `diameter_px`, the median over the
training pictures of the median diameter, in one look at the size that was learned ("size told");
and so with mirrored images averaged ("flips").
`--steps 0` scores the model that would be gone on from.
`--images n` learns from the first n of the training pictures alone (0: from all).  Scores are those
of `sem.evaluate`, means over all pictures, 95 % bootstrap over pictures; BAM without crumbs of less
than 30 px.  `--models FOLDER` keeps what was learned, so that a change of the segmentation can be
scored without learning again.
"""

from __future__ import annotations

import argparse
import csv
import functools
import hashlib
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from kept_runs import KeptRuns, own_registry, packed, unpacked
from napari_sem_tools.evaluation import ImageCounts, Scores, count_image
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.models import models
from napari_sem_tools.reading import read
from napari_sem_tools.segmentation import NetworkSettings, segment
from napari_sem_tools.training.data.scaled import diameters
from napari_sem_tools.training.running.plan import resolve
from napari_sem_tools.training.running.session import learn
from napari_sem_tools.training.settings import TrainingSettings

SETS = {"bam": ("bam", 712, 30), "emps-train": ("emps-train", None, 1)}  # folder, rows, crumbs
PIXEL_NM = {"bam": 7.34375}
SHOWN = (
    "mean_ap50", "mean_ap75", "mean_pq", "mean_aji", "pooled_recall", "pooled_merged",
    "pooled_false_piece", "pooled_ecd_d50_err", "pooled_ecd_d10_err", "pooled_ecd_d90_err",
    "pooled_w1_px", "pooled_w1_nm",
)  # fmt: skip
WAYS = ("sizes unknown", "size told", "size told, flips")
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


def train(folder: Path, settings: TrainingSettings, key: str) -> str:
    """Learn from a folder, unless that was done; return the model's name."""
    store, name = models.on_disk, "fold-" + hashlib.sha256(key.encode()).hexdigest()[:12]
    if name in models:
        return name
    return learn(resolve(folder, settings, store), folder / "run", name, store).key


def settings_of(start: str, args: argparse.Namespace) -> TrainingSettings:
    """Set how a fold learns."""
    return TrainingSettings(
        start=start,
        arguments="" if start != "none" else '{"widths": [32, 64, 112, 176, 224, 256]}',
        object_size_px=args.object_size_px,
        epochs=max(1, args.steps // STEPS_PER_EPOCH),
        steps_per_epoch=STEPS_PER_EPOCH,
        validation_share=0.0,
        threads=1,
        seed=args.seed,
    )


def run_fold(
    args: argparse.Namespace, key: str, start: str, learned: list[str], scored: list[str]
) -> dict[str, Any]:
    """Train on some pictures; return what was counted on others, in all ways."""
    from skimage.io import imsave

    set_folder, rows, crumbs = SETS[args.set]
    root, begun = args.data_dir / set_folder, time.monotonic()
    medians = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for part in ("images", "masks"):
            (folder / part).mkdir()
        for name in learned:
            image, truth = load(root, name, rows)
            imsave(folder / "images" / f"{name}.png", image, check_contrast=False)
            imsave(folder / "masks" / f"{name}.png", truth, check_contrast=False)
            medians.append(float(np.median(diameters(truth))))
        model = train(folder, settings_of(start, args), key) if args.steps else start
    told = NetworkSettings(diameter_px=max(2.0, float(np.median(medians))))
    trained, counts = time.monotonic() - begun, dict[str, list[Any]]()
    settings = (NetworkSettings(), told, told.replace(average_flips=True))
    for way, how in zip(WAYS, settings, strict=True):
        for name in scored:
            image, truth = load(root, name, rows)
            found = segment(Micrograph(image), model, settings=how).labels
            one = count_image(truth, found, min_area=crumbs, name=name)
            counts.setdefault(way, []).append(packed(one))
    return {"counts": counts, "seconds": trained, "diameter_px": told.diameter_px}


def show(name: str, done: list[dict[str, Any]]) -> None:
    """Print the scores of all folds together, in all ways."""
    rows, crumbs = SETS[name][1:]
    print(f"{np.mean([fold['seconds'] for fold in done]):.0f} s of training a fold")
    summaries = []
    for way in WAYS:
        counts: list[ImageCounts] = [unpacked(c) for fold in done for c in fold["counts"][way]]
        summaries.append(Scores(tuple(counts), PIXEL_NM.get(name), rows, crumbs).summary())
    print(f"| {len(counts)} pictures | " + " | ".join(WAYS) + " |\n|" + " --- |" * (len(WAYS) + 1))
    for score in SHOWN:
        if score in summaries[0]:
            print(f"| {score} | " + " | ".join(str(s[score]) for s in summaries) + " |")
    sys.stdout.flush()


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
    parser.add_argument("--object-size-px", type=float, help="instead of the model's own")
    parser.add_argument("--keep", type=Path, help="file of finished folds, to go on from")
    parser.add_argument("--models", type=Path, help="folder that keeps what was learned")
    args = parser.parse_args()
    with own_registry(args.models):
        return run(args)


def run(args: argparse.Namespace) -> int:
    """Print one block per start and number of training pictures."""
    root = args.data_dir / SETS[args.set][0]
    names = sorted(p.stem for p in (root / "masks").iterdir())
    folds = deal(root, names, args.folds, args.seed)
    print(f"{args.set}: {len(names)} pictures, {args.folds} folds, seed {args.seed}", flush=True)
    kept = KeptRuns(args.keep)
    for wish in args.start:
        start = models[wish].key if wish != "none" else wish  # with its version
        for images in args.images:
            done = []
            for number in args.only or range(args.folds):
                others = [n for k, fold in enumerate(folds) if k != number for n in fold]
                learned = others[:images] if images else others
                key = f"{args.set} {start} {images} {args.steps} {number} of {args.folds} "
                key += f"seed {args.seed} size {args.object_size_px}"
                done.append(
                    kept.get(
                        key,
                        functools.partial(run_fold, args, key, start, learned, folds[number]),
                    )
                )
                print(f"# fold {number} done", flush=True)
            print(f"\nfrom {start}, {images or 'all'} pictures, {args.steps} steps")
            show(args.set, done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
