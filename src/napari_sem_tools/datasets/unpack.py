"""An archive of images to a folder of images: nothing but good pictures under plain names."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.files import write_file, write_text
from napari_sem_tools.tasks import Cancel, stop_if_cancelled

__all__ = ["LIST_NAME", "unpack", "why_not"]

LIST_NAME: Final = "images.csv"
_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
_PLAIN: Final = re.compile(r"[\w][\w .()+-]*")
_MAX_BYTES: Final = 256 << 20  # of one image
_LEAST_PX: Final = 2


def unpack(
    archive: Path, folder: Path, category: str, *, cancel: Cancel | None = None
) -> tuple[int, dict[str, str]]:
    """Unpack the images of a tar into a new folder, with a list of them.

    Parameters
    ----------
    archive : Path
    folder : Path
        Empty or absent.  ``images.csv`` in it lists ``file``, ``category``, ``sha256``,
        ``size_bytes``, ``width_px``, ``height_px``.
    category : str
    cancel : callable, optional

    Returns
    -------
    int, dict of str to str
        How many images were written, and why others were not, by name.  Folders of the
        archive are dropped, hidden files and what is no image by name passed by.

    Raises
    ------
    UnreadableFile
        It is no whole tar.
    Cancelled
    """
    rows: list[tuple[str, str, str, int, int, int]] = []
    skipped: dict[str, str] = {}
    seen: set[str] = set()
    for name, content in _members(archive):
        stop_if_cancelled(cancel)
        reason, size = ("there are two of this name", (0, 0)) if name in seen else why_not(content)
        if not reason and not _PLAIN.fullmatch(name):
            reason = "its name is not plain"
        seen.add(name)
        if reason:
            skipped[name] = reason
            continue
        write_file(folder / name, content)
        digest = hashlib.sha256(content).hexdigest()
        rows.append((name, category, digest, len(content), *size))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", "category", "sha256", "size_bytes", "width_px", "height_px"))
    table.writerows(sorted(rows))
    write_text(folder / LIST_NAME, text.getvalue())
    return len(rows), skipped


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Give the images of a tar one after the other, by the last part of their names."""
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                name = member.name.replace("\\", "/").rpartition("/")[2]
                if not member.isfile() or name.startswith("."):
                    continue
                if Path(name).suffix.lower() not in _SUFFIXES:
                    continue
                if member.size > _MAX_BYTES:
                    yield name, b""
                    continue
                file = tar.extractfile(member)
                yield name, b"" if file is None else file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UnreadableFile(
            f"{archive.name} is no whole archive: {error}.", hint="Delete it and fetch it again."
        ) from error


def why_not(content: bytes) -> tuple[str, tuple[int, int]]:
    """Tell why a picture is not taken, and its width and height.

    Parameters
    ----------
    content : bytes
        Of the file.

    Returns
    -------
    str, (int, int)
        Empty for a picture that can be decoded to its end.

    Examples
    --------
    >>> why_not(b"no picture")
    ('it is no picture or damaged', (0, 0))
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as picture:
                picture.load()
                size, mode = picture.size, picture.mode
    except Exception:  # noqa: BLE001  a damaged picture ends here, and is named
        return "it is no picture or damaged", (0, 0)
    if min(size) < _LEAST_PX:
        return f"it has {size[0]} x {size[1]} px", size
    return ("its colours are those of print (CMYK)" if mode == "CMYK" else ""), size
