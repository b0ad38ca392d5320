"""What comes with the package is whole, licensed, scored and fits its network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_sem_tools
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store

MAX_BYTES = 15_000_000
FOLDER = Path(napari_sem_tools.__file__).parent / "weights"
PACKAGED = Store([Place(FOLDER, "packaged")])


@pytest.mark.parametrize("entry", PACKAGED.entries(), ids=lambda entry: entry.card.key)
def test_a_packaged_model_says_what_it_is_and_is_what_it_says(entry) -> None:
    card = entry.card
    assert card.description
    assert card.licence == "BSD-3-Clause"
    assert card.training_data
    wanted = {
        "segmentation": {"AP@0.5", "PQ"},
        "focus": {"RMSE"},
        "embedding": {"recall@1", "accuracy"},
    }[card.task]
    assert {score.metric for score in card.scores} == wanted
    assert all(score.low <= score.value <= score.high for score in card.scores)
    assert card.weights.size_bytes <= MAX_BYTES


def test_all_packaged_weights_have_their_hash() -> None:
    assert PACKAGED.entries()
    assert all(verdict.good for verdict in PACKAGED.verify())


@pytest.mark.torch
def test_the_packaged_network_separates_two_touching_discs(monkeypatch) -> None:
    from napari_sem_tools import models
    from napari_sem_tools.models import runtime
    from napari_sem_tools.segmentation.network import segment_by_network

    lend = runtime.lease
    monkeypatch.setattr(
        type(models), "lease", lambda self, name, **wish: lend(PACKAGED, name, **wish)
    )
    y, x = np.mgrid[:200, :260]
    first, second = (np.hypot(y - 100, x - centre) for centre in (100, 160))
    depth = np.sqrt(np.maximum(900 - np.minimum(first, second) ** 2, 0)) / 30
    grey = np.where(depth > 0, 230 - 90 * depth, 40) + np.random.default_rng(0).normal(
        0, 4, y.shape
    )
    found = segment_by_network("particles", Micrograph(np.clip(grey, 0, 255).astype("u1")))
    assert found.labels[100, 100] > 0
    assert found.labels[100, 160] > 0
    assert found.labels[100, 100] != found.labels[100, 160]
    truth = np.minimum(first, second) <= 30
    assert ((found.labels > 0) & truth).sum() / ((found.labels > 0) | truth).sum() > 0.8
