"""A trained network of the registry answers as taught categories do."""

from __future__ import annotations

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.classification.look import Look, picture_of
from napari_sem_tools.errors import InvalidSettings, UnreadableFile
from napari_sem_tools.micrograph import Micrograph

LOOK = {"rows": 32, "columns": 40}
ARGUMENTS = {"arguments": {"widths": [4, 4, 8, 8]}, "embedding": 8, "outputs": 2, "look": LOOK}


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of the test's own."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    sem.models.configure()
    yield sem.models
    sem.models.unload()
    sem.models.configure()


def made(**buffers):
    """A network of two categories that prefers bright fields, as the bytes of its weights."""
    import torch
    from safetensors.torch import save

    from napari_sem_tools.models.architectures import build

    torch.manual_seed(0)
    network = build("classifier", ARGUMENTS)
    state = network.state_dict() | buffers
    return save({name: value.contiguous() for name, value in state.items()})


def kept(registry, name="toy", task="classification", **buffers):
    from napari_sem_tools.models.card import ModelCard, OutputChannel, OutputClass
    from napari_sem_tools.models.weights import describe

    raw = made(**buffers)
    card = ModelCard(
        name=name,
        version="1.0.0",
        task=task,
        architecture="classifier",
        arguments=ARGUMENTS,
        weights=describe(raw),
        licence="MIT",
        created="2026-01-31",
        outputs=tuple(OutputChannel(one, "", "softmax") for one in ("wires", "films")),
        classes=(OutputClass("wires"), OutputClass("films")),
    )
    return registry.on_disk.add(card, lambda out: out.write(raw)).card


def scene(seed):
    return np.random.default_rng(seed).integers(0, 4096, (48, 64), np.uint16)


@pytest.mark.torch
def test_a_trained_model_answers_in_the_columns_of_taught_categories(registry):
    kept(registry)
    table = sem.classify([scene(0), np.zeros((5, 5))], "toy")
    taught = sem.teach({"a": [scene(1), scene(2)], "b": [scene(3), scene(4)]})
    assert [c for c in sem.classify(scene(0), taught) if not c.startswith("p ")] == [
        c for c in table if not c.startswith("p ")
    ]
    assert table["p wires"][0] + table["p films"][0] == pytest.approx(1)
    assert table["possible"][0] == ("wires", "films") or table["possible"][0] == ("films", "wires")
    assert "too small" in table["error"][1]


@pytest.mark.torch
def test_without_parts_the_whole_alone_is_judged_and_says_the_same(registry):
    kept(registry)
    whole, parts = (sem.classify(scene(0), "toy", parts=p).iloc[0] for p in (False, True))
    assert whole["p wires"] == pytest.approx(parts["p wires"], abs=1e-3)
    assert whole["answer"] != "patches disagree"


@pytest.mark.torch
def test_what_lies_far_from_all_that_is_known_is_none_of_the_categories(registry):
    import torch

    away = torch.zeros(1, 8)
    away[0, 0] = -1  # the embeddings of this network have no negative number
    kept(registry, known=away, far=torch.tensor([1.0]), limits=torch.tensor([0.9, 0.9]))
    near = sem.models.on_disk
    assert near is not None
    row = sem.classify(scene(0), "toy").iloc[0]
    assert not row["in_domain"]
    assert row["distance"] >= np.sqrt(2) - 1e-6
    assert row["category"] == ""


@pytest.mark.torch
def test_the_temperature_evens_probabilities_and_keeps_their_order(registry):
    import torch

    kept(registry)
    kept(registry, "hot", temperature=torch.tensor([50.0]))
    sharp, even = (sem.classify(scene(0), name).iloc[0] for name in ("toy", "hot"))
    assert abs(even["p wires"] - 0.5) < abs(sharp["p wires"] - 0.5)
    assert (even["p wires"] > 0.5) == (sharp["p wires"] > 0.5)


def test_a_name_that_is_neither_a_folder_nor_a_model_is_refused():
    with pytest.raises(UnreadableFile, match="no categories"):
        sem.classify(scene(0), "no-such-model")
    with pytest.raises(InvalidSettings, match="not for categories"):
        sem.classify(scene(0), next(iter(sem.models)))


def test_the_data_bar_is_not_looked_at():
    pixels = scene(5)
    record = Micrograph(pixels, data_bar=(40, 48))
    other = Micrograph(np.concatenate([pixels[:40], 4095 - pixels[40:]]), data_bar=(40, 48))
    look = Look(**LOOK)
    assert np.array_equal(picture_of(record, look), picture_of(other, look))
    with_bar = look.replace(strip="in")
    assert not np.array_equal(picture_of(record, with_bar), picture_of(other, with_bar))


def test_the_aspect_is_kept_and_too_much_is_cut_off_on_both_sides():
    pixels = np.zeros((64, 256), np.uint8)
    pixels[:, 96:160] = 200
    look = Look(rows=32, columns=32, clip_low_percent=0, clip_high_percent=100)
    assert (picture_of(Micrograph(pixels), look)[:, :, 1:-1] == 200).all()
    squeezed = picture_of(Micrograph(pixels), look.replace(fit="whole"))[0]
    assert squeezed[0, 16] == 200
    assert squeezed[0, 0] == 0


def test_a_part_is_the_field_cut_there():
    pixels = np.zeros((64, 64), np.uint8)
    pixels[32:, 32:] = 100
    look = Look(rows=16, columns=16, clip_low_percent=0, clip_high_percent=100)
    parts = ((0.5, 0.0, 0.0), (0.5, 1.0, 1.0))
    assert picture_of(Micrograph(pixels), look, parts).mean((1, 2)).tolist() == [0, 100]


@pytest.mark.torch
def test_what_decided_is_mapped_on_the_grid_of_the_image(registry):
    import torch

    kept(registry, **{"head.weight": torch.tensor([[1.0] * 8, [-1.0] * 8])})
    record = Micrograph(scene(0), data_bar=(40, 48))
    heat = sem.heat_map(record, "toy")
    assert heat.shape == record.shape
    assert np.isnan(heat[40:]).all()  # the network does not look at the data bar
    inside = heat[np.isfinite(heat)]
    assert inside.min() >= 0
    assert inside.max() <= 1
    other = sem.heat_map(record, "toy", category="films")
    named = sem.heat_map(record, "toy", category="wires")
    assert not np.array_equal(other, named, equal_nan=True)
    assert any(np.array_equal(heat, one, equal_nan=True) for one in (other, named))
    with pytest.raises(InvalidSettings, match="knows no category 'fibres'"):
        sem.heat_map(record, "toy", category="fibres")


@pytest.mark.torch
def test_the_map_is_bright_where_the_evidence_is(registry):
    import torch

    from napari_sem_tools.models.architectures import build

    kept(registry)
    network = build("classifier", ARGUMENTS)
    inner = network.network
    for weight in network.parameters():
        torch.nn.init.zeros_(weight)
    state = network.state_dict() | {
        "head.weight": torch.tensor([[1.0] * 8, [-1.0] * 8]),
        "network.conv1.weight": torch.ones_like(inner.conv1.weight) / 49,
    }
    for name in list(state):  # every layer passes on what is bright
        if name.endswith(("bn1.weight", "downsample.1.weight")):
            state[name] = torch.ones_like(state[name])
        if name.endswith("downsample.0.weight"):
            state[name] = torch.ones_like(state[name]) / state[name].shape[1]
    kept(registry, "bright", **state)
    pixels = np.full((64, 80), 10, np.uint8)
    pixels[:, 40:] = 250
    heat = sem.heat_map(pixels, "bright", category="wires")
    assert np.nanmean(heat[:, 48:]) > 2 * np.nanmean(heat[:, :32])
