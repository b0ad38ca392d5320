"""What a training will do: settings, folder and start joined into one printable record."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from napari_sem_tools.errors import InvalidSettings, InvalidTrainingSet, ModelNotFound
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel, OutputClass
from napari_sem_tools.models.store import Store
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.training.data.folder import CheckedFolder, Sample, Targets, check_folder
from napari_sem_tools.training.data.splits import Split, split_by_column, split_by_group
from napari_sem_tools.training.data.tables import ClassRow, read_column
from napari_sem_tools.training.settings import TrainingSettings

__all__ = ["TrainingPlan", "resolve"]

_STARTS = ("particles",)
_TILE_PX, _HALO_PX = 1024, 96
_PARTICLES = (
    OutputChannel("foreground", "the pixel belongs to a particle", "sigmoid"),
    OutputChannel("border", "the pixel lies on an outline, on either side of it", "sigmoid"),
    OutputChannel("distance", "depth in the particle over its largest depth", "sigmoid"),
)
_WHEREVER = ("device", "threads", "precision")  # may differ when a training is resumed


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """What will be done; the training obeys nothing else.

    Attributes
    ----------
    folder : CheckedFolder
    split : Split
        Who learns and who judges; drawn anew where the settings say so.
    settings : TrainingSettings
    start : ModelCard or None
        What is gone on from.
    architecture : str
    arguments : dict
    classes : tuple of ClassRow
        Empty for instances.
    object_size_px : float
        Diameter that images are resampled to; 0: they are not.
    notes : tuple of str
        What wants to be said aloud.
    """

    folder: CheckedFolder
    split: Split
    settings: TrainingSettings
    start: ModelCard | None
    architecture: str
    arguments: dict[str, Any]
    classes: tuple[ClassRow, ...]
    object_size_px: float
    notes: tuple[str, ...] = ()

    @property
    def instances(self) -> bool:
        """True when single particles are learned."""
        return self.settings.targets == "instances"

    @property
    def outputs(self) -> tuple[OutputChannel, ...]:
        """Maps that the network gives."""
        if self.instances:
            return _PARTICLES
        names = [row.name for row in self.classes]
        if len(names) == 1:
            return (OutputChannel("foreground", f"the pixel is {names[0]}", "sigmoid"),)
        shown = ["background", *names]
        return tuple(OutputChannel(n, f"the pixel is {n}", "softmax") for n in shown)

    @property
    def output_classes(self) -> tuple[OutputClass, ...]:
        """Classes as the card lists them."""
        return tuple(OutputClass(row.name, row.colour) for row in self.classes)

    def input_spec(self, multiple: int, object_size_px: float | None = None) -> InputSpec:
        """Return what the network wants to see.

        Parameters
        ----------
        multiple : int
            Edges of a tile are a multiple of it.
        object_size_px : float, optional
            Median diameter of the particles that it learned from.

        Returns
        -------
        InputSpec
        """
        tile = -(-_TILE_PX // multiple) * multiple
        return InputSpec(
            clip_low_percent=self.settings.clip_low_percent,
            clip_high_percent=self.settings.clip_high_percent,
            object_size_px=object_size_px,
            tile_px=tile,
            halo_px=_HALO_PX,
            multiple_of=multiple,
        )

    def samples(self, names: tuple[str, ...]) -> list[Sample]:
        """Return the samples of these names."""
        chosen = set(names)
        return [sample for sample in self.folder.samples if sample.name in chosen]

    @property
    def identity(self) -> str:
        """Hash of all that decides what is learned: another one cannot be resumed."""
        wish = self.settings.to_dict()
        for name in _WHEREVER:
            wish.pop(name)
        parts = {
            "settings": wish,
            "images": [(s.name, s.digest, s.group, s.mask_digest) for s in self.folder.samples],
            "start": self.start.weights.sha256 if self.start else "",
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        """Say in a few lines what will be done."""
        wish = self.settings
        begin = f"going on from {self.start.key}" if self.start else "from nothing"
        size = (
            f"images are resampled to particles of {self.object_size_px:.0f} px"
            if self.object_size_px
            else "images keep their size"
        )
        lines = [
            f"{wish.targets} of {self.folder.path.name}: {len(self.split.train)} images train, "
            f"{len(self.split.validation)} judge, of {len(self.folder.groups)} groups",
            f"{self.architecture} {begin}, frozen: {wish.freeze}",
            f"{wish.epochs} epochs, {wish.batch} crops of {wish.crop_px} px a step, "
            f"augmentation {wish.augmentation}, {size}",
            f"{wish.optimiser}, rate {wish.learning_rate:g} ({wish.schedule}), seed {wish.seed}",
        ]
        return "\n".join([*lines, *self.notes])


def resolve(
    folder: str | Path,
    settings: TrainingSettings,
    store: Store,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> TrainingPlan:
    """Join what is wished for with what is there.

    Parameters
    ----------
    folder : path-like
    settings : TrainingSettings
    store : Store
        Where the model lies that is gone on from.
    progress, cancel : callable, optional

    Returns
    -------
    TrainingPlan

    Raises
    ------
    InvalidTrainingSet
        Bad files, or nothing can be kept back to judge.
    InvalidSettings, ModelNotFound
        Settings that do not go together, or no such model.
    """
    kind: Targets = "classes" if settings.targets == "classes" else "instances"
    checked = check_folder(
        folder,
        targets=kind,
        group_by=settings.group_by,
        allow_empty=settings.allow_empty,
        progress=progress,
        cancel=cancel,
    ).require_good()
    start, notes = _start(settings, store)
    if settings.targets == "foreground":
        checked = dataclasses.replace(checked, classes=(ClassRow(1, "foreground"),))
    size = settings.object_size_px
    if size is None:
        size = (start.input.object_size_px or 0.0) if start and kind == "instances" else 0.0
    if start is not None:  # it has learned grey values as its card says
        settings = settings.replace(
            clip_low_percent=start.input.clip_low_percent,
            clip_high_percent=start.input.clip_high_percent,
        )
    if settings.split == "each epoch":
        notes.append(
            "Who judges is drawn anew for each epoch, so those images were learned from in "
            "others: the scores say little about new images."
        )
    split = _split(checked, settings)
    shared = sorted(_groups(checked, split.train) & _groups(checked, split.validation))
    if shared:  # only a split by column can do it
        notes.append(
            f"The column {settings.split_by} has images of {', '.join(shared[:5])} on both sides: "
            "the scores say little about new specimens."
        )
    return TrainingPlan(
        folder=checked,
        split=split,
        settings=settings,
        start=start,
        architecture=start.architecture if start else settings.architecture,
        arguments=dict(start.arguments) if start else _arguments(settings),
        classes=checked.classes,
        object_size_px=float(size),
        notes=(*checked.notes, *notes),
    )


def _start(settings: TrainingSettings, store: Store) -> tuple[ModelCard | None, list[str]]:
    """Find the model that is gone on from."""
    if settings.start in ("none", ""):
        if settings.freeze != "nothing":
            raise InvalidSettings(
                f"freeze = {settings.freeze!r} needs a model to go on from.",
                hint="Name one as start, or set freeze to nothing.",
            )
        return None, []
    names = _STARTS if settings.start == "auto" else (settings.start,)
    for name in names:
        try:
            card = store.find(name).card
        except ModelNotFound:
            if settings.start != "auto":
                raise
            continue
        if card.task != "segmentation":
            raise InvalidSettings(f"{card.key} is a model for {card.task}, not for segmentation.")
        said = [f"Going on from {card.key}."] if settings.start == "auto" else []
        return card, said
    return None, ["No particles model is installed, so the network begins from nothing."]


def _split(checked: CheckedFolder, settings: TrainingSettings) -> Split:
    """Decide who judges."""
    if not settings.split_by:
        return split_by_group(checked.samples, share=settings.validation_share, seed=settings.seed)
    column = read_column(checked.path, settings.split_by)
    if column is None:
        raise InvalidTrainingSet(
            f"No CSV of {checked.path} has a column {settings.split_by!r}.",
            hint="Write it into images.csv: name, and the words train and val.",
        )
    return split_by_column(checked.samples, column)


def _groups(checked: CheckedFolder, names: tuple[str, ...]) -> set[str]:
    """Return the groups of some images."""
    chosen = set(names)
    return {sample.group for sample in checked.samples if sample.name in chosen}


def _arguments(settings: TrainingSettings) -> dict[str, Any]:
    """Read the arguments of the network."""
    try:
        read = json.loads(settings.arguments or "{}")
    except ValueError as error:
        raise InvalidSettings(f"arguments = {settings.arguments!r} is no JSON.") from error
    if not isinstance(read, dict):
        raise InvalidSettings('arguments are to be a JSON object such as {"widths": [16, 32]}.')
    if settings.architecture.startswith("timm:"):
        read.setdefault("task", "segmentation")
    return read
