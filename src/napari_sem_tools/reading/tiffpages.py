"""Pictures of a TIFF: pages to stacks, tags as bytes, pixels by tifffile."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.reading import pixels as px
from napari_sem_tools.reading.source import Source, library_errors, quiet
from napari_sem_tools.reading.statement import Picture, Pixels, Statement
from napari_sem_tools.reading.text import decode, full_date, split_lines

__all__ = ["Page", "check_size", "has_tag", "read_tiff"]

MAX_BYTES: Final = 16 << 30
"""Largest picture in bytes that is read into memory."""

MAP_FROM_PX: Final = 64_000_000
"""Pixels from which an uncompressed picture is mapped from the file, not read into memory."""

_LOG: Final = logging.getLogger("napari_sem_tools.reading")
_MAX_TAG: Final = 16 << 20  # bytes of a tag that are looked at
_MAX_RATIO: Final = {1: 1.0, 5: 1500, 8: 1100, 32946: 1100, 32773: 130}  # by compression
_ANY_RATIO: Final = 50_000  # LERC, WebP, zstd: constant tiles shrink without bound
_LOSSY: Final = {6, 7, 33003, 33004, 33005, 34933, 50001, 34892, 34887}
_PALETTE, _WHITE_IS_ZERO, _YCBCR = 3, 0, 6

Describe = Callable[["Page"], Statement]


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of a TIFF, or a picture of another container: size and tags.

    Attributes
    ----------
    source : Source
    shape : (int, int)
        Rows and columns.
    ifd : tifffile.TiffPage or None
        None for containers without tags.
    info : dict
        What containers without tags say.
    """

    source: Source
    shape: tuple[int, int]
    ifd: Any = None
    info: dict[str, Any] = dataclasses.field(default_factory=dict)

    def has(self, *codes: int) -> bool:
        """Tell whether one of the tags is there."""
        return self.ifd is not None and any(code in self.ifd.tags for code in codes)

    def raw(self, code: int) -> bytes:
        """Return the bytes of a tag; empty when it is missing or outside of the file."""
        tag = self.ifd.tags.get(code) if self.ifd is not None else None
        if tag is None:
            return b""
        count = min(int(tag.valuebytecount), _MAX_TAG)
        return self.source.bytes_at(int(tag.valueoffset), count)

    def text(self, code: int) -> str:
        """Return a tag as text, whatever its type and encoding."""
        return decode(self.raw(code))

    def value(self, code: int) -> Any:
        """Return the value of a tag as tifffile reads it, or None."""
        tag = self.ifd.tags.get(code) if self.ifd is not None else None
        try:
            with quiet("tifffile"):
                return None if tag is None else tag.value
        except Exception:  # noqa: BLE001  a damaged tag is no tag
            return None

    def standard_tags(self) -> dict[str, Any]:
        """List the texts of TIFF's own tags that say something of the picture."""
        names = {270: "ImageDescription", 271: "Make", 272: "Model", 305: "Software",
                 306: "DateTime", 315: "Artist", 316: "HostComputer"}  # fmt: skip
        found = {name: self.text(code).strip() for code, name in names.items() if self.has(code)}
        return {name: text for name, text in found.items() if text}

    def date(self) -> str | None:
        """Return TIFF's DateTime as ISO 8601."""
        return full_date(split_lines(self.text(306))[0]) if self.has(306) else None


def has_tag(source: Source, *codes: int) -> bool:
    """Tell whether the first pages of a TIFF carry one of the tags."""
    return any(code in page.tags for page in first_pages(source) for code in codes)


def first_pages(source: Source, count: int = 4) -> list[Any]:
    """Return the first pages that can be parsed."""
    pages: list[Any] = []
    with quiet("tifffile"):
        for index in range(count):
            try:
                pages.append(source.tiff.pages[index])
            except (IndexError, ValueError, KeyError, TypeError, RuntimeError, OverflowError):
                break
            except Exception as error:  # tifffile's own and struct.error
                if index == 0 and isinstance(error, UnreadableFile):
                    raise
                break
    return pages


def read_tiff(
    source: Source, describe: Describe, *, colour_is_display: bool = False
) -> list[Picture]:
    """List the pictures of a TIFF: neighbouring pages of one kind and scale form a stack.

    Parameters
    ----------
    source : Source
    describe : callable
        Makes the `Statement` of a page.
    colour_is_display : bool
        True where palettes only colour what is seen.

    Returns
    -------
    list of Picture

    Raises
    ------
    UnreadableFile
        No page can be parsed.
    """
    with library_errors(source.path, "is no readable TIFF"), quiet("tifffile"):
        pages = _parsed(source)
        entries = [
            (index, ifd, _described(Page(source, _size(ifd), ifd), describe))
            for index, ifd in enumerate(pages)
            if not ifd.is_reduced and _size(ifd) != (0, 0)
        ]
    if not entries:
        raise UnreadableFile(
            f"{source.path.name} holds no picture.", hint="Copy it again from the microscope."
        )
    runs: list[list[tuple[int, Any, Statement]]] = []
    for entry in entries:
        if runs and _belongs(runs[-1][-1], entry):
            runs[-1].append(entry)
        else:
            runs.append([entry])
    return [_picture(source, run, colour_is_display) for run in runs]


def _described(page: Page, describe: Describe) -> Statement:
    """Make the statement of a page; a fault in the metadata costs the scale, not the picture."""
    from napari_sem_tools.reading import imagej

    try:
        said = describe(page)
    except Exception as error:  # noqa: BLE001  whatever a damaged text makes of a parser
        _LOG.info("Metadata of %s could not be read", page.source.path, exc_info=error)
        return Statement(
            "unknown", "TIFF", {}, {"TIFF": page.standard_tags()}, origin="none",
            notes=("The metadata are damaged and were not read; the image is uncalibrated.",),
        )  # fmt: skip
    if said.vendor == "ImageJ" or not imagej.is_imagej(page):
        return said
    return imagej.prefer(imagej.describe(page), said)


def _parsed(source: Source) -> list[Any]:
    """Parse all pages; what follows a damaged directory is lost, the first page must be whole."""
    from tifffile import TiffPage

    pages: list[Any] = []
    for index in range(len(source.tiff.pages)):
        try:
            page = source.tiff.pages[index]
        except Exception:
            if index == 0:
                raise
            break
        if isinstance(page, TiffPage):
            pages.append(page)
    return pages


def _size(ifd: Any) -> tuple[int, int]:
    """Return rows and columns as they are once the picture is upright."""
    rows, columns = int(ifd.imagelength), int(ifd.imagewidth)
    return (columns, rows) if _orientation(ifd) in (5, 6, 7, 8) else (rows, columns)


def _orientation(ifd: Any) -> int:
    """Return tag 274; 1 when it is missing or senseless."""
    tag = ifd.tags.get(274)
    try:
        value = 1 if tag is None else int(tag.value)
    except (TypeError, ValueError):
        return 1
    return value if 1 <= value <= 8 else 1


def _belongs(one: tuple[int, Any, Statement], other: tuple[int, Any, Statement]) -> bool:
    """Tell whether two pages are of one stack: neighbours of one kind and scale."""
    (first, a, said), (second, b, says) = one, other
    alike = all(
        getattr(a, name, None) == getattr(b, name, None)
        for name in ("shape", "dtype", "photometric", "samplesperpixel", "bitspersample")
    )
    return (
        alike
        and second == first + 1
        and _orientation(a) == _orientation(b)
        and said.pixel_size == says.pixel_size
        and said.reciprocal == says.reciprocal
    )


def _picture(
    source: Source, run: Sequence[tuple[int, Any, Statement]], colour_is_display: bool
) -> Picture:
    """Make a picture of the pages of a run."""
    first, ifd, _ = run[0]

    def load() -> Pixels:
        return _load(source, [entry[1] for entry in run], colour_is_display)

    statements = tuple(entry[2] for entry in run)
    return Picture(load, statements, _size(ifd), first, len(run))


def check_size(source: Source, shape: Sequence[int], itemsize: int, *, stored: int | None) -> None:
    """Refuse a picture that cannot be in the file or not in memory, before reading it.

    Parameters
    ----------
    source : Source
    shape : sequence of int
        Of the array to make.
    itemsize : int
        Bytes of a value.
    stored : int or None
        Bytes that the file can unpack to at most; None: no such bound.

    Raises
    ------
    UnreadableFile
    """
    needed = itemsize
    for side in shape:
        needed *= int(side)
    size = " x ".join(str(int(side)) for side in reversed(shape))
    if needed > MAX_BYTES:
        raise UnreadableFile(
            f"{source.path.name} says it has {size} px, which is more than {MAX_BYTES >> 30} GiB.",
            hint="Crop it, or check that the file is whole.",
        )
    if stored is not None and needed > stored:
        raise UnreadableFile(
            f"{source.path.name} says it has {size} px, but the file holds too few bytes for that.",
            hint="Copy it again from the microscope.",
        )


def _check_page(source: Source, ifd: Any, count: int) -> None:
    """Check that the data of a page lie in the file and can unpack to its size."""
    ratio = _MAX_RATIO.get(int(ifd.compression), _ANY_RATIO)
    stored = int(source.size * ratio * (8 if ifd.bitspersample < 8 else 1)) + 64
    check_size(source, (count, *ifd.shape), max(1, ifd.dtype.itemsize), stored=None)
    counts, offsets = ifd.databytecounts, ifd.dataoffsets
    if not offsets or len(offsets) != len(counts):
        raise UnreadableFile(
            f"{source.path.name} does not say where its pixels are.",
            hint="Copy it again from the microscope.",
        )
    whole = sum(
        o > 0 and c > 0 and o + c <= source.size for o, c in zip(offsets, counts, strict=True)
    )
    if whole < len(offsets):
        rows = _whole_rows(source, ifd, whole)
        raise UnreadableFile(
            f"{source.path.name} ends after {rows} of {ifd.imagelength} rows.",
            hint="Copy it again from the microscope.",
        )
    check_size(source, ifd.shape, max(1, ifd.dtype.itemsize), stored=stored)


def _whole_rows(source: Source, ifd: Any, whole: int) -> int:
    """Count the rows that are in the file."""
    if len(ifd.dataoffsets) == 1 and ifd.dataoffsets[0] > 0 and int(ifd.compression) == 1:
        row = max(1, int(ifd.databytecounts[0]) // max(1, int(ifd.imagelength)))
        return max(0, min(int(ifd.imagelength), (source.size - int(ifd.dataoffsets[0])) // row))
    return int(ifd.imagelength) * whole // len(ifd.dataoffsets)


def _load(source: Source, ifds: Sequence[Any], colour_is_display: bool) -> Pixels:
    """Decode the pages of a stack into one array of grey."""
    with library_errors(source.path, "has damaged pixels"), quiet("tifffile"):
        for ifd in ifds:
            _check_page(source, ifd, len(ifds))
        mapped = _mapped(source, ifds)
        if mapped is not None:
            return Pixels(mapped)
        planes = [px.native(np.asarray(ifd.asarray())) for ifd in ifds]
        return as_pixels(
            planes[0] if len(planes) == 1 else np.stack(planes),
            ifds[0],
            stacked=len(planes) > 1,
            colour_is_display=colour_is_display,
        )


def _mapped(source: Source, ifds: Sequence[Any]) -> NDArray[Any] | None:
    """Map a huge plain picture from the file instead of reading it."""
    ifd = ifds[0]
    plain = (
        len(ifds) == 1
        and int(np.prod(ifd.shape)) >= MAP_FROM_PX
        and ifd.is_memmappable
        and ifd.ndim == 2
        and int(ifd.photometric) == 1
        and _orientation(ifd) == 1
    )
    if not plain:
        return None
    return np.memmap(
        source.path,
        dtype=ifd.dtype.newbyteorder(ifd.parent.byteorder),
        mode="r",
        offset=int(ifd.dataoffsets[0]),
        shape=ifd.shape,
    )


def as_pixels(array: NDArray[Any], ifd: Any, *, stacked: bool, colour_is_display: bool) -> Pixels:
    """Bring decoded pages to grey or colour: palette, channels, sign, orientation."""
    axes = ("N" if stacked else "") + ifd.axes
    if "S" in axes:
        array = np.moveaxis(array, axes.index("S"), -1)
    if "Z" in axes:  # tiles with depth
        array = array.reshape(-1, *array.shape[axes.index("Z") + 1 :])
    lossy = int(ifd.compression) in _LOSSY
    orientation = _orientation(ifd)
    notes: list[str] = []
    table = ifd.colormap
    if "S" in axes:
        array, exchanged = _turned(array, orientation)
        found = px.from_channels(array, lossy=lossy)
    else:
        array, exchanged = px.turn_upright(array, orientation)
        if int(ifd.photometric) == _PALETTE and table is not None and array.dtype.kind == "u":
            scale = 8 if table.max(initial=0) > 255 else 0  # some writers forget the 16 bits
            found = px.from_palette(array, (table >> scale).T, colour_is_display=colour_is_display)
        elif int(ifd.photometric) == _WHITE_IS_ZERO:
            found = Pixels(px.white_is_zero(array, _bits(ifd)))
            notes.append("White is stored as 0 in this file; the grey values were inverted.")
        else:
            found = Pixels(array)
    if orientation != 1:
        notes.append(f"The picture was turned upright (TIFF orientation {orientation}).")
    if lossy:
        notes.append("Compressed with loss: fine detail and edges of letters are altered.")
    axes = found.axes if found.axes == "YXC" else ("NYX" if found.array.ndim == 3 else "YX")
    return dataclasses.replace(
        found, axes=axes, lossy=lossy or None, transposed=exchanged, notes=(*found.notes, *notes)
    )


def _bits(ifd: Any) -> int:
    """Return the bits of a value; tifffile unpacks 1 bit to bool, which is now 8 bit."""
    return 8 if ifd.bitspersample == 1 else int(ifd.bitspersample)


def _turned(array: NDArray[Any], orientation: int) -> tuple[NDArray[Any], bool]:
    """Turn a colour picture upright."""
    turned, exchanged = px.turn_upright(np.moveaxis(array, -1, 0), orientation)
    return np.moveaxis(turned, 0, -1), exchanged
