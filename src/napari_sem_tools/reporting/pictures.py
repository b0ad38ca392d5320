"""Pictures of an image and its particles at the size of a page: previews, colours, scale."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_sem_tools.micrograph import Calibration, Micrograph

__all__ = ["Preview", "label_colours", "outlined", "preview", "scale_length", "states"]

PANEL_PX = 1400  # longest side of a panel; larger images are shown reduced
COUNTED, EDGE, DOUBTFUL, LEFT_OUT = 1, 2, 3, 4
STATES: dict[int, tuple[str, tuple[float, float, float]]] = {
    COUNTED: ("counted", (0.12, 0.78, 0.76)),
    EDGE: ("cut by the edge", (0.96, 0.73, 0.20)),
    DOUBTFUL: ("doubtful", (0.90, 0.10, 0.12)),
    LEFT_OUT: ("left out", (0.62, 0.62, 0.66)),
}
_FILL = 0.30  # opacity of doubtful and left-out particles; counted ones keep their texture
_LABEL_OPACITY = 0.55
_GOLDEN = 0.618033988749895


@dataclasses.dataclass(frozen=True, eq=False)
class Preview:
    """An image and its labels as they are drawn.

    Attributes
    ----------
    grey : float32 array (y, x)
        Between 0 and 1, contrast spread over what lies in the field.
    labels : int32 array (y, x)
    step : int
        Pixels of the image per pixel of the preview.
    shape : (int, int)
        Rows and columns of the image itself.
    """

    grey: NDArray[np.float32]
    labels: NDArray[np.int32]
    step: int
    shape: tuple[int, int]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Borders (left, right, bottom, top) in pixels of the image."""
        rows, columns = self.grey.shape
        return (-0.5, columns * self.step - 0.5, rows * self.step - 0.5, -0.5)

    @property
    def rgb(self) -> NDArray[np.float32]:
        """The grey picture as colours (y, x, 3)."""
        return np.repeat(self.grey[..., np.newaxis], 3, axis=2)


def preview(image: Micrograph, labels: NDArray[Any], *, longest: int = PANEL_PX) -> Preview:
    """Reduce an image and its labels to the size at which they are shown.

    Parameters
    ----------
    image : Micrograph
        One plane.
    labels : int array (Y, X)
    longest : int
        Longest side of the preview in px.

    Returns
    -------
    Preview
        Grey values are averaged, labels are those of the middle pixel.
    """
    from scipy.ndimage import uniform_filter

    grey = np.asarray(image.plane().grey, np.float32)
    usable = image.field & np.isfinite(grey)
    seen = grey[usable] if usable.any() else grey[np.isfinite(grey)]
    low, high = np.quantile(seen, [0.002, 0.998]) if seen.size else (0.0, 1.0)
    step = max(1, math.ceil(max(image.shape) / longest))
    grey = np.nan_to_num((grey - low) / max(high - low, 1e-12), nan=0.0, posinf=1.0, neginf=0.0)
    grey = np.clip(grey, 0.0, 1.0)
    shown = np.asarray(labels)
    if step > 1:
        middle = slice(step // 2, None, step)
        grey = uniform_filter(grey, step, mode="nearest")[middle, middle]
        shown = shown[middle, middle]
    return Preview(grey.astype(np.float32), shown.astype(np.int32), step, image.shape)


def label_colours(count: int) -> NDArray[np.float32]:
    """Give every label a colour that differs from its neighbours' in number.

    Returns
    -------
    float32 array (count + 1, 3)
        Row 0, the background, is black.  Red is kept for doubtful particles.

    Examples
    --------
    >>> label_colours(2).shape
    (3, 3)
    """
    from matplotlib.colors import hsv_to_rgb

    index = np.arange(1, count + 1)
    hue = 0.07 + 0.84 * ((index * _GOLDEN) % 1.0)
    saturation = np.where(index % 2, 0.85, 0.6)
    colours = np.zeros((count + 1, 3), np.float32)
    if count:
        colours[1:] = hsv_to_rgb(np.stack([hue, saturation, np.full(count, 0.98)], axis=1))
    return colours


def states(table: pd.DataFrame, count: int) -> NDArray[np.uint8]:
    """Tell for each label whether it is counted, cut by the edge, doubtful or left out.

    Parameters
    ----------
    table : DataFrame
        A row a particle, index ``label``, with ``included``, ``edge`` and ``doubtful``.
    count : int
        Largest label.

    Returns
    -------
    uint8 array (count + 1,)
        0 for the background.
    """
    found = np.full(count + 1, LEFT_OUT, np.uint8)
    found[0] = 0
    if len(table):
        included, edge, doubtful = (
            table[name].to_numpy(bool) for name in ("included", "edge", "doubtful")
        )
        found[table.index.to_numpy(int)] = np.select(
            [doubtful, included, edge], [DOUBTFUL, COUNTED, EDGE], LEFT_OUT
        )
    return found


def coloured(shown: Preview) -> NDArray[np.float32]:
    """Lay the labels over the picture, each in its own colour."""
    colours = label_colours(int(shown.labels.max(initial=0)))
    over = colours[shown.labels]
    share = np.where(shown.labels > 0, _LABEL_OPACITY, 0.0)[..., np.newaxis]
    picture: NDArray[np.float32] = (shown.rgb * (1 - share) + over * share).astype(np.float32)
    edge = _boundaries(shown.labels, thick=False)
    picture[edge] = over[edge]
    return picture.clip(0, 1)


def outlined(shown: Preview, table: pd.DataFrame) -> NDArray[np.float32]:
    """Outline the particles by what became of them: counted, cut by the edge, doubtful in red.

    Returns
    -------
    float32 array (y, x, 3)
    """
    picture = shown.rgb
    state = states(table, int(shown.labels.max(initial=0)))[shown.labels]
    outline = _boundaries(shown.labels, thick=max(shown.grey.shape) > 500)
    for value, (_, colour) in STATES.items():
        here = state == value
        if value != COUNTED:
            picture[here] = (1 - _FILL) * picture[here] + _FILL * np.asarray(colour, np.float32)
        picture[here & outline] = colour
    return picture


def scale_length(calibration: Calibration, width_px: float) -> tuple[float, str]:
    """Choose the scale bar: a round length of about a fifth of the width.

    Parameters
    ----------
    calibration : Calibration
        With a pixel size.
    width_px : float
        Width of the picture in pixels of the image.

    Returns
    -------
    (float, str)
        Length in pixels, and the text beside it.

    Examples
    --------
    >>> scale_length(Calibration(pixel_size=(7.34375, 7.34375), origin="tag"), 1024)
    (136.17021276595744, '1 µm')
    """
    per_px = calibration.nm_per_px[1]
    wanted = per_px * width_px / 5
    decade = 10.0 ** math.floor(math.log10(wanted))
    length = max(step * decade for step in (1, 2, 5) if step * decade <= wanted * 1.0000001)
    for unit, nm in (("mm", 1e6), ("µm", 1e3), ("nm", 1.0), ("pm", 1e-3)):
        if length >= nm * 0.9999 or unit == "pm":
            return length / per_px, f"{length / nm:g} {unit}"
    return length / per_px, f"{length:g} nm"


def _boundaries(labels: NDArray[np.int32], *, thick: bool) -> NDArray[np.bool_]:
    """Mark the pixels of labels that touch another label or the background."""
    edge = np.zeros(labels.shape, bool)
    across = labels[1:] != labels[:-1]
    edge[1:] |= across
    edge[:-1] |= across
    along = labels[:, 1:] != labels[:, :-1]
    edge[:, 1:] |= along
    edge[:, :-1] |= along
    if thick:
        edge[1:] |= edge[:-1]
        edge[:, 1:] |= edge[:, :-1]
    edge &= labels > 0
    return edge
