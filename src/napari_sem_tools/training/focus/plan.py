"""What a focus training will do: folder, scores and settings joined into one record."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings, InvalidTrainingSet, ModelNotFound, SemError
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel
from napari_sem_tools.models.store import Store
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled
from napari_sem_tools.training.data.splits import Split, split_by_group
from napari_sem_tools.training.data.tables import read_column, read_groups
from napari_sem_tools.training.focus.settings import FocusTraining

__all__ = ["FocusPlan", "JudgedPicture", "focus_outputs", "resolve"]

_CELL_PX = 16
_START = "focus"
_MAGNIFICATION = 10_000.0  # by which the paper divides
_WHEREVER = ("device", "threads", "precision")  # may differ when a training is resumed
_PIXEL = ("pixel_nm", "pixel_size_nm")
_SCORES = (0.0, 10.0)
_PAPERS = "resnet18-focus"


@dataclasses.dataclass(frozen=True, eq=False)
class JudgedPicture:
    """An image to learn from.

    Attributes
    ----------
    name : str
    grey : float32 array (Y, X)
        The field, 0 to 255 where the image has 8 bits.
    depth : float
        Largest value that the image can hold.
    score : float or None
        0 to 10; None: it is sharp, and is blurred on purpose.
    group : str
    pixel_nm, magnification : float or None
    digest : str
    """

    name: str
    grey: NDArray[np.float32]
    depth: float
    score: float | None
    group: str
    pixel_nm: float | None
    magnification: float | None
    digest: str


@dataclasses.dataclass(frozen=True)
class FocusPlan:
    """What will be done; the training obeys nothing else.

    Attributes
    ----------
    path : Path
    pictures : tuple of JudgedPicture
    truth : {"scores", "defocus"}
    split : Split
    settings : FocusTraining
    start : ModelCard or None
    architecture : str
    arguments : dict
    notes : tuple of str
    """

    path: Path
    pictures: tuple[JudgedPicture, ...]
    truth: str
    split: Split
    settings: FocusTraining
    start: ModelCard | None
    architecture: str
    arguments: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def papers(self) -> bool:
        """True for the network of the paper, which gives a score alone."""
        return self.architecture == _PAPERS

    @property
    def outputs(self) -> tuple[OutputChannel, ...]:
        """What the network gives."""
        return focus_outputs(self.papers)

    @property
    def input_spec(self) -> InputSpec:
        """What the network wants to see."""
        if self.papers:
            return InputSpec(channels=2, clip_low_percent=0, clip_high_percent=100,
                             normalisation="none")  # fmt: skip
        return InputSpec(channels=3, clip_low_percent=0, clip_high_percent=100,
                         normalisation="standard", multiple_of=_CELL_PX)  # fmt: skip

    def conditions(self, picture: JudgedPicture) -> NDArray[np.float32]:
        """Return the numbers that come with a picture."""
        if self.papers:
            return np.array([(picture.magnification or 0) / _MAGNIFICATION], np.float32)
        from napari_sem_tools.focus.network import conditions_of

        return conditions_of(picture.pixel_nm)

    def chosen(self, names: tuple[str, ...]) -> list[JudgedPicture]:
        """Return the pictures of these names."""
        wanted = set(names)
        return [picture for picture in self.pictures if picture.name in wanted]

    @property
    def identity(self) -> str:
        """Hash of all that decides what is learned: another one cannot be resumed."""
        wish = self.settings.to_dict()
        for name in _WHEREVER:
            wish.pop(name)
        parts = {
            "settings": wish,
            "images": [(p.name, p.digest, p.group, p.score) for p in self.pictures],
            "start": self.start.weights.sha256 if self.start else "",
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        """Say in a few lines what will be done."""
        wish = self.settings
        begin = f"going on from {self.start.key}" if self.start else "from nothing"
        lines = [
            f"focus by {self.truth} of {self.path.name}: {len(self.split.train)} images train, "
            f"{len(self.split.validation)} judge",
            f"{self.architecture} {begin}",
            f"{wish.epochs} epochs, {wish.batch} frames of {wish.rows} x {wish.columns} px a step",
            f"{wish.optimiser}, rate {wish.learning_rate:g} ({wish.schedule}), seed {wish.seed}",
        ]
        return "\n".join([*lines, *self.notes])


def focus_outputs(score_alone: bool = False) -> tuple[OutputChannel, ...]:
    """Return the planes of a network for focus, as cards list them.

    Parameters
    ----------
    score_alone : bool
        The network of the paper.

    Returns
    -------
    tuple of OutputChannel

    Examples
    --------
    >>> len(focus_outputs())
    26
    """
    if score_alone:
        return (OutputChannel("score", "0 to 10"),)
    names = ("ln blur", "astigmatism 1", "astigmatism 2", "ln SNR", "ln contrast", "score / 10")
    spreads = tuple(f"ln variance of {name}" for name in names)
    planes = (*names, *spreads, "information")
    cells = [
        OutputChannel(f"cell: {name}", "logit" if name == planes[-1] else "") for name in planes
    ]
    return (*cells, *(OutputChannel(f"image: {name}") for name in planes))


def resolve(
    folder: str | Path,
    settings: FocusTraining,
    store: Store,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> FocusPlan:
    """Join what is wished for with what is there.

    Parameters
    ----------
    folder : path-like
        Images, in it or in its folder ``images``; a CSV with the columns ``file`` (or
        ``image``, ``name``) and ``score``, and if you like ``group``, ``pixel_nm`` and
        ``magnification``.
    settings : FocusTraining
    store : Store
        Where the model lies that is gone on from.
    progress, cancel : callable, optional

    Returns
    -------
    FocusPlan

    Raises
    ------
    InvalidTrainingSet
        Files that cannot be read, scores that are none, no scores, too few groups.
    InvalidSettings, ModelNotFound
        Settings that do not go together, or no such model.
    """
    path = Path(folder)
    files = _files(path)
    scores = read_column(path, "score")
    truth = settings.truth
    if truth == "auto":
        truth = "defocus" if scores is None else "scores"
    if truth == "scores" and scores is None:
        raise InvalidTrainingSet(
            f"No CSV of {path} has the columns 'file' and 'score'.",
            hint="Write one row an image, or choose truth = defocus for sharp images.",
        )
    for edge in (settings.rows, settings.columns):
        if edge % _CELL_PX:
            raise InvalidSettings(f"A frame of {edge} px is no multiple of {_CELL_PX} px.")
    start, notes = _start(settings, store)
    wanted = _scores(scores or {}, files) if truth == "scores" else dict.fromkeys(files)
    pictures = _pictures(path, files, wanted, settings, progress, cancel)
    samples: Any = pictures  # a split asks for names and groups alone
    split = split_by_group(samples, share=settings.validation_share, seed=settings.seed)
    arguments = dict(start.arguments) if start else _arguments(settings)
    architecture = start.architecture if start else settings.architecture
    if architecture == _PAPERS and truth == "defocus":
        raise InvalidSettings("The network of the paper learns from scores, not from defocus.")
    return FocusPlan(path, pictures, truth, split, settings, start, architecture, arguments,
                     tuple(notes))  # fmt: skip


def _files(path: Path) -> dict[str, Path]:
    """List the images by the stem of their names."""
    place = path / "images" if (path / "images").is_dir() else path
    if not place.is_dir():
        raise InvalidTrainingSet(f"{path} is no folder.")
    skip = (".csv", ".json", ".md", ".txt")
    found = {
        file.stem: file
        for file in sorted(place.iterdir())
        if file.is_file() and not file.name.startswith(".") and file.suffix.lower() not in skip
    }
    if not found:
        raise InvalidTrainingSet(f"{place} has no images.")
    return found


def _scores(scores: dict[str, str], files: dict[str, Path]) -> dict[str, float | None]:
    """Read the scores; every one is to be a number from 0 to 10, of a file that is there."""
    found: dict[str, float | None] = {}
    for name, word in scores.items():
        try:
            value = float(word.replace(",", "."))
        except ValueError:
            value = float("nan")
        if not _SCORES[0] <= value <= _SCORES[1]:
            raise InvalidTrainingSet(f"The score of {name} is {word!r}, not a number from 0 to 10.")
        if name not in files:
            raise InvalidTrainingSet(f"The CSV names {name}, but there is no such image.")
        found[name] = value
    return found


def _pictures(
    path: Path,
    files: dict[str, Path],
    scores: dict[str, float | None],
    settings: FocusTraining,
    progress: Progress | None,
    cancel: Cancel | None,
) -> tuple[JudgedPicture, ...]:
    """Read the images that have a score, or all."""
    from napari_sem_tools.focus.measures.picture import picture_of

    groups = read_groups(path, settings.group_by, sorted(scores))
    columns = [read_column(path, name) for name in _PIXEL]
    pixels = next((column for column in columns if column), {})
    magnifications = read_column(path, "magnification") or {}
    found = []
    for number, name in enumerate(sorted(scores)):
        stop_if_cancelled(cancel)
        report(progress, number, len(scores), "reading the images")
        try:
            picture = picture_of(files[name])
        except SemError as error:
            raise InvalidTrainingSet(f"{files[name].name}: {error.message}") from error
        found.append(
            JudgedPicture(
                name,
                picture.grey,
                picture.depth or float(picture.grey.max()) or 1.0,
                scores[name],
                groups[name],
                _number(pixels.get(name)) or picture.pixel_size,
                _number(magnifications.get(name)),
                hashlib.sha256(np.ascontiguousarray(picture.grey).tobytes()).hexdigest(),
            )
        )
    return tuple(found)


def _number(word: str | None) -> float | None:
    """Read a positive number where there is one."""
    try:
        value = float(word or "")
    except ValueError:
        return None
    return value if value > 0 else None


def _start(settings: FocusTraining, store: Store) -> tuple[ModelCard | None, list[str]]:
    """Find the model that is gone on from."""
    if settings.start in ("none", ""):
        return None, []
    name = _START if settings.start == "auto" else settings.start
    try:
        card = store.find(name).card
    except ModelNotFound:
        if settings.start != "auto":
            raise
        return None, ["No focus model is installed, so the network begins from nothing."]
    if card.task != "focus":
        raise InvalidSettings(f"{card.key} is a model for {card.task}, not for focus.")
    return card, [f"Going on from {card.key}."]


def _arguments(settings: FocusTraining) -> dict[str, Any]:
    """Read the arguments of the network."""
    try:
        read = json.loads(settings.arguments or "{}")
    except ValueError as error:
        raise InvalidSettings(f"arguments = {settings.arguments!r} is no JSON.") from error
    if not isinstance(read, dict):
        raise InvalidSettings('arguments are to be a JSON object such as {"hidden": 64}.')
    return read
