"""Small pictures for lists of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage, QPixmap

__all__ = ["Pixmaps", "pixmap_of"]

_MOST = 4000  # pixmaps kept: about 150 MB of 112 x 84 px


def pixmap_of(content: NDArray[np.uint8] | bytes) -> QPixmap:
    """Make a pixmap of grey values ``(Y, X)`` or of a JPEG; in the GUI thread alone."""
    if isinstance(content, bytes):
        pixmap = QPixmap()
        pixmap.loadFromData(content)
        return pixmap
    pixels = np.ascontiguousarray(content)
    rows, columns = pixels.shape
    image = QImage(pixels.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
    return QPixmap.fromImage(image.copy())


class Pixmaps:
    """Pixmaps by key, the oldest of which go when there are too many."""

    def __init__(self) -> None:
        self._held: dict[Any, QPixmap] = {}

    def get(self, key: Any) -> QPixmap | None:
        """Return a pixmap that was made."""
        return self._held.get(key)

    def put(self, key: Any, content: NDArray[np.uint8] | bytes) -> QPixmap:
        """Make a pixmap and keep it."""
        while len(self._held) >= _MOST:
            del self._held[next(iter(self._held))]
        pixmap = self._held[key] = pixmap_of(content)
        return pixmap

    def of(self, key: Any, pixels: NDArray[np.uint8] | None) -> QPixmap | None:
        """Return the pixmap of a picture that may be made anew; None of none."""
        if pixels is None:
            return None
        return self.get((key, id(pixels))) or self.put((key, id(pixels)), pixels)

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
