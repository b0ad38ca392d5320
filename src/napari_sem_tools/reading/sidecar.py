"""Side-cars beside any picture: JEOL and Hitachi ``NAME.txt``, TESCAN ``NAME-tif.hdr``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Final

from napari_sem_tools.reading import hitachi, jeol, tescan
from napari_sem_tools.reading.raster import pictures
from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Statement
from napari_sem_tools.reading.tiffpages import Page

__all__ = ["read", "sniff"]

Describe = Callable[[Page, str, str], Statement]

_TEXTS: Final[tuple[tuple[Callable[[str], bool], Describe], ...]] = (
    (hitachi.is_sidecar, hitachi.describe_sidecar),
    (jeol.is_sidecar, jeol.describe_sidecar),
)


def sniff(source: Source) -> bool:
    """Tell whether a side-car that we know lies beside."""
    return _found(source) is not None


def read(source: Source) -> list[Picture]:
    """List the pictures with what the side-car says of the first."""
    found = _found(source)
    if found is None:  # it was there a moment ago
        from napari_sem_tools.reading import plain

        return plain.read(source)
    path, text, describe = found
    listed = pictures(source, lambda page: describe(page, text, path.name))
    if len(listed) == 1:
        return listed
    return [listed[0], *(_without_scale(picture) for picture in listed[1:])]


def _without_scale(picture: Picture) -> Picture:
    """Say nothing of pictures that the side-car was not written for."""
    statements = tuple(
        dataclasses.replace(said, pixel_size=None, evidence="") for said in picture.statements
    )
    return dataclasses.replace(picture, statements=statements)


def _found(source: Source) -> tuple[Path, str, Describe] | None:
    """Return path, text and reader of the side-car."""
    text = source.sidecar(f"{source.path.stem}.txt", f"{source.path.name}.txt")
    if text is not None:
        for known, describe in _TEXTS:
            if known(text[1]):
                return (*text, describe)
    header = source.sidecar(*tescan.sidecar_names(source))
    if header is not None and ("[MAIN]" in header[1] or "PixelSizeX" in header[1]):
        return (*header, tescan.describe_sidecar)
    return None
