"""What a user may choose about a training of categories."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from napari_sem_tools.settings import Settings, described

__all__ = ["ClassificationTraining"]


@dataclasses.dataclass(frozen=True)
class ClassificationTraining(Settings):
    """How a network for categories is trained on a folder; by default without any extra.

    Raises
    ------
    InvalidSettings
        A value is out of its range; the message gives the range.

    Examples
    --------
    >>> ClassificationTraining(epochs=5).network
    'resnet18-small'
    """

    network: Annotated[
        str, described("Network: a row of the table of networks for images, or timm:NAME")
    ] = "resnet18-small"
    start: Annotated[
        str, described("Trained model of the registry to go on from; none: from the network")
    ] = "none"
    weights: Annotated[
        str, described("Weights to begin with: a file, or an address with its SHA-256; none")
    ] = "none"
    weights_sha256: Annotated[str, described("SHA-256 of the file of weights")] = ""
    weights_licence: Annotated[
        str, described("Licence of these weights (SPDX); by default that of their authors")
    ] = ""
    accept_licence: Annotated[
        str, described("Licence that you have read and accept, where it is not a free one")
    ] = ""
    rows: Annotated[int, described("Rows of the picture that is looked at", min=16, max=4096)] = 224
    columns: Annotated[
        int, described("Columns of the picture that is looked at", min=16, max=4096)
    ] = 288
    fit: Annotated[
        Literal["middle", "whole"],
        described("middle: the aspect stays and the rest is cut off; whole: squeezed"),
    ] = "middle"
    strip: Annotated[
        Literal["out", "in"], described("Whether data bars and burnt-in letters are left out")
    ] = "out"
    leave_out: Annotated[str, described("Categories to leave out, with commas between")] = ""
    freeze: Annotated[
        Literal["nothing", "all but head", "all but last stages", "paper-15-30", "progressive"],
        described("Layers that stay; progressive: from the head on they are let go one by one"),
    ] = "nothing"
    trained_stages: Annotated[
        int, described("Stages that learn, for all but last stages", min=1, max=64)
    ] = 1
    head_epochs: Annotated[
        int, described("Epochs at first in which the head alone learns", min=0, max=100_000)
    ] = 0
    head_rate: Annotated[
        float, described("Rate of the head over that of the rest", min=0.01, max=1000)
    ] = 1.0
    layer_decay: Annotated[
        float, described("Rate of a stage over that of the next one", min=0.01, max=1)
    ] = 1.0
    epochs: Annotated[int, described("Times that all images are seen", min=1, max=100_000)] = 40
    steps_per_epoch: Annotated[
        int, described("Steps of an epoch; 0: until all images are seen", min=0, max=10**6)
    ] = 0
    batch: Annotated[int, described("Images a step", min=1, max=4096)] = 32
    rotation_degrees: Annotated[float, described("Largest rotation", min=0, max=180)] = 10.0
    shift: Annotated[float, described("Largest shift, as a share", min=0, max=0.5)] = 0.05
    shear_degrees: Annotated[float, described("Largest shear", min=0, max=60)] = 0.0
    zoom: Annotated[float, described("Largest zoom in or out, as a share", min=0, max=0.9)] = 0.2
    flips: Annotated[
        Literal["none", "sideways", "all"], described("Mirror images: sideways alone, or all")
    ] = "all"
    noise: Annotated[
        Literal["none", "sem"], described("Grey curve, spot, dose and the like are changed")
    ] = "sem"
    mixup: Annotated[
        float, described("Images are mixed: parameter of the beta law; 0: never", min=0, max=10)
    ] = 0.0
    cutmix: Annotated[
        float, described("Boxes of others are put in: the same; 0: never", min=0, max=10)
    ] = 0.0
    balance: Annotated[
        Literal["images", "root", "categories"],
        described("Drawn equally often: images, categories, or between the two"),
    ] = "root"
    label_smoothing: Annotated[
        float, described("Probability that is spread over all categories", min=0, max=0.5)
    ] = 0.05
    dropout: Annotated[float, described("Share withheld from the head", min=0, max=0.9)] = 0.0
    optimiser: Annotated[Literal["adamw", "adam", "sgd", "rmsprop"], described("Optimiser")] = (
        "adamw"
    )
    learning_rate: Annotated[float, described("Largest rate", min=1e-7, max=1.0, step=1e-7)] = 1e-3
    weight_decay: Annotated[float, described("Of AdamW", min=0.0, max=1.0, step=1e-6)] = 0.02
    schedule: Annotated[
        Literal["one-cycle", "cosine", "constant", "plateau"], described("How the rate changes")
    ] = "one-cycle"
    average: Annotated[
        float, described("Decay of the averaged weights; 0: none", min=0, max=0.99999, step=1e-5)
    ] = 0.99
    clip_norm: Annotated[
        float, described("Largest norm of the gradient; 0: any", min=0, max=1000)
    ] = 1.0
    split: Annotated[
        Literal["80/20", "70/20/10", "k-fold", "column"],
        described("Shares that train, judge and test; or folds; or a column of the CSV"),
    ] = "80/20"
    split_by: Annotated[str, described("Column with train, val and test, for column")] = "part"
    folds: Annotated[int, described("Number of folds, for k-fold", min=2, max=100)] = 5
    fold: Annotated[int, described("Fold that judges, from 0 on", min=0, max=99)] = 0
    duplicates: Annotated[
        float,
        described(
            "Correlation from which two images are near-duplicates and stay together; 0: none",
            min=0,
            max=1,
        ),
    ] = 0.6
    missed: Annotated[
        float, described("Share of images whose set may lack the right category", min=0.01, max=0.5)
    ] = 0.1
    near_percent: Annotated[
        float, described("Share of images kept back that shall count as known, %", min=50, max=100)
    ] = 95.0
    judge_by: Annotated[
        Literal["macro_f1", "accuracy", "loss", "last"], described("Score that keeps the best")
    ] = "macro_f1"
    patience: Annotated[
        int, described("Epochs without gain until it stops; 0: never", min=0, max=100_000)
    ] = 0
    seed: Annotated[int, described("Of weights, split and batches", min=0, max=2**31)] = 0
    device: Annotated[Literal["auto", "cuda", "mps", "cpu"], described("Where it runs")] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], described("Precision; auto: as the device can")
    ] = "auto"
    threads: Annotated[int, described("Processor threads; 0: as PyTorch does", min=0, max=256)] = 0
