"""Checks 6, 7, 9 and 13: the window stays alive while a network works, or cannot."""

from __future__ import annotations

import gc
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QObject, Qt, QThreadPool, QTimer
from qtpy.QtWidgets import QApplication
from small_models import add_model, add_seer, use_store

from napari_sem_tools.layers import image_arguments
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.models import devices
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store
from napari_sem_tools.widgets.models import ModelsWidget
from napari_sem_tools.widgets.segment import SegmentWidget

MIB = 1024**2


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A registry with one small network, and nothing in memory."""
    from napari_sem_tools.models import models

    store = Store([Place(tmp_path / "models", "user")])
    use_store(store, monkeypatch)
    models.unload()
    yield store
    models.unload()


@pytest.fixture
def seer(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A network on one thread of the CPU."""
    import torch

    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    add_seer(store, "seer", monkeypatch)
    yield "seer"
    torch.set_num_threads(threads)


def particles(shape: tuple[int, int], *, step: int = 60, name: str = "large") -> Micrograph:
    """Discs in rows, with noise."""
    rng = np.random.default_rng(0)
    tile = rng.normal(60, 6, (step, step))
    y, x = np.ogrid[:step, :step]
    tile[(y - step / 2) ** 2 + (x - step / 2) ** 2 < (step / 4) ** 2] += 120
    repeats = [-(-n // step) for n in shape]
    pixels = np.tile(tile.clip(0, 255).astype(np.uint8), repeats)[: shape[0], : shape[1]]
    calibration = Calibration((2.0, 2.0), "tag", "test = 2 nm", 0.01)
    return Micrograph(pixels, calibration, source=Path(f"{name}.tif"))


class Heartbeat(QObject):
    """Gaps of a 10 ms timer in the GUI thread, and what the workers did in long ones."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[float] = []
        self.culprits: Counter[str] = Counter()
        self.last = time.perf_counter()
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.beat)
        self.timer.start(10)

    def beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self.last)
        if self.gaps[-1] > 0.08:
            for thread, frame in sys._current_frames().items():
                stack = traceback.extract_stack(frame)
                ours = [f for f in stack if "napari_sem_tools" in f.filename]
                if thread != _main() and ours:
                    self.culprits[f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"] += 1
        self.last = time.perf_counter()

    def percentile(self, percent: float) -> float:
        """Milliseconds."""
        return 1e3 * float(np.percentile(self.gaps, percent))

    def __str__(self) -> str:
        return (
            f"{len(self.gaps)} beats, p50 {self.percentile(50):.0f}, p99 "
            f"{self.percentile(99):.0f}, longest {self.percentile(100):.0f} ms; "
            f"in long gaps: {dict(self.culprits.most_common(6))}"
        )


def _main() -> int:
    import threading

    return threading.main_thread().ident or 0


def wait(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Let the event loop turn as it does in napari: sleeping between events."""
    from qtpy.QtCore import QEventLoop

    end = time.perf_counter() + seconds
    while not condition() and time.perf_counter() < end:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    assert condition()


def choose(widget: Any, method: str) -> None:
    widget.method.setCurrentText(method)
    assert widget.method.currentText() == method


@pytest.mark.torch
@pytest.mark.slow
def test_6_the_window_beats_while_a_large_image_is_segmented(
    make_napari_viewer_proxy: Any, seer: str
) -> None:
    image = particles((6000, 4000))
    viewer = make_napari_viewer_proxy().__wrapped__
    widget = viewer.window.add_plugin_dock_widget("napari-sem-tools", "Segment particles")[1]
    viewer.add_image(image.pixels, **image_arguments(image))
    choose(widget, seer)
    idle = Heartbeat()
    wait(lambda: len(idle.gaps) >= 200)
    idle.timer.stop()
    told: list[float] = []
    widget.work.progressed.connect(lambda done, total, what: told.append(done / total))
    heart = Heartbeat()
    started = time.perf_counter()
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    heart.timer.stop()
    print(f"idle: {idle}")
    print(f"6000 x 4000 in {time.perf_counter() - started:.1f} s: {heart}")
    print(f"{len(told)} reports of progress; {widget.status_line.text()}")
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) > 20, "at least once a tile"
    assert viewer.layers["large particles"].data.max() > 1000
    assert heart.percentile(99) < 100


def state(viewer: Any) -> tuple[Any, ...]:
    """What a run that came to nothing leaves as it was."""
    from napari.utils.progress import progress

    from napari_sem_tools.models import models

    loaded = tuple((one.key, one.device, one.leases) for one in models.in_memory())
    return tuple(viewer.layers), loaded, len(progress._all_instances)


def resident_mib() -> float:
    """Memory that this process holds, without what the allocator of Linux keeps for later."""
    import ctypes
    import os

    if sys.platform != "linux":
        pytest.skip("memory is read from /proc")
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def threads_end(seconds: float = 60) -> None:
    """Wait until no worker runs any more, let go or not."""
    pool = QThreadPool.globalInstance()
    wait(lambda: pool.activeThreadCount() == 0, seconds)


@pytest.mark.torch
@pytest.mark.slow
def test_7_cancel_answers_at_any_moment_and_leaves_nothing(
    model: Any, seer: str, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SEM_TOOLS_TILE", "256")
    image = particles((2000, 3000))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    for _ in range(2):  # the first one loads the model
        started = time.perf_counter()
        widget.run_button.click()
        wait(lambda: not widget.work.running)
        whole = time.perf_counter() - started
        model.layers.pop()
    before, memory = state(model), resident_mib()
    chance, answers = random.Random(1), []
    for _ in range(20):
        moment = time.perf_counter() + 0.8 * whole * chance.random()
        widget.run_button.click()
        wait(lambda moment=moment: time.perf_counter() > moment or not widget.work.running)
        if not widget.work.running:
            model.layers.pop()  # it was faster this time
            continue
        asked = time.perf_counter()
        widget.run_button.click()
        wait(lambda: not widget.work.running)
        answers.append(time.perf_counter() - asked)
        assert widget.run_button.text() == "Find particles"
        assert "Cancelled" in widget.status_line.text()
        assert not widget.progress_bar.isVisible()
        threads_end()
        assert state(model) == before
    grown = resident_mib() - memory
    print(
        f"a run takes {whole:.1f} s; {len(answers)} cancels answered in at most "
        f"{max(answers):.2f} s; memory {memory:.0f} MiB, {grown:+.0f} MiB after all"
    )
    assert len(answers) >= 10
    assert max(answers) < 2
    assert grown < 0.05 * memory


def test_7_a_step_that_does_not_listen_is_let_go(
    model: Any, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from napari_sem_tools.widgets import segment as module

    release, ended = threading.Event(), threading.Event()

    def deaf(record: Any, method: str, *, progress: Any, **_: Any) -> Any:
        release.wait(60)
        progress(9, 10, "too late")
        ended.set()
        raise ValueError("nobody hears this")

    monkeypatch.setattr(module, "segment", deaf)
    image = particles((60, 60))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, "threshold")
    before = state(model)
    widget.run_button.click()
    wait(lambda: widget.work.running)
    asked = time.perf_counter()
    widget.run_button.click()
    wait(lambda: not widget.work.running, 10)
    print(f"let go after {time.perf_counter() - asked:.2f} s")
    assert time.perf_counter() - asked < 2
    assert widget.run_button.text() == "Find particles"
    release.set()
    wait(ended.is_set, 10)
    threads_end()
    assert "Cancelled" in widget.status_line.text()
    assert state(model) == before


@pytest.mark.torch
def test_7_closing_a_widget_ends_its_work(
    model: Any, seer: str, open_widget: Callable[..., Any], capfd: Any
) -> None:
    image = particles((1500, 1500))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    before = state(model)
    widget.run_button.click()
    wait(lambda: "network" in widget.status_line.text())
    widget.close()
    threads_end()
    assert state(model)[0] == before[0]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.torch
def test_9_five_widgets_and_the_console_load_a_model_once(
    model: Any, seer: str, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_sem_tools as sem
    from napari_sem_tools.models import runtime

    loads: list[str] = []
    real = runtime._load

    def counted(store: Any, card: Any, key: Any) -> Any:
        loads.append(card.key)
        return real(store, card, key)

    monkeypatch.setattr(runtime, "_load", counted)
    image = particles((300, 400))
    layer = model.add_image(image.pixels, **image_arguments(image))
    widgets = [open_widget(SegmentWidget, model) for _ in range(4)]
    overview = open_widget(ModelsWidget, model)
    for widget in widgets:
        choose(widget, seer)
        widget.run_button.click()
    found = sem.segment(layer, seer)
    wait(lambda: not any(widget.work.running for widget in widgets))
    overview.show_memory()
    assert loads == ["seer@1.0.0"]
    assert found.count > 20
    assert "seer@1.0.0 on cpu" in overview.memory_line.text()
    overview.unload_button.click()
    assert sem.models.in_memory() == ()
    print(f"{len(widgets) + 1} widgets and the console: {len(loads)} load")


@pytest.mark.torch
def test_9_unloading_gives_the_memory_back(
    model: Any, store: Store, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sem_tools.models import models

    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    wide = {"channels": 2600}  # 9 x 2600 x 2600 weights: 232 MiB
    add_seer(store, "warm", monkeypatch)
    widget = open_widget(ModelsWidget, model)
    with models.lease("warm"):
        pass  # what torch takes for itself comes with the first network
    models.unload()
    add_seer(store, "wide", monkeypatch, **wide)
    start = resident_mib()
    with models.lease("wide"):
        pass
    loaded = resident_mib()
    widget.show_memory()
    widget.unload_button.click()
    after = resident_mib()
    print(f"memory {start:.0f} MiB, loaded {loaded:.0f}, unloaded {after:.0f} MiB")
    assert loaded - start > 150
    assert after - start < 50


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::napari_sem_tools.errors.SemWarning")
@pytest.mark.parametrize("stage", ["weights", "tiles"])
def test_9_memory_that_runs_out_ends_in_a_notice_and_a_result(
    model: Any,
    store: Store,
    seer: str,
    open_widget: Callable[..., Any],
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_sem_tools.models import runtime
    from napari_sem_tools.models.loaded import LoadedModel

    add_seer(store, "idle", monkeypatch, channels=4)
    with runtime.lease(store, "idle"):
        pass  # something that can go
    failures = [stage]
    real_load, real_tiles = runtime._load, LoadedModel.tiles

    def load(*given: Any) -> Any:
        if stage == "weights" and failures:
            raise MemoryError(failures.pop())
        return real_load(*given)

    def tiles(self: Any, batch: Any) -> Any:
        if stage == "tiles" and failures:
            raise MemoryError(failures.pop())
        return real_tiles(self, batch)

    monkeypatch.setattr(runtime, "_load", load)
    monkeypatch.setattr(LoadedModel, "tiles", tiles)
    image = particles((600, 700))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert not failures
    text = widget.status_line.text()
    print(f"{stage}: {text}")
    assert "particles in" in text
    assert model.layers[-1].data.max() > 50
    if stage == "weights":
        assert {one.key for one in runtime.in_memory()} == {"seer@1.0.0"}, "the idle one went"
    else:
        assert "memory of cpu did not suffice" in text
        assert "instead of" in text


@pytest.mark.torch
def test_9_memory_that_never_suffices_is_said_in_a_sentence(
    model: Any, seer: str, open_widget: Callable[..., Any], monkeypatch: Any
) -> None:
    from napari_sem_tools.segmentation import network

    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError

    image = particles((300, 300))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    before = state(model)
    monkeypatch.setattr(network, "decode", full)
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert "too little memory" in widget.status_line.text()
    assert state(model)[0] == before[0]
    assert state(model)[2] == before[2]


BROKEN = '[WinError 1114] Error loading "c10.dll" or one of its dependencies'


class BrokenTorch:
    """Finds torch, and fails to load it as Windows does after Qt."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        from importlib.machinery import ModuleSpec

        return ModuleSpec("torch", self) if name == "torch" else None  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        raise OSError(BROKEN)


def break_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch not load in this process any more."""
    monkeypatch.setattr(devices, "_failures", [])
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(sys, "meta_path", [BrokenTorch(), *sys.meta_path])


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::napari_sem_tools.errors.SemWarning")
def test_13_torch_that_comes_after_qt_runs_in_a_process_of_its_own_and_says_so(
    model: Any, store: Store, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    add_model(store, "small")
    image = particles((300, 400))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, "small")
    break_torch(monkeypatch)
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    text = widget.status_line.text()
    print(text)
    assert "older C++ runtime first. Networks therefore run in a process of their own" in text
    assert "start with 'sem-tools gui'" in text
    assert len(model.layers) == 2


@pytest.mark.torch
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_7_a_network_that_is_killed_in_its_process_leaves_the_window_as_it_was(
    model: Any, store: Store, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    from napari_sem_tools.models import models, remote

    for name, value in {"DEVICE": "subprocess", "TILE": "256"}.items():
        monkeypatch.setenv(f"NAPARI_SEM_TOOLS_{name}", value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    add_model(store, "small")
    image = particles((1200, 1500))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, "small")
    before = state(model)
    widget.run_button.click()
    wait(lambda: "network" in widget.status_line.text())
    os.kill(remote._children["auto"].process.pid, signal.SIGKILL)
    wait(lambda: not widget.work.running)
    text = widget.status_line.text()
    print(text)
    assert "has ended before its work was done (signal 9)" in text
    assert "Run it again" in text
    assert widget.run_button.text() == "Find particles"
    assert not widget.progress_bar.isVisible()
    assert state(model) == before
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert "particles in" in widget.status_line.text()
    overview = open_widget(ModelsWidget, model)
    overview.show_memory()
    assert "small@1.0.0 on cpu, own process" in overview.memory_line.text()
    models.unload()
    assert remote._children == {}


@pytest.mark.torch
@pytest.mark.parametrize(
    ("lack", "sentence", "hint"),
    [
        ("absent", "PyTorch, which is not installed", 'pip install "napari-sem-tools[torch]"'),
        ("broken twice", "PyTorch could not be loaded", "Start with 'sem-tools gui'"),
        ("cuda", "The device cuda is not available", "Choose device=auto or cpu"),
    ],
)
def test_13_what_lacks_is_said_in_one_sentence_and_threshold_works(
    model: Any,
    seer: str,
    open_widget: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    lack: str,
    sentence: str,
    hint: str,
    tmp_path: Path,
) -> None:
    import torch

    if lack == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    image = particles((300, 400))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    if lack == "absent":
        monkeypatch.setitem(sys.modules, "torch", None)
    elif lack == "broken twice":  # in a process of its own as well
        break_torch(monkeypatch)
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / "__init__.py").write_text(f"raise OSError({BROKEN!r})\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    else:
        monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "auto")
        widget.form.rows["device"].value = "cuda"
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    text = widget.status_line.text()
    print(text)
    assert sentence in text
    assert hint in text
    assert "Traceback" not in text
    assert len(model.layers) == 1
    choose(widget, "threshold")
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert model.layers["large particles"].data.max() > 20


@pytest.mark.torch
def test_13_without_cuda_the_cpu_is_taken_and_the_reason_is_said(
    model: Any, seer: str, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "auto")
    widget = open_widget(ModelsWidget, model)
    wait(lambda: not widget.device_work.running)
    print(widget.device_line.text())
    assert widget.device_line.text().startswith("Networks run on cpu (")


@pytest.mark.slow
def test_13_doctor_says_why_torch_does_not_load(tmp_path: Path) -> None:
    import os
    import subprocess

    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(f"raise OSError({BROKEN!r})\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "napari_sem_tools.cli.main", "doctor"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert "older C++ runtime" in done.stdout or "WinError 1114" in done.stdout
    assert "works:" in done.stdout.split("main job")[1]
    assert done.returncode == 0


@pytest.mark.torch
@pytest.mark.slow
def test_13_the_command_gui_loads_torch_before_qt() -> None:
    import subprocess

    code = """
import sys
from napari_sem_tools.cli import gui
from napari_sem_tools.cli.main import main
from napari_sem_tools.layers import window
import napari_sem_tools.layers
assert "torch" not in sys.modules
assert not [n for n in sys.modules if n.startswith(("PyQt", "PySide", "qtpy"))], "Qt too early"
def opened(paths, *, on_error):
    assert "torch" in sys.modules
    assert not [n for n in sys.modules if n.startswith(("PyQt", "PySide", "qtpy"))], "Qt too early"
    import napari.qt
    order = list(sys.modules)
    print(order.index("torch"), "<", order.index("qtpy"))
window.open_window = opened
sys.exit(main(["gui"]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert "<" in done.stdout


def test_7_a_result_that_was_ready_when_cancel_was_clicked_is_dropped(
    model: Any, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from napari_sem_tools.widgets import segment as module

    ready, real = threading.Event(), module.segment

    def marked(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        ready.set()
        return found

    monkeypatch.setattr(module, "segment", marked)
    image = particles((120, 120))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, "threshold")
    widget.run_button.click()
    ready.wait(60)  # the GUI thread has not heard of it yet
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert "Cancelled" in widget.status_line.text()
    assert len(model.layers) == 1
