"""Train on the ten NFFA categories, and print the table of the literature beside ours.

    sem-tools dataset fetch nffa -o FOLDER
    python benchmarks/nffa.py FOLDER [--network convnext-tiny --weights FILE --epochs 12 ...]

FOLDER has a folder for every category, as ``sem-tools dataset fetch nffa`` writes it; the digits
in the names of the images are not looked at, since they differ between releases.  The split keeps
near-duplicates together, lies in ``FOLDER/training/NAME/split.csv`` and is written once more as
``nffa-split.txt`` into FOLDER.  Every setting of ``sem-tools train classification`` is taken.  A
run that was stopped goes on.  ``--random`` also trains on a split by single images.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import napari_sem_tools as sem
from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.training import CLASSIFICATION_TRAININGS, ClassificationTraining

LITERATURE = (
    ("Modarres 2017", "Inception-v3 features", "about 90", "", "18,577 and 1,068"),
    ("De Nobili 2017", "DenseNet-121", "97.3", "", "random"),
    ("Aversa 2020", "Inception-v3", "up to 97", "", "random"),
    ("Weintraub 2020", "Xception", "95.1", "0.929", "random 70/20/10"),
    ("Türkmen 2023", "Inception-ResNet-v2", "95.5", "", "random 80/20"),
    ("Türkmen 2023, nine", "Inception-ResNet-v2", "96.5", "0.949", "random 80/20"),
    ("Barua 2023", "DenseNet-201, NCA, SVM", "97.09", "", "cross-validation"),
    ("ViT-ResNet50 2024", "semi-supervised", "93.65", "", "random"),
    ("slastrzelec 2026", "ConvNeXt-Tiny", "97.8", "0.968 [0.958, 0.977]", "random 70/15/15"),
    ("slastrzelec 2026", "ConvNeXt-Tiny", "97.2", "0.956 [0.939, 0.966]", "near-dup. together"),
    ("slastrzelec 2026", "ResNet-50", "96.5", "0.944", "near-dup. together"),
)
HEADS = ("work", "network", "accuracy, %", "macro-F1", "split")


def main(words: list[str] | None = None) -> int:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="as sem-tools dataset fetch nffa wrote it")
    parser.add_argument("--recipe", choices=list(CLASSIFICATION_TRAININGS), default="fine-tune")
    parser.add_argument("--random", action="store_true", help="also a split by single images")
    parser.add_argument("--name", default="nffa", help="of the model")
    options.add_settings(parser, ClassificationTraining, "settings of the training")
    args = parser.parse_args(words)
    prefix = f"{ClassificationTraining.__name__}."
    changes = {k.removeprefix(prefix): v for k, v in vars(args).items() if k.startswith(prefix)}
    settings = CLASSIFICATION_TRAININGS[args.recipe].settings.replace(split="70/20/10")
    settings = settings.replace(**changes)
    ours = [run(args.folder, args.name, settings)]
    shutil.copyfile(
        args.folder / "training" / args.name / "split.csv", args.folder / "nffa-split.txt"
    )
    if args.random:
        single = settings.replace(duplicates=0.0)
        ours.append(run(args.folder, f"{args.name}-random", single))
    print_table(ours, args.folder)
    print_details(args.folder / "training" / args.name)
    return 0


def run(folder: Path, name: str, settings: ClassificationTraining) -> tuple[str, ...]:
    """Train, or go on, and return a row of the table."""
    card = sem.train_classifier(
        folder, name, settings=settings, licence="CC-BY-4.0", progress=Console().progress
    )
    score = {one.metric: one for one in card.scores}
    accuracy, f1 = score["accuracy"], score["macro-F1"]
    apart = "near-dup. together" if settings.duplicates else "random"
    return (
        f"ours, {card.key}",
        settings.network,
        f"{100 * accuracy.value:.1f} [{100 * (accuracy.low or 0):.1f}, "
        f"{100 * (accuracy.high or 0):.1f}]",
        f"{f1.value:.3f} [{f1.low:.3f}, {f1.high:.3f}]",
        f"{apart} {settings.split}",
    )


def print_table(ours: list[tuple[str, ...]], folder: Path) -> None:
    """Print the table of the literature, and ours below it."""
    rows = [HEADS, *LITERATURE, *ours]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADS))]
    for number, row in enumerate(rows):
        print(" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
        if not number:
            print("-|-".join("-" * width for width in widths))
    print(f"\nrelease: {release(folder)}; split: {folder / 'nffa-split.txt'}")


def release(folder: Path) -> str:
    """Say which release the images are from."""
    try:
        told: dict[str, Any] = json.loads((folder / "dataset.json").read_text("utf-8"))
        named = {str(one["release"]) for one in told["archives"].values()}
    except (OSError, ValueError, KeyError):
        return "unknown (no dataset.json)"
    return named.pop() if len(named) == 1 else "mixed"


def print_details(place: Path) -> None:
    """Print what stands behind the row: leak, categories, confusions, doubtful labels."""
    scores = json.loads((place / "scores.json").read_text("utf-8"))
    plan = json.loads((place / "run.json").read_text("utf-8"))["plan"]
    print("\n".join(plan.splitlines()[:3]))
    values = scores["values"]
    print(
        f"temperature {values['temperature']:.3f}; ECE {values['ece_before']:.4f} before, "
        f"{values['ece']:.4f} after; {values['covered']:.1%} answered at 99 % accuracy "
        f"(confidence {scores['confidence_at_99']})"
    )
    for row in scores["per_category"]:
        f1 = row["f1"] if row["f1"] is not None else float("nan")
        print(f"  {row['category']:<28} F1 {f1:.3f}  images {row['images']}")
    for true, named, count in scores["confused"][:5]:
        print(f"  {true} named {named}: {count}")
    with (place / "review.csv").open(encoding="utf-8") as file:
        print(f"  {len(list(csv.DictReader(file)))} labels to review: {place / 'review.csv'}")


if __name__ == "__main__":
    sys.exit(main())
