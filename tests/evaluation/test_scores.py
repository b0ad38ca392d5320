"""Scores mean what the field means by them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation import evaluate


def _row(*labels: int) -> np.ndarray:
    return np.array([labels])


def test_perfect_labels_score_one_whatever_their_numbers():
    truth = _row(1, 1, 0, 2, 2, 2)
    scores = evaluate(truth, _row(7, 7, 0, 3, 3, 3))
    assert {scores[k] for k in ("ap50", "ap75", "ap50_95", "pq", "aji", "fg_iou", "fg_dice")} == {1}
    assert scores.pooled["w1_px"] == 0


def test_counted_by_hand():
    truth = _row(1, 1, 1, 1, 0, 2, 2, 0, 3, 3)
    found = _row(1, 1, 1, 0, 0, 2, 2, 2, 0, 0)  # IoU 3/4, 2/3; the third is missed
    scores = evaluate(truth, found)
    assert scores["ap50"] == pytest.approx(2 / 3)
    assert scores["ap75"] == pytest.approx(1 / 4)
    assert scores["f1"] == pytest.approx(4 / 5)
    assert scores["sq"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert scores["pq"] == pytest.approx(4 / 5 * (3 / 4 + 2 / 3) / 2)
    assert scores["aji"] == pytest.approx((3 + 2) / (4 + 3 + 2))
    assert scores["fg_iou"] == pytest.approx(5 / 9)
    assert scores.pooled["count_err"] == pytest.approx(-1 / 3)
    assert scores["ap50_95"] == pytest.approx((4 * 2 / 3 + 2 * 1 / 4) / 10)


def test_at_half_overlap_an_object_is_matched_once():
    truth, found = _row(1, 1, 2, 2), _row(1, 0, 2, 2)
    assert evaluate(truth, found)["ap50"] == 1
    both = evaluate(_row(1, 1), _row(1, 2))  # either half has IoU 0.5
    assert both["ap50"] == pytest.approx(1 / 2)


def test_an_image_without_particles_found_empty_scores_one():
    empty = np.zeros((4, 4), int)
    assert evaluate(empty, empty)["pq"] == 1
    assert evaluate(empty, np.eye(4, dtype=int))["pq"] == 0


def test_sizes_twice_as_wide_are_an_error_of_one():
    truth, found = np.zeros((20, 20), int), np.zeros((20, 20), int)
    truth[:5, :5], found[:10, :10] = 1, 1
    pooled = evaluate(truth, found, pixel_size=2.0)
    assert pooled.pooled["ecd_d50_err"] == pytest.approx(1)
    assert pooled.pooled["w1_nm"] == pytest.approx(2 * np.sqrt(4 / np.pi * 25))


def test_rows_and_smallest_area_leave_both_images_alike():
    truth = np.zeros((10, 10), int)
    truth[:4, :4], truth[8:, 8:], truth[0, 9] = 1, 2, 3
    found = np.where(truth == 1, 1, 0)
    assert evaluate(truth, found)["ap50"] == pytest.approx(1 / 3)
    assert evaluate(truth, found, rows=8, min_area=2)["ap50"] == 1


@pytest.mark.parametrize(
    ("truth", "found"),
    [
        (np.zeros((3, 3), int), np.zeros((3, 4), int)),
        (np.zeros((3, 3), bool), np.zeros((3, 3), int)),
        (np.full((3, 3), 0.5), np.zeros((3, 3), int)),
        (np.full((3, 3), -1), np.zeros((3, 3), int)),
        ([], []),
        ([np.zeros((3, 3), int)], []),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, found):
    with pytest.raises(InvalidSettings):
        evaluate(truth, found)


def test_intervals_come_from_images_and_hold_the_value():
    rng = np.random.default_rng(1)
    truth = [rng.integers(0, 5, (12, 12)) for _ in range(8)]
    found = [np.where(rng.random(t.shape) < 0.2, 0, t) for t in truth]
    summary = evaluate(truth, found).summary(n_boot=200)
    estimate = summary["mean_ap50"]
    assert estimate.low <= estimate.value <= estimate.high
    single = evaluate(truth[0], found[0]).summary(n_boot=50)["mean_ap50"]
    assert single.low == single.value == single.high


def test_the_interval_of_a_difference_leaves_out_what_is_hard_for_both():
    rng = np.random.default_rng(4)
    truth = [np.kron(np.arange(1, 26).reshape(5, 5), np.ones((3, 3), int)) for _ in range(12)]
    share = rng.random(12)  # some images are hard
    lost = [rng.random(26) < s for s in share]
    found = [np.where(gone[t], 0, t) for t, gone in zip(truth, lost, strict=True)]
    better = [
        np.where(f == 0, np.where(t == 1, t, 0), f) for t, f in zip(truth, found, strict=True)
    ]
    one, other = evaluate(truth, better), evaluate(truth, found)
    gain = one.difference(other, n_boot=300)["mean_ap50"]
    assert gain.value == pytest.approx(one["ap50"] - other["ap50"])
    alone = one.summary(n_boot=300)["mean_ap50"]
    assert gain.high - gain.low < 0.2 * (alone.high - alone.low)
    with pytest.raises(InvalidSettings, match="different images"):
        one.difference(evaluate(truth[1:], found[1:]))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_scores_stay_in_their_range(seed):
    rng = np.random.default_rng(seed)
    scores = evaluate(rng.integers(0, 6, (9, 9)), rng.integers(0, 4, (9, 9)))
    for name in ("ap50", "ap75", "ap50_95", "pq", "sq", "f1", "aji", "fg_iou", "fg_dice"):
        assert 0 <= scores[name] <= 1


@pytest.fixture(scope="module")
def shared_tool(shared_data: Path) -> ModuleType:
    path = shared_data.parent / "tools" / "score_instances.py"
    if not path.is_file():
        pytest.skip(f"the shared scoring tool is not at {path}")
    spec = importlib.util.spec_from_file_location("shared_score_instances", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.data
def test_scores_equal_those_of_the_shared_tool(shared_tool):
    rng = np.random.default_rng(0)
    pairs = []
    for count in (0, 1, 3, 9, 30, 200):
        truth = np.kron(rng.integers(0, count + 1, (20, 20)), np.ones((3, 3), int))
        found = np.roll(np.where(rng.random(truth.shape) < 0.2, 0, truth), 1, axis=1)
        pairs.append((truth, found))
    ours = evaluate([t for t, _ in pairs], [f for _, f in pairs], pixel_size=7.0, min_area=2)
    counts = [shared_tool.count_image(t, f, min_area=2) for t, f in pairs]
    theirs = shared_tool.summarize(counts, pixel_size=7.0, n_boot=100)
    summary = ours.summary(n_boot=100)
    assert set(summary) >= set(theirs)
    for name, estimate in theirs.items():
        mine = summary[name]
        got = [mine.value, mine.low, mine.high]
        expected = [estimate.value, estimate.low, estimate.high]
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=name)
