"""Doubtful particles: a rule that the user can see, set and switch off.

Every part of the rule is a row of `RULES` and looks at columns of the table alone, so
that moving a threshold needs neither the image nor a new segmentation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement.settings import MeasureSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EDGE", "RULES", "Rule", "convex_solidity", "describe_rules", "judge"]

EDGE = "edge"
"""The reason of particles that are cut; they are left out, yet not doubtful."""

_ECD_PX = (5.0, 8.0, 12.0, 20.0, 30.0, 50.0, 100.0)
_RATIOS = (1.0, 1.5, 2.0, 3.0)
_SOLIDITY = (
    (1.011, 0.987, 0.980, 0.980, 0.982, 0.986, 0.991),
    (1.004, 0.982, 0.977, 0.977, 0.981, 0.985, 0.991),
    (0.990, 0.972, 0.969, 0.973, 0.977, 0.983, 0.990),
    (0.958, 0.950, 0.953, 0.962, 0.970, 0.979, 0.987),
)  # mean over 4,000 ellipses at random places and angles; tests/measurement repeats it


def convex_solidity(
    ecd_px: NDArray[np.floating], ratio: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return the solidity that a digitised ellipse has on average, which is not 1.

    Parameters
    ----------
    ecd_px : float array (n,)
        Equivalent diameter.
    ratio : float array (n,)
        Ratio of its axes, from 1 on.

    Returns
    -------
    float array (n,)

    Examples
    --------
    >>> convex_solidity(np.array([20.0]), np.array([1.0]))
    array([0.98])
    """
    ratio = np.clip(ratio, _RATIOS[0], _RATIOS[-1])
    size = np.log(np.maximum(ecd_px, 1e-3))
    rows = np.stack([np.interp(size, np.log(_ECD_PX), row) for row in _SOLIDITY])
    upper = np.clip(np.searchsorted(_RATIOS, ratio, side="right"), 1, len(_RATIOS) - 1)
    nodes = np.asarray(_RATIOS)
    share = (ratio - nodes[upper - 1]) / (nodes[upper] - nodes[upper - 1])
    here = np.arange(len(ratio))
    return np.asarray(rows[upper - 1, here] * (1 - share) + rows[upper, here] * share)


@dataclasses.dataclass(frozen=True)
class Rule:
    """One reason for doubt.

    Attributes
    ----------
    reason : str
        As it stands in ``doubt_reason``.
    columns : tuple of str
        What it looks at; where one is absent the rule says nothing.
    holds : callable
        ``holds(table, settings)`` returns bool (n,); NaN never makes doubtful.
    text : str
        The rule in words, with the settings in braces.
    """

    reason: str
    columns: tuple[str, ...]
    holds: Callable[[pd.DataFrame, MeasureSettings], NDArray[np.bool_]]
    text: str


def _ecd_px(table: pd.DataFrame) -> NDArray[np.floating]:
    """Return the equivalent diameter in px, also where pixels are not square."""
    return np.sqrt(4 / np.pi * table["area_px"].to_numpy(float))


def _merged(table: pd.DataFrame, settings: MeasureSettings) -> NDArray[np.bool_]:
    """Tell particles much less solid than convex ones of their size and elongation."""
    expected = convex_solidity(_ecd_px(table), table["aspect_ratio"].to_numpy(float))
    low = table["solidity"].to_numpy(float) < settings.min_solidity * expected
    return np.asarray(low & table["shape_reliable"].to_numpy(bool))


RULES: tuple[Rule, ...] = (
    Rule(
        "too small",
        ("area_px",),
        lambda t, s: _ecd_px(t) < s.min_ecd_px,
        "an equivalent diameter below {min_ecd_px:g} px",
    ),
    Rule(
        "covered",
        ("covered",),
        lambda t, s: t["covered"].to_numpy(bool) & s.doubt_covered,
        "burnt-in letters or a drawn bar touch it",
    ),
    Rule(
        "fragment",
        ("touching_ratio",),
        lambda t, s: t["touching_ratio"].to_numpy(float) < s.max_fragment_ratio,
        "it touches a particle and has less than {max_fragment_ratio:.0%} of its area",
    ),
    Rule(
        "merged",
        ("area_px", "aspect_ratio", "solidity", "shape_reliable"),
        _merged,
        "a solidity below {min_solidity:g} of that of a convex particle of its size",
    ),
    Rule(
        "low contrast",
        ("edge_contrast",),
        lambda t, s: np.abs(t["edge_contrast"].to_numpy(float)) < s.min_contrast,
        "a grey step at the outline below {min_contrast:g} standard deviations",
    ),
    Rule(
        "low confidence",
        ("confidence",),
        lambda t, s: t["confidence"].to_numpy(float) < s.min_confidence,
        "a confidence of the segmentation below {min_confidence:g}",
    ),
)
"""The rules, in the order in which reasons are named."""


def judge(table: pd.DataFrame, settings: MeasureSettings | None = None) -> pd.DataFrame:
    """Fill in ``doubtful``, ``doubt_reason`` and ``included``.

    Works from the columns of the table alone, so that a changed threshold acts at once.

    Parameters
    ----------
    table : DataFrame
        As `measure` returns it.
    settings : MeasureSettings, optional

    Returns
    -------
    DataFrame
        A new table; several reasons are joined by ``", "``.
    """
    settings = settings or MeasureSettings()
    edge = table["edge"].to_numpy(bool)
    reasons = np.where(edge, EDGE, "").astype(object)
    doubtful = np.zeros(len(table), bool)
    for rule in RULES if settings.leave_out_doubtful else ():
        if not set(rule.columns) <= set(table.columns):
            continue
        holds = np.asarray(rule.holds(table, settings), bool)
        comma = np.where(reasons[holds] == "", "", ", ").astype(object)
        reasons[holds] = reasons[holds] + comma + rule.reason
        doubtful |= holds
    included = ~doubtful & ~(edge & settings.leave_out_edge)
    judged = table.assign(doubtful=doubtful, doubt_reason=reasons.astype(str), included=included)
    judged.attrs = {**table.attrs, "settings": settings.to_dict()}
    return judged


def describe_rules(settings: MeasureSettings | None = None) -> str:
    """Say in words which particles are doubtful and which are left out.

    Parameters
    ----------
    settings : MeasureSettings, optional

    Returns
    -------
    str

    Examples
    --------
    >>> describe_rules(MeasureSettings(leave_out_doubtful=False))
    'Cut particles are left out of the statistics. No particle is called doubtful.'
    """
    settings = settings or MeasureSettings()
    kept = "left out of" if settings.leave_out_edge else "kept in"
    edge = f"Cut particles are {kept} the statistics."
    if not settings.leave_out_doubtful:
        return f"{edge} No particle is called doubtful."
    texts = [f"{rule.text.format(**settings.to_dict())} ({rule.reason})" for rule in RULES]
    return f"{edge} Doubtful and left out is a particle with one of: {'; '.join(texts)}."
