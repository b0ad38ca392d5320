"""Scores equal those of libraries that have them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wasserstein_distance
from skimage.metrics import contingency_table

from napari_sem_tools.evaluation import evaluate, evaluate_classes
from napari_sem_tools.evaluation.outlines import mask_counts, with_gaps
from napari_sem_tools.evaluation.overlaps import numbered, overlaps

LABELS = arrays(np.int64, (7, 8), elements=st.integers(0, 6))
CLASSES = arrays(np.int64, (6, 7), elements=st.integers(0, 3))


def diameters(images: list[np.ndarray]) -> np.ndarray:
    areas = [np.unique(i[i > 0], return_counts=True)[1] for i in images]
    return np.sqrt(4 / np.pi * np.concatenate(areas))


@given(LABELS, LABELS)
@settings(max_examples=50)
def test_the_contingency_table_is_that_of_scikit_image(truth, found):
    (true, true_area), (other, other_area) = numbered(truth), numbered(found)
    pairs = overlaps(true, other, true_area, other_area)
    table = contingency_table(true, other).toarray()[1:, 1:]
    dense = np.zeros((len(true_area), len(other_area)))
    dense[pairs.true, pairs.found] = pairs.shared
    np.testing.assert_array_equal(dense, table)


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=4))
@settings(max_examples=50)
def test_size_errors_are_those_of_numpy_and_scipy(pairs):
    true, found = (diameters([pair[i] for pair in pairs]) for i in (0, 1))
    if not len(true) or not len(found):
        return
    scores = evaluate([t for t, _ in pairs], [f for _, f in pairs], pixel_size=2.5)
    pooled = scores.pooled
    for name, of in {
        "mean": np.mean,
        "d10": lambda d: np.quantile(d, 0.1),
        "d50": np.median,
        "d90": lambda d: np.quantile(d, 0.9),
    }.items():
        assert pooled[f"ecd_{name}_err"] == pytest.approx(of(found) / of(true) - 1, abs=1e-12)
        assert scores.sizes()[name] == pytest.approx((2.5 * of(true), 2.5 * of(found)))
    assert pooled["w1_nm"] == pytest.approx(2.5 * wasserstein_distance(true, found), abs=1e-9)
    assert pooled["count_err"] == pytest.approx(len(found) / len(true) - 1)


def test_intervals_are_percentiles_over_images_drawn_with_replacement():
    rng = np.random.default_rng(2)
    truth = [rng.integers(0, 4, (9, 9)) for _ in range(6)]
    found = [np.where(rng.random(t.shape) < 0.3, 0, t) for t in truth]
    scores = evaluate(truth, found)
    drawn = np.random.default_rng(5).multinomial(6, np.full(6, 1 / 6), size=300)
    of_image = [row["pq"] for row in scores.per_image()]
    resampled = [np.repeat(of_image, times).mean() for times in drawn]
    estimate = scores.summary(n_boot=300, seed=5)["mean_pq"]
    low, high = np.percentile(resampled, [2.5, 97.5])
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    sizes = []
    for times in drawn:
        t, f = (diameters(list(np.repeat(np.array(s), times, axis=0))) for s in (truth, found))
        sizes.append(np.quantile(f, 0.9) / np.quantile(t, 0.9) - 1)
    estimate = scores.summary(n_boot=300, seed=5)["pooled_ecd_d90_err"]
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.percentile(sizes, [2.5, 97.5])))


@given(CLASSES, CLASSES)
@settings(max_examples=50)
def test_classes_are_scored_as_scikit_learn_does(truth, found):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores = evaluate_classes(truth, found)
    t, f = truth.ravel(), found.ravel()
    kwargs = {"labels": scores.classes, "average": None, "zero_division": 0}
    np.testing.assert_allclose(scores.iou[0], metrics.jaccard_score(t, f, **kwargs))
    np.testing.assert_allclose(scores.dice[0], metrics.f1_score(t, f, **kwargs))
    summary = scores.summary(n_boot=0)
    kwargs["average"] = "macro"
    assert summary["pooled_mean_iou"].value == pytest.approx(metrics.jaccard_score(t, f, **kwargs))
    assert summary["image_mean_dice"].value == pytest.approx(metrics.f1_score(t, f, **kwargs))
    assert summary["pooled_accuracy"].value == pytest.approx(metrics.accuracy_score(t, f))


@given(LABELS, LABELS)
@settings(max_examples=50)
def test_masks_are_scored_as_scikit_learn_does(truth, found):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    t, f = with_gaps(truth).ravel(), with_gaps(found).ravel()
    if not t.any() or t.all():
        return  # one of the two rates is not defined
    counts = mask_counts(truth, found)
    table = [[counts.neither, counts.only_found], [counts.only_true, counts.both]]
    np.testing.assert_array_equal(table, metrics.confusion_matrix(t, f, labels=[False, True]))
    ours = evaluate(truth, found).per_image()[0]
    balanced = metrics.balanced_accuracy_score(t, f, adjusted=True)
    assert ours["youden"] == pytest.approx(balanced)
    assert ours["img_iou"] == pytest.approx(metrics.jaccard_score(t, f))
