"""Simulated micrographs with exact masks, for samples, tests and training."""

from napari_sem_tools.simulation.made import SimulatedMicrograph, simulate, through_focus
from napari_sem_tools.simulation.sample import make_sample, write_sample
from napari_sem_tools.simulation.settings import SimulationSettings

__all__ = [
    "SimulatedMicrograph",
    "SimulationSettings",
    "make_sample",
    "simulate",
    "through_focus",
    "write_sample",
]
