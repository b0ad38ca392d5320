"""Targets say of every pixel what it is, whatever the size of its particle."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sem_tools.training.data.targets import separation_targets


def test_every_particle_reaches_full_distance_in_its_middle():
    labels = np.zeros((60, 80), np.int32)
    labels[5:10, 5:10] = 1
    labels[20:50, 30:70] = 2
    labels[0, 79] = 3
    distance = separation_targets(labels)[2]
    assert [distance[labels == k].max() for k in (1, 2, 3)] == [255, 255, 255]
    assert (distance[labels == 0] == 0).all()


def test_ignored_pixels_weigh_nothing():
    ignore = np.zeros((8, 8), bool)
    ignore[2, 3] = True
    weight = separation_targets(np.zeros((8, 8), int), ignore)[3]
    assert weight[2, 3] == 0
    assert weight.sum() == 255 * 63


def test_an_image_that_is_one_particle_all_over_has_targets():
    planes = separation_targets(np.ones((6, 6), int))
    assert (planes[0] == 255).all()
    assert (planes[1] == 0).all()


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (12, 15), elements=st.integers(0, 3)), st.integers(0, 3))
def test_turning_the_labels_turns_the_targets(labels, quarters):
    turned = separation_targets(np.rot90(labels, quarters))
    assert np.array_equal(turned, np.rot90(separation_targets(labels), quarters, (1, 2)))


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (12, 15), elements=st.integers(0, 3)))
def test_renumbering_particles_changes_nothing_but_unconnected_distances(labels):
    renumbered = np.array([0, 3, 1, 2], np.uint8)[labels]
    assert np.array_equal(separation_targets(renumbered), separation_targets(labels))
