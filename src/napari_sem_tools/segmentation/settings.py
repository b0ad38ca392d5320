"""What a user may choose about the classical method."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from napari_sem_tools.settings import Settings, described

__all__ = ["ThresholdSettings"]


@dataclasses.dataclass(frozen=True)
class ThresholdSettings(Settings):
    """Settings of ``segment(image, "threshold")``; None and "auto" are found from the image.

    Attributes
    ----------
    polarity : {"auto", "bright", "dark"}
        Whether particles are brighter or darker than what surrounds them.
    threshold : {"auto", "otsu", "li", "local", "manual"}
        How the grey level between background and particle is found.
    level : float or None
        Grey value in the image's own units, for ``threshold="manual"``.
    offset : float
        Moves the level, in units of the contrast between particle and background; above 0
        fewer pixels are particle.
    diameter_px : float or None
        Diameter of a usual particle; None: estimated.
    split_strength : float
        0: touching particles stay together; 1: they are cut at every neck and valley.
    min_size_px : float or None
        Smallest equivalent circle diameter; None: a quarter of the usual diameter.
    edge : {"keep", "remove"}
        What to do with particles that the border of the field cuts.
    remove_background : bool
        Take a slow brightness trend out before the level is found.
    smoothing_px : float or None
        Standard deviation of the Gaussian that lowers noise; None: from the noise.
    fill_holes : bool
        Fill holes inside particles.

    Examples
    --------
    >>> ThresholdSettings(min_size_px=10).split_strength
    0.5
    >>> ThresholdSettings(split_strength=2)
    Traceback (most recent call last):
        ...
    napari_sem_tools.errors.InvalidSettings: split_strength = 2 is not a number from 0 to 1.
    """

    polarity: Annotated[
        Literal["auto", "bright", "dark"],
        described("Particles are brighter or darker than their surroundings"),
    ] = "auto"
    threshold: Annotated[
        Literal["auto", "otsu", "li", "local", "manual"],
        described("How the grey level between background and particle is found"),
    ] = "auto"
    level: Annotated[
        float | None, described("Grey value of a manual threshold, in the image's own units")
    ] = None
    offset: Annotated[
        float,
        described("Moves the threshold, in units of the contrast", min=-1, max=1, step=0.01),
    ] = 0.0
    diameter_px: Annotated[
        float | None, described("Diameter of a usual particle in px", min=2, max=100_000)
    ] = None
    split_strength: Annotated[
        float, described("How readily touching particles are cut apart", min=0, max=1, step=0.05)
    ] = 0.5
    min_size_px: Annotated[
        float | None,
        described("Smallest equivalent circle diameter in px", min=0, max=100_000),
    ] = None
    edge: Annotated[
        Literal["keep", "remove"], described("Particles cut by the border of the field")
    ] = "keep"
    remove_background: Annotated[bool, described("Remove a slow brightness trend")] = True
    smoothing_px: Annotated[
        float | None, described("Gaussian smoothing in px", min=0, max=50, step=0.5)
    ] = None
    fill_holes: Annotated[bool, described("Fill holes inside particles")] = True
