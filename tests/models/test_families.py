"""Networks of smp and timm by name: all can be built, none brings weights or reads paths."""

from __future__ import annotations

import itertools
import re
import sys
import types

import pytest

from napari_sem_tools.errors import MissingExtra, SemError, UntrustedModel
from napari_sem_tools.models import families
from napari_sem_tools.models.architectures import build

from .test_card import assert_one_sentence

pytestmark = pytest.mark.torch
ignore_old_names = pytest.mark.filterwarnings("ignore:`timm-` encoders are deprecated")


RIGID = ("vgg", "densenet", "inception", "xception")  # they cannot be dilated

DILATING = ("deeplabv3", "deeplabv3plus", "pan")  # architectures that dilate the encoder


def on_meta(name: str, **arguments: object):
    """Build without memory or time; nothing can be computed with it."""
    import torch

    with torch.device("meta"):
        return build(name, arguments)


@pytest.mark.usefixtures("networks_extra")
def test_every_architecture_of_smp_can_be_built():
    names = families.smp_names()
    assert len(names) == len(set(names)) > 500
    for architecture in {name.split(":")[1] for name in names}:
        assert on_meta(f"smp:{architecture}:resnet18").multiple in (8, 16, 32)
    assert on_meta("smp:dpt:tu-vit_tiny_patch16_224").multiple == 16


@pytest.mark.slow
@pytest.mark.usefixtures("networks_extra")
@ignore_old_names
def test_every_encoder_of_smp_gives_maps_of_the_image():
    import torch

    for encoder in {name.split(":")[2] for name in families.smp_names()}:
        if not encoder.startswith("mit_"):  # they compute while they are built
            network = on_meta(f"smp:unet:{encoder}", inputs=1, outputs=2)
            image = torch.empty(2, 1, 128, 96, device="meta")
            assert network.eval()(image).shape == (2, 2, 128, 96)


def encoder_families() -> list[str]:
    """One encoder of every family of smp: of ResNets, of EfficientNets, ..."""
    first: dict[str, str] = {}
    for encoder in sorted({name.split(":")[2] for name in families.smp_names()}):
        first.setdefault(re.split(r"[-_]?\d", encoder)[0], encoder)
    return list(first.values())


@pytest.mark.slow
@pytest.mark.usefixtures("networks_extra")
@ignore_old_names
def test_every_architecture_of_smp_is_built_with_every_family_of_encoders():
    """The pairs of all members take minutes (`every_pair`); families differ, members hardly."""
    encoders = encoder_families()
    assert len(encoders) > 15
    architectures = {name.split(":")[1] for name in families.smp_names()}
    assert len(architectures) > 10
    for architecture, encoder in itertools.product(sorted(architectures), encoders):
        name = f"smp:{architecture}:{encoder}"
        try:
            network = build(name) if encoder.startswith("mit_") else on_meta(name)
        except UntrustedModel as error:
            assert_one_sentence(error)
            if not encoder.startswith("mit_"):  # several decoders want another depth
                assert architecture in DILATING, name
                assert encoder.startswith(RIGID), name
        else:
            assert network.multiple in (8, 16, 32)


@pytest.mark.slow
@pytest.mark.usefixtures("networks_extra")
@ignore_old_names
def test_every_pair_of_smp_is_built_or_refused_in_a_sentence():
    refused = set()
    for name in families.smp_names():
        if ":mit_" in name:
            continue
        try:
            on_meta(name)
        except UntrustedModel as error:
            assert_one_sentence(error)
            refused.add(tuple(name.split(":")[1:]))
    # these three dilate the encoder, and these encoders cannot be dilated
    assert {architecture for architecture, _ in refused} <= set(DILATING)
    assert all(encoder.startswith(RIGID) for _, encoder in refused)


@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize(
    "name",
    ["smp:unet:resnet18", "smp:Unet:mit_b0", "smp:fpn:tu-resnet10t", "smp:segformer:mobilenet_v2"],
)
def test_a_network_of_smp_gives_maps_of_the_image(name):
    import torch

    network = build(name, {"inputs": 1, "outputs": 3}).eval()
    assert network.multiple == 32
    with torch.inference_mode():
        answer = network(torch.rand(1, 1, 64, 96))
        assert answer.shape == (1, 3, 64, 96)
        if not name.lower().startswith("smp:unet"):
            with pytest.raises(RuntimeError, match="32"):
                network(torch.rand(1, 1, 65, 96))


@pytest.mark.usefixtures("networks_extra")
def test_packages_of_others_name_class_and_encoder_apart():
    apart = on_meta(
        "smp:Unet", encoder_name="resnet34", encoder_weights=None, in_channels=1, classes=2
    )
    ours = on_meta("smp:unet:resnet34", inputs=1, outputs=2)
    shapes = [{k: v.shape for k, v in n.state_dict().items()} for n in (apart, ours)]
    assert shapes[0] == shapes[1]
    assert on_meta("timm:create_model", model_name="resnet18", num_classes=3).num_classes == 3


@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize(
    ("backbone", "embedding"),
    [("resnet10t", 512), ("mobilenetv4_conv_small", 1280), ("convnext_atto", 320)],
)
def test_a_backbone_of_timm_gets_a_head_by_task(backbone, embedding):
    import torch

    image = torch.rand(2, 1, 65, 97)
    shapes = {
        "classification": (2, 5),
        "embedding": (2, embedding),
        "focus": (2, 1),
        "segmentation": (2, 5, 65, 97),
    }
    for task, shape in shapes.items():
        outputs = {} if task in ("embedding", "focus") else {"outputs": 5}
        network = build(f"timm:{backbone}", {"task": task, "inputs": 1, **outputs}).eval()
        with torch.inference_mode():
            assert network(image).shape == shape


@pytest.mark.usefixtures("networks_extra")
def test_the_backbones_of_the_documents_can_be_built():
    names = families.timm_names()
    assert len(names) == len(set(names)) > 1000
    wanted = (
        *("inception_v3", "inception_v4", "inception_resnet_v2", "legacy_xception"),
        *("densenet121", "densenet201", "resnet18", "resnet50", "convnext_tiny"),
        *("mobilenetv4_conv_small", "repvit_m0_9", "convnextv2_atto"),
        *("vit_small_patch14_dinov2", "vit_small_patch16_dinov3"),
        "convnext_tiny.dinov3_lvd1689m",
    )
    for name, task in itertools.product(wanted, ("classification", "segmentation")):
        assert sum(t.numel() for t in on_meta(f"timm:{name}", task=task).parameters()) > 10**6


@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("smp:unett:resnet34", "unet"),
        ("smp:unet:resnet35", "resnet34"),
        ("smp:from_pretrained:resnet34", ""),
        ("smp:unet:tu-resnett18", "resnet18"),
        ("smp:unet:tu-hf-hub:someone/model", ""),
        ("timm:resnett18", "resnet18"),
        ("timm:hf-hub:someone/model", ""),
        ("timm:local-dir:/etc", ""),
        ("timm:../../etc/passwd", ""),
        ("timm:create_model", ""),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(UntrustedModel, match="knows no network") as caught:
        build(name)
    assert_one_sentence(caught.value)
    assert nearest in caught.value.hint


@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("smp:unet:resnet18", {"encoder_weights": "imagenet"}),
        ("smp:unet:tu-resnet18", {"pretrained": True}),
        ("smp:unet:tu-resnet18", {"checkpoint_path": "weights.pth"}),
        ("smp:unet:resnet18", {"kwargs": {"checkpoint_path": "weights.pth"}}),
        ("timm:resnet18", {"pretrained": True}),
        ("timm:resnet18", {"checkpoint_path": "weights.pth"}),
        ("timm:resnet18", {"pretrained_cfg": {"url": "https://example.org/a.pth"}}),
        ("timm:resnet18", {"pretrained_cfg_overlay": {"file": "a.pth"}}),
        ("timm:resnet18", {"scriptable": True}),
        ("timm:resnet18", {"cache_dir": "/tmp"}),
    ],
    ids=str,
)
def test_a_card_cannot_make_a_library_load_weights(name, arguments):
    with pytest.raises(UntrustedModel, match="takes no argument") as caught:
        build(name, arguments)
    assert_one_sentence(caught.value)


@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("smp:unet:resnet18", {"decoder_channels": [256]}),
        ("smp:unet:resnet18", {"encoder_depth": 9}),
        ("timm:resnet18", {"task": "segmenting"}),
        ("timm:resnet18", {"num_classes": -3}),
        ("timm:resnet18", {"act_layer": "no such layer"}),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_are_refused_in_a_sentence(name, arguments):
    with pytest.raises(UntrustedModel) as caught:
        build(name, arguments)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("absent", ["segmentation_models_pytorch", "timm", "torchvision"])
@pytest.mark.parametrize("name", ["smp:unet:resnet18", "timm:resnet18"])
def test_the_extra_is_named_where_a_library_is_absent(name, absent, monkeypatch):
    def missing(module):
        raise ModuleNotFoundError(f"No module named {absent!r}", name=absent)

    monkeypatch.setattr(families, "importlib", types.SimpleNamespace(import_module=missing))
    with pytest.raises(MissingExtra, match=f"{absent}, which is not installed") as caught:
        build(name)
    assert caught.value.extra == "networks"
    assert "napari-sem-tools[networks]" in caught.value.hint


def test_a_torchvision_of_another_torch_is_explained(monkeypatch):
    def broken(module):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(families, "importlib", types.SimpleNamespace(import_module=broken))
    with pytest.raises(SemError, match="built for another torch") as caught:
        build("timm:resnet18")
    assert "together" in caught.value.hint


@pytest.mark.usefixtures("networks_extra")
def test_our_resnet_is_the_one_of_everybody():
    import torch

    theirs = build("timm:resnet18", {"inputs": 1, "outputs": 7}).eval()
    ours = build("resnet18", {"inputs": 1, "outputs": 7}).eval()
    with torch.no_grad():
        for tensor in theirs.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    image = torch.rand(2, 1, 75, 101)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), theirs(image))
    assert "timm" in sys.modules
