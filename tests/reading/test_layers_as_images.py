"""What is handed over as a layer becomes the image that the user sees in the window."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.reading.inputs import as_micrograph


def layer(*, scale, unit="pixel", record=None):
    metadata = {} if record is None else {"sem": record.replace(pixels=np.empty((6, 8), np.uint8))}
    data = np.full((6, 8), 7, np.uint8)
    return SimpleNamespace(data=data, scale=scale, units=(unit, unit), metadata=metadata)


KNOWN = Micrograph(
    np.zeros((6, 8), np.uint8),
    calibration=Calibration((2.0, 2.0), origin="tag", evidence="as read"),
    data_bar=(5, 6),
)


def test_a_layer_as_read_keeps_how_its_scale_is_known():
    image = as_micrograph(layer(scale=(2.0, 2.0), unit="nanometer", record=KNOWN))
    assert image.calibration == KNOWN.calibration
    assert image.data_bar == (5, 6)
    assert image.pixels[0, 0] == 7


def test_a_scale_set_by_hand_counts_more_than_the_file():
    image = as_micrograph(layer(scale=(3.0, 3.0), unit="nanometer", record=KNOWN))
    assert image.calibration.pixel_size == (3.0, 3.0)
    assert image.calibration.origin == "typed"
    assert image.data_bar == (5, 6)


def test_micrometres_become_nanometres():
    image = as_micrograph(layer(scale=(0.5, 0.5), unit="micrometer"))
    assert image.calibration.pixel_size == (500.0, 500.0)


@pytest.mark.parametrize("record", [None, KNOWN])
def test_a_layer_in_pixels_is_uncalibrated(record):
    assert not as_micrograph(layer(scale=(1.0, 1.0), record=record)).calibration.is_calibrated
