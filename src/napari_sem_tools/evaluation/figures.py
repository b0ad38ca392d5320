"""The two figures of a page of scores: recall by size, and the two size distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sem_tools.evaluation.sizes import ecd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_sem_tools.evaluation.scores import Scores
    from napari_sem_tools.evaluation.sizes import SizeClass

__all__ = ["size_figure"]

_TRUE, _FOUND, _INK = "#c8881a", "#2b7fa8", "#1d2733"


def size_figure(scores: Scores, classes: list[SizeClass]) -> Figure:
    """Draw recall by size, and the cumulative distributions of true and found sizes.

    Parameters
    ----------
    scores : Scores
    classes : list of SizeClass
        As `Scores.recall_by_size` returns them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from napari_sem_tools.reporting.figures import new_figure

    figure = new_figure(11.0, 3.7)
    left, right = figure.subplots(1, 2)
    unit = "px" if scores.pixel_size is None else "nm"
    value = np.array([c.recall.value for c in classes])
    ends = np.array([(c.recall.low, c.recall.high) for c in classes]).reshape(-1, 2)
    off = np.nan_to_num(np.abs(ends - value[:, None])).T
    place = np.arange(len(classes))
    left.bar(place, value, width=0.78, color=_FOUND)
    left.errorbar(place, value, yerr=off, fmt="none", ecolor=_INK, capsize=3, lw=1)
    names = [f"{c.low:.3g}" + (f"–{c.high:.3g}" if np.isfinite(c.high) else "+") for c in classes]
    left.set_xticks(place, names, rotation=35, ha="right", fontsize=8)
    left.set_ylim(0, 1.02)
    left.set_title("Share of the true particles that was found", loc="left", fontsize=10)
    left.set_xlabel(f"ECD in {unit}")
    nm = scores.pixel_size or 1.0
    for name, areas, colour in (
        ("true", [c.true_area for c in scores.images], _TRUE),
        ("found", [c.found_area for c in scores.images], _FOUND),
    ):
        size = np.sort(ecd(np.concatenate(areas))) * nm
        share = np.arange(1, len(size) + 1) / max(len(size), 1)
        right.step(size, share, where="post", color=colour, label=f"{name} ({len(size)})")
    right.set_ylim(0, 1.02)
    right.set_title("Size distribution by number, cumulative", loc="left", fontsize=10)
    right.set_xlabel(f"ECD in {unit}")
    right.legend(frameon=False, fontsize=9, loc="lower right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
