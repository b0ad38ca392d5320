"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import warnings
from pathlib import Path

import pytest

import napari_sem_tools

PACKAGE = Path(napari_sem_tools.__file__).parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = sorted(
    ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py") and ">>>" in path.read_text(encoding="utf-8")
)
OPTIONAL = ("napari", "qtpy", "torch", "numba", "h5py", "rsciio", "ncempy", "safetensors")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OPTIONAL or type(error).__module__.startswith("qtpy"):
            pytest.skip(f"needs {missing or 'a Qt'}: {error}")
        raise
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = doctest.testmod(module, optionflags=OPTIONS)
    assert result.failed == 0 and result.attempted > 0
