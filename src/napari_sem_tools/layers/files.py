"""The reader, the writer and the sample data of the manifest."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem_tools.layers.grid import grid_of, layer_calibration
from napari_sem_tools.layers.records import compact_labels, image_arguments, shown_pixels
from napari_sem_tools.micrograph import Micrograph

__all__ = [
    "napari_get_reader",
    "read_layers",
    "sample_agglomerates",
    "sample_particles",
    "sample_with_data_bar",
    "write_labels",
]

LayerData = tuple[Any, dict[str, Any], str]

_LABELS_KEY = "sem_tools_content"  # a line of the ImageJ description that marks labels
_EXACT_FLOAT32 = 2**24  # whole numbers below it survive float32


def napari_get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader for a file that the suite can read, else None, quickly.

    Parameters
    ----------
    path : str or list of str
        A file, or files that were opened together.

    Returns
    -------
    callable or None
        Called with the path, it returns a list of layer data tuples.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not paths or not all(_can_read(one) for one in paths):
        return None
    return read_layers


def _can_read(path: str | os.PathLike[str]) -> bool:
    """Tell by its first bytes and tags whether a reader of the suite knows the file."""
    from napari_sem_tools.errors import SemError
    from napari_sem_tools.reading.formats import choose
    from napari_sem_tools.reading.source import Source

    try:
        with Source(path) as source:
            choose(source)
    except SemError:
        return False
    return True


def read_layers(path: str | Sequence[str]) -> list[LayerData]:
    """Read files as layers: images calibrated in nm, labels that the suite wrote as labels."""
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    return [layer for one in paths for layer in _read_one(Path(one))]


def _read_one(path: Path) -> list[LayerData]:
    """Read all images of one file as layer data tuples."""
    from napari_sem_tools.reading import read_all

    images = read_all(path)
    layers: list[LayerData] = []
    for number, image in enumerate(images):
        name = image.name if len(images) == 1 else f"{image.name} [{number}]"
        if _holds_labels(image):
            layers.append(_labels_data(image, path))
        else:
            layers.append((shown_pixels(image), image_arguments(image, name), "image"))
    return layers


def _holds_labels(image: Micrograph) -> bool:
    """Say whether `write_labels` made the file."""
    return _LABELS_KEY in str(image.raw_metadata)


def _labels_data(image: Micrograph, path: Path) -> LayerData:
    """Make a labels layer of a file that `write_labels` made, with the table beside it."""
    labels = np.asarray(image.pixels)
    if labels.dtype.kind == "f":
        labels = labels.astype(np.int32)
    arguments: dict[str, Any] = {"name": image.name, "metadata": {}, **grid_of(image)}
    beside = path.with_suffix(".csv")
    if beside.is_file():
        import pandas as pd

        features = pd.read_csv(beside)
        if "index" in features:
            arguments["features"] = features
    return labels, arguments, "labels"


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a labels layer as ImageJ-calibrated TIFF, its table as CSV beside it.

    Parameters
    ----------
    path : str
        Where to write.
    data : int array
        Labels; uint8 and uint16 stay, larger ids become float32 (which ImageJ reads) while
        that is exact, else an integer TIFF that ImageJ cannot read but nothing is lost.
    attributes : dict
        Scale, units, features and metadata as napari hands them over.

    Returns
    -------
    list of str
        The paths written.
    """
    from napari_sem_tools.files import write_file, write_text
    from napari_sem_tools.tiff import write_tiff

    labels = compact_labels(np.asarray(data))
    high = int(np.abs(labels.astype(np.int64)).max(initial=0)) if labels.dtype.kind == "i" else 0
    note = {_LABELS_KEY: "labels"}
    if labels.ndim in (2, 3) and (labels.dtype.itemsize <= 2 or high < _EXACT_FLOAT32):
        calibration = layer_calibration(attributes.get("scale"), attributes.get("units"))
        write_tiff(path, labels, calibration=calibration, metadata=note)
    else:
        import tifffile

        save = functools.partial(
            tifffile.imwrite,
            data=labels,
            compression="deflate",
            metadata=note,
            photometric="minisblack",
        )
        write_file(path, save)
    written = [str(path)]
    features = attributes.get("features")
    if features is not None and "index" in features and len(features):
        beside = Path(path).with_suffix(".csv")
        write_text(beside, features.to_csv(index=False, lineterminator="\n"))
        written.append(str(beside))
    return written


def sample_particles() -> list[LayerData]:
    """Make an image of simulated particles, calibrated."""
    return _sample("particles")


def sample_agglomerates() -> list[LayerData]:
    """Make an image of simulated particles that touch, calibrated."""
    return _sample("agglomerates")


def sample_with_data_bar() -> list[LayerData]:
    """Make an image with a label strip as microscopes write it, calibrated."""
    return _sample("data bar")


def sample_bright_field() -> list[LayerData]:
    """Make a simulated transmission image, dark particles on a bright ground, calibrated."""
    return _sample("bright field")


def sample_through_focus() -> list[LayerData]:
    """Make a stack of one place at several focus positions, calibrated."""
    return _sample("through focus")


def _sample(kind: str) -> list[LayerData]:
    """Simulate a sample and show it as a file would be."""
    from napari_sem_tools.simulation.sample import SAMPLES, make_sample

    image = make_sample(kind).image
    name = f"Simulated {SAMPLES[kind].title[:1].lower()}{SAMPLES[kind].title[1:]}"
    return [(image.pixels, image_arguments(image, name), "image")]
