"""Copy or move chosen image files with the side-cars that carry their scale."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_sem_tools.errors import InvalidSettings, OutputExists, SemError
from napari_sem_tools.files import write_file
from napari_sem_tools.reading import SUFFIXES
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["Transfer", "companions", "transfer_files"]

_BESIDE = (".txt", ".hdr", ".emi", ".xml")  # JEOL, Hitachi, TESCAN, FEI


@dataclasses.dataclass(frozen=True)
class Transfer:
    """What was copied or moved, so that it can be taken back.

    Attributes
    ----------
    pairs : tuple of (Path, Path)
        From where to where, side-cars included.
    moved : bool
        False: copied.
    """

    pairs: tuple[tuple[Path, Path], ...]
    moved: bool

    def undo(self) -> None:
        """Move back what was moved, or delete the copies.

        Raises
        ------
        OutputExists
            A file of the old name is there again; nothing is taken back.
        """
        if self.moved:
            back = [(new, old) for old, new in self.pairs if new.exists()]
            _refuse_existing(old for _, old in back)
            for new, old in back:
                _carry(new, old, move=True)
            return
        for _, new in self.pairs:
            new.unlink(missing_ok=True)


def companions(path: str | os.PathLike[str]) -> list[Path]:
    """List the side-cars beside an image: texts and headers of its name.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Path
        ``NAME.txt``, ``NAME.tif.txt``, ``NAME-tif.hdr`` and the like, in any case.
    """
    image = Path(path)
    stem, suffix = image.stem.lower(), image.suffix.lower().lstrip(".")
    starts = (stem, image.name.lower(), f"{stem}-{suffix}")
    wanted = {f"{start}{ending}" for start in starts for ending in _BESIDE}
    with contextlib.suppress(OSError):
        return sorted(
            one for one in image.parent.iterdir() if one.name.lower() in wanted and one != image
        )
    return []


def transfer_files(
    files: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    move: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Transfer:
    """Copy or move image files and their side-cars into a folder; nothing is replaced.

    Parameters
    ----------
    files : sequence of path-like
    folder : path-like
        Made if need be.
    move : bool
        Each file is copied whole before its original goes.  A side-car that another image
        of the same name still needs stays, too.
    progress, cancel : callable, optional
        Cancelled between two files, what was done is taken back.

    Returns
    -------
    Transfer

    Raises
    ------
    InvalidSettings
        Two files have one name, or a file lies in the folder already.
    OutputExists
        The folder holds a file of one of the names; nothing is copied.
    SemError
        A file is gone, or the folder may not be written to; what was done is taken back.
    """
    target = Path(folder)
    plan = _plan([Path(one) for one in files], target)
    done: list[tuple[Path, Path]] = []
    try:
        for number, (old, new) in enumerate(plan):
            stop_if_cancelled(cancel)
            report(progress, number, len(plan), f"{'moving' if move else 'copying'} {old.name}")
            _carry(old, new, move=move and not _still_needed(old, plan))
            done.append((old, new))
    except SemError:
        _take_back(done)
        raise
    report(progress, len(plan), len(plan), "done")
    return Transfer(tuple(done), move)


def _plan(files: Sequence[Path], target: Path) -> list[tuple[Path, Path]]:
    """List what goes where, and refuse what would replace something."""
    sources = dict.fromkeys(one for file in files for one in (file, *companions(file)))
    if any(file.parent.resolve() == target.resolve() for file in files):
        raise InvalidSettings(f"The files lie in {target} already.", hint="Choose another folder.")
    places = [target / one.name for one in sources]
    if len({place.name.lower() for place in places}) < len(places):
        names = [place.name.lower() for place in places]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidSettings(
            f"Two of the files are called {twice}.", hint="Choose the files of one folder."
        )
    _refuse_existing(places)
    return list(zip(sources, places, strict=True))


def _refuse_existing(places: Iterable[Path]) -> None:
    """Raise where a file would be replaced."""
    for place in places:
        if place.exists():
            raise OutputExists(f"{place} exists.", hint="Choose another folder.")


def _still_needed(path: Path, plan: Sequence[tuple[Path, Path]]) -> bool:
    """Say whether a side-car belongs to an image that stays."""
    if path.suffix.lower() in SUFFIXES and path.suffix.lower() not in _BESIDE:
        return False
    going = {old for old, _ in plan}
    with contextlib.suppress(OSError):
        images = [one for one in path.parent.iterdir() if one.suffix.lower() in SUFFIXES]
        stay = [one for one in images if one not in going and one.suffix.lower() not in _BESIDE]
        return any(path in companions(one) for one in stay)
    return False


def _carry(old: Path, new: Path, *, move: bool) -> None:
    """Copy a file whole, keep its dates, and only then delete the original."""
    try:
        with old.open("rb") as source:
            write_file(new, lambda file: shutil.copyfileobj(source, file))
        with contextlib.suppress(OSError):
            shutil.copystat(old, new)
        if move:
            old.unlink()
    except OSError as error:
        raise SemError(
            f"{old} could not be {'moved' if move else 'copied'}: {error.strerror or error}.",
            hint="Check that it is still there and that nothing else has it open.",
        ) from error


def _take_back(done: Iterable[tuple[Path, Path]]) -> None:
    """Undo what was done before an error; an original that is still there stays."""
    for old, new in done:
        with contextlib.suppress(OSError, SemError):
            if old.exists():
                new.unlink()
            else:
                _carry(new, old, move=True)
