"""A new pixel size moves all that lies on the grid, and can be taken back exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.micrograph import Calibration, Metadata, Micrograph
from napari_sem_tools.widgets.recalibrate import (
    companions,
    facts,
    layers_of_file,
    pixel_size_text,
    recalibrate,
    restore,
    unit_offenders,
    warnings_of,
)

layers = pytest.importorskip("napari.layers")
SIZE = st.floats(1e-3, 1e4)
PIXELS = np.zeros((6, 8), np.uint8)


def calibrated(y: float, x: float) -> Micrograph:
    return Micrograph(PIXELS, Calibration((y, x), "typed", "test"))


@settings(max_examples=10, deadline=None)
@given(SIZE, SIZE, SIZE, SIZE, st.floats(-50, 50))
def test_pixels_stay_together_and_undo_is_exact(
    y: float, x: float, old_y: float, old_x: float, moved: float
) -> None:
    image = layers.Image(PIXELS, scale=(old_y, old_x), translate=(moved, -moved), name="a")
    labels = layers.Labels(PIXELS, scale=(old_y, old_x), translate=(moved, -moved))
    points = layers.Points([[2, 3]], scale=(old_y, old_x), translate=(moved, -moved))
    stack = [image, labels, points]
    assert companions(stack, image) == [labels, points]
    before = [np.array([*one.scale, *one.translate]) for one in stack]
    states = recalibrate(image, calibrated(y, x), companions(stack, image))
    for one in stack:
        for corner in ([0, 0], [2, 3], [5, 7]):
            assert np.allclose(one.data_to_world(corner), image.data_to_world(corner))
    assert image.scale == pytest.approx([y, x])
    factor = np.array([y / old_y, x / old_x])
    assert image.translate == pytest.approx(np.array([moved, -moved]) * factor)
    restore(states)
    for one, was in zip(stack, before, strict=True):
        assert np.array_equal(np.array([*one.scale, *one.translate]), was)
        assert {str(unit) for unit in one.units} == {"pixel"}
    assert image.name == "a"


def test_layers_elsewhere_do_not_move() -> None:
    image = layers.Image(PIXELS)
    others = [
        layers.Image(np.zeros((5, 5))),
        layers.Labels(PIXELS, translate=(1, 0)),
        layers.Points([[0, 0]], scale=(2, 2)),
        layers.Labels(PIXELS, units=("nm", "nm")),
    ]
    assert companions([image, *others], image) == []


def test_a_stack_keeps_its_first_axis() -> None:
    image = layers.Image(np.zeros((3, 6, 8)), scale=(1, 1, 1))
    record = Micrograph(np.zeros((3, 6, 8), np.uint8), Calibration((2.0, 3.0), "typed", "x"))
    recalibrate(image, record)
    assert image.scale == pytest.approx([1, 2, 3])
    assert [str(unit) for unit in image.units] == ["pixel", "nanometer", "nanometer"]
    assert tuple(image.axis_labels) == ("page", "y", "x")


def test_the_layers_of_a_file_are_found() -> None:
    assert layers_of_file([layers.Image(PIXELS)], "a.tif") == []
    assert layers_of_file([layers.Image(PIXELS)], None) == []


def test_the_layer_without_a_length_is_the_one_to_blame() -> None:
    nm = layers.Image(PIXELS, units=("nm", "nm"), name="good")
    um = layers.Labels(PIXELS, units=("um", "um"), name="too")
    bare = layers.Image(PIXELS, name="bare")
    hidden = layers.Image(PIXELS, units=("1/nm", "1/nm"), name="spots", visible=False)
    assert unit_offenders([nm, um]) == []
    assert unit_offenders([nm, um, bare, hidden]) == ["bare", "spots"]
    assert unit_offenders([bare, bare, hidden]) == ["spots"]
    assert unit_offenders([]) == []


@pytest.mark.parametrize(
    ("size", "relative", "text"),
    [
        ((7.34375, 7.34375), 0.02, "7.34 ± 0.15 nm"),
        ((250.0, 250.0), 0.1, "250 ± 25 nm"),
        ((2.0, 3.0), None, "2 nm high, 3 nm wide"),
        (None, None, "unknown (px)"),
    ],
)
def test_a_pixel_size_is_written_with_sensible_digits(
    size: tuple[float, float] | None, relative: float | None, text: str
) -> None:
    image = Micrograph(PIXELS, Calibration(size, "tag", "", relative))
    assert pixel_size_text(image) == text


def test_facts_and_warnings_say_what_matters() -> None:
    image = Micrograph(
        PIXELS,
        Calibration((2.0, 3.0), "sidecar", "$CM_MAG"),
        data_bar=(5, 6),
        metadata=Metadata(vendor="JEOL", accelerating_voltage_kV=15.0, tilt_deg=54.0),
        notes=("Tilt without correction.",),
    )
    rows = dict(facts(image))
    assert rows["Voltage"] == "15 kV"
    assert rows["Data bar"] == "rows 5 to 5"
    assert rows["Known from"] == "sidecar"
    assert warnings_of(image) == ["Tilt without correction.", "The pixels are not square."]
    pattern = Micrograph(PIXELS, Calibration(unit="1/nm", reciprocal=(0.01, 0.01)))
    assert "diffraction" in warnings_of(pattern)[0]
