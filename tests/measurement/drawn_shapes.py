"""Shapes with a known answer, and slow but plain ways to measure them."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.spatial import ConvexHull
from scipy.special import ellipe

MIDPOINTS = ((0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5))
CORNERS = ((0.5, 0.5), (0.5, -0.5), (-0.5, 0.5), (-0.5, -0.5))


def ellipse_draws(q: float, d: float, n: int, chunk: int = 500):
    """Yield label images with ellipses of the recipe of the bias table, one a label."""
    a, b = d * math.sqrt(q) / 2, d / math.sqrt(q) / 2
    rng = np.random.default_rng(20260101 + int(10 * q) * 1000 + int(d))
    side = math.ceil(2 * a) + 9
    y, x = np.mgrid[:side, :side].astype(float)
    cells = []
    for _ in range(n):
        ox, oy = rng.random(2)
        angle = rng.uniform(0, np.pi)
        dx, dy = x - (side // 2 + ox), y - (side // 2 + oy)
        along = (dx * math.cos(angle) + dy * math.sin(angle)) / a
        across = (-dx * math.sin(angle) + dy * math.cos(angle)) / b
        cells.append(along**2 + across**2 <= 1)
        if len(cells) == chunk:
            yield numbered(cells)
            cells = []
    if cells:
        yield numbered(cells)


def numbered(cells) -> np.ndarray:
    """Put masks beside each other, numbered from 1."""
    return np.hstack([np.where(cell, i, 0).astype(np.int32) for i, cell in enumerate(cells, 1)])


def ellipse_truth(q: float, d: float) -> dict[str, float]:
    """Return the exact sizes of the ellipse of the recipe."""
    a, b = d * math.sqrt(q) / 2, d / math.sqrt(q) / 2
    perimeter = 4 * a * float(ellipe(1 - (b / a) ** 2))
    return {"ecd": d, "max": 2 * a, "min": 2 * b, "mean": perimeter / math.pi, "P": perimeter}


def brute_hull(mask, offsets=MIDPOINTS, scale=(1.0, 1.0)) -> tuple[float, float, float, float]:
    """Return max and min Feret, length and area of a hull from all pairs and all edges."""
    rows, columns = np.nonzero(mask)
    points = np.concatenate([np.stack([rows + a, columns + b], axis=1) for a, b in offsets])
    points = points * np.asarray(scale)
    hull = ConvexHull(points)
    ring = points[hull.vertices]
    largest = np.hypot(*(ring[:, None] - ring[None]).transpose(2, 0, 1)).max()
    edges = np.roll(ring, -1, axis=0) - ring
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / np.hypot(*edges.T)[:, None]
    heights = ring @ normals.T
    return largest, np.ptp(heights, axis=0).min(), hull.area, hull.volume


def smallest_circle(points: np.ndarray) -> float:
    """Return the diameter of the smallest circle around points, from all pairs and triples."""
    best = math.inf
    for i, j in itertools.combinations(range(len(points)), 2):
        centre = (points[i] + points[j]) / 2
        best = _if_around(points, centre, math.dist(points[i], points[j]), best)
    for i, j, k in itertools.combinations(range(len(points)), 3):
        (ay, ax), (by, bx) = points[j] - points[i], points[k] - points[i]
        twice = 2 * (ax * by - ay * bx)
        a2, b2 = ax * ax + ay * ay, bx * bx + by * by
        centre = points[i] + np.array([ax * b2 - bx * a2, by * a2 - ay * b2]) / twice
        best = _if_around(points, centre, 2 * math.dist(centre, points[i]), best)
    return best


def _if_around(points: np.ndarray, centre: np.ndarray, diameter: float, best: float) -> float:
    """Return the diameter where the circle holds all points and is smaller than the best."""
    if diameter >= best:
        return best
    around = np.hypot(*(points - centre).T).max() <= diameter / 2 * (1 + 1e-9)
    return diameter if around else best


def disc(diameter: float, shape=(64, 64), centre=(32.0, 32.0)) -> np.ndarray:
    """Return a disc as a mask; a pixel belongs to it when its centre does."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(y - centre[0], x - centre[1]) <= diameter / 2


def touching_scene(rng: np.random.Generator, side: int = 60, n: int = 25) -> np.ndarray:
    """Return labels that fill a part of the image and touch each other."""
    y, x = np.mgrid[:side, :side]
    seeds = rng.uniform(0, side, (n, 2))
    distance = np.hypot(y[..., None] - seeds[:, 0], x[..., None] - seeds[:, 1])
    labels = distance.argmin(axis=-1) + 1
    return np.where(distance.min(axis=-1) < 8, labels, 0)
