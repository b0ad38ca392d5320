"""What a simulated micrograph shall show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_sem_tools.settings import Settings, described

__all__ = ["SimulationSettings"]


@dataclass(frozen=True)
class SimulationSettings(Settings):
    """What a simulated micrograph shall show, and how it is recorded.

    Raises
    ------
    InvalidSettings
        A value is out of its range; the message gives the range.

    Examples
    --------
    >>> SimulationSettings(particles=50, shape="rods").diameter_nm
    60.0
    """

    width_px: Annotated[int, described("Width of the image", min=64, max=16384)] = 1024
    height_px: Annotated[
        int, described("Height of the image, data bar included", min=64, max=16384)
    ] = 768
    pixel_size_nm: Annotated[float, described("Size of a pixel", min=1e-3, max=1e5)] = 2.0
    particles: Annotated[int, described("Number of particles laid down", min=0, max=20_000)] = 200
    diameter_nm: Annotated[
        float, described("Median diameter of the particles by number", min=1e-3, max=1e7)
    ] = 60.0
    gsd: Annotated[
        float,
        described("Geometric standard deviation of the diameter; 1: all alike", min=1.0, max=3.0),
    ] = 1.2
    shape: Annotated[
        Literal["spheres", "ellipsoids", "rods", "cubes", "faceted", "mixed"],
        described("Shape of the particles"),
    ] = "ellipsoids"
    roughness: Annotated[
        float, described("How far outlines wander, as a fraction of the radius", min=0.0, max=0.3)
    ] = 0.03
    agglomeration: Annotated[
        float, described("Fraction of the particles that touch or lie on others", min=0.0, max=1.0)
    ] = 0.4
    mode: Annotated[
        Literal["secondary electrons", "bright field"],
        described("Contrast: of an SEM (bright rims), or of a TEM (dark particles)"),
    ] = "secondary electrons"
    substrate_texture: Annotated[
        float, described("Contrast of the ground, 0: even", min=0.0, max=1.0)
    ] = 0.15
    gradient: Annotated[
        float, described("Uneven brightness over the image, as a fraction", min=0.0, max=1.0)
    ] = 0.15
    blur_px: Annotated[
        float, described("Standard deviation of the Gaussian spot", min=0.0, max=100.0)
    ] = 0.8
    dose: Annotated[
        float, described("Electrons counted in a white pixel; fewer: noisier", min=1.0, max=1e6)
    ] = 250.0
    read_noise: Annotated[
        float, described("Noise of the detector, standard deviation in grey levels", min=0, max=64)
    ] = 2.0
    data_bar: Annotated[
        bool, described("Label strip below the picture with text and scale bar")
    ] = False
    drawn_bar: Annotated[bool, described("Scale bar with its number inside the picture")] = False
    letters: Annotated[str, described("Text burnt into the upper left corner")] = ""
