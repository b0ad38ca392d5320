"""Every network of the table can be built by its name, and is the one of its paper."""

from __future__ import annotations

import dataclasses
import importlib
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from napari_sem_tools.errors import MissingExtra, UntrustedModel
from napari_sem_tools.models.architectures import ARCHITECTURES, FAMILIES, _by_name, build
from napari_sem_tools.models.card import Task

from .test_card import assert_one_sentence

needs_torch = pytest.mark.torch
OTHERS = ("segmentation_models_pytorch", "timm", "torchvision")
IMAGE = (2, 1, 45, 83)  # odd on purpose
SHAPES = {
    # row: what goes in, what comes out
    "folded-unet": ((2, 1, 64, 96), (2, 3, 64, 96)),
    "unet-tem": ((1, 1, 21, 35), (1, 1, 21, 35)),
    "unet-keras-2017": ((1, 1, 21, 35), (1, 1, 21, 35)),
    "multires": (IMAGE, (2, 1, 45, 83)),
    "multires-bam": (IMAGE, (2, 1, 45, 83)),
    "resnet18": (IMAGE, (2, 512)),
    "resnet18-small": (IMAGE, (2, 256)),
    "simple-cnn": ((1, 1, 299, 299), (1, 128)),
    "classifier": (IMAGE, (2, 2 + 256)),
    "embedding-fcn": ((2, 1, 64, 96), (2, 128)),
    "resnet18-focus": (IMAGE, (2, 1)),
    "focus-fcn": ((2, 3, 48, 80), (2, 26, 3, 5)),
    "wgan-outlines": ((2, 128), (2, 1, 64, 64)),
    "wgan-critic": ((2, 1, 64, 64), (2, 1)),
    "cyclegan-bam-1.0": (IMAGE, IMAGE),
    "cyclegan-bam-1.1": (IMAGE, IMAGE),
    "cyclegan-bam-1.2": ((1, 1, 45, 83), (1, 1, 45, 83)),
    "patch-discriminator": ((1, 1, 128, 128), (1, 1, 14, 14)),
}
SMALL: dict[str, dict] = {
    # the same networks with fewer channels, where what is tested is how they are wired
    "folded-unet": {"widths": [4, 8, 8]},
    "unet-tem": {"widths": [2, 3, 4, 5, 6]},
    "unet-keras-2017": {"widths": [8, 8, 8, 8, 8]},
    "multires": {"filters": 4},
    "multires-bam": {"filters": 4, "decoder_filters": [32, 16, 8, 4]},
    "resnet18": {"widths": [4, 8, 8, 16]},
    "resnet18-small": {"widths": [4, 8, 8, 16]},
    "classifier": {"arguments": {"widths": [4, 8, 8, 256]}},
    "resnet18-focus": {"widths": [4, 8, 8, 16]},
    "focus-fcn": {"widths": [4, 4, 8, 8], "hidden": 8},
    "cyclegan-bam-1.0": {"filters": 4, "blocks": 1},
    "cyclegan-bam-1.1": {"filters": 4, "blocks": 1},
    "cyclegan-bam-1.2": {"filters": 4, "blocks": 1, "skip": True},
}


def test_every_row_is_tested_and_says_what_it_is():
    assert set(SHAPES) == set(ARCHITECTURES)
    for name, row in ARCHITECTURES.items():
        assert row.name == name
        assert row.help and row.source and row.parameters > 0
        assert set(row.tasks) <= set(Task.__args__)
    for prefix, family in FAMILIES.items():
        assert family.pattern.startswith(f"{prefix}:")
        assert set(family.tasks) <= set(Task.__args__)
        for dotted in (family.builder, family.names):
            module, _, attribute = dotted.partition(":")
            assert callable(getattr(importlib.import_module(module), attribute))


def test_the_page_of_networks_is_that_of_the_table():
    tool = Path(__file__).resolve().parents[2] / "tools" / "make_networks_page.py"
    written = runpy.run_path(str(tool))
    assert written["PAGE"].read_text(encoding="utf-8") == written["page"](), f"run {tool.name}"
    assert all(f"`{name}`" in written["page"]() for name in ARCHITECTURES)


def test_the_same_name_twice_is_an_error():
    row = ARCHITECTURES["multires"]
    with pytest.raises(ValueError, match="two networks are called multires"):
        _by_name([row, dataclasses.replace(row, help="another")])


def test_listing_networks_imports_nothing_heavy():
    code = (
        "import sys, json; from napari_sem_tools.models.architectures import ARCHITECTURES;"
        "assert len(ARCHITECTURES) > 9; print(json.dumps(sorted(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert not {"torch", "numpy", *OTHERS} & set(json.loads(out.stdout))


def run(name: str, arguments: dict, device: str):
    """Build a network and run it once, on the device "meta" without computing."""
    import torch

    torch.manual_seed(0)
    with torch.device(device), torch.inference_mode():
        network = build(name, arguments).eval()
        return network, network(torch.randn(SHAPES[name][0]))


@needs_torch
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_network_has_the_numbers_and_the_output_of_its_paper(name):
    from napari_sem_tools.models.networks.counting import count_parameters

    network, answer = run(name, {}, "meta")
    assert count_parameters(network).total == ARCHITECTURES[name].parameters
    assert answer.shape == SHAPES[name][1]


@needs_torch
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_an_untrained_network_answers_with_finite_numbers(name):
    _, answer = run(name, SMALL.get(name, {}), "cpu")
    assert answer.isfinite().all()
    assert answer.numel() < 3 or answer.std() > 0


@needs_torch
@pytest.mark.parametrize(
    ("name", "arguments", "trainable", "statistics"),
    [
        ("multires", {"inputs": 3}, 7_238_228, 24_522),
        ("multires", {}, 7_237_982, 24_522),
        ("multires", {"filters": 16}, 1_801_561, 12_194),
        ("multires-bam", {}, 2_414_297, 15_194),
        ("resnet18", {"inputs": 3, "outputs": 1000}, 11_689_512, 9_600),
        ("resnet18-focus", {}, 11_698_118, 9_600),
        ("wgan-outlines", {}, 2_499_522, 33_154),
        ("cyclegan-bam-1.2", {"skip": True}, 45_592_514, 0),
        ("patch-discriminator", {"last": 0, "bias": False}, 661_313, 0),
        (
            "patch-discriminator",
            {"widths": [128, 256, 512], "last": 0, "bias": False},
            2_633_345,
            0,
        ),
    ],
)
def test_the_published_numbers_of_parameters(name, arguments, trainable, statistics):
    import torch

    from napari_sem_tools.models.networks.counting import ParameterCount, count_parameters

    with torch.device("meta"):
        network = build(name, arguments)
    assert count_parameters(network) == ParameterCount(trainable, statistics)


@needs_torch
def test_ordinary_normalisation_would_add_6547_scales_to_multires():
    from napari_sem_tools.models.networks.multires import MultiResUNet

    network = MultiResUNet()
    assert sum(p.numel() for p in network.parameters()) - 7_237_982 == 6_547
    frozen = [p for p in network.parameters() if not p.requires_grad]
    assert sum(p.numel() for p in frozen) == 6_547
    assert all((p == 1).all() for p in frozen)


@needs_torch
def test_the_blocks_of_multires_have_the_sizes_of_the_table():
    from napari_sem_tools.models.networks.counting import count_parameters
    from napari_sem_tools.models.networks.multires import MultiResUNet

    network = MultiResUNet()
    assert [block.channels for block in network.encoder] == [51, 105, 212, 426, 853]

    def totals(parts):
        return [count_parameters(part).total for part in parts]

    assert totals(network.encoder) == [6_039, 36_678, 148_402, 594_696, 2_374_112]
    assert totals(network.skips) == [48_320, 151_040, 437_760, 1_093_120]
    assert totals(network.up) == [873_728, 218_240, 54_336, 13_472]
    assert totals(network.decoder) == [914_196, 227_979, 56_544, 13_788]
    assert count_parameters(network.head).total == 54


@needs_torch
@pytest.mark.parametrize("name", ["unet-tem", "unet-keras-2017", "multires", "cyclegan-bam-1.0"])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (17, 16), (31, 33)])
def test_an_image_of_any_size_gives_maps_of_its_size(name, size):
    import torch

    if name.startswith("cyclegan") and min(size) < 8:
        pytest.skip("the generator mirrors at low resolution; from 8 x 8 on")
    network = build(name, SMALL[name]).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 1, *size)).shape == (1, 1, *size)


@needs_torch
@pytest.mark.parametrize("name", ["unet-tem", "unet-keras-2017", "multires"])
def test_padding_mirrors_and_leaves_whole_multiples_alone(name):
    import torch
    import torch.nn.functional as F  # noqa: N812  the name that all of torch writes

    torch.manual_seed(0)
    network = build(name, SMALL[name]).eval()
    image = torch.rand(1, 1, 45, 60)
    mirrored = F.pad(image, (0, 4, 0, 3), mode="reflect")
    with torch.inference_mode():
        assert torch.equal(network(image), network(mirrored)[..., :45, :60])


def shaken(network):
    """Give a network statistics as training would, so that every normalisation matters."""
    import torch

    torch.manual_seed(3)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point() and "conv.weight" not in name:
                frozen = name.endswith("norm.weight")
                tensor.add_(0 if frozen else torch.rand_like(tensor))
    return network.eval()


@needs_torch
def test_a_block_of_multires_is_the_formula_of_the_document():
    import torch
    import torch.nn.functional as F  # noqa: N812  the name that all of torch writes

    def bn(x, norm, scale=None):
        mean, var = norm.running_mean[:, None, None], norm.running_var[:, None, None]
        scale = 1.0 if scale is None else scale[:, None, None]
        return (x - mean) / (var + 1e-3).sqrt() * scale + norm.bias[:, None, None]

    def cb(part, x):
        kernel = part.conv.weight.shape[-1]
        return bn(F.conv2d(x, part.conv.weight, padding=kernel // 2), part.norm)

    network = shaken(build("multires", {"filters": 8}))
    block, path = network.encoder[0], network.skips[3][0]
    x, z = torch.rand(1, 1, 9, 11), torch.rand(1, network.encoder[3].channels, 5, 4)
    with torch.inference_mode():
        x1 = F.relu(cb(block.chain[0], x))
        x2 = F.relu(cb(block.chain[1], x1))
        x3 = F.relu(cb(block.chain[2], x2))
        y = bn(torch.cat([x1, x2, x3], 1), block.joined, block.joined.weight)
        wanted = bn(F.relu(y + cb(block.shortcut, x)), block.last, block.last.weight)
        torch.testing.assert_close(block(x), wanted)
        wanted = bn(
            F.relu(F.relu(cb(path.conv, z)) + cb(path.shortcut, z)), path.last, path.last.weight
        )
        torch.testing.assert_close(path(z), wanted)
    assert [len(path) for path in network.skips] == [4, 3, 2, 1]


@needs_torch
@pytest.mark.parametrize("name", ["multires", "wgan-outlines"])
def test_normalisations_are_those_of_keras(name):
    import torch

    kinds = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    network = build(name, SMALL.get(name, {}))
    norms = [module for module in network.modules() if isinstance(module, kinds)]
    assert norms
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


@needs_torch
def test_the_u_net_starts_as_he_et_al_say():
    import torch

    torch.manual_seed(0)
    network = build("unet-tem", {"widths": [32, 64, 128]})
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d) and module.weight.numel() > 1000:
            fan_in = module.weight[0].numel()
            assert module.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
            assert not module.bias.any()


@needs_torch
def test_several_maps_of_multires_get_a_bias_for_softmax():
    network = build("multires", {"filters": 4, "outputs": 3})
    assert network.head.bias.shape == (3,)


@needs_torch
def test_the_two_u_nets_differ_as_described():
    import torch

    plain = build("unet-tem", {"widths": [2, 4]})
    keras = build("unet-keras-2017", {"widths": [2, 4]})
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    with torch.device("meta"):
        full = build("unet-tem", {}), build("unet-keras-2017", {})
    counts = [sum(isinstance(m, kinds) for m in network.modules()) for network in full]
    assert counts == [23, 24]
    image = torch.rand(1, 1, 32, 32)
    plain.train(), keras.train()
    assert torch.equal(plain(image), plain(image))
    assert not torch.equal(keras(image), keras(image)), "dropout while training"
    keras.eval()
    assert torch.equal(keras(image), keras(image))


@needs_torch
def test_the_2_x_2_convolution_of_keras_looks_right_and_below():
    import torch

    step = build("unet-keras-2017", {"widths": [1, 1]}).up[0]
    with torch.no_grad():
        step[2].weight.fill_(1.0)
        features = torch.zeros(1, 1, 3, 3)
        features[0, 0, 1, 1] = 1.0  # repeated to rows and columns 2 and 3
        seen = step(features)[0, 0] > 0
    assert seen.nonzero().min().item() == 1
    assert seen.nonzero().max().item() == 3


@needs_torch
def test_the_focus_score_depends_on_the_magnification():
    import torch

    torch.manual_seed(0)
    network = build("resnet18-focus", {"widths": [4, 8, 8, 16]}).eval()
    image = torch.rand(2, 1, 120, 160)
    with torch.inference_mode():
        low, high = (network(image, torch.full((2, 1), m / 10_000)) for m in (500, 10_000))
        unknown = network(image)
        zero = network(image, torch.zeros(2, 1))
    assert not torch.equal(low, high)
    assert torch.equal(unknown, zero)


@needs_torch
def test_a_70_px_patch_is_what_a_number_of_the_discriminator_sees():
    import torch

    seen = {}
    for arguments in ({}, {"last": 0, "bias": False}):
        network = build("patch-discriminator", arguments)
        for module in network.modules():
            if isinstance(module, torch.nn.InstanceNorm2d):
                module.forward = lambda x: x  # it sees the whole image, which is not meant
        image = torch.rand(1, 1, 160, 160, requires_grad=True)
        answer = network(image)
        answer[0, 0, answer.shape[2] // 2, answer.shape[3] // 2].backward()
        rows = image.grad[0, 0].abs().sum(1).nonzero()
        seen[bool(arguments)] = int(rows.max() - rows.min()) + 1
    assert seen == {False: 70, True: 46}


@needs_torch
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
@pytest.mark.parametrize("skip", [False, True])
def test_forms_of_the_translation_keep_the_size(upsampling, skip):
    import torch

    arguments = {"filters": 4, "blocks": 1, "upsampling": upsampling, "skip": skip}
    network = build("cyclegan-bam-1.0", arguments)
    assert network(torch.rand(1, 1, 50, 39)).shape == (1, 1, 50, 39)


@needs_torch
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_all_weights_of_a_network_are_trained(name):
    """A part that is built and forgotten in `forward` would keep its first weights."""
    import torch

    torch.manual_seed(0)
    network = build(name, SMALL.get(name, {}))
    shape = SHAPES[name][0]
    inputs = [torch.randn(max(shape[0], 2), *shape[1:])]
    if name == "resnet18-focus":
        inputs.append(torch.rand(2, 1))
    network(*inputs).square().mean().backward()
    without = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


@needs_torch
def test_arguments_come_as_a_table_or_one_by_one():
    """bioimage.io calls `build(architecture=..., **arguments)`."""
    assert build("folded-unet", {"widths": [4, 8]}).widths == (4, 8)
    assert build(architecture="folded-unet", widths=[4, 8]).widths == (4, 8)
    assert build("multires-bam", {"decoder_filters": [8, 8, 8, 8]}).decoder[0].channels < 20


@pytest.mark.parametrize("name", ["multires_bam", "unet", "smp", "smp:", "pickle:loads", ""])
def test_an_unknown_name_is_refused_with_the_nearest(name):
    with pytest.raises(UntrustedModel, match="knows no network") as caught:
        build(name, {})
    assert_one_sentence(caught.value)
    assert "smp:<architecture>:<encoder>" in caught.value.hint
    if name == "multires_bam":
        assert "multires-bam" in caught.value.hint


@needs_torch
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    "arguments",
    [
        {"depth": 5},
        {"widths": "wide"},
        {"widths": []},
        {"widths": [4, -1]},
        {"widths": [4, 8], "inputs": 0},
        {"widths": [30_000] * 5},
        {"widths": [4, 10**12]},
        {"widths": [1] * 1_000},
        {"outputs": float("inf")},
        {"outputs": float("nan")},
    ],
    ids=str,
)
def test_hostile_arguments_are_refused_before_memory_is_taken(arguments):
    with pytest.raises(UntrustedModel) as caught:
        build("unet-tem", arguments)
    assert_one_sentence(caught.value)


@needs_torch
def test_a_network_of_absurd_size_is_counted_not_built(monkeypatch):
    from napari_sem_tools.models.networks import unet

    built = []
    real = unet.UNet.__init__

    def counted(self, *args, **named):
        real(self, *args, **named)
        built.append(self.head.weight.device.type)

    monkeypatch.setattr(unet.UNet, "__init__", counted)
    with pytest.raises(UntrustedModel, match="at most 2000000000 are built"):
        build("unet-tem", {"widths": [30_000, 30_000]})
    assert built == ["meta"]


@needs_torch
def test_our_networks_run_without_smp_timm_and_torchvision():
    code = f"""
import sys
for name in {OTHERS!r}:
    sys.modules[name] = None
import torch
from napari_sem_tools.errors import MissingExtra
from napari_sem_tools.models.architectures import ARCHITECTURES, build
shapes, small = {SHAPES!r}, {SMALL!r}
for name in ARCHITECTURES:
    with torch.inference_mode():
        answer = build(name, small.get(name)).eval()(torch.randn(shapes[name][0]))
    assert len(answer) == shapes[name][1][0], name
for name in ("smp:unet:resnet34", "timm:resnet18"):
    try:
        build(name, {{}})
    except MissingExtra as error:
        assert error.extra == "networks" and "[networks]" in error.hint, error.hint
    else:
        raise SystemExit(name)
print("all run")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "all run", done.stderr


def test_without_torch_the_extra_is_named(monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [n for n in sys.modules if n.startswith("napari_sem_tools.models.networks.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match="multires needs torch") as caught:
        build("multires", {})
    assert caught.value.extra == "torch"
