"""Frames of known focus are the same for everybody."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from napari_sem_tools.evaluation.focus_protocol import (
    blurred,
    exposed,
    focus_frames,
    focus_tiles,
    unit_grey,
)


def _check_field() -> np.ndarray:
    y, x = np.mgrid[:480, :640]
    return 100 + 60 * np.sin(x / 3.0) * np.sin(y / 5.0) + (x + y) / 20.0


def test_the_frames_are_those_of_the_protocol() -> None:
    if np.random.default_rng(1).poisson(20.0, 4).tolist() != [17, 25, 21, 24]:
        pytest.skip("this NumPy draws other random numbers")
    crc, total = 0, 0.0
    for frame in focus_frames("check", _check_field()):
        crc = zlib.crc32(frame.image.tobytes(), crc)
        total += frame.image.mean()
    assert (crc, round(total / 168, 2)) == (553251164, 85.4)


@pytest.mark.parametrize("psf", ["gauss", "disc"])
def test_both_point_spreads_have_the_stated_variance(psf: str) -> None:
    plane = np.zeros((81, 81))
    plane[40, 40] = 1.0
    spread = blurred(plane, 2.0, psf)  # type: ignore[arg-type]
    away = np.arange(81) - 40
    assert np.isclose(spread.sum(), 1)
    assert (spread.sum(axis=0) * away**2).sum() == pytest.approx(4.0, abs=0.3)


def test_the_tile_with_the_strongest_contrast_comes_first() -> None:
    plane = unit_grey(np.random.default_rng(0).normal(size=(500, 640)))
    plane[:, 320:] = 0.5 + 0.5 * (plane[:, 320:] - 0.5)
    assert all(column == 0 for _, column in focus_tiles(plane, 2))
    assert focus_tiles(np.full((500, 640), 0.5), 9) == []


def test_noise_of_a_dose_is_that_of_counted_electrons() -> None:
    image = exposed(np.full((200, 200), 0.5), 20.0, np.random.default_rng(3)).astype(float)
    assert image.std() / image.mean() == pytest.approx(20**-0.5, rel=0.02)
