"""An encoder takes weights from the web when all of them fit; else nothing is changed."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest

from napari_sem_tools.errors import ModelNotFound, UntrustedModel
from napari_sem_tools.models.architectures import build
from napari_sem_tools.models.encoder_weights import load_encoder_weights

from .test_card import assert_one_sentence

pytestmark = pytest.mark.torch
SMALL = {"widths": [4, 8, 8, 16]}
RGB = {**SMALL, "inputs": 3, "outputs": 10}


def safetensors(tensors: dict[str, Any]) -> bytes:
    from safetensors.torch import save

    return save({name: tensor.contiguous() for name, tensor in tensors.items()})


def pickled(tensors: dict[str, Any]) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save({"state_dict": tensors, "epoch": 3}, file)
    return file.getvalue()


def state_of(network: Any) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture
def trained():
    """A classifier of colour images, as ImageNet and MicroNet have them."""
    import torch

    torch.manual_seed(1)
    network = build("resnet18", RGB)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    return network.eval()


@pytest.fixture
def offer(server, tmp_path):
    """Put weights on the server and load them into a network."""

    def load(network: Any, data: bytes, **changes: Any):
        server.files["/encoder"] = data
        given = {"sha256": hashlib.sha256(data).hexdigest(), "folder": tmp_path / "kept"}
        return load_encoder_weights(network, f"{server.url}/encoder", **(given | changes))

    return load


@pytest.mark.parametrize("write", [safetensors, pickled])
@pytest.mark.parametrize("prefix", ["", "module.", "encoder.", "module.backbone."])
def test_a_grey_encoder_answers_as_the_colour_one_on_a_grey_image(offer, trained, write, prefix):
    import torch

    focus = build("resnet18-focus", SMALL).eval()
    head = state_of(focus.head)
    report = offer(focus, write({prefix + k: v for k, v in state_of(trained).items()}))
    image = torch.rand(2, 1, 64, 80)
    with torch.inference_mode():
        wanted = trained.features(image.expand(-1, 3, -1, -1))
        torch.testing.assert_close(focus.encoder(image), wanted)
    assert report.adapted == "conv1.weight"
    assert [name.rpartition("fc.")[2] for name in report.left_out] == ["bias", "weight"]
    assert report.untouched == ()
    assert report.loaded == len(focus.encoder.state_dict())
    assert "added up" in str(report) and "fc.weight" in str(report)
    assert all(torch.equal(head[name], tensor) for name, tensor in focus.head.state_dict().items())


def test_the_same_colours_and_classes_are_taken_as_they_are(offer, trained):
    import torch

    network = build("resnet18", RGB)
    report = offer(network, safetensors(state_of(trained)))
    assert report.adapted == "" and report.left_out == () and report.untouched == ()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, trained.state_dict()[name])


def test_a_classifier_for_other_classes_keeps_its_first_values(offer, trained):
    import torch

    network = build("resnet18", {**RGB, "outputs": 4})
    first = state_of(network.fc)
    report = offer(network, safetensors(state_of(trained)))
    assert report.untouched == ("fc.weight", "fc.bias")
    assert torch.equal(network.fc.weight, first["weight"])
    assert torch.equal(network.layer4[1].conv2.weight, trained.layer4[1].conv2.weight)


def test_half_precision_and_lacking_counters_are_taken(offer, trained):
    import torch

    old = {k: v.half() for k, v in state_of(trained).items() if "num_batches" not in k}
    network = build("resnet18", RGB)
    report = offer(network, safetensors(old))
    assert network.conv1.weight.dtype == torch.float32
    torch.testing.assert_close(network.conv1.weight, trained.conv1.weight, rtol=1e-3, atol=1e-3)
    assert report.loaded == len(old)


def lacking(state):
    return {k: v for k, v in state.items() if not k.startswith("layer3.")}


def shorter(state):
    return {k: v[:1] if k.startswith("layer2.0.conv1") else v for k, v in state.items()}


def of_another(state):
    return {f"stage.{k}": v for k, v in state.items()}


def twice(state):
    return state | {f"encoder.{k}": v.clone() for k, v in state.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lacking, "not there (layer3.0.conv1.weight"),
        (shorter, "have another shape (layer2.0.conv1.weight (1, 4, 3, 3) for (8, 4, 3, 3))"),
        (of_another, "tensors are not there (conv1.weight, bn1.weight, bn1.bias, ...)"),
        (twice, "hold two encoders"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(offer, trained, change, words):
    import torch

    network = build("resnet18", {**RGB, "inputs": 1})
    before = state_of(network)
    with pytest.raises(UntrustedModel) as caught:
        offer(network, safetensors(change(state_of(trained))))
    assert_one_sentence(caught.value)
    assert words in str(caught.value)
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


def test_three_colours_are_not_made_of_one(offer):
    grey = build("resnet18", {**RGB, "inputs": 1})
    with pytest.raises(UntrustedModel, match="another shape"):
        offer(build("resnet18", RGB), safetensors(state_of(grey)))


def test_a_wrong_hash_a_wrong_address_and_no_hash_are_refused(offer, trained, server, tmp_path):
    network = build("resnet18", RGB)
    data = safetensors(state_of(trained))
    with pytest.raises(UntrustedModel, match="SHA-256"):
        offer(network, data, sha256="0" * 64)
    with pytest.raises(ModelNotFound, match="404"):
        load_encoder_weights(network, f"{server.url}/nothing", "1" * 64, folder=tmp_path)
    with pytest.raises(Exception, match="not a SHA-256"):
        offer(network, data, sha256="")


def test_a_file_is_loaded_from_the_network_once(offer, trained, server):
    data = safetensors(state_of(trained))
    for _ in range(2):
        offer(build("resnet18", RGB), data)
    assert len(server.requests) == 1


def test_a_pickle_that_wants_to_run_code_is_refused(offer, tmp_path):
    import torch

    marker = tmp_path / "ran"

    class Shell:
        def __reduce__(self):
            import os

            return os.system, (f"touch {marker}",)

    file = io.BytesIO()
    torch.save({"conv1.weight": Shell()}, file)
    with pytest.raises(UntrustedModel, match="wants to run code"):
        offer(build("resnet18", RGB), file.getvalue())
    assert not marker.exists()


def test_a_text_is_no_file_of_weights(offer):
    with pytest.raises(UntrustedModel) as caught:
        offer(build("resnet18", RGB), b"<html>404 but with status 200</html>")
    assert_one_sentence(caught.value)


@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("timm:resnet18", "resnet18"),
        ("timm:resnet18", "smp:unet:resnet18"),
        ("timm:resnet18", "smp:unet:tu-resnet18"),
        ("timm:convnext_atto", "smp:fpn:tu-convnext_atto"),
        ("timm:mobilenetv4_conv_small", "timm:mobilenetv4_conv_small"),
    ],
)
@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_encoders_of_others_fit_by_name(offer, source, target, task):
    import torch

    torch.manual_seed(0)
    trained = build(source, {"inputs": 3, "outputs": 5})
    extra = {"task": task} if target.startswith("timm:") else {}
    network = build(target, {"inputs": 1, "outputs": 2, **extra})
    report = offer(network, safetensors(state_of(trained)))
    assert report.adapted
    assert report.loaded > 50
    encoder = getattr(network, "encoder", network)
    first = encoder.state_dict()[report.adapted]
    colours = next(t for t in trained.state_dict().values() if t.ndim == 4)
    torch.testing.assert_close(first, colours.sum(1, keepdim=True))
