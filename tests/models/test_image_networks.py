"""Networks for images by name: each can be built, weights of others keep their meaning."""

from __future__ import annotations

import dataclasses
import hashlib
import io

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.errors import InvalidSettings, MissingExtra, UntrustedModel
from napari_sem_tools.models import families, licences, published
from napari_sem_tools.models.architectures import build
from napari_sem_tools.models.image_networks import IMAGE_NETWORKS, image_network

OWN = [name for name, row in IMAGE_NETWORKS.items() if ":" not in row.architecture]
SIZES = {1: (96, 128), 14: (98, 126), 16: (96, 128)}


def embedded(row):
    """Build a network without memory and return what it makes of an image."""
    import torch

    rows, columns = SIZES[row.multiple]
    with torch.device("meta"):
        network = build(row.architecture, row.built_with(rows, columns)).eval()
        return network, network(torch.empty(1, row.channels, rows, columns))


@pytest.mark.torch
@pytest.mark.parametrize("name", OWN)
def test_own_networks_need_no_other_library(name):
    _, made = embedded(IMAGE_NETWORKS[name])
    assert made.shape in ((1, 128), (1, 256), (1, 512))


@pytest.mark.torch
@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize("name", sorted(set(IMAGE_NETWORKS) - set(OWN)))
def test_every_network_of_the_table_gives_an_embedding(name):
    _, made = embedded(IMAGE_NETWORKS[name])
    assert made.ndim == 2
    assert 300 < made.shape[1] <= 4096


@pytest.mark.torch
def test_the_simple_network_is_as_large_as_the_original():
    import torch

    with torch.device("meta"):
        network = build("simple-cnn", {"inputs": 3, "outputs": 10})
    assert sum(weight.numel() for weight in network.parameters()) == 88_522_026


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(families.importlib, "import_module", absent)
    with pytest.raises(MissingExtra, match="not installed") as error:
        families.build_torchvision("alexnet")
    assert "networks" in error.value.hint


def test_a_network_that_is_not_there_and_a_size_that_does_not_fit_are_refused():
    with pytest.raises(InvalidSettings, match="no network for images") as error:
        image_network("xceptoin")
    assert "xception" in error.value.hint
    with pytest.raises(InvalidSettings, match="multiples of 14") as error:
        image_network("dinov2-small").built_with(100, 140)
    assert "98 x 140" in error.value.hint


@pytest.mark.torch
@pytest.mark.usefixtures("networks_extra")
def test_the_layers_that_papers_name_are_found():
    from napari_sem_tools.training.classification.settings import ClassificationTraining
    from napari_sem_tools.training.classification.unfreezing import _PAPER, Layers, stages_of

    xception, _ = embedded(IMAGE_NETWORKS["xception"])
    last = [name for stage in stages_of(xception)[-2:] for name in stage]
    assert {name.split(".")[0] for name in last} == {"conv3", "bn3", "conv4", "bn4"}
    inner, _ = embedded(IMAGE_NETWORKS["inception-resnet-v2"])

    class Holder:
        network = inner

    wish = ClassificationTraining(network="inception-resnet-v2", freeze="paper-15-30")
    frozen = Layers(Holder, wish, "inception-resnet-v2").frozen(1)
    for prefix in _PAPER:
        assert any(name.startswith(prefix) for name in frozen)
    assert not any(name.startswith("conv2d_4a.bn") for name in frozen)  # the sixteenth layer
    assert len(stages_of(embedded(IMAGE_NETWORKS["dinov2-small"])[0])) > 12


def test_free_licences_need_no_word_and_others_the_very_word():
    licences.require_accepted("MIT", "", what="w")
    licences.require_accepted("LicenseRef-DINOv3", "LicenseRef-DINOv3", what="w")
    with pytest.raises(UntrustedModel, match="Built with DINOv3"):
        licences.require_accepted("LicenseRef-DINOv3", "yes", what="w")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of the test's own."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    sem.models.configure()
    yield sem.models
    sem.models.unload()
    sem.models.configure()


def test_every_published_network_has_a_whole_hash_and_a_licence():
    for name, row in published.PUBLISHED.items():
        assert row.name == name
        assert len(row.sha256) == 64
        assert row.url.startswith("https://")
        assert row.licence and row.source and row.help
    with pytest.raises(InvalidSettings, match="no published network"):
        published.install_published("nffa")


@pytest.mark.torch
@pytest.mark.usefixtures("networks_extra")
def test_a_published_network_is_fed_and_answers_as_its_authors_say(registry, tmp_path, monkeypatch):
    import torch
    import torchvision

    torch.manual_seed(0)
    theirs = torchvision.models.convnext_tiny(weights=None, num_classes=10).eval()
    content = io.BytesIO()
    torch.save(theirs.state_dict(), content)
    file = tmp_path / "best.pt"
    file.write_bytes(content.getvalue())
    row = published.PUBLISHED["nffa-convnext-tiny"]
    with pytest.raises(UntrustedModel, match="SHA-256"):
        published.install_published(row.name, file=file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    small = {**row.look, "rows": 64, "columns": 96}
    made = dataclasses.replace(row, sha256=digest, look=small)
    monkeypatch.setitem(published.PUBLISHED, row.name, made)
    card = published.install_published(row.name, file=file)
    assert card.licence == "MIT"
    grey = np.random.default_rng(0).integers(0, 255, (64, 96), np.uint8)
    table = sem.classify(grey, card.name)
    colours = torch.from_numpy(np.stack([grey] * 3)).float()[None] / 255
    mean, deviation = (torch.tensor(v).reshape(1, 3, 1, 1) for v in published.IMAGENET)
    with torch.inference_mode():
        expected = (theirs((colours - mean) / deviation) / 3.283).softmax(1)[0].numpy()
    chances = [table[f"p {one.name}"][0] for one in card.classes]
    assert np.abs(np.array(chances) - expected).max() < 2e-2  # half precision
    assert table["possible"][0] and table["in_domain"][0]  # it has no test for other images


@pytest.mark.torch
@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize("name", ["test_convnext", "test_vit"])
def test_a_network_of_timm_begins_with_given_weights_learns_its_head_and_shows_why(
    name, registry, tmp_path
):
    import timm
    import torch
    from safetensors.torch import load_file, save_file

    from napari_sem_tools.tiff import write_tiff
    from napari_sem_tools.training.classification.plan import resolve
    from napari_sem_tools.training.classification.session import learn
    from napari_sem_tools.training.classification.settings import ClassificationTraining

    torch.manual_seed(1)
    theirs = timm.create_model(name, pretrained=False, num_classes=7)
    save_file(
        {k: v.contiguous() for k, v in theirs.state_dict().items()}, tmp_path / "w.safetensors"
    )
    rng = np.random.default_rng(0)
    for number in range(8):
        grey = rng.integers(0, 255, (64, 64), np.uint8)
        write_tiff(tmp_path / "set" / "fine" / f"{number}.tif", grey)
        coarse = np.kron(grey[:8, :8], np.ones((8, 8), np.uint8))
        write_tiff(tmp_path / "set" / "coarse" / f"{number}.tif", coarse)
    wish = ClassificationTraining(
        network=f"timm:{name}",
        weights=str(tmp_path / "w.safetensors"),
        weights_licence="Apache-2.0",
        freeze="all but head",
        rows=160,
        columns=160,
        epochs=1,
        steps_per_epoch=2,
        batch=4,
        threads=1,
        device="cpu",
        precision="fp32",
        average=0.0,
    )
    store, said = registry.on_disk, []
    plan = resolve(tmp_path / "set", wish, store)
    card = learn(plan, tmp_path / "run", "mine", store, tell=lambda event: said.append(event.text))
    assert any("Weights of the licence Apache-2.0" in text for text in said)
    assert any(data.licence == "Apache-2.0" for data in card.training_data)
    assert card.licence == "LicenseRef-own"
    bound = dataclasses.replace(
        plan,
        settings=wish.replace(weights_licence="CC-BY-NC-4.0", accept_licence="CC-BY-NC-4.0"),
    )
    card = learn(bound, tmp_path / "bound", "bound", store)
    assert card.licence == "CC-BY-NC-4.0"  # what was made of such weights is bound by it too
    held = load_file(tmp_path / "run" / "best.safetensors")
    encoder = {k: v for k, v in theirs.state_dict().items() if not k.startswith("head.fc")}
    same = [k for k, v in encoder.items() if f"network.{k}" in held]
    assert len(same) > 20
    assert all(torch.equal(held[f"network.{k}"], encoder[k]) for k in same if "head" not in k)
    table = sem.classify(tmp_path / "set" / "fine" / "0.tif", "mine", parts=False)
    assert table["p fine"][0] + table["p coarse"][0] == pytest.approx(1)
    heat = sem.heat_map(tmp_path / "set" / "fine" / "0.tif", "mine", category="fine")
    assert heat.shape == (64, 64)
    assert np.isfinite(heat).all()
