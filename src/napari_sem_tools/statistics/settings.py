"""Settings of the statistics of a report."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from napari_sem_tools.settings import Settings, described

__all__ = ["StatisticsSettings"]


@dataclasses.dataclass(frozen=True)
class StatisticsSettings(Settings):
    """What a report states beside mean and median, and what only the user can know.

    Examples
    --------
    >>> StatisticsSettings(particle_type="equiaxed").boundary_px
    0.5
    """

    edge_weights: Annotated[
        bool,
        described("Weigh particles by Miles-Lantuejoul: large ones are cut more often"),
    ] = False
    calibration_uncertainty_percent: Annotated[
        float | None,
        described("Standard uncertainty of the pixel size from a certificate, in %", min=0, max=50),
    ] = None
    boundary_px: Annotated[
        float,
        described("Half width within which the outline of a particle is known", min=0, max=20),
    ] = 0.5
    operator_percent: Annotated[
        float | None,
        described("SD of the mean between repeated segmentations, in %", min=0, max=100),
    ] = None
    operator_repeats: Annotated[
        int, described("Number of repeated segmentations", min=2, max=1000)
    ] = 3
    instrument_percent: Annotated[
        float | None,
        described("Standard uncertainty by drift, tilt and distortion, in %", min=0, max=100),
    ] = None
    wanted_percent: Annotated[
        float, described("Half width of the interval that is wanted, in %", min=0.1, max=100)
    ] = 5.0
    particle_type: Annotated[
        Literal["unknown", "equiaxed", "rod", "plate"],
        described("Shape in three dimensions; a plate that lies flat hides its thickness"),
    ] = "unknown"
    constituents: Annotated[
        Literal["separated", "not separated"],
        described("Whether every label is one constituent particle, not an agglomerate"),
    ] = "separated"
    fits: Annotated[bool, described("Fit distributions and test them")] = True
    max_components: Annotated[
        int, described("Largest number of lognormals in a mixture", min=1, max=5)
    ] = 3
    bootstrap: Annotated[int, described("Samples drawn for a test", min=99, max=100_000)] = 999
    seed: Annotated[int, described("Of everything drawn at random", min=0)] = 0
