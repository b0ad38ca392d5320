"""Rank three real frames of one field, 8, 13 and 18 um from focus, in 27 pairs of tiles.

    python benchmarks/focus_triple.py DATA [--score]

DATA is the folder of the shared data sets; it holds ``focus-triple``.  Nine tiles of 320 x 240
are cut from each frame; in each tile three pairs of frames can be ranked.  Prints for every
measure the pairs that it ranks right and whether its mean over the tiles does; with ``--score``
the score as well.  Measures that fail are said with what is wrong about them.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from napari_sem_tools.evaluation.focus_protocol import TILE_PX
from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.measures.table import DEFAULT_MEASURE, MEASURES, measures_of
from napari_sem_tools.focus.series.series import focus_series
from napari_sem_tools.focus.series.sharpness import SERIES_MEASURE

FRAMES = ("off-08um.png", "off-13um.png", "off-18um.png")  # sharpest first
FIRST = (24, 32)  # row and column of the first tile
GRID = (3, 3)
Values = np.ndarray  # (tile, frame)


def tiles(path: Path) -> list[np.ndarray]:
    """Cut nine tiles out of a frame."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    return [
        pixels[y : y + TILE_PX[0], x : x + TILE_PX[1]]
        for y in FIRST[0] + TILE_PX[0] * np.arange(GRID[0])
        for x in FIRST[1] + TILE_PX[1] * np.arange(GRID[1])
    ]


def right(values: Values) -> int:
    """Count the pairs in which the sharper frame has the larger value."""
    return int(sum((values[:, a] > values[:, b]).sum() for a, b in ((0, 1), (0, 2), (1, 2))))


def line(name: str, values: Values, larger: bool) -> str:
    """Say how a measure ranks."""
    means = values.mean(axis=0)
    pairs = right(values if larger else -values)
    order = np.argsort(-means if larger else means)
    verdict = {0: "exactly reversed"}.get(pairs, "right on average" if list(order) == [0, 1, 2]
                                          else "wrong on average")  # fmt: skip
    if pairs == 27:
        verdict = "right"
    shown = "  ".join(f"{value:10.4g}" for value in means)
    return f"{name:14} {pairs:2} of 27  {verdict:17} {shown}"


def main() -> None:
    """Print the ranking."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--score", action="store_true")
    options = parser.parse_args()
    frames = [tiles(options.data / "focus-triple" / name) for name in FRAMES]
    names = [name for name, row in MEASURES.items() if row.larger_is_sharper is not None]
    rows = [[measures_of(picture_of(t, pixel_size=10.0), names) for t in frame] for frame in frames]
    first = [SERIES_MEASURE, DEFAULT_MEASURE]
    for name in first + [name for name in names if name not in first]:
        values = np.array([[row[name] for row in frame] for frame in rows]).T
        print(line(name, values, bool(MEASURES[name].larger_is_sharper)))
    if options.score:
        report_scores(frames)
    whole = [Image.open(options.data / "focus-triple" / name) for name in FRAMES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = focus_series(
            [np.asarray(w.convert("L")) for w in whole], (-8.324, -13.324, -18.324)
        )
    print(f"series: inside {found.inside}, best {found.best:g} um, {found.suggested_move}")


def report_scores(frames: list[list[np.ndarray]]) -> None:
    """Print how the score ranks, by each method that is there."""
    from napari_sem_tools.focus.score import focus

    ways: dict[str, Callable[[np.ndarray], float]] = {
        method: lambda tile, method=method: focus(tile, method=method, pixel_size=10.0).score
        for method in ("mix", "auto")
    }
    for method, way in ways.items():
        values = np.array([[way(tile) for tile in frame] for frame in frames]).T
        print(line(f"score, {method}", values, larger=True))


if __name__ == "__main__":
    main()
