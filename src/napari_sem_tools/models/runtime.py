"""Models in memory: loaded once, leased to whoever runs them, dropped when not needed."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import MissingExtra, SemError
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.store import Store
from napari_sem_tools.tasks import Cancel, Progress

__all__ = ["InMemory", "LoadedModel", "choose_device", "in_memory", "lease", "torch", "unload"]

_log = logging.getLogger(__name__)

_BUDGET_BYTES = 4 * 1024**3  # of all models together
_WHOLE_PX = 2048  # images up to this edge go through in one piece
_WINDOWS_LOADER = ("WinError 126", "WinError 127", "WinError 1114", "DLL load failed")


def torch() -> Any:
    """Import torch, the one place where it is first imported.

    Returns
    -------
    module

    Raises
    ------
    MissingExtra
        It is not installed.
    SemError
        It cannot be loaded beside what the process has loaded before (Windows).
    """
    try:
        import torch as module
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Networks need PyTorch, which is not installed.", extra="torch"
        ) from error
    except (OSError, ImportError) as error:
        if any(text in str(error) for text in _WINDOWS_LOADER):
            raise SemError(
                "PyTorch could not be loaded because another library loaded an older C++ "
                "runtime first.",
                hint="Start with 'sem-tools gui', or install the newest Microsoft Visual C++ "
                "Redistributable.",
            ) from error
        raise SemError(
            f"PyTorch could not be loaded: {error}", hint="Install it anew, then try again."
        ) from error
    return module


def choose_device(wish: str = "auto") -> tuple[str, str]:
    """Choose where networks run, and say why.

    Parameters
    ----------
    wish : {"auto", "cuda", "mps", "cpu"}

    Returns
    -------
    device, reason : str

    Raises
    ------
    SemError
        A device was demanded that is not there.
    """
    module = torch()
    found = {
        "cuda": module.cuda.is_available(),
        "mps": module.backends.mps.is_available(),
        "cpu": True,
    }
    if wish == "auto":
        device = next(name for name, there in found.items() if there)
        reason = {
            "cuda": "a CUDA device was found",
            "mps": "an Apple GPU was found",
            "cpu": "PyTorch is built without CUDA"
            if module.version.cuda is None
            else "no CUDA device was found",
        }[device]
        return device, reason
    if not found.get(wish, False):
        raise SemError(
            f"The device {wish} is not available.",
            hint="Choose device=auto or cpu; 'sem-tools doctor' says what is there.",
        )
    return wish, "asked for"


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network with its weights on a device.

    Attributes
    ----------
    card : ModelCard
    network : torch.nn.Module
    device : str
    half : bool
        True when it runs in bfloat16 (CPU) or float16 (GPU).
    size_bytes : int
    """

    card: ModelCard
    network: Any
    device: str
    half: bool
    size_bytes: int

    def predict(
        self,
        image: NDArray[np.float32],
        *,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float32]:
        """Run the network over an image of any size.

        Parameters
        ----------
        image : float32 array (Y, X)
            Scaled as the card's `input` says.
        progress, cancel : callable, optional
            Called for each tile.

        Returns
        -------
        float32 array (C, Y, X)
            The card's `outputs`, after their activation.
        """
        from napari_sem_tools.models.tiling import predict_tiled

        spec = self.card.input
        tile = spec.tile_px or _WHOLE_PX
        if max(image.shape) <= _WHOLE_PX:
            tile = _WHOLE_PX
        return predict_tiled(
            self._tile,
            np.ascontiguousarray(image, np.float32),
            channels=len(self.card.outputs),
            tile_px=tile,
            halo_px=spec.halo_px,
            progress=progress,
            cancel=cancel,
        )

    def _tile(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run one tile: mirrored beyond its border, on the multiple the network wants."""
        module = torch()
        pad = min(self.card.input.halo_px, 32)  # beyond the image there is only its mirror
        multiple = self.card.input.multiple_of
        edges = [(pad, pad + -(n + 2 * pad) % multiple) for n in image.shape]
        mode = "reflect" if min(image.shape) > max(e[1] for e in edges) else "symmetric"
        padded = np.pad(image, edges, mode=mode)  # type: ignore[call-overload]
        batch = module.from_numpy(padded)[None, None].to(self.device)
        batch = batch.contiguous(memory_format=module.channels_last)
        kind = module.bfloat16 if self.device == "cpu" else module.float16
        autocast = module.autocast(self.device, kind, enabled=self.half)
        with module.inference_mode(), autocast:
            logits = self.network(batch).float()[0]
        rows, columns = image.shape
        maps = _activated(module, logits, self.card)
        window = maps[:, pad : pad + rows, pad : pad + columns]
        return np.asarray(window.cpu().numpy(), np.float32)


def _activated(module: Any, logits: Any, card: ModelCard) -> Any:
    """Apply the activation of each output channel."""
    functions = {
        "none": lambda x: x,
        "sigmoid": module.sigmoid,
        "tanh": module.tanh,
        "relu": module.relu,
    }
    kinds = [channel.activation for channel in card.outputs]
    if "softmax" in kinds:
        return module.softmax(logits, 0)
    if len(set(kinds)) == 1:
        return functions[kinds[0]](logits)
    return module.stack([functions[kind](plane) for kind, plane in zip(kinds, logits, strict=True)])


@dataclasses.dataclass(frozen=True)
class InMemory:
    """A loaded model, for lists: its key, device, size, and how often it is leased."""

    key: str
    device: str
    size_bytes: int
    leases: int


@dataclasses.dataclass(eq=False)
class _Slot:
    """A place in the cache; `ready` is set when the model is there or has failed."""

    key: str
    ready: threading.Event
    model: LoadedModel | None = None
    error: BaseException | None = None
    leases: int = 0
    last_use: int = 0


_Key = tuple[str, str, bool]
_lock = threading.Lock()
_slots: dict[_Key, _Slot] = {}
_clock = 0


@contextlib.contextmanager
def lease(
    store: Store, name: str, *, device: str = "auto", half: bool | None = None
) -> Iterator[LoadedModel]:
    """Borrow a model; it is loaded once for all who ask, and stays while it is borrowed.

    Parameters
    ----------
    store : Store
    name : str
        Name, or name and version.
    device : {"auto", "cuda", "mps", "cpu"}, optional
    half : bool, optional
        Run in half precision; None: where the device has instructions for it.

    Yields
    ------
    LoadedModel

    Raises
    ------
    ModelNotFound, UntrustedModel, MissingExtra
    """
    global _clock
    card = store.find(name).card
    place, reason = choose_device(device)
    low = _half_pays(place) if half is None else half
    key = (card.weights.sha256, place, low)
    with _lock:
        slot = _slots.get(key)
        mine = slot is None
        if slot is None:
            slot = _slots[key] = _Slot(card.key, threading.Event())
        slot.leases += 1
        _clock += 1
        slot.last_use = _clock
    try:
        if mine:
            _log.info("loading %s on %s: %s", card.key, place, reason)
            _fill(slot, key, store, card)
        slot.ready.wait()
        if slot.model is None:
            raise slot.error or SemError(f"The model {card.key} could not be loaded.")
        _keep_budget()
        yield slot.model
    finally:
        with _lock:
            slot.leases -= 1


def _fill(slot: _Slot, key: _Key, store: Store, card: ModelCard) -> None:
    """Load the model of a slot; a failure is told to all who wait, then forgotten."""
    try:
        slot.model = _load(store, card, key[1], key[2])
    except BaseException as error:
        slot.error = error
        with _lock:
            _slots.pop(key, None)
        raise
    finally:
        slot.ready.set()


def _load(store: Store, card: ModelCard, device: str, half: bool) -> LoadedModel:
    """Build the network and give it its weights, whose hash is checked."""
    from napari_sem_tools.models.architectures import build
    from napari_sem_tools.models.weights import check_shapes, read_header, read_verified

    module = torch()
    from safetensors.torch import load

    raw = read_verified(store.weights(card.key), card.weights)
    network = build(card.architecture, dict(card.arguments))
    expected = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    check_shapes(read_header(raw), expected)
    network.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in load(raw).items()}
    )
    network = network.eval().to(device).to(memory_format=module.channels_last)
    size = sum(t.numel() * t.element_size() for t in network.state_dict().values())
    return LoadedModel(card, network, device, half, size)


def _half_pays(device: str) -> bool:
    """Tell whether the device computes faster in half precision."""
    if device == "cuda":
        return True
    if device == "mps":
        return False
    capability = torch().backends.cpu.get_cpu_capability()
    flags = ("avx512_bf16", "amx_bf16")
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        return any(flag in file.read(20_000) for flag in flags)
    return "AMX" in capability


def _keep_budget() -> None:
    """Drop the models that were not used for longest until all fit the budget."""
    with _lock:
        idle = sorted(
            (s.last_use, k) for k, s in _slots.items() if s.leases == 0 and s.model is not None
        )
        for _, key in idle:
            if sum(s.model.size_bytes for s in _slots.values() if s.model) <= _BUDGET_BYTES:
                break
            del _slots[key]


def unload(key: str | None = None) -> int:
    """Drop a model, or all, from memory, unless in use.

    Parameters
    ----------
    key : str, optional
        Name and version.

    Returns
    -------
    int
        Bytes freed.
    """
    freed = 0
    with _lock:
        for place, slot in list(_slots.items()):
            if slot.leases == 0 and slot.model is not None and key in (None, slot.key):
                freed += slot.model.size_bytes
                del _slots[place]
    if freed and torch().cuda.is_available():
        torch().cuda.empty_cache()
    return freed


def in_memory() -> tuple[InMemory, ...]:
    """Tell which models are loaded, where, how large and how often leased."""
    with _lock:
        return tuple(
            InMemory(slot.key, slot.model.device, slot.model.size_bytes, slot.leases)
            for slot in _slots.values()
            if slot.model is not None
        )
