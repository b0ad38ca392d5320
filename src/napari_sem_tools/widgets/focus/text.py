"""Focus scores in words: units, reasons and advice; no Qt here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from napari_sem_tools.focus import FocusScore
from napari_sem_tools.focus.series.series import FocusSeries

__all__ = [
    "blur_text",
    "facts_text",
    "interval_text",
    "measures_rows",
    "number_text",
    "position_text",
    "reasons_text",
    "sentences",
    "series_sentences",
]


_DIRECTED = 0.15  # astigmatism below which a direction is chance


def interval_text(score: FocusScore) -> str:
    """Write the 90 % interval; nothing where there is no information.

    Examples
    --------
    >>> interval_text(FocusScore(7.5, (6.84, 8.1)))
    '6.8 to 8.1'
    """
    return f"{score.interval[0]:.1f} to {score.interval[1]:.1f}" if score.information else ""


def blur_text(score: FocusScore) -> str:
    """Write the added blur in nm where the image has a scale, else in px.

    Examples
    --------
    >>> blur_text(FocusScore(7.5, (7, 8), blur_px=1.04)), blur_text(FocusScore(0, (0, 0)))
    ('1.0 px', '')
    """
    if score.blur_nm is not None:
        return f"{number_text(score.blur_nm)} nm"
    return "" if score.blur_px is None else f"{score.blur_px:.1f} px"


def number_text(value: float) -> str:
    """Write a number with as many digits as its size deserves.

    Examples
    --------
    >>> [number_text(value) for value in (0.01234, 3.14159, 271.8, 123456.0, float("nan"))]
    ['0.0123', '3.14', '272', '1.23e+05', '–']
    """
    return f"{value:.3g}" if math.isfinite(value) else "–"


def reasons_text(score: FocusScore) -> str:
    """Write the reasons in a line."""
    return "; ".join(score.reasons) or "sharp"


def sentences(reasons: Sequence[str]) -> list[str]:
    """Write reasons as sentences.

    Examples
    --------
    >>> sentences(["blurred: 2.1 px", "few electrons: SNR 1.4."])
    ['Blurred: 2.1 px.', 'Few electrons: SNR 1.4.']
    """
    return [one[:1].upper() + one[1:].rstrip(".") + "." for one in reasons if one]


def facts_text(score: FocusScore) -> str:
    """Say blur, noise, contrast and direction in a line.

    Examples
    --------
    >>> facts_text(FocusScore(7.5, (7, 8), blur_px=1.0, blur_nm=7.34, snr=12.3, contrast=0.2))
    'added blur 1.0 px = 7.34 nm · SNR 12 · contrast 20 %'
    """
    parts = []
    if score.blur_px is not None:
        in_nm = "" if score.blur_nm is None else f" = {number_text(score.blur_nm)} nm"
        parts.append(f"added blur {score.blur_px:.1f} px{in_nm}")
    if score.snr is not None:
        parts.append(f"SNR {score.snr:.2g}" if score.snr < 100 else "SNR above 100")
    if score.contrast is not None:
        parts.append(f"contrast {score.contrast:.0%}".replace("%", " %"))
    if score.astigmatism is not None and math.hypot(*score.astigmatism) >= _DIRECTED:
        parts.append(_direction(score.astigmatism))
    return " · ".join(parts)


def _direction(vector: tuple[float, float]) -> str:
    """Say how far the blur is longer one way, and which way it lies."""
    size = math.hypot(*vector)
    angle = math.degrees(math.atan2(vector[1], vector[0]) / 2) % 180
    return f"direction {size:.2f} at {angle:.0f}°"


def measures_rows(measures: Mapping[str, float], names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the chosen measures with their values as text, in the order chosen."""
    return [(name, number_text(measures[name])) for name in names if name in measures]


def series_sentences(series: FocusSeries) -> list[str]:
    """Say what a series shows and where to look next.

    Parameters
    ----------
    series : FocusSeries

    Returns
    -------
    list of str
    """
    unit = "" if series.unit in ("", "frame") else f" {series.unit}"
    low, high = series.interval
    fine = (high - low) / 2 if math.isfinite(high - low) else _spacing(series)
    best = position_text(series.best, fine)
    found = [f"⚠ {one}" for one in series.warnings]
    if math.isfinite(series.best) and series.inside:
        ends = f"{position_text(low, fine)} to {position_text(high, fine)}"
        found.insert(0, f"Best focus at {best}{unit} (90 %: {ends}).")
    move = series.suggested_move
    if move.position is not None and not move.stop:
        why = _MOVES.get(move.reason, move.reason)
        found.append(f"Look next at {position_text(move.position, fine)}{unit}: {why}.")
    elif move.stop and series.inside:
        found.append(f"Go to {best}{unit} and stop: it is known well enough.")
    return found


def _spacing(series: FocusSeries) -> float:
    """Return the mean distance of two positions."""
    places = series.positions
    return float(abs(places[-1] - places[0])) / max(len(places) - 1, 1)


_MOVES = {
    "start": "to begin with",
    "bracket": "the best position is not between two looks yet",
    "refine": "the best position is not known well enough yet",
    "outside limits": "the best position lies outside",
}


def position_text(value: float, fine: float) -> str:
    """Write a position with the digits that it is known to.

    Parameters
    ----------
    value : float
    fine : float
        How well it is known; 0 or NaN: four digits.

    Examples
    --------
    >>> [position_text(3.98212, fine) for fine in (0.014, 0.3, 2.0, 0.0)]
    ['3.982', '3.98', '4.0', '3.982']
    >>> position_text(float("inf"), 1.0)
    '∞'
    """
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    if not fine > 0:
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(fine)))
    return f"{value:.{digits}f}"
