"""The registry: names to cards as a mapping, with everything one does with a model.

`napari_sem_tools.models` is a package and the registry at once: its module has the class
`Registry` (``docs/design/0002-model-registry.md`` says why).  Nothing here imports torch;
what runs a model lies in `runtime` and is imported by the first lease.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from napari_sem_tools.errors import ModelNotFound
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.locations import ModelSettings, places
from napari_sem_tools.models.store import Problem, Store, Verdict
from napari_sem_tools.tasks import Cancel, Progress

__all__ = ["Registry", "Runtime"]

_PACKAGE = __name__.rpartition(".")[0]


class Runtime(Protocol):
    """What the module `runtime` offers to the registry."""

    def lease(self, store: Store, name: str, **wish: Any) -> Any:
        """Return a context manager that gives the loaded model."""

    def unload(self, key: str | None) -> int:
        """Drop one model, or all, that nobody uses; return the bytes freed."""

    def in_memory(self) -> tuple[Any, ...]:
        """Tell what is loaded, where, how large and how often leased."""


class Registry(types.ModuleType, Mapping[str, ModelCard]):
    """A mapping of model names to cards, and the one door to the models.

    ``registry["particles"]`` is the newest version, ``registry["particles@1.0.0"]`` that
    one.  Iterating gives names.  Nothing is kept between two questions but the cards of
    unchanged files, so that a model put into a shared folder is there at once.

    Examples
    --------
    >>> import napari_sem_tools as sem
    >>> "no-such-model" in sem.models
    False
    """

    __hash__ = object.__hash__  # a module is itself, whatever it maps

    def __eq__(self, other: object) -> bool:
        return self is other

    def __bool__(self) -> bool:
        return True  # import machinery asks; len() tells whether there are models

    @property
    def on_disk(self) -> Store:
        """The models on disk."""
        found = self.__dict__.get("_store")
        if found is None:
            found = self.__dict__.setdefault("_store", Store())
        return cast(Store, found)

    def configure(self, settings: ModelSettings | None = None) -> None:
        """Look in other folders from now on, e.g. as napari's preferences say.

        Parameters
        ----------
        settings : ModelSettings, optional
            By default environment and file, asked anew each time.
        """
        self.__dict__["_store"] = Store(None if settings is None else places(settings))

    def __getitem__(self, name: str) -> ModelCard:
        return self.on_disk.find(name).card

    def __iter__(self) -> Iterator[str]:
        return iter(self.on_disk.names())

    def __len__(self) -> int:
        return len(self.on_disk.names())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """Return the card of a model, or `default` when there is none."""
        try:
            return self[name]
        except ModelNotFound:
            return default

    def versions(self, name: str) -> tuple[str, ...]:
        """List the versions of a model, oldest first."""
        return tuple(e.card.version for e in self.on_disk.entries() if e.card.name == name)

    def problems(self) -> tuple[Problem, ...]:
        """List the folders that look like models and are none, with the reason."""
        return self.on_disk.scan()[1]

    def import_file(
        self,
        path: str | Path,
        *,
        sha256: str | None = None,
        card: ModelCard | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> ModelCard:
        """Keep a model from a file or an address; see `transfer.import_model`.

        Parameters
        ----------
        path : path-like or str
            A ``.zip`` made by `export` or for bioimage.io, a file of weights, or a web
            address.
        sha256 : str, optional
            Hash of the file; an address cannot do without.
        card : ModelCard, optional
            For a bare file of weights; its entry `weights` is made anew.
        progress, cancel : callable, optional

        Returns
        -------
        ModelCard
        """
        from napari_sem_tools.models.transfer import import_model

        return import_model(
            self.on_disk, path, sha256=sha256, card=card, progress=progress, cancel=cancel
        )

    def export(
        self, name: str, path: str | Path, *, kind: str = "sem", overwrite: bool = False
    ) -> Path:
        """Write a model as one file; see `transfer.export_model`.

        Parameters
        ----------
        name : str
        path : path-like
            A folder, or a name that ends in ``.zip``.
        kind : str
            ``sem``, or ``bioimage.io`` for other programs.
        overwrite : bool
            Replace an existing file.

        Returns
        -------
        Path
            The file written.
        """
        from napari_sem_tools.models.transfer import export_model

        return export_model(self.on_disk, name, Path(path), kind=kind, overwrite=overwrite)

    def verify(
        self, *, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> tuple[Verdict, ...]:
        """Hash all weights again; see `Store.verify`."""
        return self.on_disk.verify(progress=progress, cancel=cancel)

    def remove(self, name: str) -> ModelCard:
        """Delete one version of a model of yours, from memory and from disk."""
        card = self[name]
        self.unload(card.key)
        return self.on_disk.remove(card.key).card

    def lease(self, name: str, **wish: Any) -> Any:
        """Borrow a model, loaded once for all who use it.

        Parameters
        ----------
        name : str
        **wish
            Device, precision and the like; see `runtime.lease`.

        Returns
        -------
        context manager
            ``with sem.models.lease("particles") as model: ...``; while it is open the
            model is not pushed out of memory.
        """
        import importlib

        runtime = cast(Runtime, importlib.import_module(f"{_PACKAGE}.runtime"))
        return runtime.lease(self.on_disk, name, **wish)

    def unload(self, name: str | None = None) -> int:
        """Drop a model, or all, from memory, unless in use; return the bytes freed."""
        runtime = _loaded_runtime()
        if runtime is None:
            return 0
        return runtime.unload(None if name is None else self[name].key)

    def in_memory(self) -> tuple[Any, ...]:
        """Tell which models are loaded, where, how large and how often leased."""
        runtime = _loaded_runtime()
        return () if runtime is None else runtime.in_memory()


def _loaded_runtime() -> Runtime | None:
    """Return the module that runs models if anybody needed it yet."""
    module = sys.modules.get(f"{_PACKAGE}.runtime")
    # while another thread imports it, it is there without its functions
    whole = hasattr(module, "in_memory") and hasattr(module, "unload")
    return cast(Runtime, module) if whole else None
