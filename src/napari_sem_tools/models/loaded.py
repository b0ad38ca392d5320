"""A network with its weights on a device, and how it is run over an image."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import DeviceOutOfMemory, SemWarning, UntrustedModel
from napari_sem_tools.models.card import InputSpec, ModelCard
from napari_sem_tools.models.devices import (
    Precision,
    RuntimeSettings,
    free_bytes,
    is_out_of_memory,
    torch,
)
from napari_sem_tools.models.tiling import Maps, Tiling, flipped, predict_tiled
from napari_sem_tools.tasks import Cancel, Progress, part_of, stop_if_cancelled

__all__ = [
    "LoadedModel",
    "asked_cancel",
    "bytes_per_px",
    "cancelling",
    "plan",
    "release",
    "stop_between_layers",
]

_log = logging.getLogger(__name__)

_WHOLE_PX = 2048  # an image up to this edge goes through in one piece if memory allows
_TILE_PX = 512  # smaller ones are mostly halo, larger ones leave the processor's cache ...
_HALOS = 16  # ... unless the halo is so wide that a quarter more would be computed for it
_MOST_MIRROR_PX = 32  # beyond the image there is only its mirror: no use to see more of it
_MOST_TILES = 16  # of one call: more does not fill a GPU better
_PROBE_PX = 64
_MAPS = ("segmentation", "generator")  # tasks whose network answers with an image
_UNKNOWN_BYTES_PX = 1024  # of a network that was not probed
_KEPT = 2.5  # memory of a network in units of its largest layer

_asked = threading.local()  # the cancel of the run in this thread


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network with its weights on a device; several threads may run it at once.

    Attributes
    ----------
    card : ModelCard
    network : torch.nn.Module
    device : str
    precision : {"fp32", "bf16", "fp16"}
    size_bytes : int
        Of the weights.
    bytes_per_px : float
        Memory that a pixel of a tile takes while it goes through.
    settings : RuntimeSettings
    elsewhere : callable
        ``elsewhere(device=...)`` leases the same model on another device.
    notes : tuple of str
        What was done otherwise than asked for when it was leased, a sentence each.
    """

    card: ModelCard
    network: Any
    device: str
    precision: Precision
    size_bytes: int
    bytes_per_px: float = _UNKNOWN_BYTES_PX
    settings: RuntimeSettings = dataclasses.field(default_factory=RuntimeSettings)
    elsewhere: Callable[..., Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def uses_cpu(self) -> bool:
        """True where there is no other device to fall back to."""
        return self.device == "cpu"

    @property
    def alive(self) -> bool:
        """False when it cannot be used any more and has to be loaded anew."""
        return True

    def plan(self, shape: tuple[int, ...]) -> Tiling:
        """Resolve how an image (Y, X) is cut on this device.

        Parameters
        ----------
        shape : (int, int)

        Returns
        -------
        Tiling
        """
        return plan(
            self.card.input,
            (shape[-2], shape[-1]),
            memory=self.memory(),
            bytes_px=self.bytes_per_px,
            tile=self.settings.tile,
            batches=not self.uses_cpu,
        )

    def memory(self) -> int:
        """Return how many bytes tiles may take on its device."""
        return free_bytes(self.device)

    def release(self) -> None:
        """Give memory that PyTorch keeps for later back to the device."""
        release(self.device)

    def borrow(self) -> None:
        """Note that a lease begins."""

    def give_back(self) -> None:
        """Note that a lease ends."""

    def drop(self) -> None:
        """Note that it leaves the cache."""

    def predict(
        self,
        image: Any,
        *,
        out: Any = None,
        prepare: Callable[[Any], NDArray[Any]] | None = None,
        finish: Callable[[Maps], NDArray[Any]] | None = None,
        flips: bool = False,
        notes: list[str] | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Any:
        """Run the network over an image of any size.

        When the memory does not suffice it is tried again with fewer tiles at a time, with
        smaller ones, and on the CPU; each is said by a `SemWarning` and in `notes`.

        Parameters
        ----------
        image : array (Y, X), or (N, Y, X) for a stack
            Numpy, memory-mapped, zarr or dask, read window by window; scaled as the card's
            `input` says, or by `prepare`.  With more than one input channel
            (channels, Y, X) and (N, channels, Y, X).
        out : array, optional
            Where the maps go, e.g. zarr; see `tiling.predict_tiled`.
        prepare : callable, optional
            From a window of `image` to grey values scaled for the network.
        finish : callable, optional
            From finished rows (C, rows, X) to what is kept of them in `out`.
        flips : bool
            Average over the mirrored images: four times as slow, a little surer.
        notes : list, optional
            What was done otherwise than planned is appended, a sentence each.
        progress, cancel : callable, optional
            `progress` is told every tile; `cancel` is asked between the layers of the
            network.

        Returns
        -------
        array
            `out`, or float32 (C, Y, X) or (N, C, Y, X): the card's `outputs`, after their
            activation.

        Raises
        ------
        DeviceOutOfMemory
            Even the smallest tile is too much for the CPU.
        Cancelled
        """
        said = [] if notes is None else notes
        said.extend(text for text in self.notes if text not in said)
        run = _Run(self, prepare, finish, flips, said)
        plane_axes = 2 if self.card.input.channels == 1 else 3
        if image.ndim == plane_axes:
            return run.plane(image, out, progress, cancel)
        if out is None:
            maps = (len(self.card.outputs), *image.shape[-2:])
            out = np.empty((image.shape[0], *maps), np.float32)
        for number in range(image.shape[0]):
            part = part_of(progress, number / image.shape[0], (number + 1) / image.shape[0])
            run.plane(image[number], _plane_of(out, number), part, cancel)
        return out

    def tiles(self, batch: Maps) -> Maps:
        """Run some tiles.

        Parameters
        ----------
        batch : float32 array (N, inputs, Y, X)
            Y and X are multiples of the card's `multiple_of`.

        Returns
        -------
        float32 array (N, C, Y, X)
            After the activation.
        """
        module = torch()
        tensor = module.from_numpy(batch).to(self.device)
        tensor = tensor.contiguous(memory_format=module.channels_last)
        kind = {"bf16": module.bfloat16, "fp16": module.float16}.get(self.precision)
        autocast = contextlib.nullcontext() if kind is None else module.autocast(self.device, kind)
        with module.inference_mode(), autocast:
            maps = _activated(module, self.network(tensor).float(), self.card)
        return np.asarray(maps.cpu().numpy(), np.float32)


def plan(
    spec: InputSpec,
    shape: tuple[int, int],
    *,
    memory: int,
    bytes_px: float,
    tile: int = 0,
    batches: bool = False,
) -> Tiling:
    """Resolve how an image is cut.

    Parameters
    ----------
    spec : InputSpec
        Of the card.
    shape : (int, int)
    memory : int
        Bytes that the tiles may take.
    bytes_px : float
        Bytes that a pixel of a tile takes.
    tile : int
        Largest edge that the user wants; 0: found.
    batches : bool
        Several tiles at a time; on a CPU they gain nothing.

    Returns
    -------
    Tiling

    Examples
    --------
    >>> spec = InputSpec(halo_px=64, multiple_of=32)
    >>> plan(spec, (768, 1024), memory=2**30, bytes_px=256).tile_px
    1088
    >>> plan(spec, (6000, 4000), memory=2**30, bytes_px=256).tile_px
    1024
    """
    border = min(spec.halo_px, _MOST_MIRROR_PX)
    least = _tiling(spec, 1 << 20, border).least_px
    most = math.isqrt(max(int(memory / bytes_px), 1))
    padded = [n + 2 * border + spec.multiple_of - 1 for n in shape]
    whole = max(n // spec.multiple_of * spec.multiple_of for n in padded)
    if tile:
        edge = tile
    elif max(shape) <= _WHOLE_PX and math.prod(padded) <= most**2:
        edge = whole
    else:
        wide = min(max(_HALOS * spec.halo_px, _TILE_PX), _WHOLE_PX)
        edge = min(spec.tile_px or wide, most)
    edge = max(min(edge, max(whole, least)) // spec.multiple_of * spec.multiple_of, least)
    one = _tiling(spec, edge, border)
    if not batches:
        return one
    most_at_once = min(_MOST_TILES, len(one.spans(shape[1])), int(memory / (bytes_px * edge**2)))
    return dataclasses.replace(one, batch=max(most_at_once, 1))


def _tiling(spec: InputSpec, tile: int, border: int) -> Tiling:
    """Make a tiling of a card's halo and grid."""
    return Tiling(tile, halo_px=spec.halo_px, multiple_of=spec.multiple_of, border_px=border)


@dataclasses.dataclass(eq=False)
class _Run:
    """One call of `predict`: what is found out about the memory holds for all its planes."""

    model: LoadedModel
    prepare: Callable[[Any], NDArray[Any]] | None
    finish: Callable[[Maps], NDArray[Any]] | None
    flips: bool
    notes: list[str]
    limits: Tiling | None = None
    on_cpu: bool = False

    def plane(self, image: Any, out: Any, progress: Progress | None, cancel: Cancel | None) -> Any:
        """Run one plane, again with less when memory runs out."""
        progress = _rising(progress)
        while not self.on_cpu:
            with cancelling(cancel):
                tiling = self.limits or self.model.plan(image.shape)
            try:
                return self._tiled(self.model, image, out, tiling, progress, cancel)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                cause = _without_frames(error)
            self._lessen(tiling, cause)
        if self.model.elsewhere is None:
            raise _nothing_helps(self.model)
        with self.model.elsewhere(device="cpu") as twin:
            run = dataclasses.replace(self, model=twin, on_cpu=False, limits=None)
            return run.plane(image, out, progress, cancel)

    def _tiled(
        self,
        model: LoadedModel,
        image: Any,
        out: Any,
        tiling: Tiling,
        progress: Progress | None,
        cancel: Cancel | None,
    ) -> Any:
        """Run one plane with one tiling."""
        _log.info("running %s on %s: %s", model.card.key, model.device, tiling)
        with cancelling(cancel):
            return predict_tiled(
                flipped(model.tiles) if self.flips else model.tiles,
                image,
                tiling=tiling,
                channels=len(model.card.outputs),
                out=out,
                prepare=self.prepare,
                finish=self.finish,
                progress=progress,
                cancel=cancel,
            )

    def _lessen(self, tiling: Tiling, cause: BaseException) -> None:
        """Take fewer tiles, then smaller ones, then the CPU; say so."""
        device = self.model.device
        self.model.release()
        smaller = max(tiling.least_px, tiling.edge_px // 2)
        if tiling.batch > 1:
            self.limits = dataclasses.replace(tiling, batch=tiling.batch // 2)
            what = f"{self.limits.batch} instead of {tiling.batch} tiles at a time"
        elif smaller < tiling.edge_px:
            self.limits = dataclasses.replace(tiling, tile_px=smaller)
            what = f"tiles of {self.limits.edge_px} instead of {tiling.edge_px} px"
        elif not self.model.uses_cpu:
            self.on_cpu = True
            what = "the CPU, which is slower"
        else:
            raise _nothing_helps(self.model) from cause
        self.notes.append(_notice(self.model.card, device, what))


def bytes_per_px(network: Any, card: ModelCard) -> float:
    """Run a small tile and return how much memory a pixel takes; check the answer's shape.

    Parameters
    ----------
    network : torch.nn.Module
        On the CPU, in float32.
    card : ModelCard

    Returns
    -------
    float
        Two and a half times the largest input and output of a layer together: measured,
        with what PyTorch keeps beside them (``docs/design/0005-tiles.md``).

    Raises
    ------
    UntrustedModel
        The network does not give the maps of the card.
    """
    if card.task not in _MAPS:
        return _UNKNOWN_BYTES_PX
    module = torch()
    multiple = card.input.multiple_of
    edge = -(-_PROBE_PX // multiple) * multiple
    most = [0]

    def note(_: Any, given: Any, made: Any) -> None:
        tensors = [t for t in (*given, made) if isinstance(t, module.Tensor)]
        most[0] = max(most[0], sum(t.numel() * t.element_size() for t in tensors))

    leaves = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        with module.inference_mode():
            maps = network(module.zeros(1, card.input.channels, edge, edge))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise UntrustedModel(
            f"The network of {card.key} does not run as its card says: {error}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    wanted = (1, len(card.outputs), edge, edge)
    if tuple(getattr(maps, "shape", ())) != wanted:
        raise UntrustedModel(
            f"The network of {card.key} does not give the {len(card.outputs)} maps of its card.",
            hint="Export it again from where it was made.",
        )
    return _KEPT * most[0] / edge**2


def stop_between_layers(network: Any) -> None:
    """Let a network stop between two layers when the run in its thread is cancelled.

    Parameters
    ----------
    network : torch.nn.Module
    """

    def ask(*_: Any) -> None:
        stop_if_cancelled(asked_cancel())

    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_pre_hook(ask)


def asked_cancel() -> Cancel | None:
    """Return the cancel of the run in this thread."""
    found: Cancel | None = getattr(_asked, "cancel", None)
    return found


@contextlib.contextmanager
def cancelling(cancel: Cancel | None) -> Iterator[None]:
    """Make `cancel` known to the layers that run in this thread.

    Parameters
    ----------
    cancel : callable or None

    Yields
    ------
    None
    """
    before = asked_cancel()
    _asked.cancel = cancel
    try:
        yield
    finally:
        _asked.cancel = before


def _activated(module: Any, logits: Any, card: ModelCard) -> Any:
    """Apply the activation of each output channel, (N, C, ...)."""
    functions = {
        "none": lambda x: x,
        "sigmoid": module.sigmoid,
        "tanh": module.tanh,
        "relu": module.relu,
    }
    kinds = [channel.activation for channel in card.outputs]
    if len(set(kinds)) == 1 and kinds[0] in functions:
        return functions[kinds[0]](logits)
    soft = [n for n, kind in enumerate(kinds) if kind == "softmax"]
    maps = logits.clone()
    if soft:
        maps[:, soft] = module.softmax(logits[:, soft], 1)
    for number, kind in enumerate(kinds):
        if kind != "softmax":
            maps[:, number] = functions[kind](logits[:, number])
    return maps


def _plane_of(out: Any, number: int) -> Any:
    """Return a plane of a stack to write to; zarr's slices are copies."""
    if isinstance(out, np.ndarray):
        return out[number]
    return _Plane(out, number)


@dataclasses.dataclass(frozen=True, eq=False)
class _Plane:
    """Writes rows into one plane of a stack."""

    stack: Any
    number: int

    def __setitem__(self, place: Any, rows: Any) -> None:
        self.stack[(self.number, *place)] = rows


def _rising(progress: Progress | None) -> Progress | None:
    """Never go back, although a plane begins anew with smaller tiles."""
    if progress is None:
        return None
    most = [0.0]
    tell = progress

    def forward(done: int, total: int, what: str) -> None:
        share = done / total if total else 1.0
        if share >= most[0]:
            most[0] = share
            tell(done, total, what)

    return forward


def _notice(card: ModelCard, device: str, what: str) -> str:
    """Say that memory was short and what is done about it."""
    text = f"The memory of {device} did not suffice for {card.key}; it now uses {what}."
    _log.warning(text)
    warnings.warn(text, SemWarning, stacklevel=2)
    return text


def _nothing_helps(model: LoadedModel) -> DeviceOutOfMemory:
    """Make the error for when the smallest tile is too much."""
    return DeviceOutOfMemory(
        f"The memory of {model.device} does not suffice for the smallest tile of {model.card.key}.",
        hint="Close other programs, unload other models, or choose a smaller model.",
    )


def _without_frames(error: BaseException) -> BaseException:
    """Forget where an error was raised: its frames hold the memory that is short."""
    return error.with_traceback(None)


def release(device: str) -> None:
    """Give memory that PyTorch keeps for later back to the device.

    Parameters
    ----------
    device : {"cuda", "mps", "cpu"}
    """
    module = torch()
    if device == "cuda":
        module.cuda.empty_cache()
    elif device == "mps":
        module.mps.empty_cache()
