"""Fetching the NFFA set: archive by archive, resumed where it stopped, whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from napari_sem_tools._version import __version__
from napari_sem_tools.datasets import nffa
from napari_sem_tools.datasets.record import RecordFile, content_url, files_of_record
from napari_sem_tools.datasets.unpack import unpack
from napari_sem_tools.errors import (
    InvalidSettings,
    ModelNotFound,
    OutputExists,
    SemError,
    SemWarning,
    UnreadableFile,
    UntrustedModel,
)
from napari_sem_tools.files import json_text, only_writer, replace_folder, write_text
from napari_sem_tools.models.download import fetch_archive
from napari_sem_tools.tasks import Cancel, Progress, part_of, report, stop_if_cancelled

__all__ = ["FetchedSet", "Skipped", "fetch_nffa"]

ARCHIVES_FOLDER: Final = "archives"
CARD: Final = "dataset.json"
_PIECE_BYTES: Final = 5_000_000  # longer transfers from this server break
_MAX_ARCHIVE_BYTES: Final = 8_000_000_000
_KEPT: Final = frozenset(("checksum", "release", "images", "skipped"))
_LOADING: Final = 0.8  # share of the work of an archive


@dataclasses.dataclass(frozen=True)
class Skipped:
    """An image of an archive that was not taken, and why."""

    category: str
    file: str
    reason: str


@dataclasses.dataclass(frozen=True)
class FetchedSet:
    """What lies in the folder of a fetched set.

    Attributes
    ----------
    folder : Path
        With a folder a category and ``dataset.json``.
    images : dict of str to int
        How many images each category has.
    release : str
        ``"21169 images"``, ``"862nr-cn036"``, ``"unknown"`` or ``"mixed"``; to be stated with
        every result.
    skipped : tuple of Skipped
        Images that are damaged or of no use.
    failed : dict of str to SemError
        Categories that could not be fetched.
    """

    folder: Path
    images: Mapping[str, int]
    release: str
    skipped: tuple[Skipped, ...] = ()
    failed: Mapping[str, SemError] = dataclasses.field(default_factory=dict)


def fetch_nffa(
    out: str | Path,
    *,
    categories: Iterable[str] | None = None,
    record: str = nffa.RECORD,
    keep_archives: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> FetchedSet:
    """Fetch the SEM images of NFFA-Europe, a folder a category.

    Parameters
    ----------
    out : path-like
        Folder of the set.  A call on a folder that is not complete goes on with it.
        Archives that lie in ``out/archives`` are used when their checksum is right.
    categories : iterable of str, optional
        Only these of `CATEGORIES`.
    record : str
        Address of the record's API.
    keep_archives : bool
        Leave the archives where they were unpacked from.
    progress, cancel : callable, optional

    Returns
    -------
    FetchedSet
        A category that could not be fetched is named in it; the others are there.

    Raises
    ------
    InvalidSettings
        There is no such category.
    OutputExists
        `out` holds something else, or another program is fetching into it.
    SemError
        The disk is too small, or may not be written to.
    Cancelled
        What is loaded is kept for the next time.

    References
    ----------
    .. [1] R. Aversa et al., The first annotated set of scanning electron microscopy images for
       nanoscience, Scientific Data 5 (2018) 180172. CC BY 4.0.
    """
    folder = Path(out)
    wanted = _wanted(categories)
    _check_place(folder)
    with only_writer(folder / CARD):
        _sweep(folder)
        card = _card(folder, record)
        files = _files(record, wanted, card)
        _check_space(folder, files, card)
        failed: dict[str, SemError] = {}
        for number, archive in enumerate(wanted):
            stop_if_cancelled(cancel)
            share = part_of(progress, number / len(wanted), (number + 1) / len(wanted))
            try:
                job = _Job(folder, record, archive, files[archive.file], keep_archives)
                job.run(card, share, cancel)
            except (ModelNotFound, UntrustedModel, UnreadableFile) as error:
                failed[archive.category] = _in_words(error, folder)
    report(progress, 1, 1, "fetched")
    return _result(folder, card, failed)


@dataclasses.dataclass(frozen=True)
class _Job:
    """One archive: load it, check it, unpack it beside its place, put it there."""

    folder: Path
    record: str
    archive: nffa.Archive
    file: RecordFile
    keep: bool

    def run(self, card: dict[str, Any], progress: Progress | None, cancel: Cancel | None) -> None:
        """Do it, unless it is done."""
        category = self.archive.category
        if _is_done(self.folder, card, category, self.file):
            return
        path = fetch_archive(
            content_url(self.record, self.archive.file),
            self.file.checksum,
            folder=self.folder / ARCHIVES_FOLDER,
            name=self.archive.file,
            max_bytes=_MAX_ARCHIVE_BYTES,
            piece_bytes=_PIECE_BYTES,
            progress=part_of(progress, 0.0, _LOADING),
            cancel=cancel,
        )
        report(progress, 8, 10, f"unpacking {category}")
        built = self.folder / f".{category}.partial"
        shutil.rmtree(built, ignore_errors=True)
        count, skipped = unpack(path, built, category, cancel=cancel)
        replace_folder(built, self.folder / category)
        card["archives"][category] = {
            "file": self.archive.file,
            "checksum": self.file.checksum,
            "release": nffa.release_of(self.archive, self.file.checksum),
            "images": count,
            "skipped": skipped,
        }
        _write_card(self.folder, card)
        if not self.keep:
            with contextlib.suppress(OSError):  # it only takes space
                path.unlink()


def _wanted(categories: Iterable[str] | None) -> list[nffa.Archive]:
    """Return the archives of some categories, or all."""
    if categories is None:
        return list(nffa.ARCHIVES)
    names = list(dict.fromkeys([categories] if isinstance(categories, str) else categories))
    for name in names:
        if name not in nffa.CATEGORIES:
            raise InvalidSettings(
                f"The set has no category {name!r}.", hint=f"Known: {', '.join(nffa.CATEGORIES)}."
            )
    return [archive for archive in nffa.ARCHIVES if archive.category in names]


def _check_place(folder: Path) -> None:
    """Refuse a folder that holds something else; archives that were carried there are fine."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputExists(f"{folder} is a file.", hint="Choose another folder.")
    others = [p for p in folder.iterdir() if not p.name.startswith(".")]
    if others and not (folder / CARD).is_file() and [p.name for p in others] != [ARCHIVES_FOLDER]:
        raise OutputExists(f"{folder} holds other things already.", hint="Choose another folder.")


def _sweep(folder: Path) -> None:
    """Delete what a crash left of an unfinished ``dataset.json``; the lock is ours and stays."""
    for path in folder.glob(f".{CARD}.*.partial"):
        if path.name != f".{CARD}.lock.partial":
            with contextlib.suppress(OSError):
                path.unlink()


def _card(folder: Path, record: str) -> dict[str, Any]:
    """Read what an earlier call has done, or begin."""
    card: dict[str, Any] = {}
    if (folder / CARD).is_file():
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            card = {}
    done = card.get("archives") if isinstance(card, dict) else None
    whole = {
        category: one
        for category, one in (done.items() if isinstance(done, dict) else ())
        if isinstance(one, dict) and one.keys() >= _KEPT
    }
    card = {
        "name": "nffa",
        "title": "100% SEM dataset of NFFA-Europe",
        "doi": nffa.DOI,
        "licence": nffa.LICENCE,
        "citation": nffa.CITATION,
        "record": record,
        "archives": whole,
    }
    _write_card(folder, card)
    return card


def _write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write what is there, with date and version."""
    card |= {"fetched": datetime.now(UTC).date().isoformat(), "version": __version__}
    write_text(folder / CARD, json_text(card) + "\n")


def _files(record: str, wanted: list[nffa.Archive], card: dict[str, Any]) -> dict[str, RecordFile]:
    """Return checksums and sizes as the record says them, or as they are known."""
    if all(archive.category in card["archives"] for archive in wanted):
        listed: dict[str, RecordFile] = {}  # what is there is not asked for again
        known = {a.file: card["archives"][a.category]["checksum"] for a in wanted}
        return {name: RecordFile(name, checksum) for name, checksum in known.items()}
    listed = files_of_record(record)
    if not listed:
        warnings.warn(
            "The record does not say what it holds; the checksums known for record 862nr-cn036 "
            "are used.",
            SemWarning,
            stacklevel=3,
        )
    return {archive.file: _best_known(archive, listed.get(archive.file)) for archive in wanted}


def _best_known(archive: nffa.Archive, listed: RecordFile | None) -> RecordFile:
    """Return the strongest checksum that is known for what the record holds."""
    if listed is None:
        return RecordFile(archive.file, f"md5:{archive.md5_of_record}")
    if listed.checksum == f"md5:{archive.md5}":
        return dataclasses.replace(listed, checksum=f"sha256:{archive.sha256}")
    return listed


def _is_done(folder: Path, card: dict[str, Any], category: str, file: RecordFile) -> bool:
    """Tell whether a category lies there as the record has it."""
    done = card["archives"].get(category)
    there = (folder / category).is_dir()
    return bool(there and done and done.get("checksum") == file.checksum)


def _check_space(folder: Path, files: dict[str, RecordFile], card: dict[str, Any]) -> None:
    """Refuse to begin where archives and images would not fit."""
    missing = [f for f in files.values() if f.name.removesuffix(".tar") not in card["archives"]]
    sizes = [file.size_bytes or 0 for file in missing]
    needed = sum(sizes) + max(sizes, default=0)  # the images, and one archive beside them
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SemError(
            f"{folder} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed.",
            hint="Choose another disk, or only some categories.",
        )


def _in_words(error: SemError, folder: Path) -> SemError:
    """Say of an archive what the downloads of models say, with what helps here."""
    place = folder / ARCHIVES_FOLDER
    found = SemError(
        error.message,
        hint="Try again, it goes on where it stopped; or load the archive with a browser from "
        f"https://doi.org/{nffa.DOI} into {place}.",
    )
    found.__cause__ = error
    return found


def _result(folder: Path, card: dict[str, Any], failed: dict[str, SemError]) -> FetchedSet:
    """Return what lies in the folder."""
    done = card["archives"]
    releases = {one["release"] for one in done.values()}
    skipped = tuple(
        Skipped(category, name, reason)
        for category, one in done.items()
        for name, reason in one["skipped"].items()
    )
    return FetchedSet(
        folder,
        {category: one["images"] for category, one in sorted(done.items())},
        releases.pop() if len(releases) == 1 else "mixed" if releases else "unknown",
        skipped,
        failed,
    )
