"""The records that everything passes on: Micrograph, Calibration, Metadata, Segmentation.

All are frozen, hold arrays and plain values, and survive pickling.  There is one grid:
that of the image as stored, data bar included, row 0 at the top.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings, NotCalibrated

__all__ = ["Calibration", "ImageIdentity", "Metadata", "Micrograph", "Segmentation"]

Origin = Literal["tag", "sidecar", "typed", "scale bar", "none"]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How large a pixel is, and how that is known.

    Attributes
    ----------
    pixel_size : (float, float) or None
        Height and width of a pixel (y, x) in nm; None: uncalibrated.
    origin : {"tag", "sidecar", "typed", "scale bar", "none"}
    evidence : str
        The key and the text as found, e.g. ``"CZ_SEM AP_IMAGE_PIXEL_SIZE = 7.344 nm"``.
    relative_uncertainty : float or None
        Standard uncertainty of the pixel size, as a fraction.
    unit : str
        ``"nm"``; for diffraction ``"1/nm"`` with the scale in `reciprocal`, never in
        `pixel_size`; ``"px"`` when uncalibrated.
    reciprocal : (float, float) or None
        Size of a pixel (y, x) in 1/nm of a diffraction pattern.
    offered : (float, float) or None
        A pixel size (y, x) in nm that the file states but that does not hold for sure
        (cropped or scaled after acquisition); the user may confirm it.
    """

    pixel_size: tuple[float, float] | None = None
    origin: Origin = "none"
    evidence: str = ""
    relative_uncertainty: float | None = None
    unit: str = "px"
    reciprocal: tuple[float, float] | None = None
    offered: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse sizes that are no lengths; keep unit and origin consistent."""
        if self.pixel_size is None:
            return
        size = tuple(float(s) for s in self.pixel_size)
        if len(size) != 2 or not all(np.isfinite(s) and s > 0 for s in size):
            raise InvalidSettings(
                f"A pixel size of {self.pixel_size} nm is no length.",
                hint="Give height and width of a pixel in nm, both above 0.",
            )
        object.__setattr__(self, "pixel_size", size)
        object.__setattr__(self, "unit", "nm")

    @property
    def is_calibrated(self) -> bool:
        """True when lengths in nm may be given."""
        return self.pixel_size is not None

    @property
    def is_square(self) -> bool:
        """True when pixels are as high as wide within 0.1 %."""
        if self.pixel_size is None:
            return True
        y, x = self.pixel_size
        return abs(y - x) <= 1e-3 * max(y, x)

    @property
    def nm_per_px(self) -> tuple[float, float]:
        """Height and width of a pixel in nm.

        Raises
        ------
        NotCalibrated
            The image has no pixel size.
        """
        if self.pixel_size is None:
            raise NotCalibrated(
                "The image has no pixel size.",
                hint="Give it with pixel_size= or width= in nm, or with the Calibrate widget.",
            )
        return self.pixel_size

    def describe(self) -> str:
        """Say in a line how large a pixel is and how that is known."""
        if self.pixel_size is not None:
            y, x = self.pixel_size
            size = f"{x:.6g} nm" if self.is_square else f"{y:.6g} nm high, {x:.6g} nm wide"
            return f"pixel {size} ({self.origin}: {self.evidence})"
        if self.reciprocal is not None:
            return f"diffraction, pixel {self.reciprocal[1]:.6g} 1/nm ({self.evidence})"
        return "uncalibrated (px)" + (f": {self.evidence}" if self.evidence else "")


@dataclasses.dataclass(frozen=True)
class Metadata(Mapping[str, Any]):
    """One vocabulary for all vendors; read as attributes or as a mapping.

    A key carries its unit in its name.  What a file does not say is None as an attribute
    and absent from the mapping.  Dates are ISO 8601, without zone when the file gives none.

    Examples
    --------
    >>> metadata = Metadata(vendor="Zeiss", accelerating_voltage_kV=20.0)
    >>> metadata["accelerating_voltage_kV"], "gamma" in metadata, metadata.gamma
    (20.0, False, None)
    """

    vendor: str | None = None
    format: str | None = None
    instrument: str | None = None
    serial_number: str | None = None
    software: str | None = None
    acquired: str | None = None
    mode: str | None = None
    beam: str | None = None
    accelerating_voltage_kV: float | None = None  # noqa: N815  the unit's own spelling
    working_distance_mm: float | None = None
    magnification: float | None = None
    field_of_view_um: tuple[float, float] | None = None
    stored_size_px: tuple[int, int] | None = None
    detector: str | None = None
    signal: str | None = None
    beam_current_nA: float | None = None  # noqa: N815  the unit's own spelling
    dwell_time_us: float | None = None
    frame_time_s: float | None = None
    averaging: str | None = None
    tilt_deg: float | None = None
    tilt_correction: bool | None = None
    tilt_correction_deg: float | None = None
    dynamic_focus: bool | None = None
    scan_rotation_deg: float | None = None
    stage_mm: tuple[float, float, float] | None = None
    chamber_pressure_Pa: float | None = None  # noqa: N815  the unit's own spelling
    gamma: float | None = None
    camera_length_mm: float | None = None
    frame_spacing: float | None = None
    frame_unit: str | None = None
    sample: str | None = None
    comment: str | None = None
    original_name: str | None = None
    lossy: bool | None = None

    def __getitem__(self, key: str) -> Any:
        """Return a value that the file stated; KeyError when it did not."""
        value = getattr(self, key, None) if key in _METADATA_KEYS else None
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        """List the keys that the file stated."""
        return (key for key in _METADATA_KEYS if getattr(self, key) is not None)

    def __len__(self) -> int:
        """Count the keys that the file stated."""
        return sum(1 for _ in self)


_METADATA_KEYS = tuple(f.name for f in dataclasses.fields(Metadata))


@dataclasses.dataclass(frozen=True)
class ImageIdentity:
    """Which image a result belongs to: where it came from and the SHA-256 of its pixels."""

    source: Path | None = None
    page: int = 0
    sha256: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Micrograph:
    """An image with its calibration, data bar and metadata.

    Attributes
    ----------
    pixels : array
        ``(Y, X)``, ``(N, Y, X)`` or, where colour carries information, ``(Y, X, 3)``.
    calibration : Calibration
    data_bar : (int, int) or None
        Rows of the label strip, half open, over the full width; picture may go on below.
    field : bool array (Y, X)
        True where there is specimen that may be measured.  By default all but the data bar.
    metadata : Metadata
    raw_metadata : dict
        Everything the file said, under the vendor's own names.
    notes : tuple of str
        What wants to be said aloud: tilt without correction, resized after acquisition, ...
    source : Path or None
    page : int
        Where the image came from.
    axes : {"YX", "NYX", "YXC"}
        Meaning of the axes of `pixels`; derived from their number when not given.
    pages : tuple of Metadata
        Metadata of each page of a stack; empty for a single image.
    marks : bool array (Y, X) or None
        True on pixels that burnt-in letters or a drawn bar cover, which a reader that looks
        for them fills in; they are False in `field`.  It tells letters, which a particle may
        touch without being an edge particle, from the outer boundary of `field` and from what
        the user left out.  None: no pixel is known to be burnt in.
    """

    pixels: Any
    calibration: Calibration = Calibration()
    data_bar: tuple[int, int] | None = None
    field: NDArray[np.bool_] = None  # type: ignore[assignment]  # filled in below
    metadata: Metadata = Metadata()
    raw_metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source: Path | None = None
    page: int = 0
    axes: str = ""
    pages: tuple[Metadata, ...] = ()
    marks: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Derive axes and field, and check that all sizes agree."""
        axes = self.axes or {2: "YX", 3: "NYX"}.get(self.pixels.ndim, "")
        if len(axes) != self.pixels.ndim or axes not in ("YX", "NYX", "YXC"):
            raise InvalidSettings(
                f"An image has two or three axes, not {self.pixels.ndim}.",
                hint="Pass one image (Y, X), a stack (N, Y, X) or a colour image (Y, X, 3).",
            )
        object.__setattr__(self, "axes", axes)
        rows, columns = self.shape
        if self.data_bar is not None:
            first, stop = (int(row) for row in self.data_bar)
            if not 0 <= first < stop <= rows:
                raise InvalidSettings(f"A data bar in rows {first} to {stop} is not in the image.")
            object.__setattr__(self, "data_bar", (first, stop))
        field = self.field
        if field is None:
            field = np.ones((rows, columns), bool)
            if self.data_bar is not None:
                field[slice(*self.data_bar)] = False
        if field.shape != (rows, columns):
            raise InvalidSettings(f"A field of {field.shape} does not fit {(rows, columns)}.")
        object.__setattr__(self, "field", field)
        if self.marks is not None and self.marks.shape != (rows, columns):
            raise InvalidSettings(f"Marks of {self.marks.shape} do not fit {(rows, columns)}.")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns (Y, X) of the grid."""
        first = self.axes.index("Y")
        rows, columns = self.pixels.shape[first : first + 2]
        return int(rows), int(columns)

    @property
    def n_pages(self) -> int:
        """Number of pages of a stack; 1 for a single image."""
        return int(self.pixels.shape[0]) if self.axes == "NYX" else 1

    @property
    def name(self) -> str:
        """Stem of the file, or ``"image"``."""
        return self.source.stem if self.source is not None else "image"

    @property
    def grey(self) -> NDArray[Any]:
        """The image as one grey plane or stack, in its own type.

        Colour is averaged over the channels.
        """
        if self.axes != "YXC":
            return np.asarray(self.pixels)
        mean = np.asarray(self.pixels, np.float32).mean(axis=-1)
        return np.asarray(mean.round(), self.pixels.dtype)

    def plane(self, index: int = 0) -> Micrograph:
        """Return one page of a stack as an image of its own; an image returns itself."""
        if self.axes != "NYX":
            return self
        if not -self.n_pages <= index < self.n_pages:
            raise InvalidSettings(
                f"There is no page {index}; the stack has {self.n_pages}.",
                hint=f"Choose 0 to {self.n_pages - 1}.",
            )
        index %= self.n_pages
        raw = self.raw_metadata.get("pages")
        own = isinstance(raw, list) and len(raw) == self.n_pages
        return dataclasses.replace(
            self,
            pixels=np.asarray(self.pixels[index]),
            raw_metadata=dict(raw[index]) if own and raw else self.raw_metadata,
            metadata=self.pages[index] if index < len(self.pages) else self.metadata,
            page=self.page + index,
            axes="YX",
            pages=(),
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def identity(self) -> ImageIdentity:
        """Return where the image came from and the SHA-256 of its shape, type and pixels."""
        pixels = np.ascontiguousarray(self.pixels)
        digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype.str} ".encode())
        digest.update(pixels.data)
        return ImageIdentity(self.source, self.page, digest.hexdigest())


@dataclasses.dataclass(frozen=True, eq=False)
class Segmentation:
    """Particles found in an image, on the image's own grid.

    ``numpy.asarray(found)`` gives the labels.

    Attributes
    ----------
    labels : int32 array (Y, X)
        0 is background; particles are numbered 1 to n without gaps.
    confidence : float32 array (n,)
        Between 0 and 1, for labels 1 to n.
    method : str
        What made them, e.g. ``"threshold"``.
    settings : dict
        The settings that made them, as resolved for this image.
    model : str or None
        Card name and hash of the network, None for classical methods.
    image : ImageIdentity
    notes : tuple of str
        What the user should know about this result.
    """

    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]
    method: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    model: str | None = None
    image: ImageIdentity = ImageIdentity()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that there is one confidence a particle."""
        labels = np.ascontiguousarray(self.labels, np.int32)
        count = int(labels.max(initial=0))
        if len(self.confidence) != count:
            raise InvalidSettings(f"{len(self.confidence)} confidences for {count} particles.")
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "confidence", np.asarray(self.confidence, np.float32))

    @property
    def count(self) -> int:
        """Number of particles."""
        return len(self.confidence)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the labels, so that numpy functions take a Segmentation."""
        return np.array(self.labels, dtype=dtype, copy=copy)
