"""How well the score of doubt tells wrong particles from right ones, in drawn scenes.

    python benchmarks/doubt_rules.py

Right: ellipses of aspect 1 to 2, 12 to 40 px.  Wrong, each against the right ones: two of
them merged to one label; a piece that touches its particle; a label where there is only
ground.  Prints the area under the ROC curve (AUROC: how often a wrong one scores higher than a
right one) and the shares flagged at the default threshold and at half of it.
"""

from __future__ import annotations

import sys

import numpy as np

from napari_sem_tools.measurement import measure
from napari_sem_tools.micrograph import Micrograph

CELL, GRID = 96, 16  # px a cell, cells a side
KINDS = ("merged", "fragment", "low contrast", "too small")


def ellipse(rng: np.random.Generator, centre: tuple[float, float], d: float) -> np.ndarray:
    """Draw an ellipse of aspect 1 to 2 at any angle into a cell."""
    q, angle = rng.uniform(1, 2), rng.uniform(0, np.pi)
    y, x = np.ogrid[:CELL, :CELL]
    dy, dx = y - centre[0], x - centre[1]
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    return (along / np.sqrt(q)) ** 2 + (across * np.sqrt(q)) ** 2 <= d * d / 4


def cell(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels of a cell (1 is judged, 2 its neighbour) and what is really there."""
    middle = CELL / 2 + rng.uniform(-4, 4, 2)
    d = rng.uniform(12, 40)
    body = ellipse(rng, tuple(middle), d)
    labels = body.astype(np.int32)
    if kind == "merged":  # centres apart by half to nine tenths of the mean diameter
        other, way = rng.uniform(12, 40), rng.uniform(0, 2 * np.pi)
        step = rng.uniform(0.5, 0.9) * (d + other) / 2
        place = tuple(middle + step * np.array([np.sin(way), np.cos(way)]))
        body = body | ellipse(rng, place, other)
        labels = body.astype(np.int32)
    elif kind == "fragment":  # cut off by a line near the outline
        way = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[:CELL, :CELL]
        far = (y - middle[0]) * np.sin(way) + (x - middle[1]) * np.cos(way)
        limit = np.quantile(far[body], rng.uniform(0.9, 0.98))
        labels = np.where(body, np.where(far > limit, 1, 2), 0).astype(np.int32)
    elif kind == "too small":
        body = ellipse(rng, tuple(middle), rng.uniform(1.2, 5))
        labels = body.astype(np.int32)
    elif kind == "low contrast":
        body = np.zeros_like(body)
    return labels, body


def scores(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Measure a scene of one kind; return the scores of the particles judged."""
    shape = (GRID * CELL, GRID * CELL)
    labels, body = np.zeros(shape, np.int32), np.zeros(shape, bool)
    for number in range(GRID * GRID):
        row, column = divmod(number, GRID)
        here = np.s_[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        found, body[here] = cell(rng, kind)
        labels[here] = np.where(found, found + 2 * number, 0)
    grey = rng.normal(70, 12, shape) + 50 * body
    table = measure(labels, Micrograph(grey.clip(0, 255).astype(np.uint8)))
    judged = table[table.index % 2 == 1]
    return judged["doubt_score"].to_numpy()


def auroc(wrong: np.ndarray, right: np.ndarray) -> float:
    """Return how often a wrong one scores higher than a right one; equal ones count half."""
    higher = (wrong[:, None] > right).mean() + 0.5 * (wrong[:, None] == right).mean()
    return float(higher)


def main() -> int:
    """Print the table."""
    rng = np.random.default_rng(14)
    right = scores(rng, "right")
    print(f"{'':14} AUROC  above 0.5  above 0.25")
    print(f"{'right':14}        {np.mean(right > 0.5):8.1%}  {np.mean(right > 0.25):9.1%}")
    for kind in KINDS:
        wrong = scores(rng, kind)
        shares = f"{np.mean(wrong > 0.5):8.1%}  {np.mean(wrong > 0.25):9.1%}"
        print(f"{kind:14} {auroc(wrong, right):.3f} {shares}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
