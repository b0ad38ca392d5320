"""How good focus scores are: errors, ranks, intervals, beside a constant, by groups.

================  ==========================================================================
``rmse``          root of the mean squared error of all frames
``mae``           mean absolute error
``bias``          mean of found minus true
``spearman``      rank correlation of found and true
``coverage``      share of frames whose true score lies in the stated interval
``constant``      RMSE of the best constant: the standard deviation of the true scores
================  ==========================================================================

Intervals resample pictures, not frames: frames of one picture err alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation.estimates import Estimate, image_weights

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FocusErrors", "evaluate_focus"]

Row = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class FocusErrors:
    """Found focus scores beside the true ones.

    Attributes
    ----------
    true, found : float64 array (n,)
        0 to 10.
    pictures : int array (n,)
        Which picture a frame was made from.
    inside : bool array (n,) or None
        Whether the true score lies in the stated interval.

    Examples
    --------
    >>> errors = evaluate_focus([0.0, 5.0, 10.0], [1.0, 5.0, 9.0])
    >>> round(errors.rmse, 3), errors.spearman, round(errors.constant, 2)
    (0.816, 1.0, 4.08)
    """

    true: Row
    found: Row
    pictures: NDArray[np.intp]
    inside: NDArray[np.bool_] | None = None

    @property
    def rmse(self) -> float:
        """Root of the mean squared error."""
        return float(np.sqrt(np.mean(np.square(self.found - self.true))))

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(np.mean(np.abs(self.found - self.true)))

    @property
    def bias(self) -> float:
        """Mean of found minus true."""
        return float(np.mean(self.found - self.true))

    @property
    def constant(self) -> float:
        """RMSE of the best constant predictor."""
        return float(np.std(self.true))

    @property
    def spearman(self) -> float:
        """Rank correlation; NaN where all found or all true scores are equal."""
        from scipy.stats import rankdata

        if np.ptp(self.found) == 0 or np.ptp(self.true) == 0:
            return float("nan")
        return float(np.corrcoef(rankdata(self.found), rankdata(self.true))[0, 1])

    @property
    def coverage(self) -> float:
        """Share of frames whose interval holds the true score; NaN without intervals."""
        return float("nan") if self.inside is None else float(np.mean(self.inside))

    def rmse_estimate(self, *, n_boot: int = 1000, seed: int = 0) -> Estimate:
        """Return the RMSE with its 95 % interval over pictures.

        Parameters
        ----------
        n_boot : int
            Draws of as many pictures, with replacement.
        seed : int

        Returns
        -------
        Estimate
        """
        _, place = np.unique(self.pictures, return_inverse=True)
        squares = np.bincount(place, np.square(self.found - self.true))
        weights = image_weights(len(squares), n_boot, seed)
        return Estimate.of(np.sqrt(weights @ squares / (weights @ np.bincount(place))))

    def part(self, chosen: NDArray[np.bool_]) -> FocusErrors:
        """Return the frames that are chosen.

        Parameters
        ----------
        chosen : bool array (n,)

        Returns
        -------
        FocusErrors
        """
        inside = None if self.inside is None else self.inside[chosen]
        return FocusErrors(self.true[chosen], self.found[chosen], self.pictures[chosen], inside)

    def table(self, groups: Sequence[Any] | None = None) -> pd.DataFrame:
        """Return the figures as a table: all frames, then each group.

        Parameters
        ----------
        groups : sequence (n,), optional
            Of each frame: its magnification, dose, source, ...

        Returns
        -------
        DataFrame
            Columns frames, pictures, rmse, mae, bias, spearman, coverage, constant.
        """
        import pandas as pd

        parts: dict[Any, FocusErrors] = {"all": self}
        if groups is not None:
            kinds = np.asarray(groups)
            parts |= {kind: self.part(kinds == kind) for kind in np.unique(kinds)}
        columns = ("rmse", "mae", "bias", "spearman", "coverage", "constant")
        return pd.DataFrame(
            {
                kind: {
                    "frames": len(one.true),
                    "pictures": len(np.unique(one.pictures)),
                    **{name: getattr(one, name) for name in columns},
                }
                for kind, one in parts.items()
            }
        ).T.astype({"frames": int, "pictures": int})


def evaluate_focus(
    true: ArrayLike,
    found: ArrayLike,
    *,
    intervals: ArrayLike | None = None,
    pictures: Sequence[Any] | None = None,
) -> FocusErrors:
    """Compare found focus scores with true ones.

    Parameters
    ----------
    true, found : array-like (n,)
        Scores from 0 to 10.
    intervals : array-like (n, 2), optional
        Stated bounds of each found score.
    pictures : sequence (n,), optional
        Name of the picture of each frame; each frame its own by default.

    Returns
    -------
    FocusErrors

    Raises
    ------
    InvalidSettings
        Nothing to compare, or not as many of the one as of the other.
    """
    truth, score = np.asarray(true, float).ravel(), np.asarray(found, float).ravel()
    names = np.arange(truth.size) if pictures is None else np.asarray(pictures)
    bounds = None if intervals is None else np.asarray(intervals, float)
    fits = bounds is None or bounds.shape == (truth.size, 2)
    if truth.size == 0 or truth.size != score.size or names.size != truth.size or not fits:
        raise InvalidSettings(
            f"{score.size} found and {truth.size} true focus scores cannot be compared.",
            hint="Give a score, and an interval if any, for each frame.",
        )
    _, place = np.unique(names, return_inverse=True)
    inside = None
    if bounds is not None:
        inside = (bounds[:, 0] <= truth + 1e-9) & (truth <= bounds[:, 1] + 1e-9)
    return FocusErrors(truth, score, place, inside)
