"""The page of the measures says what the table says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from napari_sem_tools.focus import MEASURES

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_that_of_the_table() -> None:
    tool = ROOT / "tools" / "make_focus_page.py"
    assert subprocess.run([sys.executable, str(tool), "--check"]).returncode == 0


def test_the_page_names_every_measure() -> None:
    page = (ROOT / "docs" / "reference" / "focus.md").read_text(encoding="utf-8")
    assert [name for name in MEASURES if f"`{name}`" not in page] == []
