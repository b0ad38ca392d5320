"""Simulated micrographs with exact masks, for samples, tests and training."""

from napari_sem_tools.simulation.sample import make_sample, write_sample
from napari_sem_tools.simulation.settings import SimulationSettings
from napari_sem_tools.simulation.simulated import SimulatedMicrograph, simulate, through_focus

__all__ = [
    "SimulatedMicrograph",
    "SimulationSettings",
    "make_sample",
    "simulate",
    "through_focus",
    "write_sample",
]
