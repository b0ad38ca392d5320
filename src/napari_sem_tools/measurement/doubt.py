"""Doubtful particles: a rule that the user can see, set and switch off.

Every part of the rule is a row of `RULES` and looks at columns of the table alone, so
that moving a threshold needs neither the image nor a new segmentation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.measurement.settings import MeasureSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BY_HAND",
    "COUNTED",
    "EDGE",
    "LEFT_OUT",
    "RULES",
    "Rule",
    "convex_solidity",
    "decide",
    "describe_rules",
    "judge",
]

EDGE = "edge"
"""The reason of particles that are cut; they are left out, yet not doubtful."""

BY_HAND, COUNTED, LEFT_OUT = "by_hand", "counted", "left out"
"""The column of decisions by hand, and its words."""

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
    degree : callable
        ``degree(table, settings)`` returns float (n,): 0 nothing speaks for it, 0.5 at the
        rule's own setting, 1 as clear as can be.  NaN counts as 0.
    text : str
        The rule in words, with the settings in braces.
    """

    reason: str
    columns: tuple[str, ...]
    degree: Callable[[pd.DataFrame, MeasureSettings], NDArray[np.floating]]
    text: str


def _ecd_px(table: pd.DataFrame) -> NDArray[np.floating]:
    """Return the equivalent diameter in px, also where pixels are not square."""
    return np.sqrt(4 / np.pi * table["area_px"].to_numpy(float))


def _below(values: NDArray[np.floating], limit: float) -> NDArray[np.floating]:
    """Return how far values lie below a limit: 1 at nothing, 0.5 at it, 0 from its double on."""
    if limit <= 0:
        return np.zeros(len(values))
    return np.asarray(np.clip(1 - values / (2 * limit), 0, 1))


def _merged(table: pd.DataFrame, settings: MeasureSettings) -> NDArray[np.floating]:
    """Tell how much less solid particles are than convex ones of their size and elongation."""
    expected = convex_solidity(_ecd_px(table), table["aspect_ratio"].to_numpy(float))
    missing = 1 - table["solidity"].to_numpy(float) / expected
    degree = np.clip(missing / (2 * max(1 - settings.min_solidity, 1e-9)), 0, 1)
    return np.where(table["shape_reliable"].to_numpy(bool), degree, 0.0)


RULES: tuple[Rule, ...] = (
    Rule(
        "too small",
        ("area_px",),
        lambda t, s: _below(_ecd_px(t), s.min_ecd_px),
        "an equivalent diameter below {min_ecd_px:g} px",
    ),
    Rule(
        "covered",
        ("covered",),
        lambda t, s: 1.0 * (t["covered"].to_numpy(bool) & s.doubt_covered),
        "burnt-in letters or a drawn bar touch it",
    ),
    Rule(
        "fragment",
        ("touching_ratio",),
        lambda t, s: _below(t["touching_ratio"].to_numpy(float), s.max_fragment_ratio),
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
        lambda t, s: _below(np.abs(t["edge_contrast"].to_numpy(float)), s.min_contrast),
        "a grey step at the outline below {min_contrast:g} standard deviations",
    ),
    Rule(
        "low confidence",
        ("confidence",),
        lambda t, s: _below(t["confidence"].to_numpy(float), s.min_confidence),
        "a confidence of the segmentation below {min_confidence:g}",
    ),
)
"""The rules, in the order in which reasons are named."""


def judge(table: pd.DataFrame, settings: MeasureSettings | None = None) -> pd.DataFrame:
    """Fill in ``doubtful``, ``doubt_reason``, ``doubt_score`` and ``included``.

    Works from the columns of the table alone, so that a changed threshold acts at once.
    What was decided by hand (`decide`) wins over the rules.

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
    score = np.zeros(len(table))
    doubtful = np.zeros(len(table), bool)
    for rule in RULES:
        if not set(rule.columns) <= set(table.columns):
            continue
        degree = np.nan_to_num(rule.degree(table, settings), nan=0.0)
        np.maximum(score, degree, out=score)
        holds = (degree > settings.max_doubt) & settings.leave_out_doubtful
        comma = np.where(reasons[holds] == "", "", ", ").astype(object)
        reasons[holds] = reasons[holds] + comma + rule.reason
        doubtful |= holds
    included = ~doubtful & ~(edge & settings.leave_out_edge)
    if BY_HAND in table:
        by_hand = table[BY_HAND].to_numpy(object)
        included = np.where(by_hand == COUNTED, True, included & (by_hand != LEFT_OUT))
    judged = table.assign(
        doubtful=doubtful, doubt_reason=reasons.astype(str), doubt_score=score, included=included
    )
    judged.attrs = {**table.attrs, "settings": settings.to_dict()}
    return judged


def decide(
    table: pd.DataFrame,
    labels: Iterable[int],
    included: bool | None,
    *,
    by: str = "",
    why: str = "",
) -> pd.DataFrame:
    """Count particles, or leave them out, by hand; the decision is recorded.

    Parameters
    ----------
    table : DataFrame
        As `measure` returns it.
    labels : iterable of int
        Particles of the index ``label``.
    included : bool or None
        True: count them whatever the rules say; False: leave them out; None: leave the
        word to the rules again.
    by, why : str
        Who decided, and for what reason.

    Returns
    -------
    DataFrame
        A new table with the column ``by_hand`` (``"counted"``, ``"left out"`` or empty);
        ``attrs["decisions"]`` lists every decision in order.

    Raises
    ------
    InvalidSettings
        There is no particle of one of these labels.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sem_tools.measurement import measure
    >>> labels = np.zeros((40, 40), int)
    >>> labels[10:20, 10:20] = 7
    >>> table = decide(measure(labels, 9 * labels), [7], False, by="A. N.", why="a scratch")
    >>> bool(table.loc[7, "included"]), table.attrs["decisions"][0]["why"]
    (False, 'a scratch')
    """
    chosen = [int(label) for label in labels]
    unknown = sorted(set(chosen) - set(table.index))
    if unknown:
        raise InvalidSettings(
            f"There is no particle {unknown[0]} in the table.",
            hint="Name particles by the index of the table, their number in the label image.",
        )
    word = {True: COUNTED, False: LEFT_OUT, None: ""}[included]
    before = table[BY_HAND] if BY_HAND in table else np.full(len(table), "", object)
    by_hand = np.where(table.index.isin(chosen), word, before).astype(object)
    decided = table.assign(**{BY_HAND: by_hand})
    entry = {"labels": chosen, "included": included, "by": by, "why": why}
    decided.attrs = {**table.attrs, "decisions": [*table.attrs.get("decisions", []), entry]}
    settings = table.attrs.get("settings")
    return judge(decided, MeasureSettings.from_dict(settings) if settings else None)


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
    if settings.max_doubt != MeasureSettings().max_doubt:
        edge += f" Rules hold from a score of {settings.max_doubt:g} on (0.5: at their settings)."
    return f"{edge} Doubtful and left out is a particle with one of: {'; '.join(texts)}."
