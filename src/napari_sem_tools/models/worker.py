"""The process of `remote`: holds networks and runs tiles, without Qt or napari in it.

Run as ``python -P -m napari_sem_tools.models.worker``.  A request is a line of JSON on stdin,
its answer a line of JSON on stdout; tiles and maps lie in shared memory.  It ends when stdin
does, so it never outlives who started it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem_tools.errors import Cancelled, SemError, SemWarning
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.devices import (
    choose_device,
    choose_precision,
    describe,
    free_bytes,
    is_out_of_memory,
)
from napari_sem_tools.models.loaded import LoadedModel, cancelling, release

__all__ = ["FAULT", "HEADER_BYTES", "MEMORY", "main"]

HEADER_BYTES = 64  # of the shared memory: its first byte says that the run is cancelled
MEMORY, FAULT = "memory", "fault"  # kinds of errors that are no class of `errors`

_log = logging.getLogger(__name__)


class _Served:
    """The models of this process, and the memory it shares with the other."""

    def __init__(self) -> None:
        self.models: dict[str, LoadedModel] = {}
        self.shared: SharedMemory | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks for; an error becomes an answer."""
        reply: dict[str, Any] = {}
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                for name in request["drop"]:
                    self.forget(name)
                reply["value"] = _SERVICES[request["do"]](self, request)
            except Exception as error:  # noqa: BLE001  it is told to who asked, and logged
                reply["error"] = _told(error)
                error.__traceback__ = None  # its frames hold tensors
        if reply.get("error", {}).get("kind") == MEMORY:
            gc.collect()
            for device in {model.device for model in self.models.values()}:
                release(device)
        reply["warnings"] = [str(w.message) for w in seen if issubclass(w.category, SemWarning)]
        return reply

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Load a model; the weights are hashed here, by who uses them."""
        from napari_sem_tools.models.loading import load

        card = ModelCard.from_json(request["card"])
        device, reason = choose_device(request["device"])
        _log.info("loading %s on %s: %s", card.key, device, reason)
        model = load(
            Path(request["weights"]),
            card,
            device=device,
            precision=choose_precision(device, request["precision"]),
            compiled=request["compile"],
        )
        self.models[request["name"]] = model
        return {
            "device": model.device,
            "precision": model.precision,
            "size_bytes": model.size_bytes,
            "bytes_per_px": model.bytes_per_px,
        }

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run the tiles in the shared memory and write the maps behind them."""
        model, memory = self.models[request["name"]], self.attached(request["segment"])
        shape = tuple(request["shape"])
        tiles: Any = np.ndarray(shape, np.float32, memory, HEADER_BYTES)
        with cancelling(lambda: bool(memory[0])):
            maps = model.tiles(tiles)
        kept = np.ndarray(maps.shape, np.float32, memory, HEADER_BYTES + tiles.nbytes)
        kept[...] = maps
        return {"shape": maps.shape}

    def free(self, request: dict[str, Any]) -> int:
        """Say how much memory tiles may take."""
        return free_bytes(self.models[request["name"]].device)

    def rest(self, request: dict[str, Any]) -> None:
        """Let go of the shared memory until the next run."""
        self.detach()

    def describe(self, request: dict[str, Any]) -> dict[str, str]:
        """Say what PyTorch finds in this process."""
        return describe(request["device"])

    def nothing(self, request: dict[str, Any]) -> None:
        """Do nothing but what comes with every request."""

    def forget(self, name: str) -> None:
        """Drop a model."""
        model = self.models.pop(name, None)
        if model is not None:
            device = model.device
            del model
            gc.collect()
            release(device)

    def attached(self, name: str) -> Any:
        """Return the shared memory of that name."""
        if self.shared is None or self.shared.name != name:
            self.detach()
            self.shared = _attach(name)
        return self.shared.buf

    def detach(self) -> None:
        """Let go of the shared memory."""
        shared, self.shared = self.shared, None
        if shared is not None:
            gc.collect()  # nobody may look at it any more
            shared.close()


_SERVICES: dict[str, Any] = {
    "load": _Served.load,
    "run": _Served.run,
    "free": _Served.free,
    "rest": _Served.rest,
    "describe": _Served.describe,
    "nothing": _Served.nothing,
}


def main() -> int:
    """Answer requests until there are no more."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    with os.fdopen(os.dup(1), "wb") as answers, contextlib.suppress(BrokenPipeError):
        os.dup2(2, 1)  # what libraries print is no answer
        served = _Served()
        for line in sys.stdin.buffer:
            answers.write(json.dumps(served.answer(json.loads(line))).encode() + b"\n")
            answers.flush()
    os._exit(0)  # at once: nothing here is to be kept


def _told(error: Exception) -> dict[str, str]:
    """Put an error into words that the other process makes an error of again."""
    if isinstance(error, Cancelled):
        return {"kind": "Cancelled", "message": error.message, "hint": error.hint}
    if isinstance(error, SemError):
        return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
    if is_out_of_memory(error):
        return {"kind": MEMORY, "message": str(error), "hint": ""}
    traceback.print_exception(error)
    return {"kind": FAULT, "message": f"{type(error).__name__}: {error}", "hint": ""}


def _attach(name: str) -> SharedMemory:
    """Open shared memory that the other process made and removes."""
    if sys.version_info >= (3, 13):
        return SharedMemory(name=name, track=False)
    with _untracked():
        return SharedMemory(name=name)


@contextlib.contextmanager
def _untracked() -> Iterator[None]:
    """Keep Python's tracker from removing at our end what is not ours (before 3.13)."""
    from multiprocessing import resource_tracker

    register = resource_tracker.register
    resource_tracker.register = lambda *_: None
    try:
        yield
    finally:
        resource_tracker.register = register


if __name__ == "__main__":
    sys.exit(main())
