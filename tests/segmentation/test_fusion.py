"""Of particles seen at several scales each is taken once, where it is seen best."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.segmentation.candidates import (
    FEATURES,
    Look,
    Overlaps,
    describe,
    features_of,
)
from napari_sem_tools.segmentation.fusion import Judge, fuse

OWN = len(describe(np.ones((3, 3), np.int32), np.ones((3, 3, 3), np.float32), np.ones(1))[0])


class ByConfidence:
    """Believes every particle as much as the network does."""

    def probability(self, features):
        return features[:, 0]


def look(scale, labels, confidence):
    own = np.zeros((len(confidence), OWN))
    own[:, 0] = confidence
    return Look(scale, np.asarray(labels, np.int32), own, 0.5, 0.5)


def stripes(*numbers, width=10):
    return np.repeat(np.repeat([numbers], 4, axis=0), width, axis=1)


def test_a_large_particle_seen_whole_wins_over_its_badly_seen_pieces():
    pieces = look(1.0, stripes(1, 2, 0), [0.4, 0.45])
    whole = look(0.5, stripes(1, 1, 0), [0.9])
    labels, probability, scale = fuse([pieces, whole], least=0.3, judge=ByConfidence())
    assert np.array_equal(labels, stripes(1, 1, 0))
    assert probability.tolist() == [0.9]
    assert scale.tolist() == [0.5]


def test_small_particles_seen_well_win_over_what_merges_them():
    pieces = look(1.0, stripes(1, 2, 0), [0.8, 0.9])
    whole = look(0.5, stripes(1, 1, 0), [0.6])
    labels, probability, scale = fuse([pieces, whole], least=0.3, judge=ByConfidence())
    assert np.array_equal(np.sort(probability), [0.8, 0.9])
    assert set(scale) == {1.0}
    assert len(np.unique(labels)) == 3


def test_large_and_small_particles_of_one_picture_are_taken_each_at_its_scale():
    fine = look(1.0, stripes(1, 2, 0, 3), [0.3, 0.3, 0.9])
    coarse = look(0.25, stripes(1, 1, 0, 0), [0.8])
    labels, _, scale = fuse([fine, coarse], least=0.25, judge=ByConfidence())
    assert np.array_equal(labels > 0, stripes(1, 1, 0, 1) > 0)
    assert sorted(scale) == [0.25, 1.0]


def test_what_is_not_probable_enough_is_left_out():
    labels, probability, _ = fuse(
        [look(1.0, stripes(1, 0, 2), [0.2, 0.6])] * 2, least=0.5, judge=ByConfidence()
    )
    assert np.array_equal(labels, stripes(0, 0, 1))
    assert probability.tolist() == [0.6]


def greedy(looks, least):
    """Take one after the other, the plain way."""
    entries = sorted(
        (-p, place, number + 1)
        for place, one in enumerate(looks)
        for number, p in enumerate(one.own[:, 0])
        if p >= least
    )
    taken = []
    for minus, place, number in entries:
        mask = looks[place].labels == number
        if sum((mask & other).sum() for _, other in taken) <= 0.4 * mask.sum() + 1e-9:
            taken.append((-minus, mask))
    return sorted(p for p, _ in taken), np.any([mask for _, mask in taken], axis=0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4))
def test_the_rounds_take_what_taking_one_by_one_would_take(seed, count):
    rng = np.random.default_rng(seed)
    looks = []
    for place in range(count):
        cells = rng.integers(0, 5, (3, 4))
        labels = np.kron(cells, np.ones((5, 6), int))
        numbers = np.unique(labels[labels > 0], return_inverse=True)[1]
        labels[labels > 0] = numbers + 1
        confidence = rng.permutation(100)[: labels.max()] / 100 + place / 1000
        looks.append(look(0.5**place, labels, confidence))
    labels, probability, _ = fuse(looks, least=0.3, judge=ByConfidence())
    if not (np.concatenate([one.own[:, 0] for one in looks]) >= 0.3).any():
        assert not labels.any()
        return
    wanted, covered = greedy(looks, 0.3)
    assert np.allclose(probability, wanted)
    assert np.array_equal(labels > 0, covered)


def test_shared_pixels_are_counted_exactly():
    rng = np.random.default_rng(3)
    a, b = (rng.integers(0, 6, (40, 50)).astype(np.int32) for _ in range(2))
    first, second, shared = Overlaps([a, b]).pairs(0, 1)
    for i, j, n in zip(first, second, shared, strict=True):
        assert n == ((a == i) & (b == j)).sum()
    assert shared.sum() == ((a > 0) & (b > 0)).sum()


def test_a_particle_is_compared_with_the_one_that_holds_it():
    table = Overlaps([stripes(1, 2, 0), stripes(1, 1, 0)]).compared(0, 1)
    assert np.allclose(table, [[0.5, 1, 0, 0.5]] * 2)
    table = Overlaps([stripes(1, 1, 0), stripes(1, 2, 0)]).compared(0, 1)
    assert np.allclose(table, [[0.5, 1, np.log(3), 0.0]])


def test_a_description_tells_border_foreground_and_the_cut():
    labels = np.zeros((20, 20), np.int32)
    labels[0:8, 5:15] = 1
    maps = np.zeros((3, 20, 20), np.float32)
    maps[0, 0:8, 5:15] = 0.9
    maps[1, 7, 5:15] = 0.6
    maps[2, 3, 9] = 0.7
    row = dict(zip(FEATURES, describe(labels, maps, np.array([0.5]))[0], strict=False))
    assert row["confidence"] == 0.5
    assert row["foreground"] == pytest.approx(0.9)
    assert row["certainty"] == pytest.approx(0.8)
    assert row["peak"] == pytest.approx(0.7)
    assert row["cut_by_edge"] == 1
    assert row["log_width_px"] == pytest.approx(np.log(np.sqrt(80)), abs=1e-3)
    assert 0 < row["border_on_outline"] < 0.6
    assert row["border_inside"] == 0
    assert row["foreground_outside"] == 0


def test_there_is_a_row_for_every_particle_and_a_column_for_every_feature():
    looks = [look(1.0, stripes(1, 2, 0), [0.4, 0.5]), look(0.5, stripes(0, 0, 0), [])]
    tables = features_of(looks, Overlaps([one.labels for one in looks]))
    assert [table.shape for table in tables] == [(2, len(FEATURES)), (0, len(FEATURES))]
    assert np.isfinite(tables[0]).all()


def test_the_packaged_judge_answers_to_the_features_and_refuses_others():
    judge = Judge.packaged()
    answer = judge.probability(np.zeros((3, len(FEATURES))))
    assert answer.shape == (3,)
    assert ((answer > 0) & (answer < 1)).all()
    kept = json.loads((files("napari_sem_tools.segmentation") / "judge.json").read_text("utf-8"))
    with pytest.raises(ValueError, match="other features"):
        Judge.from_dict(kept | {"features": ["area"]})
