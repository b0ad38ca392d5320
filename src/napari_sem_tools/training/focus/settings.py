"""What a user may choose about the training of a network for focus."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from napari_sem_tools.settings import Settings, described

__all__ = ["FocusTraining"]


@dataclasses.dataclass(frozen=True)
class FocusTraining(Settings):
    """How a network for focus is trained on a folder; the defaults fine-tune `focus`.

    Raises
    ------
    InvalidSettings
        A value is out of its range; the message gives the range.

    Examples
    --------
    >>> FocusTraining(epochs=5).truth
    'auto'
    """

    truth: Annotated[
        Literal["auto", "scores", "defocus"],
        described(
            "scores: a CSV of the folder has a score of each image; defocus: images are sharp, "
            "and are blurred by a known amount; auto: scores where there is such a column"
        ),
    ] = "auto"
    start: Annotated[
        str, described("Model to go on from; auto: focus where it is installed; none: from nothing")
    ] = "auto"
    architecture: Annotated[
        str, described("Network, where none is gone on from: focus-fcn or resnet18-focus")
    ] = "focus-fcn"
    arguments: Annotated[str, described("Arguments of the network as JSON")] = ""
    epochs: Annotated[int, described("Times that all images are seen", min=1, max=100_000)] = 20
    steps_per_epoch: Annotated[
        int, described("Steps of an epoch; 0: as many as there are images", min=0, max=10**6)
    ] = 0
    batch: Annotated[int, described("Frames a step", min=1, max=1024)] = 8
    rows: Annotated[int, described("Height of a frame", min=32, max=4096, step=16)] = 240
    columns: Annotated[int, described("Width of a frame", min=32, max=4096, step=16)] = 320
    flips: Annotated[bool, described("Mirror frames at random")] = True
    empty: Annotated[
        float, described("Share of black, white and noise frames, with score 0", min=0, max=0.9)
    ] = 0.05
    optimiser: Annotated[Literal["adamw", "adam", "sgd"], described("Optimiser")] = "adamw"
    learning_rate: Annotated[float, described("Largest rate", min=1e-7, max=1.0, step=1e-7)] = 3e-4
    weight_decay: Annotated[float, described("Of AdamW", min=0.0, max=1.0, step=1e-6)] = 0.02
    schedule: Annotated[
        Literal["one-cycle", "cosine", "plateau", "constant"], described("How the rate changes")
    ] = "one-cycle"
    average: Annotated[
        float, described("Decay of the averaged weights; 0: none", min=0, max=0.99999, step=1e-5)
    ] = 0.99
    clip_norm: Annotated[
        float, described("Largest norm of the gradient; 0: any", min=0, max=1000)
    ] = 1.0
    validation_share: Annotated[
        float, described("Share of the groups that judges", min=0, max=0.9, step=0.05)
    ] = 0.2
    group_by: Annotated[
        str, described("Column of the CSV or pattern that says which images belong together")
    ] = ""
    judge_by: Annotated[
        Literal["rmse", "mae", "last"], described("What keeps the best epoch; last: none does")
    ] = "rmse"
    patience: Annotated[
        int, described("Epochs without gain until it stops; 0: never", min=0, max=100_000)
    ] = 0
    seed: Annotated[int, described("Of weights, split and frames", min=0, max=2**31)] = 0
    device: Annotated[Literal["auto", "cuda", "mps", "cpu"], described("Where it runs")] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], described("Precision; auto: as the device can")
    ] = "auto"
    threads: Annotated[int, described("Processor threads; 0: as PyTorch does", min=0, max=256)] = 0
