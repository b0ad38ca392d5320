"""Where to look next in a search for focus: a pure function of what was seen so far.

No hardware is touched and nothing is remembered: a script keeps the list of looks, asks for
the next position, and takes the next frame there.  Looks and moves are plain numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.series.curve import fit_parabola, vertex
from napari_sem_tools.focus.series.sharpness import Look

__all__ = ["Move", "suggest_move"]

START: Final = "start"
BRACKET: Final = "bracket"
REFINE: Final = "refine"
FOUND: Final = "stop: width below step"
NO_INFORMATION: Final = "stop: no information"
OUTSIDE: Final = "outside limits"
ENOUGH: Final = "stop: enough looks"

_FINE_STEPS: Final = 4.0
"""Steps from the optimum at which it is bracketed for the last parabola.  The smallest step is
meant as a quarter of the depth of field, and the best distance is where the blur of defocus
equals that in focus: one depth of field."""

_NEAR: Final = 1.8  # fine distances from the best look: what takes part in the last parabola
_CLOSED: Final = 2.5  # fine distances to both neighbours: the bracket is closed
_AT_LIMIT: Final = 0.6  # fine distances to the look that shows that the limit is the best
_LOWER: Final = 2.0  # standard errors by which a look at the limit must be the best
_TRUSTED: Final = 3.0  # standard errors by which looks must differ
_UNKNOWN_ERROR: Final = 0.02  # relative error of a value whose error is not known
_FORM: Final = 0.01  # relative error of a value because the curve is no exact parabola
_EVEN: Final = 0.3  # fine distances: a look this near a wanted place will do
_LEAST_SHARE: Final = 0.02  # of the sharpest value; lower ones are tails
_SAME: Final = 0.005  # relative difference of two frames that means nothing
_SAME_CONTRAST: Final = 0.03  # the same of contrast, which gain and drift change, too
_EMPTY_LOOKS: Final = 33  # looks without any difference after which there is nothing to see

Row = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Move:
    """Where to go next, and why.

    Attributes
    ----------
    position : float or None
        None: nowhere.
    reason : str
        ``"start"``, ``"bracket"``, ``"refine"``, ``"stop: width below step"``, ``"stop: no
        information"``, ``"outside limits"`` or ``"stop: enough looks"``.
    stop : bool
        True: the search is over; `position` is the best one known.
    interval : (float, float) or None
        The best position lies in it with a probability of 90 %; None while it is not known.
    """

    position: float | None
    reason: str
    stop: bool
    interval: tuple[float, float] | None = None


def suggest_move(
    history: Iterable[Look | Mapping[str, Any] | Sequence[float]],
    *,
    limits: tuple[float, float],
    min_step: float,
    max_looks: int = 60,
) -> Move:
    """Suggest the next position of a search for focus.

    The search steps towards the sharper side with growing steps until the optimum is
    bracketed, narrows the bracket, puts a parabola through looks on both sides and stops when
    the best position is known better than `min_step`.  The same history always gives the
    same move.

    Parameters
    ----------
    history : iterable of Look, mapping or (position, value[, error])
        What was seen so far, in any order; see `look_at`.  Mappings have the keys of a `Look`,
        so that a history may go through JSON.
    limits : (float, float)
        Positions that may be gone to.
    min_step : float
        The smallest step that matters: a quarter of the depth of field is good.
    max_looks : int
        The search ends after so many.

    Returns
    -------
    Move

    Raises
    ------
    InvalidSettings
        Limits or steps that are none, or a look that is not two or three numbers.

    References
    ----------
    The parabola near the optimum: Rudnaya et al., Ultramicroscopy 110 (2010) 1387; distances
    and errors are derived in the reference of the room.

    Examples
    --------
    >>> suggest_move([], limits=(0, 10), min_step=0.1)
    Move(position=5.0, reason='start', stop=False, interval=None)
    >>> suggest_move([(5.0, 0.2, 0.01)], limits=(0, 10), min_step=0.1).position
    6.6
    """
    low, high = _checked(limits, min_step)
    looks = [_as_look(item) for item in history]
    search = _Search.of(looks, low, high, float(min_step))
    if search.seen == 0:
        return Move(search.middle, START, False)
    if len(search.x) < 2 or not search.differs:
        return search.scan()
    move = search.narrow() or search.refine()
    if not move.stop and len(looks) >= max_looks:
        known = move.interval or (float(search.x[search.best]),)
        return Move(sum(known) / len(known), ENOUGH, True, move.interval)
    return move


def _checked(limits: tuple[float, float], min_step: float) -> tuple[float, float]:
    """Return the limits in order; refuse what is no range and no step."""
    low, high = sorted(float(limit) for limit in limits)
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        raise InvalidSettings(
            f"Limits of {limits} are no range.", hint="Give the lowest and the highest position."
        )
    if not 0 < min_step < high - low:
        raise InvalidSettings(
            f"A smallest step of {min_step} does not fit limits {low} to {high}.",
            hint="Give about a quarter of the depth of field.",
        )
    return low, high


def _as_look(item: Look | Mapping[str, Any] | Sequence[float]) -> Look:
    """Make a look of what a script kept of it."""
    try:
        if isinstance(item, Look):
            look = item
        elif isinstance(item, Mapping):
            look = Look(**item)
        else:
            position, value, *error = (float(number) for number in item)
            look = Look(position, value, error[0] if error else 0.0)
    except (TypeError, ValueError) as error:
        raise InvalidSettings(
            f"{item!r} is no look.", hint="Give position, value and, if known, its error."
        ) from error
    if not math.isfinite(look.position):
        raise InvalidSettings(f"{look.position} is no position.")
    return look


@dataclasses.dataclass(frozen=True, eq=False)
class _Search:
    """Looks in order of position, equal positions as one.

    Attributes
    ----------
    x, y, e, n : arrays (n,)
        Positions, values, standard errors, numbers of looks.
    empty : array
        Positions at which there was no information.
    """

    x: Row
    y: Row
    e: Row
    n: Row
    empty: Row
    low: float
    high: float
    step: float

    @classmethod
    def of(cls, looks: list[Look], low: float, high: float, step: float) -> _Search:
        """Sort looks and average those at one position."""
        useful = [one for one in looks if one.information and math.isfinite(one.value)]
        rule = _by_detail if any(one.shows_detail for one in useful) else _by_contrast
        empty = np.array([one.position for one in looks if one not in useful], float)
        groups: dict[int, list[Look]] = {}
        for one in sorted(useful, key=lambda one: one.position):
            groups.setdefault(round((one.position - low) / (0.25 * step)), []).append(one)
        means = np.array([_mean(group, rule) for group in groups.values()], float).reshape(-1, 4)
        x, y, e, n = means.T
        return cls(x, y, e, n, empty, low, high, step)

    @property
    def seen(self) -> int:
        """Number of looks."""
        return int(self.n.sum()) + len(self.empty)

    @property
    def middle(self) -> float:
        """Middle of the limits."""
        return 0.5 * (self.low + self.high)

    @property
    def fine(self) -> float:
        """Distance of the looks on both sides of the optimum, at last."""
        return min(_FINE_STEPS * self.step, 0.25 * (self.high - self.low))

    @property
    def best(self) -> int:
        """Index of the sharpest look."""
        return int(np.argmax(self.y))

    @property
    def differs(self) -> bool:
        """True when the sharpest look stands out of the noise of the least sharp one."""
        worst, best = int(np.argmin(self.y)), self.best
        return bool(self.y[best] - self.y[worst] > _TRUSTED * np.hypot(self.e[best], self.e[worst]))

    def scan(self) -> Move:
        """Look where no look was yet, coarse before fine, beginning near the last ones."""
        visited = np.sort(np.concatenate([self.x, self.empty]))
        if self.seen >= _EMPTY_LOOKS:
            best = float(self.x[self.best]) if len(self.x) else None
            return Move(best, NO_INFORMATION, True)
        if self.seen == 1:
            near = 4 * self.fine if visited[0] < self.middle + self.step else -4 * self.fine
            return Move(self.inside(float(visited[0]) + near), BRACKET, False)
        edges = np.concatenate([[self.low], visited, [self.high]])
        gaps = np.diff(edges)
        gaps[[0, -1]] *= 2  # an end that was not looked at is as far as a gap on both sides
        widest = int(np.argmax(gaps))
        if gaps[widest] <= 2 * self.fine:
            best = float(self.x[self.best]) if len(self.x) else None
            return Move(best, NO_INFORMATION, True)
        if widest in (0, len(gaps) - 1):
            end = self.low if widest == 0 else self.high
            near = visited[0] if widest == 0 else visited[-1]
            return Move(
                float(end + near) / 2 if gaps[widest] > 4 * self.fine else end, BRACKET, False
            )
        return Move(float(edges[widest] + edges[widest + 1]) / 2, BRACKET, False)

    def inside(self, position: float) -> float:
        """Keep a position inside the limits."""
        return float(min(max(position, self.low), self.high))

    def narrow(self) -> Move | None:
        """Move outwards until the sharpest look has neighbours, then close in on it."""
        best, last = self.best, len(self.x) - 1
        if best in (0, last):
            return self.outwards(-1 if best == 0 else 1)
        gaps = np.diff(self.x)
        left, right = float(gaps[best - 1]), float(gaps[best])
        if max(left, right) <= _CLOSED * self.fine:
            return None
        return Move(self.closer(left, right), BRACKET, False)

    def outwards(self, side: int) -> Move:
        """Go on beyond the sharpest look, which is the last on its side."""
        position = float(self.x[self.best])
        end = self.low if side < 0 else self.high
        x, y, e = (row if side < 0 else row[::-1] for row in (self.x, self.y, self.e))
        if abs(end - position) > 0.5 * self.step:
            stride = max(2 * abs(float(x[1] - x[0])), 4 * self.fine)
            return Move(self.inside(position + side * stride), BRACKET, False)
        lower = np.flatnonzero(y[0] - y > _LOWER * np.hypot(e[0], e))
        first = int(lower[0]) if len(lower) else len(x) - 1
        gaps = np.abs(np.diff(x[: first + 1]))
        widest = int(np.argmax(gaps))
        if gaps[widest] > _AT_LIMIT * self.fine:  # the top may lie there, just inside the limit
            return Move(float(x[widest] + x[widest + 1]) / 2, BRACKET, False)
        return Move(end, OUTSIDE, True)

    def closer(self, left: float, right: float) -> float:
        """Guess the optimum from the sharpest look and its neighbours; keep off all three."""
        best, position = self.best, float(self.x[self.best])
        three = slice(best - 1, best + 2)
        floor = max(1e-3 * float(self.y[best]), 1e-300)
        # far from focus the measure falls like a power of the defocus: its root is a parabola
        guess = vertex(self.x[three], -1 / np.sqrt(np.maximum(self.y[three], floor)))
        wide = position + right / 2 if right >= left else position - left / 2
        if guess is None:
            return wide
        rim = 0.8 * self.fine
        if (
            position - left + rim < guess < position - rim
            or position + rim < guess < position + right - rim
        ):
            return float(guess)
        if abs(guess - position) <= rim:  # confirm on the wider side, just beyond the guess
            away = min(2 * self.fine, max(left, right) / 2)
            return float(guess + (away if right >= left else -away))
        return wide

    def refine(self) -> Move:
        """Put a parabola through the looks near the sharpest; stop when it is sure enough."""
        best = self.best
        near = np.abs(self.x - self.x[best]) <= _NEAR * self.fine
        use = near & (self.y > _LEAST_SHARE * self.y[best])
        found = _top(self.x[use], self.y[use], self.e[use])
        if found is None or not self.x[best - 1] <= found[0] <= self.x[best + 1]:
            return Move(self.beside(float(self.x[best])), REFINE, False)
        even = self.even(found[0])
        if even.any():  # looks that lie evenly on both sides: the form of the bell cancels
            found = _top(self.x[even], self.y[even], self.e[even]) or found
        top, half = found
        interval = (float(top - half), float(top + half))
        if even.any() and 2 * half <= self.step:
            return Move(self.inside(top), FOUND, True, interval)
        return Move(self.beside(top), REFINE, False, interval)

    def even(self, top: float) -> NDArray[np.bool_]:
        """Return looks at the top and evenly on both sides; none if one is missing."""
        places = np.clip(top + self.fine * np.array([-1.0, 0.0, 1.0]), self.low, self.high)
        close = np.abs(self.x[None, :] - places[:, None]) < _EVEN * self.fine
        close &= self.y > _LEAST_SHARE * self.y[self.best]
        return np.asarray(close.any(axis=0) & close.any(axis=1).all())

    def beside(self, centre: float) -> float:
        """Choose the place among centre and both sides that was looked at least."""
        wanted = np.array([centre - self.fine, centre + self.fine, centre])
        wanted = np.clip(wanted, self.low, self.high)
        close = np.abs(self.x[None, :] - wanted[:, None]) < _EVEN * self.fine
        weights = (close * self.n[None, :]).sum(axis=1) * np.array([1.0, 1.0, 1.5])
        choice = int(np.argmin(weights))
        if not close[choice].any():
            return float(wanted[choice])
        again = np.flatnonzero(close[choice])
        return float(self.x[again[np.argmin(np.abs(self.x[again] - wanted[choice]))]])


def _by_detail(look: Look) -> tuple[float, float]:
    """Return value and error of a look; no value where detail is lost."""
    if look.contrast > 0 and not look.shows_detail:
        return 0.0, 0.0
    return look.value, math.hypot(look.error, _SAME * abs(look.value))


def _by_contrast(look: Look) -> tuple[float, float]:
    """Return contrast and error of a look that is too far from focus for detail."""
    if look.contrast <= 0:
        return look.value, look.error
    return look.contrast, math.hypot(look.contrast_error, _SAME_CONTRAST * look.contrast)


def _top(x: Row, y: Row, error: Row) -> tuple[float, float] | None:
    """Return the top of a bell and the half width of its 90 % interval; None without a top.

    A Gaussian is a parabola in its logarithm, a bell with tails in its inverse root, which fits
    real pictures better.  Where the looks lie evenly on both sides both say the same; half of
    what they differ by is added to the uncertainty.
    """
    relative = np.hypot(np.where(error > 0, error / y, _UNKNOWN_ERROR), _FORM)
    fits = [
        fit_parabola(x, np.log(y), relative),
        fit_parabola(x, -(y**-0.5), relative * y**-0.5 / 2),
    ]
    logarithm, root = fits
    if logarithm is None or root is None:
        return None
    noise = max(logarithm.half_width, root.half_width)
    return root.best, float(np.hypot(noise, 0.5 * (logarithm.best - root.best)))


def _mean(
    group: list[Look], rule: Callable[[Look], tuple[float, float]]
) -> tuple[float, float, float, float]:
    """Average looks at one position: position, value, standard error, number."""
    values, errors = np.array([rule(one) for one in group]).T
    position = float(np.mean([one.position for one in group]))
    error = float(np.sqrt(np.sum(errors**2)) / len(group))
    return position, float(values.mean()), error, float(len(group))
