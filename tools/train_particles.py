"""Train the shipped ``particles`` model: ``python tools/train_particles.py FOLDER``.

Renders the scenes, trains, resumes where it was stopped.  Seeds are fixed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_sem_tools.training.loop import SeparationTraining, train_separation
from napari_sem_tools.training.scenes import render_scenes

WIDTHS = (32, 64, 112, 176, 224, 256)


def main() -> None:
    """Run the steps that are not done yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where scenes and checkpoints are kept")
    parser.add_argument("--scenes", type=int, default=2375)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8200)
    parser.add_argument("--run", default="run", help="name of the training's folder")
    options = parser.parse_args()
    render_scenes(
        options.folder / "scenes",
        options.scenes,
        seed=2611,
        jobs=options.jobs,
        progress=lambda done, total, what: print(f"{what}: {done} of {total}", flush=True),
    )
    settings = SeparationTraining(steps=options.steps, processes=options.jobs)
    train_separation(
        options.folder / "scenes", options.folder / options.run, settings=settings, widths=WIDTHS
    )


if __name__ == "__main__":
    main()
