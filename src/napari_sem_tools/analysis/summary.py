"""The statistics of a run, and how the report calls them."""

from __future__ import annotations

from napari_sem_tools.reporting import Statistic
from napari_sem_tools.statistics import Summary

__all__ = ["statistics_of"]

_TITLES = {  # field of a Summary: how the report calls it, whether it has the size's unit
    "n": ("particles counted", False),
    "n_excluded": ("particles left out", False),
    "n_images": ("images with counted particles", False),
    "mean": ("mean diameter", True),
    "median": ("median diameter", True),
    "sd": ("standard deviation", True),
    "mode": ("mode", True),
    "gsd": ("geometric standard deviation", False),
    "d10": ("D10", True),
    "d50": ("D50", True),
    "d90": ("D90", True),
    "span": ("span (D90 − D10)/D50", False),
    "d_3_2": ("D[3,2], Sauter mean", True),
    "d_4_3": ("D[4,3]", True),
    "minimum": ("smallest", True),
    "maximum": ("largest", True),
}


def statistics_of(summary: Summary) -> tuple[Statistic, ...]:
    """Make the rows of the report from a summary."""
    rows = []
    for name, (title, has_unit) in _TITLES.items():
        low, high = summary.intervals.get(name, (None, None))
        value = float(getattr(summary, name))
        rows.append(Statistic(name, value, low, high, summary.unit if has_unit else "", title))
    return tuple(rows)
