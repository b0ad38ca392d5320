"""Train the shipped ``particles`` model: ``python tools/train_particles.py FOLDER``.

Renders the scenes, trains in stages, resumes where it was stopped.  Seeds are fixed.  Each
stage goes on from the averaged weights of the one before: first with scenes of all kinds,
then with many stacked and touching particles among them, last with enlarged ones too.  Of one
stage the mean of the weights at both ends goes on: it keeps what the stage learned of small
heaps and forgets less of the rest (Wortsman et al. 2022, arXiv 2109.01903).  What ships is
FOLDER/final.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from napari_sem_tools.files import write_file
from napari_sem_tools.simulation.training_scene import (
    enlarged_scene,
    stacked_scene,
    training_scene,
)
from napari_sem_tools.training.data.scenes import render_scenes
from napari_sem_tools.training.loop import SeparationTraining, train_separation

WIDTHS = (32, 64, 112, 176, 224, 256)
SCENES = {  # folder: number, seed, what draws them
    "scenes": (2375, 2611, training_scene),
    "stacked": (600, 2612, stacked_scene),
    "fresh": (500, 2613, training_scene),
    "heaps": (500, 2614, stacked_scene),
    "enlarged": (800, 2615, enlarged_scene),
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the training: how long, how fast, from which scenes in which shares.

    Where it is `averaged`, the mean of the weights before and after it is what goes on.
    """

    name: str
    steps: int
    learning_rate: float
    shares: Mapping[str, float]
    touching: float = 4.0
    schedule: str = "cosine"
    averaged: bool = False


STAGES = (
    Stage("run", 8200, 2e-3, {"scenes": 1.0}, touching=3.0, schedule="plateau"),
    Stage("stacks", 2200, 8e-4, {"scenes": 0.6, "stacked": 0.4}),
    Stage("longer", 2200, 1e-3, {"scenes": 5 / 7, "stacked": 2 / 7}, schedule="plateau"),
    Stage(
        "wider",
        2600,
        1e-3,
        {"scenes": 0.3, "stacked": 0.1, "fresh": 0.15, "heaps": 0.15, "enlarged": 0.3},
        schedule="plateau",
        averaged=True,
    ),
)


def main() -> None:
    """Run the steps that are not done yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where scenes and checkpoints are kept")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--stages", type=int, default=len(STAGES), help="how many, from the first")
    options = parser.parse_args()
    start: Path | None = None
    for stage in STAGES[: options.stages]:
        end = run(stage, options.folder, start=start, jobs=options.jobs)
        if stage.averaged and start is not None:
            mean = options.folder / f"{stage.name}-mean" / "weights.safetensors"
            write_file(mean, mean_of(start, end))
            end = mean
        start = end
    if start is not None and options.stages == len(STAGES):
        write_file(options.folder / "final" / "weights.safetensors", start.read_bytes())


def run(stage: Stage, folder: Path, *, start: Path | None, jobs: int) -> Path:
    """Render what a stage learns from, and train; return the averaged weights at its end."""
    for name in stage.shares:
        count, seed, draw = SCENES[name]
        render_scenes(
            folder / name,
            count,
            seed=seed,
            jobs=jobs,
            draw=draw,
            progress=lambda done, total, what: print(f"{what}: {done} of {total}", flush=True),
        )
    settings = SeparationTraining(
        steps=stage.steps,
        learning_rate=stage.learning_rate,
        schedule=stage.schedule,
        touching=stage.touching,
        processes=jobs,
    )
    shares = {folder / name: share for name, share in stage.shares.items()}
    return train_separation(
        shares, folder / stage.name, settings=settings, widths=WIDTHS, start=start
    )


def mean_of(first: Path, second: Path) -> bytes:
    """Return the mean of two files of weights as a file of weights."""
    from safetensors.torch import load_file, save

    one, other = load_file(first), load_file(second)
    return save(
        {
            name: (value + other[name]) / 2 if value.is_floating_point() else other[name]
            for name, value in one.items()
        }
    )


if __name__ == "__main__":
    main()
