"""Models in memory: loaded once, leased to whoever runs them, dropped when not needed."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from napari_sem_tools.errors import DeviceOutOfMemory, SemError, SemWarning
from napari_sem_tools.models import devices
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.devices import (
    RuntimeSettings,
    choose_device,
    choose_precision,
    is_out_of_memory,
    runtime_settings,
    torch,
)
from napari_sem_tools.models.loaded import LoadedModel
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
_GUI_HINT = "start with 'sem-tools gui' to avoid that."
_said: set[str] = set()


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
    precision: str
    compiled: bool
    apart: bool = False


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a model is to run: a device, here or in a process of its own, and why there."""

    device: str
    reason: str
    apart: bool = False
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "a process of its own" if self.apart else self.device


@dataclasses.dataclass(eq=False)
class _Slot:
    """A place in the cache; `ready` is set when the model is there or has failed."""

    key: str
    expected_bytes: int
    ready: threading.Event = dataclasses.field(default_factory=threading.Event)
    model: LoadedModel | None = None
    error: BaseException | None = None
    notes: tuple[str, ...] = ()  # of the lease that loaded it
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

    def bury(self) -> None:
        """Forget the models whose process has ended; the lock is held."""
        dead = [k for k, slot in self.slots.items() if slot.model and not slot.model.alive]
        for key in dead:
            del self.slots[key]

    def take(self, key: _Key, card: ModelCard) -> tuple[_Slot, bool]:
        """Count a lease; tell whether the caller has to load the model."""
        with self.lock:
            self.bury()
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
        dropped: list[LoadedModel] = []
        with self.lock:
            self.bury()
            idle = [
                place
                for place, slot in self.slots.items()
                if slot.leases == 0 and slot.model is not None and key in (None, slot.key)
            ]
            held = sum(slot.size_bytes for slot in self.slots.values())
            for place in sorted(idle, key=lambda place: self.slots[place].last_use):
                if held <= budget:
                    break
                slot = self.slots.pop(place)
                held -= slot.size_bytes
                freed += slot.size_bytes
                if slot.model is not None:
                    dropped.append(slot.model)
        for model in dropped:
            model.drop()
        if dropped:
            del model, slot
            dropped.clear()
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
    with _lease(store, name, wish, apart=False) as model:
        yield model


@contextlib.contextmanager
def _lease(store: Store, name: str, wish: dict[str, Any], *, apart: bool) -> Iterator[LoadedModel]:
    """Borrow a model; what runs apart is also borrowed apart from another device."""
    settings = runtime_settings(**wish)
    card = store.find(name).card
    place = _place(settings.device, apart)
    slot, notes = _borrow(store, card, settings, place)
    budget = settings.budget_gib * _GIB
    try:
        model = slot.model
        if model is None:
            raise SemError(f"The model {card.key} could not be loaded.")

        def elsewhere(**other: Any) -> contextlib.AbstractContextManager[LoadedModel]:
            return _lease(store, card.key, wish | other, apart=place.apart)

        model = dataclasses.replace(model, settings=settings, elsewhere=elsewhere, notes=notes)
        model.borrow()
        try:
            yield model
        finally:
            model.give_back()
    finally:
        _cache.give_back(slot, budget)


def describe() -> dict[str, str]:
    """Say what PyTorch finds where networks run, here or in a process of its own.

    Returns
    -------
    dict
        See `devices.describe`.

    Raises
    ------
    MissingExtra, SemError
        PyTorch is missing or does not load, there either.
    """
    try:
        place = _place(runtime_settings().device, apart=False)
    except SemError:  # the device asked for is not there, which is said with all the others
        return devices.describe()
    if not place.apart:
        return devices.describe()
    from napari_sem_tools.models import remote

    said = remote.describe_there(place.device)
    return said | {"networks run on": f"a process of their own, there on {said['networks run on']}"}


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
            if (m := slot.model) is not None and m.alive
        )


def _place(wish: str, apart: bool) -> _Place:
    """Choose where a model runs; apart where asked, and where PyTorch came too late here."""
    if apart:
        return _Place(wish, "asked for", apart=True)
    try:
        device, reason = choose_device(wish)
    except SemError as error:
        if not devices.loaded_too_late():
            raise
        text = f"{error.message} Networks therefore run in a process of their own; {_GUI_HINT}"
        _warn_once(text)
        return _Place(wish, error.message, apart=True, notes=(text,))
    if device == "subprocess":
        return _Place("auto", reason, apart=True)
    return _Place(device, reason)


def _warn_once(text: str) -> None:
    """Say it at the first lease; afterwards it stands in the notes of the results alone."""
    if text not in _said:
        _said.add(text)
        warnings.warn(text, SemWarning, stacklevel=2)


def _borrow(
    store: Store, card: ModelCard, settings: RuntimeSettings, place: _Place
) -> tuple[_Slot, tuple[str, ...]]:
    """Return a leased slot whose model is loaded, on the CPU when a GPU is full; and notes."""
    precision = settings.precision
    if not place.apart:
        precision = choose_precision(place.device, precision)
    key = _Key(card.weights.sha256, place.device, precision, settings.compile, place.apart)
    slot, mine = _cache.take(key, card)
    try:
        if mine:
            _log.info("loading %s on %s: %s", card.key, place, place.reason)
            _cache.shrink(settings.budget_gib * _GIB)
            _fill(slot, key, store, card)
        slot.ready.wait()
        if slot.error is None:
            return slot, (*place.notes, *(slot.notes if mine else ()))
        error = slot.error
    except BaseException:
        _cache.give_back(slot, settings.budget_gib * _GIB)
        raise
    _cache.give_back(slot, settings.budget_gib * _GIB)
    if not is_out_of_memory(error):
        raise error
    if place.device == "cpu":
        raise DeviceOutOfMemory(
            f"The memory does not suffice for the weights of {card.key}.",
            hint="Close other programs, unload other models, or choose a smaller model.",
        ) from error
    text = f"The memory of {place} did not suffice for {card.key}; it now uses the CPU."
    warnings.warn(text, SemWarning, stacklevel=2)
    on_cpu = dataclasses.replace(place, device="cpu", reason=text, notes=(*place.notes, text))
    return _borrow(store, card, settings, on_cpu)


def _fill(slot: _Slot, key: _Key, store: Store, card: ModelCard) -> None:
    """Load the model of a place; a failure is told to all who wait, then forgotten."""
    try:
        try:
            slot.model = _load(store, card, key)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or not unload():
                raise
            slot.model = _load(store, card, key)  # once more, with idle models gone
            slot.notes = (f"Idle models were unloaded to make room for {card.key}.",)
            warnings.warn(slot.notes[0], SemWarning, stacklevel=2)
    except BaseException as error:
        slot.error = error
        _cache.forget(key, slot)
        if not is_out_of_memory(error):
            raise
    finally:
        slot.ready.set()


def _load(store: Store, card: ModelCard, key: _Key) -> LoadedModel:
    """Load a model here, or in a process of its own."""
    weights = store.weights(card.key)
    if key.apart:
        from napari_sem_tools.models import remote

        return remote.load(
            weights, card, device=key.device, precision=key.precision, compiled=key.compiled
        )
    from napari_sem_tools.models.loading import load

    precision = choose_precision(key.device, key.precision)
    return load(weights, card, device=key.device, precision=precision, compiled=key.compiled)


def _release() -> None:
    """Give memory of dropped models back to the GPU, if PyTorch was loaded here at all."""
    module = sys.modules.get("torch")
    if module is None or not hasattr(module, "cuda"):
        return
    if module.cuda.is_available():
        module.cuda.empty_cache()
    elif module.backends.mps.is_available():
        module.mps.empty_cache()
