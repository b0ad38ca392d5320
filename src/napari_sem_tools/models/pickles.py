"""Weights in torch's own format: read once, in a process of their own, kept as safetensors.

A ``.pth`` file is a pickle, and a pickle is a program.  ``weights_only=True`` runs none of
it, but has had holes [1]_ [2]_; so it is asked only of a torch that has them closed, in a
child process with a limit of memory and time, and what comes back is bytes that are
checked like any other safetensors file.  There is no second, weaker way.

References
----------
.. [1] CVE-2025-32434, fixed in torch 2.6.
.. [2] CVE-2026-24747, fixed in torch 2.10.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from napari_sem_tools.errors import Cancelled, MissingExtra, UntrustedModel
from napari_sem_tools.models.weights import open_regular, read_header
from napari_sem_tools.tasks import Cancel

__all__ = ["converted"]

_CHILD = "napari_sem_tools.models.unpickle_child"
_TIME_LIMIT_S = 300
_POLL_S = 0.1
_MAX_PICKLE_BYTES = 4 * 1024**3
_STARTS = {b"PK\x03\x04": "torch", b"\x80": "torch", b"\x89HDF": "Keras", b"\x08": "ONNX"}
REFUSED = 3  # exit status of the child with a sentence on stderr
NO_TORCH = 4


def converted(path: Path, *, cancel: Cancel | None = None) -> bytes:
    """Return the tensors of a ``.pth`` file as the bytes of a safetensors file.

    Parameters
    ----------
    path : Path
        A state dict saved by torch, alone or as ``state_dict`` of a checkpoint.
    cancel : callable, optional

    Returns
    -------
    bytes

    Raises
    ------
    UntrustedModel
        The file wants to run code, holds anything but tensors, takes more memory or time
        than its size explains, or is of another program.
    MissingExtra
        There is no torch, or one older than 2.10.
    """
    with open_regular(path, max_bytes=_MAX_PICKLE_BYTES) as file:
        start = file.read(4)
    kind = next((kind for magic, kind in _STARTS.items() if start.startswith(magic)), "unknown")
    if kind != "torch":
        raise UntrustedModel(
            f"{path} is not a file of torch tensors ({kind} format).",
            hint="Save the state dict with torch or, better, as safetensors.",
        )
    status, out, words = _run_child(path, cancel)
    if status == NO_TORCH:
        raise MissingExtra(f"{path} can be read by torch 2.10 or newer alone.", extra="torch")
    if status == REFUSED:
        raise UntrustedModel(f"{path} {words}.", hint="Ask for the weights as a safetensors file.")
    if status != 0:
        raise UntrustedModel(
            f"{path} took more memory than its size explains, or broke the program that read it.",
            hint="Ask for the weights as a safetensors file.",
        )
    read_header(out)
    return out


def _run_child(path: Path, cancel: Cancel | None) -> tuple[int, bytes, str]:
    """Run the child to its end, its time limit, or a cancel."""
    # -P: a file torch.py in the present folder is not the torch we mean
    command = [sys.executable, "-P", "-m", _CHILD, str(path.absolute())]
    until = time.monotonic() + _TIME_LIMIT_S
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            while True:
                try:
                    out, errors = process.communicate(timeout=_POLL_S)
                    break
                except subprocess.TimeoutExpired as running:
                    _stop_if_due(path, until, cancel, running)
        finally:
            process.kill()
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return process.returncode, out, lines[-1] if lines else ""


def _stop_if_due(path: Path, until: float, cancel: Cancel | None, why: Exception) -> None:
    """Raise when the user cancelled or the time is over."""
    if cancel is not None and cancel():
        raise Cancelled from why
    if time.monotonic() > until:
        raise UntrustedModel(
            f"{path} was not read within {_TIME_LIMIT_S} s.",
            hint="Ask for the weights as a safetensors file.",
        ) from why
