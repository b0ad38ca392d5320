"""Folded normalisation: the maps stay, only the time changes."""

from pathlib import Path

import pytest

import napari_sem_tools

pytestmark = pytest.mark.torch
torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed; it comes with the extra torch"
)

from napari_sem_tools.models.folding import fold_normalisation  # noqa: E402
from napari_sem_tools.models.locations import Place  # noqa: E402
from napari_sem_tools.models.networks.folded_unet import FoldedUNet  # noqa: E402
from napari_sem_tools.models.runtime import lease  # noqa: E402
from napari_sem_tools.models.store import Store  # noqa: E402


def trained(network):
    """Give normalisations statistics of their own, as after a training."""
    torch.manual_seed(0)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 1, 64, 64))
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.uniform_(-0.2, 0.2)
    return network.eval()


def test_maps_are_the_same_and_no_normalisation_is_left():
    network = trained(FoldedUNet((8, 12, 16)))
    image = torch.rand(1, 1, 96, 64)
    with torch.inference_mode():
        before = network(image)
        after = fold_normalisation(network)(image)
    assert torch.allclose(before, after, atol=1e-4)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in network.modules())


def test_layers_keep_their_names():
    network = trained(FoldedUNet((8, 12, 16)))
    names = [name for name, _ in network.named_modules()]
    assert [name for name, _ in fold_normalisation(network).named_modules()] == names


def test_what_does_not_follow_a_convolution_directly_stays():
    layers = torch.nn.Sequential(
        torch.nn.BatchNorm2d(1), torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.BatchNorm2d(2)
    ).eval()
    fold_normalisation(layers)
    kept = [isinstance(layer, torch.nn.BatchNorm2d) for layer in layers]
    assert kept == [True, False, False, True]
    learning = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).train()
    assert isinstance(fold_normalisation(learning)[1], torch.nn.BatchNorm2d)


def test_a_leased_model_is_folded():
    folder = Path(napari_sem_tools.__file__).parent / "weights"
    with lease(Store([Place(folder, "packaged")]), "particles", device="cpu") as network:
        kinds = {type(layer) for layer in network.network.modules()}
    assert torch.nn.Conv2d in kinds
    assert torch.nn.BatchNorm2d not in kinds
