"""The focus score as a person gives it: learned from a few frames with a score by hand."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.score import BEST, FocusScore, blur_of_score

__all__ = ["Recalibration", "recalibrate"]

ENOUGH: Final = 8  # frames from which on the course itself is learned
_GAIN: Final = (0.2, 5.0)
_TRUST: Final = 2.0  # frames' worth of belief in the scale as it is

Row = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Recalibration:
    """What turns a score of the program into a score as it was given by hand.

    Attributes
    ----------
    predicted, given : tuple of float
        Knots: increasing scores of the program, and the scores they become; straight between.
    kind : {"none", "line", "isotonic"}
    count : int
        Frames it was learned from.

    Examples
    --------
    >>> recalibrate([4.0, 8.0], [5.0, 9.0])(6.0) > 6.0
    True
    """

    predicted: tuple[float, ...] = (0.0, BEST)
    given: tuple[float, ...] = (0.0, BEST)
    kind: str = "none"
    count: int = 0

    def __call__(self, score: Any) -> Any:
        """Return a score, an array of scores or a `FocusScore` as a person would give it.

        Parameters
        ----------
        score : float, array or FocusScore
            A score without information stays 0; of a record, blur and interval follow.

        Returns
        -------
        float, float64 array or FocusScore
        """
        if isinstance(score, FocusScore):
            return self._of_record(score)
        found = np.interp(np.asarray(score, float), self.predicted, self.given)
        return float(found) if np.ndim(score) == 0 else found

    def _of_record(self, found: FocusScore) -> FocusScore:
        """Change score and interval of a record, and the blur with them."""
        if not found.information or self.kind == "none":
            return found
        score = float(self(found.score))
        low, high = (float(self(bound)) for bound in found.interval)
        blur = float(blur_of_score(score))
        old = found.blur_px
        scale = found.blur_nm / old if found.blur_nm is not None and old else None
        return dataclasses.replace(
            found,
            score=score,
            interval=(min(low, score), max(high, score)),
            blur_px=blur,
            blur_nm=found.blur_nm if scale is None else blur * scale,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recalibration:
        """Make it of what `to_dict` gave.

        Raises
        ------
        InvalidSettings
            The knots are not those of a rising course from 0 to 10.
        """
        try:
            made = cls(
                tuple(map(float, values["predicted"])), tuple(map(float, values["given"])),
                str(values["kind"]), int(values["count"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidSettings("This is no recalibration of a focus score.") from error
        knots = np.array([made.predicted, made.given]) if len(made.predicted) == len(
            made.given) else np.zeros((2, 0))  # fmt: skip
        if knots.shape[1] < 2 or (np.diff(knots) < 0).any() or not (
            (knots >= 0) & (knots <= BEST)).all():  # fmt: skip
            raise InvalidSettings("This is no recalibration of a focus score.")
        return made

    def describe(self) -> str:
        """Say in a sentence what it does."""
        frames = f"{self.count} frame{'s' if self.count != 1 else ''}"
        if self.kind == "none":
            return "The score is that of the program."
        if self.kind == "line":
            return f"The score follows {frames}: a shift and a gain."
        return f"The score follows {frames}: a rising course through them."


def recalibrate(predicted: ArrayLike, given: ArrayLike) -> Recalibration:
    """Learn from frames scored by hand how a person's score follows from the program's.

    Parameters
    ----------
    predicted : array-like (n,)
        Scores of the program, 0 to 10.
    given : array-like (n,)
        Scores by hand of the same frames.

    Returns
    -------
    Recalibration
        Without frames the one that changes nothing; below eight frames a shift and a gain of
        the lost points, held near 0 and 1 as if two frames had said so; from eight on the
        rising course closest to the frames (isotonic regression).

    Raises
    ------
    InvalidSettings
        Scores that are not from 0 to 10, or not as many of the one as of the other.

    References
    ----------
    Isotonic regression: Barlow et al. 1972; scipy.optimize.isotonic_regression.

    Examples
    --------
    >>> recalibrate([], []).kind
    'none'
    >>> round(recalibrate([2.0, 5.0, 9.0], [4.0, 7.0, 10.0])(5.0), 1)
    6.5
    """
    x, y = np.asarray(predicted, float).ravel(), np.asarray(given, float).ravel()
    both = np.concatenate([x, y])
    if x.size != y.size or not ((both >= 0) & (both <= BEST)).all():
        raise InvalidSettings(
            f"{x.size} scores of the program and {y.size} by hand do not fit.",
            hint="Give one score from 0 to 10 for each frame.",
        )
    if x.size == 0:
        return Recalibration()
    knots, values = _line(x, y) if x.size < ENOUGH else _course(x, y)
    return Recalibration(
        tuple(knots.tolist()), tuple(values.tolist()),
        "line" if x.size < ENOUGH else "isotonic", int(x.size),
    )  # fmt: skip


def _line(x: Row, y: Row) -> tuple[Row, Row]:
    """Fit the lost points by a shift and a gain, each with a belief that it is not needed."""
    lost, wanted = BEST - x, BEST - y
    middle = lost.mean()
    shift = float((wanted - lost).sum() / (lost.size + _TRUST / 4))
    spread = float(np.square(lost - middle).sum())
    belief = _TRUST * BEST  # variance of the scores of two frames at ends of the scale
    cross = float(((lost - middle) * (wanted - wanted.mean())).sum())
    gain = float(np.clip((cross + belief) / (spread + belief), *_GAIN))
    knots = np.linspace(0.0, BEST, 41)
    values = BEST - (middle + shift + gain * (BEST - knots - middle))
    return knots, np.clip(values, 0.0, BEST)


def _course(x: Row, y: Row) -> tuple[Row, Row]:
    """Fit a rising course, constant steps joined at their middles."""
    from scipy.optimize import isotonic_regression

    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    steps = isotonic_regression(y).x
    level, place = np.unique(steps, return_inverse=True)
    count = np.bincount(place)
    centre = np.bincount(place, x) / count
    knots = np.concatenate([[0.0], centre, [BEST]])
    below, above = level[0] - centre[0], level[-1] - centre[-1]
    values = np.concatenate([[below], level, [BEST + above]])
    return knots, np.maximum.accumulate(np.clip(values, 0.0, BEST))
