"""Pixels of any container to one grey plane: palette, colour, orientation, sign."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.reading.statement import Pixels

__all__ = [
    "from_channels",
    "from_palette",
    "native",
    "not_finite",
    "turn_upright",
    "white_is_zero",
]

_JPEG_TOLERANCE: Final = 2  # levels by which equal channels differ after JPEG
_COLOURED: Final = 40  # levels between channels from which a pixel is coloured on purpose
_OVERLAY_SHARE: Final = 0.25  # of the pixels; more colour than this is the picture itself
_LUMA: Final = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in the machine's byte order; bits become 0 and 255, half floats float32."""
    if array.dtype == bool:
        return np.asarray(array.astype(np.uint8) * np.uint8(255))
    if array.dtype == np.float16:
        with np.errstate(invalid="ignore"):  # a signalling NaN of a damaged file
            return np.asarray(array.astype(np.float32))
    return np.asarray(array.astype(array.dtype.newbyteorder("="), copy=False))


def white_is_zero(array: NDArray[Any], bits: int) -> NDArray[Any]:
    """Invert a picture that stores white as 0."""
    if array.dtype.kind == "u":
        top = array.dtype.type(min(2**bits, 2 ** (8 * array.dtype.itemsize)) - 1)
        return np.asarray(np.subtract(top, array, dtype=array.dtype))
    return np.asarray(np.invert(array) if array.dtype.kind == "i" else -array)


def from_palette(
    index: NDArray[Any], table: NDArray[Any], *, colour_is_display: bool = False
) -> Pixels:
    """Map palette indices to grey; coloured entries are annotation where they are few.

    Parameters
    ----------
    index : integer array (..., Y, X)
    table : array (entries, 3)
        Red, green and blue of each entry, 0 to 255.
    colour_is_display : bool
        True where the table only colours what is seen (ImageJ): the index is the grey.
    """
    table = table.astype(np.uint8, copy=False)
    coloured = table.max(axis=1).astype(int) - table.min(axis=1) > _JPEG_TOLERANCE
    if colour_is_display:
        return Pixels(index)
    size = int(index.max(initial=0)) + 1
    if size > len(table):
        table = np.concatenate([table, np.repeat(table[-1:], size - len(table), axis=0)])
        coloured = np.concatenate([coloured, np.zeros(size - len(coloured), bool)])
    grey = np.where(coloured, (table @ _LUMA).round(), table[:, 0]).astype(np.uint8)
    if not coloured.any():
        return Pixels(grey[index])
    overlay = coloured[index]
    if overlay.mean() > _OVERLAY_SHARE:
        return Pixels(table[index], "YXC") if index.ndim == 2 else Pixels(grey[index])
    mask = overlay.any(axis=0) if overlay.ndim == 3 else overlay
    return Pixels(grey[index], overlay=mask if mask.any() else None)


def from_channels(array: NDArray[Any], *, lossy: bool = False) -> Pixels:
    """Turn colour channels into one grey plane unless the colour says something.

    Parameters
    ----------
    array : array (..., Y, X, C)
        1 to 4 channels or more: grey, grey and alpha, colour, colour and alpha.
    lossy : bool
        True after JPEG: channels that were equal may differ by 2 levels.
    """
    channels = array.shape[-1]
    notes: list[str] = []
    if channels in (2, 4):
        alpha = array[..., -1]
        if alpha.size and alpha.min() != alpha.max():
            notes.append("Transparency (alpha channel) was left out.")
        array = array[..., :-1]
    elif channels > 4:
        notes.append(f"Only the first of {channels} channels is shown.")
        array = array[..., :1]
    if array.shape[-1] == 1:
        return Pixels(np.ascontiguousarray(array[..., 0]), notes=tuple(notes))
    first = array[..., 0]
    low, high = array.min(axis=-1), array.max(axis=-1)
    spread = high.astype(np.float32) - low if array.dtype.kind == "f" else high - low
    scale = 1 if array.dtype.itemsize == 1 else 257
    tolerance = (_JPEG_TOLERANCE if lossy else 0) * scale
    if spread.max(initial=0) <= tolerance:
        grey = array[..., 1] if tolerance else first  # green is nearest to the grey of JPEG
        return Pixels(np.ascontiguousarray(grey), notes=tuple(notes))
    coloured = spread > (_COLOURED * scale if lossy else tolerance)
    if coloured.mean() > _OVERLAY_SHARE:
        if array.ndim == 3:
            return Pixels(np.ascontiguousarray(array), "YXC", notes=tuple(notes))
        notes.append("The colours of the stack were averaged.")
        coloured = np.zeros(first.shape, bool)
    grey = np.asarray((array @ _LUMA).round() if array.dtype.kind != "f" else array @ _LUMA)
    grey = grey.astype(array.dtype)
    if coloured.any():
        notes.append(
            f"Coloured annotation covers {coloured.mean():.2%} of the picture and is not measured."
        )
    mask = coloured.any(axis=0) if coloured.ndim == 3 else coloured
    return Pixels(grey, overlay=mask if mask.any() else None, notes=tuple(notes))


def turn_upright(array: NDArray[Any], orientation: int) -> tuple[NDArray[Any], bool]:
    """Apply TIFF's tag 274 to (..., Y, X); return the picture and whether axes were exchanged."""
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, -1, -2)
    rows = slice(None, None, -1) if orientation in (3, 4, 7, 8) else slice(None)
    columns = slice(None, None, -1) if orientation in (2, 3, 6, 7) else slice(None)
    return np.ascontiguousarray(array[..., rows, columns]), orientation in (5, 6, 7, 8)


def not_finite(array: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return where a floating picture (of a stack: any page) holds NaN or infinity, or None."""
    if array.dtype.kind not in "fc":
        return None
    bad = ~np.isfinite(array)
    if not bad.any():
        return None
    return np.asarray(bad.any(axis=0) if bad.ndim == 3 else bad)
