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
from napari_sem_tools.focus.curve import NORMAL_90, fit_bells, student, vertex
from napari_sem_tools.focus.measures import MEASURES, measures_of
from napari_sem_tools.focus.moves import BRACKET, FOUND, NO_INFORMATION, REFINE, Move
from napari_sem_tools.focus.picture import Picture, picture_of
from napari_sem_tools.focus.sharpness import SERIES_MEASURE, Sharpness, sharpness, tiles_of
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading.inputs import as_micrograph, list_files
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

if TYPE_CHECKING:
    import pandas as pd

    from napari_sem_tools.focus.score import FocusScore

__all__ = ["FocusSeries", "focus_series"]

_REPLICATES: Final = 200
_BELL_FROM: Final = 5  # frames; a bell has four unknowns
_TRUSTED: Final = 3.0  # standard errors by which the sharpest frame must stand out
_BEYOND: Final = 1.2  # spacings from the middle of three frames that a parabola is believed
_SYSTEMATIC: Final = 0.01  # of the spacing: the curve is no exact bell
_FORM: Final = 0.02  # of the spacing: three logarithms lie on no exact parabola
_DRAWN: Final = 201  # points of the fitted curve
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
    the logarithms of the sharpest frame and its neighbours.  The interval comes from drawing
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
    frames = _frames(images)
    if decide not in MEASURES or MEASURES[decide].larger_is_sharper is None:
        raise InvalidSettings(
            f"{decide} is no measure of focus.", hint="See the table of measures for names."
        )
    looks: list[Sharpness] = []
    rows: list[dict[str, float]] = []
    tiled: list[Row] = []
    names = tuple(dict.fromkeys((*measures, decide)))
    for number, image in enumerate(frames):
        stop_if_cancelled(cancel)
        report(progress, number, len(frames), "measuring focus")
        row, look, tiles = _measure(image, names, decide, score)
        rows.append(row)
        looks.append(look)
        tiled.append(tiles)
    report(progress, len(frames), len(frames), "measuring focus")
    places, found_unit = _positions(frames, positions)
    order = np.argsort(places, kind="stable")
    import pandas as pd

    curves = pd.DataFrame([rows[i] for i in order], index=pd.Index(places[order], name="position"))
    measured = _Measured(
        places[order],
        _sharper(decide, curves[decide].to_numpy(float)),
        np.stack([tiled[i] for i in order]),
        np.array([looks[i].information for i in order]),
        np.array([looks[i].error if decide == SERIES_MEASURE else 0.0 for i in order]),
    )
    verdict = measured.judge(np.random.default_rng(seed))
    notes = (*_differences(frames), *verdict.warnings)
    for note in notes:
        _warnings.warn(note, SemWarning, stacklevel=2)
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
) -> tuple[dict[str, float], Sharpness, Row]:
    """Measure a frame: the row of the table, its energies, and what is drawn anew (2, n)."""
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
    return {name: float(value) for name, value in row.items()}, look, tiles


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


@dataclasses.dataclass(frozen=True, eq=False)
class _Verdict:
    """What a curve says."""

    best: float
    interval: tuple[float, float]
    inside: bool
    move: Move
    warnings: tuple[str, ...] = ()
    fit: pd.DataFrame | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class _Measured:
    """A curve in order of position.

    Attributes
    ----------
    x, y : float64 array (n,)
        Positions and values of the measure; frames may share a position.
    tiles : float64 array (n, 2, t)
        Numerator and denominator of the measure in each tile.
    useful : bool array (n,)
        False for frames with nothing but noise.
    error : float64 array (n,)
        Standard errors by noise; 0: not known.
    """

    x: Row
    y: Row
    tiles: NDArray[np.float64]
    useful: NDArray[np.bool_]
    error: Row

    def judge(self, rng: np.random.Generator) -> _Verdict:
        """Find the best position."""
        good = self.useful & np.isfinite(self.y)
        lost = int((~good).sum())
        notes = [f"{lost} of {len(good)} frames show nothing but noise."] if lost else []
        x, place = np.unique(self.x[good], return_inverse=True)
        if len(x) < 2:
            return self._nothing((*notes, "Too few frames hold any detail."))
        curves = _merge(self._replicates(good, rng), place, len(x))
        spread = np.nanstd(curves[1:], axis=0)
        low, high = int(np.argmin(curves[0])), int(np.argmax(curves[0]))
        doubt = _merge(np.square(self.error[good])[None], place, len(x))[0]
        counts = np.bincount(place)
        noise = float(np.sqrt(doubt[low] / counts[low] + doubt[high] / counts[high]))
        if noise == 0:
            noise = float(np.std(curves[1:, high] - curves[1:, low]))
        if curves[0, high] - curves[0, low] <= _TRUSTED * noise:
            return self._nothing((*notes, "The frames do not differ in sharpness beyond noise."))
        if len(x) >= _BELL_FROM:
            return _by_bell(x, curves, spread, tuple(notes))
        return _by_parabola(x, curves, np.sqrt(doubt / counts), tuple(notes))

    def _nothing(self, notes: tuple[str, ...]) -> _Verdict:
        """Return that there is no best position."""
        nan = float("nan")
        return _Verdict(nan, (nan, nan), False, Move(None, NO_INFORMATION, True), notes)

    def _replicates(self, good: NDArray[np.bool_], rng: np.random.Generator) -> Row:
        """Return the curve and as many as would be measured on other tiles; (1 + r, n)."""
        tiles = self.tiles[good]
        tiles = tiles[:, :, np.isfinite(tiles).all(axis=(0, 1))]
        count = tiles.shape[2]
        if count == 0:
            return np.repeat(self.y[good][None], 2, axis=0)
        # the same tiles in all frames: what they show is no scatter, only their noise is
        weights = rng.multinomial(count, np.full(count, 1 / count), _REPLICATES)
        weights = np.concatenate([np.ones((1, count), int), weights])
        sums = np.einsum("rt,nkt->rkn", weights, tiles)
        curves = sums[:, 0] / np.maximum(sums[:, 1], 1e-300)
        # few tiles scatter too little: as Student's t is wider than the normal distribution
        factor = np.sqrt(count / max(count - 1, 1)) * student(max(count - 1, 1)) / NORMAL_90
        curves[1:] = curves[0] + factor * (curves[1:] - curves[0])
        return np.asarray(curves)


def _merge(curves: Row, place: NDArray[np.intp], count: int) -> Row:
    """Average frames at the same position."""
    groups = place[:, None] == np.arange(count)
    return np.asarray(curves @ groups / groups.sum(axis=0))


def _by_bell(x: Row, curves: Row, spread: Row, notes: tuple[str, ...]) -> _Verdict:
    """Fit a bell to the curve and to its replicates."""
    import pandas as pd

    spacing = float(np.median(np.diff(x)))
    bells = fit_bells(x, curves, beyond=spacing)
    best = float(bells.best[0])
    freedom = max(len(x) - 4, 1)
    expected = float(np.mean(spread**2)) * freedom
    scale = max(1.0, np.sqrt(bells.residual[0] / expected)) if expected > 0 else 1.0
    away = np.quantile(bells.best[1:], [0.05, 0.95]) - best
    half = np.hypot(scale * np.maximum([-away[0], away[1]], 0.0), _SYSTEMATIC * spacing)
    interval = (best - float(half[0]), best + float(half[1]))
    drawn = np.linspace(x[0], x[-1], _DRAWN)
    fit = pd.DataFrame({"position": drawn, "value": bells.at(drawn)})
    return _finish(x, best, interval, spacing, (notes, fit))


def _by_parabola(x: Row, curves: Row, noise: Row, notes: tuple[str, ...]) -> _Verdict:
    """Put a parabola through the logarithms of the sharpest frame and its neighbours."""
    import pandas as pd

    top = int(np.argmax(curves[0]))
    if len(x) < 3:
        spacing = float(x[1] - x[0])
        side = 1 if top else -1
        return _finish(x, float(x[top] + 2 * side * spacing), None, spacing, (notes, None))
    three = slice(max(0, min(top - 1, len(x) - 3)), max(0, min(top - 1, len(x) - 3)) + 3)
    x3, y3 = x[three], curves[:, three]
    in_logs = bool(np.min(y3[0]) > 0 or np.any(noise))  # else a measure that may be negative
    floor = np.maximum(noise[three], 1e-6 * curves[0, top])
    logs = np.log(np.maximum(y3, floor)) if in_logs else y3
    spacing = float(np.mean(np.diff(x3)))
    tops = np.array([_top(x3, row) for row in logs])
    best = float(tops[0])
    away = np.quantile(tops[1:], [0.05, 0.95]) - best
    form = 0.5 * abs(_top(x3, -np.exp(-0.5 * logs[0])) - best) if in_logs else 0.0
    form = np.hypot(form, _FORM * spacing)
    half = np.hypot(np.maximum([-away[0], away[1]], 0.0), form)
    interval = (best - float(half[0]), best + float(half[1]))
    drawn = np.linspace(x3[0], x3[-1], _DRAWN)
    values = np.polyval(np.polyfit(x3, logs[0], 2), drawn)
    fit = pd.DataFrame({"position": drawn, "value": np.exp(values) if in_logs else values})
    return _finish(x, best, interval, spacing, (notes, fit))


def _top(x: Row, y: Row) -> float:
    """Return the top of a parabola, at most a little outside; without one a place far outside."""
    found = vertex(x, y)
    middle, reach = float(x[1]), _BEYOND * float(np.mean(np.diff(x)))
    if found is not None and abs(found - middle) <= reach:
        return found
    return middle + (reach if y[2] > y[0] else -reach) * (1 + 1e-6)


def _finish(
    x: Row,
    best: float,
    interval: tuple[float, float] | None,
    spacing: float,
    more: tuple[tuple[str, ...], pd.DataFrame | None],
) -> _Verdict:
    """Tell inside from outside and suggest a move."""
    notes, fit = more
    if x[0] <= best <= x[-1] and interval is not None:
        sure = interval[1] - interval[0] <= 0.5 * spacing
        move = Move(best, FOUND if sure else REFINE, sure, interval)
        return _Verdict(best, interval, True, move, notes, fit)
    side = 1.0 if best > x[-1] else -1.0
    end = float(x[-1] if side > 0 else x[0])
    if interval is not None and abs(best - end) <= (_BEYOND - 1) * spacing:
        end = best
    notes = (*notes, f"The best focus lies outside the series, beyond {end:g}.")
    beyond = (end, float("inf")) if side > 0 else (float("-inf"), end)
    move = Move(end + side * spacing, BRACKET, False)
    return _Verdict(end, beyond, False, move, notes, fit)
