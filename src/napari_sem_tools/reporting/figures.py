"""The figures: four panels of an image, an overview of many, and how they are written.

Figures are made with matplotlib's objects alone, never with pyplot, so that they can be
drawn from any thread and leave no state behind.
"""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.files import write_file
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.reporting import pictures
from napari_sem_tools.reporting.histogram import draw_histogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Thumbnail",
    "counted_sizes",
    "four_panels",
    "new_figure",
    "outlined_png",
    "overview",
    "plain",
    "png_bytes",
    "read_png",
    "write_figure",
]

DPI = 150
THUMBNAIL_PX = 640  # longest side of a picture in an overview
_OVERVIEW_COLUMNS = 4
_INK = "#1d2733"


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of some inches, apart from pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def four_panels(
    image: Micrograph, labels: NDArray[Any], table: pd.DataFrame, *, title: str = ""
) -> Figure:
    """Draw image, particles, doubtful particles in red, and the size histogram.

    Parameters
    ----------
    image : Micrograph
    labels : int array (Y, X)
    table : DataFrame
        As `measure` returns it.
    title : str, optional
        Above the figure; the image's name by default.

    Returns
    -------
    matplotlib.figure.Figure
        Every picture carries a scale bar, or the words "uncalibrated (px)".
    """
    shown = pictures.preview(image, labels)
    rows, columns = image.shape
    ratio = _aspect(image.calibration)
    shape = float(np.clip(rows * ratio / columns, 0.35, 2.0))
    figure = new_figure(12.0, 2 * (5.7 * shape + 0.55) + 0.3)
    panels = figure.subplots(2, 2)
    drawn = (
        (panels[0, 0], "Image", shown.rgb),
        (panels[0, 1], f"Particles found: {len(table)}", pictures.coloured(shown)),
        (panels[1, 0], _doubt_title(table), pictures.outlined(shown, table)),
    )
    for axes, heading, picture in drawn:
        _show(axes, picture, shown.extent, shown.shape, image.calibration, image.data_bar)
        axes.set_title(heading, loc="left", fontsize=11, color=_INK)
    _legend(panels[1, 0], table)
    sizes, unit, pixel = counted_sizes(table, image.calibration)
    draw_histogram(panels[1, 1], sizes, unit=unit, min_width=pixel)
    panels[1, 1].set_title("Size distribution", loc="left", fontsize=11, color=_INK)
    figure.suptitle(
        plain(title or image.name), x=0.01, ha="left", fontsize=13, color=_INK, parse_math=False
    )
    return figure


@dataclasses.dataclass(frozen=True, eq=False)
class Thumbnail:
    """A small outlined picture of one image of a series.

    Attributes
    ----------
    name : str
    picture : float array (y, x, 3)
        Doubtful particles in red.
    shape : (int, int)
        Rows and columns of the image itself.
    calibration : Calibration
    data_bar : (int, int) or None
    """

    name: str
    picture: NDArray[Any]
    shape: tuple[int, int]
    calibration: Calibration
    data_bar: tuple[int, int] | None = None


def overview(
    thumbnails: Sequence[Thumbnail],
    sizes: ArrayLike,
    *,
    unit: str,
    min_width: float = 0.0,
    left_out: int = 0,
) -> Figure:
    """Draw the outlined images of a series and the histogram of all of them.

    Parameters
    ----------
    thumbnails : sequence of Thumbnail
    sizes : array-like (n,)
        Counted sizes of all images.
    unit : str
        Of `sizes`.
    min_width : float
        Width of a pixel in `unit`.
    left_out : int
        How many further images are not shown.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(_OVERVIEW_COLUMNS, max(1, len(thumbnails)))
    rows = -(-len(thumbnails) // columns)
    figure = new_figure(12.0, 4.2 + 2.7 * rows)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[2.7] * rows + [4.0])
    for number, one in enumerate(thumbnails):
        axes = figure.add_subplot(grid[divmod(number, columns)])
        height, width = one.shape
        extent = (-0.5, width - 0.5, height - 0.5, -0.5)
        _show(axes, one.picture, extent, one.shape, one.calibration, one.data_bar, font=6.5)
        axes.set_title(plain(one.name), fontsize=9, loc="left", parse_math=False)
    below = figure.add_subplot(grid[rows, :])
    draw_histogram(below, sizes, unit=unit, min_width=min_width)
    more = f"; {left_out} more in figures/" if left_out else ""
    below.set_title(f"All images together{more}", loc="left", fontsize=11, color=_INK)
    return figure


def counted_sizes(
    table: pd.DataFrame, calibration: Calibration
) -> tuple[NDArray[np.float64], str, float]:
    """Return the ECD of the counted particles, their unit, and the width of a pixel in it."""
    unit = "nm" if calibration.is_calibrated and "ecd_nm" in table else "px"
    pixel = float(np.sqrt(np.prod(calibration.nm_per_px))) if unit == "nm" else 1.0
    counted = table.loc[table["included"].to_numpy(bool), f"ecd_{unit}"]
    return counted.to_numpy(float), unit, pixel


def png_bytes(figure: Figure, *, dpi: int = DPI) -> bytes:
    """Render a figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": "napari-sem-tools"})
    return buffer.getvalue()


def outlined_png(
    image: Micrograph, labels: NDArray[Any], table: pd.DataFrame, *, longest: int = THUMBNAIL_PX
) -> bytes:
    """Draw a small picture with outlines, doubtful particles in red, as PNG.

    Returns
    -------
    bytes
        Without scale bar; `overview` adds it.
    """
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    picture = pictures.outlined(pictures.preview(image, labels, longest=longest), table)
    imsave(buffer, np.clip(picture, 0, 1), format="png")
    return buffer.getvalue()


def read_png(content: bytes) -> NDArray[np.float32]:
    """Return the colours (y, x, 3) between 0 and 1 of a PNG."""
    from matplotlib.image import imread

    colours: NDArray[np.float32] = np.asarray(imread(io.BytesIO(content), format="png"))
    return colours[..., :3]


def write_figure(path: str | os.PathLike[str], figure: Figure, *, dpi: int = DPI) -> Path:
    """Write a figure as PNG, whole or not at all.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    SemError
        The file cannot be written.
    """
    return write_file(path, png_bytes(figure, dpi=dpi))


def plain(text: str) -> str:
    """Replace what the font of the figures cannot draw by a question mark."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    return "".join(c if font.get_char_index(ord(c)) else "?" for c in text)


def _show(
    axes: Any,
    picture: NDArray[Any],
    extent: tuple[float, float, float, float],
    shape: tuple[int, int],
    calibration: Calibration,
    data_bar: tuple[int, int] | None,
    *,
    font: float = 10.0,
) -> None:
    """Draw one picture on the image's own grid, with its scale."""
    if picture.ndim == 3 and picture.dtype.kind == "f":
        picture = np.clip(picture, 0, 1)  # resampling leaves colours a rounding error outside
    axes.imshow(picture, extent=extent, interpolation="antialiased", aspect=_aspect(calibration))
    rows, columns = shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_axis_off()
    bottom = data_bar[0] if data_bar is not None and data_bar[0] > rows / 2 else rows
    _draw_scale(axes, calibration, (bottom, columns), font)


def _draw_scale(axes: Any, calibration: Calibration, corner: tuple[int, int], font: float) -> None:
    """Draw the scale bar above the lower right corner, or say that there is none."""
    bottom, columns = corner
    box = {"facecolor": (0, 0, 0, 0.62), "edgecolor": "none", "pad": 0.3 * font}
    right, base = 0.97 * columns, bottom - 0.03 * columns
    if not calibration.is_calibrated:
        axes.text(
            right, base, "uncalibrated (px)", color="white", ha="right", va="bottom",
            fontsize=0.9 * font, bbox=box,
        )  # fmt: skip
        return
    from matplotlib.patches import Rectangle

    length, text = pictures.scale_length(calibration, columns)
    thick = 0.011 * columns / _aspect(calibration)
    axes.add_patch(
        Rectangle(
            (right - length, base - thick), length, thick, facecolor="white",
            edgecolor=(0, 0, 0, 0.7), lw=0.12 * font,
        )
    )  # fmt: skip
    axes.text(
        right - length / 2, base - 2.1 * thick, text, color="white", ha="center",
        va="bottom", fontsize=font, bbox=box | {"pad": 0.15 * font},
    )  # fmt: skip


def _legend(axes: Any, table: pd.DataFrame) -> None:
    """Say below the third panel what the colours mean and how many there are."""
    from matplotlib.patches import Patch

    state = pictures.states(table, int(table.index.max()) if len(table) else 0)
    if len(table):
        state = state[table.index.to_numpy(int)]
    handles = [
        Patch(color=colour, label=f"{name}: {int((state == value).sum())}")
        for value, (name, colour) in pictures.STATES.items()
        if (state == value).any() or value in (pictures.COUNTED, pictures.DOUBTFUL)
    ]
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, -0.005),
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        borderaxespad=0.2,
        handlelength=1.2,
    )


def _doubt_title(table: pd.DataFrame) -> str:
    """Heading of the third panel."""
    doubtful = int(table["doubtful"].sum()) if len(table) else 0
    return f"Doubtful particles in red: {doubtful}"


def _aspect(calibration: Calibration) -> float:
    """Height of a pixel over its width, as it is to be drawn."""
    if calibration.pixel_size is None:
        return 1.0
    y, x = calibration.pixel_size
    return y / x
