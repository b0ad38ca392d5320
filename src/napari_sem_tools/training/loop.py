"""The training loop: seeded, resumable after a crash, one or several processes."""

from __future__ import annotations

import copy
import csv
import dataclasses
import io
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from napari_sem_tools.files import write_file, write_text
from napari_sem_tools.settings import Settings, described

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
    learning_rate: Annotated[float, described("Peak of the one-cycle", min=1e-6, max=1.0)] = 3e-3
    weight_decay: Annotated[float, described("AdamW", min=0.0, max=1.0)] = 0.02
    touching: Annotated[float, described("Weight between touching particles", min=0, max=50)] = 3.0
    letters: Annotated[float, described("Share of crops with letters", min=0.0, max=1.0)] = 0.4
    average: Annotated[float, described("Decay of the averaged weights", min=0, max=1)] = 0.998
    seed: Annotated[int, described("Seed of weights and crops", min=0, max=2**31)] = 5
    processes: Annotated[int, described("Processes that share a step", min=1, max=64)] = 2
    threads: Annotated[int, described("Threads of a process", min=1, max=256)] = 1
    save_every: Annotated[int, described("Steps between checkpoints", min=1, max=10**6)] = 200


def train_separation(
    scenes: Path, folder: Path, *, settings: SeparationTraining, widths: tuple[int, ...]
) -> Path:
    """Train on rendered scenes; go on from the checkpoint in the folder if there is one.

    Parameters
    ----------
    scenes : Path
        Folder of rendered scenes.
    folder : Path
        For ``checkpoint.pt``, ``weights.safetensors`` (averaged) and ``log.csv``.
    settings : SeparationTraining
    widths : tuple of int
        Channels of the levels of the network.

    Returns
    -------
    Path
        The averaged weights.
    """
    import torch.multiprocessing as mp

    folder.mkdir(parents=True, exist_ok=True)
    arguments = (scenes, folder, settings, widths)
    if settings.processes == 1:
        _train(0, *arguments, "")
    else:
        meeting = os.path.join(tempfile.mkdtemp(), "meeting")
        mp.spawn(_train, (*arguments, meeting), settings.processes)
    return folder / "weights.safetensors"


def _train(
    rank: int,
    scenes: Path,
    folder: Path,
    settings: SeparationTraining,
    widths: tuple[int, ...],
    meeting: str,
) -> None:
    """Run one process; the gradients of all are averaged."""
    import torch

    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    state = _State(settings, widths)
    start = state.resume(folder / "checkpoint.pt")
    model: Any = state.network
    if meeting:
        torch.distributed.init_process_group(
            "gloo", f"file://{meeting}", rank=rank, world_size=settings.processes
        )
        model = torch.nn.parallel.DistributedDataParallel(
            state.network, gradient_as_bucket_view=True
        )
    crops = _crops(scenes, settings, rank, start)
    log: list[list[float]] = []
    begun, losses = time.monotonic(), []
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(crops.batch, settings.batch)
        for step in range(start + 1, settings.steps + 1):
            batch, coming = coming.result(), pool.submit(crops.batch, settings.batch)
            losses.append(state.step(model, batch, step))
            if rank == 0 and (step % 50 == 0 or step == settings.steps):
                log.append([step, float(np.mean(losses)), time.monotonic() - begun])
                losses = []
            if rank == 0 and (step % settings.save_every == 0 or step == settings.steps):
                state.save(folder, step)
                _write_log(folder / "log.csv", log)
    if meeting:
        torch.distributed.destroy_process_group()


def _crops(scenes: Path, settings: SeparationTraining, rank: int, start: int) -> Any:
    """Make the source of crops; after a resume other crops are drawn than at the start."""
    from napari_sem_tools.training.crops import Crops
    from napari_sem_tools.training.scenes import SceneFolder

    loaded = SceneFolder.load(scenes)
    loaded = dataclasses.replace(loaded, labels=loaded.labels[:0])  # not needed: frees memory
    rng = np.random.default_rng((settings.seed, rank, start))
    return Crops(loaded, settings.crop_px, rng, letters=settings.letters)


class _State:
    """Network, averaged network, optimiser and schedule of one process."""

    def __init__(self, settings: SeparationTraining, widths: tuple[int, ...]) -> None:
        import torch

        from napari_sem_tools.models.networks.folded_unet import FoldedUNet

        self.settings = settings
        self.network = FoldedUNet(widths).to(memory_format=torch.channels_last).train()
        self.averaged = copy.deepcopy(self.network).eval()
        rate = settings.learning_rate
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=rate, weight_decay=settings.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, rate, total_steps=settings.steps + 1, pct_start=0.1
        )

    def step(self, model: Any, batch: Any, step: int) -> float:
        """Learn one batch; return its loss."""
        import torch

        from napari_sem_tools.training.losses import separation_loss

        images, targets = (torch.from_numpy(part) for part in batch)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(images)
        loss = separation_loss(logits, targets, touching=self.settings.touching)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self._average(step)
        return float(loss.detach())

    def _average(self, step: int) -> None:
        """Follow the weights slowly; the mean of late weights generalises better."""
        import torch

        keep = min(self.settings.average, 1 - 1 / (step / 5 + 1))
        with torch.no_grad():
            pairs = zip(
                self.averaged.state_dict().values(),
                self.network.state_dict().values(),
                strict=True,
            )
            for slow, fast in pairs:
                if slow.dtype.is_floating_point:
                    slow.lerp_(fast, 1 - keep)
                else:
                    slow.copy_(fast)

    def save(self, folder: Path, step: int) -> None:
        """Write the checkpoint and the averaged weights, each whole or not at all."""
        import torch
        from safetensors.torch import save

        parts = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
            "step": step,
        }
        buffer = io.BytesIO()
        torch.save(parts, buffer)
        write_file(folder / "checkpoint.pt", buffer.getvalue())
        weights = {k: v.contiguous() for k, v in self.averaged.state_dict().items()}
        write_file(folder / "weights.safetensors", save(weights, {"step": str(step)}))

    def resume(self, checkpoint: Path) -> int:
        """Go on from a checkpoint if there is one; return the steps already done."""
        import torch

        if not checkpoint.exists():
            return 0
        parts = torch.load(checkpoint, weights_only=True)
        self.network.load_state_dict(parts["network"])
        self.averaged.load_state_dict(parts["averaged"])
        self.optimiser.load_state_dict(parts["optimiser"])
        self.schedule.last_epoch = parts["schedule"]["last_epoch"]
        return int(parts["step"])


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
