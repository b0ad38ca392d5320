"""Networks that tell classes of pixels give maps of classes, or particles the published way."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest

from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel, WeightsFile
from napari_sem_tools.segmentation.semantic import (
    SemanticSettings,
    segment_by_classes,
    separate_by_distance,
)


class Teller:
    """Stands for a network that knows the class of a pixel by its grey value."""

    def __init__(self, *names):
        self.card = ModelCard(
            name="teller",
            version="1.0.0",
            task="segmentation",
            architecture="multires-unet",
            weights=WeightsFile("weights.safetensors", "0" * 64, 1),
            licence="BSD-3-Clause",
            created="2026-11-21",
            input=InputSpec(object_size_px=20.0),
            outputs=tuple(OutputChannel(name) for name in names),
        )
        self.shapes = []

    def predict(self, image, *, notes=None, progress=None, cancel=None):
        self.shapes.append(image.shape)
        if len(self.card.outputs) == 1:
            return image[None]
        levels = np.linspace(0, 1, len(self.card.outputs))
        near = np.exp(-20 * np.abs(image - levels[:, None, None]))
        return (near / near.sum(0)).astype(np.float32)


@pytest.fixture
def lease(monkeypatch):
    from napari_sem_tools import models

    def lend(teller):
        @contextlib.contextmanager
        def leased(name, **wish):
            yield teller

        monkeypatch.setattr(type(models), "lease", lambda self, name, **wish: leased(name, **wish))
        return teller

    return lend


def touching(gap=26):
    y, x = np.mgrid[:60, :100]
    pair = (np.hypot(y - 30, x - 30) < 14) | (np.hypot(y - 30, x - 30 - gap) < 14)
    return np.where(pair, 200, 20).astype(np.uint8)


def test_two_touching_discs_are_cut_at_their_neck(lease):
    lease(Teller("foreground"))
    found = segment_by_classes("teller", Micrograph(touching()))
    assert found.count == 2
    assert found.labels[30, 25] != found.labels[30, 60]
    assert found.confidence.min() > 0.9
    assert "distance" in found.notes[-1]


def test_connected_pieces_stay_together_when_asked(lease):
    lease(Teller("foreground"))
    wish = SemanticSettings(result="components")
    assert segment_by_classes("teller", Micrograph(touching()), settings=wish).count == 1


def test_several_classes_give_a_map_of_classes(lease):
    lease(Teller("background", "secondary", "tertiary"))
    image = np.zeros((40, 60), np.uint8)
    image[:, 20:40], image[:, 40:] = 100, 200
    found = segment_by_classes("teller", Micrograph(image))
    assert np.unique(found.labels[:, 25]).tolist() == [1]
    assert np.unique(found.labels[:, 50]).tolist() == [2]
    assert "1 secondary, 2 tertiary" in found.notes[-1]


def test_what_lies_outside_the_field_is_no_class(lease):
    lease(Teller("background", "grain"))
    image = Micrograph(np.tile([0, 200], (50, 20)).astype(np.uint8), data_bar=(40, 50))
    region = np.zeros(image.shape, bool)
    region[:, 10:] = True
    found = segment_by_classes("teller", image, region)
    assert not found.labels[40:].any()
    assert not found.labels[:, :10].any()
    assert found.labels[:40, 10:].any()


def test_a_known_size_brings_the_image_to_what_the_network_learned(lease):
    teller = lease(Teller("foreground"))
    wish = SemanticSettings(diameter_px=40)
    found = segment_by_classes("teller", Micrograph(touching()), settings=wish)
    assert teller.shapes == [(30, 50)]
    assert found.labels.shape == (60, 100)


@pytest.mark.parametrize("seed", range(5))
def test_every_piece_of_a_mask_has_a_particle_and_nothing_else_has(seed):
    from scipy.ndimage import gaussian_filter, label

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(80, 90)), 3)
    mask = noise > 0.02
    labels = separate_by_distance(mask, seed_distance_px=7)
    assert np.array_equal(labels > 0, mask)
    pieces, count = label(mask)
    assert len({(p, n) for p, n in zip(pieces[mask], labels[mask], strict=True)}) >= count
    for piece in range(1, count + 1):
        numbers = np.unique(labels[pieces == piece])
        assert not np.isin(labels[pieces != piece], numbers).any()


def test_an_empty_mask_has_no_particle():
    assert not separate_by_distance(np.zeros((5, 6), bool)).any()


def test_the_form_follows_what_the_network_gives():
    from napari_sem_tools.segmentation.methods import _network
    from napari_sem_tools.segmentation.network import MAPS, NetworkSettings

    card = Teller("foreground").card
    assert _network(card).settings is SemanticSettings
    maps = dataclasses.replace(card, outputs=tuple(OutputChannel(name) for name in MAPS))
    assert _network(maps).settings is NetworkSettings
