"""Where networks run is found, explained, and set in one order of strength."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from napari_sem_tools.errors import InvalidSettings, SemError
from napari_sem_tools.models import devices
from napari_sem_tools.models.card import InputSpec
from napari_sem_tools.models.devices import RuntimeSettings, choose_device, runtime_settings
from napari_sem_tools.models.loaded import plan
from napari_sem_tools.models.locations import settings_file


@pytest.fixture
def everywhere(own_home, monkeypatch):
    """Take a setting away from the strongest place, one by one."""
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text("[engine]\ntile = 100\nprecision = 'bf16'\n", encoding="utf-8")
    changed = {"tile": 200}
    engine = types.SimpleNamespace(model_dump=lambda exclude_defaults: dict(changed))
    page = types.SimpleNamespace(engine=engine)
    napari = types.ModuleType("napari.settings")
    napari.get_plugin_settings = lambda name: page
    monkeypatch.setitem(sys.modules, "napari.settings", napari)
    monkeypatch.setenv("NAPARI_SEM_TOOLS_TILE", "300")
    return changed


def test_argument_environment_preferences_file_default_in_this_order(everywhere, monkeypatch):
    assert runtime_settings(tile=400).tile == 400
    assert runtime_settings(tile=None, device="auto").tile == 300
    monkeypatch.delenv("NAPARI_SEM_TOOLS_TILE")
    assert runtime_settings().tile == 200
    everywhere.clear()  # as napari has it when nobody touched the page
    assert runtime_settings().tile == 100
    assert runtime_settings().precision == "bf16"
    settings_file().unlink()
    assert runtime_settings() == RuntimeSettings()


def test_auto_as_an_argument_leaves_the_word_to_the_user(own_home, monkeypatch):
    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    assert runtime_settings(device="auto").device == "cpu"


def test_a_wrong_setting_is_refused_with_its_range(own_home, monkeypatch):
    with pytest.raises(InvalidSettings, match="no setting half"):
        runtime_settings(half=True)
    with pytest.raises(InvalidSettings, match="one of auto, cuda, mps, cpu"):
        runtime_settings(device="gpu")
    monkeypatch.setenv("NAPARI_SEM_TOOLS_BUDGET_GIB", "much")
    with pytest.raises(InvalidSettings, match="budget_gib"):
        runtime_settings()


def test_napari_is_not_imported_for_its_preferences(own_home):
    code = (
        "import sys; from napari_sem_tools.models.devices import runtime_settings; "
        "runtime_settings(); assert not {'napari', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class FakeTensor:
    def __add__(self, other):
        return self

    def item(self):
        return 2.0


def fake_torch(*, cuda=None, mps=False, error=None, capability=(8, 0)):
    """A torch of another machine."""

    def ones(*_, device):
        if error is not None:
            raise error
        return FakeTensor()

    return types.SimpleNamespace(
        __version__="9.9",
        version=types.SimpleNamespace(cuda=cuda, hip=None),
        ones=ones,
        cuda=types.SimpleNamespace(
            get_device_capability=lambda: capability,
            is_bf16_supported=lambda including_emulation: capability >= (8, 0),
        ),
        backends=types.SimpleNamespace(
            mps=types.SimpleNamespace(is_built=lambda: mps, is_available=lambda: mps)
        ),
        cpu=types.SimpleNamespace(get_capabilities=dict),
    )


@pytest.fixture
def machine(monkeypatch):
    def become(**kind):
        fake = fake_torch(**kind)
        monkeypatch.setattr(devices, "torch", lambda: fake)
        devices._computes.cache_clear()

    yield become
    devices._computes.cache_clear()


DRIVER = RuntimeError(
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and "
    "installed a driver from http://www.nvidia.com/Download/index.aspx"
)


def test_why_not_the_gpu(machine, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    machine(cuda=None)
    assert choose_device() == ("cpu", "PyTorch is built without CUDA")
    machine(cuda="12.8", error=DRIVER)
    assert choose_device() == ("cpu", "Found no NVIDIA driver on your system")
    with pytest.raises(SemError, match="cuda is not available: Found no NVIDIA driver") as caught:
        choose_device("cuda")
    assert "doctor" in caught.value.hint
    machine(cuda="12.8", error=RuntimeError("CUDA error: no kernel image is available\nmore"))
    assert choose_device() == ("cpu", "CUDA error: no kernel image is available")
    machine(cuda="12.8")
    assert choose_device() == ("cuda", "a CUDA device works")
    assert choose_device("cpu") == ("cpu", "asked for")
    machine(mps=True)
    assert choose_device() == ("mps", "an Apple GPU works")
    monkeypatch.setattr(sys, "platform", "darwin")
    machine()
    assert choose_device() == ("cpu", "PyTorch is built without Apple's Metal")


def test_half_precision_only_where_there_are_instructions_for_it(machine):
    machine(cuda="12.8", capability=(8, 6))
    assert devices.choose_precision("cuda") == "bf16"
    machine(cuda="12.8", capability=(7, 5))
    assert devices.choose_precision("cuda") == "fp16"
    machine(cuda="12.8", capability=(6, 1))
    assert devices.choose_precision("cuda") == "fp32"
    assert devices.choose_precision("cpu") == "fp32"
    assert devices.choose_precision("mps") == "fp32"
    assert devices.choose_precision("cpu", "bf16") == "bf16"


@pytest.mark.torch
def test_the_doctor_is_told_what_is_there(own_home, monkeypatch):
    said = devices.describe()
    assert set(said) == {"PyTorch", "cuda", "mps", "cpu", "networks run on"}
    assert said["cpu"].startswith("works")
    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    monkeypatch.setenv("NAPARI_SEM_TOOLS_PRECISION", "fp32")
    assert devices.describe()["networks run on"].startswith("cpu (asked for) in fp32")


def test_which_errors_say_that_memory_ran_out():
    assert devices.is_out_of_memory(RuntimeError("CUDA out of memory."))
    assert devices.is_out_of_memory(
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate")
    )
    assert not devices.is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize("shape", [(1, 1), (31, 4000), (768, 1024), (6000, 4000), (16384, 16384)])
@pytest.mark.parametrize("halo", [0, 32, 100, 333])
def test_plans_fit_the_memory_and_keep_to_the_grid(shape, halo):
    spec = InputSpec(halo_px=halo, multiple_of=32)
    memory, pixel = 2**30, 320
    for batches in (False, True):
        tiling = plan(spec, shape, memory=memory, bytes_px=pixel, batches=batches)
        edges = [tiling.spans(n)[0] for n in shape]
        area = (edges[0].stop - edges[0].start) * (edges[1].stop - edges[1].start)
        assert tiling.batch * area * pixel <= memory
        assert tiling.edge_px % 32 == 0
        assert tiling.batch == 1 or batches
    small = plan(spec, shape, memory=10, bytes_px=pixel)
    assert small.edge_px == small.least_px
    assert plan(spec, shape, memory=memory, bytes_px=pixel, tile=2000).edge_px <= 2000
