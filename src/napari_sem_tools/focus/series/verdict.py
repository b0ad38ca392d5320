"""What the curve of a series says: the best position, its interval, inside or outside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.series.curve import NORMAL_90, fit_bells, student, vertex
from napari_sem_tools.focus.series.moves import BRACKET, FOUND, NO_INFORMATION, REFINE, Move

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Measured", "Verdict"]

_REPLICATES: Final = 200
_BELL_FROM: Final = 5  # frames; a bell has four unknowns
_TRUSTED: Final = 3.0  # standard errors by which the sharpest frame must stand out
_BEYOND: Final = 1.2  # spacings from the middle of three frames that a parabola is believed
_NOISY: Final = 0.03  # standard error of a value over it
_ALIKE: Final = 1.3  # brightest over darkest frame; settings stayed as they were
_SYSTEMATIC: Final = 0.01  # of the spacing: the curve is no exact bell
_FORM: Final = 0.03  # of the spacing: three logarithms lie on no exact parabola
_DRAWN: Final = 201  # points of the fitted curve

Row = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Verdict:
    """What a curve says: the best position, its interval, and where to go.

    Attributes are those of a `FocusSeries`.
    """

    best: float
    interval: tuple[float, float]
    inside: bool
    move: Move
    warnings: tuple[str, ...] = ()
    fit: pd.DataFrame | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """A curve in order of position, and what its tiles say.

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
    root : bool
        Three values lie on a parabola in their inverse root, not in their logarithm.
    """

    x: Row
    y: Row
    tiles: NDArray[np.float64]
    useful: NDArray[np.bool_]
    error: Row
    root: bool = True

    def over_brightness(self, means: Row) -> Measured:
        """Take detail over the squared mean grey value where that is the surer.

        Parameters
        ----------
        means : float64 array (n,)
            Mean grey value of each frame.

        Returns
        -------
        Measured
            The same, unless there are few frames, noise decides, and the brightness hardly
            differs: the squared mean cancels gain alone, and needs a black level that stays.
        """
        good = self.useful & np.isfinite(self.y) & (self.y > 0)
        if len(self.x) >= _BELL_FROM or not good.all() or means.min() <= 0:
            return self
        noisy = np.max(self.error / self.y) > _NOISY
        if not noisy or means.max() > _ALIKE * means.min():
            return self
        ground = np.nanmean(self.tiles[:, 1], axis=1)
        scale = np.median(ground / means**2)  # so that values stay of the same size
        over = scale * means**2
        tiles = self.tiles.copy()
        tiles[:, 1] = np.where(np.isfinite(tiles[:, 1]), over[:, None], np.nan)
        change = ground / over
        return dataclasses.replace(self, y=self.y * change, error=self.error * change, tiles=tiles)

    def judge(self, rng: np.random.Generator) -> Verdict:
        """Find the best position."""
        good = self.useful & np.isfinite(self.y)
        lost = int((~good).sum())
        notes = [f"{lost} of {len(good)} frames show nothing but noise."] if lost else []
        x, place = np.unique(self.x[good], return_inverse=True)
        if len(x) < 2:
            return self._nothing(("There are fewer than two frames with more than noise.",))
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
        errors = np.sqrt(doubt / counts)
        return _by_parabola(x, curves, errors, tuple(notes), root=self.root)

    def _nothing(self, notes: tuple[str, ...]) -> Verdict:
        """Return that there is no best position."""
        nan = float("nan")
        return Verdict(nan, (nan, nan), False, Move(None, NO_INFORMATION, True), notes)

    def _replicates(self, good: NDArray[np.bool_], rng: np.random.Generator) -> Row:
        """Return the curve and as many as would be measured on other tiles; (1 + r, n)."""
        tiles = self.tiles[good]
        tiles = tiles[:, :, np.isfinite(tiles).all(axis=(0, 1))]
        count = tiles.shape[2]
        if count == 0:
            return np.repeat(self.y[good][None], 2, axis=0)
        # the same tiles in all frames: what they show is no scatter, only their noise is
        drawn = rng.multinomial(count, np.full(count, 1 / count), _REPLICATES)
        weights = np.concatenate([np.ones((1, count)), drawn])
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


def _by_bell(x: Row, curves: Row, spread: Row, notes: tuple[str, ...]) -> Verdict:
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


def _by_parabola(x: Row, curves: Row, noise: Row, notes: tuple[str, ...], *, root: bool) -> Verdict:
    """Put a parabola through the sharpest frame and its neighbours, bent so that it fits."""
    import pandas as pd

    top = int(np.argmax(curves[0]))
    if len(x) < 3:
        spacing = float(x[1] - x[0])
        side = 1 if top else -1
        return _finish(x, float(x[top] + 2 * side * spacing), None, spacing, (notes, None))
    first = max(0, min(top - 1, len(x) - 3))
    x3, y3 = x[first : first + 3], curves[:, first : first + 3]
    floor = np.maximum(noise[first : first + 3], 1e-6 * abs(curves[0, top]))
    positive = bool(np.min(y3[0]) > 0 or np.any(noise))
    way = _WAYS["plain" if not positive else "root" if root else "logarithm"]
    bent = way.there(np.maximum(y3, floor) if positive else y3)
    spacing = float(np.mean(np.diff(x3)))
    tops = np.array([_top(x3, row) for row in bent])
    best = float(tops[0])
    other = _top(x3, np.log(np.maximum(y3[0], floor))) if positive else best
    form = np.hypot(_FORM * spacing, 0.5 * (best - other))
    away = np.quantile(tops[1:], [0.05, 0.95]) - best
    half = np.hypot(np.maximum([-away[0], away[1]], 0.0), form)
    interval = (best - float(half[0]), best + float(half[1]))
    drawn = np.linspace(x3[0], x3[-1], _DRAWN)
    values = way.back(np.asarray(np.polyval(np.polyfit(x3, bent[0], 2), drawn), float))
    fit = pd.DataFrame({"position": drawn, "value": values})
    return _finish(x, best, interval, spacing, (notes, fit))


class _Way(NamedTuple):
    """How values are bent to a parabola, and back."""

    there: Callable[[Row], Row]
    back: Callable[[Row], Row]


_WAYS: Final = {
    # detail of a picture whose power falls with frequency is a bell 1 / (1 + z^2)^2
    "root": _Way(lambda y: -(y**-0.5), lambda b: np.minimum(b, -1e-12) ** -2.0),
    "logarithm": _Way(np.log, np.exp),
    "plain": _Way(np.copy, np.copy),
}


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
) -> Verdict:
    """Tell inside from outside and suggest a move."""
    notes, fit = more
    if x[0] <= best <= x[-1] and interval is not None:
        sure = interval[1] - interval[0] <= 0.5 * spacing
        move = Move(best, FOUND if sure else REFINE, sure, interval)
        return Verdict(best, interval, True, move, notes, fit)
    side = 1.0 if best > x[-1] else -1.0
    end = float(x[-1] if side > 0 else x[0])
    if interval is not None and abs(best - end) <= (_BEYOND - 1) * spacing:
        end = best
    notes = (*notes, f"The best focus lies outside the series, beyond {end:g}.")
    near = end if interval is None else interval[0 if side > 0 else 1]
    beyond = (min(near, end), float("inf")) if side > 0 else (float("-inf"), max(near, end))
    move = Move(end + side * spacing, BRACKET, False)
    return Verdict(end, beyond, False, move, notes, fit)
