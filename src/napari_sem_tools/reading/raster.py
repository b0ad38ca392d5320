"""PNG, JPEG, BMP and other plain pictures, read through Pillow and imagecodecs."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.reading import pixels as px
from napari_sem_tools.reading.source import Source, library_errors
from napari_sem_tools.reading.statement import Picture, Pixels, Statement
from napari_sem_tools.reading.tiffpages import Page, check_size

__all__ = ["pictures", "read_raster"]

_FORMATS: Final = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "JPEG2000", "MPO")
_LOSSY: Final = {"JPEG", "MPO"}
_MODE_BYTES: Final = {"I": 4, "F": 4, "I;16": 2, "I;16B": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}
_EXIF_ORIENTATION: Final = 274
_EXIF_DATE: Final = 306


def pictures(source: Source, describe: Callable[[Page], Statement]) -> list[Picture]:
    """List the pictures of a TIFF or of a plain picture with one description."""
    from napari_sem_tools.reading.tiffpages import read_tiff

    if source.container == "tiff":
        return read_tiff(source, describe)
    return read_raster(source, describe)


def read_raster(source: Source, describe: Callable[[Page], Statement]) -> list[Picture]:
    """List the one picture of a PNG, JPEG, BMP, GIF, WebP or JPEG 2000.

    Raises
    ------
    UnreadableFile
        The header is damaged or says a size that cannot be.
    """
    with library_errors(source.path, "is damaged"), _open(source) as image:
        columns, rows = image.size
        info = {
            str(k): v for k, v in image.info.items() if isinstance(v, str | int | float | tuple)
        }
        orientation, date = _exif(image)
        info |= {"container": str(image.format)}
        if date:
            info["DateTime"] = date
    if orientation in (5, 6, 7, 8):
        rows, columns = columns, rows
    page = Page(source, (rows, columns), info=info)

    def load() -> Pixels:
        return _load(source, orientation)

    return [Picture(load, (describe(page),), (rows, columns))]


def _open(source: Source) -> Any:
    """Open with Pillow, without decoding and without its own limit of size."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(source.path, formats=_FORMATS)
        except Image.DecompressionBombError as error:
            raise UnreadableFile(
                f"{source.path.name} says it is larger than can be read.", hint="Crop it."
            ) from error


def _exif(image: Any) -> tuple[int, str]:
    """Return orientation and date of the camera's header."""
    try:
        exif = image.getexif()
        value = int(exif.get(_EXIF_ORIENTATION, 1))
        return (value if 1 <= value <= 8 else 1), str(exif.get(_EXIF_DATE, "") or "")
    except Exception:  # noqa: BLE001  a damaged camera header costs nothing
        return 1, ""


def _load(source: Source, orientation: int) -> Pixels:
    """Decode and bring to grey or colour."""
    notes: list[str] = []
    with library_errors(source.path, "has damaged pixels"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _open(source) as image:
            columns, rows = image.size
            stored = source.size * 5000 + (1 << 16)  # GIF and PNG shrink constants a lot
            check_size(source, (rows, columns), _MODE_BYTES.get(image.mode, 1), stored=stored)
            lossy = image.format in _LOSSY
            table = _table(image)
            array = _decoded(source, image)
        if table is not None:
            array, exchanged = px.turn_upright(array, orientation)
            found = px.from_palette(array, table)
        elif array.ndim == 3:
            turned, exchanged = px.turn_upright(np.moveaxis(array, -1, 0), orientation)
            found = px.from_channels(np.moveaxis(turned, 0, -1), lossy=lossy)
        else:
            array, exchanged = px.turn_upright(array, orientation)
            found = Pixels(array)
    if orientation != 1:
        notes.append(f"The picture was turned upright (orientation {orientation}).")
    if lossy:
        notes.append("Compressed with loss: fine detail and edges of letters are altered.")
    return dataclasses.replace(
        found, lossy=lossy or None, transposed=exchanged, notes=(*found.notes, *notes)
    )


def _table(image: Any) -> NDArray[Any] | None:
    """Return the palette (entries, 3), or None."""
    if image.mode != "P":
        return None
    image.load()
    colours = image.getpalette("RGB") or []
    return np.asarray(colours, np.uint8).reshape(-1, 3) if colours else None


def _decoded(source: Source, image: Any) -> NDArray[Any]:
    """Return the pixels in the depth of the file."""
    if image.format == "PNG" and source.head[24:25] == b"\x10":
        import imagecodecs  # Pillow cuts 16 bit colour to 8

        return px.native(np.asarray(imagecodecs.png_decode(source.path.read_bytes())))
    if image.mode == "CMYK":
        image = image.convert("RGB")
    array = np.asarray(image)
    if image.mode == "1":
        return array.astype(np.uint8) * np.uint8(255)
    return px.native(array)
