"""The ruler reads true lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.widgets.ruler import reading

places = st.floats(-500, 500)


@given(places, places, st.floats(0.1, 20), st.floats(0.1, 20))
def test_a_line_is_as_long_as_pythagoras_says(
    y: float, x: float, height: float, width: float
) -> None:
    points = np.array([[3.0, 4.0], [3.0 + y, 4.0 + x]])
    text = reading(points, "line", (height, width), "nm")
    length = float(text.split(" nm")[0])
    true = np.hypot((points[1, 0] - 3) * height, (points[1, 1] - 4) * width)
    assert length == pytest.approx(true, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(
    ("end", "angle"), [((0, 1), "0.0°"), ((-1, 0), "90.0°"), ((-1, 1), "45.0°"), ((1, 1), "135.0°")]
)
def test_angles_run_counter_clockwise_on_the_screen(end: tuple[int, int], angle: str) -> None:
    points = np.array([[0, 0], end], float)
    assert reading(points, "line", (1.0, 1.0), "px").endswith(angle)


def test_a_path_is_open_and_a_polygon_closed() -> None:
    points = np.array([[0.0, 0.0], [0.0, 30.0], [40.0, 30.0]])
    assert reading(points, "path", (1.0, 1.0), "px") == "70 px"
    assert reading(points, "polygon", (1.0, 1.0), "px") == "120 px"
