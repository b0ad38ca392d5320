"""On a GPU: the maps of the CPU, half precision, memory that runs out and that comes back.

Each test skips only where its device is absent: ``pytest -m gpu tests/models``.
"""

from __future__ import annotations

import gc

import numpy as np
import pytest

from napari_sem_tools.errors import SemWarning
from napari_sem_tools.models import remote, runtime
from napari_sem_tools.models.store import Store

from .test_runtime import add_model

pytestmark = [pytest.mark.torch, pytest.mark.gpu]

WIDTHS = (16, 32)


def absent(device: str) -> str:
    """Why a device cannot be tested here; empty where it can."""
    import torch

    if device == "cuda":
        return "" if torch.cuda.is_available() else "no CUDA device"
    return "" if torch.backends.mps.is_available() else "no Apple GPU"


@pytest.fixture(params=["cuda", "mps"])
def device(request):
    """Every kind of GPU, with nothing of ours in its memory."""
    lack = absent(request.param)
    if lack:
        pytest.skip(lack)
    runtime.unload()
    yield request.param
    runtime.unload()


@pytest.fixture
def cuda(device):
    """A CUDA device: what only its allocator tells."""
    if device != "cuda":
        pytest.skip("of CUDA alone")
    return device


@pytest.fixture
def gpu_store(store: Store) -> Store:
    add_model(store, "one", widths=WIDTHS, seed=1)
    return store


@pytest.fixture
def image():
    return np.random.default_rng(3).random((700, 910), np.float32)


@pytest.fixture
def plain(gpu_store, image):
    """The maps of the CPU in float32."""
    with runtime.lease(gpu_store, "one", device="cpu", precision="fp32") as model:
        return model.predict(image)


def allocated(device: str) -> int:
    """Bytes of tensors there."""
    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()
    return torch.mps.current_allocated_memory()


def test_the_gpu_is_chosen_and_gives_the_maps_of_the_cpu(device, gpu_store, image, plain):
    assert runtime.choose_device("auto")[0] == device
    with runtime.lease(gpu_store, "one", device=device, precision="fp32") as model:
        assert next(model.network.parameters()).device.type == device
        whole = model.predict(image)
    with runtime.lease(gpu_store, "one", device=device, precision="fp32", tile=160) as model:
        assert model.plan(image.shape).batch > 1, "several tiles at a time"
        tiled = model.predict(image)
    assert np.abs(whole - plain).max() < 1e-3  # TF32
    assert np.abs(tiled - plain).max() < 1e-3


def test_half_precision_computes_in_half_and_finds_the_same(device, gpu_store, image, plain):
    import torch

    for precision in ("bf16", "fp16"):
        seen: set[torch.dtype] = set()
        with runtime.lease(gpu_store, "one", device=device, precision=precision) as model:
            convolution = next(
                layer for layer in model.network.modules() if isinstance(layer, torch.nn.Conv2d)
            )
            hook = convolution.register_forward_hook(
                lambda _, given, made, seen=seen: seen.add(made.dtype)
            )
            maps = model.predict(image)
            hook.remove()
        wanted = torch.bfloat16 if precision == "bf16" else torch.float16
        assert seen == {wanted}, "autocast was at work"
        assert maps.dtype == np.float32
        assert np.abs(maps - plain).max() < 0.05


def test_auto_takes_half_precision_where_the_gpu_has_units_for_it(cuda, gpu_store):
    import torch

    with runtime.lease(gpu_store, "one", device=cuda) as model:
        halves = torch.cuda.get_device_capability() >= (7, 0)
        assert (model.precision in ("bf16", "fp16")) == halves


def test_the_memory_comes_back(device, gpu_store, image):
    with runtime.lease(gpu_store, "one", device=device) as model:
        model.predict(image)  # what the libraries take for themselves comes with the first run
    del model
    runtime.unload()
    before = allocated(device)
    with runtime.lease(gpu_store, "one", device=device) as model:
        model.predict(image)
        assert allocated(device) >= before + model.size_bytes
    del model
    assert allocated(device) > before, "it stays loaded"
    assert runtime.unload() > 0
    assert allocated(device) == before


def test_memory_that_really_runs_out_ends_in_less_at_a_time_and_a_result(
    cuda, gpu_store, image, plain
):
    """The allocator is given so little that the planned tiles cannot be computed."""
    import torch

    notes: list[str] = []
    total = torch.cuda.get_device_properties(0).total_memory
    with runtime.lease(gpu_store, "one", device=cuda, precision="fp32", tile=512) as model:
        model.predict(image[:64, :64])
        torch.cuda.empty_cache()
        room = torch.cuda.memory_reserved() + 24 * 2**20
        torch.cuda.set_per_process_memory_fraction(room / total)
        try:
            with pytest.warns(SemWarning, match="did not suffice"):
                maps = model.predict(np.tile(image, (3, 3)), notes=notes)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        assert notes
        assert np.isfinite(maps).all()
        assert np.abs(model.predict(image) - plain).max() < 1e-3, "the model still works"
    print(*notes, sep="\n")


def test_a_gpu_without_room_for_the_weights_hands_over_to_the_cpu(cuda, gpu_store, image, plain):
    import torch

    assert runtime.choose_device("auto")[0] == cuda  # asked while there is room
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.0)
    try:
        with (
            pytest.warns(SemWarning, match="it now uses the CPU"),
            runtime.lease(gpu_store, "one", device=cuda, precision="fp32") as model,
        ):
            assert model.device == "cpu"
            notes: list[str] = []
            assert np.abs(model.predict(image, notes=notes) - plain).max() < 1e-6
            assert "uses the CPU" in notes[0]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_process_of_its_own_computes_there_and_takes_its_memory_along(
    device, gpu_store, image, plain
):
    before = allocated(device)
    with runtime.lease(gpu_store, "one", device="subprocess", precision="fp32") as model:
        assert model.inner == device
        assert np.abs(model.predict(image) - plain).max() < 1e-3
        process = model.child.process
    assert allocated(device) == before, "nothing of it is here"
    runtime.unload()
    assert process.poll() is not None
    assert remote._children == {}


def test_channels_last_reaches_the_convolutions(device, gpu_store, image):
    import torch

    seen: list[bool] = []
    with runtime.lease(gpu_store, "one", device=device) as model:
        convolution = [m for m in model.network.modules() if isinstance(m, torch.nn.Conv2d)][1]
        hook = convolution.register_forward_hook(
            lambda _, given, made: seen.append(
                given[0].is_contiguous(memory_format=torch.channels_last)
            )
        )
        model.predict(image)
        hook.remove()
    assert seen
    assert all(seen)
