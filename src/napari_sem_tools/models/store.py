"""The models that are there: found, added, checked and removed, without torch.

On disk a model is a folder ``<place>/<name>/<version>/`` with ``card.json`` and the
weights.  It is built beside its place and renamed, and never replaced: a version that
was once used in a publication stays what it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from napari_sem_tools.errors import (
    InvalidSettings,
    ModelNotFound,
    OutputExists,
    SemError,
    UnreadableFile,
    UntrustedModel,
)
from napari_sem_tools.files import discard_folder, place_folder, write_file, write_text
from napari_sem_tools.models.archive import CARD
from napari_sem_tools.models.card import MAX_CARD_BYTES, ModelCard, WeightsFile, version_key
from napari_sem_tools.models.locations import Place, places
from napari_sem_tools.models.weights import open_regular, read_header, sha256_of, wrong_hash
from napari_sem_tools.tasks import Cancel, Progress, part_of

__all__ = ["Entry", "Problem", "Store", "Verdict"]

_STALE_S = 24 * 3600  # an unfinished folder this old belongs to nobody
_log = logging.getLogger("napari_sem_tools")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A model of the store: its card, its folder and whose it is."""

    card: ModelCard
    folder: Path
    origin: Literal["packaged", "user", "shared"]

    @property
    def weights(self) -> Path:
        """Where the weights lie; not checked, see `Store.weights`."""
        return self.folder / self.card.weights.file


@dataclasses.dataclass(frozen=True)
class Problem:
    """A folder that looks like a model and is none, with one sentence why."""

    folder: Path
    reason: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What `Store.verify` found of one model; `reason` is empty when all is well."""

    key: str
    folder: Path
    reason: str

    @property
    def good(self) -> bool:
        """True when the weights are those of the card."""
        return not self.reason


class Store:
    """All models that this computer can see.

    Parameters
    ----------
    places : sequence of Place, optional
        Searched in this order; by default the package's, the user's and the shared folders.

    Examples
    --------
    >>> Store([]).names()
    ()
    """

    def __init__(self, places: Sequence[Place] | None = None) -> None:
        self._places = None if places is None else tuple(places)
        self._cards: dict[Path, tuple[tuple[int, int, int], ModelCard]] = {}

    @property
    def places(self) -> tuple[Place, ...]:
        """The folders that are searched, in order."""
        return places() if self._places is None else self._places

    @property
    def user_folder(self) -> Path:
        """The one folder that is written to."""
        for place in self.places:
            if place.writable:
                return place.folder
        raise SemError("This store is read-only.", hint="Add a folder of the user's to it.")

    def scan(self) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
        """Look at every folder of every place.

        Returns
        -------
        entries : tuple of Entry
            One per name and version: the first place wins.
        problems : tuple of Problem
            What could not be used, with the reason.
        """
        entries: dict[str, Entry] = {}
        problems: list[Problem] = []
        for place in self.places:
            for folder in _folders(place.folder):
                try:
                    entry = self._entry(folder, place)
                except SemError as error:
                    problems.append(Problem(folder, error.message))
                    continue
                first = entries.setdefault(entry.card.key, entry)
                if first is not entry and _fills(first, entry):
                    entries[entry.card.key] = entry
                if first.card.weights.sha256 != entry.card.weights.sha256:
                    reason = f"{entry.card.key} is another model than that in {first.folder}."
                    problems.append(Problem(folder, reason))
        return tuple(entries.values()), tuple(problems)

    def entries(self) -> tuple[Entry, ...]:
        """List all models, every version, by name and rising version."""
        found = self.scan()[0]
        return tuple(sorted(found, key=lambda e: (e.card.name, version_key(e.card.version))))

    def names(self) -> tuple[str, ...]:
        """List the names of all models."""
        return tuple(dict.fromkeys(entry.card.name for entry in self.entries()))

    def find(self, name: str) -> Entry:
        """Find a model by name, or by name and version.

        Parameters
        ----------
        name : str
            ``particles`` (the newest version) or ``particles@1.0.0``.

        Returns
        -------
        Entry

        Raises
        ------
        ModelNotFound
            There is none; the hint gives the nearest name.
        """
        entries = self.entries()
        found = [e for e in entries if name in (e.card.name, e.card.key)]
        if found:
            return found[-1]
        names = list(dict.fromkeys(k for e in entries for k in (e.card.name, e.card.key)))
        near = difflib.get_close_matches(str(name), names, n=1)
        known = f"Known: {', '.join(self.names())}." if names else "No model is installed yet."
        hint = f"Did you mean {near[0]}?" if near else known
        raise ModelNotFound(f"There is no model {str(name)[:80]!r}.", hint=hint)

    def weights(
        self, name: str, *, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Path:
        """Return the file of weights of a model after checking it against its card.

        Parameters
        ----------
        name : str
            As for `find`.  Weights that the card only gives an address of are loaded first.
        progress, cancel : callable, optional

        Returns
        -------
        Path

        Raises
        ------
        ModelNotFound
            There is no such model, or no connection to load it.
        UntrustedModel
            The file is not the one of the card.
        """
        entry = self.find(name)
        if not entry.weights.exists() and entry.card.weights.url:
            entry = self._load_weights(entry, progress=progress, cancel=cancel)
        reason = _fault(entry, progress=progress, cancel=cancel)
        if reason is not None:
            raise reason
        return entry.weights

    def add(
        self,
        card: ModelCard,
        weights: Path | Callable[[BinaryIO], object],
        *,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Entry:
        """Keep a model in the user's folder, whole or not at all.

        Parameters
        ----------
        card : ModelCard
        weights : Path or callable
            A safetensors file, or a function that writes one into the open file it is given.
        progress, cancel : callable, optional

        Returns
        -------
        Entry
            That of an equal model where there is one already.

        Raises
        ------
        UntrustedModel
            The weights are not those of the card, or name and version are taken by others.
        """
        existing = self._existing(card)
        if existing is not None:
            return existing
        target = self.user_folder / card.name / card.version
        built = target.with_name(f".{card.version}.{uuid.uuid4().hex[:8]}.partial")
        _sweep(target.parent)
        try:
            self._check_inside(target.parent)
            write_file(built / card.weights.file, _copier(weights, card.weights, cancel))
            fault = _fault(Entry(card, built, "user"), progress=progress, cancel=cancel)
            if fault is not None:
                raise _renamed(fault, card)
            write_text(built / CARD, card.to_json())
            place_folder(built, target)
        except OutputExists:
            existing = self._existing(card)  # somebody was faster
            if existing is None:
                raise
            return existing
        finally:
            shutil.rmtree(built, ignore_errors=True)
            with contextlib.suppress(OSError):
                target.parent.rmdir()  # only when it is empty
        return Entry(card, target, "user")

    def remove(self, name: str) -> Entry:
        """Delete one version of a model of the user's.

        Parameters
        ----------
        name : str
            As for `find`.

        Returns
        -------
        Entry
            What was removed.

        Raises
        ------
        ModelNotFound
            There is no such model.
        SemError
            It belongs to the package or to a shared folder.
        """
        entry = self.find(name)
        if entry.origin != "user":
            raise SemError(
                f"{entry.card.key} is not yours to remove: it lies in {entry.folder}.",
                hint="Only models that you imported or trained can be removed.",
            )
        discard_folder(entry.folder)
        with contextlib.suppress(OSError):
            entry.folder.parent.rmdir()
        return entry

    def verify(
        self, *, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> tuple[Verdict, ...]:
        """Hash all weights again and compare them with their cards.

        Parameters
        ----------
        progress, cancel : callable, optional

        Returns
        -------
        tuple of Verdict
            One for every model and for every folder that is no model.
        """
        entries, problems = self.scan()
        verdicts = []
        for done, entry in enumerate(entries):
            step = part_of(progress, done / len(entries), (done + 1) / len(entries))
            fault = _fault(entry, progress=step, cancel=cancel)
            verdicts.append(Verdict(entry.card.key, entry.folder, fault.message if fault else ""))
        verdicts += [Verdict(p.folder.parent.name, p.folder, p.reason) for p in problems]
        return tuple(verdicts)

    def _entry(self, folder: Path, place: Place) -> Entry:
        """Read the card in a folder, or remember it while the file is the same."""
        path = folder / CARD
        with open_regular(path, max_bytes=MAX_CARD_BYTES) as file:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
            known = self._cards.get(path)
            card = known[1] if known and known[0] == stamp else ModelCard.from_json(file.read())
        self._cards[path] = (stamp, card)
        if (folder.parent.name, folder.name) != (card.name, card.version):
            raise UntrustedModel(f"The card in {folder} is that of {card.key}.")
        if folder.is_symlink() or folder.parent.is_symlink():
            raise UntrustedModel(f"{folder} is a link; only the folder itself is read.")
        return Entry(card, folder, place.origin)

    def _existing(self, card: ModelCard) -> Entry | None:
        """Return the same model if it is there; another one of that name is refused."""
        for entry in self.entries():
            if entry.card.key != card.key:
                continue
            if entry.card.weights.sha256 != card.weights.sha256:
                raise UntrustedModel(
                    f"{card.key} is there already with other weights, and a version is never "
                    "replaced.",
                    hint="Give the new model another version, or remove the old one first.",
                )
            if entry.weights.exists():
                return entry
        return None

    def _check_inside(self, folder: Path) -> None:
        """Refuse to write through a link that leads out of the store."""
        root = self.user_folder.resolve()
        if folder.is_symlink() or not folder.resolve().is_relative_to(root):
            raise UntrustedModel(f"{folder} leads out of the folder of models.")

    def _load_weights(
        self, entry: Entry, *, progress: Progress | None, cancel: Cancel | None
    ) -> Entry:
        """Load weights that the card gives the address of, and keep them with the card."""
        from napari_sem_tools.models.download import fetch

        wanted = entry.card.weights
        path = fetch(
            wanted.url,
            wanted.sha256,
            folder=self.user_folder.parent / "downloads",
            max_bytes=wanted.size_bytes,
            progress=progress,
            cancel=cancel,
        )
        kept = self.add(entry.card, path, cancel=cancel)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return kept


def _fills(first: Entry, second: Entry) -> bool:
    """Tell whether the second has the weights that the first only knows the address of."""
    same = first.card.weights.sha256 == second.card.weights.sha256
    return same and second.weights.exists() and not first.weights.exists()


def _folders(root: Path) -> Iterator[Path]:
    """Yield the folders ``name/version`` that hold a card; unfinished ones begin with a dot."""
    try:
        yield from sorted(
            card.parent for card in root.glob(f"[!.]*/[!.]*/{CARD}") if card.parent.is_dir()
        )
    except OSError as error:  # a network share that is away is an empty one
        _log.warning("The models in %s could not be listed: %s", root, error)


def _fault(entry: Entry, *, progress: Progress | None, cancel: Cancel | None) -> SemError | None:
    """Return why the weights of a model cannot be used, if so."""
    wanted = entry.card.weights
    try:
        if not entry.weights.exists():
            return UnreadableFile(f"The weights of {entry.card.key} are missing.")
        size = entry.weights.lstat().st_size
        if size != wanted.size_bytes and not entry.weights.is_symlink():
            return wrong_hash(entry.weights)
        if sha256_of(entry.weights, progress=progress, cancel=cancel) != wanted.sha256:
            return wrong_hash(entry.weights)
        read_header(entry.weights)
    except (UntrustedModel, UnreadableFile, InvalidSettings) as error:
        return error
    return None


def _renamed(fault: SemError, card: ModelCard) -> SemError:
    """Name the model instead of the unfinished folder that nobody will see."""
    return UntrustedModel(f"{card.key} was refused: {_reason(fault)}", hint=fault.hint)


def _reason(fault: SemError) -> str:
    """Return the reason without the path of the unfinished folder."""
    words = fault.message.split(" ")
    kept = [word.rsplit("/", 1)[-1] if ".partial/" in word else word for word in words]
    return " ".join(kept)


def _copier(
    weights: Path | Callable[[BinaryIO], object], wanted: WeightsFile, cancel: Cancel | None
) -> Callable[[BinaryIO], object]:
    """Return a function that writes the weights into an open file."""
    if not isinstance(weights, Path):
        return weights

    def copy(out: BinaryIO) -> None:
        with open_regular(weights, max_bytes=wanted.size_bytes) as file:
            shutil.copyfileobj(file, out, 1024**2)

    return copy


def _sweep(parent: Path) -> None:
    """Delete unfinished folders that a crash left long ago."""
    with contextlib.suppress(OSError):
        for folder in parent.glob(".*.partial"):
            if time.time() - folder.lstat().st_mtime > _STALE_S and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)
