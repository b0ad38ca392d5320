"""A model is loaded once for all who use it, and goes when nobody does."""

from __future__ import annotations

import gc
import threading
import weakref

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

    def counted(store, card, key):
        loads.append(card.key)
        return real(store, card, key)

    monkeypatch.setattr(runtime, "_load", counted)
    networks = []

    def use():
        with runtime.lease(two_models, "one", device="cpu") as model:
            networks.append(model.network)

    threads = [threading.Thread(target=use) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["one@1.0.0"]
    assert len(networks) == 20
    assert len({id(network) for network in networks}) == 1


def test_a_leased_model_is_never_dropped(two_models):
    tight = {"device": "cpu", "budget_gib": 0}
    with runtime.lease(two_models, "one", **tight):
        with runtime.lease(two_models, "two", **tight):
            assert {m.key for m in runtime.in_memory()} == {"one@1.0.0", "two@1.0.0"}
            assert runtime.unload() == 0
        assert {m.key for m in runtime.in_memory()} == {"one@1.0.0"}
    assert runtime.in_memory() == ()


def test_the_least_recently_used_model_goes_first(two_models):
    add_model(two_models, "three", seed=3)
    size = two_models.find("one").card.weights.size_bytes
    room = {"device": "cpu", "budget_gib": 2.5 * size / 2**30}
    for name in ("one", "two", "one", "three"):
        with runtime.lease(two_models, name, **room):
            pass
    assert {m.key for m in runtime.in_memory()} == {"one@1.0.0", "three@1.0.0"}


def test_mixed_leases_of_twenty_threads_under_a_budget_of_two(store, monkeypatch):
    """No deadlock, no eviction of a leased model, and nothing is left at the end."""
    names = ["a", "b", "c", "d", "e"]
    for number, name in enumerate(names):
        add_model(store, name, seed=number)
    runtime.unload()
    size = store.find("a").card.weights.size_bytes
    networks, lost, most = weakref.WeakSet(), [], []
    real = runtime._load

    def noted(*args):
        model = real(*args)
        networks.add(model.network)
        return model

    monkeypatch.setattr(runtime, "_load", noted)
    image = np.zeros((16, 16), np.float32)

    def use(seed):
        rng = np.random.default_rng(seed)
        for turn in range(50):
            name = names[rng.integers(len(names))]
            room = 2.5 * size / 2**30
            with runtime.lease(store, name, device="cpu", budget_gib=room) as model:
                if turn % 10 == 0:
                    model.predict(image)
                held = runtime.in_memory()
                mine = [m for m in held if m.key == model.card.key]
                if not mine or mine[0].leases < 1:
                    lost.append(name)
                most.append(sum(m.leases == 0 for m in held))

    threads = [threading.Thread(target=use, args=(n,), daemon=True) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert lost == []
    assert len(most) == 1000
    assert len(runtime.in_memory()) <= 2  # nobody leases any more: the budget holds
    assert all(m.leases == 0 for m in runtime.in_memory())
    runtime.unload()
    gc.collect()
    assert list(networks) == []


def test_unloading_gives_the_memory_back(two_models):
    add_model(two_models, "wide", widths=(64, 128, 256))
    with runtime.lease(two_models, "wide", device="cpu") as model:
        network = weakref.ref(model.network)
        model.predict(np.zeros((64, 64), np.float32))
    assert runtime.unload("wide@1.0.0") > 0
    del model
    gc.collect()
    assert network() is None
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
