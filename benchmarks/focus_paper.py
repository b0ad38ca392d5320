"""The network of the paper, trained on the pictures that ours learns from, and scored like ours.

    OMP_NUM_THREADS=1 python benchmarks/focus_paper.py DATA SCENES CACHE RUN [--minutes 25]

DATA is the folder of data sets, SCENES one of `render_scenes`, CACHE that of
``benchmarks/focus_network.py``.  RUN keeps a checkpoint: a run that was stopped goes on, and more
minutes (of the processor) train it further.  As published: ResNet-18 joined with the
magnification (0: unknown), batches of one with normalisation over the batch, SGD of 2e-4 with
momentum 0.9, frames of 320 x 240 px, mirrored, squared error of the score, zeros for frames of
noise, black or white.  As for ours, the convolutions learn from simulated scenes and pictures of
other specimens than those that judge; the fully connected layers are then fitted to frames of the
protocol, five times with a fold left out, and once with all for BAM and EMPS.  Of the frames every
second is scored, evenly over positions, doses and probes; ``focus_scores.py --also
paper=CACHE/paper_SET.npz`` prints the result beside ours on the same frames.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import fit_focus_mix as drawing
import focus_network as judged
import focus_pictures
from napari_sem_tools.evaluation.focus_protocol import DOSES, SIGMA_PER_STEP_PX, TILE_PX, blurred
from napari_sem_tools.models.architectures import build
from napari_sem_tools.training.focus.exposures import empty_frame
from napari_sem_tools.training.focus.frames import SharpPicture
from napari_sem_tools.training.running.learner import load_checkpoint, save_checkpoint

RATE, MOMENTUM, EMPTY = 2e-4, 0.9, 0.02  # of the paper
SHRUNK, MOST_BLUR_PX = (1.0, 1.5, 2.2), 4.0
FIELDS, TILES, SCENE_SHARE = 8, 4, 0.35  # of a round; a round is mixed
TOLD_EVERY, BATCH = 1024, 16
EPOCHS, HEAD_RATE, HEAD_BATCH = 12, 1e-3, 64
Rows = np.ndarray
Frame = tuple[np.ndarray, float]


def pictures(data: Path, scenes: Path) -> tuple[list[SharpPicture], list[SharpPicture]]:
    """Read the pictures of other specimens, and the scenes, as the training of ours does."""
    sharp = [p for p in focus_pictures.scenes(scenes) if (p.native_px or 9) <= 1.1]
    return focus_pictures.others(data), sharp


def of_field(picture: SharpPicture, rng: np.random.Generator) -> Iterator[Frame]:
    """Blur a picture by a known probe and take frames of it, at all doses."""
    plane = drawing.shrunk(picture.grey, float(rng.choice(SHRUNK)))
    plane = drawing.shrunk(picture.grey, 1.0) if plane is None else plane
    if plane is None:
        return
    sigma = 0.0 if rng.random() < 1 / 21 else float(rng.uniform(0, MOST_BLUR_PX))
    seen = blurred(plane, sigma, "gauss" if rng.random() < 0.5 else "disc")
    for box in drawing.corners(plane, TILES, rng):
        for dose in DOSES:
            grey = drawing.recorded(seen[box], dose, rng)
            grey = grey[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
            yield grey, max(10 - sigma / SIGMA_PER_STEP_PX, 0.0)


def round_of(number: int, real: list[SharpPicture], scenes: list[SharpPicture]) -> list[Frame]:
    """Draw the frames of a round, mixed; a round depends on its number alone."""
    rng = np.random.default_rng((18, number))
    weight = np.array([picture.weight for picture in real])
    frames: list[Frame] = []
    for _ in range(FIELDS):
        if rng.random() < SCENE_SHARE:
            picture = scenes[int(rng.integers(len(scenes)))]
        else:
            picture = real[int(rng.choice(len(real), p=weight / weight.sum()))]
        frames += of_field(picture, rng)
    for place in np.flatnonzero(rng.random(len(frames)) < EMPTY):
        frames[place] = (empty_frame(TILE_PX, rng).astype(np.float32), 0.0)
    return [frames[place] for place in rng.permutation(len(frames))]


def ready(frames: Rows) -> torch.Tensor:
    """Scale as the paper does: grey from 0 to 1, nothing else."""
    tensor = torch.from_numpy(np.ascontiguousarray(frames, np.float32) / 255)[:, None]
    return tensor.contiguous(memory_format=torch.channels_last)


def trained(data: Path, scenes: Path, run: Path, minutes: float) -> nn.Module:
    """Train until the minutes of the processor are spent, or go on to them."""
    torch.manual_seed(18)
    network = build("resnet18-focus").train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), RATE, momentum=MOMENTUM)
    state: dict[str, Any] = {"number": 0, "frames": 0, "seconds": 0.0}
    run.mkdir(parents=True, exist_ok=True)
    kept = load_checkpoint(run / "checkpoint.pt")
    if kept:
        network.load_state_dict(kept["network"])
        optimiser.load_state_dict(kept["optimiser"])
        state = kept["state"]
    sets = pictures(data, scenes) if state["seconds"] < 60 * minutes else ([], [])
    begun, errors = time.process_time(), []
    before = state["seconds"]
    while state["seconds"] < 60 * minutes:
        for image, truth in round_of(state["number"], *sets):
            with torch.autocast("cpu", torch.bfloat16):
                found = network(ready(image[None]), torch.zeros(1, 1))
            loss = (found.float() - truth).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            errors.append(float(loss.detach()))
            state["frames"] += 1
        state["number"] += 1
        state["seconds"] = before + time.process_time() - begun
        if state["number"] % 4 == 0:
            parts = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
            save_checkpoint(run / "checkpoint.pt", {**parts, "state": dict(state)})
            print(f"{state['frames']} frames, {state['seconds'] / 60:.1f} min: RMSE "
                  f"{np.sqrt(np.mean(errors[-TOLD_EVERY:])):.2f}", flush=True)  # fmt: skip
    print(f"trained with {state['frames']} frames in {state['seconds'] / 60:.1f} min of processor")
    return network.eval()


def chosen(meta: Rows) -> Rows:
    """Take every other frame, evenly over positions, doses and probes."""
    dose = np.searchsorted(sorted(DOSES), meta[:, 6])
    return np.flatnonzero((meta[:, 4] + meta[:, 5] + dose) % 2 == 0)


def seen(network: nn.Module, images: Any, path: Path) -> Rows:
    """Return what goes into the fully connected layers for frames; kept in a file."""
    if path.exists():
        return np.asarray(np.load(path))
    parts = []
    for first in range(0, len(images), BATCH):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found = network.encoder.features(ready(images[first : first + BATCH]))
        parts.append(found.float().numpy())
    rows = np.concatenate(parts)
    np.save(path, rows)
    return rows


def fitted(head: nn.Module, rows: Rows, truth: Rows) -> nn.Module:
    """Fit the fully connected layers to frames of the protocol."""
    torch.manual_seed(0)
    head = copy.deepcopy(head).train()
    optimiser = torch.optim.Adam(head.parameters(), HEAD_RATE)
    x, y = given(rows), torch.from_numpy(truth.astype(np.float32))
    total = EPOCHS * (len(x) // HEAD_BATCH) + 1
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for first in range(0, len(x) - HEAD_BATCH + 1, HEAD_BATCH):
            own = order[first : first + HEAD_BATCH]
            loss = (head(x[own])[:, 0] - y[own]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return head.eval()


def given(rows: Rows) -> torch.Tensor:
    """Join embeddings with an unknown magnification."""
    return torch.from_numpy(np.concatenate([rows, np.zeros((len(rows), 1), np.float32)], 1))


def said(head: nn.Module, rows: Rows) -> Rows:
    """Return the scores of a head."""
    with torch.inference_mode():
        return np.clip(head(given(rows))[:, 0].numpy().astype(float), 0, 10)


def scored(network: Any, options: argparse.Namespace, which: str, taught: Any) -> Any:
    """Score a set and keep it; return what the clean pictures teach."""
    images, meta, _ = judged.frames(options.data, options.cache, which)
    own = chosen(meta)
    rows = seen(network, np.asarray(images)[own], options.run / f"embedded_{which}.npy")
    truth, fold = 10 - np.abs(meta[own, 5]), meta[own, 1]
    if which == "clean":
        score = np.zeros(len(own))
        for number in np.unique(fold):
            test = fold == number
            score[test] = said(fitted(network.head, rows[~test], truth[~test]), rows[test])
        taught = fitted(network.head, rows, truth)
    else:
        score = said(taught, rows)
    plain = said(network.head, rows)
    for name, values in (("as trained", plain), ("fitted", score)):
        weight = np.where(meta[own, 5] == 0, 1.0, 2.0)
        error = judged.rmse(values - truth, weight)
        print(f"{which}, {name}: {error:.2f}")
    whole = np.full(len(meta), np.nan)
    whole[own] = score
    np.savez(options.cache / f"paper_{which}.npz", score=whole)
    return taught


def main() -> None:
    """Train, and score the sets."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("data", "scenes", "cache", "run"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--minutes", type=float, default=25.0, help="of the processor")
    parser.add_argument("--sets", nargs="*", default=["clean", "bam", "emps60"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = trained(options.data, options.scenes, options.run, options.minutes)
    taught = None
    for which in options.sets:
        taught = scored(network, options, which, taught)


if __name__ == "__main__":
    main()
