"""``sem.models`` is a mapping and a package at once, and costs neither torch nor time."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import napari_sem_tools as sem
from napari_sem_tools.errors import ModelNotFound
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.locations import ModelSettings
from napari_sem_tools.models.registry import Registry

from .conftest import card_for

RUNTIME = "napari_sem_tools.models.runtime"


@pytest.fixture(autouse=True)
def fresh(own_home: Path) -> None:
    """The registry of each test looks into its own home."""
    sem.models.configure(ModelSettings())


@pytest.fixture
def kept(tmp_path: Path, weights: bytes) -> ModelCard:
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights)
    return sem.models.import_file(path, card=card_for(b"other"))


def test_the_registry_is_a_mapping_of_names_to_cards(kept: ModelCard) -> None:
    assert sem.models["particles"] == kept
    assert sem.models["particles@1.0.0"] == kept
    assert list(sem.models) == list(sem.models.keys()) == ["particles"]
    assert len(sem.models) == 1
    assert dict(sem.models) == {"particles": kept}
    assert "particles" in sem.models
    assert "spheres" not in sem.models
    assert 3 not in sem.models
    assert sem.models.get("spheres", 7) == 7
    assert sem.models.versions("particles") == ("1.0.0",)


def test_an_unknown_model_is_one_of_our_errors() -> None:
    with pytest.raises(ModelNotFound) as caught:
        sem.models["particles"]
    assert caught.value.hint == "No model is installed yet."


def test_the_registry_is_the_package_whichever_is_imported_first() -> None:
    for lines in (
        "import napari_sem_tools as sem; first = sem.models; import napari_sem_tools.models as m",
        "import napari_sem_tools.models.card; import napari_sem_tools as sem; "
        "first = sem.models; import napari_sem_tools.models as m",
        "from napari_sem_tools.models import models as m; import napari_sem_tools as sem; "
        "first = sem.models",
    ):
        check = "; assert first is m is sem.models; from napari_sem_tools.models.card import *"
        subprocess.run(
            [sys.executable, "-c", lines + check + "; assert len(m) == len(list(m))"], check=True
        )


def test_listing_models_imports_nothing_heavy(tmp_path: Path, kept: ModelCard) -> None:
    code = (
        "import sys, json, pathlib, napari_sem_tools as sem;"
        "from napari_sem_tools.models import locations; locations.PACKAGED = pathlib.Path('none');"
        "assert list(sem.models) == ['particles'];"
        "assert all(v.good for v in sem.models.verify());"
        "sem.models.in_memory(); sem.models.unload();"
        "print(json.dumps(sorted(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=os.environ
    )
    heavy = {"torch", "safetensors", "pooch", "requests", "pandas", "qtpy", "numpy", "yaml"}
    assert not heavy & set(json.loads(out.stdout))


def test_no_method_of_the_registry_hides_a_module_of_the_package() -> None:
    names = {module.name for module in pkgutil.iter_modules(sem.models.__path__)}
    assert not names & set(dir(Registry))
    for name in names - {"runtime", "tiling", "architectures"}:
        module = importlib.import_module(f"napari_sem_tools.models.{name}")
        assert getattr(sem.models, name) is module


def test_the_registry_is_still_a_module() -> None:
    assert isinstance(sem.models, types.ModuleType)
    assert bool(sem.models)
    assert sem.models == sem.models
    assert {sem.models: 1}[sem.models] == 1
    assert repr(sem.models).startswith("<module 'napari_sem_tools.models'")


class FakeRuntime(types.ModuleType):
    """Stands for the module that loads models."""

    def __init__(self) -> None:
        super().__init__(RUNTIME)
        self.calls: list[tuple[object, ...]] = []

    def lease(self, store: object, name: str, **wish: object) -> str:
        self.calls.append(("lease", name, wish))
        return "leased"

    def unload(self, key: str | None) -> int:
        self.calls.append(("unload", key))
        return 5

    def in_memory(self) -> tuple[str, ...]:
        return ("one",)


def test_running_is_left_to_the_runtime_and_only_once_it_is_needed(
    kept: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, RUNTIME, raising=False)
    assert sem.models.in_memory() == ()
    assert sem.models.unload() == 0
    assert RUNTIME not in sys.modules
    runtime = FakeRuntime()
    monkeypatch.setitem(sys.modules, RUNTIME, runtime)
    assert sem.models.lease("particles", device="cpu") == "leased"
    assert sem.models.in_memory() == ("one",)
    assert sem.models.unload("particles") == 5
    assert sem.models.unload() == 5
    assert sem.models.remove("particles") == kept
    assert runtime.calls == [
        ("lease", "particles", {"device": "cpu"}),
        ("unload", "particles@1.0.0"),
        ("unload", None),
        ("unload", "particles@1.0.0"),
    ]
    assert len(sem.models) == 0


def test_a_model_travels_through_the_registry(kept: ModelCard, tmp_path: Path) -> None:
    path = sem.models.export("particles", tmp_path)
    sem.models.remove("particles")
    assert sem.models.import_file(path) == kept


def test_a_broken_model_is_told_of_and_does_not_hide_the_others(
    kept: ModelCard, own_home: Path
) -> None:
    folder = own_home / "xdg_data_home" / "napari-sem-tools" / "models" / "spheres" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text("{")
    assert list(sem.models) == ["particles"]
    (problem,) = sem.models.problems()
    assert problem.folder == folder and "not valid JSON" in problem.reason
