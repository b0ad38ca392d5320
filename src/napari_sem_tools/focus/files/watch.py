"""A folder that the microscope writes into: each new picture is scored once, when it is whole.

There is no thread here: whoever watches calls `FocusWatch.poll` now and then.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import numpy as np

from napari_sem_tools.errors import InvalidSettings, SemError, UnreadableFile
from napari_sem_tools.files import json_text, write_text
from napari_sem_tools.focus.score import FocusScore, focus
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading import read
from napari_sem_tools.reading.formats import SUFFIXES
from napari_sem_tools.tasks import Cancel

__all__ = ["FocusWatch", "WatchProblem", "WatchedImage"]

_LOG = logging.getLogger("napari_sem_tools")

_END_BYTES: Final = 64 * 1024  # of the beginning and of the end go into the key
_STILL_POLLS: Final = 2  # looks in a row at which size and time of change were the same
_UNFINISHED_POLLS: Final = 20  # the same for pictures whose last rows are all zero
_ZERO_ROWS: Final = 0.05  # share of the rows that a writer may not have reached yet
_SAVE_EVERY_S: Final = 2.0  # of a long look, so that a kill costs little
_LONGEST_WAIT: Final = 64  # looks between two attempts at a file that cannot be read

Stamp = tuple[int, int]  # size in bytes, time of change in ns
Score = Callable[[Micrograph], FocusScore]


@dataclasses.dataclass(frozen=True)
class WatchedImage:
    """A picture that was scored.

    Attributes
    ----------
    path : Path
        Where it lay when it was read; only a label, files may be renamed.
    key : str
        Size, time of change and a hash of the first and last 64 kB of the file.
    score : FocusScore
    acquired : str
        When it was taken, ISO 8601: from the metadata, else the time of change of the file.
    notes : tuple of str
        What the reader wants said about the picture.
    complete : bool
        False when the last rows are all zero, though the file lay still for long.  If it
        changes after all, the new score takes the place of this one.
    """

    path: Path
    key: str
    score: FocusScore
    acquired: str
    notes: tuple[str, ...] = ()
    complete: bool = True


@dataclasses.dataclass(frozen=True)
class WatchProblem:
    """A file that lies still and cannot be scored; it is tried again from time to time.

    Attributes
    ----------
    path : Path
    message, hint : str
        What is wrong and what to do.
    """

    path: Path
    message: str
    hint: str = ""


@dataclasses.dataclass
class _Waiting:
    """What is known of a file that was not scored yet."""

    stamp: Stamp
    still: int = 1
    failures: int = 0
    wait: int = 0


class FocusWatch:
    """Score every picture that appears in a folder, once, when it is whole.

    A file is taken when its size and time of change were the same at two looks, it can be
    read, and it did not change while it was read.  It is known again by size, time of change
    and a hash of its first and last 64 kB, so a renamed file is not scored again.  A file that
    vanishes while it is read is forgotten; one that cannot be read is reported once and tried
    again.  No thread is started.

    Parameters
    ----------
    folder : path-like
        It need not exist yet.
    on_score : callable, optional
        Called as ``on_score(watched_image)`` for each picture, in the order in which the
        pictures of one look were taken.  If it raises, the rest is told at the next look.
    on_problem : callable, optional
        Called as ``on_problem(watch_problem)`` once for each file that cannot be scored.
    score : callable, optional
        What scores a `Micrograph`; `focus` by default.
    skip_existing : bool
        Leave alone what is in the folder at the first look.
    ledger : path-like, optional
        File that remembers what was scored, so that a watch that starts anew (even after it
        was killed) does not score it again.

    Attributes
    ----------
    images : list of WatchedImage
        All that were scored, by the time they were taken.
    problems : dict of Path to WatchProblem

    Raises
    ------
    InvalidSettings
        The folder is a file.
    UnreadableFile
        The ledger is damaged.

    Examples
    --------
    >>> import tempfile
    >>> watch = FocusWatch(tempfile.mkdtemp())
    >>> watch.poll()
    []
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        on_score: Callable[[WatchedImage], Any] | None = None,
        *,
        on_problem: Callable[[WatchProblem], Any] | None = None,
        score: Score = focus,
        skip_existing: bool = False,
        ledger: str | os.PathLike[str] | None = None,
    ) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InvalidSettings(
                f"{self.folder} is no folder.", hint="Choose the folder the pictures go to."
            )
        self.images: list[WatchedImage] = []
        self.problems: dict[Path, WatchProblem] = {}
        self._on_score, self._on_problem, self._score = on_score, on_problem, score
        self._ledger = None if ledger is None else Path(ledger)
        self._contents: dict[str, str] = {}  # key -> hash of all bytes
        if self._ledger is not None and self._ledger.exists():
            self.images, self._contents = _read_ledger(self._ledger)
        self._content_at = {i.path: self._contents.get(i.key, "") for i in self.images}
        self._seen: dict[Path, Stamp] = {}  # files known to be dealt with, to spare reading them
        self._waiting: dict[Path, _Waiting] = {}
        self._untold: collections.deque[WatchedImage | WatchProblem] = collections.deque()
        self._skip = skip_existing

    def poll(self, *, most: int | None = None, cancel: Cancel | None = None) -> list[WatchedImage]:
        """Look once and score what has become whole since the last look.

        Parameters
        ----------
        most : int, optional
            Score no more at this look; the rest comes at the next ones.
        cancel : callable, optional
            Asked before each file; what was scored until then is returned.

        Returns
        -------
        list of WatchedImage
            The new ones, by the time they were taken.
        """
        stamps = dict(_list(self.folder))
        if self._skip:
            self._skip = False
            for path, stamp in stamps.items():
                self._remember(path, stamp)
        self._forget(stamps)
        found: list[WatchedImage] = []
        saved = time.monotonic()
        for path, stamp in stamps.items():
            if len(found) == most or (cancel is not None and cancel()):
                break
            if self._seen.get(path) != stamp and self._is_still(path, stamp):
                found += self._take(path, stamp)
            if time.monotonic() - saved > _SAVE_EVERY_S:
                self._save()
                saved = time.monotonic()
        if found:
            found.sort(key=_when)
            self.images.sort(key=_when)
            self._save()
        self._untold.extend(found)
        self._tell()
        return found

    @property
    def waiting(self) -> list[Path]:
        """Files that are there but not whole yet, or that cannot be read."""
        return list(self._waiting)

    def _forget(self, stamps: dict[Path, Stamp]) -> None:
        """Drop what is known of paths that are gone."""
        tables: tuple[dict[Path, Any], ...] = (self._seen, self._waiting, self.problems)
        for known in tables:
            for path in [path for path in known if path not in stamps]:
                del known[path]

    def _is_still(self, path: Path, stamp: Stamp) -> bool:
        """Count looks at which a file was the same; tell whether it is time to read it."""
        waiting = self._waiting.get(path)
        if waiting is None or waiting.stamp != stamp:
            self._waiting[path] = _Waiting(stamp)
            return False
        waiting.still += 1
        waiting.wait -= 1
        return waiting.still >= _STILL_POLLS and waiting.wait <= 0

    def _take(self, path: Path, stamp: Stamp) -> Iterator[WatchedImage]:
        """Score a file that lies still, unless it is known, gone, changing or unreadable."""
        try:
            key = _identify(path, stamp)
            if key in self._contents or self._only_touched(path, stamp):
                self._done(path, stamp)
                return
            image = read(path)
            if self._may_grow(path, image):
                return
            result = self._score(image.plane(0))
            content = _hash_all(path, stamp)
            changed = _identify(path, stamp) != key
        except (FileNotFoundError, _Changed):
            changed = True
        except (SemError, OSError) as error:
            if path.exists():
                self._failed(path, error)
                return
            changed = True
        if changed:
            _LOG.info("%s vanished or changed while it was read", path.name)
            self._waiting.pop(path, None)
            return
        self._contents[key] = self._content_at[path] = content
        self._done(path, stamp)
        new = WatchedImage(
            path, key, result, _acquired(image, stamp), image.notes, not _foot_is_zero(image)
        )
        early = [old for old in self.images if old.path == path and not old.complete]
        self.images = [*(old for old in self.images if old not in early), new]
        yield new

    def _only_touched(self, path: Path, stamp: Stamp) -> bool:
        """Tell whether a file that was scored got a new time of change and nothing else."""
        known = self._content_at.get(path)
        return known is not None and _hash_all(path, stamp) == known

    def _may_grow(self, path: Path, image: Micrograph) -> bool:
        """Tell whether the last rows may not be written yet: all zero, and not still for long."""
        return _foot_is_zero(image) and self._waiting[path].still < _UNFINISHED_POLLS

    def _done(self, path: Path, stamp: Stamp) -> None:
        """Note that a file need not be looked at again while it stays as it is."""
        self._seen[path] = stamp
        self._waiting.pop(path, None)
        self.problems.pop(path, None)

    def _failed(self, path: Path, error: Exception) -> None:
        """Report a file that cannot be read, once, and put off the next attempt."""
        waiting = self._waiting[path]
        waiting.failures += 1
        waiting.wait = min(2**waiting.failures, _LONGEST_WAIT)
        _LOG.info("%s cannot be scored: %s", path.name, error)
        if waiting.failures < 2 or path in self.problems:  # it may still be being written
            return
        problem = WatchProblem(path, str(error), getattr(error, "hint", ""))
        self.problems[path] = problem
        self._untold.append(problem)

    def _remember(self, path: Path, stamp: Stamp) -> None:
        """Count a file as scored without scoring it."""
        try:
            key, content = _identify(path, stamp), _hash_all(path, stamp)
        except (OSError, _Changed):
            return
        self._contents[key] = self._content_at[path] = content
        self._done(path, stamp)

    def _tell(self) -> None:
        """Call back for everything that was not told yet."""
        while self._untold:
            item = self._untold.popleft()
            tell = self._on_score if isinstance(item, WatchedImage) else self._on_problem
            if tell is not None:
                tell(item)  # type: ignore[arg-type]

    def _save(self) -> None:
        """Write down what was scored."""
        if self._ledger is not None:
            images = [dataclasses.asdict(image) for image in self.images]
            write_text(self._ledger, json_text({"images": images, "contents": self._contents}))


class _Changed(Exception):
    """The file is no longer what was listed."""


def _list(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """List pictures with size and time of change; what vanishes meanwhile is left out."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        path = folder / name
        if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
            continue
        try:
            status = path.stat()
        except OSError:
            continue
        if path.is_file():
            yield path, (status.st_size, status.st_mtime_ns)


def _identify(path: Path, stamp: Stamp) -> str:
    """Return the key of a file, if it still is what was listed."""
    with _open(path, stamp) as file:
        return f"{stamp[0]}-{stamp[1]}-{_ends(file, stamp[0])}"


def _hash_all(path: Path, stamp: Stamp) -> str:
    """Hash all bytes of a file, if it still is what was listed."""
    with _open(path, stamp) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _open(path: Path, stamp: Stamp) -> Iterator[BufferedReader]:
    """Open a file and make sure that it is what was listed before and after it is used."""
    with path.open("rb") as file:
        _check(file, stamp)
        yield file
        _check(file, stamp)


def _check(file: BufferedReader, stamp: Stamp) -> None:
    """Raise when an open file has another size or time of change than was listed."""
    status = os.fstat(file.fileno())
    if (status.st_size, status.st_mtime_ns) != stamp:
        raise _Changed


def _ends(file: BufferedReader, size: int) -> str:
    """Hash the first and the last 64 kB."""
    digest = hashlib.sha256(file.read(_END_BYTES))
    file.seek(max(0, size - _END_BYTES))
    digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:32]


def _foot_is_zero(image: Micrograph) -> bool:
    """Tell whether the last rows are all zero."""
    rows = max(1, int(image.shape[0] * _ZERO_ROWS))
    return not np.any(image.plane(0).pixels[-rows:])


def _acquired(image: Micrograph, stamp: Stamp) -> str:
    """Return when a picture was taken, or else when its file was last changed."""
    changed = np.datetime64(stamp[1], "ns").astype("datetime64[ms]")
    return str(image.plane(0).metadata.acquired or changed)


def _when(image: WatchedImage) -> tuple[str, str]:
    """Order pictures by when they were taken."""
    return image.acquired, image.path.name


def _read_ledger(ledger: Path) -> tuple[list[WatchedImage], dict[str, str]]:
    """Read what an earlier watch scored."""
    try:
        content = json.loads(ledger.read_text("utf-8"))
        images = [_image_of(record) for record in content["images"]]
        return images, {str(key): str(value) for key, value in content["contents"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UnreadableFile(
            f"{ledger.name} is no record of a watched folder.", hint="Delete it to begin anew."
        ) from error


def _image_of(record: dict[str, Any]) -> WatchedImage:
    """Make a record of what JSON kept of it."""
    score: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in record["score"].items()
    }
    return WatchedImage(
        Path(record["path"]),
        record["key"],
        FocusScore(**score),
        record["acquired"],
        tuple(record["notes"]),
        bool(record.get("complete", True)),
    )
