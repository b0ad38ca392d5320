"""Solids against the projections and heights that geometry gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.simulation.shapes import SHAPES, Ellipsoid, Polyhedron, Rod, make_solid


def grid(reach: float) -> tuple[np.ndarray, np.ndarray]:
    half = int(np.ceil(reach)) + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
    return x, y


@given(radius=st.floats(8, 60))
def test_a_sphere_projects_to_a_disc_and_is_as_high_as_wide(radius: float) -> None:
    surface = Ellipsoid(np.full(3, radius), np.eye(3)).surface(*grid(radius))
    assert surface.inside.sum() == pytest.approx(np.pi * radius**2, rel=0.05)
    assert surface.top.max() == pytest.approx(radius)
    assert surface.bottom[surface.inside].min() == pytest.approx(-radius)


@given(seed=st.integers(0, 10_000))
def test_an_ellipsoid_projects_to_the_area_that_its_axes_give(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = rng.uniform(15, 40, 3)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    surface = Ellipsoid(axes, rotation).surface(*grid(40))
    beam = rotation @ np.array([0.0, 0.0, 1.0])
    # Area of the shadow of an ellipsoid along a unit vector in its own axes (Vickers 1996).
    a, b, c = axes
    area = np.pi * np.linalg.norm(beam * np.array([b * c, a * c, a * b]))
    assert surface.inside.sum() == pytest.approx(area, rel=0.03)


@given(lean=st.floats(-0.4, 0.4), turn=st.floats(0, 6.28), half=st.floats(5, 30))
def test_a_rod_projects_to_a_stadium(lean: float, turn: float, half: float) -> None:
    radius = 8.3
    axis = np.array([np.cos(lean) * np.cos(turn), np.cos(lean) * np.sin(turn), np.sin(lean)])
    surface = Rod(axis, half, radius).surface(*grid(half + radius))
    area = np.pi * radius**2 + 4 * half * np.cos(lean) * radius
    assert surface.inside.sum() == pytest.approx(area, rel=0.04)
    assert surface.top[surface.inside].max() == pytest.approx(
        radius + half * abs(np.sin(lean)), abs=0.3
    )


def test_a_level_cube_is_a_square_with_a_level_top() -> None:
    faces = np.concatenate([np.eye(3), -np.eye(3)])
    surface = Polyhedron(faces, np.full(6, 10.3), 18).surface(*grid(18))
    assert surface.inside.sum() == 21**2
    assert np.all(surface.top[surface.inside] == 10.3)
    assert np.all(surface.normal[2][surface.inside] == 1)


@pytest.mark.parametrize("shape", SHAPES)
@given(seed=st.integers(0, 1000))
def test_every_shape_fits_its_reach_and_is_near_the_size_asked_for(shape: str, seed: int) -> None:
    solid = make_solid(shape, np.random.default_rng(seed), 20.0)
    x, y = grid(solid.reach)
    surface = solid.surface(x, y)
    assert np.hypot(x, y)[surface.inside].max() <= solid.reach + 1e-6
    assert 20 < np.sqrt(4 * surface.inside.sum() / np.pi) < 60
    assert np.all(surface.top[surface.inside] >= surface.bottom[surface.inside])
    lengths = np.linalg.norm(surface.normal, axis=0)[surface.inside]
    assert np.allclose(lengths, 1)
    assert np.all(surface.normal[2][surface.inside] >= -1e-9)
