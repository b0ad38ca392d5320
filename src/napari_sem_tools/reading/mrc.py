"""MRC and CCP4 maps: header with cell, grid and axis order, pixels behind it."""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.reading import pixels as px
from napari_sem_tools.reading.source import Source, library_errors
from napari_sem_tools.reading.statement import Picture, Pixels, Statement
from napari_sem_tools.reading.text import decode
from napari_sem_tools.reading.tiffpages import check_size

__all__ = ["header_makes_sense", "read", "sniff"]

_HEAD: Final = 1024
_MODES: Final = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2"}
_KNOWN_MODES: Final = (*_MODES, 3, 101)
_LARGEST_SIDE: Final = 1 << 20
_IMOD_STAMP: Final = 1146047817
_NM_PER_ANGSTROM: Final = 0.1
_DEFAULT_NM: Final = 0.1  # 1 Angstrom: what programs write that do not know


class _Header(NamedTuple):
    """What the header says."""

    shape: tuple[int, int, int]  # sections, rows, columns
    mode: int
    grid: tuple[int, int, int]
    cell: tuple[float, float, float]
    axes: tuple[int, int, int]
    extended: int
    order: str
    unsigned: bool
    labels: list[str]


def header_makes_sense(head: bytes) -> bool:
    """Tell whether 1024 bytes can be the header of an MRC file, stamped or not."""
    return _order(head) is not None


def _order(head: bytes) -> str | None:
    """Return the byte order in which the header makes sense, else None."""
    if len(head) < _HEAD:
        return None
    for order in "<>":
        *sides, mode = struct.unpack_from(f"{order}4i", head)
        if mode not in _KNOWN_MODES or not all(0 < side <= _LARGEST_SIDE for side in sides):
            continue
        grid = struct.unpack_from(f"{order}3i", head, 28)
        axes = struct.unpack_from(f"{order}3i", head, 64)
        plain = sorted(axes) in ([0, 0, 0], [1, 2, 3]) and all(
            0 <= side <= _LARGEST_SIDE for side in grid
        )
        if plain or head[208:211] == b"MAP":
            return order
    return None


def sniff(source: Source) -> bool:
    """Take any MRC."""
    return source.container == "mrc"


def read(source: Source) -> list[Picture]:
    """List the one picture or stack of the map.

    Raises
    ------
    UnreadableFile
        The header is damaged or the pixels are of a kind that is no picture.
    """
    with library_errors(source.path, "is a damaged MRC file"):
        head = _header(source)
    if head.mode not in _MODES:
        raise UnreadableFile(
            f"{source.path.name} holds MRC mode {head.mode}, which cannot be shown.",
            hint="Convert it to 16 bit or float.",
        )

    def load() -> Pixels:
        return _load(source, head)

    return [Picture(load, (_describe(source, head),), head.shape[1:], 0, head.shape[0])]


def _header(source: Source) -> _Header:
    """Read the header."""
    head = source.head
    order = _order(head) or "<"
    columns, rows, sections, mode = struct.unpack_from(f"{order}4i", head)
    extended = struct.unpack_from(f"{order}i", head, 92)[0]
    stamp, flags = struct.unpack_from(f"{order}2i", head, 152)
    count = max(0, min(10, struct.unpack_from(f"{order}i", head, 220)[0]))
    labels = [decode(head[224 + 80 * i : 304 + 80 * i]).strip() for i in range(count)]
    return _Header(
        (sections, rows, columns),
        mode,
        struct.unpack_from(f"{order}3i", head, 28),
        struct.unpack_from(f"{order}3f", head, 40),
        struct.unpack_from(f"{order}3i", head, 64),
        max(0, extended),
        order,
        stamp == _IMOD_STAMP and not flags & 1,
        labels,
    )


def _load(source: Source, head: _Header) -> Pixels:
    """Decode the sections."""
    kind = "u1" if head.mode == 0 and head.unsigned else _MODES[head.mode]
    dtype = np.dtype(head.order + kind)
    start = _HEAD + head.extended
    check_size(source, head.shape, dtype.itemsize, stored=max(0, source.size - start))
    count = int(np.prod(head.shape, dtype=np.int64))
    with library_errors(source.path, "has damaged pixels"):
        array: NDArray[Any] = np.fromfile(source.path, dtype, count=count, offset=start)
        array = px.native(array.reshape(head.shape))
    return Pixels(array[0], "YX") if head.shape[0] == 1 else Pixels(array, "NYX")


def _describe(source: Source, head: _Header) -> Statement:
    """Make the statement: the cell over the grid, along the axes of columns and rows."""
    axes = head.axes if sorted(head.axes) == [1, 2, 3] else (1, 2, 3)
    sides = []
    for place in (axes[1], axes[0], axes[2]):
        cell, grid = head.cell[place - 1], head.grid[place - 1]
        sides.append(cell / grid * _NM_PER_ANGSTROM if grid > 0 and cell > 0 else None)
    y, x, z = sides
    notes: tuple[str, ...] = ()
    evidence = f"MRC cell {head.cell[axes[0] - 1]:.6g} A / grid {head.grid[axes[0] - 1]}"
    size = (y, x) if y is not None and x is not None else None
    if size is None:
        stated = " x ".join(f"{side:g}" for side in head.cell[:2])
        notes = (
            f"The MRC header states a cell of {stated} A: its writer did not know; uncalibrated.",
        )
    elif x is not None and abs(x - _DEFAULT_NM) < 1e-9 and head.grid == head.shape[::-1]:
        notes = ("A pixel of exactly 1 A is what many programs write that do not know; check it.",)
    return Statement(
        "MRC",
        "MRC",
        {
            "frame_spacing": z if head.shape[0] > 1 else None,
            "frame_unit": "nm" if z is not None and head.shape[0] > 1 else None,
            "comment": head.labels[0] if head.labels else None,
        },
        {"MRC": head._asdict()},
        pixel_size=size,
        evidence=evidence,
        notes=notes,
    )
