"""The two engines that measure: arrays (numpy), and compiled loops (numba).

An engine finds whole numbers: runs, sums, entries, vertices.  The formulas that turn them into
columns are shared, so that both give the same table.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import logging
import sys
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import MissingExtra
from napari_sem_tools.measurement import grey, hull, outline, ring, runs
from napari_sem_tools.measurement.runs import Floats, Ints, Runs, RunSums

__all__ = ["Engine", "EngineName", "choose_engine"]

EngineName = Literal["auto", "numba", "numpy"]

_COMPILED = "napari_sem_tools.measurement.compiled"
_WORTH_LOADING_PX = 4_000_000  # below, loading the compiled loops (1 s) takes longer than numpy

_log = logging.getLogger("napari_sem_tools")


@dataclasses.dataclass(frozen=True)
class Engine:
    """What works through pixels and runs.

    Attributes
    ----------
    name : {"numba", "numpy"}
    find_runs, run_sums, find_outlines, find_chains, find_hulls, find_jaws : callable
    grey_sums, surrounding_sums, nearest : callable
        Functions as in `runs`, `outline`, `hull`, `grey` and `ring`.
    """

    name: str
    find_runs: Callable[[NDArray[np.integer]], Runs]
    run_sums: Callable[[Runs], RunSums]
    find_outlines: Callable[[Runs], tuple[Ints, Ints]]
    find_chains: Callable[[Runs], hull.Chains]
    find_hulls: Callable[..., hull.Hulls]
    find_jaws: Callable[[hull.Hulls, tuple[float, float]], hull.Jaws]
    grey_sums: Callable[[Runs, NDArray[Any], float], Floats]
    surrounding_sums: Callable[[Runs, NDArray[np.bool_], NDArray[Any], float], Floats]
    nearest: Callable[[Floats, Floats], Floats]


def _nearest(y: Floats, x: Floats) -> Floats:
    """Return the distance of every point to the nearest other one."""
    from scipy.spatial import cKDTree

    points = np.stack([y, x], axis=1)
    return np.asarray(cKDTree(points).query(points, k=2)[0])[:, 1]


NUMPY = Engine(
    "numpy",
    runs.find_runs,
    runs.run_sums,
    outline.find_outlines,
    hull.find_chains,
    hull.find_hulls,
    hull.find_jaws,
    grey.grey_sums,
    ring.surrounding_sums,
    _nearest,
)


def choose_engine(name: EngineName, pixels: int) -> Engine:
    """Return the engine of a name, or the one that is ready first.

    Parameters
    ----------
    name : {"auto", "numba", "numpy"}
        ``"auto"``: compiled loops where numba is installed and either the image is large or
        they are loaded already.
    pixels : int
        Size of the label image.

    Returns
    -------
    Engine

    Raises
    ------
    MissingExtra
        ``"numba"`` was asked for and numba is not installed.
    """
    if name == "numpy":
        return NUMPY
    if importlib.util.find_spec("numba") is None:
        if name == "numba":
            raise MissingExtra("The engine numba needs the package numba.", extra="fast")
        return NUMPY
    if name == "auto" and pixels < _WORTH_LOADING_PX and _COMPILED not in sys.modules:
        return NUMPY
    return _numba() or NUMPY


@functools.cache
def _numba() -> Engine | None:
    """Load the compiled loops; None where they cannot be kept or compiled here."""
    try:
        from napari_sem_tools.measurement import compiled, compiled_hull, compiled_ring
    except (ImportError, RuntimeError, OSError) as error:
        _log.warning("Measuring goes on with numpy, since numba cannot be used here: %s", error)
        return None

    def find_runs(labels: NDArray[np.integer]) -> Runs:
        """Take numbers of 32 bits; larger ones are left to numpy."""
        wide = labels.size and labels.dtype not in (
            np.uint8,
            np.uint16,
            np.int8,
            np.int16,
            np.int32,
        )
        if wide and not -(2**31) <= int(labels.min()) <= int(labels.max()) < 2**31:
            return runs.find_runs(labels)
        return compiled.find_runs(np.ascontiguousarray(labels, np.int32))

    return Engine(
        "numba",
        find_runs,
        compiled.run_sums,
        compiled.find_outlines,
        compiled_hull.find_chains,
        compiled_hull.find_hulls,
        compiled_hull.find_jaws,
        compiled.grey_sums,
        compiled_ring.surrounding_sums,
        compiled.nearest,
    )
