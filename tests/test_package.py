"""What a stranger relies on: a light import, every public name, a manifest that holds."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import napari_sem_tools

PACKAGE = Path(napari_sem_tools.__file__).parent
ROOT = Path(__file__).resolve().parents[1]
HAS_WINDOWS = all(importlib.util.find_spec(n) for n in ("napari", "qtpy", "PyQt6"))
NEEDS_WINDOWS = ("layers", "widgets")

MEASURE = """
import sys, time
first = time.perf_counter()
import napari_sem_tools
seconds = time.perf_counter() - first
heavy = "torch pandas matplotlib scipy skimage napari qtpy PyQt5 PyQt6 PySide6 tifffile numba"
import json
print(json.dumps([seconds, [name for name in heavy.split() if name in sys.modules]]))
"""


def public_names() -> dict[str, str]:
    """The public names, each with the room that it comes from."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def manifest_commands() -> list[str]:
    """The ``module:attribute`` of every command of the manifest."""
    text = (PACKAGE / "napari.yaml").read_text(encoding="utf-8")
    return re.findall(r"python_name: *['\"]?([\w.]+:\w+)", text)


def test_the_package_imports_in_a_tenth_of_a_second_and_brings_nothing_heavy() -> None:
    runs = [
        json.loads(subprocess.check_output([sys.executable, "-c", MEASURE], text=True))
        for _ in range(3)
    ]
    assert min(seconds for seconds, _ in runs) < 0.1
    assert all(heavy == [] for _, heavy in runs)


@pytest.mark.parametrize("name, room", public_names().items())
def test_every_public_name_is_there_and_says_what_it_is(name: str, room: str) -> None:
    if room in NEEDS_WINDOWS and not HAS_WINDOWS:
        pytest.skip("needs napari")
    thing = getattr(napari_sem_tools, name)
    assert name in dir(napari_sem_tools)
    if name != "__version__":
        assert thing.__doc__, f"{name} is not documented"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="does_not_exist"):
        _ = napari_sem_tools.does_not_exist


@pytest.mark.parametrize("python_name", manifest_commands())
def test_every_command_of_the_manifest_exists(python_name: str) -> None:
    module, _, attribute = python_name.partition(":")
    assert (PACKAGE.parent / Path(*module.split("."))).exists() or (
        PACKAGE.parent / Path(*module.split("."))
    ).with_suffix(".py").exists()
    if not HAS_WINDOWS:
        pytest.skip("needs napari")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_the_manifest_has_commands_and_npe2_accepts_it() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(PACKAGE / "napari.yaml")
    assert manifest.name == "napari-sem-tools"
    assert len(manifest.contributions.commands or []) == len(manifest_commands()) > 0


def test_the_manifest_at_the_top_is_the_one_in_the_package() -> None:
    link = ROOT / "napari.yaml"
    if not link.exists():
        pytest.skip("not in a checkout")
    assert link.is_symlink() and link.resolve() == (ROOT / "src/napari_sem_tools/napari.yaml")


def test_all_brings_every_extra_but_the_single_ones() -> None:
    file = ROOT / "pyproject.toml"
    if not file.exists():
        pytest.skip("not in a checkout")
    extras = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    whole = " ".join(extras["all"])
    for name in ("fast", "formats", "napari", "networks"):
        assert name in whole
    assert not any("torch" in need or "napari[" in need for need in extras["test"])


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_every_public_name_is_on_the_reference_page() -> None:
    page = ROOT / "docs" / "reference" / "python.md"
    if not page.exists():
        pytest.skip("not in a checkout")
    text = page.read_text(encoding="utf-8")
    missing = [n for n in public_names() if f"::: napari_sem_tools.{n}\n" not in text]
    assert missing == ["__version__"]
