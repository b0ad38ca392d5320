"""What went wrong is said as a microscopist would: missed, merged, split, false."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation import evaluate

KINDS = ("missed", "merged", "split", "outline", "false_ground", "false_piece")


def field(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Particles as boxes (y, x, height, width) in a field of 40 x 40 px."""
    labels = np.zeros((40, 40), int)
    for number, (y, x, height, width) in enumerate(boxes, 1):
        labels[y : y + height, x : x + width] = number
    return labels


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        (field((5, 5, 8, 8)), field((5, 5, 8, 8)), {}),
        (field((5, 5, 8, 8)), field(), {"missed": 1}),
        (field((5, 5, 8, 8)), field((5, 5, 8, 2)), {"missed": 1, "false_piece": 1}),
        (field((5, 5, 8, 8)), field((5, 5, 8, 3)), {"outline": 1, "false_piece": 1}),
        (field((5, 5, 8, 8)), field((5, 5, 8, 20)), {"outline": 1, "false_piece": 1}),
        (
            field((5, 5, 8, 8), (5, 14, 8, 8)),
            field((5, 5, 8, 17)),
            {"merged": 1, "false_piece": 1 / 2},
        ),
        (
            field((5, 5, 8, 12)),
            field((5, 5, 8, 4), (5, 9, 8, 4), (5, 13, 8, 4)),
            {"split": 1, "false_piece": 3},
        ),
        (field((5, 5, 8, 8)), field((5, 5, 8, 8), (25, 25, 6, 6)), {"false_ground": 1}),
        (field((5, 5, 8, 8)), field((5, 11, 8, 10)), {"missed": 1, "false_ground": 1}),
    ],
)
def test_kinds_of_error(truth, found, expected):
    scores = evaluate(truth, found)
    got = {name: scores[name] for name in KINDS if scores[name]}
    assert got == pytest.approx(expected)


def test_found_and_the_kinds_of_loss_make_up_all_true_particles():
    rng = np.random.default_rng(3)
    truth = [np.kron(rng.integers(0, 9, (8, 8)), np.ones((4, 4), int)) for _ in range(4)]
    found = [np.roll(np.where(t == 3, 4, t), 1, axis=0) for t in truth]
    pooled = evaluate(truth, found).pooled
    assert sum(pooled[name] for name in (*KINDS[:4], "recall")) == pytest.approx(1)


def test_an_image_without_true_particles_has_no_share_of_them():
    scores = evaluate([field(), field((5, 5, 8, 8))], [field((1, 1, 5, 5)), field()])
    assert np.isnan(scores.per_image()[0]["missed"])
    assert scores["missed"] == 1
    assert scores.pooled["false_ground"] == 1


def test_recall_by_size_counts_every_true_particle_in_its_class():
    truth = field((1, 1, 3, 3), (1, 10, 10, 10), (20, 20, 12, 12))
    found = np.where(truth == 2, 0, truth)
    classes = evaluate(truth, found).recall_by_size()
    assert [(c.low, c.high, c.unit, c.true, c.found) for c in classes] == [
        (0, 4, "px", 1, 1),
        (8, 12, "px", 1, 0),
        (12, 16, "px", 1, 1),
    ]
    nm = evaluate(truth, found, pixel_size=10).recall_by_size([0, 50, 200])
    assert [(c.low, c.high, c.unit, c.true, c.found) for c in nm] == [
        (0, 50, "nm", 1, 1),
        (50, 200, "nm", 2, 1),
    ]
    assert nm[1].recall.value == 0.5


def test_recall_by_size_has_an_interval_over_images():
    truth = field((5, 5, 10, 10))
    scores = evaluate([truth] * 8, [truth] * 4 + [field()] * 4)
    (only,) = scores.recall_by_size(n_boot=500)
    assert only.recall.value == 0.5
    assert 0.1 < only.recall.low < 0.4 < 0.6 < only.recall.high < 0.9


@pytest.mark.parametrize("edges", [[5], [5, 5], [9, 3]])
def test_size_classes_must_rise(edges):
    with pytest.raises(InvalidSettings):
        evaluate(field((5, 5, 8, 8)), field()).recall_by_size(edges)


def test_ranges_are_those_of_the_images():
    truth = field((5, 5, 8, 8))
    scores = evaluate([truth, truth], [truth, field((5, 5, 8, 6))])
    assert scores.ranges()["fg_dice"] == pytest.approx((2 * 48 / 112, 1))
    assert scores.ranges()["ecd_mean_err"][0] == 0


def test_a_thousand_particles_beside_a_thousand_are_matched_without_a_table_of_a_million():
    truth = np.kron(np.arange(1, 1025).reshape(32, 32), np.ones((6, 6), int))
    far = truth.astype(np.int64) * 10**9  # numbers as large as hashes
    scores = evaluate(far, np.roll(truth, 1, axis=1))
    inside = 1024 * 30 / 42  # 30 px shared of 42; the roll wraps at the border
    assert scores.pooled["recall"] == 1
    assert scores["sq"] == pytest.approx(inside / 1024, abs=0.03)
