"""A model of the registry is a method by its name; without a name the best one is taken, aloud."""

from __future__ import annotations

import importlib.util
import logging

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.errors import InvalidSettings, SemError
from napari_sem_tools.models import models
from napari_sem_tools.models.card import ModelCard, WeightsFile
from napari_sem_tools.segmentation import METHODS, available_methods, choose_method
from napari_sem_tools.segmentation import network as network_module


class Cards:
    """Stands for a store that knows cards alone."""

    def __init__(self, *names, task="segmentation"):
        self.cards = [
            ModelCard(
                name=name,
                version="1.0.0",
                task=task,
                architecture="folded-unet",
                weights=WeightsFile("weights.safetensors", "0" * 64, 1),
                licence="BSD-3-Clause",
                created="2026-11-21",
                description="What it is for.",
            )
            for name in names
        ]

    def entries(self):
        return [type("Entry", (), {"card": card}) for card in self.cards]

    def find(self, name):
        from napari_sem_tools.errors import ModelNotFound

        for entry in self.entries():
            if name in (entry.card.name, entry.card.key):
                return entry
        raise ModelNotFound(name)


@pytest.fixture
def registry(monkeypatch):
    def use(*names, task="segmentation", torch=True):
        monkeypatch.setitem(models.__dict__, "_store", Cards(*names, task=task))
        found = object() if torch else None
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)

    return use


@pytest.fixture
def square():
    image = np.zeros((64, 64), np.uint8)
    image[16:32, 16:32] = 200
    return image


def test_models_that_segment_stand_beside_the_table(registry):
    registry("particles", "rods")
    rows = available_methods()
    assert list(rows) == [*METHODS, "particles", "rods"]
    assert rows["rods"].settings is sem.NetworkSettings
    assert rows["rods"].help == "What it is for."
    registry("sharpness", task="focus")
    assert list(available_methods()) == list(METHODS)


@pytest.mark.parametrize("name", ["rods", "rods@1.0.0"])
def test_a_model_runs_by_its_name_with_settings_of_networks(registry, monkeypatch, square, name):
    registry("rods")
    seen = []

    def by_network(model, image, field, *, settings, progress, cancel):
        seen.append((model, settings))
        return sem.Segmentation(np.zeros(image.shape, np.int32), np.zeros(0), method=model)

    monkeypatch.setattr(network_module, "segment_by_network", by_network)
    found = sem.segment(square, name, settings=sem.NetworkSettings(diameter_px=12))
    assert seen == [(name, sem.NetworkSettings(diameter_px=12))]
    assert found.notes == (), "what was asked for needs no reason"
    with pytest.raises(InvalidSettings, match="takes NetworkSettings"):
        sem.segment(square, name, settings=sem.ThresholdSettings())


@pytest.mark.parametrize(
    ("names", "torch", "chosen", "because"),
    [
        (("particles",), True, "particles", "the best there is"),
        (("particles",), False, "threshold", "PyTorch is not installed"),
        (("rods",), True, "threshold", "there is no model 'particles'"),
        ((), False, "threshold", "PyTorch is not installed"),
    ],
)
def test_without_a_name_the_best_that_works_is_chosen_and_said(
    registry, caplog, names, torch, chosen, because
):
    registry(*names, torch=torch)
    with caplog.at_level(logging.INFO, "napari_sem_tools"):
        choice = choose_method()
    assert choice.name == chosen
    assert because in choice.reason
    assert choice.reason in caplog.text


def test_the_reason_is_in_the_notes(registry, square):
    registry(torch=False)
    found = sem.segment(square)
    assert found.method == "threshold"
    assert any("PyTorch is not installed" in note for note in found.notes)


def test_torch_that_is_broken_is_passed_over_but_not_when_a_model_was_named(
    registry, monkeypatch, square
):
    from napari_sem_tools.models import runtime

    def broken():
        raise SemError("PyTorch could not be loaded because of a library.")

    registry("particles")
    monkeypatch.setattr(runtime, "torch", broken)
    found = sem.segment(square)
    assert found.method == "threshold"
    assert any("could not be loaded" in note for note in found.notes)
    assert choose_method("particles", load=True).name == "particles"


def test_settings_without_a_name_tell_the_method(registry):
    registry("particles")
    assert choose_method(None, sem.ThresholdSettings()).name == "threshold"
    assert choose_method(None, sem.NetworkSettings()).name == "particles"


def test_an_unknown_name_is_refused_with_the_nearest_one(registry, square):
    registry("particles")
    with pytest.raises(InvalidSettings, match="'particels'") as caught:
        sem.segment(square, "particels")
    assert "particles" in caught.value.hint
    registry("sharpness", task="focus")
    with pytest.raises(InvalidSettings, match="is a model for focus"):
        choose_method("sharpness")
