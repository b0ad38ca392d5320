"""Outlines: boundary F1, and the scores of the published workflow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_sem_tools.evaluation import evaluate, read_labels
from napari_sem_tools.evaluation.outlines import (
    boundary_counts,
    mask_counts,
    outline_pixels,
    with_gaps,
)

LABELS = arrays(np.int64, (9, 10), elements=st.integers(0, 4))


def disc(radius: float, centre: tuple[int, int] = (30, 30)) -> np.ndarray:
    y, x = np.mgrid[:60, :60]
    return ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2).astype(int)


def test_an_outline_two_pixels_off_is_right_within_two_pixels_and_wrong_within_one():
    within = {t: evaluate(disc(20), disc(22), tolerance_px=t)["boundary_f1"] for t in (1, 2.3, 4)}
    assert within[1] < 0.05
    assert within[2.3] > 0.9
    assert within[4] == 1


@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 3, 5.9, 6.5, 9])
def test_outline_pixels_are_near_when_their_centres_are(tolerance: float):
    true, found = disc(11, (25, 28)) + 2 * disc(7, (48, 30)), disc(14, (30, 30))
    near_true, ours, near_found, theirs = boundary_counts(true, found, tolerance)
    of_true, of_found = (np.argwhere(outline_pixels(labels)) for labels in (true, found))
    away = np.linalg.norm(of_true[:, None] - of_found[None], axis=2)
    assert (ours, theirs) == (len(of_true), len(of_found))
    assert near_true == (away.min(axis=1) <= tolerance).sum()
    assert near_found == (away.min(axis=0) <= tolerance).sum()


def test_the_outline_between_touching_particles_counts():
    pair = np.zeros((30, 40), int)
    pair[5:25, 5:20], pair[5:25, 20:35] = 1, 2
    assert evaluate(pair, pair)["boundary_f1"] == 1
    merged = evaluate(pair, (pair > 0).astype(int), tolerance_px=1)
    assert merged["fg_iou"] == 1
    assert merged["boundary_f1"] < 0.9


def test_touching_particles_are_drawn_one_pixel_apart():
    pair = np.zeros((30, 40), int)
    pair[5:25, 5:20], pair[5:25, 20:35] = 1, 2
    mask = with_gaps(pair)
    assert (pair > 0).sum() - mask.sum() == 20  # one column, of one of the two
    assert ndimage.label(mask, np.ones((3, 3)))[1] == 2


@pytest.mark.parametrize("names", [(1, 2), (2, 1)])
def test_the_larger_of_two_touching_particles_gives_way_whatever_their_numbers(names):
    pair = np.zeros((20, 20), int)
    pair[2:18, 2:14], pair[8:11, 14:17] = names
    mask = with_gaps(pair)
    assert mask[8:11, 14:17].all()
    assert (pair > 0).sum() - mask.sum() == 5  # beside the small one, corners included


@given(LABELS)
@settings(max_examples=60)
def test_particles_that_share_an_edge_meet_nowhere_in_the_mask(labels):
    mask = with_gaps(labels)
    assert not mask[labels == 0].any()
    touch = {
        frozenset((int(a), int(b)))
        for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1]))
        for a, b in zip(one.ravel(), other.ravel(), strict=True)
        if a != b and a and b
    }
    left = np.where(mask, labels, 0)
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        rolled = np.pad(left, 1)[1 + shift[0] :, 1 + shift[1] :][: left.shape[0], : left.shape[1]]
        near = left[: rolled.shape[0], : rolled.shape[1]]
        for a, b in zip(near.ravel(), rolled.ravel(), strict=True):
            assert not (a != b and frozenset((int(a), int(b))) in touch)


@given(LABELS)
@settings(max_examples=60)
def test_a_perfect_result_has_all_three_published_scores(labels):
    scores = evaluate(labels, labels * 3)
    assert [scores[name] for name in ("img_iou", "inst_iou", "youden")] == [1, 1, 1]


def test_missed_particles_cost_nothing_in_the_published_score_of_instances():
    truth = disc(8, (15, 15)) + 2 * disc(8, (45, 45))
    scores = evaluate(truth, np.where(truth == 1, 1, 0))
    assert scores["inst_iou"] == 1
    assert scores["ap50"] == 0.5
    assert scores["img_iou"] == pytest.approx(0.5)
    assert scores["youden"] == pytest.approx(0.5)


def test_a_hole_is_an_outline_of_its_own():
    ring = disc(20) - disc(10)
    counts = mask_counts(ring, disc(20))
    assert (counts.true_outlines, counts.found_outlines) == (2, 1)
    assert counts.best_iou == 1  # outlines are filled: that of the ring is a disc


@pytest.mark.data
def test_masks_drawn_by_hand_have_all_three_published_scores(shared_data: Path):
    mask = read_labels(shared_data / "bam" / "masks" / "1908248.png")
    np.testing.assert_array_equal(with_gaps(mask), mask > 0)  # a pixel lies between them already
    scores = evaluate(mask, mask, rows=712)
    assert [scores[name] for name in ("img_iou", "inst_iou", "youden", "ap50")] == [1, 1, 1, 1]
