"""The score of one image."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus import FocusScore, blur_of_score, focus, score_of_blur
from napari_sem_tools.focus.score import joined


def test_score_and_blur_are_each_other_turned_round() -> None:
    blur = np.linspace(0, 4, 9)
    assert np.allclose(blur_of_score(score_of_blur(blur)), blur)


def test_there_is_no_method_of_another_name() -> None:
    with pytest.raises(InvalidSettings, match="no focus method"):
        focus(np.zeros((64, 64)), method="guess")  # type: ignore[arg-type]


def test_a_stack_is_no_image() -> None:
    with pytest.raises(InvalidSettings, match="stack"):
        focus(np.zeros((3, 64, 64)))


@pytest.mark.parametrize("first", ["import napari_sem_tools.focus", "pass"])
def test_the_public_name_can_be_called_whatever_was_imported_first(first: str) -> None:
    code = (
        f"{first}; import numpy, napari_sem_tools as sem;"
        "assert not sem.focus(numpy.zeros((64, 64))).information;"
        "from napari_sem_tools.focus import FocusScore"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_methods_join_to_their_mean_and_the_interval_holds_both() -> None:
    network = FocusScore(4.0, (3.5, 4.5), blur_px=2.4, blur_nm=24.0, snr=3.0, contrast=0.3)
    both = joined(network, FocusScore(8.0, (7.5, 8.5), blur_px=0.8, blur_nm=8.0))
    assert (both.score, both.method) == (6.0, "both")
    assert both.interval[0] <= 4.0
    assert both.interval[1] >= 8.0
    assert both.blur_nm == pytest.approx(10 * both.blur_px)
    nothing = FocusScore(0.0, (0.0, 0.0), information=False)
    assert not joined(network, nothing).information
