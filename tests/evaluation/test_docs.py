"""The page on scores names every score."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_sem_tools.evaluation import SCORES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "scores.md"


@pytest.mark.parametrize("name", SCORES)
def test_every_score_has_its_line(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")
