"""A person's scores are learned from few frames, and never turn the order round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus import FocusScore, Recalibration, recalibrate

scores = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=30)


@given(scores)
def test_the_order_of_frames_is_never_turned_round(pairs: list[tuple[float, float]]) -> None:
    learned = recalibrate([p for p, _ in pairs], [g for _, g in pairs])
    course = learned(np.linspace(0, 10, 101))
    assert (np.diff(course) >= -1e-9).all()
    assert course.min() >= 0
    assert course.max() <= 10
    assert Recalibration.from_dict(learned.to_dict()) == learned


def test_a_stricter_person_is_learned_from_twenty_frames() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0, 10, 20)
    person = 10 * (predicted / 10) ** 2
    learned = recalibrate(predicted, np.clip(person + rng.normal(0, 0.2, 20), 0, 10))
    check = np.linspace(1, 9, 9)
    before = np.abs(check - 10 * (check / 10) ** 2).mean()
    assert np.abs(learned(check) - 10 * (check / 10) ** 2).mean() < 0.25 * before


def test_one_frame_moves_the_scale_most_of_the_way_to_it() -> None:
    assert 5.5 < recalibrate([5.0], [7.0])(5.0) < 7.0
    assert recalibrate([5.0], [5.0])(8.0) == pytest.approx(8.0)


def test_a_record_keeps_its_interval_round_the_score_and_its_pixel_size() -> None:
    found = FocusScore(5.0, (4.0, 6.0), blur_px=2.0, blur_nm=20.0)
    changed = recalibrate([4.0, 5.0, 6.0], [6.0, 7.0, 8.0])(found)
    assert changed.interval[0] < changed.score < changed.interval[1]
    assert changed.blur_nm == pytest.approx(10 * changed.blur_px)
    nothing = FocusScore(0.0, (0.0, 0.0), information=False)
    assert recalibrate([0.0], [9.0])(nothing) == nothing
    assert "3 frames" in recalibrate([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).describe()


def test_scores_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidSettings):
        recalibrate([5.0], [11.0])
    with pytest.raises(InvalidSettings):
        recalibrate([5.0], [])
    with pytest.raises(InvalidSettings):
        Recalibration.from_dict({"predicted": [1, 0], "given": [0, 1], "kind": "line", "count": 2})
