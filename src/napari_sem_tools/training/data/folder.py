"""A training set on disk: a folder with images and masks, checked before anything is learned.

::

    FOLDER/
    ├── images/NAME.*     micrographs of any format that `read` knows
    ├── masks/NAME.*      label images, or classes; ``labels/`` is taken as well
    ├── ignore/NAME.*     optional: other than 0 where nothing counts, or regions as a file
    ├── classes.csv       optional: value, name, colour
    └── images.csv        optional: a row an image, e.g. with the column ``group``
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidTrainingSet, SemError
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled
from napari_sem_tools.training.data.tables import ClassRow, read_classes, read_groups

__all__ = [
    "CheckedFolder",
    "Fault",
    "Pair",
    "Sample",
    "Targets",
    "check_folder",
    "read_pair",
]

Targets = Literal["instances", "classes"]

_MASKS = ("masks", "labels")
_REGIONS = (".roi", ".zip", ".geojson", ".json", ".csv")
_MOST_LISTED = 20  # faults in the text of an error; all of them are in the record
_MOST_CLASSES = 64
_BINARY = "All masks hold one number: pieces that do not touch are taken as particles."


@dataclasses.dataclass(frozen=True)
class Sample:
    """An image with its mask, its ignored regions and the specimen that it belongs to.

    `digest` and `mask_digest` are the SHA-256 of the pixels of both, once they were checked;
    that of the mask counts the ignored regions as well.
    """

    name: str
    image: Path
    mask: Path
    ignore: Path | None
    group: str
    digest: str = ""
    mask_digest: str = ""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A file that cannot be used, relative to the folder, and why."""

    file: str
    reason: str

    def __str__(self) -> str:
        """Write both in one line."""
        return f"{self.file}: {self.reason}"


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """An image and its truth in memory.

    Attributes
    ----------
    image : Micrograph
        One plane.
    mask : int64 array (Y, X)
        As in the file.
    ignore : bool array (Y, X)
        True where nothing counts: ignored regions, and what is no field of the image.
    """

    image: Micrograph
    mask: NDArray[np.int64]
    ignore: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class CheckedFolder:
    """What was found in a training-set folder.

    Attributes
    ----------
    path : Path
    targets : {"instances", "classes"}
    samples : tuple of Sample
        The good ones, by name.
    classes : tuple of ClassRow
        Without the background; empty for instances.
    faults : tuple of Fault
    notes : tuple of str
        What wants to be said aloud, e.g. that binary masks were taken apart.
    binary : bool
        All masks hold the same one number: pieces that do not touch are particles.
    """

    path: Path
    targets: Targets
    samples: tuple[Sample, ...]
    classes: tuple[ClassRow, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()
    binary: bool = False

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the specimens, in order."""
        return tuple(dict.fromkeys(sample.group for sample in self.samples))

    def require_good(self) -> CheckedFolder:
        """Return the record itself, or refuse the folder with every bad file.

        Raises
        ------
        InvalidTrainingSet
        """
        if not self.faults:
            return self
        listed = "; ".join(str(fault) for fault in self.faults[:_MOST_LISTED])
        more = len(self.faults) - _MOST_LISTED
        rest = f"; and {more} more" if more > 0 else ""
        raise InvalidTrainingSet(
            f"{self.path} cannot be trained on: {listed}{rest}.",
            hint="'sem-tools train check FOLDER' lists every file that needs a look.",
        )


def check_folder(
    path: str | Path,
    *,
    targets: Targets = "instances",
    group_by: str = "",
    allow_empty: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> CheckedFolder:
    """Look at every file of a training-set folder.

    Parameters
    ----------
    path : path-like
    targets : {"instances", "classes"}
        Whether a mask numbers particles or says the class of every pixel.
    group_by : str, optional
        Which images belong together: a column of ``images.csv`` (or of another CSV of the
        folder), or a regular expression with one group, for names.  By default the column
        ``group``, else every image by itself.
    allow_empty : bool
        Take masks without anything: pictures of the bare ground.
    progress, cancel : callable, optional

    Returns
    -------
    CheckedFolder
        With all faults, not the first alone.

    Raises
    ------
    InvalidTrainingSet
        There are no folders of images and masks, or the CSV is no table.

    Examples
    --------
    >>> check_folder("no-such-folder")
    Traceback (most recent call last):
        ...
    napari_sem_tools.errors.InvalidTrainingSet: no-such-folder has no folder 'images'.
    """
    folder = Path(path)
    images, masks, ignores = _folders(folder)
    faults = [*_partners(folder, images, masks, ignores), *_twice(folder, images, masks, ignores)]
    named = read_classes(folder) if targets == "classes" else ()
    group_of = read_groups(folder, group_by, sorted(images))
    whole = sorted(images.keys() & masks.keys())
    samples, seen = [], _Seen(set())
    for number, name in enumerate(whole):
        stop_if_cancelled(cancel)
        report(progress, number, len(whole), "checking the images")
        ignored = ignores[name][0] if name in ignores else None
        sample = Sample(name, images[name][0], masks[name][0], ignored, group_of[name])
        try:
            samples.append(_checked(sample, folder, targets, named, allow_empty, seen))
        except _BadFile as bad:
            faults.append(bad.fault)
    faults += _same_pixels(folder, samples)
    if not whole and not faults:
        faults.append(Fault("images", "there is no image in it"))
    classes = named or (_classes_seen(seen.values) if targets == "classes" else ())
    if len(classes) > _MOST_CLASSES:
        faults.append(Fault("masks", f"{len(classes)} classes; label images are for instances"))
    binary = targets == "instances" and len(seen.values - {0}) == 1
    notes = (_BINARY,) if binary else ()
    return CheckedFolder(folder, targets, tuple(samples), classes, tuple(faults), notes, binary)


def read_pair(sample: Sample) -> Pair:
    """Read an image, its mask and what is to be ignored.

    Parameters
    ----------
    sample : Sample

    Returns
    -------
    Pair

    Raises
    ------
    SemError
        A file cannot be read.
    """
    from napari_sem_tools.reading import read

    image = read(sample.image).plane(0)
    mask = np.asarray(read(sample.mask).plane(0).pixels).astype(np.int64)
    ignore = ~image.field
    if sample.ignore is not None:
        ignore = ignore | _ignored(sample.ignore, image.shape)
    return Pair(image, mask, ignore)


class _BadFile(Exception):
    """A file that is to be named."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(reason)
        self.fault = Fault(file, reason)


@dataclasses.dataclass
class _Seen:
    """What the masks of a folder hold together."""

    values: set[int]


def _folders(folder: Path) -> tuple[dict[str, list[Path]], ...]:
    """List the files of images, masks and ignored regions by the stem of their names."""
    places = [folder / "images", None, folder / "ignore"]
    places[1] = next((folder / name for name in _MASKS if (folder / name).is_dir()), None)
    for place, name in zip(places[:2], ("images", "masks"), strict=True):
        if place is None or not place.is_dir():
            raise InvalidTrainingSet(
                f"{folder} has no folder {name!r}.",
                hint="A training set has images/NAME.tif and masks/NAME.tif.",
            )
    return tuple(_by_stem(place) for place in places)


def _by_stem(place: Path | None) -> dict[str, list[Path]]:
    """List the files of a folder by the stem of their names; hidden ones are not seen."""
    found: dict[str, list[Path]] = {}
    if place is not None and place.is_dir():
        for path in sorted(place.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                found.setdefault(path.stem, []).append(path)
    return found


def _partners(folder: Path, images: Any, masks: Any, ignores: Any) -> Iterator[Fault]:
    """Name what has no partner."""
    for mine, theirs, what in (
        (images, masks, "there is no mask of this name"),
        (masks, images, "there is no image of this name"),
        (ignores, images, "there is no image of this name"),
    ):
        for name in sorted(mine.keys() - theirs.keys()):
            yield from (Fault(_relative(folder, path), what) for path in mine[name])


def _twice(folder: Path, *kinds: Mapping[str, list[Path]]) -> Iterator[Fault]:
    """Name files whose names differ in the ending alone."""
    for kind in kinds:
        for paths in kind.values():
            for path in paths[1:]:
                yield Fault(_relative(folder, path), f"{paths[0].name} has the same name")


def _checked(
    sample: Sample,
    folder: Path,
    targets: Targets,
    named: tuple[ClassRow, ...],
    allow_empty: bool,
    seen: _Seen,
) -> Sample:
    """Read one sample whole; return it with the digest of its pixels."""
    image = _plane(sample.image, folder)
    mask = _plane(sample.mask, folder)
    _check_mask(mask, image.shape, _relative(folder, sample.mask), allow_empty=allow_empty)
    if sample.ignore is not None:
        try:
            _ignored(sample.ignore, image.shape)
        except SemError as error:
            raise _BadFile(_relative(folder, sample.ignore), _plain(error)) from error
    values = {int(v) for v in np.unique(np.asarray(mask.pixels)).tolist()}
    strange = values - {0} - {row.value for row in named}
    if targets == "classes" and named and strange:
        listed = ", ".join(map(str, sorted(strange)[:5]))
        raise _BadFile(_relative(folder, sample.mask), f"classes.csv has no value {listed}")
    seen.values |= values if len(seen.values) <= _MOST_CLASSES else set()
    marked = [np.asarray(mask.pixels)]
    if sample.ignore is not None:
        marked.append(_ignored(sample.ignore, image.shape))
    digests = [_digest(image.grey), _digest(*marked)]
    return dataclasses.replace(sample, digest=digests[0], mask_digest=digests[1])


def _digest(*arrays: NDArray[Any]) -> str:
    """Hash the values of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _plane(path: Path, folder: Path) -> Micrograph:
    """Read a file that is to hold one picture."""
    from napari_sem_tools.reading import read

    name = _relative(folder, path)
    if path.stat().st_size == 0:
        raise _BadFile(name, "the file is empty")
    try:
        image = read(path)
    except SemError as error:
        raise _BadFile(name, _plain(error)) from error
    if image.n_pages > 1:
        raise _BadFile(name, f"it is a stack of {image.n_pages} pictures")
    return image.plane(0)


def _check_mask(mask: Micrograph, shape: tuple[int, int], name: str, *, allow_empty: bool) -> None:
    """Refuse what is no mask of the image."""
    pixels = np.asarray(mask.pixels)
    if mask.axes.endswith("C"):
        raise _BadFile(name, "it is a colour picture; a mask has one number a pixel")
    if mask.shape != shape:
        sizes = [f"{width} x {height}" for height, width in (mask.shape, shape)]
        raise _BadFile(name, f"it is {sizes[0]} px, the image {sizes[1]} px")
    if not np.isfinite(pixels).all() or not np.array_equal(pixels, np.round(pixels)):
        raise _BadFile(name, "it holds fractions; a mask has whole numbers")
    if pixels.min() < 0:
        raise _BadFile(name, "it holds numbers below 0")
    if not pixels.any() and not allow_empty:
        raise _BadFile(name, "nothing is marked in it")


def _ignored(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a mask, or a file of regions, of what does not count."""
    from napari_sem_tools.reading import read, read_regions, region_mask

    if path.suffix.lower() in _REGIONS:
        return np.asarray(region_mask(read_regions(path), shape), bool)
    marked = np.asarray(read(path).plane(0).grey) != 0
    if marked.shape != shape:
        raise InvalidTrainingSet("it has not the size of the image")
    return np.asarray(marked, bool)


def _same_pixels(folder: Path, samples: Iterable[Sample]) -> Iterator[Fault]:
    """Name images that are the same picture, unless they are of one group anyway."""
    first: dict[str, Sample] = {}
    for sample in samples:
        other = first.setdefault(sample.digest, sample)
        if other.group != sample.group:
            yield Fault(
                _relative(folder, sample.image),
                f"the same picture as {other.image.name}, of another group",
            )


def _classes_seen(values: set[int]) -> tuple[ClassRow, ...]:
    """Make the classes of what the masks hold."""
    marked = sorted(values - {0})
    if len(marked) == 1:
        return (ClassRow(marked[0], "foreground"),)
    return tuple(ClassRow(value, f"class {value}") for value in marked)


def _plain(error: SemError) -> str:
    """Return the sentence of an error without its full stop."""
    return error.message.rstrip(".")


def _relative(folder: Path, path: Path) -> str:
    """Name a file as it is seen from the folder."""
    return path.relative_to(folder).as_posix()
