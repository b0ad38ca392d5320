"""The fast scores equal slow ones that go particle by particle."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import inst_iou, scores
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sem_tools.evaluation import evaluate
from napari_sem_tools.evaluation.outlines import mask_counts


@st.composite
def label_pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Truth of small blocks, and a result that is shifted, merged, split, cut or unrelated."""
    shape = draw(st.tuples(st.integers(2, 4), st.integers(2, 4)))
    coarse = draw(arrays(np.int64, shape, elements=st.integers(0, 5)))
    truth = np.kron(coarse, np.ones((draw(st.integers(1, 3)), draw(st.integers(1, 3))), np.int64))
    kind = draw(st.sampled_from(("shifted", "renamed", "cut", "other")))
    if kind == "shifted":
        found = np.roll(truth, draw(st.integers(-1, 1)), axis=draw(st.integers(0, 1)))
    elif kind == "renamed":  # particles are merged where two names become one
        found = np.array(draw(st.lists(st.integers(0, 5), min_size=6, max_size=6)))[truth]
    elif kind == "cut":
        found = np.where(draw(arrays(bool, truth.shape)), truth, 0)
    else:
        found = draw(arrays(np.int64, truth.shape, elements=st.integers(0, 5)))
    return truth, found


@given(label_pairs(), st.sampled_from((0.0, 1.0, 1.5, 2.0)))
@settings(max_examples=100)
def test_every_overlap_score_and_every_kind_of_error(pair, tolerance):
    ours = evaluate(*pair, tolerance_px=tolerance).per_image()[0]
    for name, value in scores(*pair, tolerance).items():
        assert ours[name] == pytest.approx(value, abs=1e-12, nan_ok=True), name


@given(arrays(bool, (8, 9)), arrays(bool, (8, 9)))
@settings(max_examples=60)
def test_filled_outlines_with_holes_and_islands(true, found):
    counts = mask_counts(true.astype(np.int64), found.astype(np.int64))
    share = counts.best_iou / max(counts.found_outlines, 1)
    if counts.found_outlines == 0:
        share = float(counts.true_outlines == 0)
    assert share == pytest.approx(inst_iou(true, found))
    pixels = (true & found, true & ~found, ~true & found, ~true & ~found)
    got = (counts.both, counts.only_true, counts.only_found, counts.neither)
    assert got == tuple(int(p.sum()) for p in pixels)


@given(st.lists(label_pairs(), min_size=2, max_size=4))
@settings(max_examples=25)
def test_pooled_scores_are_those_of_one_large_image(pairs):
    def side_by_side(images):
        height = max(i.shape[0] for i in images) + 4
        apart, last = [], 0
        for image in images:
            named = np.where(image > 0, image + last, 0)
            last = int(named.max(initial=last))
            apart.append(np.pad(named, ((2, height - 2 - image.shape[0]), (3, 3))))
        return np.concatenate(apart, axis=1)

    # a frame of background keeps outlines at the border alike
    framed = [(np.pad(t, ((2, 2), (3, 3))), np.pad(f, ((2, 2), (3, 3)))) for t, f in pairs]
    one = evaluate(side_by_side([t for t, _ in pairs]), side_by_side([f for _, f in pairs]))
    pooled = evaluate([t for t, _ in framed], [f for _, f in framed]).pooled
    whole = one.per_image()[0]
    for name in pooled:
        if name not in ("youden", "count_err"):  # the frames add background
            assert pooled[name] == pytest.approx(whole[name], nan_ok=True), name
