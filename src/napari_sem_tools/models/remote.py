"""Networks in a process of their own: what fails or fills the memory there ends alone.

The process (`worker`) has no Qt, so that PyTorch loads on Windows although a window is open,
and a crash of a driver does not take the window along.  Tiles and maps go through shared
memory, whose name is removed as soon as both have it: whoever is killed, nothing stays.
``docs/design/0003-own-process.md`` says more.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import itertools
import json
import logging
import math
import queue
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem_tools import errors
from napari_sem_tools.errors import Cancelled, SemError, SemWarning
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.devices import free_bytes
from napari_sem_tools.models.loaded import LoadedModel, asked_cancel
from napari_sem_tools.models.tiling import Maps
from napari_sem_tools.models.worker import FAULT, HEADER_BYTES, MEMORY
from napari_sem_tools.tasks import Cancel, stop_if_cancelled

__all__ = ["Child", "RemoteModel", "close_all", "describe_there", "load"]

_log = logging.getLogger(__name__)

_WORKER = "napari_sem_tools.models.worker"
_POLL_S = 0.02  # between two looks at whether the user cancelled
_PATIENCE_S = 10.0  # that a cancelled run gets before its process is ended
_GOODBYE_S = 1.0  # that the process gets to end by itself
_ITEM_BYTES = 4  # of float32
_SHARED_PART = 0.9  # of the free shared memory that may be taken

_children: dict[str, Child] = {}  # one for each device that was asked for
_guard = threading.RLock()  # of _children, and of who uses them
_names = itertools.count()


class Child:
    """A process with networks in it, asked by one thread at a time.

    Parameters
    ----------
    device : {"auto", "cuda", "mps", "cpu"}
        Where its networks run.

    Raises
    ------
    SemError
        It could not be started.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.users: set[str] = set()  # names of models in it, or on their way
        self.leases = 0
        self._turn = threading.Lock()
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._drop: list[str] = []
        self._shared: SharedMemory | None = None
        self._named = False  # the shared memory still has its name
        self.process = _started()
        for work in (self._listen, self._log_words):
            threading.Thread(target=work, name="own process", daemon=True).start()

    @property
    def alive(self) -> bool:
        """True until it ended, by itself or by `close`."""
        return self.process.poll() is None

    def ask(self, do: str, *, cancel: Cancel | None = None, **request: Any) -> Any:
        """Ask for something and wait for the answer, in turn.

        Parameters
        ----------
        do : str
            A service of the worker.
        cancel : callable, optional
        **request
            What it is to be done with.

        Returns
        -------
        object
            What the worker answers.

        Raises
        ------
        Cancelled
        MemoryError
            The memory of the process does not suffice.
        SemError
            As raised there; or the process has ended.
        """
        with self._my_turn(cancel):
            return self._asked({"do": do, **request}, cancel)

    def run(self, name: str, tiles: Maps, channels: int, cancel: Cancel | None) -> Maps:
        """Run tiles through a model of the process; see `LoadedModel.tiles`.

        Parameters
        ----------
        name : str
        tiles : float32 array (N, inputs, Y, X)
        channels : int
        cancel : callable or None

        Returns
        -------
        float32 array (N, channels, Y, X)
        """
        room = tiles.size // tiles.shape[1] * max(channels, 1) * _ITEM_BYTES
        with self._my_turn(cancel):
            shared = self._room(HEADER_BYTES + tiles.nbytes + room)
            _flag(shared, 0)
            np.ndarray(tiles.shape, np.float32, shared.buf, HEADER_BYTES)[...] = tiles
            request = {"name": name, "shape": tiles.shape, "segment": shared.name}
            try:
                answer = self._asked({"do": "run", **request}, cancel)
            except BaseException:
                self._let_go()  # who knows whether it was attached there
                raise
            self._forget_name()
            place = HEADER_BYTES + tiles.nbytes
            return np.array(np.ndarray(tuple(answer["shape"]), np.float32, shared.buf, place))

    def rest(self) -> None:
        """Give the shared memory back, unless somebody is at work."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            if self._shared is not None and self.alive:
                with contextlib.suppress(SemError):
                    self._asked({"do": "rest"}, None)
            self._let_go()
        finally:
            self._turn.release()

    def drop(self, name: str) -> None:
        """Forget a model: at once where nobody is at work, else before the next run."""
        self._drop.append(name)
        if self._turn.acquire(blocking=False):
            try:
                if self.alive:
                    with contextlib.suppress(SemError):
                        self._asked({"do": "nothing"}, None)
            finally:
                self._turn.release()

    def close(self) -> None:
        """End the process; all that it holds is free afterwards."""
        self._bury()
        if self._turn.acquire(timeout=_GOODBYE_S):
            self._let_go()
            self._turn.release()

    # --- one at a time -------------------------------------------------------------------

    @contextlib.contextmanager
    def _my_turn(self, cancel: Cancel | None) -> Iterator[None]:
        """Wait until the process has nothing else to do; a cancel ends the waiting."""
        while not self._turn.acquire(timeout=_POLL_S):
            stop_if_cancelled(cancel)
        try:
            yield
        finally:
            self._turn.release()

    def _asked(self, request: dict[str, Any], cancel: Cancel | None) -> Any:
        """Send a request and turn the answer into a value or an error."""
        dropped, self._drop = self._drop, []
        line = json.dumps({"drop": dropped} | request) + "\n"
        try:
            if self.process.stdin is None:
                raise OSError("no pipe")
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
            answer = self._answered(cancel)
        except (OSError, ValueError) as error:
            raise self._ended() from error
        except Cancelled:
            raise
        except BaseException:
            self.process.kill()  # nobody waits for its answer any more
            raise
        if answer is None:
            raise self._ended()
        for text in answer["warnings"]:
            warnings.warn(text, SemWarning, stacklevel=2)
        if "error" in answer:
            raise _error_of(**answer["error"])
        return answer["value"]

    def _answered(self, cancel: Cancel | None) -> dict[str, Any] | None:
        """Wait for the answer; None when the process ended instead."""
        until: float | None = None
        while True:
            with contextlib.suppress(queue.Empty):
                return self._answers.get(timeout=_POLL_S)
            if until is None:
                if cancel is not None and cancel():
                    until = time.monotonic() + _PATIENCE_S
                    if self._shared is not None:
                        _flag(self._shared, 1)
            elif time.monotonic() > until:
                self.process.kill()
                raise Cancelled

    def _listen(self) -> None:
        """Collect the answers as they come."""
        if self.process.stdout is not None:
            with self.process.stdout as lines, contextlib.suppress(ValueError):
                for line in lines:
                    self._answers.put(json.loads(line))
        self._bury()
        self._answers.put(None)

    def _log_words(self) -> None:
        """Write to our log what the process says beside its answers."""
        if self.process.stderr is not None:
            with self.process.stderr as lines:
                for line in lines:
                    _log.info("own process: %s", line.decode("utf-8", "replace").rstrip())

    def _bury(self) -> None:
        """Ask the process to end, which it does once it has nothing to do, or make it."""
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        try:
            self.process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _ended(self) -> SemError:
        """Say how the process ended."""
        self._let_go()
        self._bury()
        status = self.process.returncode
        how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        return SemError(
            f"The process in which networks run has ended before its work was done ({how}).",
            hint="Run it again, a new one is started; if that ends too, choose a smaller tile, "
            "a smaller model or device=cpu.",
        )

    # --- shared memory -------------------------------------------------------------------

    def _room(self, size: int) -> SharedMemory:
        """Return shared memory of that size at least."""
        if self._shared is None or self._shared.size < size:
            self._let_go()
            if size > _free_shared_bytes():
                raise MemoryError("too little shared memory")
            self._shared = SharedMemory(create=True, size=size)
            self._named = True
        return self._shared

    def _forget_name(self) -> None:
        """Remove the name of the shared memory: it goes with the last who has it."""
        if self._named and self._shared is not None:
            self._named = False
            self._shared.unlink()

    def _let_go(self) -> None:
        """Give the shared memory back."""
        self._forget_name()
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.close()


@dataclasses.dataclass(frozen=True, eq=False)
class RemoteModel(LoadedModel):
    """A model in a process of its own; it is planned and blended here.

    Attributes
    ----------
    child : Child
    name : str
        Of the model in that process.
    inner : str
        The device there.
    """

    child: Child | None = None
    name: str = ""
    inner: str = ""

    @property
    def uses_cpu(self) -> bool:
        """True where there is no other device to fall back to."""
        return self.inner == "cpu"

    @property
    def alive(self) -> bool:
        """False once its process has ended."""
        return self.child is not None and self.child.alive

    def tiles(self, batch: Maps) -> Maps:
        """Run some tiles there; see `LoadedModel.tiles`."""
        return self._there().run(self.name, batch, len(self.card.outputs), asked_cancel())

    def memory(self) -> int:
        """Return how much memory tiles may take there."""
        if self.uses_cpu:
            return free_bytes("cpu")
        return int(self._there().ask("free", name=self.name, cancel=asked_cancel()))

    def release(self) -> None:
        """Do nothing: the process gave its memory back when it ran out."""

    def borrow(self) -> None:
        """Note that somebody uses the process."""
        with _guard:
            self._there().leases += 1

    def give_back(self) -> None:
        """Give the shared memory back when nobody uses the process any more."""
        child = self._there()
        with _guard:
            child.leases -= 1
            idle = child.leases == 0
        if idle:
            child.rest()

    def drop(self) -> None:
        """Forget the model; its process ends with the last one."""
        _forget(self._there(), self.name)

    def _there(self) -> Child:
        """Return the process."""
        if self.child is None:
            raise SemError(f"The model {self.card.key} has no process.")
        return self.child


def load(
    weights: Path, card: ModelCard, *, device: str, precision: str, compiled: bool
) -> RemoteModel:
    """Load a model in a process of its own, which is started when there is none.

    Parameters
    ----------
    weights : Path
    card : ModelCard
    device : {"auto", "cuda", "mps", "cpu"}
        In that process.
    precision : {"auto", "fp32", "bf16", "fp16"}
    compiled : bool

    Returns
    -------
    RemoteModel

    Raises
    ------
    UntrustedModel, MissingExtra, SemError
        As in this process; or that one has ended.
    MemoryError
        The memory there does not suffice.
    """
    child, name = _child(device)
    try:
        made = child.ask(
            "load",
            name=name,
            weights=str(weights.absolute()),
            card=card.to_json(),
            device=device,
            precision=precision,
            compile=compiled,
        )
    except BaseException:
        _forget(child, name)
        raise
    return RemoteModel(
        card,
        None,
        f"{made['device']}, own process",
        made["precision"],
        made["size_bytes"],
        made["bytes_per_px"],
        child=child,
        name=name,
        inner=made["device"],
    )


def describe_there(device: str = "auto") -> dict[str, str]:
    """Say what PyTorch finds in a process of its own.

    Parameters
    ----------
    device : str
        The device asked for there.

    Returns
    -------
    dict
        See `devices.describe`.
    """
    child, name = _child(device)
    try:
        found: dict[str, str] = child.ask("describe", device=device)
    finally:
        _forget(child, name)
    return found


def close_all() -> None:
    """End all processes of networks, e.g. at exit."""
    with _guard:
        children = list(_children.values())
        _children.clear()
    for child in children:
        child.close()


def _child(device: str) -> tuple[Child, str]:
    """Return the process for a device, and a name for a model in it."""
    name = str(next(_names))
    with _guard:
        child = _children.get(device)
        if child is None or not child.alive:
            child = _children[device] = Child(device)
        child.users.add(name)
    return child, name


def _forget(child: Child, name: str) -> None:
    """Drop a model, and the process with its last one."""
    with _guard:
        child.users.discard(name)
        last = not child.users
        if last and _children.get(child.device) is child:
            del _children[child.device]
    if last:
        child.close()
    else:
        child.drop(name)


def _started() -> subprocess.Popen[bytes]:
    """Start the process: away from our terminal's Ctrl-C, without a window."""
    # -P: a file torch.py in the present folder is not the torch we mean
    command = [sys.executable, "-P", "-m", _WORKER]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise SemError(
            "The process in which networks run could not be started.",
            hint="Choose device=auto; 'sem-tools doctor' says what is there.",
        ) from error


def _flag(shared: SharedMemory, cancelled: int) -> None:
    """Say beside the tiles whether the run is cancelled."""
    np.ndarray(1, np.uint8, shared.buf)[0] = cancelled


def _free_shared_bytes() -> float:
    """Return how much shared memory there is: in containers little, and more kills who uses it."""
    if sys.platform != "linux":
        return math.inf
    try:
        return shutil.disk_usage("/dev/shm").free * _SHARED_PART
    except OSError:
        return math.inf


def _error_of(kind: str, message: str, hint: str) -> Exception:
    """Make an error of the words of the other process."""
    if kind == MEMORY:
        return MemoryError(message)
    if kind == FAULT:
        return SemError(
            f"The network failed in its process: {message}",
            hint="This is a fault of the program or of the model; please report it with the log.",
        )
    found = getattr(errors, kind) if kind in errors.__all__ else SemError
    made: Exception = found(message, hint=hint)
    return made


atexit.register(close_all)
