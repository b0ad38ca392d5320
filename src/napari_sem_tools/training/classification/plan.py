"""What a training of categories will do: set, split and settings joined into one record."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.look import Look
from napari_sem_tools.errors import InvalidSettings, InvalidTrainingSet
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel, OutputClass
from napari_sem_tools.models.image_networks import ImageNetwork, image_network
from napari_sem_tools.models.licences import require_accepted
from napari_sem_tools.models.store import Store
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.training.classification.duplicates import (
    Duplicates,
    find_duplicates,
    joined_groups,
)
from napari_sem_tools.training.classification.listing import list_images
from napari_sem_tools.training.classification.looking import LookedAt, look_at_all
from napari_sem_tools.training.classification.parts import (
    PARTS,
    SHARES,
    divide,
    fold_parts,
    parts_by_word,
)
from napari_sem_tools.training.classification.settings import ClassificationTraining

__all__ = ["ClassificationPlan", "Leak", "resolve", "weights_licence"]

_WHEREVER: Final = ("device", "threads", "precision")  # may differ when a training is resumed
_COLOURS: Final = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2",
                   "#7f7f7f", "#bcbd22", "#17becf")  # fmt: skip
_UNKNOWN: Final = "LicenseRef-unknown"
_NAMED: Final = 5
_FEW_GROUPS: Final = 10

Numbers = NDArray[np.intp]


@dataclasses.dataclass(frozen=True)
class Leak:
    """How much a split by single images would have given away.

    Attributes
    ----------
    pairs : int
        Of near-duplicates in the set.
    groups, largest : int
        Of images that belong together: how many, and the size of the largest.
    random_pairs : int
        That a random split of the same shares would have put on both sides.
    random_share : float
        Of its judging images, those with a near-duplicate in training.
    pairs_across : int
        That this split puts on both sides.
    """

    pairs: int
    groups: int
    largest: int
    random_pairs: int
    random_share: float
    pairs_across: int

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"{self.pairs} pairs of near-duplicates, {self.groups} groups, the largest of "
            f"{self.largest} images; a random split would have put {self.random_pairs} pairs on "
            f"both sides ({self.random_share:.1%} of its judging images), this one "
            f"{self.pairs_across}"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class ClassificationPlan:
    """What will be done; the training obeys nothing else.

    Attributes
    ----------
    path : Path
    seen : LookedAt
    names : tuple of str
        Of the categories.
    labels, groups, part : int array (N,)
        Category, group and part (see `parts.PARTS`; -1: left out) of each image.
    settings : ClassificationTraining
    network : ImageNetwork
    look : Look
    start : ModelCard or None
    leak : Leak
    notes : tuple of str
    """

    path: Path
    seen: LookedAt
    names: tuple[str, ...]
    labels: Numbers
    groups: Numbers
    part: Numbers
    settings: ClassificationTraining
    network: ImageNetwork
    look: Look
    start: ModelCard | None
    leak: Leak
    notes: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[OutputChannel, ...]:
        """What the network gives, as the card lists it; the embedding comes behind."""
        return tuple(
            OutputChannel(name, f"probability of {name}", "softmax") for name in self.names
        )

    @property
    def classes(self) -> tuple[OutputClass, ...]:
        """The categories with their colours."""
        return tuple(
            OutputClass(name, _COLOURS[number % len(_COLOURS)])
            for number, name in enumerate(self.names)
        )

    @property
    def input_spec(self) -> InputSpec:
        """What the network wants to see."""
        return InputSpec(
            channels=1,
            clip_low_percent=self.look.clip_low_percent,
            clip_high_percent=self.look.clip_high_percent,
        )

    def of_part(self, *parts: int) -> Numbers:
        """Return which images belong to some parts."""
        return np.flatnonzero(np.isin(self.part, parts))

    @property
    def judged_by(self) -> int:
        """Number of the part that the scores of the card are from."""
        return 2 if (self.part == 2).any() else 1

    @property
    def identity(self) -> str:
        """Hash of all that decides what is learned: another one cannot be resumed."""
        wish = self.settings.to_dict()
        for name in _WHEREVER:
            wish.pop(name)
        wish.pop("accept_licence")
        told = zip(
            (one.name for one in self.seen.images),
            self.seen.digests,
            (self.names[label] for label in self.labels),
            self.part.tolist(),
            strict=True,
        )
        parts = {
            "settings": wish,
            "images": [list(one) for one in told],
            "start": self.start.weights.sha256 if self.start else "",
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        """Say in a few lines what will be done."""
        wish = self.settings
        begin = f"from {wish.weights}" if wish.weights not in ("", "none") else "from nothing"
        begin = f"going on from {self.start.key}" if self.start else begin
        counts = np.bincount(self.labels[self.part >= 0], minlength=len(self.names))
        listed = ", ".join(f"{name} {n}" for name, n in zip(self.names, counts, strict=True))
        sizes = np.bincount(self.part[self.part >= 0], minlength=len(PARTS))
        lines = [
            f"{len(self.names)} categories of {self.path.resolve().name}: {listed}",
            f"{sizes[0]} images train, {sizes[1]} judge, {sizes[2]} test ({wish.split})",
            str(self.leak),
            f"{self.network.name} {begin}, {self.look.rows} x {self.look.columns} px, frozen: "
            f"{wish.freeze}",
            f"{wish.epochs} epochs, {wish.batch} images a step, {wish.optimiser}, rate "
            f"{wish.learning_rate:g} ({wish.schedule}), seed {wish.seed}",
        ]
        return "\n".join([*lines, *self.notes])


def resolve(
    folder: str | Path,
    settings: ClassificationTraining,
    store: Store,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> ClassificationPlan:
    """Join what is wished for with what is there.

    Parameters
    ----------
    folder : path-like
        As `listing.list_images` takes it.
    settings : ClassificationTraining
    store : Store
        Where the model lies that is gone on from.
    progress, cancel : callable, optional

    Returns
    -------
    ClassificationPlan

    Raises
    ------
    InvalidTrainingSet
        Fewer than two categories, no image that can be used, or a category of which nothing
        can be kept back.
    InvalidSettings, ModelNotFound
        Settings that do not go together, or no such model.
    UntrustedModel
        Weights whose licence is not free and was not accepted.
    """
    path = Path(folder)
    start = _start(settings, store)
    network = image_network(start.arguments["named"] if start else settings.network)
    look = Look.of(start.arguments) if start else look_of(settings)
    network.built_with(look.rows, look.columns)  # refuses sizes that do not fit
    _check_weights(settings, network)
    by_column = settings.split == "column"
    listed = list_images(
        path, leave_out=settings.leave_out, split_by=settings.split_by if by_column else ""
    )
    compare = settings.duplicates > 0
    seen = look_at_all(listed, look, compare=compare, progress=progress, cancel=cancel)
    names = tuple(sorted({one.category for one in seen.images}))
    labels = np.asarray([names.index(one.category) for one in seen.images], np.intp)
    twins = _twins(seen, settings.duplicates, cancel)
    groups = joined_groups(twins, [one.group for one in seen.images])
    part = _parts(seen, labels, groups, settings, names)
    return ClassificationPlan(
        path=path,
        seen=seen,
        names=names,
        labels=labels,
        groups=groups,
        part=part,
        settings=settings,
        network=network,
        look=look,
        start=start,
        leak=_leak(twins, labels, groups, part, settings.seed),
        notes=_notes(seen, twins, labels, groups, names),
    )


def look_of(settings: ClassificationTraining) -> Look:
    """Return what the network will be shown.

    Parameters
    ----------
    settings : ClassificationTraining

    Returns
    -------
    Look
    """
    return Look(
        rows=settings.rows, columns=settings.columns, fit=settings.fit, strip=settings.strip
    )


def weights_licence(settings: ClassificationTraining, network: ImageNetwork) -> str:
    """Return the licence of the weights that a training begins with; empty without any.

    Parameters
    ----------
    settings : ClassificationTraining
    network : ImageNetwork

    Returns
    -------
    str
    """
    if settings.weights in ("", "none"):
        return ""
    return settings.weights_licence or network.licence or _UNKNOWN


def _check_weights(settings: ClassificationTraining, network: ImageNetwork) -> None:
    """Refuse weights without a hash from the web, and those of a licence nobody accepted."""
    licence = weights_licence(settings, network)
    if not licence:
        return
    if "://" in settings.weights and not settings.weights_sha256:
        raise InvalidSettings(
            "Weights from the web need their SHA-256 (weights_sha256).",
            hint="It stands beside the file, or take a file that you trust.",
        )
    what = f"the weights of {network.name}"
    require_accepted(licence, settings.accept_licence, what=what)


def _start(settings: ClassificationTraining, store: Store) -> ModelCard | None:
    """Find the model that is gone on from."""
    if settings.start in ("none", ""):
        return None
    if settings.weights not in ("none", ""):
        raise InvalidSettings(
            "A training goes on from a model (start) or begins with weights, not both.",
            hint="Set one of them to none.",
        )
    card = store.find(settings.start).card
    if card.task != "classification" or "named" not in card.arguments:
        raise InvalidSettings(f"{card.key} is no model that a training of categories made.")
    return card


def _twins(seen: LookedAt, least: float, cancel: Cancel | None) -> Duplicates:
    """Find near-duplicates, or none where nobody wants to know."""
    if least <= 0:
        return Duplicates(np.zeros((0, 2), np.intp), np.zeros(0), len(seen.images))
    return find_duplicates(seen.thumbs, seen.vectors, seen.digests, least=least, cancel=cancel)


def _parts(
    seen: LookedAt,
    labels: Numbers,
    groups: Numbers,
    settings: ClassificationTraining,
    names: tuple[str, ...],
) -> Numbers:
    """Decide who learns, judges and tests."""
    if settings.split == "column":
        return parts_by_word([one.part for one in seen.images])
    for number, name in enumerate(names):
        if len(np.unique(groups[labels == number])) < 2:
            raise InvalidTrainingSet(
                f"All images of {name!r} belong together, so that none can be kept back.",
                hint="Add images of another specimen, leave the category out (leave_out), or "
                "let near-duplicates count apart (duplicates = 0).",
            )
    if settings.split == "k-fold":
        wish = {"folds": settings.folds, "fold": settings.fold, "seed": settings.seed}
        return fold_parts(labels, groups, **wish)
    return divide(labels, groups, SHARES[settings.split], seed=settings.seed)


def _leak(twins: Duplicates, labels: Numbers, groups: Numbers, part: Numbers, seed: int) -> Leak:
    """Compare this split with one by single images."""
    used = part >= 0
    sizes = np.bincount(part[used])
    single = divide(labels, np.arange(len(labels)), tuple(sizes / sizes.sum()), seed=seed)
    random_pairs, random_share = twins.leak(np.where(used, single, -1))
    across, _ = twins.leak(part)
    held = np.bincount(groups)
    return Leak(len(twins.pairs), len(held), int(held.max()), random_pairs, random_share, across)


def _notes(
    seen: LookedAt, twins: Duplicates, labels: Numbers, groups: Numbers, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Say what wants to be read."""
    notes = []
    if seen.faults:
        named = "; ".join(str(fault) for fault in seen.faults[:_NAMED])
        more = ", ..." if len(seen.faults) > _NAMED else ""
        notes.append(f"{len(seen.faults)} images cannot be used: {named}{more}")
    apart = [pair for pair in twins.pairs if labels[pair[0]] != labels[pair[1]]]
    if apart:
        first, second = (seen.images[n].name for n in apart[0])
        notes.append(
            f"{len(apart)} pairs of near-duplicates are of two categories, e.g. {first} and "
            f"{second}: one of the labels is wrong."
        )
    few = [
        name for number, name in enumerate(names)
        if len(np.unique(groups[labels == number])) < _FEW_GROUPS
    ]  # fmt: skip
    if few:
        notes.append(
            f"Fewer than {_FEW_GROUPS} groups of {', '.join(few[:_NAMED])}: their scores will "
            "say little."
        )
    return tuple(notes)
