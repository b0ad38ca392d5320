"""Everything below needs Qt and napari; the developer's own preferences stay untouched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sem_tools.micrograph import Calibration, Micrograph

HERE = Path(__file__).parent
_CONFIG = tempfile.TemporaryDirectory()
os.environ["NAPARI_CONFIG"] = str(Path(_CONFIG.name) / "settings.yaml")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder: they need a display."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gui)
            # napari 0.7 makes its label colours a hair outside of sRGB
            item.add_marker(pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB"))
            for kind in ("FutureWarning", "DeprecationWarning", "ResourceWarning"):
                # what napari, vispy and Qt's binding warn about among themselves is not ours
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"), append=False)
                item.add_marker(pytest.mark.filterwarnings(f"error::{kind}:napari_sem_tools.*"))


@pytest.fixture(scope="session", autouse=True)
def plugins_known() -> None:
    """Let npe2 find the plugins as a start of napari does; a viewer model alone does not."""
    from napari.plugins import _initialize_plugins

    _initialize_plugins()


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the models of whoever runs it, nor depends on those that ship."""
    from napari_sem_tools.models import models
    from napari_sem_tools.models.store import Store

    monkeypatch.setitem(models.__dict__, "_store", Store([]))


@pytest.fixture(scope="session")
def discs() -> Micrograph:
    """Twenty bright discs on a dark ground, 2 nm a pixel, with a label strip below."""
    rng = np.random.default_rng(1)
    pixels = rng.normal(60, 4, (300, 400))
    y, x = np.ogrid[:300, :400]
    for row in range(4):
        for column in range(5):
            centre = 35 + 60 * row, 40 + 80 * column
            radius = 10 + (row + column) % 4 * 3
            pixels[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2] += 120
    pixels[260:] = 0
    image = pixels.clip(0, 255).astype(np.uint8)
    return Micrograph(
        image,
        Calibration((2.0, 2.0), "tag", "test = 2 nm", 0.01),
        data_bar=(260, 300),
        source=Path("discs.tif"),
    )


@pytest.fixture
def model() -> Any:
    """A viewer without a window: layers, selection and camera, quick to make."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def open_widget(qtbot: Any) -> Iterator[Callable[..., Any]]:
    """Make a widget over a viewer and close it at the end, so that it lets go of everything."""
    opened: list[Any] = []

    def make(kind: type, viewer: Any) -> Any:
        widget = kind(viewer)
        qtbot.addWidget(widget)
        widget.show()
        opened.append(widget)
        return widget

    yield make
    for widget in opened:
        widget.close()


@pytest.fixture
def finish(qtbot: Any) -> Callable[..., None]:
    """Click a widget's button and wait until its work is done."""

    def wait(widget: Any) -> None:
        widget.run_button.click()
        qtbot.waitUntil(lambda: not widget.work.running, timeout=60_000)

    return wait


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty registry of its own, and nothing in memory before and after."""
    from small_models import use_store

    from napari_sem_tools.models import models
    from napari_sem_tools.models.locations import Place
    from napari_sem_tools.models.store import Store

    made = Store([Place(tmp_path / "models", "user")])
    use_store(made, monkeypatch)
    models.unload()
    yield made
    models.unload()


@pytest.fixture
def seer(store: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A small network that sees what is bright, on one thread of the CPU."""
    import torch
    from small_models import add_seer

    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    add_seer(store, "seer", monkeypatch)
    yield "seer"
    torch.set_num_threads(threads)


@pytest.fixture
def labels(model: Any, discs: Micrograph) -> Any:
    """The discs as measured particles over their image."""
    from window_parts import add_particles

    return add_particles(model, discs)


@pytest.fixture
def stack(model: Any) -> Any:
    """A series through focus as a layer."""
    from focus_parts import add, series

    return add(model, series())


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Let trainings be played; the runs that were started."""
    from engine_parts import threads_end
    from training_parts import PlayedRun

    from napari_sem_tools.errors import Cancelled
    from napari_sem_tools.widgets.train import watch

    monkeypatch.setattr(watch, "TrainingRun", PlayedRun)
    PlayedRun.started.clear()
    yield PlayedRun.started
    for run in PlayedRun.started:
        run.end(Cancelled("the test is over"))
    threads_end()
