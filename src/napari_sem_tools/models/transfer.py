"""Models in and out: from one file, from an address, to one file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO

from napari_sem_tools.errors import InvalidSettings, SemError
from napari_sem_tools.models.archive import (
    CARD,
    MAX_ARCHIVE_BYTES,
    Archive,
    open_archive,
    write_archive,
)
from napari_sem_tools.models.card import MAX_CARD_BYTES, ModelCard
from napari_sem_tools.models.store import Store
from napari_sem_tools.models.weights import describe, sha256_of, wrong_hash
from napari_sem_tools.tasks import Cancel, Progress, part_of

__all__ = ["KINDS", "export_model", "import_model"]

KINDS = ("sem", "bioimage.io")
_PICKLED = (".pt", ".pth", ".ckpt", ".bin")
_LOADING = 0.8  # share of the progress that loading from the web takes


def import_model(
    store: Store,
    source: str | Path,
    *,
    sha256: str | None = None,
    card: ModelCard | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> ModelCard:
    """Keep a model in the user's folder.

    Parameters
    ----------
    store : Store
    source : path-like or str
        A ``.zip`` made by `export_model` or for bioimage.io; a ``.safetensors`` file, or a
        ``.pth`` file of tensors, with a card; or the web address of a ``.zip``.
    sha256 : str, optional
        Hash of the file.  An address cannot do without.
    card : ModelCard, optional
        For a bare file of weights; its entry `weights` is made anew from the file.
    progress, cancel : callable, optional

    Returns
    -------
    ModelCard

    Raises
    ------
    UntrustedModel
        Damaged, changed, hostile, or another model under a taken name and version.
    ModelNotFound
        The address cannot be reached.
    """
    if str(source).startswith(("https://", "http://")):
        return _from_address(store, str(source), sha256, progress=progress, cancel=cancel)
    path = Path(source)
    if sha256 is not None and sha256_of(path, cancel=cancel) != sha256.lower():
        raise wrong_hash(path)
    if path.suffix == ".safetensors" or path.suffix in _PICKLED:
        return _from_weights(store, path, card, progress=progress, cancel=cancel)
    with open_archive(path) as archive:
        if CARD in archive.names:
            return _from_archive(store, archive, progress=progress, cancel=cancel)
        from napari_sem_tools.models import bioimageio

        return bioimageio.import_package(store, archive, progress=progress, cancel=cancel)


def export_model(
    store: Store, name: str, path: Path, *, kind: str = "sem", overwrite: bool = False
) -> Path:
    """Write a model as one file that `import_model` takes anywhere.

    Parameters
    ----------
    store : Store
    name : str
    path : Path
        A folder (the file is then called ``name-version.zip``), or the file.
    kind : str
        ``sem``: card and weights.  ``bioimage.io``: a package for other programs.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file; the same model gives the same bytes.

    Raises
    ------
    OutputExists
        The file is there and was not to be replaced.
    UntrustedModel
        The weights are not those of the card.
    """
    if kind not in KINDS:
        raise InvalidSettings(f"kind = {kind!r} is not one of {', '.join(KINDS)}.")
    weights = store.weights(name)
    card = store.find(name).card
    if path.is_dir():
        path = path / f"{card.name}-{card.version}.zip"
    if path.suffix != ".zip":
        raise InvalidSettings(f"{path} does not end in .zip.", hint="A model is one .zip file.")
    if kind == "bioimage.io":
        from napari_sem_tools.models import bioimageio

        return bioimageio.export_package(card, weights, path, overwrite=overwrite)
    contents: dict[str, bytes | Path] = {CARD: card.to_json().encode(), card.weights.file: weights}
    return write_archive(path, contents, overwrite=overwrite)


def _from_address(
    store: Store,
    url: str,
    sha256: str | None,
    *,
    progress: Progress | None,
    cancel: Cancel | None,
) -> ModelCard:
    """Load an archive from the web, keep the model, and drop the archive."""
    from napari_sem_tools.models.download import fetch

    if sha256 is None:
        raise InvalidSettings(
            f"{url} was given without a SHA-256.",
            hint="Give the hash that its maintainer publishes: it is what makes it trusted.",
        )
    path = fetch(
        url,
        sha256,
        folder=store.user_folder.parent / "downloads",
        max_bytes=MAX_ARCHIVE_BYTES,
        progress=part_of(progress, 0, _LOADING),
        cancel=cancel,
    )
    card = import_model(store, path, progress=part_of(progress, _LOADING, 1), cancel=cancel)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return card


def _from_archive(
    store: Store, archive: Archive, *, progress: Progress | None, cancel: Cancel | None
) -> ModelCard:
    """Keep the model of an archive of ours."""
    card = ModelCard.from_json(archive.read(CARD, max_bytes=MAX_CARD_BYTES))

    def copy(out: BinaryIO) -> None:
        pieces = archive.chunks(card.weights.file, max_bytes=card.weights.size_bytes, cancel=cancel)
        for piece in pieces:
            out.write(piece)

    return store.add(card, copy, progress=progress, cancel=cancel).card


def _from_weights(
    store: Store,
    path: Path,
    card: ModelCard | None,
    *,
    progress: Progress | None,
    cancel: Cancel | None,
) -> ModelCard:
    """Keep a bare file of weights with the card that was given for it."""
    if card is None:
        raise SemError(
            f"{path} says nothing about its model.",
            hint="Give its card as well: import_file(path, card=ModelCard(...)).",
        )
    if path.suffix == ".safetensors":
        mine = card.replace(weights=describe(path))
        return store.add(mine, path, progress=progress, cancel=cancel).card
    from napari_sem_tools.models.pickles import converted

    data = converted(path, cancel=cancel)
    mine = card.replace(weights=describe(data))
    return store.add(mine, lambda out: out.write(data), progress=progress, cancel=cancel).card
