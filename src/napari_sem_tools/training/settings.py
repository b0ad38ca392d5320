"""What a user may choose about a training."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from napari_sem_tools.settings import Settings, described

__all__ = ["TrainingSettings"]


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Settings):
    """How a segmentation network is trained on a folder; the defaults fine-tune `particles`.

    Raises
    ------
    InvalidSettings
        A value is out of its range; the message gives the range.

    Examples
    --------
    >>> TrainingSettings(epochs=5).augmentation
    'sem'
    """

    targets: Annotated[
        Literal["instances", "foreground", "classes"],
        described("What is learned: single particles, particle or not, or classes"),
    ] = "instances"
    start: Annotated[
        str,
        described("Model to go on from; auto: particles where it is installed; none: from nothing"),
    ] = "auto"
    architecture: Annotated[
        str, described("Network, where none is gone on from: a row of the table of networks")
    ] = "folded-unet"
    arguments: Annotated[
        str, described('Arguments of the network as JSON, e.g. {"widths": [16, 32, 64]}')
    ] = ""
    freeze: Annotated[
        Literal["nothing", "stages", "encoder", "all but head"],
        described("Layers that stay as they are in the model that is gone on from"),
    ] = "nothing"
    frozen_stages: Annotated[
        int, described("How many stages of the encoder, for freeze = stages", min=0, max=32)
    ] = 2
    object_size_px: Annotated[
        float | None,
        described(
            "Images are resampled so that their median particle has this diameter; 0: never; "
            "none: as the model that is gone on from wants it",
            min=0,
            max=1000,
        ),
    ] = None
    clip_low_percent: Annotated[
        float, described("Percentile of the image that becomes 0", min=0, max=49)
    ] = 1.0
    clip_high_percent: Annotated[
        float, described("Percentile of the image that becomes 1", min=51, max=100)
    ] = 99.0
    epochs: Annotated[int, described("Times that all images are seen", min=1, max=100_000)] = 40
    steps_per_epoch: Annotated[
        int, described("Steps of an epoch; 0: as many as the images have crops", min=0, max=10**6)
    ] = 0
    batch: Annotated[int, described("Crops a step", min=1, max=1024)] = 4
    crop_px: Annotated[int, described("Side of a crop", min=32, max=4096, step=32)] = 256
    foreground: Annotated[
        float, described("Share of crops with a particle or class in the middle", min=0, max=1)
    ] = 0.7
    augmentation: Annotated[
        Literal["none", "flips", "R", "D", "Z", "RDZ", "sem", "RDZ+sem"],
        described("How crops are changed each time"),
    ] = "sem"
    loss: Annotated[
        Literal["auto", "bce", "weighted bce", "dice", "bce+dice", "focal", "boundary"],
        described("What is punished in maps of classes; auto: bce+dice"),
    ] = "auto"
    touching: Annotated[
        float, described("Extra weight between touching particles", min=0, max=50)
    ] = 0.0
    optimiser: Annotated[Literal["adamw", "adam"], described("Optimiser")] = "adamw"
    learning_rate: Annotated[float, described("Largest rate", min=1e-7, max=1.0, step=1e-7)] = 1e-3
    weight_decay: Annotated[float, described("Of AdamW", min=0.0, max=1.0, step=1e-6)] = 0.02
    schedule: Annotated[
        Literal["one-cycle", "cosine", "constant", "halving"],
        described("How the rate changes; halving: every 10 epochs"),
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
        str, described("Column of images.csv or pattern that says which images belong together")
    ] = ""
    split_by: Annotated[str, described("Column with the words train and val, instead")] = ""
    split: Annotated[
        Literal["once", "each epoch"],
        described("Draw who judges once, or anew for each epoch (then it has been seen before)"),
    ] = "once"
    judge_by: Annotated[
        Literal["auto", "pq", "ap50", "aji", "mean_iou", "mean_dice"],
        described("Score that keeps the best; auto: pq, or mean_iou for classes"),
    ] = "auto"
    patience: Annotated[
        int, described("Epochs without gain until it stops; 0: never", min=0, max=100_000)
    ] = 0
    allow_empty: Annotated[bool, described("Take images without anything marked")] = False
    seed: Annotated[int, described("Of weights, split and crops", min=0, max=2**31)] = 0
    device: Annotated[Literal["auto", "cuda", "mps", "cpu"], described("Where it runs")] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], described("Precision; auto: as the device can")
    ] = "auto"
    threads: Annotated[int, described("Processor threads; 0: as PyTorch does", min=0, max=256)] = 0
