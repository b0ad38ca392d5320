"""The training loop: seeded, resumable after a crash, one or several processes."""

from __future__ import annotations

import csv
import functools
import io
import os
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from napari_sem_tools.files import write_file, write_text
from napari_sem_tools.models.devices import choose_device, choose_precision
from napari_sem_tools.settings import Settings, described
from napari_sem_tools.training.data.scenes import SceneFolder
from napari_sem_tools.training.running.learner import (
    Learner,
    Pace,
    load_checkpoint,
    save_checkpoint,
)

__all__ = ["SeparationTraining", "train_separation"]


@dataclass(frozen=True)
class SeparationTraining(Settings):
    """How a separating network is trained on simulated scenes.

    Examples
    --------
    >>> SeparationTraining(steps=100).batch
    4
    """

    steps: Annotated[int, described("Optimiser steps", min=1, max=10_000_000)] = 8000
    batch: Annotated[int, described("Crops a step, per process", min=1, max=1024)] = 4
    crop_px: Annotated[int, described("Side of a crop", min=64, max=2048)] = 256
    learning_rate: Annotated[float, described("Largest rate", min=1e-6, max=1.0)] = 2e-3
    schedule: Annotated[
        Literal["plateau", "one-cycle", "cosine"], described("How the rate changes")
    ] = "plateau"
    weight_decay: Annotated[float, described("AdamW", min=0.0, max=1.0)] = 0.02
    touching: Annotated[float, described("Weight between touching particles", min=0, max=50)] = 0.0
    letters: Annotated[float, described("Share of crops with letters", min=0.0, max=1.0)] = 0.4
    average: Annotated[float, described("Decay of the averaged weights", min=0, max=1)] = 0.998
    seed: Annotated[int, described("Seed of weights and crops", min=0, max=2**31)] = 26
    processes: Annotated[int, described("Processes that share a step", min=1, max=64)] = 2
    device: Annotated[
        Literal["auto", "cuda", "mps", "cpu"],
        described("Where it runs; on a GPU one process learns the crops of all"),
    ] = "auto"
    threads: Annotated[int, described("Threads of a process", min=1, max=256)] = 1
    save_every: Annotated[int, described("Steps between checkpoints", min=1, max=10**6)] = 200


def train_separation(
    scenes: Path | Mapping[Path, float],
    folder: Path,
    *,
    settings: SeparationTraining,
    widths: tuple[int, ...],
    start: Path | None = None,
) -> Path:
    """Train on rendered scenes; go on from the checkpoint in the folder if there is one.

    Each step of each process has crops of its own seed, so that a training that was killed
    learns from the same crops as one that was not.

    Parameters
    ----------
    scenes : Path or mapping of Path to float
        Folder of rendered scenes, or several with the share of crops that each gives.
    folder : Path
        For ``checkpoint.pt``, ``weights.safetensors`` (averaged) and ``log.csv``.
    settings : SeparationTraining
    widths : tuple of int
        Channels of the levels of the network.
    start : Path, optional
        Weights to begin with; without them from nothing.

    Returns
    -------
    Path
        The averaged weights.
    """
    import torch.multiprocessing as mp

    folder.mkdir(parents=True, exist_ok=True)
    device, _ = choose_device(settings.device)
    if device != "cpu":
        settings = settings.replace(processes=1, batch=settings.batch * settings.processes)
    settings = settings.replace(device=device)
    shares = {scenes: 1.0} if isinstance(scenes, Path) else dict(scenes)
    for each in shares:
        SceneFolder.mapped(each)  # the copies are made once, not by every process
    arguments = (_Task(shares, widths, start), folder, settings)
    if settings.processes == 1:
        _train(0, *arguments, "")
    else:
        meeting = os.path.join(tempfile.mkdtemp(), "meeting")
        mp.spawn(_train, (*arguments, meeting), settings.processes)
    return folder / "weights.safetensors"


@dataclass(frozen=True)
class _Task:
    """What is learned from, by which network, from which weights on."""

    scenes: dict[Path, float]
    widths: tuple[int, ...]
    start: Path | None


def _train(
    rank: int, task: _Task, folder: Path, settings: SeparationTraining, meeting: str
) -> None:
    """Run one process; the gradients of all are averaged."""
    import torch

    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    learner = _learner(settings, task.widths, task.start)
    state = load_checkpoint(folder / "checkpoint.pt")
    if state is not None:
        learner.load(state)
    if meeting:
        torch.distributed.init_process_group(
            "gloo", f"file://{meeting}", rank=rank, world_size=settings.processes
        )
        learner.model = torch.nn.parallel.DistributedDataParallel(
            learner.network, gradient_as_bucket_view=True
        )
    learner.train()
    crops = _crops(task.scenes, settings)

    def draw(step: int) -> Any:
        """Draw the batch of a step: the same after a resume."""
        crops.seed(settings.seed, rank, step)
        return crops.batch(settings.batch)

    log: list[list[float]] = []
    begun, losses = time.monotonic(), []
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw, learner.done)
        for step in range(learner.done + 1, settings.steps + 1):
            batch, coming = coming.result(), pool.submit(draw, step)
            losses.append(learner.step(*batch))
            if rank == 0 and (step % 50 == 0 or step == settings.steps):
                log.append([step, float(np.mean(losses)), time.monotonic() - begun])
                losses = []
            if rank == 0 and (step % settings.save_every == 0 or step == settings.steps):
                _save(learner, folder)
                _write_log(folder / "log.csv", log)
    if meeting:
        torch.distributed.destroy_process_group()


def _crops(scenes: dict[Path, float], settings: SeparationTraining) -> Any:
    """Make the source of crops."""
    from napari_sem_tools.training.data.crops import Crops, MixedCrops

    rng = np.random.default_rng(settings.seed)
    folders = [SceneFolder.mapped(folder) for folder in scenes]
    sources = [Crops(each, settings.crop_px, rng, letters=settings.letters) for each in folders]
    return MixedCrops(sources, list(scenes.values()))


def _learner(settings: SeparationTraining, widths: tuple[int, ...], start: Path | None) -> Learner:
    """Make the network and what changes it."""
    from safetensors.torch import load_file

    from napari_sem_tools.models.networks.folded_unet import FoldedUNet
    from napari_sem_tools.training.losses import separation_loss

    pace = Pace(
        rate=settings.learning_rate,
        steps=settings.steps,
        schedule=settings.schedule,
        weight_decay=settings.weight_decay,
        average=settings.average,
    )
    loss = functools.partial(separation_loss, touching=settings.touching)
    # on every processor alike, so that the same seed gives the same weights
    precision = "bf16" if settings.device == "cpu" else choose_precision(settings.device)
    network = FoldedUNet(widths)
    if start is not None:
        kept = load_file(start)
        network.load_state_dict({name: values.float() for name, values in kept.items()})
    return Learner(network, loss, pace, device=settings.device, precision=precision)


def _save(learner: Learner, folder: Path) -> None:
    """Write the checkpoint and the averaged weights, each whole or not at all."""
    save_checkpoint(folder / "checkpoint.pt", learner.state())
    write_file(folder / "weights.safetensors", learner.weights())


def _write_log(path: Path, rows: list[list[float]]) -> None:
    """Write the losses; rows of an earlier run are kept."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["step", "loss", "seconds"])
    first = rows[0][0] if rows else 0
    if path.exists():
        old = list(csv.reader(path.read_text().splitlines()))[1:]
        writer.writerows(row for row in old if float(row[0]) < first)
    writer.writerows([f"{value:.6g}" for value in row] for row in rows)
    write_text(path, text.getvalue())
