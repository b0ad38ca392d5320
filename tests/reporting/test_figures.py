"""What the pictures show: scale, doubtful particles in red, particles cut by the edge."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.reporting import (
    Thumbnail,
    four_panels,
    outlined_png,
    overview,
    pictures,
    png_bytes,
    read_png,
    write_figure,
)

NM = Calibration((2.0, 2.0), "typed", "typed")


def scene(calibration: Calibration = NM) -> tuple[Micrograph, np.ndarray, pd.DataFrame]:
    """Three squares: counted, doubtful, cut by the edge."""
    labels = np.zeros((60, 90), np.int32)
    labels[10:25, 10:25], labels[10:25, 40:55], labels[40:55, 80:90] = 1, 2, 3
    table = pd.DataFrame(
        {
            "included": [True, False, False],
            "doubtful": [False, True, False],
            "edge": [False, False, True],
            "ecd_px": [17.0, 17.0, 14.0],
        },
        index=pd.Index([1, 2, 3], name="label"),
    )
    if calibration.is_calibrated:
        table["ecd_nm"] = 2 * table["ecd_px"]
    image = Micrograph((60 + 60 * (labels > 0)).astype(np.uint8), calibration)
    return image, labels, table


def texts(figure: object) -> list[str]:
    return [t.get_text() for axes in figure.axes for t in axes.texts]  # type: ignore[attr-defined]


def test_every_picture_has_a_scale_bar_in_nm() -> None:
    assert texts(four_panels(*scene())).count("20 nm") == 3


def test_every_picture_of_an_uncalibrated_image_says_so() -> None:
    assert texts(four_panels(*scene(Calibration()))).count("uncalibrated (px)") == 3


def test_doubtful_particles_are_red_and_others_are_not() -> None:
    image, labels, table = scene()
    picture = pictures.outlined(pictures.preview(image, labels), table)
    redness = picture[..., 0] - picture[..., 1:].max(axis=-1)
    assert (redness[labels == 2] > 0.05).all()
    assert (redness[labels != 2] < 0.3).all()
    assert redness[labels == 1].max() <= 0
    assert np.allclose(picture[labels == 0], picture[0, 0])


def test_states_tell_what_became_of_each_particle() -> None:
    _, _, table = scene()
    assert pictures.states(table, 4).tolist() == [
        0, pictures.COUNTED, pictures.DOUBTFUL, pictures.EDGE, pictures.LEFT_OUT,
    ]  # fmt: skip


def test_the_legend_counts() -> None:
    legend = four_panels(*scene()).axes[2].get_legend()
    said = [text.get_text() for text in legend.get_texts()]
    assert said == ["counted: 1", "cut by the edge: 1", "doubtful: 1"]


@given(st.floats(1e-3, 1e5), st.floats(1, 1e5))
def test_the_scale_bar_is_round_and_fits(nm: float, width: float) -> None:
    length, text = pictures.scale_length(Calibration((nm, nm), "typed"), width)
    assert 0.05 * width <= length <= 0.2001 * width
    value, unit = text.split()
    factor = {"pm": 1e-3, "nm": 1.0, "µm": 1e3, "mm": 1e6}[unit]
    assert float(value) * factor == pytest.approx(length * nm, rel=1e-5)
    assert f"{float(value):e}"[0] in "125"


def test_the_bar_is_as_long_as_it_says_along_the_wide_axis() -> None:
    length, text = pictures.scale_length(Calibration((8.0, 4.0), "typed"), 500)
    assert (length, text) == (100.0, "400 nm") or length * 4.0 == 200.0


def test_a_large_image_is_reduced_without_losing_its_grid() -> None:
    labels = np.zeros((3000, 4000), np.int32)
    labels[1500:1600, 2000:2200] = 5
    shown = pictures.preview(Micrograph(np.zeros((3000, 4000), np.uint8)), labels)
    assert max(shown.grey.shape) <= pictures.PANEL_PX
    assert shown.grey.shape == shown.labels.shape
    y, x = np.argwhere(shown.labels == 5).mean(axis=0) * shown.step
    assert (y, x) == pytest.approx((1548, 2098), abs=2 * shown.step)


@pytest.mark.parametrize("name", ["$a_b$", "=1", "中文.tif", "a\nb", "\\frac"])
def test_any_name_can_be_drawn(name: str) -> None:
    png_bytes(four_panels(*scene(), title=name), dpi=20)


def test_an_image_without_particles_or_pixels_that_count_can_be_drawn() -> None:
    _, labels, table = scene()
    nothing = Micrograph(np.full((60, 90), np.nan, np.float32), field=np.zeros((60, 90), bool))
    png_bytes(four_panels(nothing, labels * 0, table.iloc[:0]), dpi=20)


def test_pyplot_is_never_touched(tmp_path: Path) -> None:
    write_figure(tmp_path / "figure.png", four_panels(*scene()), dpi=20)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_an_overview_shows_each_image_with_its_scale() -> None:
    image, labels, table = scene()
    picture = read_png(outlined_png(image, labels, table))
    assert picture.shape == (60, 90, 3)
    shown = [Thumbnail("a", picture, image.shape, NM)]
    shown.append(Thumbnail("b", picture, image.shape, Calibration()))
    figure = overview(shown, [10.0, 11.0], unit="nm", left_out=3)
    assert {"20 nm", "uncalibrated (px)"} <= set(texts(figure))
    png_bytes(figure, dpi=20)
