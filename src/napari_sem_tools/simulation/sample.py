"""The sample images, made here instead of fetched: they need no network."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.simulation.settings import SimulationSettings
from napari_sem_tools.simulation.simulated import SimulatedMicrograph, simulate, through_focus
from napari_sem_tools.tiff import write_tiff

__all__ = ["SAMPLES", "Sample", "make_sample", "write_sample"]

_FOCUS_STEP_UM = 0.5


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample image: what it shows and how it is made.

    Attributes
    ----------
    title : str
        As menus show it.
    stem : str
        Name of the file without extension.
    settings : SimulationSettings
    seed : int
    make : callable
        `simulate` or `through_focus`.
    """

    title: str
    stem: str
    settings: SimulationSettings
    seed: int = 1
    make: Callable[[SimulationSettings, int], SimulatedMicrograph] = simulate


_PARTICLES = SimulationSettings()

SAMPLES: Mapping[str, Sample] = MappingProxyType(
    {
        "particles": Sample("Particles", "sample-particles", _PARTICLES),
        "agglomerates": Sample(
            "Agglomerates",
            "sample-agglomerates",
            SimulationSettings(
                particles=320, diameter_nm=70, gsd=1.25, shape="faceted", agglomeration=0.9
            ),
        ),
        "data bar": Sample(
            "Particles with a data bar", "sample-data-bar", _PARTICLES.replace(data_bar=True)
        ),
        "bright field": Sample(
            "Particles in bright field (TEM)",
            "sample-bright-field",
            SimulationSettings(
                pixel_size_nm=0.25,
                particles=120,
                diameter_nm=9,
                gsd=1.15,
                shape="mixed",
                agglomeration=0.15,
                mode="bright field",
                dose=120,
            ),
        ),
        "through focus": Sample(
            "Through-focus series",
            "sample-through-focus",
            SimulationSettings(width_px=512, height_px=384, particles=60, diameter_nm=70),
            make=through_focus,
        ),
    }
)
"""The sample images by the name that `write_sample` takes."""


def make_sample(kind: str = "particles") -> SimulatedMicrograph:
    """Make a sample image in memory, with its truth.

    Parameters
    ----------
    kind : str, optional
        A key of `SAMPLES`.

    Returns
    -------
    SimulatedMicrograph

    Raises
    ------
    InvalidSettings
        There is no such sample.

    Examples
    --------
    >>> make_sample("through focus").image.pixels.shape
    (9, 384, 512)
    """
    sample = _sample(kind)
    return sample.make(sample.settings, sample.seed)


def write_sample(folder: str | os.PathLike[str], kind: str = "particles") -> Path:
    """Write a sample image as ImageJ-calibrated TIFF, as a microscope's export would be.

    Parameters
    ----------
    folder : path-like
        Where the file shall appear; made if need be.
    kind : str, optional
        A key of `SAMPLES`.

    Returns
    -------
    Path
        The file, which `napari_sem_tools.read` accepts.

    Raises
    ------
    InvalidSettings
        There is no such sample.
    SemError
        The file cannot be written.
    """
    sample = _sample(kind)
    made = make_sample(kind)
    stack = made.image.axes == "NYX"
    return write_tiff(
        Path(folder) / f"{sample.stem}.tif",
        made.image.pixels,
        calibration=made.image.calibration,
        metadata={"Info": made.image.metadata.comment},
        frame_unit="um" if stack else None,
        frame_spacing=_FOCUS_STEP_UM if stack else None,
    )


def _sample(kind: str) -> Sample:
    """Look a sample up."""
    if kind not in SAMPLES:
        raise InvalidSettings(
            f"There is no sample {kind!r}.", hint=f"There are: {', '.join(SAMPLES)}."
        )
    return SAMPLES[kind]
