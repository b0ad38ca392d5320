"""The score of one image."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus import blur_of_score, focus, score_of_blur


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
