"""Read a file: the first picture, a page of it, or all pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence

from napari_sem_tools.calibration import calibrate
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading.finish import make_micrograph
from napari_sem_tools.reading.formats import choose
from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture

__all__ = ["read", "read_all"]


def read(
    path: str | os.PathLike[str],
    *,
    page: int | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    width: float | None = None,
) -> Micrograph:
    """Read an electron micrograph with its pixel size, label strip and metadata.

    Parameters
    ----------
    path : path-like
        Image of a microscope, or a plain picture.  The content decides on the format.
    page : int, optional
        One page of the file, counted from 0; by default the first picture, whole if it is a
        stack (of Olympus files: the first with a pixel size).
    pixel_size : float or (float, float), optional
        Typed size of a pixel in nm, (y, x) if it is not square; it replaces what the file says.
    width : float, optional
        Typed width of the whole picture in nm, instead.

    Returns
    -------
    Micrograph
        Pixels ``(Y, X)``, ``(N, Y, X)`` or ``(Y, X, 3)`` in the type of the file.

    Raises
    ------
    UnreadableFile
        The file is missing, empty, damaged or too large.
    UnknownFormat
        No reader knows the content.
    MissingExtra
        The format needs the extra ``formats``.
    InvalidSettings
        There is no such page, or the typed size is no length.

    Examples
    --------
    >>> import napari_sem_tools as sem
    >>> image = sem.read("1908318.tif")  # doctest: +SKIP
    >>> image.calibration.pixel_size  # doctest: +SKIP
    (7.34375, 7.34375)
    """
    with Source(path) as source:
        pictures = choose(source).load().read(source)
        image = _first(source, pictures) if page is None else _one(source, pictures, page)
    if pixel_size is not None or width is not None:
        image = calibrate(image, pixel_size=pixel_size, width=width)
    return image


def read_all(path: str | os.PathLike[str]) -> list[Micrograph]:
    """Read every picture of a file: pages of one kind as one stack, others each by itself.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Micrograph
        Calibrated ones first, else in the order of the file.

    Raises
    ------
    UnreadableFile, UnknownFormat, MissingExtra
        As `read`.
    """
    with Source(path) as source:
        pictures = choose(source).load().read(source)
        return [make_micrograph(source, picture) for picture in _by_worth(pictures)]


def _by_worth(pictures: Sequence[Picture]) -> list[Picture]:
    """Put pictures with a scale before previews without."""
    return sorted(
        pictures,
        key=lambda p: p.statements[0].pixel_size is None and p.statements[0].reciprocal is None,
    )


def _first(source: Source, pictures: Sequence[Picture]) -> Micrograph:
    """Read the first picture that counts, and say that there are others."""
    image = make_micrograph(source, _by_worth(pictures)[0])
    others = len(pictures) - 1
    if not others:
        return image
    note = (
        f"Further pictures in the file, of another kind, size or scale than this one: {others}; "
        "page= opens them."
    )
    return image.replace(notes=(*image.notes, note))


def _one(source: Source, pictures: Sequence[Picture], page: int) -> Micrograph:
    """Read the picture that holds a page, and of a stack that page."""
    if not hasattr(page, "__index__"):
        raise InvalidSettings(f"page = {page!r} is no page.", hint="Give a number, 0 is the first.")
    for picture in pictures:
        if picture.page <= page < picture.page + picture.count:
            return make_micrograph(source, picture).plane(page - picture.page)
    last = max(picture.page + picture.count for picture in pictures) - 1
    raise InvalidSettings(
        f"{source.path.name} has no page {page}.", hint=f"Pages are counted from 0 to {last}."
    )
