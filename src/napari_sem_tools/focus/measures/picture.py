"""What the measures look at: grey values of the field, with transforms worked out once."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.measures.spectrum import Spectrum, gauss_transfer
from napari_sem_tools.reading.inputs import as_micrograph

__all__ = ["Picture", "picture_of"]

Bool = NDArray[np.bool_]
Map = NDArray[np.float32]

_LEAST_PX: Final = 32  # a side; below there is no spectrum to speak of
_FILL_PX: Final = 8.0  # masked pixels take the mean of what lies this near


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """Grey values of the field of one image, and what many measures share.

    Attributes
    ----------
    grey : float32 array (Y, X)
        The box round the field; pixels that do not count are filled in from nearby.
    valid : bool array (Y, X) or None
        Pixels that count; None: all.
    pixel_size : float or None
        Width of a pixel in nm (geometric mean of height and width).
    depth : float
        Largest value that the type of the image can hold; 0 for floating point.
    origin : (int, int)
        First row and column of the box in the image.
    """

    grey: Map
    valid: Bool | None = None
    pixel_size: float | None = None
    depth: float = 0.0
    origin: tuple[int, int] = (0, 0)
    _smooth: dict[float, Map] = dataclasses.field(default_factory=dict, repr=False)
    _gradient: dict[float, Map] = dataclasses.field(default_factory=dict, repr=False)
    _inside: dict[int, Bool] = dataclasses.field(default_factory=dict, repr=False)

    @functools.cached_property
    def counted(self) -> Map:
        """Grey values of the pixels that count, as one row."""
        return self.grey.ravel() if self.valid is None else self.grey[self.valid]

    @functools.cached_property
    def mean(self) -> float:
        """Mean grey value."""
        return float(self.counted.mean(dtype=np.float64))

    @functools.cached_property
    def variance(self) -> float:
        """Variance of the grey values, noise included."""
        return float(self.counted.var(dtype=np.float64))

    @functools.cached_property
    def cosine(self) -> Map:
        """Type-2 cosine transform: the picture goes on as its mirror image, without a jump."""
        from scipy.fft import dctn

        return np.asarray(dctn(self.grey - np.float32(self.mean), norm="ortho"))

    @functools.cached_property
    def spectrum(self) -> Spectrum:
        """Radial power spectrum of the picture under a Hann window."""
        return Spectrum.of(self.grey, self.mean)

    @property
    def noise(self) -> float:
        """Variance of the white noise: mean power above 0.42 cycles/px."""
        return self.spectrum.noise

    @property
    def net_variance(self) -> float:
        """Variance without that of the noise, at least a thousandth of it."""
        return max(self.variance - self.noise, 1e-3 * self.variance, 1e-9)

    @property
    def snr(self) -> float:
        """Variance of the picture over that of its white noise."""
        return self.net_variance / max(self.noise, 1e-9)

    def smooth(self, sigma: float) -> Map:
        """Blur by a Gaussian of `sigma` px, mirrored at the boundary; kept for the next caller.

        Returns
        -------
        float32 array (Y, X)
            About the mean grey value.
        """
        if sigma not in self._smooth:
            from scipy.fft import idctn

            rows, columns = gauss_transfer(self.grey.shape, sigma)
            changed = self.cosine * rows[:, None]
            changed *= columns[None, :]
            self._smooth[sigma] = np.asarray(idctn(changed, norm="ortho", overwrite_x=True))
        return self._smooth[sigma]

    def gradient_squared(self, sigma: float) -> Map:
        """Squared gradient of the blurred picture, by central differences.

        Returns
        -------
        float32 array (Y - 2, X - 2)
        """
        if sigma not in self._gradient:
            blurred = self.smooth(sigma)
            down = blurred[2:, 1:-1] - blurred[:-2, 1:-1]
            right = blurred[1:-1, 2:] - blurred[1:-1, :-2]
            self._gradient[sigma] = np.float32(0.25) * (down * down + right * right)
        return self._gradient[sigma]

    def laplacian(self, sigma: float) -> Map:
        """Laplacian (five points) of the blurred picture.

        Returns
        -------
        float32 array (Y - 2, X - 2)
        """
        blurred = self.smooth(sigma)
        middle = blurred[1:-1, 1:-1]
        rim = blurred[2:, 1:-1] + blurred[:-2, 1:-1] + blurred[1:-1, 2:] + blurred[1:-1, :-2]
        return np.asarray(rim - np.float32(4) * middle)

    def over_valid(self, values: Map, reach: int = 1) -> Map:
        """Take out of a map, smaller than the picture by a margin, the values that count.

        Parameters
        ----------
        values : array (Y - 2 margin, X - 2 margin)
        reach : int
            Pixels this near to one that does not count do not count either.

        Returns
        -------
        float32 array (n,)
        """
        if self.valid is None:
            return values.ravel()
        margin = (self.grey.shape[0] - values.shape[0]) // 2
        inside = self.shrunk(reach)
        rows, columns = inside.shape
        return values[inside[margin : rows - margin, margin : columns - margin]]

    def shrunk(self, reach: int) -> Bool:
        """Return the pixels that count and are further than `reach` from others."""
        if reach not in self._inside:
            from scipy.ndimage import distance_transform_cdt

            valid = self.valid if self.valid is not None else np.ones(self.grey.shape, bool)
            inside = distance_transform_cdt(valid) > reach
            self._inside[reach] = inside if inside.any() else valid
        return self._inside[reach]


def picture_of(
    image: Any,
    *,
    pixel_size: float | tuple[float, float] | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> Picture:
    """Take out of an image what a focus measure may look at.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X)
        Of a Micrograph the field is used: neither data bar nor burnt-in letters.
    pixel_size : float or (float, float), optional
        Size of a pixel in nm, (y, x) if it is not square.
    mask : bool array (Y, X), optional
        True where the image may be looked at; beside the field of the Micrograph.

    Returns
    -------
    Picture

    Raises
    ------
    InvalidSettings
        A mask of another shape, or a field smaller than 32 x 32 px.
    """
    record = as_micrograph(image, pixel_size=pixel_size)
    if record.axes == "NYX":
        raise InvalidSettings(
            "A focus score belongs to one image, not to a stack.",
            hint="Pass one plane, or the stack to focus_series.",
        )
    counts = record.field
    if record.marks is not None:
        counts = counts & ~record.marks
    if mask is not None:
        mask = np.asarray(mask, bool)
        if mask.shape != counts.shape:
            raise InvalidSettings(f"A mask of {mask.shape} does not fit {counts.shape}.")
        counts = counts & mask
    box = _box(counts)
    size = record.calibration.pixel_size
    depth = float(np.iinfo(record.pixels.dtype).max) if record.pixels.dtype.kind in "ui" else 0.0
    grey = np.ascontiguousarray(record.grey[box], np.float32)
    inside = counts[box]
    origin = (int(box[0].start), int(box[1].start))
    if inside.all():
        return Picture(grey, None, _side(size), depth, origin)
    return Picture(_filled(grey, inside), inside, _side(size), depth, origin)


def _side(size: tuple[float, float] | None) -> float | None:
    """Return the geometric mean of height and width."""
    return None if size is None else float(np.sqrt(size[0] * size[1]))


def _box(counts: Bool) -> tuple[slice, slice]:
    """Return the box of the rows and columns of which more than half counts."""
    rows = np.flatnonzero(counts.mean(axis=1) > 0.5 * counts.any(axis=0).mean())
    columns = np.flatnonzero(counts.any(axis=0))
    if len(rows) < _LEAST_PX or len(columns) < _LEAST_PX:
        raise InvalidSettings(
            f"A field of {len(rows)} x {len(columns)} px is too small to judge its focus.",
            hint=f"Give at least {_LEAST_PX} x {_LEAST_PX} px.",
        )
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _filled(grey: Map, valid: Bool) -> Map:
    """Continue the grey values smoothly into the pixels that do not count."""
    from scipy.ndimage import gaussian_filter

    known = np.where(valid, grey, 0).astype(np.float32)
    weight = gaussian_filter(valid.astype(np.float32), _FILL_PX)
    near = gaussian_filter(known, _FILL_PX) / np.maximum(weight, 1e-3)
    mean = np.float32(grey[valid].mean(dtype=np.float64))
    return np.where(valid, grey, np.where(weight > 1e-2, near, mean))
