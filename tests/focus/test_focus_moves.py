"""A search for focus ends at the focus, from anywhere, and says why it stops."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microscope import BLUR_PER_UNIT, frame

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.series.moves import Move, suggest_move
from napari_sem_tools.focus.series.sharpness import Look, look_at

LIMITS = (-50.0, 50.0)
STEP = 0.5  # a quarter of the depth of field, 0.8 px / 0.4 px


def search(focus: float, start: float, seed: int, dose: float) -> tuple[Move, int]:
    """Let the microscope go where the moves say; return the last move and the frames taken."""
    psf = ("gauss", "disc")[seed % 2]
    history: list[Look] = []
    move = Move(start, "start", stop=False)
    while not move.stop:
        image = frame(
            move.position, focus=focus, seed=seed, dose=dose, psf=psf, noise_seed=len(history)
        )
        history.append(look_at(image, move.position))
        move = suggest_move(history, limits=LIMITS, min_step=STEP)
    return move, len(history)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dose", [np.inf, 20.0])
def test_a_search_from_a_bad_start_finds_focus_in_few_frames(seed: int, dose: float) -> None:
    focus = float(np.random.default_rng(seed).uniform(-45, 45))
    start = (-50.0, 50.0, 0.0)[seed % 3]
    move, frames = search(focus, start, seed, dose)
    assert move.reason == "stop: width below step"
    assert abs(move.position - focus) < 2 * STEP  # half a depth of field
    # noise costs a few frames; which ones it draws depends on the system's logarithm
    assert frames <= (16 if np.isinf(dose) else 24)


def test_few_electrons_cost_frames_and_no_sharpness() -> None:
    move, frames = search(21.0, -20.0, 3, 5.0)
    assert abs(move.position - 21.0) < 2 * STEP
    assert frames <= 60


def test_a_focus_beyond_the_limits_is_said_and_not_looked_for() -> None:
    move, frames = search(60.0, 0.0, 1, 100.0)
    assert (move.position, move.reason, move.stop) == (50.0, "outside limits", True)
    assert frames < 20


def test_frames_of_noise_end_the_search() -> None:
    rng = np.random.default_rng(0)
    history: list[Look] = []
    move = suggest_move(history, limits=LIMITS, min_step=STEP)
    while not move.stop:
        noise = rng.poisson(20, (240, 320)).astype(np.uint8)
        history.append(look_at(noise, move.position))
        move = suggest_move(history, limits=LIMITS, min_step=STEP)
    assert (move.position, move.reason) == (None, "stop: no information")
    assert len(history) <= 33


def test_a_history_may_go_through_json() -> None:
    history = [look_at(frame(z, focus=3.0), z) for z in (-20.0, -4.0, 12.0)]
    text = json.dumps([dataclasses.asdict(look) for look in history])
    again = suggest_move(json.loads(text), limits=LIMITS, min_step=STEP)
    assert again == suggest_move(history, limits=LIMITS, min_step=STEP)
    assert json.loads(json.dumps(dataclasses.asdict(again)))["reason"] == "bracket"


@settings(max_examples=20)
@given(st.permutations(range(7)))
def test_the_order_of_the_looks_does_not_matter(order: list[int]) -> None:
    looks = [(float(z), 1 / (1 + (z - 2.2) ** 2), 0.01) for z in range(7)]
    one = suggest_move(looks, limits=(-9, 9), min_step=0.25)
    assert suggest_move([looks[i] for i in order], limits=(-9, 9), min_step=0.25) == one


@settings(max_examples=40)
@given(st.floats(-40, 40), st.floats(-50, 50), st.floats(0.5, 20), st.integers(0, 1))
def test_any_bell_is_climbed(focus: float, start: float, width: float, power: int) -> None:
    history: list[tuple[float, float, float]] = []
    move = Move(start, "start", stop=False)
    while not move.stop:
        value = (1 + ((move.position - focus) / width) ** 2) ** -(power + 1)
        history.append((move.position, value, 1e-3 * value))
        move = suggest_move(history, limits=LIMITS, min_step=width / 4)
    assert abs(move.position - focus) < width / 2
    assert len(history) <= 40


def test_every_move_stays_inside_the_limits() -> None:
    for focus in (-49.5, 49.5, 41.0, 0.0):
        history: list[tuple[float, float]] = []
        move = suggest_move(history, limits=LIMITS, min_step=1.0)
        while not move.stop:
            assert LIMITS[0] <= move.position <= LIMITS[1]
            history.append((move.position, 1 / (1 + ((move.position - focus) / 4) ** 2)))
            move = suggest_move(history, limits=LIMITS, min_step=1.0)
        assert abs(move.position - focus) < 4


def test_too_far_for_detail_the_contrast_leads() -> None:
    far = [look_at(frame(z, focus=40.0, dose=20.0), z) for z in (-45.0, -30.0)]
    assert not any(look.shows_detail for look in far)
    assert suggest_move(far, limits=LIMITS, min_step=STEP).position > -30.0
    assert BLUR_PER_UNIT * 70 > 20  # px of blur at the nearer one


@pytest.mark.parametrize(
    ("history", "limits", "step"),
    [
        ([], (3.0, 3.0), 0.1),
        ([], (0.0, float("inf")), 0.1),
        ([], (0.0, 1.0), 0.0),
        ([], (0.0, 1.0), 2.0),
        ([("a", 1)], (0.0, 1.0), 0.1),
        ([(1.0,)], (0.0, 1.0), 0.1),
        ([{"place": 1.0}], (0.0, 1.0), 0.1),
        ([(float("nan"), 1.0)], (0.0, 1.0), 0.1),
    ],
)
def test_what_is_no_search_is_refused(history: list, limits: tuple, step: float) -> None:
    with pytest.raises(InvalidSettings):
        suggest_move(history, limits=limits, min_step=step)


def test_a_top_just_inside_a_limit_is_not_taken_for_the_limit() -> None:
    history: list[tuple[float, float]] = []
    move = Move(30.8, "start", stop=False)
    while not move.stop:
        history.append((move.position, 1 / (1 + ((move.position - 40.5) / 14.2) ** 2)))
        move = suggest_move(history, limits=LIMITS, min_step=14.2 / 4)
    assert move.reason == "stop: width below step"
    assert move.position == pytest.approx(40.5, abs=2)
