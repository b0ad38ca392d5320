"""What a function takes as an image: a path, a record, a napari layer, an array."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from napari_sem_tools.calibration import calibrate
from napari_sem_tools.errors import InvalidSettings, UnreadableFile
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading.formats import SUFFIXES
from napari_sem_tools.reading.layer_scale import calibration_of
from napari_sem_tools.reading.reader import read
from napari_sem_tools.reading.text import decode

__all__ = ["as_micrograph", "list_files"]

_PATH_COLUMNS: Final = ("path", "file", "image", "filename", "source")
_NOT_IMAGES: Final = (".txt", ".hdr", ".emi", ".csv")


def as_micrograph(
    thing: Any, *, pixel_size: float | tuple[float, float] | None = None
) -> Micrograph:
    """Make a Micrograph of whatever was given as an image.

    Parameters
    ----------
    thing : path-like, Micrograph, napari Image layer or array
        A layer is known by its attributes ``data``, ``scale`` and ``metadata``.  An array is
        ``(Y, X)``, ``(N, Y, X)`` or ``(Y, X, 3)`` and uncalibrated.
    pixel_size : float or (float, float), optional
        Typed size of a pixel in nm, (y, x) if it is not square.

    Returns
    -------
    Micrograph

    Raises
    ------
    InvalidSettings
        It is no image.
    UnreadableFile, UnknownFormat, MissingExtra
        As `read`.

    Examples
    --------
    >>> import numpy as np
    >>> as_micrograph(np.zeros((4, 6)), pixel_size=2.5).calibration.pixel_size
    (2.5, 2.5)
    """
    if isinstance(thing, str | os.PathLike):
        return read(thing, pixel_size=pixel_size)
    if isinstance(thing, Micrograph):
        image = thing
    elif hasattr(thing, "data") and hasattr(thing, "scale") and hasattr(thing, "metadata"):
        image = _from_layer(thing)
    else:
        image = _from_array(thing)
    return image if pixel_size is None else calibrate(image, pixel_size=pixel_size)


def _from_array(thing: Any) -> Micrograph:
    """Wrap an array; three or four channels last are colour."""
    pixels = thing if hasattr(thing, "ndim") and hasattr(thing, "dtype") else np.asarray(thing)
    if pixels.dtype.kind not in "buifc":
        raise InvalidSettings(
            f"An array of type {pixels.dtype} is no image.", hint="Pass numbers, (Y, X)."
        )
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise InvalidSettings(
            f"An array of shape {tuple(pixels.shape)} is no image.",
            hint="Pass (Y, X), a stack (N, Y, X) or colour (Y, X, 3).",
        )
    if pixels.dtype.kind == "b":
        pixels = np.asarray(pixels).astype(np.uint8)
    colour = pixels.ndim == 3 and pixels.shape[-1] in (3, 4) and pixels.shape[0] > 4
    if not colour:
        return _with_finite_field(Micrograph(pixels))
    return Micrograph(pixels[..., :3], axes="YXC")


def _with_finite_field(image: Micrograph) -> Micrograph:
    """Leave NaN and infinite pixels out of the field."""
    from napari_sem_tools.reading.pixels import not_finite

    bad = not_finite(np.asarray(image.pixels)) if image.pixels.dtype.kind in "fc" else None
    return image if bad is None else image.replace(field=image.field & ~bad)


def _from_layer(layer: Any) -> Micrograph:
    """Read a napari layer by its attributes; the record it carries comes first."""
    record = layer.metadata.get("sem") if isinstance(layer.metadata, dict) else None
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    image = _from_array(data)
    if isinstance(record, Micrograph) and record.shape == image.shape:
        return record.replace(
            pixels=image.pixels, axes=image.axes, calibration=calibration_of(layer)
        )
    source = getattr(getattr(layer, "source", None), "path", None)
    return image.replace(calibration=calibration_of(layer), source=Path(source) if source else None)


def list_files(inputs: Any) -> list[Path]:
    """List the image files that paths, folders, patterns and lists of paths stand for.

    Parameters
    ----------
    inputs : path-like or iterable of path-like
        Files, folders (their images, not deeper), patterns (``"run*/*.tif"``), or CSV files
        with a column ``path`` (else the first) of paths, relative to the CSV.

    Returns
    -------
    list of Path
        Each file once, folders and patterns in natural order of names.

    Raises
    ------
    UnreadableFile
        One of them does not exist or stands for no image.
    """
    if isinstance(inputs, str | os.PathLike):
        inputs = [inputs]
    if not isinstance(inputs, Iterable):
        raise InvalidSettings(f"{inputs!r} is no path.", hint="Give files, folders or patterns.")
    files: dict[Path, None] = {}
    for item in inputs:
        if not isinstance(item, str | os.PathLike):
            raise InvalidSettings(f"{item!r} is no path.", hint="Give files, folders or patterns.")
        files |= dict.fromkeys(_files_of(Path(item)))
    return list(files)


def _files_of(path: Path) -> Sequence[Path]:
    """List the files that one input stands for."""
    if path.is_dir():
        found = _natural(p for p in path.iterdir() if _may_be_image(p))
        if not found:
            raise UnreadableFile(f"There is no image in {path}.", hint="Check the folder.")
        return found
    if path.is_file():
        return _from_csv(path) if path.suffix.lower() == ".csv" else [path]
    pattern = str(path)
    if glob.has_magic(pattern):
        found = _natural(
            p for p in map(Path, glob.glob(pattern, recursive=True))
            if p.is_file() and p.suffix.lower() not in _NOT_IMAGES
        )  # fmt: skip
        if found:
            return found
        raise UnreadableFile(f"No file matches {pattern}.", hint="Check the pattern.")
    raise UnreadableFile(f"There is no file {path}.", hint="Check the path.")


def _may_be_image(path: Path) -> bool:
    """Tell by its ending whether a file in a folder is taken; hidden ones are not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _natural(paths: Iterable[Path]) -> list[Path]:
    """Sort names as people count: image2 before image10."""
    import re

    def key(path: Path) -> list[tuple[int, int, str]]:
        parts = re.split(r"(\d+)", str(path).lower())
        return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]

    return sorted(paths, key=key)


def _from_csv(path: Path) -> list[Path]:
    """Read the paths of a CSV."""
    try:
        rows = list(csv.reader(decode(path.read_bytes()).splitlines()))
    except (OSError, csv.Error) as error:
        raise UnreadableFile(f"{path.name} is no readable CSV.", hint="Save it again.") from error
    rows = [row for row in rows if row and any(cell.strip() for cell in row)]
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((head.index(name) for name in _PATH_COLUMNS if name in head), None)
    body = rows if column is None else rows[1:]
    names = [row[column or 0].strip() for row in body if len(row) > (column or 0)]
    files = [path.parent / name for name in names if name]
    if not any(file.is_file() for file in files):  # a single one fails when its turn comes
        what = f"{path.name} names no file" + (f" that exists: {files[0]}." if files else ".")
        raise UnreadableFile(what, hint="The paths stand in a column called path.")
    return files
