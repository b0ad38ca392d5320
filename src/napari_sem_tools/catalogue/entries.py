"""One file, looked at: its metadata, focus, thumbnail and vector."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.catalogue.records import VectorSource
from napari_sem_tools.errors import Cancelled, SemError, UnreadableFile
from napari_sem_tools.files import json_text
from napari_sem_tools.focus import FocusScore, focus
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading import read
from napari_sem_tools.tasks import Cancel, stop_if_cancelled

__all__ = ["Entry", "Looking", "file_sha256", "in_words", "look_at", "thumbnail_of"]

Scoring = Callable[[Micrograph], FocusScore]

THUMBNAIL_PX: Final = 128  # of the longer side
_JPEG_QUALITY: Final = 85
_STRETCH: Final = (0.5, 99.5)  # percentiles that become black and white
_SAMPLES: Final = 100_000  # pixels that the percentiles are taken from
_LEAST_PX: Final = 24  # of the shorter side; below there is nothing to compare
_FOCUS_PX: Final = 2048  # of larger images the middle is scored, at full resolution
_CHUNK: Final = 1 << 20
_log = logging.getLogger("napari_sem_tools")


@dataclasses.dataclass(frozen=True)
class Looking:
    """What is made of every image.

    Attributes
    ----------
    source : VectorSource or None
        What makes vectors; None: none are made.
    scoring : callable or None
        What scores the focus of a `Micrograph`; None: it is not scored.
    """

    source: VectorSource | None
    scoring: Scoring | None = focus


@dataclasses.dataclass(frozen=True)
class Entry:
    """What the catalogue keeps of an image.

    Attributes
    ----------
    row : dict
        Columns of the table of images.
    thumbnail : bytes
        A JPEG of at most 128 px.
    vector : float32 array (d,) or None
    """

    row: dict[str, Any]
    thumbnail: bytes
    vector: NDArray[np.float32] | None


def file_sha256(path: Path, cancel: Cancel | None = None) -> bytes:
    """Return the SHA-256 of a file, read in pieces.

    Raises
    ------
    OSError
        It cannot be read.
    Cancelled
    """
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_CHUNK):
            stop_if_cancelled(cancel)
            digest.update(piece)
    return digest.digest()


def look_at(path: Path, looking: Looking) -> Entry:
    """Read an image and work out what the catalogue keeps of it.

    Parameters
    ----------
    path : Path
    looking : Looking

    Returns
    -------
    Entry

    Raises
    ------
    SemError
        It cannot be read, or has fewer than 24 px on a side.
    """
    image = read(path)
    pages, image = image.n_pages, image.plane()
    rows, columns = image.shape
    if min(rows, columns) < _LEAST_PX:
        raise UnreadableFile(
            f"{path.name} has {columns} x {rows} px, too few to be looked at.",
            hint=f"Images have at least {_LEAST_PX} px on each side.",
        )
    vector = None if looking.source is None else looking.source.vector(image)
    score = None if looking.scoring is None else _focus(image, looking.scoring)
    row = _row(image, pages) | {
        "focus": None if score is None else score.score,
        "focus_method": None if score is None else score.method,
    }
    return Entry(row, thumbnail_of(image), vector)


def _row(image: Micrograph, pages: int) -> dict[str, Any]:
    """Return what image and microscope say, by the columns of the table."""
    said = image.metadata
    size = image.calibration.pixel_size
    rows, columns = image.shape
    return {
        "rows": rows,
        "columns": columns,
        "pages": pages,
        "vendor": said.vendor,
        "instrument": said.instrument,
        "detector": said.detector,
        "mode": said.mode,
        "acquired": said.acquired,
        "magnification": said.magnification,
        "accelerating_voltage_kV": said.accelerating_voltage_kV,
        "working_distance_mm": said.working_distance_mm,
        "pixel_size_nm": None if size is None else float(np.sqrt(size[0] * size[1])),
        "calibration": image.calibration.describe(),
        "metadata": json_text(dict(said), indent=None),
    }


def _focus(image: Micrograph, scoring: Scoring) -> FocusScore | None:
    """Score the focus, of a large image that of its middle; None where that cannot be."""
    window = tuple(
        slice(max(0, (side - _FOCUS_PX) // 2), max(0, (side - _FOCUS_PX) // 2) + _FOCUS_PX)
        for side in image.shape
    )
    if max(image.shape) > _FOCUS_PX:
        image = Micrograph(
            np.asarray(image.pixels[window]),
            calibration=image.calibration,
            field=image.field[window],
            axes=image.axes,
        )
    try:
        return scoring(image)
    except Cancelled:
        raise
    except SemError as error:
        _log.info("%s has no focus score: %s", image.name, error)
        return None


def thumbnail_of(image: Micrograph) -> bytes:
    """Return a JPEG of an image whose longer side has at most 128 px.

    Parameters
    ----------
    image : Micrograph
        ``(Y, X)`` or ``(Y, X, 3)`` of any type; its darkest and brightest half per cent become
        black and white.

    Returns
    -------
    bytes

    Examples
    --------
    >>> thumbnail_of(Micrograph(np.zeros((300, 600), np.uint16)))[:2].hex()
    'ffd8'
    """
    from PIL import Image

    pixels = np.asarray(image.pixels)
    every = max(1, int(np.sqrt(pixels.shape[0] * pixels.shape[1] / _SAMPLES)))
    sample = pixels[::every, ::every]
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, _STRETCH) if sample.size else (0.0, 1.0)
    longer = max(pixels.shape[:2])
    thin = max(1, longer // (16 * THUMBNAIL_PX))  # huge images: no second copy at full size
    part = np.nan_to_num(pixels[::thin, ::thin].astype(np.float32), posinf=high, neginf=low)
    grey = np.clip((part - low) * np.float32(255 / max(high - low, 1e-9)), 0, 255).astype(np.uint8)
    picture = Image.fromarray(grey)
    scale = min(1.0, THUMBNAIL_PX / max(grey.shape[:2]))
    size = tuple(max(1, round(side * scale)) for side in (grey.shape[1], grey.shape[0]))
    content = io.BytesIO()
    picture.resize(size, Image.Resampling.BOX).save(content, "JPEG", quality=_JPEG_QUALITY)
    return content.getvalue()


def in_words(path: Path, error: Exception) -> SemError:
    """Return why a file could not be catalogued, in a sentence; a fault of ours is logged."""
    if isinstance(error, SemError):
        return error
    if isinstance(error, OSError):
        return UnreadableFile(
            f"{path.name} could not be read: {error.strerror or error}.",
            hint="Check that the file is there and that you may read it.",
        )
    if isinstance(error, MemoryError):
        return UnreadableFile(
            f"{path.name} needs more memory than this computer has free.",
            hint="Close other programs, or crop the image.",
        )
    _log.error("%s could not be catalogued", os.fspath(path), exc_info=error)
    return SemError(
        f"{path.name} could not be catalogued: {type(error).__name__}: {error}.",
        hint="This is a fault of the program; please report it with the log.",
    )
