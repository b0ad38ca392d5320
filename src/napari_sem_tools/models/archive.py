"""A model as one file, to carry on a stick: a zip with its card and its weights.

Archives come from strangers, so that nothing of one is believed: names are compared with
the few that are expected, sizes are counted while reading, and nothing is unpacked by a
name that stands in the archive.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from napari_sem_tools.errors import OutputExists, UnreadableFile, UntrustedModel
from napari_sem_tools.files import write_file
from napari_sem_tools.models.weights import open_regular
from napari_sem_tools.tasks import Cancel, stop_if_cancelled

__all__ = ["CARD", "Archive", "open_archive", "write_archive"]

CARD = "card.json"
MAX_ARCHIVE_BYTES = 8 * 1024**3
_MAX_MEMBERS = 1000
_MAX_RATIO = 100
_RATIO_FREE_BYTES = 1024**2  # small texts compress well
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same model gives the same file, byte by byte
_CHUNK = 1024**2
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError)


class Archive:
    """An opened archive whose table of contents has been found harmless."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path = path
        self._file = file
        self._members = _checked_members(path, file)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files in it."""
        return tuple(self._members)

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return a small file of the archive."""
        return b"".join(self.chunks(name, max_bytes=max_bytes))

    def chunks(self, name: str, *, max_bytes: int, cancel: Cancel | None = None) -> Iterator[bytes]:
        """Yield a file of the archive piece by piece.

        Parameters
        ----------
        name : str
            One of `names`.
        max_bytes : int
            Refused beyond, whatever the table of contents says.
        cancel : callable, optional
            Asked between the pieces.

        Yields
        ------
        bytes

        Raises
        ------
        UntrustedModel
            It is missing, larger than allowed, or compressed more than 100-fold.
        UnreadableFile
            The archive is damaged.
        """
        member = self._members.get(name)
        if member is None:
            raise UntrustedModel(f"{self.path} holds no {name}.")
        allowed = min(max_bytes, _MAX_RATIO * member.compress_size + _RATIO_FREE_BYTES)
        done = 0
        try:
            with self._file.open(member) as file:
                while chunk := file.read(_CHUNK):
                    stop_if_cancelled(cancel)
                    done += len(chunk)
                    if done > allowed:
                        raise UntrustedModel(
                            f"{name} in {self.path} unpacks to more than {allowed} bytes."
                        )
                    yield chunk
        except (*_BROKEN, OSError) as error:
            raise UnreadableFile(f"{self.path} is damaged: {name} cannot be unpacked.") from error


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip file from a stranger.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Archive

    Raises
    ------
    UntrustedModel
        It holds links, folders that lead out, names twice, or too many files.
    UnreadableFile
        It is no zip file.
    """
    with open_regular(path, max_bytes=MAX_ARCHIVE_BYTES) as raw:
        try:
            file = zipfile.ZipFile(raw)
        except (*_BROKEN, OSError) as error:
            raise UnreadableFile(
                f"{path} is not a model archive.",
                hint="Import a .zip made by export, or a .safetensors or .pth file with a card.",
            ) from error
        with file:
            yield Archive(path, file)


def write_archive(
    path: Path, contents: Mapping[str, bytes | Path], *, overwrite: bool = False
) -> Path:
    """Write files into one zip; the same contents give the same bytes.

    Parameters
    ----------
    path : Path
        Appears whole or not at all.
    contents : dict of bytes or Path
        By the name in the archive, in this order.  Nothing is compressed: weights do not
        shrink.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    OutputExists
        The file is there and was not to be replaced.
    """
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} is there already.", hint="Choose another name.")

    def fill(out: BinaryIO) -> None:
        with zipfile.ZipFile(out, "w") as archive:
            for name, source in contents.items():
                _add(archive, name, source)

    return write_file(path, fill)


def _add(archive: zipfile.ZipFile, name: str, source: bytes | Path) -> None:
    """Add one file with nothing of this machine or moment in it."""
    member = zipfile.ZipInfo(name, date_time=_EPOCH)
    member.create_system = 3
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    member.file_size = len(source) if isinstance(source, bytes) else source.stat().st_size
    with archive.open(member, "w") as out:
        if isinstance(source, bytes):
            out.write(source)
        else:
            with open_regular(source) as file:
                shutil.copyfileobj(file, out, _CHUNK)


def _checked_members(path: Path, file: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files by name, after refusing whatever could lead out of a folder."""
    members = file.infolist()
    if len(members) > _MAX_MEMBERS:
        raise UntrustedModel(f"{path} holds {len(members)} files; at most {_MAX_MEMBERS} are read.")
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        reason = _fault(member)
        if reason is None and member.filename.casefold() in {name.casefold() for name in found}:
            reason = "stands twice"
        if reason:
            raise UntrustedModel(f"{member.filename[:80]!r} in {path} {reason}.")
        if not member.is_dir():
            found[member.filename] = member
    return found


def _fault(member: zipfile.ZipInfo) -> str | None:
    """Say what is wrong with a member of an archive, if anything."""
    parts = member.filename.removesuffix("/").split("/")
    leads_out = any(part in ("", ".", "..") for part in parts)
    if leads_out or any(c in member.filename for c in ":\\\0") or not member.filename.isprintable():
        return "leads out of the archive"
    mode = member.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in _METHODS:
        return "is compressed in a way that is not read here"
    return None
