"""Sizes of digitised ellipses are as wrong as the bias table says, and not more."""

from __future__ import annotations

import numpy as np
import pytest
from bias_table import BIAS, NAMES
from drawn_shapes import ellipse_draws, ellipse_truth

from napari_sem_tools.measurement.doubt import convex_solidity
from napari_sem_tools.measurement.shape import Particles

FAST = [(1.0, 5.0), (1.0, 12.0), (1.0, 20.0), (1.5, 8.0), (2.0, 12.0), (3.0, 20.0)]


def measured(q: float, d: float, n: int) -> np.ndarray:
    """Return the columns of the bias table, and both solidities, for n draws."""
    truth, parts = ellipse_truth(q, d), []
    form = 4 * np.pi * (np.pi * d**2 / 4) / truth["P"] ** 2
    for labels in ellipse_draws(q, d, n):
        p = Particles(labels)
        ratios = (
            p.ecd / truth["ecd"],
            p.ferets.maximum / truth["max"],
            p.ferets.minimum / truth["min"],
            p.hull_perimeter / np.pi / truth["mean"],
            p.corner_ferets.maximum / truth["max"],
            p.corner_ferets.minimum / truth["min"],
            p.perimeter / truth["P"],
            4 * np.pi * p.area / p.perimeter**2 / form,
        )
        solidity = (p.area / p.hull_area, p.area / p.corner_hulls.area((1, 1)))
        parts.append(np.stack([*(100 * (ratio - 1) for ratio in ratios), *solidity]))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize(("q", "d"), FAST)
def test_sizes_of_some_draws_scatter_as_in_the_bias_table(q: float, d: float) -> None:
    n = 300
    values, table = measured(q, d, n), np.array(BIAS[q, d][:16]).reshape(8, 2)
    error = table[:, 1] * np.sqrt(1 / n + 1 / 4000)
    assert np.all(np.abs(values[:8].mean(axis=1) - table[:, 0]) <= 3.5 * error + 0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("q", "d"), list(BIAS))
def test_the_bias_table_is_reproduced_to_its_last_digit(q: float, d: float) -> None:
    values, table = measured(q, d, 4000), np.array(BIAS[q, d][:16]).reshape(8, 2)
    digit = np.where(np.abs(table).max(axis=1) >= 9.95, 0.05, 0.005) + 1e-3
    for row, name in enumerate(NAMES):
        assert values[row].mean() == pytest.approx(table[row, 0], abs=digit[row]), name
        assert values[row].std() == pytest.approx(table[row, 1], abs=digit[row]), name
    assert values[8:].mean(axis=1) == pytest.approx(BIAS[q, d][16:], abs=6e-4)


@pytest.mark.parametrize(("q", "d"), [key for key in BIAS if key[1] >= 5])
def test_the_expected_solidity_of_convex_particles_is_that_of_the_bias_table(
    q: float, d: float
) -> None:
    assert convex_solidity(np.array([d]), np.array([q]))[0] == pytest.approx(BIAS[q, d][16])
