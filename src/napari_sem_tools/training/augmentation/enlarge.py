"""A training set made larger beforehand, as the TEM paper does it: N images in a new folder."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import OutputExists
from napari_sem_tools.files import replace_folder, write_file, write_text
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training.augmentation.recipes import augment, recipe
from napari_sem_tools.training.data.folder import Targets, check_folder, read_pair

__all__ = ["enlarge"]


def enlarge(
    folder: str | Path,
    out: str | Path,
    count: int,
    *,
    augmentation: str = "RDZ",
    seed: int = 0,
    compat: str = "",
    targets: Targets = "instances",
    group_by: str = "",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Path:
    """Write a training set of `count` images, each a changed one of the set.

    Parameters
    ----------
    folder : path-like
        A training-set folder.
    out : path-like
        Folder to write; it appears whole or not at all.
    count : int
    augmentation : str
        Row of `recipes.RECIPES`.
    seed : int
        Image n is drawn by (seed, n), so that a larger set begins with the smaller one.
    compat : str
        ``"augmentor"``: rates and cuts as the library really has them.
    targets, group_by
        As `check_folder`.
    progress, cancel : callable, optional

    Returns
    -------
    Path
        `out`, with ``images``, ``masks``, ``ignore``, and ``images.csv``, whose column
        ``group`` keeps the versions of one specimen on one side of every split.

    Raises
    ------
    InvalidTrainingSet
        The folder has bad files.
    OutputExists
        `out` is there already.
    """
    recipe(augmentation)
    target = Path(out)
    if target.exists():
        raise OutputExists(f"{target} exists.", hint="Choose another folder.")
    checked = check_folder(folder, targets=targets, group_by=group_by).require_good()
    built = target.with_name(f".{target.name}.enlarged.partial")
    shutil.rmtree(built, ignore_errors=True)
    rows: list[tuple[str, ...]] = []
    try:
        for number in range(count):
            stop_if_cancelled(cancel)
            report(progress, number, count, f"image {number + 1} of {count}")
            rng = np.random.default_rng((seed, number))
            sample = checked.samples[int(rng.integers(len(checked.samples)))]
            pair = read_pair(sample)
            grey, top = _unit(np.asarray(pair.image.grey))
            planes = np.stack([pair.mask, pair.ignore])
            made, planes = augment(grey, planes, augmentation, rng, compat=compat)
            name = f"{number + 1:05d}"
            write_tiff(built / "images" / f"{name}.tif", _stored(made, top))
            write_tiff(built / "masks" / f"{name}.tif", planes[0])
            if planes[1].any():
                write_tiff(built / "ignore" / f"{name}.tif", planes[1].astype(np.uint8))
            rows.append((name, sample.group, sample.name, augmentation))
        write_text(built / "images.csv", _table(rows))
        classes = Path(folder) / "classes.csv"
        if classes.is_file():
            write_file(built / "classes.csv", classes.read_bytes())
        return replace_folder(built, target)
    finally:
        shutil.rmtree(built, ignore_errors=True)


def _unit(grey: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    """Scale grey values so that white is 1; return the value of white as well."""
    top = 255.0 if grey.dtype == np.uint8 else float(np.max(grey, initial=0)) or 1.0
    return np.asarray(grey, np.float32) / np.float32(top), top


def _stored(grey: NDArray[np.float32], top: float) -> NDArray[Any]:
    """Return grey values in 8 bit where they were, else in 16 bit."""
    kind, white = (np.uint8, 255) if top <= 255 else (np.uint16, min(top, 65535))
    return np.asarray(np.clip(np.rint(grey * white), 0, white), kind)


def _table(rows: list[tuple[str, ...]]) -> str:
    """Write where each image is from."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "group", "original", "recipe"))
    writer.writerows(rows)
    return text.getvalue()
