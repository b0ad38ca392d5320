"""``sem-tools doctor``: what is installed and what works."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from napari_sem_tools._version import __version__
from napari_sem_tools.cli.console import Console

__all__ = ["add_arguments", "run"]

_EXTRAS: dict[str, tuple[str, ...]] = {  # extra: packages that tell whether it is there
    "napari": ("napari", "PyQt6"),
    "formats": ("rosettasciio", "h5py", "ncempy"),
    "fast": ("numba", "pyarrow", "openpyxl"),
    "torch": ("torch", "safetensors"),
    "networks": ("segmentation-models-pytorch", "timm", "torchvision"),
    "ocr": ("pytesseract",),
}
_CORE = ("numpy", "scipy", "scikit-image", "pandas", "matplotlib", "tifffile", "imagecodecs")
_TIMEOUT_S = 120
_ORDERS = {
    "torch before Qt": "import torch; from qtpy import QtWidgets",
    "torch after Qt": "from qtpy import QtWidgets; import torch",
}
_APART = (
    "from napari_sem_tools.errors import SemError\n"
    "from napari_sem_tools.models.remote import describe_there\n"
    "try: print('works: networks run there on', describe_there()['networks run on'])\n"
    "except SemError as error: print('fails:', error, error.hint)"
)
_DEVICES = (
    "import json; from napari_sem_tools.errors import SemError\n"
    "from napari_sem_tools.models.runtime import describe\n"
    "try: print(json.dumps(describe()))\n"
    "except SemError as error: print(error, error.hint)"
)


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(args: argparse.Namespace, console: Console) -> int:
    """Examine the installation; 1 when the main job does not work."""
    found: dict[str, dict[str, str]] = {}
    for name, examine in _EXAMINATIONS.items():
        found[name] = examine()
    if args.json:
        console.result_json(found)
    else:
        for name, lines in found.items():
            console.result(f"{name}")
            width = max(map(len, lines), default=0)
            for key, text in lines.items():
                console.result(f"  {key:{width}}  {text}")
    return 0 if found["main job"]["sample image"].startswith("works") else 1


def _versions() -> dict[str, str]:
    """Versions of what is always there."""
    said = {
        "napari-sem-tools": __version__,
        "Python": platform.python_version(),
        "system": platform.platform(),
    }
    return said | {name: _version(name) or "missing" for name in _CORE}


def _extras() -> dict[str, str]:
    """Tell which extras are installed, and how to get the others."""
    said = {}
    for extra, packages in _EXTRAS.items():
        versions = {package: _version(package) for package in packages}
        missing = [package for package, version in versions.items() if version is None]
        there = ", ".join(f"{p} {v}" for p, v in versions.items() if v is not None)
        if not missing:
            said[extra] = there
            continue
        lack = f"missing: {', '.join(missing)}. "
        said[extra] = (
            (f"{there}; " if there else "")
            + lack
            + f'Install it with: pip install "napari-sem-tools[{extra}]"'
        )
    return said


def _torch() -> dict[str, str]:
    """Tell the devices, and in which order torch and Qt load; only with torch installed."""
    if importlib.util.find_spec("torch") is None:
        return {"torch": "not installed; the threshold method needs none"}
    told = _in_process(_DEVICES)
    try:
        said: dict[str, str] = json.loads(told)
    except ValueError:
        said = {"PyTorch": told}
    if importlib.util.find_spec("torchvision") is not None:
        said["torchvision"] = _torchvision()
    said["own process"] = _in_process(_APART)
    if importlib.util.find_spec("qtpy") is not None:
        said |= {name: _in_process(code) or "works" for name, code in _ORDERS.items()}
    return said


def _torchvision() -> str:
    """Tell whether torchvision is of the same build as torch, without which timm fails."""
    told = _in_process("import torchvision; print('works:', torchvision.__version__)")
    if "torchvision::nms" in told:
        return (
            "is not of the same build as PyTorch; the models that ship work without it. Install "
            "the pair from one place: pip install --force-reinstall torch torchvision"
        )
    return told


def _napari() -> dict[str, str]:
    """Tell whether napari knows our reader, and whether there is a display."""
    if importlib.util.find_spec("napari") is None:
        return {"napari": 'not installed: pip install "napari-sem-tools[napari]"'}
    reader = (
        "from npe2 import PluginManager as P; m = P.instance(); m.discover(); "
        "n = 'napari-sem-tools'; "
        "print('registered' if n in m and m.get_manifest(n).contributions.readers else "
        "'not registered: install napari-sem-tools again')"
    )
    window = "from qtpy.QtWidgets import QApplication; QApplication([]); print('works')"
    return {"reader": _in_process(reader), "window": _display() or _in_process(window)}


def _display() -> str:
    """Say why there is no display, empty when there may be one."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return ""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return "no display; everything but gui works without"


def _main_job() -> dict[str, str]:
    """Make the sample image, find its particles and measure them."""
    code = (
        "from napari_sem_tools import measure, segment; "
        "from napari_sem_tools.simulation import make_sample; "
        "image = make_sample().image; "
        "print('works:', len(measure(segment(image, 'threshold'), image)), 'particles')"
    )
    return {"sample image": _in_process(code)}


def _version(package: str) -> str | None:
    """Return the version of a package, None when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _in_process(code: str) -> str:
    """Run a line of Python by itself; return what it prints, or the last line of its error."""
    try:
        done = subprocess.run(  # our own lines, no shell
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"fails: {error}"
    if done.returncode == 0:
        return done.stdout.strip()
    last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    return f"fails: {last}"


_EXAMINATIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "versions": _versions,
    "extras": _extras,
    "torch": _torch,
    "napari": _napari,
    "main job": _main_job,
}
