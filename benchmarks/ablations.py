"""What each part of the training is worth, at a fixed budget and with a small network.

    python benchmarks/ablations.py FOLDER [DATA_DIR] [--rows base "no letters" ...] [--steps 1500]
        [--seeds 26 27 28]

Renders 250 scenes of 384 px for each kind of scene that is asked for into FOLDER (seed 2611),
trains each row from nothing with the loop of the shipped model (four crops of 192 px a step, one
cycle, one process, seed 26 unless `--seeds` says more; base: 1.7 million parameters), and
segments 40 pictures that were simulated with another seed (777, of the full range of sizes,
letters on every second) and the openly licensed sets with truth under DATA_DIR, with all looks
fused (`scale_choice.py`; the judge is that of the package).  Real crops for the row "real
pictures added" come from powder and TEM nanoparticles, which are then not scored.  A row says
AP@0.5 / PQ and the difference of AP@0.5 to base over the same pictures with its 95 % bootstrap
interval (2000 draws, seed 0).  With several seeds a second table has mean and range over them, and
the difference to base of the same seed.  `--keep FILE` writes a line per finished row and goes
on from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from kept_runs import KeptRuns, own_registry
from napari_sem_tools.models import models
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel
from napari_sem_tools.models.weights import describe
from napari_sem_tools.simulation import signals
from napari_sem_tools.simulation.training_scene import TrainingScene, training_scene
from napari_sem_tools.training.data.scenes import render_scenes, write_scenes
from napari_sem_tools.training.loop import SeparationTraining, train_separation
from napari_sem_tools.training.running.finish import register
from scale_choice import SETS, Picture, pictures, real, run_one, simulated

SCENES, SIZE_PX, SEED = 250, 384, 2611
FIRST_SEED = 26
HELD_OUT = 40
LEARNED = ("powder", "powder-extra", "msa-em-nanoparticles")  # of the row with real crops
CROPS_OF_ONE, CROP_SEED = 7, 5
N_BOOT = 2000
OUTPUTS = tuple(OutputChannel(n, n, "sigmoid") for n in ("foreground", "border", "distance"))


def without_edges(seed: int | tuple[int, ...], *, size_px: int) -> TrainingScene:
    """Draw a scene in which slopes, rims and crystal edges give no more electrons."""
    with mock.patch.multiple(signals, _TILT_GAIN=0.0, _RIMMED=0.0):
        return training_scene(seed, size_px=size_px)


DRAWS = {
    "all": training_scene,
    "no edges": without_edges,
    "narrow": functools.partial(training_scene, diameters_px=(20.0, 50.0)),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """What is other than in base."""

    scenes: str = "all"
    widths: tuple[int, ...] = (24, 48, 84, 132, 168)
    longer: int = 1
    letters: float = 0.4
    touching: float = 3.0
    real: bool = False


ROWS = {
    "base": Row(),
    "no letters in training": Row(letters=0.0),
    "no edge brightening": Row(scenes="no edges"),
    "no weight on gaps": Row(touching=0.0),
    "median sizes 20 to 50 px (9 to 130)": Row(scenes="narrow"),
    "real pictures added": Row(real=True),
    "three times the steps": Row(longer=3),
    "ten times the steps": Row(longer=10),
    "4.1 million parameters": Row(widths=(28, 56, 96, 152, 192, 220)),
    "7.0 million parameters": Row(widths=(36, 72, 126, 198, 252, 288)),
}


def scenes_of(row: Row, folder: Path, data: Path | None) -> Path:
    """Render what the row learns from, or find it."""
    plain = folder / row.scenes.replace(" ", "-")
    render_scenes(plain, SCENES, seed=SEED, size_px=SIZE_PX, draw=DRAWS[row.scenes])
    if not row.real:
        return plain
    if data is None:
        sys.exit("the row with real pictures needs DATA_DIR")
    mixed = folder / "with-real"
    mixed.mkdir(exist_ok=True)
    for path in plain.glob("scenes-*.npz"):
        (mixed / path.name).write_bytes(path.read_bytes())
    crops = list(real_crops(data))
    for first in range(0, len(crops), 25):
        part = crops[first : first + 25]
        write_scenes(mixed / f"scenes-{9000 + first}.npz", part, [{"real": True}] * len(part))
    return mixed


def real_crops(data: Path) -> Iterator[Any]:
    """Cut crops out of real pictures, in full and in half size."""
    rng = np.random.default_rng(CROP_SEED)
    for name in LEARNED:
        root = data / SETS[name][0]
        for mask in sorted((root / "masks").iterdir()):
            path = next((root / "images").glob(f"{mask.stem}.*"))
            image, truth, ignore = real((path, mask), SETS[name][1])
            for number in range(CROPS_OF_ONE):
                step = 2 if number % 2 and min(truth.shape) > 2 * SIZE_PX else 1
                smaller = [plane[::step, ::step] for plane in (image, truth, ignore)]
                corner = [int(rng.integers(0, n - SIZE_PX + 1)) for n in smaller[0].shape]
                window = tuple(slice(at, at + SIZE_PX) for at in corner)
                grey, labels, nothing = (plane[window] for plane in smaller)
                yield grey.astype(np.uint8), labels.astype(np.uint16), nothing


def register_network(raw: bytes, widths: tuple[int, ...]) -> str:
    """Put weights into the registry of this run; return their name."""
    card = ModelCard(
        name="ablation", version="1.0.0", task="segmentation", architecture="folded-unet",
        arguments={"widths": list(widths)}, weights=describe(raw), licence="BSD-3-Clause",
        created="2026-01-01",
        input=InputSpec(
            clip_low_percent=1, clip_high_percent=99, object_size_px=33,
            tile_px=1024, halo_px=128, multiple_of=2 ** len(widths),
        ),
        outputs=OUTPUTS,
    )  # fmt: skip
    return register(models.on_disk, card, raw).key


def held_out(folder: Path, number: int) -> Picture:
    """Draw a simulated picture once, and read it from then on."""
    path = folder / "held-out" / f"{number:03d}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, *simulated(number))
    with np.load(path) as part:
        image, truth, ignore = (part[f"arr_{k}"] for k in range(3))
    return image, truth, ignore


def key_of(title: str, steps: int, seed: int) -> str:
    """Name a training."""
    return f"{title}, {steps} steps" + (f", seed {seed}" if seed != FIRST_SEED else "")


def run_row(title: str, args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train and score a row: AP@0.5 and PQ of every picture, for every choice of scale."""
    row, folder, data = ROWS[title], args.folder, args.data_dir
    scenes = scenes_of(row, folder, data)
    settings = SeparationTraining(
        steps=args.steps * row.longer, processes=1, threads=1, save_every=100, seed=seed,
        crop_px=192, schedule="one-cycle", letters=row.letters, touching=row.touching,
    )  # fmt: skip
    begun = time.process_time()
    run = folder / "runs" / key_of(title, args.steps, seed).replace(" ", "-")
    raw = train_separation(scenes, run, settings=settings, widths=row.widths).read_bytes()
    seconds = time.process_time() - begun
    with own_registry():
        model = register_network(raw, row.widths)
        drawn = [functools.partial(held_out, folder, number) for number in range(HELD_OUT)]
        found = {"simulated": [run_one(model, draw) for draw in drawn]}
        for name, draws in pictures(data, list(SETS)) if data is not None else ():
            if not (row.real and name in LEARNED):
                found[name] = [run_one(model, draw) for draw in draws]
    return {"found": found, "seconds": seconds}


def cell(own: list[dict[str, Any]] | None, base: list[dict[str, Any]] | None, choice: str) -> str:
    """Write the scores of a set, and the difference to base."""
    if own is None:
        return "learned"
    value = np.array([one[choice] for one in own])
    text = "{:.3f} / {:.3f}".format(*value.mean(0))
    if base is None:
        return text
    off = value[:, 0] - np.array([one["fused"][0] for one in base])
    rng = np.random.default_rng(0)
    means = off[rng.integers(0, len(off), (N_BOOT, len(off)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{text} ({off.mean():+.3f} [{low:+.3f}, {high:+.3f}])"


def show(done: dict[str, dict[str, Any]]) -> None:
    """Print the table: the rows, then what other choices of the scale make of base."""
    base = done.get("base", {}).get("found", {})
    names = list(next(iter(done.values()))["found"])
    print("| row | " + " | ".join(names) + " | CPU s |\n|" + " --- |" * (len(names) + 2))
    for title, run in done.items():
        others = {} if title == "base" else base
        cells = [cell(run["found"].get(n), others.get(n), "fused") for n in names]
        print(f"| {title} | " + " | ".join(cells) + f" | {run['seconds']:.0f} |")
    choices = {"1": "full size alone", "surest": "one scale a picture, the surest"}
    for choice, title in choices.items() if base else ():
        cells = [cell(base[n], base[n], choice) for n in names]
        print(f"| base, {title} | " + " | ".join(cells) + " | |")


def show_seeds(done: dict[int, dict[str, dict[str, Any]]]) -> None:
    """Print AP@0.5 over the seeds, and how far each row is from base of the same seed."""
    names = list(next(iter(next(iter(done.values())).values()))["found"])
    print("| row | " + " | ".join(names) + " |\n|" + " --- |" * (len(names) + 1))
    for title in next(iter(done.values())):
        cells = []
        for name in names:
            own, base = (
                np.array([
                    np.mean([one["fused"][0] for one in rows[of]["found"][name]])
                    for rows in done.values()
                ])
                for of in (title, "base")
            )  # fmt: skip
            off = own - base
            text = f"{own.mean():.3f} ({own.min():.3f} to {own.max():.3f})"
            text += f", {off.mean():+.3f} ({off.min():+.3f} to {off.max():+.3f})"
            cells.append(text if title != "base" else text.partition(", ")[0])
        print(f"| {title}, seeds {' '.join(map(str, done))} | " + " | ".join(cells) + " |")


def main() -> int:
    """Run the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where scenes are rendered")
    parser.add_argument("data_dir", type=Path, nargs="?")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=ROWS)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", nargs="+", type=int, default=[FIRST_SEED])
    parser.add_argument("--keep", type=Path, help="file of finished rows, to go on from")
    args = parser.parse_args()
    kept = KeptRuns(args.keep)
    done: dict[int, dict[str, Any]] = {seed: {} for seed in args.seeds}
    for title in args.rows:
        for seed in args.seeds:
            work = functools.partial(run_row, title, args, seed)
            done[seed][title] = kept.get(key_of(title, args.steps, seed), work)
            print(f"# {key_of(title, args.steps, seed)} done", flush=True)
    show(done[args.seeds[0]])
    if len(args.seeds) > 1 and "base" in args.rows:
        show_seeds(done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
