"""Which label image belongs to which: single files, folders and folders of results."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings, UnreadableFile

__all__ = ["Pair", "named_pairs", "pair_files", "read_labels"]

_LABELS = (".png", ".tif", ".tiff", ".npy")
_IMAGES = (*_LABELS, ".jpg", ".jpeg", ".bmp", ".dm3", ".dm4", ".emd", ".ser", ".mrc")
_TRUTH_FOLDERS = ("masks", "labels")  # of a data set
_FOUND_FOLDERS = ("labels", "masks")  # of results
_NAMED = 5  # missing files are named up to here


@dataclasses.dataclass(frozen=True)
class Pair:
    """A true and a found label image, and the picture they belong to.

    Attributes
    ----------
    name : str
        Name of the files without suffix.
    truth : Path
    predicted : Path or None
        None: nothing was found there.
    image : Path or None
    """

    name: str
    truth: Path
    predicted: Path | None
    image: Path | None = None

    def labels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Read the true and the found labels.

        Returns
        -------
        (int64 array (Y, X), int64 array (Y, X))

        Raises
        ------
        InvalidSettings
            A file is no label image.
        UnreadableFile, UnknownFormat
            As `read`.
        """
        truth = read_labels(self.truth)
        found = np.zeros_like(truth) if self.predicted is None else read_labels(self.predicted)
        return truth, found


def pair_files(
    truth: str | os.PathLike[str],
    predicted: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    *,
    missing_is_empty: bool = False,
) -> list[Pair]:
    """Pair two label images, or those of two folders by their names.

    Parameters
    ----------
    truth : path
        A label image, a folder of them, or a data set with a folder ``masks`` or ``labels``.
    predicted : path
        A label image, a folder of them, or a folder of results with a folder ``labels``.
    images : path, optional
        The image or the folder of images; by default ``images`` in the data set.
    missing_is_empty : bool
        Where no label image was predicted, nothing was found; else that is an error.

    Returns
    -------
    list of Pair
        By name.

    Raises
    ------
    InvalidSettings
        A file beside a folder, no label images, or predictions that are missing.
    UnreadableFile
        There is no such file or folder.
    """
    one, other = Path(truth), Path(predicted)
    for path in (one, other, *([Path(images)] if images is not None else [])):
        if not path.exists():
            raise UnreadableFile(f"There is no {path}.", hint="Check the path.")
    if one.is_dir() != other.is_dir():
        raise InvalidSettings(
            f"{one} and {other} are a file and a folder.",
            hint="Compare two label images, or two folders of them.",
        )
    if not one.is_dir():
        found = Path(images) if images is not None else None
        picture = _by_name(found, _IMAGES).get(one.stem) if found and found.is_dir() else found
        return [Pair(one.stem, one, other, picture)]
    truths = _by_name(_inner(one, _TRUTH_FOLDERS), _LABELS)
    predictions = _by_name(_inner(other, _FOUND_FOLDERS), _LABELS)
    if not truths:
        raise InvalidSettings(
            f"{one} holds no label images.", hint=f"They end in {', '.join(_LABELS)}."
        )
    missing = [name for name in truths if name not in predictions]
    if missing and not missing_is_empty:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise InvalidSettings(
            f"{other} has nothing for {', '.join(missing[:_NAMED])}{more}.",
            hint="The names must be those of the truth; --missing-is-empty counts them as empty.",
        )
    where = Path(images) if images is not None else one / "images"
    pictures = _by_name(where, _IMAGES) if where.is_dir() else {}
    return [Pair(n, p, predictions.get(n), pictures.get(n)) for n, p in truths.items()]


def named_pairs(truth: Any, predicted: Any) -> Iterator[tuple[str, Any, Any]]:
    """List name, true and found labels of arrays, of lists of arrays or of files.

    Parameters
    ----------
    truth, predicted : int array, Segmentation, path, or lists of as many arrays
        Files are read one after the other.

    Yields
    ------
    (str, int array, int array)

    Raises
    ------
    InvalidSettings
        Not as many of the one as of the other.
    """
    if isinstance(truth, (str, os.PathLike)):
        for pair in pair_files(truth, predicted):
            yield (pair.name, *pair.labels())
        return
    if not isinstance(truth, (list, tuple)):
        truth, predicted = [truth], [predicted]
    if len(truth) != len(predicted):
        raise InvalidSettings(f"{len(truth)} true images, {len(predicted)} predicted ones.")
    for number, (one, other) in enumerate(zip(truth, predicted, strict=True), 1):
        yield f"image {number}", one, other


def read_labels(path: str | os.PathLike[str]) -> NDArray[np.int64]:
    """Read a label image of any format, ``.npy`` among them.

    Parameters
    ----------
    path : path

    Returns
    -------
    int64 array (Y, X)

    Raises
    ------
    InvalidSettings
        It holds fractions, or is a picture in colour.
    UnreadableFile, UnknownFormat
        As `read`.
    """
    stored = _stored(Path(path))
    if stored.ndim != 2:
        raise InvalidSettings(
            f"{path} is no label image: its shape is {stored.shape}.",
            hint="A label image is (Y, X), one number a particle.",
        )
    if stored.dtype.kind == "f" and not np.array_equal(stored, np.round(stored)):
        raise InvalidSettings(
            f"{path} is no label image: it holds fractions.",
            hint="The true label image comes first, then the predicted one.",
        )
    return stored.astype(np.int64)


def _stored(path: Path) -> NDArray[Any]:
    """Read the pixels as they are kept."""
    if path.suffix.lower() != ".npy":
        from napari_sem_tools.reading import read

        return np.asarray(read(path).pixels)
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path} is no array that can be read.") from error


def _inner(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the folder of labels within a data set or within results."""
    return next((folder / name for name in names if (folder / name).is_dir()), folder)


def _by_name(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Map name to file; refuse two files of one name."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes)
    out: dict[str, Path] = {}
    for path in files:
        if path.stem in out:
            raise InvalidSettings(
                f"{folder} holds {out[path.stem].name} and {path.name}.",
                hint="Keep one label image per name.",
            )
        out[path.stem] = path
    return out
