"""Maps of a perfect network give back the particles they were made from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.segmentation.instances import (
    Decoding,
    _Edges,
    _merge_weak_edges,
    decode,
)
from napari_sem_tools.training.data.targets import separation_targets


def discs(centres, radii, shape=(120, 160)):
    """Later discs lie on top of earlier ones."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for number, ((cy, cx), radius) in enumerate(zip(centres, radii, strict=True), 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = number
    return labels


def perfect_maps(labels):
    """What a network without errors would say."""
    return separation_targets(labels)[:3].astype(np.float32) / 255


def same_partition(a, b):
    """Label images that differ by numbering alone."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_particles_that_do_not_touch_come_back_pixel_by_pixel():
    labels = discs([(30, 30), (30, 90), (80, 60), (85, 130)], [18, 12, 25, 7])
    found, confidence = decode(perfect_maps(labels))
    assert same_partition(found, labels)
    assert confidence.shape == (4,)
    assert confidence.min() > 0.95


def test_touching_particles_are_told_apart_by_the_border_map():
    labels = discs([(60, 50), (60, 85)], [20, 16])
    found, _ = decode(perfect_maps(labels))
    assert found.max() == 2
    joined, _ = decode(perfect_maps(labels) * np.array([1, 0, 1])[:, None, None])
    assert joined.max() == 1


def test_a_second_lobe_without_a_border_is_no_particle():
    labels = discs([(60, 50), (60, 85)], [20, 18])
    one = (labels > 0).astype(np.int32)
    found, _ = decode(perfect_maps(one))
    assert found.max() == 1
    assert same_partition(found, one)


def joined_one_by_one(count, first, second, border, least):
    """Join across the weakest edge of all, again and again; slow and plain."""
    group = list(range(count))
    while True:
        edges = {}
        for a, b, value in zip(first, second, border, strict=True):
            pair = tuple(sorted((group[a], group[b])))
            if pair[0] != pair[1]:
                edges.setdefault(pair, []).append(value)
        weakest = min(edges, key=lambda pair: np.mean(edges[pair]), default=None)
        if weakest is None or np.mean(edges[weakest]) >= least:
            return np.array(group)
        group = [weakest[0] if each == weakest[1] else each for each in group]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 14), least=st.floats(0.2, 0.8))
def test_particles_join_across_the_weakest_border_first(seed, count, least):
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.integers(0, count, (3 * count, 2)), axis=1)
    first, second = ends[ends[:, 0] != ends[:, 1]].T
    border = rng.random(len(first))
    edges = _Edges(first, second, np.zeros(len(first)), border)
    found = _merge_weak_edges(np.arange(count), edges, least)
    wanted = joined_one_by_one(count, first, second, border, least)
    assert same_partition(found[1:], wanted[1:])


def test_a_sliver_between_two_particles_does_not_make_them_one():
    """Its faint edges to both are part of a border that is clear as a whole."""
    first = np.array([1] * 20 + [1] * 3 + [2] * 3)
    second = np.array([2] * 20 + [3] * 3 + [3] * 3)
    border = np.array([0.9] * 20 + [0.2] * 3 + [0.3] * 3)
    found = _merge_weak_edges(np.arange(4), _Edges(first, second, np.zeros(26), border), 0.5)
    assert found[1] == found[3]
    assert found[1] != found[2]


def test_a_peak_on_the_pass_does_not_join_its_neighbours():
    labels = discs([(60, 45), (60, 87)], [20, 20])
    maps = perfect_maps(labels)
    maps[2, 59:62, 65:68] += 0.08  # a bump where the two particles meet
    assert decode(maps)[0].max() == 2


def test_every_component_of_the_foreground_has_a_particle_or_is_too_small():
    labels = discs([(30, 30), (80, 100)], [15, 15])
    maps = perfect_maps(labels)
    maps[2] = 0.0  # the distance map says nothing at all
    found, confidence = decode(maps, Decoding(min_confidence=0.0))
    assert found.max() == 2
    assert np.all(confidence == 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (64, 64)])
def test_nothing_is_found_where_there_is_nothing(shape):
    found, confidence = decode(np.zeros((3, *shape), np.float32))
    assert found.shape == shape
    assert found.max() == 0
    assert len(confidence) == 0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 119), st.integers(0, 159), st.integers(6, 25)),
        min_size=1,
        max_size=12,
    )
)
def test_labels_are_consecutive_and_lie_in_the_foreground(drawn):
    labels = discs([d[:2] for d in drawn], [d[2] for d in drawn])
    found, confidence = decode(perfect_maps(labels))
    assert np.array_equal(np.unique(found[found > 0]), np.arange(1, len(confidence) + 1))
    assert not (found > 0)[labels == 0].any()
    assert np.all((confidence >= 0) & (confidence <= 1))
