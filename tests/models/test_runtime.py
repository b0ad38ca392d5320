"""A model is loaded once for all who use it, and goes when nobody does."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_sem_tools.errors import SemError, UntrustedModel
from napari_sem_tools.models import architectures, runtime
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel
from napari_sem_tools.models.store import Store

pytestmark = pytest.mark.torch

OUTPUTS = tuple(
    OutputChannel(name, activation="sigmoid") for name in ("foreground", "border", "distance")
)


def add_model(store: Store, name: str, *, widths=(4, 8), seed=0, arguments=None) -> ModelCard:
    """Put a small untrained network into a store."""
    import torch
    from safetensors.torch import save

    from napari_sem_tools.models.networks.folded_unet import FoldedUNet
    from napari_sem_tools.models.weights import describe

    torch.manual_seed(seed)
    raw = save(FoldedUNet(widths).state_dict())
    card = ModelCard(
        name=name,
        version="1.0.0",
        task="segmentation",
        architecture="folded-unet",
        arguments={"widths": list(widths)} if arguments is None else arguments,
        weights=describe(raw, file="weights.safetensors"),
        licence="BSD-3-Clause",
        created="2026-11-21",
        input=InputSpec(clip_low_percent=1, clip_high_percent=99, halo_px=32, multiple_of=4),
        outputs=OUTPUTS,
    )
    return store.add(card, lambda file: file.write(raw)).card


@pytest.fixture
def two_models(store):
    runtime.unload()
    add_model(store, "one", seed=1)
    add_model(store, "two", seed=2)
    yield store
    runtime.unload()


def test_twenty_threads_load_a_model_once(two_models, monkeypatch):
    loads = []
    real = runtime._load

    def counted(store, card, device, half):
        loads.append(card.key)
        return real(store, card, device, half)

    monkeypatch.setattr(runtime, "_load", counted)
    models = []

    def use():
        with runtime.lease(two_models, "one", device="cpu") as model:
            models.append(model)

    threads = [threading.Thread(target=use) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["one@1.0.0"]
    assert len({id(model) for model in models}) == 1


def test_a_leased_model_is_never_dropped(two_models, monkeypatch):
    monkeypatch.setattr(runtime, "_BUDGET_BYTES", 1)
    with runtime.lease(two_models, "one", device="cpu"):
        with runtime.lease(two_models, "two", device="cpu"):
            assert {m.key for m in runtime.in_memory()} == {"one@1.0.0", "two@1.0.0"}
            assert runtime.unload() == 0
        with runtime.lease(two_models, "one", device="cpu"):
            assert {m.key for m in runtime.in_memory()} == {"one@1.0.0"}
    assert runtime.unload() > 0
    assert runtime.in_memory() == ()


@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (64, 64), (131, 97)])
def test_the_maps_have_the_shape_of_the_image(two_models, shape):
    image = np.random.default_rng(0).random(shape, np.float32)
    with runtime.lease(two_models, "one", device="cpu") as model:
        maps = model.predict(image)
    assert maps.shape == (3, *shape)
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_a_device_that_is_not_there_is_refused_by_name():
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(SemError, match="cuda is not available"):
        runtime.choose_device("cuda")
    device, reason = runtime.choose_device("auto")
    assert device in ("cpu", "mps")
    assert reason


def test_a_failed_load_is_told_and_not_remembered(store):
    add_model(store, "wrong", arguments={"widths": [4, 4]})
    for _ in range(2):
        with (
            pytest.raises(UntrustedModel),
            runtime.lease(store, "wrong", device="cpu"),
        ):
            pass
    assert runtime.in_memory() == ()


def test_an_unknown_network_is_named():
    with pytest.raises(UntrustedModel, match="no network called 'folded-unit'"):
        architectures.build("folded-unit", {})
    with pytest.raises(UntrustedModel, match="do not fit"):
        architectures.build("folded-unet", {"depth": 3})


def test_torch_that_does_not_load_beside_qt_is_explained(monkeypatch):
    import builtins

    real = builtins.__import__

    def broken(name, *more, **named):
        if name == "torch":
            raise OSError('[WinError 1114] Error loading "c10.dll" or one of its dependencies')
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(SemError, match="older C\\+\\+ runtime") as caught:
        runtime.torch()
    assert "sem-tools gui" in caught.value.hint
