"""Open the images of a training set once: their pictures, and what near-duplicates show by."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.embedding import embed
from napari_sem_tools.classification.look import Look, picture_of
from napari_sem_tools.errors import InvalidTrainingSet, SemError
from napari_sem_tools.reading.inputs import as_micrograph
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled
from napari_sem_tools.training.classification.duplicates import THUMB, thumb_of
from napari_sem_tools.training.classification.listing import ListedImage

__all__ = ["Fault", "LookedAt", "look_at_all"]

_READERS: Final = min(4, os.cpu_count() or 1)
_NAMED: Final = 5
_MOST_IN_MEMORY: Final = 1 << 30  # bytes of pictures


@dataclasses.dataclass(frozen=True)
class Fault:
    """An image that cannot be used, and why."""

    file: str
    reason: str

    def __str__(self) -> str:
        """Write it in one line."""
        return f"{self.file}: {self.reason}"


@dataclasses.dataclass(frozen=True, eq=False)
class LookedAt:
    """Images that were opened.

    Attributes
    ----------
    images : tuple of ListedImage
        Those that can be used.
    pictures : uint8 array (N, rows, columns)
    digests : list of str (N,)
        SHA-256 of the field, equal for images of equal pixels.
    thumbs : float32 array (N, 48, 64)
    vectors : float32 array (N, 90)
        Of their texture; without rows where near-duplicates are not looked for.
    faults : tuple of Fault
    """

    images: tuple[ListedImage, ...]
    pictures: NDArray[np.uint8]
    digests: list[str]
    thumbs: NDArray[np.float32]
    vectors: NDArray[np.float32]
    faults: tuple[Fault, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class _Seen:
    """One image that was opened."""

    picture: NDArray[np.uint8]
    digest: str
    thumb: NDArray[np.float32]
    vector: NDArray[np.float32]


def look_at_all(
    images: Sequence[ListedImage],
    look: Look,
    *,
    compare: bool,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> LookedAt:
    """Open all images of a set; what cannot be used is named, and the others are done.

    Parameters
    ----------
    images : sequence of ListedImage
    look : Look
    compare : bool
        Whether near-duplicates will be looked for.
    progress, cancel : callable, optional

    Returns
    -------
    LookedAt

    Raises
    ------
    InvalidTrainingSet
        No image can be used.
    Cancelled
    """
    kept: list[ListedImage] = []
    faults: list[Fault] = []
    digests: list[str] = []
    pictures = _room((len(images), look.rows, look.columns))
    thumbs = np.empty((len(images), *THUMB), np.float32)
    vectors: list[NDArray[np.float32]] = []
    for number, (image, future) in enumerate(_opened(images, look, compare)):
        stop_if_cancelled(cancel)
        report(progress, number, len(images), "reading the images")
        try:
            seen = future.result()
        except SemError as error:
            faults.append(Fault(image.name, error.message))
            continue
        pictures[len(kept)], thumbs[len(kept)] = seen.picture, seen.thumb
        digests.append(seen.digest)
        vectors.append(seen.vector)
        kept.append(image)
    if not kept:
        each = list(dict.fromkeys(str(fault) for fault in faults))  # a CSV may name one twice
        raise InvalidTrainingSet(
            "No image of the set can be used: " + "; ".join(each[:_NAMED]),
            hint="Give a folder with a folder per category, or a CSV with the columns path and "
            "category.",
        )
    return LookedAt(
        tuple(kept),
        pictures[: len(kept)],
        digests,
        thumbs[: len(kept)],
        np.stack(vectors),
        tuple(faults),
    )


def _room(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Make room for pictures: in memory, or for many in a file without a name."""
    if np.prod(shape, dtype=np.int64) <= _MOST_IN_MEMORY:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as file:  # the map keeps it; nothing is left behind
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _opened(
    images: Sequence[ListedImage], look: Look, compare: bool
) -> Iterator[tuple[ListedImage, Future[_Seen]]]:
    """Open the next images while one is taken; only a few are in memory."""
    with ThreadPoolExecutor(_READERS) as pool:
        coming: collections.deque[tuple[ListedImage, Future[_Seen]]] = collections.deque()
        try:
            for image in images:
                coming.append((image, pool.submit(_look, image, look, compare)))
                if len(coming) > _READERS:
                    yield coming.popleft()
            while coming:
                yield coming.popleft()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _look(image: ListedImage, look: Look, compare: bool) -> _Seen:
    """Open one image."""
    record = as_micrograph(image.path).plane()
    picture = picture_of(record, look)[0]
    small = look.replace(rows=THUMB[0], columns=THUMB[1], strip="out")
    thumb = picture_of(record, small)[0] if compare else np.zeros(THUMB, np.uint8)
    digest = hashlib.sha256(f"{record.shape} ".encode())
    digest.update(np.ascontiguousarray(np.where(record.field, record.grey, 0)).data)
    vector = embed(record, model="texture") if compare else np.zeros(0, np.float32)
    return _Seen(picture, digest.hexdigest(), thumb_of(thumb), vector)
