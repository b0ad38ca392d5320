"""Files of weights: hashed, and their header read, without torch and without loading.

A safetensors file is eight bytes of length, a JSON header with name, type, shape and
place of every tensor, and the bytes.  It runs no code; what is left to check is that the
header tells the truth.

References
----------
.. [1] safetensors, format description, https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from napari_sem_tools.errors import UnreadableFile, UntrustedModel
from napari_sem_tools.models import strict_json
from napari_sem_tools.models.card import MAX_WEIGHTS_BYTES, WeightsFile
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = [
    "TensorSpec",
    "check_shapes",
    "describe",
    "open_regular",
    "read_header",
    "read_verified",
    "sha256_of",
]

_BYTES_PER_ITEM = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
    "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4,
    "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
_MAX_HEADER_BYTES = 16 * 1024**2
_MAX_HEADER_DEPTH = 4
_MAX_TENSORS = 100_000
_MAX_DIMENSIONS = 8
_CHUNK = 4 * 1024**2


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """Type (as safetensors calls it, e.g. ``F32``) and shape of a tensor in a file."""

    dtype: str
    shape: tuple[int, ...]


@contextlib.contextmanager
def open_regular(path: Path, *, max_bytes: int = MAX_WEIGHTS_BYTES) -> Iterator[BinaryIO]:
    """Open a file for reading that is a plain file of bearable size.

    Parameters
    ----------
    path : Path
        A link, a pipe, a device and a folder are refused.
    max_bytes : int
        Limit of the size.

    Yields
    ------
    binary file

    Raises
    ------
    UntrustedModel
        It is not a plain file, or it is too large.
    UnreadableFile
        It is missing or may not be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe must not hang us
    try:
        if path.is_symlink():
            raise UntrustedModel(f"{path} is a link; only the file itself is read.")
        descriptor = os.open(path, flags)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(f"{path} could not be read: {reason}.") from error
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise UntrustedModel(f"{path} is not a plain file.")
        if state.st_size > max_bytes:
            raise UntrustedModel(f"{path} has {state.st_size} bytes; at most {max_bytes} are read.")
        yield file


def sha256_of(path: Path, *, progress: Progress | None = None, cancel: Cancel | None = None) -> str:
    """Return the SHA-256 of a plain file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        total, done = os.fstat(file.fileno()).st_size, 0
        while chunk := file.read(_CHUNK):
            stop_if_cancelled(cancel)
            digest.update(chunk)
            done += len(chunk)
            report(progress, done, total, f"checking {path.name}")
    return digest.hexdigest()


def describe(
    source: Path | bytes, *, file: str = "weights.safetensors", url: str = ""
) -> WeightsFile:
    """Make the card's entry for a file of weights, after reading its header.

    Parameters
    ----------
    source : Path or bytes
        A safetensors file, or what it holds.
    file : str
        Name it gets beside the card.
    url : str
        Address it can be loaded from.

    Returns
    -------
    WeightsFile
    """
    read_header(source)
    if isinstance(source, bytes):
        return WeightsFile(file, hashlib.sha256(source).hexdigest(), len(source), url)
    return WeightsFile(file, sha256_of(source), source.stat().st_size, url)


def read_verified(path: Path, weights: WeightsFile) -> bytes:
    """Read a file of weights into memory and check it, so that what is used is what was checked.

    Parameters
    ----------
    path : Path
    weights : WeightsFile
        Size and hash from the card.

    Returns
    -------
    bytes

    Raises
    ------
    UntrustedModel
        Size or hash differ from the card's.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read() if size == weights.size_bytes else b""
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise wrong_hash(path)
    return data


def wrong_hash(path: Path | str) -> UntrustedModel:
    """Return the error of a file that is not the one of its card."""
    return UntrustedModel(
        f"{path} does not match the SHA-256 of its card, so it is damaged or was changed.",
        hint="Import the model again from where you got it.",
    )


def read_header(source: Path | bytes) -> dict[str, TensorSpec]:
    """Read names, types and shapes of the tensors in a safetensors file.

    Parameters
    ----------
    source : Path or bytes
        The file, or what it holds.

    Returns
    -------
    dict of TensorSpec
        By name, in the order of the header.

    Raises
    ------
    UntrustedModel
        The header is no valid one: too long, unknown types, or tensors that do not fill
        the file without holes and overlaps.
    """
    if isinstance(source, bytes):
        return _read_header(io.BytesIO(source), len(source), "The file of weights")
    with open_regular(source) as file:
        return _read_header(file, os.fstat(file.fileno()).st_size, str(source))


def _read_header(file: BinaryIO, size: int, what: str) -> dict[str, TensorSpec]:
    """Read and check the header of an open file."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > size - 8:
        raise UntrustedModel(f"{what} is not a safetensors file.")
    if length > _MAX_HEADER_BYTES:
        raise UntrustedModel(
            f"The header of {what} has {length} bytes; at most {_MAX_HEADER_BYTES} are read."
        )
    header = strict_json.parse(
        file.read(length),
        what=f"The header of {what}",
        max_bytes=_MAX_HEADER_BYTES,
        max_depth=_MAX_HEADER_DEPTH,
    )
    if not isinstance(header, dict) or len(header) > _MAX_TENSORS:
        raise UntrustedModel(
            f"The header of {what} is not a table of at most {_MAX_TENSORS} tensors."
        )
    header.pop("__metadata__", None)
    places = {name: _place(name, row, what) for name, row in header.items()}
    _check_places([(first, stop) for _, first, stop in places.values()], size - 8 - length, what)
    return {name: spec for name, (spec, _, _) in places.items()}


def check_shapes(found: Mapping[str, TensorSpec], expected: Mapping[str, Sequence[int]]) -> None:
    """Refuse weights whose tensors are not those of the architecture, before allocating them.

    Parameters
    ----------
    found : dict of TensorSpec
        From `read_header`.
    expected : dict of shapes
        From the architecture, e.g. built on the ``meta`` device.

    Raises
    ------
    UntrustedModel
        A tensor is missing, unknown, or of another shape.
    """
    for name, shape in expected.items():
        if name not in found:
            raise UntrustedModel(f"The weights lack {name!r}, which the architecture needs.")
        if found[name].shape != tuple(shape):
            raise UntrustedModel(
                f"{name!r} in the weights has shape {found[name].shape}, "
                f"where the architecture needs {tuple(shape)}."
            )
    for name in found:
        if name not in expected:
            raise UntrustedModel(f"The weights hold {name[:80]!r}, unknown to the architecture.")


def _place(name: str, row: Any, what: str) -> tuple[TensorSpec, int, int]:
    """Read one row of the header: type, shape, first and last byte."""
    try:
        dtype, shape, (first, stop) = row["dtype"], tuple(row["shape"]), row["data_offsets"]
        numbers = (*shape, first, stop)
        fits = all(type(n) is int and 0 <= n < 2**63 for n in numbers)
        fits = fits and len(shape) <= _MAX_DIMENSIONS and len(row) == 3
        wanted = _BYTES_PER_ITEM[dtype] * math.prod(shape) if fits else -1
    except (KeyError, TypeError, ValueError) as error:
        raise UntrustedModel(f"The header of {what} describes {name[:80]!r} wrongly.") from error
    if not fits or stop - first != wanted:
        raise UntrustedModel(
            f"The header of {what} gives {name[:80]!r} a size that is not its own."
        )
    return TensorSpec(dtype, shape), first, stop


def _check_places(places: list[tuple[int, int]], size: int, what: str) -> None:
    """Refuse holes, overlaps and bytes that belong to no tensor."""
    end = 0
    for first, stop in sorted(places):
        if first != end:
            raise UntrustedModel(f"The tensors of {what} overlap or leave holes.")
        end = stop
    if end != size:
        raise UntrustedModel(f"{what} has {size} bytes of tensors, where its header says {end}.")
