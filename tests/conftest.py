"""Fixtures that every room's tests share."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Seconds depend on what else the machine does; benchmarks measure them, tests do not.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Where there is no window library, the modules that open windows cannot even be imported.
collect_ignore = [] if importlib.util.find_spec("napari") else ["gui"]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real images; tests marked ``data`` skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared real images are not at {SHARED}")
    return SHARED


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked ``torch`` by name where torch is not installed."""
    if item.get_closest_marker("torch") and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed; it comes with the extra 'torch'")


@pytest.fixture
def threshold_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after the particles are found is tested with the fast method, torch or not."""
    from napari_sem_tools.segmentation import methods

    monkeypatch.setattr(methods, "_BEST", "no model of this name")


@pytest.fixture(scope="session")
def networks_extra() -> Iterator[None]:
    """smp, timm and torchvision; tests that ask for it skip where one is absent."""
    for name in ("torch", "torchvision", "timm", "segmentation_models_pytorch"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed; it comes with the extra 'networks'")
    kept_alive = _missing_operators()
    yield
    del kept_alive


def _missing_operators() -> object:
    """Declare what a torchvision for CUDA lacks beside a torch without.

    Such a pair dies at `import torchvision`, because it describes two operators that its
    library, which could not be loaded, does not bring.  Nothing here uses them.  This is
    for the tests alone: the package never changes torchvision.
    """
    import torch

    spec = importlib.util.find_spec("torchvision")
    libraries = list(Path(spec.origin).parent.glob("_C.*")) if spec and spec.origin else []
    if torch.version.cuda is not None or not libraries:
        return None
    try:
        torch.ops.load_library(str(libraries[0]))
        return None
    except OSError:
        declared = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return declared
