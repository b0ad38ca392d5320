"""MRC and CCP4 maps: header with cell, grid and axis order, pixels behind it."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

__all__ = ["header_makes_sense"]

_MODES: Final = {
    0: np.dtype("i1"),
    1: np.dtype("i2"),
    2: np.dtype("f4"),
    4: np.dtype("c8"),
    6: np.dtype("u2"),
    12: np.dtype("f2"),
}
_LARGEST_SIDE: Final = 1 << 20


def header_makes_sense(head: bytes) -> bool:
    """Tell whether 1024 bytes can be the header of an MRC file, stamped or not."""
    for order in "<>":
        columns, rows, sections, mode = struct.unpack_from(f"{order}4i", head)
        sides = (columns, rows, sections)
        if mode in _MODES and all(0 < side <= _LARGEST_SIDE for side in sides):
            grid = struct.unpack_from(f"{order}3i", head, 28)
            axes = struct.unpack_from(f"{order}3i", head, 64)
            stamped = head[208:211] == b"MAP"
            plain = sorted(axes) in ([0, 0, 0], [1, 2, 3]) and all(
                0 <= g <= _LARGEST_SIDE for g in grid
            )
            if stamped or plain:
                return True
    return False
