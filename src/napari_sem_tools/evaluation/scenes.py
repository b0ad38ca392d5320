"""Pictures of truth and result over the image, with what is right and wrong in colour."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.evaluation.counts import ImageCounts, numbered_pair
from napari_sem_tools.evaluation.files import Pair
from napari_sem_tools.evaluation.kinds import FOUND_KINDS, TRUE_KINDS
from napari_sem_tools.evaluation.outlines import outline_pixels

__all__ = ["LEGEND", "Scene", "legend_png", "scene_png"]

Picture = NDArray[np.float32]

LONGEST_PX = 1100  # of a panel; larger images are reduced
SMALLEST_PX = 400  # smaller ones are enlarged by a whole factor
_GAP_PX = 6
_TRUE_LINE, _FOUND_LINE, _BOTH_LINES = (1.0, 0.85, 0.1), (0.1, 0.85, 1.0), (0.75, 1.0, 0.75)
_TRUE_FILL = {
    "missed": (0.92, 0.12, 0.16),
    "merged": (1.0, 0.52, 0.05),
    "split": (0.62, 0.28, 0.95),
    "outline": (0.62, 0.85, 0.10),
}
_FOUND_FILL = {"right": (0.12, 0.70, 0.42), "ground": (0.95, 0.15, 0.75), "piece": (0.25, 0.45, 1)}

LEGEND: dict[str, tuple[float, float, float]] = {
    "outline, true": _TRUE_LINE,
    "outline, found": _FOUND_LINE,
    "found and right": _FOUND_FILL["right"],
    "missed": _TRUE_FILL["missed"],
    "merged": _TRUE_FILL["merged"],
    "split": _TRUE_FILL["split"],
    "outline differs": _TRUE_FILL["outline"],
    "false, on ground": _FOUND_FILL["ground"],
    "false, over particles": _FOUND_FILL["piece"],
}
"""What the colours of the pictures mean."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """One image with its true and its found particles.

    Attributes
    ----------
    truth, found : int array (Y, X)
    image : path, Micrograph, array or None
        The picture; it may go on below the labels.  None: labels on grey.
    """

    truth: Any
    found: Any
    image: Any = None

    @classmethod
    def of(cls, pair: Pair) -> Scene:
        """Read the files of a pair."""
        return cls(*pair.labels(), pair.image)


def scene_png(
    scene: Scene,
    counts: ImageCounts,
    *,
    rows: int | tuple[int, int] | None = None,
    min_area: int = 1,
    opacity: float = 0.35,
) -> bytes:
    """Draw the image, and beside it the image with what was found and what is true.

    Parameters
    ----------
    scene : Scene
    counts : ImageCounts
        Of this scene, with the same `rows` and `min_area`.
    rows : int or (int, int), optional
        The rows that count; the others are not shown.
    min_area : int
        Smaller particles are not shown.
    opacity : float
        Of the colours, 0 (outlines alone) to 1.

    Returns
    -------
    bytes
        PNG; colours as in `LEGEND`.
    """
    from matplotlib.image import imsave

    (true, _), (found, _) = numbered_pair(scene.truth, scene.found, rows=rows, min_area=min_area)
    grey, true, found = _sized(_grey(scene, rows), true, found)
    plain = np.repeat(grey[..., None], 3, axis=2)
    over = plain.copy()
    colours, filled = _fill(true, found, counts)
    over[filled] = (1 - opacity) * over[filled] + opacity * colours[filled]
    line_true, line_found = outline_pixels(true), outline_pixels(found)
    over[line_true], over[line_found] = _TRUE_LINE, _FOUND_LINE
    over[line_true & line_found] = _BOTH_LINES
    gap = np.ones((len(grey), _GAP_PX, 3), np.float32)
    shown = [over] if scene.image is None else [plain, gap, over]
    buffer = io.BytesIO()
    imsave(buffer, np.clip(np.concatenate(shown, axis=1), 0, 1), format="png")
    return buffer.getvalue()


def legend_png() -> bytes:
    """Draw what the colours of `scene_png` mean.

    Returns
    -------
    bytes
        PNG.
    """
    from matplotlib.patches import Patch

    from napari_sem_tools.reporting import png_bytes
    from napari_sem_tools.reporting.figures import new_figure

    figure = new_figure(11.0, 0.34)
    handles = [Patch(color=colour, label=name) for name, colour in LEGEND.items()]
    figure.legend(
        handles=handles,
        loc="center left",
        ncols=len(handles),
        frameon=False,
        fontsize=7.5,
        handlelength=1.1,
        columnspacing=1.1,
    )
    return png_bytes(figure, dpi=130)


def _grey(scene: Scene, rows: int | tuple[int, int] | None) -> Picture:
    """Return the picture between 0 and 1 on the grid of the labels, within the rows."""
    shape = np.asarray(scene.truth).shape
    part = slice(*rows) if isinstance(rows, tuple) else slice(rows)
    grey = np.full(shape, 0.5, np.float32)
    if scene.image is not None:
        from napari_sem_tools.reading.inputs import as_micrograph
        from napari_sem_tools.reporting.pictures import preview

        image = as_micrograph(scene.image)
        seen = preview(image, np.zeros(image.shape, np.int32), longest=max(image.shape)).grey
        seen = seen[: shape[0], : shape[1]]
        grey[: seen.shape[0], : seen.shape[1]] = seen
    return grey[part]


def _sized(
    grey: Picture, true: NDArray[np.int64], found: NDArray[np.int64]
) -> tuple[Picture, NDArray[np.int64], NDArray[np.int64]]:
    """Reduce large pictures and enlarge small ones by a whole factor."""
    from scipy.ndimage import uniform_filter

    longest = max(grey.shape)
    step = -(-longest // LONGEST_PX)
    if step > 1:
        middle = (slice(step // 2, None, step),) * 2
        return uniform_filter(grey, step, mode="nearest")[middle], true[middle], found[middle]
    times = max(1, SMALLEST_PX // longest)
    larger = np.ones((times, times), np.int64)
    return np.kron(grey, larger.astype(np.float32)), np.kron(true, larger), np.kron(found, larger)


def _fill(
    true: NDArray[np.int64], found: NDArray[np.int64], counts: ImageCounts
) -> tuple[Picture, NDArray[np.bool_]]:
    """Colour what is right and wrong: found particles first, losses over them."""
    colours = np.zeros((*true.shape, 3), np.float32)
    found_colour = np.array([(0, 0, 0), *(_FOUND_FILL[name] for name in FOUND_KINDS)], np.float32)
    at = np.append(0, counts.found_kind + 1)[found]
    colours = found_colour[at]
    true_colour = np.array([(0, 0, 0), *(_TRUE_FILL[n] for n in TRUE_KINDS[1:])], np.float32)
    lost = np.append(0, counts.true_kind)[true]
    colours[lost > 0] = true_colour[lost[lost > 0]]
    return colours, (at > 0) | (lost > 0)
