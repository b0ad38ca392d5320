"""Models in memory: loaded once, leased to whoever runs them, dropped when not needed."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from napari_sem_tools.errors import DeviceOutOfMemory, SemError, SemWarning, UntrustedModel
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.devices import (
    Precision,
    RuntimeSettings,
    choose_device,
    choose_precision,
    describe,
    is_out_of_memory,
    runtime_settings,
    torch,
)
from napari_sem_tools.models.loaded import LoadedModel, bytes_per_px, stop_between_layers
from napari_sem_tools.models.store import Store

__all__ = [
    "InMemory",
    "LoadedModel",
    "RuntimeSettings",
    "choose_device",
    "describe",
    "in_memory",
    "lease",
    "torch",
    "unload",
]

_log = logging.getLogger(__name__)

_GIB = 1024**3


@dataclasses.dataclass(frozen=True)
class InMemory:
    """A loaded model, for lists: its key, device, size, and how often it is leased."""

    key: str
    device: str
    size_bytes: int
    leases: int
    precision: str = "fp32"


@dataclasses.dataclass(frozen=True)
class _Key:
    """What makes two loaded models the same one."""

    sha256: str
    device: str
    precision: Precision
    compiled: bool


@dataclasses.dataclass(eq=False)
class _Slot:
    """A place in the cache; `ready` is set when the model is there or has failed."""

    key: str
    expected_bytes: int
    ready: threading.Event = dataclasses.field(default_factory=threading.Event)
    model: LoadedModel | None = None
    error: BaseException | None = None
    leases: int = 0
    last_use: int = 0

    @property
    def size_bytes(self) -> int:
        """What it takes, or will take once it is loaded."""
        return self.expected_bytes if self.model is None else self.model.size_bytes


class _Cache:
    """The only state of the process: which models are loaded and who uses them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.slots: dict[_Key, _Slot] = {}
        self.clock = 0

    def take(self, key: _Key, card: ModelCard) -> tuple[_Slot, bool]:
        """Count a lease; tell whether the caller has to load the model."""
        with self.lock:
            slot = self.slots.get(key)
            new = slot is None
            if slot is None:
                slot = self.slots[key] = _Slot(card.key, card.weights.size_bytes)
            slot.leases += 1
            self.clock += 1
            slot.last_use = self.clock
            return slot, new

    def give_back(self, slot: _Slot, budget: float) -> None:
        """End a lease."""
        with self.lock:
            slot.leases -= 1
        self.shrink(budget)

    def forget(self, key: _Key, slot: _Slot) -> None:
        """Drop a place whose model did not load, so that the next one tries again."""
        with self.lock:
            if self.slots.get(key) is slot:
                del self.slots[key]

    def shrink(self, budget: float, key: str | None = None) -> int:
        """Drop idle models, least recently used first, until all fit; return the bytes."""
        freed = 0
        with self.lock:
            idle = [
                place
                for place, slot in self.slots.items()
                if slot.leases == 0 and slot.model is not None and key in (None, slot.key)
            ]
            held = sum(slot.size_bytes for slot in self.slots.values())
            for place in sorted(idle, key=lambda place: self.slots[place].last_use):
                if held <= budget:
                    break
                size = self.slots.pop(place).size_bytes
                held -= size
                freed += size
        if freed:
            _release()
        return freed


_cache = _Cache()


@contextlib.contextmanager
def lease(store: Store, name: str, **wish: Any) -> Iterator[LoadedModel]:
    """Borrow a model; it is loaded once for all who ask, and stays while it is borrowed.

    Parameters
    ----------
    store : Store
    name : str
        Name, or name and version.
    **wish
        Fields of `RuntimeSettings`, e.g. ``device="cpu"``; what is not given, or
        ``"auto"``, is as the user has set it.

    Yields
    ------
    LoadedModel

    Raises
    ------
    ModelNotFound, UntrustedModel, MissingExtra, InvalidSettings
    SemError
        A device was asked for that is not there.
    DeviceOutOfMemory
        The weights alone are too much, for the CPU as well.
    """
    settings = runtime_settings(**wish)
    card = store.find(name).card
    device, reason = choose_device(settings.device)
    budget = settings.budget_gib * _GIB
    slot = _borrow(store, card, settings, device, reason)
    try:
        model = slot.model
        if model is None:
            raise SemError(f"The model {card.key} could not be loaded.")
        elsewhere = functools.partial(lease, store, card.key, **wish)
        yield dataclasses.replace(model, settings=settings, elsewhere=elsewhere)
    finally:
        _cache.give_back(slot, budget)


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
    return _cache.shrink(-1, key)


def in_memory() -> tuple[InMemory, ...]:
    """Tell which models are loaded, where, how large and how often leased."""
    with _cache.lock:
        return tuple(
            InMemory(slot.key, m.device, m.size_bytes, slot.leases, m.precision)
            for slot in _cache.slots.values()
            if (m := slot.model) is not None
        )


def _borrow(
    store: Store, card: ModelCard, settings: RuntimeSettings, device: str, reason: str
) -> _Slot:
    """Return a leased place whose model is loaded, on the CPU when a GPU is full."""
    precision = choose_precision(device, settings.precision)
    key = _Key(card.weights.sha256, device, precision, settings.compile)
    slot, mine = _cache.take(key, card)
    try:
        if mine:
            _log.info("loading %s on %s: %s", card.key, device, reason)
            _cache.shrink(settings.budget_gib * _GIB)
            _fill(slot, key, store, card)
        slot.ready.wait()
        if slot.error is None:
            return slot
        error = slot.error
    except BaseException:
        _cache.give_back(slot, settings.budget_gib * _GIB)
        raise
    _cache.give_back(slot, settings.budget_gib * _GIB)
    if not is_out_of_memory(error):
        raise error
    if device == "cpu":
        raise DeviceOutOfMemory(
            f"The memory does not suffice for the weights of {card.key}.",
            hint="Close other programs, unload other models, or choose a smaller model.",
        ) from error
    text = f"The memory of {device} did not suffice for {card.key}; it now uses the CPU."
    warnings.warn(text, SemWarning, stacklevel=2)
    return _borrow(store, card, settings, "cpu", text)


def _fill(slot: _Slot, key: _Key, store: Store, card: ModelCard) -> None:
    """Load the model of a place; a failure is told to all who wait, then forgotten."""
    try:
        try:
            slot.model = _load(store, card, key)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or not unload():
                raise
            slot.model = _load(store, card, key)  # once more, with idle models gone
    except BaseException as error:
        slot.error = error
        _cache.forget(key, slot)
        if not is_out_of_memory(error):
            raise
    finally:
        slot.ready.set()


def _load(store: Store, card: ModelCard, key: _Key) -> LoadedModel:
    """Build the network and give it its weights, whose hash is checked."""
    from napari_sem_tools.models.weights import read_verified

    module = torch()
    raw = read_verified(store.weights(card.key), card.weights)
    network = _built(card, raw).eval().requires_grad_(False)
    pixel = bytes_per_px(network, card)
    network = network.to(key.device).to(memory_format=module.channels_last)
    size = sum(t.numel() * t.element_size() for t in network.state_dict().values())
    if key.compiled:
        network = _compiled(network, card, key.device)
    else:
        stop_between_layers(network)
    return LoadedModel(card, network, key.device, key.precision, size, pixel)


def _compiled(network: Any, card: ModelCard, device: str) -> Any:
    """Translate a network, and try it at once; without a compiler it runs as it is."""
    module = torch()
    edge = 4 * card.input.multiple_of
    try:
        faster = module.compile(network, dynamic=True)
        with module.inference_mode():
            faster(module.zeros(1, card.input.channels, edge, edge, device=device))
    except (RuntimeError, ImportError, OSError) as error:
        _log.info("torch.compile failed", exc_info=error)
        text = f"torch.compile does not work here, so {card.key} runs without it."
        warnings.warn(text, SemWarning, stacklevel=2)
        stop_between_layers(network)
        return network
    return faster


def _built(card: ModelCard, raw: bytes) -> Any:
    """Build without memory, compare shapes with the weights, then take these as they are."""
    from napari_sem_tools.models.architectures import build
    from napari_sem_tools.models.weights import check_shapes, read_header

    module = torch()
    from safetensors.torch import load

    try:
        with module.device("meta"):
            network = build(card.architecture, dict(card.arguments))
    except UntrustedModel:  # some builders compute with what they make; a wrong one fails again
        network = build(card.architecture, dict(card.arguments))
    state = network.state_dict()
    check_shapes(read_header(raw), {k: tuple(v.shape) for k, v in state.items()})
    if set(state) != {name for name, _ in _tensors(network)}:  # weights do not say all of it
        network = build(card.architecture, dict(card.arguments))
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in load(raw).items()}
    network.load_state_dict(tensors, assign=True)
    return network


def _tensors(network: Any) -> Iterator[tuple[str, Any]]:
    """List all that a network computes with."""
    yield from network.named_parameters(remove_duplicate=False)
    yield from network.named_buffers(remove_duplicate=False)


def _release() -> None:
    """Give memory of dropped models back to the GPU."""
    module = torch()
    if module.cuda.is_available():
        module.cuda.empty_cache()
    elif module.backends.mps.is_available():
        module.mps.empty_cache()
