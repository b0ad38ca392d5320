"""An opened file: its first bytes, its container, its side-cars."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from napari_sem_tools.errors import SemError, UnreadableFile
from napari_sem_tools.reading.text import decode

__all__ = ["Source", "library_errors", "quiet"]

_HEAD: Final = 4096
_TAIL: Final = 1 << 20
_SIDECAR_LIMIT: Final = 4 << 20  # bytes; side-cars are a few kB
_LARGE_SIDECAR: Final = 64 << 20  # an EMI may hold a copy of the pixels


class Source:
    """A file to read, opened once.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    path : Path
    size : int
        Bytes.
    head : bytes
        The first 4096 bytes.
    container : str
        ``"tiff"``, ``"raster"``, ``"dm"``, ``"ser"``, ``"mrc"``, ``"hdf5"``, ``"elid"``, or
        ``""``.

    Raises
    ------
    UnreadableFile
        The file is missing, a folder, empty, or may not be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with self.path.open("rb") as file:
                self.head = file.read(_HEAD)
                self.size = file.seek(0, os.SEEK_END)
        except (OSError, ValueError) as error:
            raise _unopened(self.path, error) from error
        if not self.head:
            raise UnreadableFile(
                f"{self.path.name} is empty.", hint="Copy it again from the microscope."
            )
        self.container = container_of(self.head, self.size)
        self._tiff: Any = None
        self._content: bytes | None = None

    @classmethod
    def of_bytes(cls, path: Path, content: bytes) -> Self:
        """Make the source of a file that lies inside another."""
        source = cls.__new__(cls)
        source.path, source._content, source._tiff = path, content, None
        source.head, source.size = content[:_HEAD], len(content)
        source.container = container_of(source.head, source.size)
        return source

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tiff is not None:
            self._tiff.close()

    @property
    def tiff(self) -> Any:
        """The file as `tifffile.TiffFile`, opened when first asked for."""
        if self._tiff is None:
            import tifffile

            with library_errors(self.path, "is no readable TIFF"), quiet("tifffile"):
                inside = io.BytesIO(self._content) if self._content is not None else None
                self._tiff = tifffile.TiffFile(inside or self.path)
                if not len(self._tiff.pages):
                    raise ValueError("no page")
        return self._tiff

    def bytes_at(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from an offset; fewer at the end of the file."""
        if offset < 0 or count <= 0 or offset >= self.size:
            return b""
        if self._content is not None:
            return self._content[offset : offset + count]
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(min(count, self.size - offset))

    @functools.cached_property
    def tail(self) -> bytes:
        """The last bytes, up to 1 MB."""
        count = min(self.size, _TAIL)
        return self.bytes_at(self.size - count, count)

    def sidecar(self, *names: str) -> tuple[Path, str] | None:
        """Return path and text of the first of these files that lies beside; case is ignored."""
        for name in names:
            path = _beside(self.path, name)
            if path is None:
                continue
            with contextlib.suppress(OSError), path.open("rb") as file:
                return path, decode(file.read(_SIDECAR_LIMIT))
        return None

    def sidecar_bytes(self, *names: str) -> bytes:
        """Return the content of the first of these files that lies beside, else nothing."""
        for name in names:
            path = _beside(self.path, name)
            with contextlib.suppress(OSError):
                if path is not None and path.stat().st_size <= _LARGE_SIDECAR:
                    return path.read_bytes()
        return b""


def _beside(path: Path, name: str) -> Path | None:
    """Find a file of this name, in any case, in the folder of another."""
    exact = path.with_name(name)
    if exact.is_file():
        return exact if exact != path else None
    try:
        folder = path.parent.resolve()
        names = _names_in(str(folder), folder.stat().st_mtime_ns)
    except OSError:
        return None
    found = names.get(name.lower())
    return path.with_name(found) if found is not None and found != path.name else None


@functools.lru_cache(maxsize=8)
def _names_in(folder: str, changed: int) -> dict[str, str]:
    """List the names in a folder by lower case; kept until the folder changes."""
    return {name.lower(): name for name in os.listdir(folder)}


def container_of(head: bytes, size: int) -> str:
    """Tell the container from the first bytes; ``""`` when none is known."""
    for magic, container in _MAGIC:
        if head.startswith(magic):
            return container
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "raster"
    if head[4:8] == b"jP  ":
        return "raster"
    if head[:3] == b"\0\0\0" and head[3:4] in (b"\3", b"\4") and _is_dm(head):
        return "dm"
    return "mrc" if _is_mrc(head, size) else ""


_MAGIC: Final = (
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\xff\xd8\xff", "raster"),
    (b"\x89PNG\r\n\x1a\n", "raster"),
    (b"BM", "raster"),
    (b"GIF8", "raster"),
    (b"\xff\x4f\xff\x51", "raster"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"II\x97\x01", "ser"),
    (b"BZh", "elid"),
    (b"\x1f\x8b", "elid"),
)


def _is_dm(head: bytes) -> bool:
    """Tell DM3 and DM4 by the byte order word behind version and size."""
    at = 8 if head[3] == 3 else 12
    return head[at : at + 4] in (b"\0\0\0\0", b"\0\0\0\1")


def _is_mrc(head: bytes, size: int) -> bool:
    """Tell MRC by a header that makes sense; the stamp ``MAP`` may be missing."""
    if size < 1024 or len(head) < 1024:
        return False
    from napari_sem_tools.reading.mrc import header_makes_sense

    return header_makes_sense(head)


def _unopened(path: Path, error: Exception) -> UnreadableFile:
    """Say why a file did not open."""
    if not path.exists():
        return UnreadableFile(f"There is no file {path}.", hint="Check the path.")
    if path.is_dir():
        return UnreadableFile(f"{path.name} is a folder.", hint="Give a file in it.")
    return UnreadableFile(f"{path.name} cannot be opened: {error}.", hint="Check permissions.")


@contextlib.contextmanager
def library_errors(path: Path, what: str) -> Iterator[None]:
    """Turn what a library raises on damaged data into `UnreadableFile`."""
    try:
        yield
    except SemError:
        raise
    except MemoryError as error:
        raise UnreadableFile(
            f"{path.name} needs more memory than there is.", hint="Open a part of it."
        ) from error
    except Exception as error:
        raise UnreadableFile(
            f"{path.name} {what}.", hint="Copy it again from the microscope."
        ) from error


class _Silence(logging.Filter):
    """Drops the messages that a library logs on this thread."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self.thread


@contextlib.contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Keep libraries from logging what we find out and say ourselves."""
    silence = _Silence()
    for name in loggers:
        logging.getLogger(name).addFilter(silence)
    try:
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeFilter(silence)
