"""Edited labels: which particles were touched, and their rows measured again; no Qt here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.measurement import MeasureSettings, judge, measure
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.table.state import BY_HAND, CLASS, with_decisions

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["carry_over", "measured_again", "touched_labels"]


def touched_labels(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.int64]:
    """List the labels of which a pixel came or went.

    Parameters
    ----------
    before, after : int arrays of one shape

    Returns
    -------
    int64 array
        Rising, without the background.

    Examples
    --------
    >>> touched_labels(np.array([1, 2, 3]), np.array([1, 3, 3])).tolist()
    [2, 3]
    """
    changed = before != after
    labels = np.union1d(before[changed], after[changed]).astype(np.int64)
    return labels[labels != 0]


def carry_over(table: pd.DataFrame, old: pd.DataFrame, touched: NDArray[Any]) -> pd.DataFrame:
    """Keep what was known about the particles that nobody touched.

    Parameters
    ----------
    table : DataFrame
        Measured anew.
    old : DataFrame
        As it was, with confidence, decisions by hand and classes.
    touched : int array
        Labels whose confidence is that of another outline; decisions about them stay as long
        as the particle is there.

    Returns
    -------
    DataFrame
        With ``confidence``, ``by_hand`` and ``particle_class`` taken over.
    """
    place = old.index.get_indexer(table.index)
    known = place >= 0
    added: dict[str, Any] = {}
    if "confidence" in old and "confidence" in table:
        confidence = table["confidence"].to_numpy(float).copy()
        same = known & ~np.isin(table.index, touched)
        confidence[same] = old["confidence"].to_numpy(float)[place[same]]
        added["confidence"] = confidence
    for name in (BY_HAND, CLASS):
        if name in old:
            words = np.full(len(table), "", object)
            words[known] = old[name].to_numpy(object)[place[known]]
            added[name] = words
    return table.assign(**added)


def measured_again(
    labels: NDArray[Any],
    image: Micrograph,
    old: pd.DataFrame,
    settings: MeasureSettings,
    *,
    touched: NDArray[Any],
) -> pd.DataFrame:
    """Measure edited labels, keeping what is known about the others.

    Parameters
    ----------
    labels : int array (Y, X)
    image : Micrograph
    old : DataFrame
    settings : MeasureSettings
    touched : int array
        As `touched_labels` lists them.

    Returns
    -------
    DataFrame
    """
    table = measure(labels, image, settings=settings)
    kept = carry_over(table, old, touched)
    for name in ("method", "model"):
        kept.attrs[name] = old.attrs.get(name)
    return with_decisions(judge(kept, settings))
