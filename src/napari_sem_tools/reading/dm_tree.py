"""The tree of tags in DM3 and DM4 files, flat, with large arrays left in the file."""

from __future__ import annotations

import mmap
import struct
from typing import Any, Final, NamedTuple

import numpy as np

from napari_sem_tools.reading.source import Source

__all__ = ["DataRef", "read_tree"]

_DEPTH: Final = 64
_MOST_TAGS: Final = 500_000
_SMALL_ARRAY: Final = 4096  # values; larger ones stay in the file
_GROUP, _DATA = 20, 21
_STRUCT, _STRING, _ARRAY = 15, 18, 20
# Kinds of numbers by DigitalMicrograph's numbers.
_KINDS: Final = {
    2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1",
    11: "i8", 12: "u8",
}  # fmt: skip


class DataRef(NamedTuple):
    """An array that stays in the file: offset and size in bytes, byte order."""

    offset: int
    size: int
    order: str


def read_tree(source: Source) -> dict[str, Any]:
    """Read all tags as ``{"ImageList.0.ImageData.DataType": 23, ...}``.

    Parameters
    ----------
    source : Source

    Returns
    -------
    dict
        Numbers, texts, tuples of numbers, and `DataRef` for large arrays.  Unnamed children
        are called by their place, from 0.

    Raises
    ------
    ValueError, struct.error
        The tree is damaged before the first image.

    References
    ----------
    The layout of DM3 and DM4 as published by users of the format (C. Boothroyd, "dm3 file
    format"; P. Cueva et al. for DM4).
    """
    with source.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as m:
        walker = _Walker(m, 4 if source.head[3] == 4 else 3)
        try:
            walker.group("", 0)
        except (ValueError, struct.error, IndexError):
            if not any(isinstance(value, DataRef) for value in walker.tags.values()):
                raise
        return walker.tags


class _Walker:
    """Reads the tree from front to back."""

    def __init__(self, content: mmap.mmap, version: int) -> None:
        self.content = content
        self.size = len(content)
        self.wide = version == 4
        self.at = 16 if self.wide else 12
        flag = struct.unpack_from(">I", content, self.at - 4)[0]
        self.order = "<" if flag == 1 else ">"
        self.tags: dict[str, Any] = {}
        self.seen = 0

    def number(self, kind: str) -> int:
        """Read one big-endian number of the structure."""
        value = int(struct.unpack_from(f">{kind}", self.content, self.at)[0])
        self.at += struct.calcsize(f">{kind}")
        return value

    def count(self) -> int:
        """Read a count: 8 bytes in DM4, 4 in DM3; it cannot exceed the file."""
        value = self.number("Q" if self.wide else "I")
        if value > self.size:
            raise ValueError(f"a count of {value}")
        return value

    def group(self, path: str, depth: int) -> None:
        """Read a group and what is in it."""
        if depth > _DEPTH:
            raise ValueError("nested too deeply")
        self.at += 2  # sorted, open
        for index in range(self.count()):
            self.seen += 1
            if self.seen > _MOST_TAGS:
                raise ValueError("too many tags")
            kind = self.number("B")
            length = self.number("H")
            name = bytes(self.content[self.at : self.at + length]).decode("latin-1")
            self.at += length
            if self.wide:
                self.at += 8  # bytes of the entry
            own = f"{path}.{name or index}" if path else name or str(index)
            if kind == _GROUP:
                self.group(own, depth + 1)
            elif kind == _DATA:
                self.tags[own] = self.value()
            elif kind == 0:
                return
            else:
                raise ValueError(f"an entry of kind {kind}")

    def value(self) -> Any:
        """Read the value of an entry."""
        if bytes(self.content[self.at : self.at + 4]) != b"%%%%":
            raise ValueError("a value without its mark")
        self.at += 4
        words = self.count()
        if words > 100_000 or self.at + words > self.size:
            raise ValueError(f"a description of {words} words")
        info = [self.number("Q" if self.wide else "I") for _ in range(words)]
        if not info:
            raise ValueError("a value without description")
        if info[0] in _KINDS:
            return self.take(np.dtype(self.order + _KINDS[info[0]]), 1)[0].item()
        if info[0] == _STRUCT:
            return self.structure(self.fields(info[1:]))
        if info[0] == _STRING:
            return self.text(info[1])
        if info[0] == _ARRAY:
            return self.array(info)
        raise ValueError(f"a value of kind {info[0]}")

    def fields(self, info: list[int]) -> list[str]:
        """List the kinds of numbers of a structure: length of name, fields, (length, kind)*."""
        return [
            _KINDS[kind] if kind in _KINDS else _unknown(kind) for kind in info[3::2][: info[1]]
        ]

    def structure(self, kinds: list[str]) -> tuple[float, ...]:
        """Read the numbers of a structure."""
        return tuple(self.take(np.dtype(self.order + kind), 1)[0].item() for kind in kinds)

    def text(self, units: int) -> str:
        """Read a text of 16-bit units."""
        content = self.bytes(2 * units)
        return content.decode("utf-16-le" if self.order == "<" else "utf-16-be", "replace")

    def array(self, info: list[int]) -> Any:
        """Read an array; texts and small ones whole, large ones as reference."""
        length = info[-1]
        if info[1] == _STRUCT:
            item = sum(np.dtype(kind).itemsize for kind in self.fields(info[2:-1]))
            kind = "u1"
            length *= max(item, 1)
        elif info[1] in _KINDS:
            kind = _KINDS[info[1]]
        else:
            raise ValueError(f"an array of kind {info[1]}")
        dtype = np.dtype(self.order + kind)
        size = length * dtype.itemsize
        if length > _SMALL_ARRAY or dtype.kind == "f" or info[1] == _STRUCT or self._is_data():
            reference = DataRef(self.at, min(size, self.size - self.at), self.order)
            self.at += size
            return reference
        if kind == "u2":
            units = self.bytes(size)
            return units.decode("utf-16-le" if self.order == "<" else "utf-16-be", "replace")
        return tuple(self.take(dtype, length).tolist())

    def _is_data(self) -> bool:
        """Tell whether the entry is called ``Data``, so that small images stay arrays."""
        return bytes(self.content[max(0, self.at - 120) : self.at]).find(b"\x00\x04Data") >= 0

    def take(self, dtype: np.dtype[Any], count: int) -> Any:
        """Read numbers."""
        return np.frombuffer(self.bytes(count * dtype.itemsize), dtype)

    def bytes(self, count: int) -> bytes:
        """Read bytes; all must be there."""
        content = bytes(self.content[self.at : self.at + count])
        if len(content) < count:
            raise ValueError("the end of the file in a value")
        self.at += count
        return content


def _unknown(kind: int) -> str:
    """Refuse a number of an unknown kind."""
    raise ValueError(f"a number of kind {kind}")
