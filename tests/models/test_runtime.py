"""A model is loaded once for all who use it, and goes when nobody does."""

from __future__ import annotations

import dataclasses
import gc
import threading
import warnings
import weakref

import numpy as np
import pytest

from napari_sem_tools.errors import (
    Cancelled,
    DeviceOutOfMemory,
    SemError,
    SemWarning,
    UntrustedModel,
)
from napari_sem_tools.models import architectures, devices, loaded, runtime
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel
from napari_sem_tools.models.devices import RuntimeSettings
from napari_sem_tools.models.store import Store

pytestmark = pytest.mark.torch

OUTPUTS = tuple(
    OutputChannel(name, activation="sigmoid") for name in ("foreground", "border", "distance")
)


def add_model(
    store: Store, name: str, *, widths=(4, 8), seed=0, arguments=None, outputs=OUTPUTS, net=None
) -> ModelCard:
    """Put a small network into a store, untrained without `net`."""
    import torch
    from safetensors.torch import save

    from napari_sem_tools.models.networks.folded_unet import FoldedUNet
    from napari_sem_tools.models.weights import describe

    torch.manual_seed(seed)
    raw = save((net or FoldedUNet(widths)).state_dict())
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
        outputs=outputs,
    )
    return store.add(card, lambda file: file.write(raw)).card


@pytest.fixture(autouse=True)
def nothing_in_memory():
    runtime.unload()
    yield
    runtime.unload()


@pytest.fixture
def two_models(store):
    add_model(store, "one", seed=1)
    add_model(store, "two", seed=2)
    return store


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


def loaded_bytes(store, name):
    """Size of a model in memory, which is empty afterwards."""
    with runtime.lease(store, name, device="cpu") as model:
        size = model.size_bytes
    runtime.unload()
    return size


def test_the_least_recently_used_model_goes_first(two_models):
    add_model(two_models, "three", seed=3)
    size = loaded_bytes(two_models, "one")
    room = {"device": "cpu", "budget_gib": 2.5 * size / 2**30}
    for name in ("one", "two", "one", "three"):
        with runtime.lease(two_models, name, **room):
            pass
    assert {m.key for m in runtime.in_memory()} == {"one@1.0.0", "three@1.0.0"}


def test_mixed_leases_of_twenty_threads_under_a_budget_of_two(store, monkeypatch):
    """No deadlock, no eviction of a leased model, and nothing is left at the end."""
    names = ["a", "b", "c"]
    for number, name in enumerate(names):
        add_model(store, name, seed=number)
    size = loaded_bytes(store, "a")
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

    monkeypatch.setattr(devices, "_failures", [])
    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(SemError, match="older C\\+\\+ runtime") as caught:
        runtime.torch()
    assert "sem-tools gui" in caught.value.hint
    monkeypatch.setattr(builtins, "__import__", real)
    with pytest.raises(SemError, match="older C\\+\\+ runtime"):
        runtime.torch()  # what a failed import leaves behind is not to be trusted


def test_weights_of_another_size_are_refused_before_memory_is_taken(store):
    add_model(store, "huge", arguments={"widths": [6_000, 6_000]})
    with pytest.raises(UntrustedModel, match="has shape"), runtime.lease(store, "huge"):
        pass


def test_a_card_that_promises_other_maps_is_refused(store):
    add_model(store, "two-maps", arguments={"widths": [4, 8], "outputs": 3}, outputs=OUTPUTS[:2])
    with (
        pytest.raises(UntrustedModel, match="does not give the 2 maps"),
        runtime.lease(store, "two-maps"),
    ):
        pass


@pytest.fixture
def image():
    return np.random.default_rng(3).random((500, 610), np.float32)


@pytest.fixture
def gpu(two_models, monkeypatch):
    """A model on a GPU that is in truth the CPU; `fails` says of which batches it is full."""
    real = loaded.LoadedModel.tiles

    def make(fails):
        def tiles(self, batch):
            made.append((self.device, batch.shape))
            if fails(self.device, batch.shape):
                raise torch_error()
            return real(dataclasses.replace(self, device="cpu"), batch)

        monkeypatch.setattr(loaded.LoadedModel, "tiles", tiles)
        monkeypatch.setattr(loaded, "free_bytes", lambda device: 1 << 30)
        return made

    def torch_error():
        import torch

        return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    made = []
    with runtime.lease(two_models, "one", device="cpu", tile=160, precision="fp32") as model:
        yield dataclasses.replace(model, device="cuda"), make
    assert all(m.leases == 0 for m in runtime.in_memory())


def run(model, image):
    """Predict; return maps, what was said, and the shares of the progress."""
    notes, shares = [], []
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        maps = model.predict(image, notes=notes, progress=lambda d, t, _: shares.append(d / t))
    assert [str(w.message) for w in seen] == notes
    assert all(w.category is SemWarning for w in seen)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    return maps, notes


def test_of_too_many_tiles_at_a_time_fewer_are_taken(gpu, image):
    model, make = gpu
    make(lambda device, shape: False)
    plain, notes = run(model, image)
    assert notes == []
    seen = make(lambda device, shape: shape[0] > 1)
    maps, notes = run(model, image)
    assert [n.split("uses ")[1] for n in notes] == [
        "3 instead of 7 tiles at a time.",
        "1 instead of 3 tiles at a time.",
    ]
    assert np.abs(maps - plain).max() < 1e-5
    assert seen[-1] == ("cuda", (1, 1, *seen[-1][1][2:]))


def test_of_too_large_tiles_smaller_ones_are_taken(two_models, gpu, image):
    model, make = gpu
    model = dataclasses.replace(model, settings=RuntimeSettings(tile=512))
    make(lambda device, shape: shape[-1] * shape[-2] > 200**2)
    maps, notes = run(model, image)
    assert "tiles of 256 instead of 512 px" in notes[-2]
    assert "tiles of 128 instead of 256 px" in notes[-1]
    plain = model.elsewhere
    with plain(device="cpu", tile=4096) as whole:
        make(lambda device, shape: False)
        untiled = whole.predict(image)
    assert np.abs(maps - untiled).max() < 1e-4  # the net sees 23 px, the halo is 32


def test_progress_does_not_go_back_when_memory_runs_out_in_the_middle(gpu, image):
    model, make = gpu
    seen = make(lambda device, shape: len(seen) > 3 and shape[-1] > 150)
    notes = run(model, image)[1]
    assert notes


def test_an_even_image_gives_even_maps_up_to_its_border(two_models):
    """The net sees its mirror there, not an edge to black."""
    with runtime.lease(two_models, "one", device="cpu", precision="fp32") as model:
        maps = model.predict(np.ones((77, 130), np.float32))
    assert np.ptp(maps[:, ::4, ::4], axis=(1, 2)).max() < 1e-5  # one place in each fold


def test_a_gpu_that_is_full_hands_over_to_the_cpu(gpu, image):
    model, make = gpu
    seen = make(lambda device, shape: device == "cuda")
    maps, notes = run(model, image)
    assert notes[-1].endswith("it now uses the CPU, which is slower.")
    assert seen[-1][0] == "cpu"
    make(lambda device, shape: False)
    assert np.abs(maps - model.predict(image)).max() < 1e-5


def test_when_nothing_helps_one_sentence_says_so_and_the_model_still_works(gpu, image):
    model, make = gpu
    make(lambda device, shape: True)
    with (
        pytest.warns(SemWarning, match="did not suffice"),
        pytest.raises(DeviceOutOfMemory, match="smallest tile of one@") as caught,
    ):
        model.predict(image)
    assert "Close other programs" in caught.value.hint
    make(lambda device, shape: False)
    assert run(model, image)[1] == []


def test_what_a_stack_taught_about_memory_holds_for_all_its_planes(gpu, image):
    model, make = gpu
    make(lambda device, shape: shape[0] > 3)
    stack = np.stack([image, image[::-1], image])
    maps, notes = run(model, stack)
    assert len(notes) == 1
    assert maps.shape == (3, 3, *image.shape)
    assert np.array_equal(maps[0], maps[2])


def test_a_gpu_too_small_for_the_weights_hands_over_to_the_cpu(two_models, monkeypatch):
    import torch

    real = runtime._load

    def full(store, card, key):
        if key.device == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(store, card, key)

    monkeypatch.setattr(runtime, "_load", full)
    monkeypatch.setattr(runtime, "choose_device", lambda wish: (wish, "for this test"))
    monkeypatch.setattr(runtime, "choose_precision", lambda device, wish: "fp32")
    lease = runtime.lease(two_models, "one", device="cuda")
    with pytest.warns(SemWarning, match="it now uses the CPU"), lease as model:
        assert model.device == "cpu"
    assert [m.leases for m in runtime.in_memory()] == [0]


def test_idle_models_make_room_for_one_that_does_not_fit(two_models, monkeypatch):
    with runtime.lease(two_models, "two", device="cpu"):
        pass
    real = runtime._load

    def tight(store, card, key):
        if runtime.in_memory():
            raise MemoryError
        return real(store, card, key)

    monkeypatch.setattr(runtime, "_load", tight)
    lease = runtime.lease(two_models, "one", device="cpu")
    with pytest.warns(SemWarning, match="to make room for one"), lease as model:
        notes = []
        model.predict(np.zeros((9, 9), np.float32), notes=notes)
        assert notes == ["Idle models were unloaded to make room for one@1.0.0."]
    with runtime.lease(two_models, "one", device="cpu") as model:
        assert model.notes == (), "told to who loaded it"
        assert [m.key for m in runtime.in_memory()] == ["one@1.0.0"]
        with pytest.raises(DeviceOutOfMemory), runtime.lease(two_models, "two", device="cpu"):
            pass
    assert [m.leases for m in runtime.in_memory()] == [0]


def test_cancel_answers_between_two_layers(two_models):
    asked = []

    def cancel():
        asked.append(None)
        return len(asked) > 5

    with runtime.lease(two_models, "one", device="cpu") as model:
        layers = sum(not list(layer.children()) for layer in model.network.modules())
        with pytest.raises(Cancelled):
            model.predict(np.zeros((64, 64), np.float32), cancel=cancel)
        assert len(asked) == 6 < layers
        maps = model.predict(np.zeros((64, 64), np.float32))
    assert np.isfinite(maps).all()
    assert [m.leases for m in runtime.in_memory()] == [0]


def test_an_error_of_the_caller_is_his_own_and_leaves_nothing(two_models, image):
    def broken(window):
        raise ValueError("not this window")

    with (
        pytest.raises(ValueError, match="not this window"),
        runtime.lease(two_models, "one", device="cpu") as model,
    ):
        model.predict(image, prepare=broken)
    assert [m.leases for m in runtime.in_memory()] == [0]
    assert not [t for t in threading.enumerate() if t.name.startswith("tiles")]


def test_flips_make_a_mirrored_image_give_mirrored_maps(two_models):
    image = np.random.default_rng(1).random((64, 64), np.float32)
    with runtime.lease(two_models, "one", device="cpu", precision="fp32") as model:
        maps = model.predict(image, flips=True)
        mirrored = model.predict(image[::-1], flips=True)[:, ::-1]
        once = model.predict(image) - model.predict(image[::-1])[:, ::-1]
    assert np.abs(maps - mirrored).max() < 1e-5 < np.abs(once).max()


def test_a_stack_is_its_planes(two_models, tmp_path):
    stack = np.random.default_rng(1).random((3, 90, 70), np.float32)
    with runtime.lease(two_models, "one", device="cpu") as model:
        maps = model.predict(stack)
        kept = np.lib.format.open_memmap(tmp_path / "m.npy", "w+", np.float16, maps.shape)
        model.predict(stack, out=kept)
        assert np.array_equal(maps[1], model.predict(stack[1]))
    assert np.abs(maps - kept).max() < 1e-3


@pytest.mark.slow
def test_half_precision_finds_the_same_particles(store):
    """Labels of a net trained for a few seconds: AP@0.5 between fp32 and bf16 >= 0.99."""
    import torch
    from scipy.ndimage import label

    from napari_sem_tools import evaluate
    from napari_sem_tools.models.networks.folded_unet import FoldedUNet

    def discs(rng, edge):
        y, x = np.ogrid[:edge, :edge]
        places = rng.uniform(0, edge, (edge * edge // 1200, 2))
        truth = np.zeros((edge, edge), bool)
        for cy, cx in places:
            truth |= (y - cy) ** 2 + (x - cx) ** 2 < rng.uniform(4, 9) ** 2
        return truth, np.float32(truth + rng.normal(0, 0.3, truth.shape))

    torch.manual_seed(0)
    net, rng = FoldedUNet((8, 16), outputs=3), np.random.default_rng(0)
    steps = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(60):
        truth, grey = discs(rng, 128)
        logits = net(torch.from_numpy(grey)[None, None])[0, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(np.float32(truth))
        )
        steps.zero_grad()
        loss.backward()
        steps.step()
    add_model(store, "discs", widths=(8, 16), net=net)
    truth, grey = discs(rng, 512)
    found = {}
    for precision in ("fp32", "bf16"):
        with runtime.lease(store, "discs", device="cpu", precision=precision) as model:
            assert model.precision == precision
            found[precision] = label(model.predict(grey)[0] > 0.5)[0].astype(np.int32)
    assert evaluate(label(truth)[0].astype(np.int32), found["fp32"])["ap50"] > 0.7
    assert evaluate(found["fp32"], found["bf16"])["ap50"] >= 0.99


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compile_gives_the_same_maps_or_says_that_it_cannot(store):
    add_model(store, "one", widths=(4,))
    image = np.random.default_rng(1).random((96, 80), np.float32)
    wish = {"device": "cpu", "precision": "fp32"}
    with runtime.lease(store, "one", **wish) as model:
        plain = model.predict(image)
    with runtime.lease(store, "one", **wish, compile=True) as model:
        assert np.abs(model.predict(image) - plain).max() < 1e-4
    assert len(runtime.in_memory()) == 2


def test_without_a_compiler_the_model_runs_as_it_is(two_models, monkeypatch):
    import torch

    def broken(network, **wish):
        raise RuntimeError("Failed to find C compiler.")

    monkeypatch.setattr(torch, "compile", broken)
    lease = runtime.lease(two_models, "one", device="cpu", compile=True)
    with pytest.warns(SemWarning, match="runs without it"), lease as model:
        assert model.predict(np.zeros((9, 9), np.float32)).shape == (3, 9, 9)
