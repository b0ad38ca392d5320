"""An image and its labels saved into the folder of a training set."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget

from napari_sem_tools.errors import OutputExists, SemError
from napari_sem_tools.layers import from_layer
from napari_sem_tools.layers.grid import UNCALIBRATED
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.widgets.panel import agrees
from napari_sem_tools.widgets.results import image_of, plane_of
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["Sample", "add_to_training_set", "sample_of", "save_sample", "save_training_sample"]

_RESERVED = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # what some system refuses in a file name
_KINDS = ("images", "masks", "ignore")
_remembered = {"folder": ""}  # that was chosen last
_under_way: set[Work] = set()


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """What is saved, taken from the window once: later strokes do not reach it.

    Attributes
    ----------
    name : str
        Of the files.
    image : Micrograph
        One plane.
    mask : int array (Y, X)
    """

    name: str
    image: Micrograph
    mask: NDArray[Any]


def sample_of(viewer: Any) -> Sample:
    """Take the selected labels, or the topmost ones, and the image that they belong to.

    Parameters
    ----------
    viewer : napari viewer

    Returns
    -------
    Sample

    Raises
    ------
    SemError
        There are no labels, or no image of their size.
    """
    from napari.layers import Image, Labels

    chosen = [one for one in viewer.layers.selection if isinstance(one, Labels)]
    every = [one for one in viewer.layers if isinstance(one, Labels)]
    usable = [one for one in chosen or every if "(preview)" not in one.name]
    if not usable:
        raise SemError("There are no labels.", hint="Find particles or draw them first.")
    labels = usable[-1]
    images = [one for one in viewer.layers if isinstance(one, Image)]
    picked = [one for one in images if one in viewer.layers.selection]
    image = image_of(labels, picked) or image_of(labels, images)
    if image is None:
        raise SemError(
            f"No image has the size of {labels.name}.", hint="Open the image of these labels."
        )
    record = plane_of(labels, from_layer(image), viewer)
    mask = np.asarray(labels.data)
    stem = str(image.name).removesuffix(UNCALIBRATED)
    if mask.ndim > 2:
        page = tuple(viewer.dims.current_step[-mask.ndim : -2])
        mask, record = mask[page], record.plane(int(page[-1]))
        stem += f" {'-'.join(map(str, page))}"
    return Sample(_RESERVED.sub("-", stem).strip(". ") or "image", record, mask.copy())


def save_sample(sample: Sample, folder: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write ``images/NAME.tif`` and ``masks/NAME.tif``, and what is to be ignored.

    Parameters
    ----------
    sample : Sample
    folder : Path
        Of the training set; made if it is not there.
    overwrite : bool
        Take the place of files of this name.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    OutputExists
        The training set has files of this name.
    SemError
        A file cannot be written.
    """
    earlier = _files(sample.name, folder)
    if earlier and not overwrite:
        listed = ", ".join(path.relative_to(folder).as_posix() for path in earlier)
        raise OutputExists(f"{folder.name} already has {listed}.", hint="Overwrite it, or rename.")
    image, places = sample.image, {}
    for kind, place in _places(folder).items():
        places[kind] = place / f"{sample.name}.tif"
    written = [
        write_tiff(places["images"], image.grey, calibration=image.calibration),
        write_tiff(places["masks"], sample.mask, calibration=image.calibration),
    ]
    if not image.field.all():  # the strip and letters are not found again in a plain TIFF
        written.append(write_tiff(places["ignore"], (~image.field).astype(np.uint8)))
    for path in earlier:
        if path not in written:
            path.unlink(missing_ok=True)
    return tuple(written)


def add_to_training_set(viewer: Any, folder: Path, parent: QWidget | None) -> Any:
    """Return the work that saves the current sample, after asking whether to overwrite.

    Parameters
    ----------
    viewer : napari viewer
    folder : Path
    parent : QWidget or None
        Of the question.

    Returns
    -------
    callable or None
        Called as ``job(progress, cancel)``; None when the user does not want it.

    Raises
    ------
    SemError
        There is nothing to save.
    """
    sample = sample_of(viewer)
    earlier = _files(sample.name, folder)
    if earlier and not _asked(parent, sample.name, folder):
        return None
    return lambda progress, cancel: save_sample(sample, folder, overwrite=bool(earlier))


def save_training_sample() -> Any:
    """Save the current image and labels into a training set that the user chooses."""
    import napari
    from napari.utils.notifications import show_info

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    parent = QApplication.activeWindow()
    try:
        sample_of(viewer)  # before anybody chooses a folder for nothing
        name = QFileDialog.getExistingDirectory(
            parent, "Training set to add to", _remembered["folder"]
        )
        if not name:
            return None
        _remembered["folder"] = name
        job = add_to_training_set(viewer, Path(name), parent)
    except SemError as error:
        show_info(f"{error.message} {error.hint}".strip())
        return None
    return None if job is None else _in_the_background(job)


def _in_the_background(job: Callable[..., Any]) -> Work:
    """Do the work off the GUI thread, and say how it ended."""
    from napari.utils.notifications import show_info

    work = Work()
    _under_way.add(work)

    def done(outcome: Outcome) -> None:
        _under_way.discard(work)
        if outcome.error is not None:
            show_info(f"{outcome.error.message} {outcome.error.hint}".strip())
        elif outcome.value:
            show_info(f"Saved as training sample: {outcome.value[0]}")

    work.finished.connect(done)
    work.start(job, "Saving a training sample")
    return work


def _places(folder: Path) -> dict[str, Path]:
    """Return the folders of a training set; one that has ``labels`` keeps it."""
    places = {kind: folder / kind for kind in _KINDS}
    if not places["masks"].is_dir() and (folder / "labels").is_dir():
        places["masks"] = folder / "labels"
    return places


def _files(name: str, folder: Path) -> list[Path]:
    """List the files of a name, whatever they end in."""
    every = [place.iterdir() for place in _places(folder).values() if place.is_dir()]
    return sorted(path for paths in every for path in paths if path.stem == name)


def _asked(parent: QWidget | None, name: str, folder: Path) -> bool:
    """Ask whether files may be overwritten."""
    text = f"{folder.name} already has an image {name}. Overwrite it and its mask?"
    return agrees(parent, "Training sample", text)
