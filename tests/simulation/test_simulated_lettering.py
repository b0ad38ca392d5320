"""Data bars, scale bars and letters are where the record says they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.simulation import SimulationSettings, simulate
from napari_sem_tools.simulation.lettering import draw, nice_length

PLAIN = SimulationSettings(width_px=640, height_px=480, particles=20)


def test_the_data_bar_is_a_strip_to_the_last_row_without_particles() -> None:
    made = simulate(PLAIN.replace(data_bar=True))
    first, stop = made.image.data_bar
    assert stop == 480 and 20 <= stop - first <= 60
    assert not made.labels[first:].any()
    assert not made.image.field[first:].any() and made.image.field[:first].all()
    assert np.median(made.image.pixels[first:]) == 0


def test_a_data_bar_leaves_the_picture_above_it_as_it_was() -> None:
    with_bar, without = simulate(PLAIN.replace(data_bar=True)), simulate(PLAIN)
    first = with_bar.image.data_bar[0]
    assert np.array_equal(with_bar.image.pixels[:first], without.image.pixels[:first])


@pytest.mark.parametrize("where", ["data_bar", "drawn_bar"])
def test_the_drawn_bar_is_as_long_as_its_number_says(where: str) -> None:
    made = simulate(PLAIN.replace(**{where: True}, pixel_size_nm=1.7))
    bar = made.bar
    assert bar.length_px == pytest.approx(bar.length_nm / 1.7, abs=0.5)
    assert np.all(made.image.pixels[slice(*bar.rows), slice(*bar.columns)] == 255)
    middle = sum(bar.rows) // 2
    assert made.image.pixels[middle, bar.columns[0] - 1] < 255
    assert made.image.pixels[middle, bar.columns[1]] < 255
    assert not made.image.field[slice(*bar.rows), slice(*bar.columns)].any()


def test_letters_in_the_picture_are_left_out_of_the_field_and_of_the_labels() -> None:
    made = simulate(PLAIN.replace(letters="(a)", particles=400))
    assert made.image.data_bar is None
    assert 20 < (~made.image.field).sum() < 5000
    assert not made.labels[~made.image.field].any()
    assert np.all(made.image.pixels[draw(made.settings).ink == 1] == 255)


def test_without_lettering_nothing_is_covered() -> None:
    drawn = draw(PLAIN)
    assert not drawn.covers.any() and drawn.data_bar is None and drawn.bar is None


@given(largest=st.floats(1e-3, 1e8))
def test_a_nice_length_is_the_largest_of_1_2_5_that_fits(largest: float) -> None:
    length = nice_length(largest)
    digits = f"{length:.6e}"
    assert digits[0] in "125" and set(digits[2:8]) == {"0"}
    assert length <= largest * (1 + 1e-9) < 2.5 * length * (1 + 1e-6)
