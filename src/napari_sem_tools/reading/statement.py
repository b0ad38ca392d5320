"""What a vendor's file says about one picture, before it is held against the pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.micrograph import Origin

__all__ = ["Picture", "Pixels", "Statement"]


@dataclasses.dataclass(frozen=True)
class Statement:
    """What a file says about one page, in the common vocabulary and in its own words.

    Attributes
    ----------
    vendor, format : str
    metadata : mapping
        Keys of `Metadata`; None where the file says nothing.
    raw : dict
        Everything under the vendor's names.
    pixel_size : (float, float) or None
        Height and width of a pixel (y, x) in nm, for the picture as acquired.
    origin, evidence : str
        Where `pixel_size` comes from.
    rounding : float
        Relative standard uncertainty of `pixel_size` by rounding or derivation.
    reciprocal : (float, float) or None
        Pixel (y, x) in 1/nm.
    stored : (int or None, int or None)
        Rows and columns of the picture as acquired.
    rows_without_strip : bool
        True when the stored rows end where the label strip begins.
    strip_rows : int or None
        Height of the strip at the bottom, as acquired; 0: there is none; None: not said.
    must_be_stored : bool
        True when `pixel_size` counts only for a stated stored size.
    largest_nm : float
        Pixel sizes beyond are no microscope's.
    notes : tuple of str
    """

    vendor: str
    format: str
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    raw: dict[str, Any] = dataclasses.field(default_factory=dict)
    pixel_size: tuple[float, float] | None = None
    origin: Origin = "tag"
    evidence: str = ""
    rounding: float = 0.0
    reciprocal: tuple[float, float] | None = None
    stored: tuple[int | None, int | None] = (None, None)
    rows_without_strip: bool = False
    strip_rows: int | None = None
    must_be_stored: bool = False
    largest_nm: float = 1e6
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded pixels and what decoding them told.

    Attributes
    ----------
    array : array
        ``(Y, X)``, ``(N, Y, X)`` or ``(Y, X, 3)``.
    axes : str
    overlay : bool array (Y, X) or None
        Pixels that carry coloured annotation.
    lossy : bool or None
    transposed : bool
        True when rows and columns were exchanged to turn the picture upright.
    notes : tuple of str
    """

    array: Any
    axes: str = "YX"
    overlay: NDArray[np.bool_] | None = None
    lossy: bool | None = None
    transposed: bool = False
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """One image or stack of a file, not yet decoded.

    Attributes
    ----------
    load : callable
        Decodes the pixels.
    statements : tuple of Statement
        One a page; one for all where the file speaks once.
    shape : (int, int)
        Rows and columns.
    page, count : int
        First page in the file, and number of pages.
    """

    load: Callable[[], Pixels]
    statements: tuple[Statement, ...]
    shape: tuple[int, int]
    page: int = 0
    count: int = 1
