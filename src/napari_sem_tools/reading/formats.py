"""The table of formats: who reads what; listing it imports no reader."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from napari_sem_tools.errors import SemError, UnknownFormat
from napari_sem_tools.reading.source import Source

__all__ = ["FORMATS", "SUFFIXES", "Format", "can_read", "choose"]

_HERE: Final = "napari_sem_tools.reading"
_TIFF: Final = (".tif", ".tiff")
_ANY_PICTURE: Final = ("tiff", "raster")
_COMPANIONS: Final = (".emi", ".hdr", ".txt")
_PICTURES: Final = (".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".png")


class Format(NamedTuple):
    """A row of the table of formats.

    Attributes
    ----------
    name : str
        Unique short name.
    vendor : str
    suffixes : tuple of str
        File name endings; the content decides, not they.
    module : str
        Dotted name of the module with ``sniff(source)`` and ``read(source)``.
    extra : str or None
        Extra that brings what the reader needs.
    containers : tuple of str
        Containers in which the format occurs.
    """

    name: str
    vendor: str
    suffixes: tuple[str, ...]
    module: str
    extra: str | None = None
    containers: tuple[str, ...] = ("tiff",)

    def load(self) -> ModuleType:
        """Import the reader."""
        return importlib.import_module(self.module)


# The order is that in which the contents are looked at: the first that knows the file reads it.
FORMATS: Final[tuple[Format, ...]] = (
    Format("zeiss", "Zeiss", _TIFF, f"{_HERE}.zeiss"),
    Format("fei", "FEI/Thermo", _TIFF, f"{_HERE}.fei"),
    Format(
        "phenom", "Phenom", (*_TIFF, ".jpg", ".jpeg"), f"{_HERE}.phenom", containers=_ANY_PICTURE
    ),
    Format("tescan", "TESCAN", _TIFF, f"{_HERE}.tescan"),
    Format("olympus", "Olympus SIS", _TIFF, f"{_HERE}.olympus"),
    Format("tvips", "TVIPS", _TIFF, f"{_HERE}.tvips"),
    Format("gatan-tiff", "Gatan", _TIFF, f"{_HERE}.gatan_tiff"),
    Format("imagej", "ImageJ", _TIFF, f"{_HERE}.imagej"),
    Format("ome", "OME", _TIFF, f"{_HERE}.ome"),
    Format("jeol-tem", "JEOL", _TIFF, f"{_HERE}.jeol_tem"),
    Format("hamamatsu", "Hamamatsu", _TIFF, f"{_HERE}.hamamatsu"),
    Format(
        "sidecar", "JEOL, Hitachi, TESCAN", _PICTURES, f"{_HERE}.sidecar", containers=_ANY_PICTURE
    ),
    Format("hitachi", "Hitachi", _TIFF, f"{_HERE}.hitachi"),
    Format("gatan-dm", "Gatan", (".dm3", ".dm4"), f"{_HERE}.gatan_dm", containers=("dm",)),
    Format("tia-ser", "FEI TIA", (".ser",), f"{_HERE}.ser", containers=("ser",)),
    Format(
        "velox", "Thermo Velox", (".emd",), f"{_HERE}.velox", extra="formats", containers=("hdf5",)
    ),
    Format("mrc", "MRC", (".mrc", ".map", ".mrcs", ".rec"), f"{_HERE}.mrc", containers=("mrc",)),
    Format("phenom-elid", "Phenom", (".elid",), f"{_HERE}.phenom_elid", containers=("elid",)),
    Format("plain", "any", _PICTURES, f"{_HERE}.plain", containers=_ANY_PICTURE),
)

SUFFIXES: Final[tuple[str, ...]] = tuple(sorted({s for row in FORMATS for s in row.suffixes}))
"""All file name endings that a reader may take."""


def choose(source: Source) -> Format:
    """Return the format of an opened file.

    Raises
    ------
    UnknownFormat
        No reader knows the content.
    """
    for row in FORMATS:
        if source.container in row.containers and row.load().sniff(source):
            return row
    if source.path.suffix.lower() in _COMPANIONS:
        raise UnknownFormat(
            f"{source.path.name} holds metadata, no picture.",
            hint="Open the picture beside it (for an .emi the _1.ser).",
        )
    raise UnknownFormat(
        f"{source.path.name} is no image of a known microscope format.",
        hint="Known endings: " + ", ".join(SUFFIXES) + ".",
    )


def can_read(path: str | os.PathLike[str]) -> bool:
    """Tell quickly whether a file is an image that `read` takes.

    A damaged file with the ending of one counts too, so that its fault is told by us.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool
    """
    path = Path(path)
    if not path.is_file():
        return False
    try:
        with Source(path) as source:
            choose(source)
    except UnknownFormat:
        return False
    except SemError:
        return path.suffix.lower() in SUFFIXES
    return True
