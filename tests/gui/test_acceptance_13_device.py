"""Check 13: without torch, with one that does not load, without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_parts import choose, particles, wait
from small_models import add_model

import napari_sem_tools as sem
from napari_sem_tools.layers import image_arguments
from napari_sem_tools.models import devices
from napari_sem_tools.models.store import Store
from napari_sem_tools.widgets.models import ModelsWidget
from napari_sem_tools.widgets.segment import SegmentWidget

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
    labels = model.layers["large particles"]
    assert labels.data.max() > 20
    assert len(sem.measure(labels, model.layers[0])) == labels.data.max(), "all that is classical"


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


def absent_torch(folder: Path) -> dict[str, str]:
    """Python finds no torch."""
    (folder / "sitecustomize.py").write_text("import sys; sys.modules['torch'] = None\n")
    return {"PYTHONPATH": str(folder)}


def broken_torch(folder: Path) -> dict[str, str]:
    """There is a torch that Windows does not load."""
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(f"raise OSError({BROKEN!r})\n")
    return {"PYTHONPATH": str(folder)}


def cuda_demanded(folder: Path) -> dict[str, str]:
    """A device is asked for that may not be there."""
    return {"NAPARI_SEM_TOOLS_DEVICE": "cuda"}


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize(
    ("lack", "said"),
    [
        (absent_torch, "not installed; the threshold method needs none"),
        (broken_torch, "older C++ runtime"),
        (cuda_demanded, "The device cuda is not available: PyTorch is built without CUDA"),
    ],
)
def test_13_doctor_says_why_networks_do_not_run_and_that_the_main_job_does(
    tmp_path: Path, lack: Callable[[Path], dict[str, str]], said: str
) -> None:
    import torch

    if lack is cuda_demanded and torch.version.cuda is not None:
        pytest.skip("this PyTorch is built for CUDA")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "napari_sem_tools.cli.main", "doctor"],
        env=os.environ | lack(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout.split("torch\n")[1].split("napari\n")[0])
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "works:" in done.stdout.split("main job")[1]
    assert done.returncode == 0


@pytest.mark.torch
@pytest.mark.slow
def test_13_the_command_gui_loads_torch_before_qt() -> None:
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
