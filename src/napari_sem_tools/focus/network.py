"""Focus by a network of the registry: a score of the image, and a map of blur and score."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.measures.picture import Picture, picture_of
from napari_sem_tools.focus.score import (
    BEST,
    NEW_SOURCE,
    FocusScore,
    blur_of_score,
    has_network,
    reasons_of,
)
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = [
    "CELL_PX",
    "MODEL",
    "FocusMap",
    "Reading",
    "focus_map",
    "read_picture",
    "score_by_network",
    "scores_of",
    "standardised",
    "with_conditions",
]

Grey = NDArray[np.float32]

MODEL: Final = "focus"
"""Model of the package."""

CELL_PX: Final = 16
"""Edge of a cell of the network's grid."""

_TILE_PX: Final = (240, 320)  # the frames that it is trained and calibrated on
_MOST_TILES: Final = 8  # at a time
_STEEPEST: Final = 8.0  # standard deviations beyond which a pixel is an outlier
_LEAST_VALID: Final = 0.25  # of a tile that may be looked at
_NUMBERS: Final = 13
_QUANTITIES: Final = 6
_BLUR, _FIRST, _SECOND, _SNR, _CONTRAST, _SCORE, _INFORMS = 0, 1, 2, 3, 4, 5, 12
_SCALE: Final = 10.0  # the network gives a tenth of the score
_NINETY: Final = 1.645  # standard deviations of a 90 % interval
_LN_VARIANCE: Final = (-6.0, 4.0)
_ASTIGMATIC: Final = 0.3
_SURE: Final = 2.0  # standard deviations
_BLURRED_PX: Final = 0.4  # less is no reason


@dataclasses.dataclass(frozen=True, eq=False)
class Reading:
    """What the network says of a picture, from all its tiles.

    Attributes
    ----------
    score, sd : float
        0 to 10, and its standard deviation.
    blur_px : float
        Whole blur, that in focus included: standard deviation of the point spread.
    astigmatism : (float, float) or None
        None where it is not sure.
    snr : float or None
        Variance of the signal over that of the noise.
    information : float
        Probability that there is something to focus on.
    """

    score: float
    sd: float
    blur_px: float
    astigmatism: tuple[float, float] | None
    snr: float | None
    information: float


@dataclasses.dataclass(frozen=True, eq=False)
class FocusMap:
    """Blur and score over an image, on a grid of cells.

    Attributes
    ----------
    blur_px : float32 array (rows, columns)
        Added blur that the score stands for; NaN where nothing may be looked at.
    score : float32 array (rows, columns)
        0 to 10.
    sd : float32 array (rows, columns)
        Standard deviation of the score: large where there is no texture.
    step_px : int
        Edge of a cell; cell (0, 0) begins at `origin`.
    origin : (int, int)
        First row and column of the field in the image.
    method : str

    Examples
    --------
    >>> cells = np.ones((2, 3), np.float32)
    >>> FocusMap(cells, cells, cells, 16).on_image((32, 48)).shape
    (32, 48)
    """

    blur_px: NDArray[np.float32]
    score: NDArray[np.float32]
    sd: NDArray[np.float32]
    step_px: int
    origin: tuple[int, int] = (0, 0)
    method: str = "network"

    def on_image(self, shape: tuple[int, int], what: str = "score") -> NDArray[np.float32]:
        """Return a quantity on the pixels of the image.

        Parameters
        ----------
        shape : (int, int)
            Of the image.
        what : {"score", "blur_px", "sd"}

        Returns
        -------
        float32 array (Y, X)
            NaN outside of the field.
        """
        cells = getattr(self, what)
        image = np.full(shape, np.nan, np.float32)
        large = np.repeat(np.repeat(cells, self.step_px, 0), self.step_px, 1)
        row, column = self.origin
        room = image[row : row + large.shape[0], column : column + large.shape[1]]
        room[:] = large[: room.shape[0], : room.shape[1]]
        return image


def standardised(grey: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Grey:
    """Bring grey values to zero mean and unit standard deviation; outliers are cut.

    Parameters
    ----------
    grey : array (Y, X)
    valid : bool array (Y, X), optional
        Pixels that count.

    Returns
    -------
    float32 array (Y, X)

    Examples
    --------
    >>> standardised(np.array([[1, 3]])).tolist()
    [[-1.0, 1.0]]
    """
    values = np.asarray(grey, np.float32)
    counted = values if valid is None else values[valid]
    scale = max(float(counted.std()), 1e-6)
    centred = (values - counted.mean()) / np.float32(scale)
    return np.asarray(np.clip(centred, -_STEEPEST, _STEEPEST), np.float32)


def with_conditions(grey: Grey, conditions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put planes of one number each behind an image: how the network takes conditions.

    Parameters
    ----------
    grey : float32 array (Y, X)
    conditions : float32 array (n,)

    Returns
    -------
    float32 array (1 + n, Y, X)
    """
    planes = np.empty((1 + len(conditions), *grey.shape), np.float32)
    planes[0], planes[1:] = grey, conditions[:, None, None]
    return planes


def conditions_of(pixel_nm: float | None) -> NDArray[np.float32]:
    """Return ln(pixel size in nm) and 1, or two zeros when it is unknown."""
    if pixel_nm is None:
        return np.zeros(2, np.float32)
    return np.array([np.log(pixel_nm), 1], np.float32)


def scores_of(made: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the scores from what a network for focus gives.

    Parameters
    ----------
    made : float32 array (N, 26, y, x) or (N, 1)

    Returns
    -------
    float64 array (N,)
        0 to 10; 0 where there is nothing to focus on.

    Examples
    --------
    >>> scores_of(np.array([[12.0]], np.float32)).tolist()
    [10.0]
    """
    if made.ndim == 2:
        return np.asarray(np.clip(made[:, 0].astype(float), 0, BEST))
    rows = made[:, _NUMBERS:, 0, 0].astype(float)
    return np.asarray(np.clip(_SCALE * rows[:, _SCORE], 0, BEST) * (rows[:, _INFORMS] > 0))


def score_by_network(picture: Picture, device: str = "auto", *, model: str = MODEL) -> FocusScore:
    """Score a picture.

    Parameters
    ----------
    picture : Picture
    device : str
    model : str
        Name in the registry.

    Returns
    -------
    FocusScore
    """
    reading = read_picture(picture, device, model=model)
    if reading.information < 0.5:
        reason = "no information: no structure beside the noise"
        return FocusScore(0.0, (0.0, 0.0), information=False, reasons=(reason,), method="network")
    score = float(np.clip(reading.score, 0, BEST))
    half = NEW_SOURCE * _NINETY * reading.sd
    added = float(blur_of_score(score))
    contrast = None
    if reading.snr is not None:
        share = reading.snr / (1 + reading.snr)
        contrast = float(np.sqrt(picture.variance * share)) / max(abs(picture.mean), 1e-9)
    return FocusScore(
        score,
        (max(reading.score - half, 0.0), min(max(reading.score + half, 0.0), BEST)),
        blur_px=added,
        blur_nm=None if picture.pixel_size is None else added * picture.pixel_size,
        astigmatism=reading.astigmatism,
        snr=reading.snr,
        contrast=contrast,
        reasons=_reasons(reading, added, half, contrast),
        method="network",
    )


def read_picture(picture: Picture, device: str = "auto", *, model: str = MODEL) -> Reading:
    """Ask the network about a picture, tile by tile, and join what it says.

    Parameters
    ----------
    picture : Picture
    device : str
    model : str

    Returns
    -------
    Reading

    Notes
    -----
    Tiles are joined with the reciprocal variances of their scores as weights.  The variance of
    the result is their harmonic mean: tiles of one picture err alike, so that more of them do
    not make it surer.
    """
    from napari_sem_tools.models import models

    boxes = [box for box in _boxes(picture.grey.shape) if _share(picture, box) >= _LEAST_VALID]
    boxes = boxes or _boxes(picture.grey.shape)
    with models.lease(model, **_wish(device)) as lent:
        alone = len(lent.card.outputs) == 1
        conditions = np.zeros(1, np.float32) if alone else conditions_of(picture.pixel_size)
        made = []
        for group in _groups(boxes):
            tiles = [_tile(picture, box, unit=alone) for box in group]
            made.append(lent.tiles(np.stack([with_conditions(t, conditions) for t in tiles])))
        if alone:
            return _of_scores(np.concatenate(made)[:, 0], lent.card)
    return _joined(np.concatenate([part[:, _NUMBERS:, 0, 0] for part in made]))


def focus_map(
    image: Any,
    *,
    pixel_size: float | tuple[float, float] | None = None,
    mask: NDArray[np.bool_] | None = None,
    smooth_px: float = 32.0,
    device: str = "auto",
    model: str = MODEL,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> FocusMap:
    """Map the focus over an image: where it is sharp, where not, and how sure that is.

    Where torch or the model of the package is not at hand, the mix scores tiles: `tile_map`.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X)
    pixel_size : float or (float, float), optional
        In nm.
    mask : bool array (Y, X), optional
        True where the image may be looked at.
    smooth_px : float
        Neighbouring cells are joined over this distance, each with its own weight.
    device : str
    model : str
        Name in the registry.
    progress, cancel : callable, optional

    Returns
    -------
    FocusMap

    Raises
    ------
    InvalidSettings
        The field is smaller than 32 x 32 px.
    Cancelled
        The user stopped.
    MissingExtra
        Another model than that of the package is asked for without PyTorch.

    Examples
    --------
    >>> found = focus_map("tilted.tif")  # doctest: +SKIP
    >>> found.score.shape  # doctest: +SKIP
    (48, 64)
    """
    from napari_sem_tools.focus.tile_map import tile_map
    from napari_sem_tools.models import models

    if model == MODEL and not has_network():
        return tile_map(image, pixel_size=pixel_size, mask=mask, progress=progress, cancel=cancel)
    picture = picture_of(image, pixel_size=pixel_size, mask=mask)
    conditions = conditions_of(picture.pixel_size)
    shape = tuple(-(-n // CELL_PX) for n in picture.grey.shape)
    weight, total = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    groups = list(_groups(_boxes(picture.grey.shape, overlap=4 * CELL_PX)))
    with models.lease(model, **_wish(device)) as lent:
        for number, group in enumerate(groups):
            stop_if_cancelled(cancel)
            report(progress, number, len(groups), "mapping the focus")
            batch = np.stack([with_conditions(_tile(picture, box), conditions) for box in group])
            for (rows, columns), cells in zip(group, lent.tiles(batch), strict=True):
                precision = np.exp(-np.clip(cells[_QUANTITIES + _SCORE], *_LN_VARIANCE))
                place = tuple(slice(s.start // CELL_PX, s.stop // CELL_PX) for s in (rows, columns))
                weight[place] += precision
                total[place] += precision * cells[_SCORE]
    return _finished(picture, weight, total, smooth_px)


def _finished(picture: Picture, weight: Grey, total: Grey, smooth_px: float) -> FocusMap:
    """Join neighbouring cells by their precision, and leave out what does not count."""
    from scipy.ndimage import gaussian_filter

    width = smooth_px / CELL_PX
    if picture.valid is not None:
        part = _valid_share(picture.valid, weight.shape)
        weight, total = weight * part, total * part
    near, sum_of = (gaussian_filter(plane, width) for plane in (weight, total))
    score = np.clip(_SCALE * sum_of / np.maximum(near, 1e-9), 0, BEST)
    sd = _SCALE / np.sqrt(np.maximum(near, 1e-9))
    if picture.valid is not None:
        out = part == 0
        score[out], sd[out] = np.nan, np.nan
    blur = np.asarray(blur_of_score(score), np.float32)
    return FocusMap(blur, score.astype(np.float32), sd.astype(np.float32), CELL_PX, picture.origin)


def _joined(rows: NDArray[np.float32]) -> Reading:
    """Join what was said of the tiles."""
    spread = np.exp(np.clip(rows[:, _QUANTITIES : 2 * _QUANTITIES].astype(float), *_LN_VARIANCE))
    informs = 1 / (1 + np.exp(-rows[:, _INFORMS].astype(float)))
    weights = informs[:, None] / spread
    weights /= np.maximum(weights.sum(0), 1e-12)
    mean = (rows[:, :_QUANTITIES] * weights).sum(0)
    variance = (spread * weights).sum(0)
    return Reading(
        score=float(_SCALE * mean[_SCORE]),
        sd=float(_SCALE * np.sqrt(variance[_SCORE])),
        blur_px=float(np.exp(mean[_BLUR])),
        astigmatism=_sure_vector(mean, variance),
        snr=float(np.exp(mean[_SNR])),
        information=float(informs.max()),
    )


def _sure_vector(
    mean: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Return the vector of astigmatism where it is more than twice its standard deviation."""
    first, second = float(mean[_FIRST]), float(mean[_SECOND])
    spread = float(np.sqrt((variance[_FIRST] + variance[_SECOND]) / 2))
    return (first, second) if np.hypot(first, second) > _SURE * spread else None


def _of_scores(scores: NDArray[np.float32], card: Any) -> Reading:
    """Join the scores of a network that gives nothing else; its error is that of its card."""
    known = {score.metric: score.value for score in card.scores}
    sd = max(float(known.get("RMSE", BEST / 4)), 0.1)
    score = float(scores.mean())
    return Reading(score, sd, float(blur_of_score(np.clip(score, 0, BEST))), None, None, 1.0)


def _reasons(
    reading: Reading, added: float, half: float, contrast: float | None
) -> tuple[str, ...]:
    """Say what lowers the score or makes it unsure."""
    snr = np.inf if reading.snr is None else reading.snr
    said = reasons_of(added, half, snr, np.inf if contrast is None else contrast)
    first, second = reading.astigmatism or (0.0, 0.0)
    strength = float(np.hypot(first, second))
    if strength < _ASTIGMATIC or added < _BLURRED_PX:
        return said
    angle = np.degrees(0.5 * np.arctan2(second, first)) % 180
    return (*said, f"astigmatism {strength:.1f} along {angle:.0f} degrees")


def _wish(device: str) -> dict[str, str]:
    """Return what to ask of a lease."""
    return {} if device == "auto" else {"device": device}


def _boxes(shape: tuple[int, ...], overlap: int = 0) -> list[tuple[slice, slice]]:
    """Cut a picture into equal tiles of whole cells, about as large as the network knows them.

    The last ones may reach beyond the picture by less than a cell.
    """
    axes = []
    for pixels, tile in zip(shape, _TILE_PX, strict=True):
        size = -(-pixels // CELL_PX) * CELL_PX
        count = max(1, round((size - overlap) / (tile - overlap)))
        edge = -(-(size + (count - 1) * overlap) // (count * CELL_PX)) * CELL_PX
        firsts = np.linspace(0, (size - edge) // CELL_PX, count).round().astype(int) * CELL_PX
        axes.append([slice(int(first), int(first + edge)) for first in firsts])
    return [(rows, columns) for rows in axes[0] for columns in axes[1]]


def _groups(boxes: list[Any]) -> Iterator[list[Any]]:
    """Return some tiles at a time."""
    for first in range(0, len(boxes), _MOST_TILES):
        yield boxes[first : first + _MOST_TILES]


def _share(picture: Picture, box: tuple[slice, slice]) -> float:
    """Return which share of a tile counts."""
    return 1.0 if picture.valid is None else float(picture.valid[box].mean())


def _tile(picture: Picture, box: tuple[slice, slice], *, unit: bool = False) -> Grey:
    """Cut a tile, scaled by itself (or to 0 to 1); what lies beyond is its mirror image."""
    valid = None if picture.valid is None else picture.valid[box]
    valid = None if valid is None or not valid.any() else valid
    if unit:
        white = picture.depth or float(picture.grey.max()) or 1.0
        grey = picture.grey[box] / np.float32(white)
    else:
        grey = standardised(picture.grey[box], valid)
    more = [(0, s.stop - s.start - n) for s, n in zip(box, grey.shape, strict=True)]
    return np.pad(grey, more, mode="symmetric") if any(m for _, m in more) else grey


def _valid_share(valid: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return which share of each cell counts."""
    rows, columns = shape
    padded = np.zeros((rows * CELL_PX, columns * CELL_PX), np.float32)
    padded[: valid.shape[0], : valid.shape[1]] = valid
    return np.asarray(padded.reshape(rows, CELL_PX, columns, CELL_PX).mean((1, 3)))
