"""Thermo Fisher Velox (EMD): HDF5 with pixels and JSON for each detector."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import MissingExtra, UnknownFormat, UnreadableFile
from napari_sem_tools.reading import pixels as px
from napari_sem_tools.reading.source import Source, library_errors
from napari_sem_tools.reading.statement import Picture, Pixels, Statement
from napari_sem_tools.reading.text import Element, first_text, length_nm, number, per_nm
from napari_sem_tools.reading.tiffpages import check_size

__all__ = ["read", "sniff"]

_IMAGES: Final = "Data/Image"
_MOST_METADATA: Final = 16 << 20
_SCANNING: Final = "2"  # Optics.OperatingMode


def sniff(source: Source) -> bool:
    """Tell a Velox file by its group of images; without h5py any HDF5 may be one."""
    try:
        import h5py
    except ImportError:
        return True
    try:
        with h5py.File(source.path) as file:
            return hasattr(file.get(_IMAGES), "keys")
    except (OSError, RuntimeError, KeyError, ValueError):
        return True  # damaged: that is told when it is read


def _h5py() -> Any:
    """Import h5py."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("Velox EMD files need h5py.", extra="formats") from error
    return h5py


def read(source: Source) -> list[Picture]:
    """List the pictures: one a detector, frames as a stack.

    Raises
    ------
    MissingExtra
        h5py is not installed.
    UnknownFormat
        The HDF5 file is not Velox's.
    UnreadableFile
        It is damaged.
    """
    h5py = _h5py()
    pictures: list[Picture] = []
    page = 0
    with library_errors(source.path, "is a damaged HDF5 file"), h5py.File(source.path) as file:
        images = file.get(_IMAGES)
        if not hasattr(images, "keys"):
            raise UnknownFormat(
                f"{source.path.name} is HDF5, but holds no images of Velox.",
                hint="Export the images as TIFF.",
            )
        for name in images:
            data = images[name].get("Data")
            if getattr(data, "ndim", 0) not in (2, 3):
                continue
            said = _describe(_json(images[name].get("Metadata")))
            frames = int(data.shape[2]) if data.ndim == 3 else 1
            shape = (int(data.shape[0]), int(data.shape[1]))
            pictures.append(
                Picture(_loader(source, f"{_IMAGES}/{name}/Data"), (said,), shape, page, frames)
            )
            page += frames
    if not pictures:
        raise UnreadableFile(f"{source.path.name} holds no image.", hint="Export it from Velox.")
    return pictures


def _loader(source: Source, name: str) -> Any:
    """Make the function that decodes one data set."""

    def load() -> Pixels:
        with library_errors(source.path, "has damaged pixels"), _h5py().File(source.path) as file:
            data = file[name]
            rows, columns, *frames = data.shape
            shape = (*frames, rows, columns)
            check_size(source, shape, data.dtype.itemsize, stored=_stored(data))
            return _pixels(np.asarray(data[...]))

    return load


def _stored(data: Any) -> int:
    """Return the bytes that a data set can unpack to: no more than deflate gives."""
    return int(data.id.get_storage_size()) * (1100 if data.compression else 1) + 64


def _pixels(array: NDArray[Any]) -> Pixels:
    """Bring (y, x, frame) to frames of pictures; half Fourier transforms to complex numbers."""
    notes: tuple[str, ...] = ()
    if array.dtype.names:
        real, imaginary = (array[name] for name in array.dtype.names[:2])
        array = (real + 1j * imaginary).astype(np.complex64)
        notes = ("Complex values: a Fourier transform, no picture.",)
    if array.ndim == 3:
        array = np.ascontiguousarray(np.moveaxis(array, -1, 0))
        array = array[0] if array.shape[0] == 1 else array
    return Pixels(px.native(array), "NYX" if array.ndim == 3 else "YX", notes=notes)


def _json(data: Any) -> dict[str, Any]:
    """Return the metadata of the first frame."""
    if getattr(data, "ndim", 0) != 2 or data.shape[0] > _MOST_METADATA or not data.shape[1]:
        return {}
    text = np.asarray(data[:, 0]).tobytes().split(b"\0")[0].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _flat(item: Any, path: str = "") -> list[Element]:
    """List the leaves of the JSON by path."""
    if isinstance(item, dict):
        return [e for k, v in item.items() for e in _flat(v, f"{path}/{k}" if path else str(k))]
    return [Element(path, str(item), {})]


def _describe(said: dict[str, Any]) -> Statement:
    """Make the statement of one detector's image."""
    leaves = _flat(said)

    def value(path: str) -> float | None:
        return number(first_text(leaves, path))

    x, y = value("BinaryResult/PixelSize/width"), value("BinaryResult/PixelSize/height")
    unit_x = first_text(leaves, "BinaryResult/PixelUnitX")
    unit_y = first_text(leaves, "BinaryResult/PixelUnitY") or unit_x
    size = (length_nm(y, unit_y), length_nm(x, unit_x))
    inverse = (per_nm(y, unit_y), per_nm(x, unit_x))
    diffraction = None not in inverse
    return Statement(
        "Thermo Velox",
        "EMD (Velox)",
        _vocabulary(leaves, value, diffraction=diffraction),
        {"Velox": said},
        pixel_size=None if None in size else (size[0] or 0.0, size[1] or 0.0),
        reciprocal=(inverse[0] or 0.0, inverse[1] or 0.0) if diffraction else None,
        evidence=f"Metadata BinaryResult.PixelSize = {x:.7g} {unit_x}" if x else "",
    )


def _vocabulary(leaves: list[Element], value: Any, *, diffraction: bool) -> dict[str, Any]:
    """Say the JSON in the common vocabulary; times are UTC."""

    def scaled(path: str, factor: float) -> float | None:
        found = value(path)
        return None if found is None else found * factor

    stage = tuple(scaled(f"Stage/Position/{axis}", 1e3) for axis in "xyz")
    view = tuple(scaled(f"Optics/FullScanFieldOfView/{axis}", 1e6) for axis in "yx")
    magnification = value("Optics/NominalMagnification")
    scanning = first_text(leaves, "Optics/OperatingMode") == _SCANNING
    camera = scaled("Optics/CameraLength", 1e3)
    return {
        "instrument": first_text(
            leaves, "Instrument/InstrumentClass", "Instrument/InstrumentModel"
        ),
        "serial_number": first_text(leaves, "Instrument/InstrumentId"),
        "software": first_text(leaves, "Instrument/ControlSoftwareVersion"),
        "acquired": _utc(
            value("Acquisition/AcquisitionStartDatetime/DateTime")
            or value("Acquisition/AcquisitionDatetime/DateTime")
        ),
        "mode": "diffraction" if diffraction else "STEM" if scanning else "TEM",
        "beam": "electron",
        "accelerating_voltage_kV": scaled("Optics/AccelerationVoltage", 1e-3),
        "magnification": None if diffraction or not magnification else magnification,
        "field_of_view_um": view if None not in view and scanning else None,
        "detector": first_text(leaves, "BinaryResult/Detector"),
        "dwell_time_us": scaled("Scan/DwellTime", 1e6),
        "frame_time_s": value("Scan/FrameTime"),
        "tilt_deg": scaled("Stage/AlphaTilt", math.degrees(1)),
        "scan_rotation_deg": scaled("Scan/ScanRotation", math.degrees(1)),
        "stage_mm": stage if None not in stage else None,
        "camera_length_mm": camera if diffraction or scanning else None,
        "sample": first_text(leaves, "Sample/SampleDescription", "Sample/SampleId"),
    }


def _utc(seconds: float | None) -> str | None:
    """Write seconds since 1970 as ISO 8601 in UTC."""
    if not seconds or not 0 < seconds < 4e9:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
