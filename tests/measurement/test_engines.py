"""Compiled loops and arrays measure the same: every column, to the rounding of its last digit."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from drawn_shapes import touching_scene
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sem_tools.errors import InvalidSettings, MissingExtra
from napari_sem_tools.measurement import MeasureSettings, engine, measure
from napari_sem_tools.micrograph import Calibration, Micrograph

pytest.importorskip("numba")

ALL = {"inscribed": True}


def tables(labels: np.ndarray, image: Micrograph) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure with both engines."""
    one, two = (
        measure(labels, image, settings=MeasureSettings(engine=name, **ALL))
        for name in ("numpy", "numba")
    )
    return one, two


def scene(seed: int, dtype: str = "uint8", **options: object) -> tuple[np.ndarray, Micrograph]:
    """Return touching particles and a noisy picture of them."""
    rng = np.random.default_rng(seed)
    labels = touching_scene(rng, side=90, n=60)
    grey = rng.normal(60, 10, labels.shape) + 100 * (labels > 0)
    return labels, Micrograph(grey.astype(dtype), **options)


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40),
               elements=st.integers(0, 5)),
    st.sampled_from([(1.0, 1.0), (3.0, 2.0), (1.37, 1.0)]),
)  # fmt: skip
def test_both_engines_measure_the_same_whatever_the_labels(
    labels: np.ndarray, size: tuple[float, float]
) -> None:
    grey = np.random.default_rng(0).integers(0, 4000, labels.shape).astype(np.uint16)
    one, two = tables(labels, Micrograph(grey, Calibration(size, "typed")))
    pd.testing.assert_frame_equal(one, two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_whole_grey_values_give_equal_bits_and_others_equal_digits(dtype: str) -> None:
    labels, image = scene(1, dtype, calibration=Calibration((2.0, 2.0), "typed"))
    one, two = tables(labels, image)
    if dtype.startswith("float"):
        pd.testing.assert_frame_equal(one, two, rtol=1e-9)
    else:
        pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "uint64"])
def test_both_engines_take_labels_of_any_type_and_number(dtype: str) -> None:
    labels, image = scene(2)
    top = np.iinfo(dtype).max if np.dtype(dtype).itemsize < 8 else 2**62
    names = np.linspace(1, top, labels.max() + 1).astype(np.int64)
    names[0] = 0
    one, two = tables(names[labels].astype(dtype), image)
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_both_engines_keep_to_the_field_and_to_the_data_bar() -> None:
    labels, image = scene(3, data_bar=(70, 80))
    field = image.field.copy()
    field[:, 60:64] = False
    one, two = tables(labels, image.replace(field=field))
    assert one["edge"].any()
    pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_both_engines_say_of_odd_grey_values_the_same(value: float) -> None:
    labels, image = scene(4, "float32")
    image.pixels[labels == labels.max()] = value
    one, two = tables(labels, image)
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)
    assert (~np.isfinite(one["intensity_mean_grey"])).sum() == 1


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_both_engines_take_images_without_particles_and_refuse_negative_numbers(name: str) -> None:
    chosen = MeasureSettings(engine=name)
    assert not len(measure(np.zeros((20, 20), int), np.zeros((20, 20)), settings=chosen))
    with pytest.raises(InvalidSettings, match="-3"):
        measure(np.full((20, 20), -3), np.zeros((20, 20)), settings=chosen)


def test_more_runs_than_expected_find_room() -> None:
    labels = np.arange(1, 64 * 200 + 1).reshape(200, 64)  # every pixel is a particle
    one, two = tables(labels, Micrograph(np.zeros(labels.shape, np.uint8)))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert len(two) == labels.size


def test_a_large_image_takes_the_compiled_loops_and_a_small_one_what_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert engine.choose_engine("auto", 10**7).name == "numba"
    assert engine.choose_engine("numpy", 10**7).name == "numpy"
    monkeypatch.delitem(engine.sys.modules, engine._COMPILED)
    assert engine.choose_engine("auto", 10**6).name == "numpy"


def test_without_numba_auto_measures_and_numba_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    assert engine.choose_engine("auto", 10**9).name == "numpy"
    with pytest.raises(MissingExtra, match="numba") as caught:
        engine.choose_engine("numba", 1)
    assert "fast" in caught.value.hint


def test_where_compiled_code_cannot_be_kept_numpy_measures_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(engine.sys.modules, "napari_sem_tools.measurement.compiled", None)
    monkeypatch.delattr("napari_sem_tools.measurement.compiled", raising=False)
    engine._numba.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, "napari_sem_tools"):
            assert engine.choose_engine("auto", 10**9).name == "numpy"
            assert engine.choose_engine("auto", 10**9).name == "numpy"
    finally:
        engine._numba.cache_clear()
    assert len([r for r in caplog.records if "numpy" in r.message]) == 1
