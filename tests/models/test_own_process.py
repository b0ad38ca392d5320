"""Networks in a process of their own: the same maps, and no trace of whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_sem_tools.errors import (
    Cancelled,
    DeviceOutOfMemory,
    SemError,
    SemWarning,
    UntrustedModel,
)
from napari_sem_tools.models import devices, remote, runtime
from napari_sem_tools.models.store import Store

from .test_runtime import add_model

pytestmark = pytest.mark.torch

WISH = {"device": "subprocess", "precision": "fp32"}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """The processes start small and are all gone at the end."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(runtime, "_said", set())
    runtime.unload()
    yield
    runtime.unload()
    remote.close_all()
    assert remote._children == {}


@pytest.fixture
def model_store(store: Store) -> Store:
    add_model(store, "one", seed=1)
    add_model(store, "two", seed=2)
    return store


@pytest.fixture
def image():
    return np.random.default_rng(3).random((300, 410), np.float32)


def shared_segments() -> set[str]:
    """Names of shared memory on this computer, where they can be listed."""
    folder = Path("/dev/shm")
    return {p.name for p in folder.glob("psm_*")} if folder.is_dir() else set()


def process_of(model) -> subprocess.Popen:
    return model.child.process


def gone(process: subprocess.Popen) -> bool:
    return process.poll() is not None


def test_the_maps_progress_and_notes_are_those_of_this_process(model_store, image):
    with runtime.lease(model_store, "one", device="cpu", precision="fp32", tile=160) as model:
        plain = model.predict(image)
    runtime.unload()
    before, told, notes = shared_segments(), [], []
    with runtime.lease(model_store, "one", **WISH, tile=160) as model:
        maps = model.predict(
            image, notes=notes, progress=lambda done, total, what: told.append((done, total))
        )
        flipped = model.predict(image, flips=True)
        stack = model.predict(np.stack([image, image[::-1]]))
        tiles = model.plan(image.shape).count(image.shape)
        process = process_of(model)
        assert model.device == "cpu, own process"
        assert shared_segments() == before, "its name went as soon as both had it"
    assert np.abs(maps - plain).max() < 1e-6
    assert np.abs(flipped - plain).max() > 1e-6
    assert np.array_equal(stack[0], maps)
    assert notes == []
    assert told == [(n, tiles) for n in range(tiles + 1)]
    assert tiles > 4
    assert [(m.key, m.device, m.leases) for m in runtime.in_memory()] == [
        ("one@1.0.0", "cpu, own process", 0)
    ]
    assert not gone(process), "it stays warm"
    assert runtime.unload() > 0
    assert gone(process)
    assert runtime.in_memory() == ()


@pytest.mark.slow
def test_many_models_and_threads_share_one_process(model_store, image):
    wish = WISH | {"tile": 160}
    plain, found, processes = {}, [], set()
    for name in ("one", "two"):
        with runtime.lease(model_store, name, device="cpu", precision="fp32", tile=160) as model:
            plain[name] = model.predict(image)
    runtime.unload()

    def use(name):
        with runtime.lease(model_store, name, **wish) as model:
            processes.add(process_of(model).pid)
            found.extend(np.abs(model.predict(image) - plain[name]).max() for _ in range(3))

    threads = [threading.Thread(target=use, args=(name,)) for name in ("one", "two") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert max(found) < 1e-6
    assert len(processes) == 1
    with runtime.lease(model_store, "two", **wish) as model:
        assert runtime.unload("one@1.0.0") > 0
        assert np.abs(model.predict(image) - plain["two"]).max() < 1e-6
    assert runtime.unload("two@1.0.0") > 0
    assert remote._children == {}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("moment", [pytest.param("idle", marks=pytest.mark.slow), "at work"])
def test_a_process_that_is_killed_is_one_sentence_and_the_next_run_works(
    model_store, image, moment
):
    before, told = shared_segments(), []

    def kill(done, total, what):
        told.append(done / total)
        if moment == "at work" and done == 2:
            os.kill(process_of(model).pid, signal.SIGKILL)

    lease = runtime.lease(model_store, "one", **WISH, tile=160)
    with lease as model:
        good = model.predict(image)
        if moment == "idle":
            os.kill(process_of(model).pid, signal.SIGKILL)
        with pytest.raises(SemError, match="ended before its work was done \\(signal 9\\)") as bad:
            model.predict(image, progress=kill)
    assert "Run it again" in bad.value.hint
    assert max(told, default=0) < 1
    assert shared_segments() == before
    assert runtime.in_memory() == ()
    with runtime.lease(model_store, "one", **WISH, tile=160) as model:
        assert np.array_equal(model.predict(image), good)
    assert [m.leases for m in runtime.in_memory()] == [0]


def test_cancel_is_answered_between_two_layers_and_the_process_stays(model_store):
    add_model(model_store, "wide", widths=(64, 128))
    large = np.zeros((1600, 1600), np.float32)
    with runtime.lease(model_store, "wide", **WISH) as model:
        process = process_of(model)
        asked = time.perf_counter()
        with pytest.raises(Cancelled):
            model.predict(large, cancel=lambda: time.perf_counter() - asked > 0.15)
        assert time.perf_counter() - asked < 2
        assert model.predict(large[:64, :64]).shape == (3, 64, 64)
        assert process_of(model) is process
        assert not gone(process)


@pytest.mark.slow
def test_a_waiting_thread_can_cancel_too(model_store):
    add_model(model_store, "wide", widths=(64, 128))
    large = np.zeros((1200, 1200), np.float32)
    answers = []

    def run(cancel):
        with runtime.lease(model_store, "wide", **WISH) as model:
            try:
                answers.append(model.predict(large, cancel=cancel).shape)
            except Cancelled:
                answers.append("cancelled")

    first = threading.Thread(target=run, args=(None,))
    with runtime.lease(model_store, "wide", **WISH):
        first.start()
        time.sleep(0.2)
        run(lambda: True)
        assert answers == ["cancelled"]
        first.join()
    assert answers[1] == (3, 1200, 1200)


def test_an_error_there_is_the_same_error_here(store):
    add_model(store, "wrong", arguments={"widths": [4, 4]})
    with pytest.raises(UntrustedModel) as here, runtime.lease(store, "wrong", device="cpu"):
        pass
    with pytest.raises(UntrustedModel) as there, runtime.lease(store, "wrong", **WISH):
        pass
    assert (there.value.message, there.value.hint) == (here.value.message, here.value.hint)
    assert runtime.in_memory() == ()
    assert remote._children == {}


@pytest.mark.slow
def test_an_unforeseen_error_there_is_a_sentence_and_the_process_goes_on(model_store, image):
    with runtime.lease(model_store, "one", **WISH) as model:
        with pytest.raises(SemError, match="failed in its process: RuntimeError") as caught:
            model.tiles(np.zeros((1, 2, 64, 64), np.float32))  # two colours
        assert "report" in caught.value.hint
        assert model.predict(image).shape == (3, *image.shape)


def test_memory_that_runs_out_there_ends_in_smaller_tiles_and_a_notice(
    model_store, image, monkeypatch
):
    real = remote._free_shared_bytes
    monkeypatch.setattr(remote, "_free_shared_bytes", lambda: 6e5)
    with runtime.lease(model_store, "one", **WISH, tile=4096) as model:
        notes = []
        with pytest.warns(SemWarning, match="did not suffice"):
            maps = model.predict(image, notes=notes)
        assert notes[-1].endswith("px.")
        monkeypatch.setattr(remote, "_free_shared_bytes", lambda: 100)
        with (
            pytest.warns(SemWarning, match="did not suffice"),
            pytest.raises(DeviceOutOfMemory, match="own process does not suffice"),
        ):
            model.predict(image)
        monkeypatch.setattr(remote, "_free_shared_bytes", real)
        assert np.abs(model.predict(image) - maps).max() < 1e-4


def test_where_torch_comes_too_late_networks_run_apart_and_say_why(model_store, image, monkeypatch):
    import builtins

    real = builtins.__import__

    def broken(name, *more, **named):
        if name == "torch":
            raise OSError('[WinError 1114] Error loading "c10.dll" or one of its dependencies')
        return real(name, *more, **named)

    monkeypatch.setattr(devices, "_failures", [])
    monkeypatch.setattr(builtins, "__import__", broken)
    notes = []
    with (
        pytest.warns(SemWarning, match="older C\\+\\+ runtime first"),
        runtime.lease(model_store, "one") as model,
    ):
        assert model.device.endswith("own process")
        assert model.predict(image, notes=notes).shape == (3, *image.shape)
    assert len(notes) == 1
    assert "process of their own" in notes[0]
    assert "sem-tools gui" in notes[0]
    with runtime.lease(model_store, "one", device="cpu") as model:  # said once
        assert model.uses_cpu
    said = runtime.describe()
    assert said["networks run on"].startswith("a process of their own, there on ")


LONE = """
import sys, time
import numpy as np
from pathlib import Path
from napari_sem_tools.models import runtime
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store

store = Store([Place(Path(sys.argv[1]), "user")])
with runtime.lease(store, "one", device="subprocess") as model:
    assert "torch" not in sys.modules
    def tell(done, total, what):
        if done == 3:
            print(model.child.process.pid, flush=True)
            if sys.argv[2] == "wait":
                time.sleep(60)
    model.predict(np.zeros((300, 400), np.float32), progress=tell)
assert "torch" not in sys.modules
"""


def running(pid: int) -> bool:
    """Whether a process is there and no mere entry of the dead."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
@pytest.mark.parametrize("end", ["wait", pytest.param("exit", marks=pytest.mark.slow)])
def test_it_never_outlives_who_started_it_nor_leaves_memory(model_store, end):
    before = shared_segments()
    folder = model_store.places[0].folder
    environment = os.environ | {"NAPARI_SEM_TOOLS_TILE": "160"}
    with subprocess.Popen(
        [sys.executable, "-c", LONE, str(folder), end], stdout=subprocess.PIPE, env=environment
    ) as parent:
        child = int(parent.stdout.readline())
        if end == "wait":
            assert running(child)
            parent.kill()
        parent.wait(60)
    until = time.monotonic() + 20
    while running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running(child)
    assert shared_segments() == before
    assert parent.returncode == (0 if end == "exit" else -signal.SIGKILL)
