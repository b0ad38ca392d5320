"""Simulated electron micrographs of particles with exact masks."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.micrograph import Calibration, Metadata, Micrograph
from napari_sem_tools.simulation.camera import record
from napari_sem_tools.simulation.contrast import CONTRASTS
from napari_sem_tools.simulation.lettering import DrawnBar, Lettering, draw
from napari_sem_tools.simulation.packing import FullMask, Scene, lay_down
from napari_sem_tools.simulation.settings import SimulationSettings

__all__ = ["SimulatedMicrograph", "simulate", "through_focus"]


@dataclasses.dataclass(frozen=True, eq=False)
class SimulatedMicrograph:
    """A simulated image and all that is true of it.

    Attributes
    ----------
    image : Micrograph
        With calibration, data bar and field as a reader would give them.  A through-focus
        stack is ``(N, Y, X)``.
    labels : int32 array (Y, X)
        The visible particles, consecutive from 1; 0 outside ``image.field``.
    full : tuple of FullMask
        The whole projection of each particle, what is hidden or off the image included.
    visible_fraction : float array (n,)
        Visible share of each projection.
    diameters_nm : float array (n,)
        Equivalent circular diameter of each whole projection.
    blur_px : float array (N,)
        Standard deviation of the spot, one a page.
    bar : DrawnBar or None
        The scale bar as drawn.
    settings : SimulationSettings
    seed : int
    """

    image: Micrograph
    labels: NDArray[np.int32]
    full: tuple[FullMask, ...]
    visible_fraction: NDArray[np.float64]
    diameters_nm: NDArray[np.float64]
    blur_px: NDArray[np.float64]
    bar: DrawnBar | None
    settings: SimulationSettings
    seed: int

    def outlines(self) -> list[list[NDArray[np.float64]]]:
        """Trace the whole outline of every particle, hidden parts included.

        Returns
        -------
        list of lists of array (n, 2)
            For each label its outlines as y, x in px; mostly one.
        """
        return [_trace(whole) for whole in self.full]


def _trace(whole: FullMask) -> list[NDArray[np.float64]]:
    """Trace the outlines of one mask on the image's grid."""
    from skimage.measure import find_contours

    first = np.array([whole.row - 1, whole.column - 1])
    padded = np.pad(whole.mask, 1).astype(float)
    lines = find_contours(padded, 0.5)
    return [line + first for line in lines]


def simulate(settings: SimulationSettings | None = None, seed: int = 0) -> SimulatedMicrograph:
    """Simulate an electron micrograph of particles with exact masks.

    Parameters
    ----------
    settings : SimulationSettings, optional
        What it shall show.
    seed : int, optional
        The same seed and settings give the same image.

    Returns
    -------
    SimulatedMicrograph
        A uint8 image with its labels, whole outlines, diameters and blur.

    Notes
    -----
    Particles are solids cut along the beam in closed form, dropped one by one on what lies
    below, shaded by inclination (secondary electrons) or thickness (bright field), blurred
    by the spot and counted with Poisson noise.  The labels are those of the scene before
    the blur: a pixel belongs to the particle under its centre.

    Examples
    --------
    >>> made = simulate(SimulationSettings(width_px=200, height_px=100, particles=5), seed=1)
    >>> made.image.shape, made.image.calibration.pixel_size
    ((100, 200), (2.0, 2.0))
    """
    settings = settings or SimulationSettings()
    rng = np.random.default_rng(seed)
    scene = lay_down(settings, rng)
    signal = CONTRASTS[settings.mode](scene, settings, rng)
    pixels = record(signal, settings, rng, blur_px=settings.blur_px)
    return _finish(pixels, scene, settings, seed, np.array([settings.blur_px]))


def through_focus(
    settings: SimulationSettings | None = None,
    seed: int = 0,
    *,
    pages: int = 9,
    largest_blur_px: float = 6.0,
) -> SimulatedMicrograph:
    """Simulate one scene at equidistant focus positions, the sharpest in the middle.

    Parameters
    ----------
    settings : SimulationSettings, optional
        `blur_px` is the blur in focus.
    seed : int, optional
    pages : int, optional
        Number of images.
    largest_blur_px : float, optional
        Blur that defocus alone causes in the first and the last image.

    Returns
    -------
    SimulatedMicrograph
        The image is a uint8 stack ``(N, Y, X)``.

    Notes
    -----
    The spot in focus and the disc of defocus, which grows in proportion to the distance
    from focus, add in quadrature.

    Examples
    --------
    >>> small = SimulationSettings(width_px=100, height_px=80, particles=3)
    >>> made = through_focus(small, pages=3, largest_blur_px=4.0)
    >>> made.image.pixels.shape, made.blur_px.round(1).tolist()
    ((3, 80, 100), [4.1, 0.8, 4.1])
    """
    settings = settings or SimulationSettings()
    rng = np.random.default_rng(seed)
    scene = lay_down(settings, rng)
    signal = CONTRASTS[settings.mode](scene, settings, rng)
    positions = np.linspace(-1, 1, pages)
    blurs = np.hypot(settings.blur_px, largest_blur_px * positions)
    shading = int(rng.integers(2**32))
    stack = [
        record(signal, settings, np.random.default_rng([shading, page]), blur_px=float(blur))
        for page, blur in enumerate(blurs)
    ]
    return _finish(np.stack(stack), scene, settings, seed, blurs)


def _finish(
    pixels: NDArray[np.uint8],
    scene: Scene,
    settings: SimulationSettings,
    seed: int,
    blurs: NDArray[np.float64],
) -> SimulatedMicrograph:
    """Write the lettering over the image and gather what is true of it."""
    lettering = draw(settings)
    labels = np.where(lettering.covers, 0, scene.labels).astype(np.int32)
    visible = np.bincount(labels.ravel(), minlength=len(scene.full) + 1)[1:]
    seen = np.flatnonzero(visible)
    numbers = np.zeros(len(scene.full) + 1, np.int32)
    numbers[seen + 1] = np.arange(1, len(seen) + 1)
    full = tuple(scene.full[i] for i in seen)
    areas = np.array([int(whole.mask.sum()) for whole in full], float)
    return SimulatedMicrograph(
        image=_micrograph(lettering.over(pixels), lettering, settings, seed),
        labels=numbers[labels],
        full=full,
        visible_fraction=visible[seen] / areas,
        diameters_nm=np.sqrt(4 * areas / np.pi) * settings.pixel_size_nm,
        blur_px=blurs,
        bar=lettering.bar,
        settings=settings,
        seed=seed,
    )


def _micrograph(
    pixels: NDArray[np.uint8], lettering: Lettering, settings: SimulationSettings, seed: int
) -> Micrograph:
    """Make the record that a reader would give."""
    size = settings.pixel_size_nm
    return Micrograph(
        pixels,
        calibration=Calibration(
            (size, size), origin="tag", evidence=f"simulated with {size:g} nm per pixel"
        ),
        data_bar=lettering.data_bar,
        field=~lettering.covers,
        metadata=Metadata(
            format="simulated",
            software="napari-sem-tools",
            field_of_view_um=(settings.height_px * size / 1e3, settings.width_px * size / 1e3),
            comment=f"Simulated {settings.shape}, {settings.mode}, seed {seed}.",
        ),
    )
