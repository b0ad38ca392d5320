"""Phenom ELID projects: a compressed stream that holds the TIFF of each analysis."""

from __future__ import annotations

import bz2
import struct
import zlib
from typing import Final

from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.reading import phenom
from napari_sem_tools.reading.source import Source, library_errors
from napari_sem_tools.reading.statement import Picture
from napari_sem_tools.reading.tiffpages import read_tiff

__all__ = ["read", "sniff"]

_MAGIC: Final = b"EID"
_MOST_BYTES: Final = 2 << 30
_PIECE: Final = 1 << 18
_FIRST_BLOCK: Final = 2 << 20  # bytes that a first block of bzip2 takes at most, and more
_TIFF: Final = b"II*\0"
_MOST_PICTURES: Final = 200


def sniff(source: Source) -> bool:
    """Tell an ELID project by the first bytes of its stream."""
    machine = _decompressor(source)
    try:
        for start in range(0, _FIRST_BLOCK, _PIECE):
            first = machine.decompress(source.bytes_at(start, _PIECE), len(_MAGIC))
            if first:
                return first[: len(_MAGIC)] == _MAGIC
    except (OSError, EOFError, ValueError, zlib.error):
        return False
    return False


def _decompressor(source: Source) -> bz2.BZ2Decompressor | zlib._Decompress:
    """Return what unpacks the stream."""
    if source.head.startswith(b"BZh"):
        return bz2.BZ2Decompressor()
    return zlib.decompressobj(wbits=31)


def read(source: Source) -> list[Picture]:
    """List the pictures of the project that carry Phenom's XML.

    Raises
    ------
    UnreadableFile
        The stream is damaged, or holds no picture.
    """
    with library_errors(source.path, "is a damaged ELID project"):
        content = _unpacked(source)
    pictures: list[Picture] = []
    at = content.find(_TIFF)
    while at >= 4 and len(pictures) < _MOST_PICTURES:
        length = struct.unpack_from("<I", content, at - 4)[0]
        body = content[at : at + length]
        if b"<FeiImage" in body:
            pictures += read_tiff(Source.of_bytes(source.path, body), phenom.describe)
            at += length
        at = content.find(_TIFF, at + 4)
    if not pictures:
        raise UnreadableFile(
            f"{source.path.name} holds no picture.", hint="Export the images as TIFF."
        )
    return pictures


def _unpacked(source: Source) -> bytes:
    """Unpack the stream, up to 2 GiB."""
    machine = _decompressor(source)
    parts: list[bytes] = []
    total = 0
    with source.path.open("rb") as file:
        while piece := file.read(_PIECE):
            if machine.eof:
                break
            part = machine.decompress(piece)
            total += len(part)
            if total > _MOST_BYTES:
                raise UnreadableFile(
                    f"{source.path.name} unpacks to more than {_MOST_BYTES >> 30} GiB.",
                    hint="Export the images as TIFF.",
                )
            parts.append(part)
    return b"".join(parts)
