"""Gatan DM3 and DM4: a tree of tags with the images of a document in it."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import UnreadableFile
from napari_sem_tools.reading import pixels as px
from napari_sem_tools.reading.dm_tree import DataRef, read_tree
from napari_sem_tools.reading.source import Source, library_errors
from napari_sem_tools.reading.statement import Picture, Pixels, Statement
from napari_sem_tools.reading.text import full_date, length_nm, number, per_nm
from napari_sem_tools.reading.tiffpages import check_size

__all__ = ["read", "sniff"]

# Types of ImageData by DigitalMicrograph's numbers; 8 and 23 are packed RGB.
_TYPES: Final = {
    1: "i2", 2: "f4", 3: "c8", 6: "u1", 7: "i4", 8: "rgb", 9: "i1", 10: "u2", 11: "u4",
    12: "f8", 13: "c16", 14: "u1", 23: "rgb", 39: "i8", 40: "u8",
}  # fmt: skip
_PACKED: Final = (5, 27, 28)
_LARGE_RAW: Final = 2000  # characters of a text that stay in the raw metadata
_CREATED: Final = "source.Tags at creation."


def sniff(source: Source) -> bool:
    """Take any DM3 or DM4."""
    return source.container == "dm"


def read(source: Source) -> list[Picture]:
    """List the images of the document, thumbnails left out.

    Raises
    ------
    UnreadableFile
        The tree is damaged, or holds no image.
    """
    with library_errors(source.path, "is a damaged DM file"):
        tree = read_tree(source)
    images = _image_numbers(tree)
    pictures: list[Picture] = []
    faults: list[str] = []
    page = 0
    for number_ in images:
        found = _picture(source, tree, number_, page)
        if isinstance(found, str):
            faults.append(found)
            continue
        pictures.append(found)
        page += found.count
    if not pictures:
        reason = faults[0] if faults else "it holds no image"
        raise UnreadableFile(
            f"{source.path.name} cannot be shown: {reason}.",
            hint="Open it in DigitalMicrograph and save an image.",
        )
    return pictures


def _image_numbers(tree: dict[str, Any]) -> list[str]:
    """List the images by their names in the tree, without thumbnails."""
    names = sorted(
        {
            key.split(".")[1]
            for key in tree
            if key.startswith("ImageList.") and ".ImageData." in key
        },
        key=lambda name: (len(name), name),
    )
    thumbnails = {
        str(int(value))
        for key, value in tree.items()
        if key.startswith("Thumbnails.")
        and key.endswith(".ImageIndex")
        and number(value) is not None
    }
    if len(names) > 1 and not thumbnails:
        thumbnails = {names[0]}
    kept = [name for name in names if name not in thumbnails]
    return kept or names


def _picture(source: Source, tree: dict[str, Any], name: str, page: int) -> Picture | str:
    """Make the picture of one image, or say why there is none."""
    data = f"ImageList.{name}.ImageData."
    sides: list[int] = []
    while (side := number(tree.get(f"{data}Dimensions.{len(sides)}"))) is not None:
        sides.append(int(side))
    kind = int(number(tree.get(f"{data}DataType")) or 0)
    values = tree.get(f"{data}Data")
    if kind in _PACKED:
        return "it is a packed Fourier transform, no picture"
    if kind not in _TYPES or not isinstance(values, DataRef):
        return f"its pixels are of the unknown type {kind}"
    if len(sides) < 2 or min(sides) < 1:
        return "it is a curve, no picture"
    shape = tuple(reversed(sides))
    frames = int(np.prod(shape[:-2], dtype=np.int64))
    if frames == 1:
        shape = shape[-2:]

    def load() -> Pixels:
        return _load(source, values, shape, _TYPES[kind])

    return Picture(load, (_describe(tree, name),), (shape[-2], shape[-1]), page, frames)


def _load(source: Source, values: DataRef, shape: tuple[int, ...], kind: str) -> Pixels:
    """Decode the values of an image."""
    dtype = np.dtype("<u4" if kind == "rgb" else f"{values.order}{kind}")
    stored = min(values.size, source.size - values.offset)
    check_size(source, shape, dtype.itemsize, stored=stored)
    count = int(np.prod(shape, dtype=np.int64))
    with library_errors(source.path, "has damaged pixels"):
        array: NDArray[Any] = np.fromfile(
            source.path, dtype=dtype, count=count, offset=values.offset
        ).reshape(shape)
        if kind == "rgb":
            channels = array.view(np.uint8).reshape(*shape, 4)[..., 2::-1]
            found = px.from_channels(channels)
            axes = found.axes if found.axes == "YXC" else "NYX" if len(shape) > 2 else "YX"
            return dataclasses.replace(found, axes=axes)
        array = px.native(array)
        if array.ndim > 3:
            array = array.reshape(-1, *array.shape[-2:])
    return Pixels(array, "NYX" if array.ndim == 3 else "YX")


def _describe(tree: dict[str, Any], name: str) -> Statement:
    """Make the statement of one image."""
    data = f"ImageList.{name}.ImageData.Calibrations.Dimension."
    scales = [number(tree.get(f"{data}{axis}.Scale")) for axis in range(3)]
    units = [str(tree.get(f"{data}{axis}.Units", "")).strip() for axis in range(3)]
    size = (length_nm(scales[1], units[1]), length_nm(scales[0], units[0]))
    inverse = (per_nm(scales[1], units[1]), per_nm(scales[0], units[0]))
    prefix = f"ImageList.{name}.ImageTags."
    tags = {key[len(prefix) :]: value for key, value in tree.items() if key.startswith(prefix)}
    created = {key.partition(_CREATED)[2]: value for key, value in tags.items() if _CREATED in key}
    notes = []
    if None not in size and units[0] != units[1]:
        notes.append(f"The axes have different units: {units[0]} (x) and {units[1]} (y).")
    raw = {
        key: value
        for key, value in tree.items()
        if not isinstance(value, DataRef) and len(str(value)) < _LARGE_RAW
    }
    said = f"{scales[0]:.7g} {units[0]}" if scales[0] is not None else ""
    both = None not in inverse
    return Statement(
        "Gatan",
        "DM",
        _vocabulary(created | tags, diffraction=both)
        | {
            "frame_spacing": scales[2] if scales[2] and units[2] else None,
            "frame_unit": units[2] if scales[2] and units[2] else None,
        },
        {"DM": raw},
        pixel_size=None if None in size else (size[0] or 0.0, size[1] or 0.0),
        reciprocal=(inverse[0] or 0.0, inverse[1] or 0.0) if both else None,
        evidence=f"Calibrations.Dimension Scale = {said}" if units[0] else "",
        notes=tuple(notes),
    )


def _vocabulary(tags: dict[str, Any], *, diffraction: bool) -> dict[str, Any]:
    """Say the tags of an image in the common vocabulary."""
    info = "Microscope Info."

    def text(*keys: str) -> str:
        return next((str(tags[key]).strip() for key in keys if str(tags.get(key, "")).strip()), "")

    def amount(key: str, factor: float = 1) -> float | None:
        value = number(tags.get(info + key))
        return None if value is None else value * factor

    voltage = amount("Voltage", 1e-3)
    magnification = amount("Indicated Magnification")
    scanning = "SCANNING" in text(info + "Operation Mode").upper()
    stage = tuple(amount(f"Stage Position.Stage {axis}", 1e-3) for axis in "XYZ")
    if diffraction and not scanning:
        mode = "diffraction"
    else:
        mode = "STEM" if scanning else "TEM" if text(info + "Operation Mode") else ""
    current = amount("Probe Current (nA)")
    return {
        "instrument": text(
            info + "Microscope", "Session Info.Microscope", info + "Name"
        ),
        "acquired": full_date(
            text("DataBar.Acquisition Date"), text("DataBar.Acquisition Time")
        ),
        "mode": mode,
        "beam": "electron" if voltage else None,
        "accelerating_voltage_kV": voltage or None,
        "magnification": magnification if magnification and not diffraction else None,
        "detector": text("DataBar.Device Name", "Acquisition.Device.Name", "DataBar.Signal Name"),
        "signal": text("DataBar.Signal Name"),
        "beam_current_nA": current or None,
        "camera_length_mm": (amount("STEM Camera Length") or None) if scanning or diffraction
        else None,
        "tilt_deg": amount("Stage Position.Stage Alpha"),
        "stage_mm": stage if None not in stage else None,
        "sample": text("Session Info.Specimen", info + "Specimen"),
    }  # fmt: skip
