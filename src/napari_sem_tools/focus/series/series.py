"""A through-focus series: the curve of sharpness, the best position and how sure it is."""

from __future__ import annotations

import dataclasses
import os
import warnings as _warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.errors import InvalidSettings, SemWarning
from napari_sem_tools.focus.measures.picture import Picture, picture_of
from napari_sem_tools.focus.measures.table import MEASURES, measures_of
from napari_sem_tools.focus.series.moves import Move
from napari_sem_tools.focus.series.sharpness import SERIES_MEASURE, Sharpness, sharpness, tiles_of
from napari_sem_tools.focus.series.verdict import Measured
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading.inputs import as_micrograph, list_files
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

if TYPE_CHECKING:
    import pandas as pd

    from napari_sem_tools.focus.score import FocusScore

__all__ = ["FocusSeries", "focus_series", "judge_series"]

_SETTINGS: Final = (
    "dwell_time_us",
    "magnification",
    "detector",
    "accelerating_voltage_kV",
    "averaging",
)

Row = NDArray[np.float64]
Score = Callable[[Micrograph], "FocusScore"]


@dataclasses.dataclass(frozen=True, eq=False)
class FocusSeries:
    """A series of one field at several focus positions.

    Attributes
    ----------
    positions : float64 array (n,)
        Increasing.
    order : int array (n,)
        Index of each frame among the images that were given.
    curves : DataFrame
        A row a frame, indexed by position; a column for each measure, and ``score`` with
        ``score_low`` and ``score_high`` where the frames were scored.
    measure : str
        The column that decided.
    best : float
        Best position; NaN where the frames show no difference.  Outside the positions it is
        the end that is nearer.
    interval : (float, float)
        Holds the best position with a probability of 90 %.
    inside : bool
        False when the optimum does not lie between the first and the last position.
    suggested_move : Move
        Where to look next.
    warnings : tuple of str
        What the user should know.
    unit : str
        Of the positions: ``"frame"`` where none were given.
    fit : DataFrame or None
        The curve that was put through the values, columns ``position`` and ``value``.

    Examples
    --------
    The nearest frame: ``series.order[series.best_frame]``.
    """

    positions: Row
    order: NDArray[np.intp]
    curves: pd.DataFrame
    measure: str
    best: float
    interval: tuple[float, float]
    inside: bool
    suggested_move: Move
    warnings: tuple[str, ...] = ()
    unit: str = "frame"
    fit: pd.DataFrame | None = None

    @property
    def best_frame(self) -> int:
        """Row of the frame nearest to the best position; the sharpest one without any."""
        if np.isfinite(self.best):
            return int(np.argmin(np.abs(self.positions - self.best)))
        return int(np.nanargmax(self.curves[self.measure].to_numpy(float)))


def focus_series(
    images: Any,
    positions: ArrayLike | None = None,
    *,
    measures: Sequence[str] = (),
    decide: str = SERIES_MEASURE,
    score: Score | None = None,
    unit: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> FocusSeries:
    """Find the best focus of a series of frames of one field.

    With five frames or more a bell curve is fitted to the measure, with fewer a parabola to
    the inverse roots of the sharpest frame and its neighbours.  Where few frames have few
    electrons (a standard error of 3 % or more) and much the same brightness, detail is taken
    over the squared mean, which has less noise than the contrast.  The interval comes from drawing
    the tiles of the frames anew, widened by the scatter of the curve about the bell.

    Parameters
    ----------
    images : stack, folder, pattern or sequence of images
        All of one size.  A stack is an array (N, Y, X), a path to one or a `Micrograph`.
    positions : array-like (n,), optional
        Focus position of each frame, in any order, unevenly spaced or repeated.  Without them
        the working distances in the metadata count where every frame has one and they differ,
        else the number of the frame.
    measures : sequence of str
        Further measures to give as columns, by the names of `focus_measures`.
    decide : str
        The measure that finds the best position.  The default knows neither gain, black level
        nor noise; any name of `focus_measures` that is larger for sharper images will do.
    score : callable, optional
        What scores a frame, e.g. `focus`; adds the columns of the score.
    unit : str, optional
        Unit of the positions, for tables and figures.
    seed : int
        Of the replicates.
    progress, cancel : callable, optional

    Returns
    -------
    FocusSeries

    Raises
    ------
    InvalidSettings
        Fewer than two frames, frames of different sizes, or positions that do not fit.
    Cancelled
        The user stopped.

    References
    ----------
    Gain-free measures and their parabola: reference page of the room.  Comparison of measures:
    Santos et al., J. Microsc. 188 (1997) 264; Rudnaya et al., Ultramicroscopy 110 (2010) 1387.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> scene = np.random.default_rng(0).normal(100, 20, (128, 128))
    >>> stack = [gaussian_filter(scene, 1 + abs(z - 2.4)) for z in range(7)]
    >>> series = focus_series(stack)
    >>> round(series.best, 1), series.inside
    (2.4, True)
    """
    series = judge_series(
        images,
        positions,
        measures=measures,
        decide=decide,
        score=score,
        unit=unit,
        seed=seed,
        progress=progress,
        cancel=cancel,
    )
    for note in series.warnings:
        _warnings.warn(note, SemWarning, stacklevel=2)
    return series


def judge_series(
    images: Any,
    positions: ArrayLike | None = None,
    *,
    measures: Sequence[str] = (),
    decide: str = SERIES_MEASURE,
    score: Score | None = None,
    unit: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> FocusSeries:
    """Do what `focus_series` does, with its warnings in the record alone: for threads.

    Parameters
    ----------
    images, positions, measures, decide, score, unit, seed, progress, cancel
        As `focus_series`.

    Returns
    -------
    FocusSeries
    """
    frames = _frames(images)
    if decide not in MEASURES or MEASURES[decide].larger_is_sharper is None:
        raise InvalidSettings(
            f"{decide} is no measure of focus.", hint="See the table of measures for names."
        )
    looks: list[Sharpness] = []
    rows: list[dict[str, float]] = []
    tiled: list[Row] = []
    means: list[float] = []
    names = tuple(dict.fromkeys((*measures, decide)))
    for number, image in enumerate(frames):
        stop_if_cancelled(cancel)
        report(progress, number, len(frames), "measuring focus")
        row, look, tiles, mean = _measure(image, names, decide, score)
        rows.append(row)
        looks.append(look)
        tiled.append(tiles)
        means.append(mean)
    report(progress, len(frames), len(frames), "measuring focus")
    places, found_unit = _positions(frames, positions)
    order = np.argsort(places, kind="stable")
    import pandas as pd

    curves = pd.DataFrame([rows[i] for i in order], index=pd.Index(places[order], name="position"))
    measured = Measured(
        places[order],
        _sharper(decide, curves[decide].to_numpy(float)),
        np.stack([tiled[i] for i in order]),
        np.array([looks[i].information for i in order]),
        np.array([looks[i].error if decide == SERIES_MEASURE else 0.0 for i in order]),
        decide == SERIES_MEASURE,
    )
    if decide == SERIES_MEASURE:
        measured = measured.over_brightness(np.array([means[i] for i in order]))
    verdict = measured.judge(np.random.default_rng(seed))
    notes = (*_differences(frames), *verdict.warnings)
    return FocusSeries(
        measured.x, order, curves, decide, verdict.best, verdict.interval, verdict.inside,
        verdict.move, notes, unit or found_unit, verdict.fit,
    )  # fmt: skip


def _frames(images: Any) -> list[Micrograph]:
    """Return the frames as images of one size."""
    if isinstance(images, str | os.PathLike) and not os.path.isfile(images):
        images = list_files(images)
    if isinstance(images, Iterable) and not _is_image(images):
        frames = [as_micrograph(image).plane(0) for image in images]
    else:
        stack = as_micrograph(images)
        frames = [stack.plane(number) for number in range(stack.n_pages)]
    if len(frames) < 2:
        raise InvalidSettings(
            "One frame is no series.", hint="Give a stack, a folder or a list of images."
        )
    shapes = {frame.shape for frame in frames}
    if len(shapes) > 1:
        raise InvalidSettings(
            f"The frames have different sizes: {sorted(shapes)}.",
            hint="Take all frames of a series with the same settings.",
        )
    return frames


def _is_image(images: Any) -> bool:
    """Tell one thing that is an image or a stack from a sequence of them."""
    return (
        isinstance(images, str | os.PathLike | Micrograph)
        or hasattr(images, "ndim")
        or hasattr(images, "metadata")
    )


def _measure(
    image: Micrograph, names: Sequence[str], decide: str, score: Score | None
) -> tuple[dict[str, float], Sharpness, Row, float]:
    """Measure a frame: the row of the table, its energies, what is drawn anew (2, n), its mean."""
    picture = picture_of(image)
    look = sharpness(picture)
    row = {SERIES_MEASURE: look.value if look.information else np.nan}
    others = [name for name in names if name != SERIES_MEASURE]
    tiles = np.stack([look.detail, look.ground])
    if others:
        row |= measures_of(picture, others)
        if decide != SERIES_MEASURE:
            parts = [Picture(t, None, picture.pixel_size) for t in tiles_of(picture)]
            values = _sharper(decide, np.array([measures_of(p, decide)[decide] for p in parts]))
            tiles = np.stack([values, np.ones(len(values))])
    if score is not None:
        result = score(image)
        row |= {
            "score": result.score,
            "score_low": result.interval[0],
            "score_high": result.interval[1],
        }
    return {name: float(value) for name, value in row.items()}, look, tiles, picture.mean


def _sharper(name: str, values: Row) -> Row:
    """Turn a measure so that larger is sharper: a width becomes its inverse square."""
    if MEASURES[name].larger_is_sharper:
        return values
    positive = np.where(values > 0, values, np.nan)
    return np.asarray(positive**-2.0)


def _positions(frames: Sequence[Micrograph], positions: ArrayLike | None) -> tuple[Row, str]:
    """Return the position of each frame and its unit."""
    if positions is not None:
        given = np.atleast_1d(np.asarray(positions, float))
        if given.shape != (len(frames),) or not np.isfinite(given).all():
            raise InvalidSettings(
                f"{given.size} positions do not fit {len(frames)} frames.",
                hint="Give a finite number for each frame.",
            )
        if len(np.unique(given)) < 2:
            raise InvalidSettings("All positions are the same.", hint="Leave them out.")
        return given, ""
    distances = [frame.metadata.working_distance_mm for frame in frames]
    known = np.array([distance for distance in distances if distance is not None], float)
    if len(known) == len(frames) and len(np.unique(known)) > 1:
        return known, "mm"
    return np.arange(len(frames), dtype=float), "frame"


def _differences(frames: Sequence[Micrograph]) -> list[str]:
    """Say which settings differ between frames: they would be taken for focus."""
    notes = []
    for name in _SETTINGS:
        values = {str(value) for frame in frames if (value := getattr(frame.metadata, name))}
        if len(values) > 1:
            what = name.replace("_", " ")
            notes.append(f"The frames differ in {what} ({', '.join(sorted(values))}).")
    return notes
