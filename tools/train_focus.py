"""Train the focus network that ships: ``python tools/train_focus.py DATA SCENES OUT [options]``.

DATA is the folder of data sets, SCENES one of `render_scenes`.  Without ``--fold`` the network
learns from scenes and from licence-clean pictures of other specimens than those that judge;
``--start OUT/weights.safetensors --fold 0`` goes on with the pictures that judge, those of a fold
left out, and ``--fold all`` with all of them.  A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

import focus_pictures
from napari_sem_tools.evaluation.focus_protocol import fold_of
from napari_sem_tools.files import write_file
from napari_sem_tools.models.architectures import build
from napari_sem_tools.training.focus.frames import Drawing, FrameSource, SharpPicture
from napari_sem_tools.training.focus.losses import focus_loss
from napari_sem_tools.training.focus.truths import PLANES
from napari_sem_tools.training.running.learner import (
    Learner,
    Pace,
    load_checkpoint,
    save_checkpoint,
)

REAL = 0.55  # share of frames of real pictures
SEEN_AGAIN = 3  # batches later a batch comes back, mirrored
SAVE_EVERY = 100
MIRRORED = PLANES.index("astigmatism_2")  # changes its sign


def shared(pictures: Sequence[SharpPicture], total: float) -> list[SharpPicture]:
    """Give pictures a weight in all."""
    weight = sum(picture.weight for picture in pictures)
    return [dataclasses.replace(p, weight=p.weight * total / weight) for p in pictures]


def source_of(picture: SharpPicture) -> str:
    """Tell of which set a picture that judges is."""
    if picture.group == "msa":
        return "msa"
    if picture.group.startswith("Sc"):
        return "powder"
    return "superalloy" if picture.group.startswith("spot") else "coating"


def pictures(data: Path, scenes: Path, fold: str, judging: float) -> list[SharpPicture]:
    """Return all pictures with their weights; each set of the judging ones counts alike."""
    sets = shared(focus_pictures.others(data), REAL)
    sets += shared(focus_pictures.scenes(scenes), 1 - REAL)
    if fold == "none":
        return sets
    own = [*focus_pictures.clean(data), *focus_pictures.kin(data)]
    train = [p for p in own if fold == "all" or fold_of(p.group) != int(fold)]
    kinds = sorted({source_of(picture) for picture in train})
    kept = shared(sets, 1 - judging)
    for kind in kinds:
        kept += shared([p for p in train if source_of(p) == kind], judging / len(kinds))
    return kept


def batches(source: FrameSource, size: int, first: int) -> Iterator[tuple[Any, Any]]:
    """Draw batches ahead; each comes back once, mirrored: drawing costs as much as learning."""
    seen: deque[tuple[Any, Any]] = deque()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(source.batch, first, size)
        while True:
            batch = coming.result()
            first += 1
            coming = pool.submit(source.batch, first, size)
            yield batch
            seen.append(batch)
            if len(seen) > SEEN_AGAIN:
                images, truth = seen.popleft()
                truth = truth[..., ::-1].copy()
                truth[:, MIRRORED] *= -1
                yield images[..., ::-1].copy(), truth


def learn(learner: Learner, source: FrameSource, options: argparse.Namespace) -> None:
    """Learn until all steps are done; write a checkpoint now and then."""
    learner.train()
    losses, begun = [], time.monotonic()
    for images, truth in batches(source, options.batch, 10**6 + learner.done):
        if learner.done >= options.steps:
            return
        losses.append(learner.step(images, truth))
        if learner.done % SAVE_EVERY == 0 or learner.done == options.steps:
            save_checkpoint(options.out / "checkpoint.pt", learner.state())
            write_file(options.out / "weights.safetensors", learner.weights())
            spent = time.monotonic() - begun
            print(f"{learner.done} of {options.steps}: loss {np.mean(losses):.3f}, {spent:.0f} s",
                  flush=True)  # fmt: skip
            losses = []


def main() -> None:
    """Train, or go on."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fold", default="none", help="none, all, or 0 to 4")
    parser.add_argument("--judging", type=float, default=0.5, help="share of pictures that judge")
    parser.add_argument("--start", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--columns", type=int, default=176)
    parser.add_argument("--plain", type=float, default=0.6)
    parser.add_argument("--resized", type=float, default=0.5)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--schedule", default="plateau")
    parser.add_argument("--average", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    drawing = Drawing(options.rows, options.columns, plain=options.plain, resized=options.resized)
    sets = pictures(options.data, options.scenes, options.fold, options.judging)
    source = FrameSource(sets, drawing, seed=options.seed)
    network = build("focus-fcn")
    if options.start:
        network.load_state_dict(load_file(options.start))
    pace = Pace(options.rate, options.steps, schedule=options.schedule, average=options.average)
    learner = Learner(network, focus_loss, pace, precision="bf16")
    options.out.mkdir(parents=True, exist_ok=True)
    state = load_checkpoint(options.out / "checkpoint.pt")
    if state:
        learner.load(state)
    learn(learner, source, options)


if __name__ == "__main__":
    main()
