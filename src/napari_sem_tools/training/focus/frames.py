"""Frames to learn focus from: sharp pictures, blurred by a known probe and exposed anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.network import CELL_PX as CELL
from napari_sem_tools.focus.network import standardised, with_conditions
from napari_sem_tools.simulation.defocus import Probe, transfer
from napari_sem_tools.training.focus.exposures import empty_frame, exposed
from napari_sem_tools.training.focus.truths import Truth, truth_of

__all__ = ["Drawing", "FrameSource", "SharpPicture"]

Grey = NDArray[np.float32]
Rng = np.random.Generator

_MARGIN = 16  # pixels round a frame that are blurred too, so that no border is seen
_DARKEST = 0.1  # signal of the darkest place: a dark background emits electrons too
_PERCENTILES = (0.1, 99.9)
_NATIVE_PX = 0.9  # blur of a published picture in focus, where nobody knows it
_LEAST_CONTRAST = 0.03
_LOOKS = 3  # places of which the one with most contrast is taken


@dataclasses.dataclass(frozen=True, eq=False)
class SharpPicture:
    """A picture in focus, which frames are made of.

    Attributes
    ----------
    name : str
    grey : uint8 or float array (Y, X)
        Without data bar.
    group : str
        Specimen: pictures of one are never on both sides.
    weight : float
        How often it is drawn.
    native_px : float or None
        Blur that it has already; None: unknown.
    pixel_nm : float or None
    """

    name: str
    grey: NDArray[np.generic]
    group: str = ""
    weight: float = 1.0
    native_px: float | None = None
    pixel_nm: float | None = None


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How frames are drawn; the shares are probabilities.

    Attributes
    ----------
    rows, columns : int
        Of a frame; multiples of 16.
    same_field : int
        Frames that are made of one field in a batch.
    plain : float
        Share that only has probe, gain and electron noise; the others get what instruments
        and files add.
    resized : float
        Share of fields that are shrunk or enlarged before.
    empty : float
        Share of frames without anything to focus on.
    tilted : float
        Share with two blurs, one on either side of a line.
    astigmatic : float
    """

    rows: int = 192
    columns: int = 256
    same_field: int = 2
    plain: float = 0.6
    resized: float = 0.5
    empty: float = 0.05
    tilted: float = 0.06
    astigmatic: float = 0.3


class FrameSource:
    """Draws batches of frames with their truth.

    Parameters
    ----------
    pictures : sequence of SharpPicture
    drawing : Drawing
    seed : int
        A batch depends on the seed and its number alone.
    """

    def __init__(
        self, pictures: Sequence[SharpPicture], drawing: Drawing | None = None, *, seed: int = 0
    ) -> None:
        self.drawing, self.seed = drawing or Drawing(), seed
        self.pictures = [p for p in pictures if self._fits(p)]
        weights = np.array([picture.weight for picture in self.pictures], float)
        self.odds = weights / max(weights.sum(), 1e-12)
        self.limits = {p.name: _limits(p.grey) for p in self.pictures}

    def batch(self, number: int, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw a batch.

        Parameters
        ----------
        number : int
        size : int
            Frames.

        Returns
        -------
        images : float32 array (N, 3, Y, X)
            The frame, and two planes of one number: `conditions`.
        targets : float32 array (N, planes, Y/16, X/16)
            As `truths.PLANES` names them.
        """
        rng = np.random.default_rng((self.seed, number))
        frames: list[tuple[Grey, Truth, NDArray[np.float32]]] = []
        while len(frames) < size:
            frames += self._of_one_field(rng)
        images = np.stack([with_conditions(frame[0], frame[2]) for frame in frames[:size]])
        return images, np.stack([frame[1] for frame in frames[:size]])

    def _fits(self, picture: SharpPicture) -> bool:
        """Tell whether a frame can be cut out, a little enlarged at most."""
        need = max(self.drawing.rows, self.drawing.columns) + 2 * _MARGIN
        return bool(min(picture.grey.shape) >= 0.75 * need)

    def _of_one_field(self, rng: Rng) -> list[tuple[Grey, Truth, NDArray[np.float32]]]:
        """Draw a field and make some frames of it."""
        from scipy import fft

        wish = self.drawing
        picture = self.pictures[int(rng.choice(len(self.pictures), p=self.odds))]
        field, zoom = self._field(picture, rng)
        spectrum = fft.rfft2(field)
        known = picture.native_px is not None
        native = (picture.native_px or _NATIVE_PX) / zoom
        made = []
        for _ in range(wish.same_field):
            probe, plain = self._probe(rng), bool(rng.random() < wish.plain)
            clean = _blurred(spectrum, field.shape, probe)
            share = None
            if rng.random() < wish.tilted:
                other = self._probe(rng)
                share = _half_plane(rng, (wish.rows, wish.columns))
                clean = clean + share * (_blurred(spectrum, field.shape, other) - clean)
                probes = (probe, other)
            else:
                probes = (probe, probe)
            if rng.random() < wish.empty:
                grey, snr, informs = empty_frame((wish.rows, wish.columns), rng), None, False
            else:
                grey, snr = exposed(clean, rng, plain=plain)
                informs = True
            truth = truth_of(
                clean, probes, share, native=native, known=known, snr=snr, informs=informs
            )
            made.append((standardised(grey), truth, _conditions(picture.pixel_nm, zoom, rng)))
        return made

    def _field(self, picture: SharpPicture, rng: Rng) -> tuple[Grey, float]:
        """Cut a piece of a picture, resized, mirrored and changed in contrast; 0.1 to 1."""
        wish = self.drawing
        rows, columns = wish.rows + 2 * _MARGIN, wish.columns + 2 * _MARGIN
        turned = bool(rng.random() < 0.5)
        shape = (columns, rows) if turned else (rows, columns)
        zoom = float(np.exp(rng.uniform(np.log(0.8), np.log(1.8))))
        zoom = zoom if rng.random() < wish.resized else 1.0
        zoom = min(
            zoom, *(have / need for have, need in zip(picture.grey.shape, shape, strict=True))
        )
        low, high = self.limits[picture.name]
        cut = _richest(picture.grey, [int(n * zoom) for n in shape], rng)
        grey = (cut.astype(np.float32) - low) / np.float32(max(high - low, 1e-9))
        grey = np.clip(_resized(grey, shape) if grey.shape != shape else grey, 0, 1)
        grey = grey.T if turned else grey
        grey = grey[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
        return _restained(_DARKEST + (1 - _DARKEST) * grey, rng), zoom

    def _probe(self, rng: Rng) -> Probe:
        """Draw a blur."""
        blur = rng.choice([0.0, rng.uniform(0, 4.2), rng.uniform(4, 8)], p=[0.06, 0.87, 0.07])
        vector = (0.0, 0.0)
        if rng.random() < self.drawing.astigmatic:
            size, angle = rng.uniform(0, 0.85), rng.uniform(0, 2 * np.pi)
            vector = (float(size * np.cos(angle)), float(size * np.sin(angle)))
        shape = str(rng.choice(["gauss", "disc"]))
        tail = float(rng.uniform(0.05, 0.2)) if rng.random() < 0.08 else 0.0
        return Probe(float(blur), vector, shape, tail)


def _limits(grey: NDArray[np.generic]) -> tuple[float, float]:
    """Return the grey values that become black and white."""
    low, high = np.percentile(np.asarray(grey, np.float32), _PERCENTILES)
    return float(low), float(high)


def _richest(grey: NDArray[np.generic], shape: Sequence[int], rng: Rng) -> NDArray[np.generic]:
    """Cut the piece with most contrast of a few that are drawn."""
    best, most = grey[: shape[0], : shape[1]], -1.0
    for _ in range(_LOOKS):
        row, column = (
            int(rng.integers(have - n + 1)) for have, n in zip(grey.shape, shape, strict=True)
        )
        cut = grey[row : row + shape[0], column : column + shape[1]]
        contrast = float(cut[::3, ::3].std())
        if contrast > most:
            best, most = cut, contrast
    return best


def _resized(grey: Grey, shape: tuple[int, int]) -> Grey:
    """Shrink or enlarge, each pixel the mean of what it covers."""
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(grey)).resize(
        (shape[1], shape[0]), Image.Resampling.BICUBIC
    )
    return np.asarray(small, np.float32)


def _restained(signal: Grey, rng: Rng) -> Grey:
    """Change the contrast as another material or detector would, and add a noise of its own."""
    if rng.random() < 0.3:
        signal = signal ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
    if rng.random() < 0.12:
        signal = np.float32(1 + _DARKEST) - signal
    if rng.random() < 0.25:
        low, high = np.sort(rng.uniform(0, 1, 2))
        signal = low + max(high - low, 0.15) * signal
    if rng.random() < 0.2:
        noise = np.exp(rng.uniform(np.log(0.003), np.log(0.05)))
        signal = signal + np.float32(noise) * rng.standard_normal(signal.shape, np.float32)
    return np.asarray(np.clip(signal, 0, 2), np.float32)


def _blurred(spectrum: NDArray[np.complex64], shape: tuple[int, ...], probe: Probe) -> Grey:
    """Blur a field given by its spectrum and cut the margin off."""
    from scipy import fft

    size = (shape[0], shape[1])
    whole = fft.irfft2(spectrum * transfer(size, probe) if probe.blur_px else spectrum, size)
    return np.asarray(whole[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN], np.float32)


def _half_plane(rng: Rng, shape: tuple[int, int]) -> Grey:
    """Draw a line through the frame: 0 on one side of it, 1 on the other, soft between."""
    y, x = np.indices(shape, np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    away = np.cos(angle) * (x - rng.uniform(0.3, 0.7) * shape[1]) + np.sin(angle) * (
        y - rng.uniform(0.3, 0.7) * shape[0]
    )
    return np.asarray(1 / (1 + np.exp(-away / CELL)), np.float32)


def _conditions(pixel_nm: float | None, zoom: float, rng: Rng) -> NDArray[np.float32]:
    """Return ln(pixel size) and 1, or zeros; a known one is withheld now and then.

    Pictures of unknown scale get one by chance, so that nothing is read into it but what
    pictures of known scale teach.
    """
    if rng.random() < 0.3:
        return np.zeros(2, np.float32)
    drawn = np.exp(rng.uniform(np.log(0.5), np.log(200)))
    return np.array([np.log((pixel_nm or drawn) * zoom), 1], np.float32)
