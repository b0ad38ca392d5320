"""Pixels of classes: phases, precipitates, foreground and background."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation import evaluate_classes

TRUTH = np.array([[0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 2, 2]])
FOUND = np.array([[0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 2]])


def test_counted_by_hand():
    scores = evaluate_classes(TRUTH, FOUND)
    assert scores.classes == (0, 1, 2)
    assert scores.iou[0] == pytest.approx([5 / 6, 3 / 5, 2 / 3])
    assert scores.dice[0] == pytest.approx([10 / 11, 6 / 8, 4 / 5])
    summary = scores.summary(n_boot=0)
    assert summary["pooled_mean_iou"].value == pytest.approx((5 / 6 + 3 / 5 + 2 / 3) / 3)
    assert summary["pooled_dice_2"].value == pytest.approx(0.8)


def test_a_class_that_an_image_lacks_is_left_out_of_its_mean():
    scores = evaluate_classes([TRUTH, np.zeros((2, 6), int)], [FOUND, np.zeros((2, 6), int)])
    assert np.isnan(scores.iou[1, 1:]).all()
    assert scores.ranges()["mean_iou"] == pytest.approx(((5 / 6 + 3 / 5 + 2 / 3) / 3, 1))


def test_all_images_together_weigh_by_their_pixels():
    small, large = np.array([[0, 1]]), np.zeros((10, 10), int)
    large[:, 5:] = 1
    scores = evaluate_classes([small, large], [1 - small, large]).summary(n_boot=0)
    assert scores["image_mean_iou"].value == pytest.approx(0.5)
    assert scores["pooled_iou_0"].value == pytest.approx(50 / 52)


def test_masks_of_true_and_false_are_two_classes():
    assert evaluate_classes(TRUTH > 0, FOUND > 0).iou[0] == pytest.approx([5 / 6, 6 / 7])


def test_ignored_pixels_and_classes_that_do_not_count():
    unknown = np.where(TRUTH == 2, 255, TRUTH)
    scores = evaluate_classes(unknown, FOUND, ignore=255)
    assert scores.classes == (0, 1, 2)
    assert scores.confusion[0].sum() == 9
    two = evaluate_classes(TRUTH, np.where(FOUND == 1, 7, FOUND), classes=(0, 1))
    assert two.iou[0] == pytest.approx([5 / 6, 0])  # found to be something else is wrong


def test_intervals_hold_the_value():
    rng = np.random.default_rng(0)
    truth = [rng.integers(0, 3, (8, 8)) for _ in range(7)]
    found = [np.where(rng.random(t.shape) < 0.3, 0, t) for t in truth]
    one = evaluate_classes(truth, found).summary(n_boot=200)["image_mean_dice"]
    assert one.low < one.value < one.high


@pytest.mark.parametrize(
    ("truth", "found"),
    [
        (TRUTH, FOUND[:, :3]),
        (TRUTH + 0.5, FOUND),
        (np.arange(600).reshape(20, 30), np.arange(600).reshape(20, 30)),
        ([], []),
        ([TRUTH], []),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, found):
    with pytest.raises(InvalidSettings):
        evaluate_classes(truth, found)
